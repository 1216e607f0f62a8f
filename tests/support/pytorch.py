"""PyTorch's index, as far as clients can tell: they reach it through a proxy that leads its name to a server of ours."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from support.index import FileServer, serve

HOST = "download.pytorch.org"


@dataclass(frozen=True)
class Stand:
    """`env` leads uv and our client there; `index` saw the requests."""

    index: FileServer
    env: dict[str, str]


@contextmanager
def pytorch_index(shelf: Path, work: Path) -> Iterator[Stand]:
    """Serve the wheels in `shelf` as https://download.pytorch.org/whl/NAME; `work` is a folder for the certificate."""
    authority, certificate, key = work / "authority.crt", work / "pytorch.crt", work / "pytorch.key"
    _openssl(work, "-subj", "/CN=authority", "-keyout", "authority.key", "-out", authority.name)
    issued = ["-CA", authority.name, "-CAkey", "authority.key", "-addext", f"subjectAltName=DNS:{HOST}"]
    plain = ["-addext", "basicConstraints=critical,CA:FALSE"]
    _openssl(work, "-subj", f"/CN={HOST}", *issued, *plain, "-keyout", key.name, "-out", certificate.name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with serve(FileServer(shelf, tls=context)) as index, _proxy(int(index.url.rpartition(":")[2])) as address:
        yield Stand(index, {"HTTPS_PROXY": address, "SSL_CERT_FILE": str(authority)})


def _openssl(work: Path, *arguments: str) -> None:
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subprocess.run([*made, *arguments], cwd=work, check=True, capture_output=True)


@contextmanager
def _proxy(port: int) -> Iterator[str]:
    """Takes CONNECT for any host and leads it to `port` of this machine."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=_tunnel, args=(client, port), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def _tunnel(client: socket.socket, port: int) -> None:
    asked = b""
    while b"\r\n\r\n" not in asked:
        if not (data := client.recv(4096)):
            client.close()
            return
        asked += data
    server = socket.create_connection(("127.0.0.1", port))
    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    back = threading.Thread(target=_pump, args=(server, client), daemon=True)
    back.start()
    _pump(client, server)
    back.join()
    client.close()
    server.close()


def _pump(source: socket.socket, to: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            to.sendall(data)
    with suppress(OSError):
        to.shutdown(socket.SHUT_RDWR)
