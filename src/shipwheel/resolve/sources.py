"""`build_wheel`: what has no wheel becomes one on this machine, in isolation (PEP 517, by `uv build`), once.

A built wheel is kept by the hash of its source, Python's version and the platform. It is packed anew (sorted, 1980, stored),
so that the archive's own bytes depend on the contents alone and not on the backend's idea of a zip.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shipwheel.credentials import redact_text
from shipwheel.errors import ResolveError, StoreError
from shipwheel.lock import Built
from shipwheel.oci.blob import CHUNK, Platform
from shipwheel.resolve.target import Target, is_pure
from shipwheel.resolve.uv import SHOWN_LINES, Uv

FORMAT = 1
"""Raised when the same source would give another file."""

SOURCE_DATE_EPOCH = "315532800"
"""1980-01-01T00:00:00Z in seconds, the oldest time that a zip can hold (reproducible-builds.org)."""

EXCLUDED = frozenset(
    {".git", ".hg", ".svn", ".venv", "venv", ".tox", ".nox", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"}
    | {".hypothesis", "node_modules", "build", "dist", ".eggs", ".idea", ".vscode", "shipwheel.lock", ".DS_Store"}
)
"""Names of files and folders that no build of a wheel may depend on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Builder:
    """Where and for what wheels are built: the project's folder, a cache folder, the target and this machine.

    `env` is the environment for uv, git and the backend, with what uv must be told about indexes.
    """

    root: Path
    cache: Path
    target: Target
    host: Platform
    env: Mapping[str, str] = field(repr=False)


def build_wheel(built: Built, builder: Builder, sdist: Path | None = None) -> Path:
    """The wheel of an sdist, a git commit or a folder; from the cache if that source was built before.

    `sdist` is the verified file for kind sdist (its name does not matter).

    Raises:
        ResolveError: no interpreter of that version, the backend failed, or a wheel for another platform would be needed.
        StoreError: the cache cannot be written.
    """
    key = _key(built, builder)
    folder = builder.cache / "built" / key
    if found := _wheel_in(folder):
        return _fitting(built, builder, found)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".building-") as scratch:
            made = _build(built, builder, Path(scratch), sdist)
            _fitting(built, builder, made)
            return _keep(made, folder)
    except OSError as error:
        raise StoreError(
            f"{folder.parent} cannot be written: {error.strerror or error}", hint="check space and rights"
        ) from None


def _wheel_in(folder: Path) -> Path | None:
    return next(iter(sorted(folder.glob("*.whl"))), None)


def _keep(wheel: Path, folder: Path) -> Path:
    """Into the cache by rename; whoever builds the same at the same time may come first."""
    ready = wheel.parent / "ready"
    ready.mkdir()
    repack(wheel, ready / wheel.name)
    try:
        ready.replace(folder)
    except OSError:
        if not _wheel_in(folder):
            raise
    return folder / wheel.name


def _fitting(built: Built, builder: Builder, wheel: Path) -> Path:
    """That it runs there: a pure one anywhere, any other only where it was built."""
    if builder.target.best([(wheel.name, True)]) and (is_pure(wheel.name) or builder.target.platform == builder.host):
        return wheel
    raise ResolveError(
        f"{built.name} has no wheel for {builder.target.platform}, and what is built here is {wheel.name}",
        hint=f"build on {builder.target.platform}, or choose a version that has a wheel for it",
    )


