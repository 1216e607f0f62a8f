"""The image's own interpreter, unpacked on the machine that builds, to compile bytecode with."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
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

LIBC = "libc6"
_LOADERS = {
    "amd64": ("x86_64-linux-gnu", "lib64/ld-linux-x86-64.so.2"),
    "arm64": ("aarch64-linux-gnu", "lib/ld-linux-aarch64.so.1"),
}
"""By Debian architecture: the folder of its libraries, and the path of its loader as its ABI fixes it."""

NEWEST_LIBC = (2, 41)
"""The newest glibc of a host that is known to give the bytecode that Debian's gives: its pow() folds `2 ** 0.5`."""


def unpack_interpreter(debs: Sequence[tuple[Deb, Path]], into: Path) -> Interpreter:
    """Unpack the interpreter into a folder below `into`, once, and say how to run it: through its own loader, or, where
    `debs` hold no C library, with this machine's.

    The folder is named after the packages and appears complete or not at all.

    Raises:
        DebError: packages that are broken, or of another architecture than amd64 and arm64.
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
    libraries, program = f"{root}/usr/lib/{_machine(locked)[0]}", f"{root}/usr/bin/python{python}"
    loader = (root / "loader").read_text()
    return Interpreter(
        argv=(f"{root}/{loader}", "--library-path", libraries, program) if loader else (program,),
        python=python,
        identity=identity,
        env=() if loader else (("LD_LIBRARY_PATH", libraries),),
    )


def without_libc(debs: Iterable[Deb]) -> tuple[Deb, ...]:
    """The interpreter's packages but the C library, which is half of them, if this machine has one that does as well."""
    debs = tuple(debs)
    versions = [_version(deb.version) for deb in debs if deb.name == LIBC]
    here = _host_libc()
    if not versions or not here or not versions[0] <= here <= NEWEST_LIBC:
        return debs
    return tuple(deb for deb in debs if deb.name != LIBC)


def runs(interpreter: Interpreter) -> bool:
    """Whether the interpreter starts on this machine."""
    command = [*interpreter.argv, "-I", "-S", "-c", "import zlib"]
    try:
        return subprocess.run(command, env=dict(interpreter.env), capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _host_libc() -> tuple[int, ...]:
    """The version of the C library that this process runs with; empty where it is not glibc."""
    try:
        return _version((os.confstr("CS_GNU_LIBC_VERSION") or "").removeprefix("glibc "))
    except ValueError:
        return ()


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text)[:2])


def _unpack(debs: Sequence[tuple[Deb, Path]], root: Path) -> None:
    entries = {entry.path: entry for deb, path in debs for entry in deb_tree(path, deb)}
    locked = [deb for deb, _ in debs]
    loader = resolve(entries, _machine(locked)[1])
    if loader is None and any(deb.name == LIBC for deb in locked):
        raise DebError("the interpreter's packages hold no loader", hint="run 'shipwheel lock --upgrade'")
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent) as folder:
        unpacked = Path(folder) / "root"
        for entry in entries.values():
            _write(entry, unpacked / entry.path)
        (unpacked / "loader").write_text(loader.path if loader else "")
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


def _machine(debs: Iterable[Deb]) -> tuple[str, str]:
    for deb in debs:
        if deb.architecture in _LOADERS:
            return _LOADERS[deb.architecture]
    raise DebError("the interpreter's packages are not for amd64 or arm64", hint="run 'shipwheel lock --upgrade'")
