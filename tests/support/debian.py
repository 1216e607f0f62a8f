"""Debian packages and signed archives made on the spot: real ar, tar, InRelease and Packages, small."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import tarfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType

from pysequoia import SignatureMode, Tsk, sign

from shipwheel.lock import Deb

NOW = datetime.now(UTC).replace(microsecond=0)


def member(name: str, data: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    """A tar member; `type`, `linkname`, `mode` and so on as keywords."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in {"mode": 0o644, **fields}.items():
        setattr(info, key, value)
    return info, data


def folder(name: str, mode: int = 0o755) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, type=tarfile.DIRTYPE, mode=mode)


def link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, type=tarfile.SYMTYPE, linkname=target, mode=0o777)


def make_deb(
    where: Path, name: str, members: Iterable[tuple[tarfile.TarInfo, bytes]], *, compression: str = "xz", control: str = ""
) -> tuple[Deb, Path]:
    """A package file `name` 1.0-1 for amd64, and the lock's words for it."""
    members = list(members)
    control = control or f"Package: {name}\nVersion: 1.0-1\nArchitecture: amd64\nDescription: made for a test\n"
    sums = "".join(
        f"{hashlib.md5(data).hexdigest()}  {info.name.removeprefix('./')}\n" for info, data in members if info.isreg()
    )
    inner = _tar([member("./control", control.encode()), member("./md5sums", sums.encode())])
    suffix, packed = {"xz": (".xz", lzma.compress), "gz": (".gz", gzip.compress), "none": ("", bytes), "zst": (".zst", bytes)}[
        compression
    ]
    data = _ar({"debian-binary": b"2.0\n", "control.tar.gz": gzip.compress(inner), f"data.tar{suffix}": packed(_tar(members))})
    path = where / f"{name}_1.0-1_amd64.deb"
    path.write_bytes(data)
    return _locked(name, data), path


def _locked(name: str, data: bytes) -> Deb:
    filename = f"pool/main/{name[0]}/{name}/{name}_1.0-1_amd64.deb"
    digest = hashlib.sha256(data).hexdigest()
    return Deb(name=name, version="1.0-1", architecture="amd64", filename=filename, sha256=digest, size=len(data))


def _tar(members: Iterable[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def _ar(members: Mapping[str, bytes]) -> bytes:
    out = b"!<arch>\n"
    for name, data in members.items():
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
    return out


def stanza(name: str, version: str = "1.0-1", **fields: str) -> str:
    """One package of an index; `Pre_Depends` stands for Pre-Depends."""
    common = {
        "Package": name,
        "Version": version,
        "Architecture": "amd64",
        "Filename": f"pool/main/{name}_{version}_amd64.deb",
        "Size": "1",
        "SHA256": hashlib.sha256(f"{name} {version}".encode()).hexdigest(),
        "Description": "made for a test",
    }
    return "".join(f"{key.replace('_', '-')}: {value}\n" for key, value in {**common, **fields}.items())


@dataclass
class SignedArchive:
    """Writes `debian` and `debian-security` below `root`, signed with a key of its own."""

    root: Path
    key: Tsk = field(default_factory=lambda: Tsk.generate(user_id="Test Archive <archive@example.org>"))

    @cached_property
    def keyring(self) -> bytes:
        return bytes(self.key.extract_certificate())

    def publish(
        self, suite: str, stanzas: Iterable[str] = (), updates: Iterable[str] = (), security: Iterable[str] = ()
    ) -> None:
        """A suite with its updates and its security updates."""
        self.write("debian", suite, stanzas)
        self.write("debian", f"{suite}-updates", updates)
        self.write("debian-security", f"{suite}-security", security)

    def write(
        self,
        archive: str,
        dist: str,
        stanzas: Iterable[str] = (),
        *,
        signed: bool = True,
        contents: Mapping[str, str] = MappingProxyType({}),
        **changed: str,
    ) -> Path:
        """One distribution; `contents` are the lines of Contents-NAME, `changed` replaces fields of its Release.

        Fields are named `Valid_Until` for Valid-Until. Gives InRelease.
        """
        here = self.root / archive / "dists" / dist
        files = {"main/binary-amd64/Packages.xz": lzma.compress("\n".join(stanzas).encode())}
        files |= {f"main/Contents-{name}.gz": gzip.compress(text.encode(), mtime=0) for name, text in contents.items()}
        fields = {"Codename": dist, "Suite": "stable", "Date": rfc(NOW), "Acquire_By_Hash": "yes", **changed}
        text = "".join(f"{key.replace('_', '-')}: {value}\n" for key, value in fields.items()) + "SHA256:\n"
        for path, packed in files.items():
            digest = hashlib.sha256(packed).hexdigest()
            text += f" {digest} {len(packed)} {path}\n"
            for file in (here / path, (here / path).parent / "by-hash/SHA256" / digest):
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(packed)
        release = here / "InRelease"
        release.write_bytes(sign(self.key.signer(), text.encode(), mode=SignatureMode.CLEAR) if signed else text.encode())
        return release


def rfc(when: datetime) -> str:
    """As Release files write a date."""
    return when.strftime("%a, %d %b %Y %H:%M:%S UTC")


HOUR = timedelta(hours=1)


@dataclass
class Mirror:
    """A folder served over HTTP, and the paths that were asked for."""

    folder: Path
    url: str = ""
    paths: list[str] = field(default_factory=list)


@contextmanager
def serve_mirror(folder: Path) -> Iterator[Mirror]:
    """On a free port of the loopback interface."""
    mirror = Mirror(folder)

    class Handler(SimpleHTTPRequestHandler):
        def log_request(self, *_: object) -> None:
            mirror.paths.append(self.path)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as server:
        mirror.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield mirror
        server.shutdown()
        thread.join()
