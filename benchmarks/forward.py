"""An HTTP proxy for all hosts that counts what travels: CONNECT tunnels and plain requests (RFC 9110 section 9.3.6)."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import closing, suppress

from counting import CountingProxy, _pump

HEAD = 1 << 16


class ForwardProxy(CountingProxy):
    """As `CountingProxy`, to wherever each client asks for; TLS and its certificates are counted, too."""

    def __init__(self) -> None:
        super().__init__("nowhere:0")

    def _serve(self, client: socket.socket) -> None:
        with closing(client), suppress(OSError):
            head = client.recv(HEAD)
            with socket.create_connection(_wanted(head)) as server:
                if head.startswith(b"CONNECT "):
                    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                else:
                    self._count_sent(len(head))
                    server.sendall(head)
                back = threading.Thread(target=_pump, args=(server, client, self._count_received), daemon=True)
                back.start()
                _pump(client, server, self._count_sent)
                back.join()


def _wanted(head: bytes) -> tuple[str, int]:
    """The host and port that a request's first line asks for; 80 where it says none."""
    match = re.match(rb"[A-Z]+ (?:http://)?(\[[^]]+\]|[^/: ]+)(?::(\d+))?", head)
    if not match:
        raise OSError("no request of HTTP")
    return match[1].decode().strip("[]"), int(match[2] or 80)
