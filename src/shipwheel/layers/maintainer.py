"""What Debian's maintainer scripts would have made, made here, since none of them runs (docs/explanation/3-base.md)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from posixpath import basename

from shipwheel.layers.graphviz import plugin_lists
from shipwheel.native.contents import ALTERNATIVES
from shipwheel.oci.tree import Entry, Kind

PASSWD = """\
root:x:0:0:root:/root:/sbin/nologin
app:x:1000:1000:app:/app:/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin
"""
GROUP = """\
root:x:0:
tty:x:5:
staff:x:50:
app:x:1000:
nogroup:x:65534:
"""
"""base-passwd's root, nobody and nogroup, and the user that runs; numbers as in Debian."""

FOLDERS = {
    "app": 0o755, "dev": 0o755, "etc": 0o755, "home": 0o755, "proc": 0o755, "root": 0o700, "run": 0o755, "run/lock": 0o1777,
    "srv": 0o755, "sys": 0o755, "tmp": 0o1777, "usr/local/bin": 0o755, "usr/local/lib": 0o755, "var/tmp": 0o1777,
}  # fmt: skip
"""Folders that base-files and its script make, with their modes; mount points among them."""

LINKS = {
    "bin": "usr/bin",
    "sbin": "usr/sbin",
    "lib": "usr/lib",
    "lib64": "usr/lib64",
    "etc/localtime": "/usr/share/zoneinfo/Etc/UTC",
    "etc/mtab": "/proc/mounts",
    "usr/lib/ssl/cert.pem": "/etc/ssl/certs/ca-certificates.crt",
    "usr/lib/ssl/certs": "/etc/ssl/certs",
    "var/lock": "/run/lock",
    "var/run": "/run",
}
"""usrmerge's links, the time zone, and OpenSSL's default places, which the package `openssl` would bring."""

CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"

_ALTERNATIVES = re.compile(rf"usr/lib/[^/]+-linux-gnu/{ALTERNATIVES}/lib(?:blas|lapack|openblas|blis)(?:64)?\.so\.\d+")
"""Libraries that update-alternatives links into the folder above."""

_PROGRAMS = re.compile(r"usr/lib/jvm/java-\d+-openjdk-\w+/bin/(\w+)|usr/bin/(?:(\w+)-im\d\.q16|(mpi\w+)\.(?:openmpi|mpich))")
"""Programs that update-alternatives links into /usr/bin by a plainer name: Java's, ImageMagick's, MPI's."""

_DRIVERS = re.compile(r"usr/share/(?!doc/)[^/]+/odbcinst\.ini(\.template)?")
"""What packages of ODBC drivers would register."""

_FONT_CACHE = b"""<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig><cachedir>/tmp/fontconfig</cachedir></fontconfig>
"""
"""Fontconfig keeps what it finds, and complains, line after line, where the user that runs can write nowhere else."""


def base_extras(files: Mapping[str, Entry], python: str) -> Iterator[Entry]:
    """What the base has beside its packages; a path that a package brings already (`files`) is left to it."""
    made = [
        *(Entry.directory(path, mode) for path, mode in FOLDERS.items() if path != "etc"),
        *(Entry.symlink(path, target) for path, target in LINKS.items()),
        Entry.data("etc/passwd", PASSWD.encode()),
        Entry.data("etc/group", GROUP.encode()),
        Entry.data("etc/nsswitch.conf", _nsswitch(files)),
        Entry.data("etc/timezone", b"Etc/UTC\n"),
        Entry.data(CERTIFICATES, _certificates(files)),
        Entry.symlink("usr/bin/python3", f"python{python}"),
    ]
    return (entry for entry in made if entry.kind is Kind.DIRECTORY or entry.path not in files)


def system_extras(files: Mapping[str, Entry]) -> Iterator[Entry]:
    """What packages on top of the base need made; a path that a package brings already (`files`) is left to it."""
    made = [
        *([Entry.symlink("usr/bin/sh", "dash")] if "usr/bin/dash" in files else []),
        *_alternatives(files),
        *plugin_lists(files),
        *([Entry.data("etc/fonts/conf.d/99-cache.conf", _FONT_CACHE)] if "etc/fonts/fonts.conf" in files else []),
    ]
    drivers = [files[path].read().rstrip(b"\n") + b"\n" for path in sorted(filter(_DRIVERS.fullmatch, files))]
    if drivers:
        made.append(Entry.data("etc/odbcinst.ini", b"\n".join(drivers)))
    return (entry for entry in made if entry.path not in files)


def _alternatives(files: Mapping[str, Entry]) -> Iterator[Entry]:
    """The links of update-alternatives, each to the first that is offered."""
    links: dict[str, str] = {}
    for path in sorted((path for path in files if _ALTERNATIVES.fullmatch(path)), key=_preference):
        folder, own, name = path.rsplit("/", 2)
        links.setdefault(f"{folder}/{name}", f"{own}/{name}")
    for path in sorted(files, reverse=True):
        if match := _PROGRAMS.fullmatch(path):
            links.setdefault(f"usr/bin/{match[1] or match[2] or match[3]}", f"/{path}")
    return (Entry.symlink(path, target) for path, target in links.items())


def _preference(path: str) -> tuple[bool, str]:
    """Tuned libraries before the reference ones, as their priorities in update-alternatives say."""
    return (bool(re.search(r"/(blas|lapack)(64)?/", path)), path)


def _nsswitch(files: Mapping[str, Entry]) -> bytes:
    """libc-bin's own, which its script copies into place; its module `db` and NIS have no package here."""
    example = files.get("usr/share/libc-bin/nsswitch.conf")
    text = example.read().decode() if example else "passwd: files\ngroup: files\nhosts: files dns\n"
    return text.replace("db files", "files").replace("netgroup:       nis\n", "").encode()


def _certificates(files: Mapping[str, Entry]) -> bytes:
    """All certificates that ca-certificates ships, as update-ca-certificates joins them; sorted by file name."""
    offered = sorted(path for path in files if path.startswith("usr/share/ca-certificates/") and path.endswith(".crt"))
    return b"".join(files[path].read().rstrip(b"\n") + b"\n" for path in sorted(offered, key=basename))