def repack(source: Path, target: Path) -> None:
    """The same members in sorted order, uncompressed, with the modes 0644 or 0755 and one fixed time."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for info in sorted(old.infolist(), key=lambda each: each.filename):
            if info.is_dir():
                continue
            member = zipfile.ZipInfo(info.filename, (1980, 1, 1, 0, 0, 0))
            member.create_system = 3
            member.external_attr = (0o100755 if (info.external_attr >> 16) & 0o111 else 0o100644) << 16
            with old.open(info) as stream, new.open(member, "w", force_zip64=info.file_size >= 1 << 31) as out:
                shutil.copyfileobj(stream, out, CHUNK)


def _key(built: Built, builder: Builder) -> str:
    """Of everything that decides what is built. A pure wheel of another platform's build is only found by chance."""
    source = {"sdist": built.sha256, "git": built.commit}.get(built.kind) or content_hash(
        _folder(built, builder), builder.cache / "sources"
    )
    parts = [FORMAT, built.kind, source, built.subdirectory, *builder.target.version, str(builder.host)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _folder(built: Built, builder: Builder) -> Path:
    folder = (builder.root / built.path).resolve()
    if not folder.exists():
        raise ResolveError(f"{built.name} should be built from {built.path}, which is not there", hint="run 'shipwheel lock'")
    return folder


def content_hash(folder: Path, notes: Path | None = None) -> str:
    """sha256 (hex) over the names, executable bits and contents of a folder, or of a file.

    Below `notes` it is remembered how the files looked (size, times, inode), so that unchanged ones are not read again.
    """
    files = list(_walk(folder)) if folder.is_dir() else [(folder.name, folder)]
    looks = _looks(folder, files)
    note = notes / hashlib.sha256(str(folder).encode()).hexdigest() if notes else None
    if note and (known := _noted(note, looks)):
        return known
    total = hashlib.sha256()
    for name, path in files:
        total.update(json.dumps([name, _mode(path), _file_hash(path)]).encode())
    if note and _looks(folder, files) == looks:
        _write_note(note, f"{looks} {total.hexdigest()}")
    return total.hexdigest()


def _looks(folder: Path, files: Iterable[tuple[str, Path]]) -> str:
    """What changes whenever one of the files does."""
    stats = ((name, path.lstat()) for name, path in files)
    rows = [(name, at.st_mode, at.st_size, at.st_mtime_ns, at.st_ctime_ns, at.st_ino) for name, at in stats]
    return hashlib.sha256(repr([str(folder), *rows]).encode()).hexdigest()


def _noted(note: Path, looks: str) -> str:
    with contextlib.suppress(OSError):
        before, _, known = note.read_text().partition(" ")
        return known if before == looks else ""
    return ""


def _write_note(note: Path, text: str) -> None:
    with contextlib.suppress(OSError):
        note.parent.mkdir(parents=True, exist_ok=True)
        fresh = note.with_suffix(f".{os.getpid()}")
        fresh.write_text(text)
        fresh.replace(note)


def _mode(path: Path) -> str:
    return "link" if path.is_symlink() else "x" if path.stat().st_mode & 0o111 else "-"


def _file_hash(path: Path) -> str:
    if path.is_symlink():
        return hashlib.sha256(os.fsencode(path.readlink())).hexdigest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _excluded(name: str) -> bool:
    return name in EXCLUDED or name.endswith((".egg-info", ".pyc", ".pyo"))


def _walk(folder: Path) -> Iterator[tuple[str, Path]]:
    """Files and links, sorted, as (path relative to `folder`, path); without sockets and devices."""
    for where, names, files in os.walk(folder):
        here = Path(where)
        names[:] = sorted(name for name in names if not _excluded(name) and not _is_environment(here / name))
        linked = [name for name in names if (here / name).is_symlink()]
        for name in sorted([*files, *linked]):
            path = here / name
            if not _excluded(name) and (path.is_symlink() or path.is_file()):
                yield path.relative_to(folder).as_posix(), path


def _is_environment(folder: Path) -> bool:
    return (folder / "pyvenv.cfg").is_file()


def _build(built: Built, builder: Builder, scratch: Path, sdist: Path | None) -> Path:
    python = find_python(builder)
    source = _source(built, builder, scratch, sdist)
    out = scratch / "out"
    out.mkdir()
    env = {**builder.env, "SOURCE_DATE_EPOCH": SOURCE_DATE_EPOCH, "PYTHONHASHSEED": "0", "GIT_OPTIONAL_LOCKS": "0", "TZ": "UTC"}
    arguments = ["build", "--wheel", "--out-dir", str(out), "--python", python, str(source)]
    done = Uv(folder=scratch, env=env).run(arguments)
    wheel = _wheel_in(out)
    if done.returncode or wheel is None:
        lines = redact_text(done.stderr + done.stdout).replace(f"{scratch}/", "").rstrip().splitlines()[-SHOWN_LINES:]
        raise ResolveError(
            "\n".join([f"{built.name} {built.version} cannot be built from source:", *(f"  {line}" for line in lines)]),
            hint="install what its build needs (a compiler, headers), or choose a version that has a wheel",
        )
    return wheel


def find_python(builder: Builder) -> str:
    """An interpreter of the target's version on this machine.

    Raises:
        ResolveError: there is none.
    """
    wanted = ".".join(map(str, builder.target.version))
    done = Uv(folder=builder.cache, env=builder.env).run(["python", "find", wanted, "--no-project", "--system"])
    if done.returncode:
        raise ResolveError(
            f"building from source needs Python {wanted} on this machine, and there is none",
            hint=f"uv python install {wanted}",
        )
    return done.stdout.strip()


def _source(built: Built, builder: Builder, scratch: Path, sdist: Path | None) -> Path:
    """A private copy: backends write beside what they build."""
    if built.kind == "git":
        return _checkout(built, builder, scratch / "source") / built.subdirectory
    if built.kind == "sdist":
        if sdist is None:
            raise ResolveError(f"{built.filename} has not been fetched")
        return _unpacked(shutil.copyfile(sdist, scratch / built.filename), built.subdirectory)
    folder = _folder(built, builder)
    if folder.is_file():
        return Path(shutil.copyfile(folder, scratch / folder.name))
    target = scratch / folder.name
    shutil.copytree(folder, target, symlinks=True, ignore=_ignored)
    if (folder / ".git").is_dir():  # versions from tags: setuptools-scm, hatch-vcs
        (target / ".git").write_text(f"gitdir: {folder / '.git'}\n")
    return target


def _ignored(where: str, names: list[str]) -> set[str]:
    here = Path(where)
    odd = {
        name for name in names if not (here / name).is_symlink() and not (here / name).is_dir() and not (here / name).is_file()
    }
    return odd | {name for name in names if _excluded(name) or _is_environment(here / name)}


def _unpacked(archive: Path, subdirectory: str) -> Path:
    """uv builds an archive itself; only a folder inside one has to be unpacked."""
    if not subdirectory:
        return archive
    target = archive.parent / "source"
    shutil.unpack_archive(archive, target, filter=None if archive.suffix == ".zip" else "data")
    return next(path for path in target.iterdir() if path.is_dir()) / subdirectory


def _checkout(built: Built, builder: Builder, target: Path) -> Path:
    """The commit alone if the server allows that, else all of the history."""
    if not shutil.which("git", path=builder.env.get("PATH")):
        raise ResolveError(f"{built.name} comes from a git repository, and git is not installed", hint="install git")
    target.mkdir()
    _git(built, builder, target, "init", "--quiet")
    one = ["fetch", "--quiet", "--depth", "1", built.url, built.commit]
    if _git(built, builder, target, *one, check=False).returncode:
        _git(built, builder, target, "fetch", "--quiet", "--tags", built.url, "+refs/*:refs/shipwheel/*")
    _git(built, builder, target, "checkout", "--quiet", built.commit)
    if (target / ".gitmodules").is_file():
        _git(built, builder, target, "submodule", "update", "--init", "--recursive", "--quiet")
    return target


def _git(built: Built, builder: Builder, folder: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """git that never asks for a password."""
    dropped = {key for key in builder.env if key in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")}
    env = {**{key: value for key, value in builder.env.items() if key not in dropped}, "GIT_TERMINAL_PROMPT": "0"}
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        umask=0o022,
    )
    if check and done.returncode:
        raise ResolveError(
            f"{built.name} cannot be fetched from {built.url}: {redact_text(done.stderr).strip()}",
            hint="check that this machine may read the repository",
        )
    return done
