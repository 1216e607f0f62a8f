"""The image's own interpreter, unpacked on the machine that builds, to compile bytecode with."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from shipwheel.errors import DebError, StoreError
from shipwheel.layers.bytecode import Interpreter
from shipwheel.layers.debs import deb_tree
from shipwheel.layers.ldcache import resolve
from shipwheel.lock import Deb
from shipwheel.oci.blob import CHUNK
from shipwheel.oci.tree import Entry, Kind
from shipwheel.resolve.base import interpreter_identity

_LOADERS = {
    "amd64": ("x86_64-linux-gnu", "lib64/ld-linux-x86-64.so.2"),
    "arm64": ("aarch64-linux-gnu", "lib/ld-linux-aarch64.so.1"),
}
"""By Debian architecture: the folder of its libraries, and the path of its loader as its ABI fixes it."""


def unpack_interpreter(debs: Sequence[tuple[Deb, Path]], into: Path) -> Interpreter:
    """Unpack the interpreter into a folder below `into`, once, and say how to run it through its own loader.

    The folder is named after the packages and appears complete or not at all.

    Raises:
        DebError: packages that are broken or lack the loader.
        StoreError: the folder cannot be written.
    """
    locked = sorted((deb for deb, _ in debs), key=lambda deb: deb.name)
    root = into / hashlib.sha256("\n".join(deb.sha256 for deb in locked).encode()).hexdigest()[:32]
    try:
        if not root.is_dir():
            _unpack(debs, root)
    except OSError as error:
        raise StoreError(
            f"the interpreter cannot be unpacked to '{root}': {error}", hint="free some space, or name another folder"
        ) from None
    identity = interpreter_identity(locked)
    python = identity.removeprefix("python").partition("-")[0]
    triplet, _ = _loader(locked)
    loader = (root / "loader").read_text()
    libraries = f"{root}/usr/lib/{triplet}"
    return Interpreter(
        argv=(f"{root}/{loader}", "--library-path", libraries, f"{root}/usr/bin/python{python}"),
        python=python,
        identity=identity,
    )


def _unpack(debs: Sequence[tuple[Deb, Path]], root: Path) -> None:
    entries = {entry.path: entry for deb, path in debs for entry in deb_tree(path, deb)}
    loader = resolve(entries, _loader([deb for deb, _ in debs])[1])
    if loader is None:
        raise DebError("the interpreter's packages hold no loader", hint="run 'shipwheel lock --upgrade'")
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent) as folder:
        unpacked = Path(folder) / "root"
        for entry in entries.values():
            _write(entry, unpacked / entry.path)
        (unpacked / "loader").write_text(loader.path)
        try:
            unpacked.rename(root)
        except OSError:
            if not root.is_dir():  # another build was faster
                raise


def _write(entry: Entry, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if entry.kind is Kind.SYMLINK and not entry.target.startswith("/"):
        path.symlink_to(entry.target)
    elif entry.kind is Kind.FILE and entry.open:
        with entry.open() as source, path.open("wb") as sink:
            shutil.copyfileobj(source, sink, CHUNK)
        path.chmod(entry.mode)


def _loader(debs: Iterable[Deb]) -> tuple[str, str]:
    for deb in debs:
        if deb.name == "libc6" and deb.architecture in _LOADERS:
            return _LOADERS[deb.architecture]
    raise DebError("the interpreter's packages hold no C library for amd64 or arm64", hint="run 'shipwheel lock --upgrade'")
