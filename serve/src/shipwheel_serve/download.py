"""Brings a model here at start, through fsspec, or looks at one that is mounted; either way only what was locked is used."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from shipwheel_serve.errors import ModelError
from shipwheel_serve.hashing import sha256
from shipwheel_serve.logs import redact
from shipwheel_serve.settings import Settings

PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds before a download goes on after a fault; whatever came meanwhile starts them anew."""

EVERY = 2.0
"""Seconds between lines of progress."""

BLOCK = 8 << 20
"""Bytes of one request to an object store."""

READ = 256 << 10
"""Bytes of one read. aiohttp buffers twice as much, and loses that when a connection breaks off."""

MB = 1e6
_BUNDLE = "bundle.json"
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}
_LASTING = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, ImportError, ValueError)
_PASSING = (408, 425, 429)


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    path: str
    sha256: str
    size: int


def fetch(settings: Settings, say: Callable[[str], None]) -> Path:
    """The model below `settings.cache`, downloaded from `settings.source` unless it is there; `say` gets lines of progress.

    Processes that ask at the same time download once.

    Raises:
        ModelError: no such file, wrong content, no space, a driver that is not installed, or a fault that did not pass.
    """
    files = _files(settings)
    if not settings.source or not files:
        absent = "list of files" if settings.source else "source"
        raise ModelError(f"the model is to be downloaded, and the settings have no {absent}", "`shipwheel lock` writes both")
    listed = json.dumps([[each.path, each.sha256, each.size] for each in files]).encode()
    folder = Path(settings.cache) / hashlib.sha256(listed).hexdigest()
    if _faults(folder, files):
        with _locked(folder):
            missing = list(_faults(folder, files))  # another worker may have brought them meanwhile
            if missing:
                _download(settings.source, folder, missing, say)
    return _model(folder, settings, files)


def mounted(settings: Settings) -> Path:
    """The model at `settings.mount`, with the content that was locked.

    Raises:
        ModelError: nothing is there, or something else.
    """
    folder, files = Path(settings.mount), _files(settings)
    if not folder.is_dir():
        names = ", ".join(each.path for each in files) or _BUNDLE
        raise ModelError(f"no model is mounted: there is no folder {folder} with {names}", "mount a volume there")
    if faults := _faults(folder, files):
        raise ModelError(f"in {folder} {'; '.join(faults.values())}", "mount the files that were locked, or lock again")
    return _model(folder, settings, files)


def _files(settings: Settings) -> list[_File]:
    out = []
    for each in settings.files:
        path = PurePosixPath(str(each.get("path", "")))
        if not path.parts or path.is_absolute() or ".." in path.parts:
            raise ModelError(f"files: '{path}' is no path inside the model's folder")
        try:
            out.append(_File(path=str(path), sha256=each["sha256"].removeprefix("sha256:").lower(), size=int(each["size"])))
        except (AttributeError, KeyError, TypeError, ValueError):
            raise ModelError(f"files: '{path}' needs sha256 and size", "`shipwheel lock` writes them") from None
    return out


def _model(folder: Path, settings: Settings, files: list[_File]) -> Path:
    """What is loaded: the folder of a bundle or of a class's files, or the model file in it.

    Raises:
        ModelError: none of these is there.
    """
    if (folder / _BUNDLE).is_file() or ":" in settings.model:
        return folder
    for name in (settings.model, Path(settings.model).name, *(each.path for each in files[:1] if len(files) == 1)):
        if (folder / name / _BUNDLE).is_file() or (folder / name).is_file():
            return folder / name
    raise ModelError(f"{folder} has neither {_BUNDLE} nor {settings.model}", "set `model` to the file's name")


def _faults(folder: Path, files: list[_File]) -> dict[_File, str]:
    """Those of the files that are not there as they were locked, and why not."""
    return {each: fault for each in files if (fault := _fault(folder / each.path, each))}


def _fault(path: Path, file: _File) -> str:
    if not path.is_file():
        return f"{file.path} is missing"
    found, size = sha256(path), path.stat().st_size
    if (found, size) == (file.sha256, file.size):
        return ""
    return f"{file.path} is not what was locked: {found}, {size} bytes, instead of sha256 {file.sha256}, {file.size} bytes"


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    except OSError as error:
        raise ModelError(f"downloads cannot be kept in {folder.parent}: {error.strerror}", "set `cache` to a volume") from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _download(source: str, folder: Path, files: list[_File], say: Callable[[str], None]) -> None:
    """Every file, verified before it gets its name."""
    total = sum(each.size for each in files)
    need = total - sum(min(each.size, _size(_partial(folder, each))) for each in files)
    free = shutil.disk_usage(folder).free
    if need > free:
        text = f"the model needs {need / MB:,.1f} MB in {folder.parent}, where {free / MB:,.1f} MB are free"
        raise ModelError(text, "set `cache` to a volume with more room")
    say(f"downloading {len(files)} files, {total / MB:,.1f} MB, from {redact(source)}")
    progress = _Progress(total, total - need, say)
    for each in files:
        path = _partial(folder, each)
        path.parent.mkdir(parents=True, exist_ok=True)
        for resumed in (_size(path) > 0, False):
            _get(_address(source, each.path), path, each, progress)
            fault = _fault(path, each)
            if not fault:
                path.replace(folder / each.path)
                break
            path.unlink()
            if not resumed:  # else what lay there may have been no part of it
                raise ModelError(f"downloaded {fault}", "the source was changed: put the file back, or lock again")
    progress.tell("downloaded and verified: ")


def _partial(folder: Path, file: _File) -> Path:
    return folder / f"{file.path}.partial"


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _address(source: str, path: str) -> str:
    """A file's address below the source's; the query of a signed address stays at the end."""
    if not source.startswith(("http://", "https://")):
        return f"{source.rstrip('/')}/{path}"
    base, mark, query = source.partition("?")
    return f"{base.rstrip('/')}/{quote(path)}{mark}{query}"


def _get(url: str, path: Path, file: _File, progress: _Progress) -> None:
    """The rest of a file, however often it breaks off, as long as that passes."""
    failures, furthest = 0, _size(path)
    while _size(path) != file.size or not path.exists():
        try:
            _stream(url, path, file, progress)
        except Exception as error:  # noqa: BLE001 (drivers raise what they like)
            failures = 1 if _size(path) > furthest else failures + 1
            furthest = max(furthest, _size(path))
            if _lasts(error) or failures > len(PAUSES):
                raise _failure(url, file, error) from None
            progress.say(f"{file.path}: {_text(error)}; trying again in {PAUSES[failures - 1]:g} s")
            time.sleep(PAUSES[failures - 1])
        else:
            return


def _stream(url: str, path: Path, file: _File, progress: _Progress) -> None:
    before = _size(path)
    remote, have = _open(url, before if before < file.size else 0)
    progress.add(have - before)  # what is thrown away counts no more
    with remote, path.open("r+b" if path.exists() else "wb") as out:
        out.truncate(have)
        out.seek(have)
        while have <= file.size and (block := remote.read(READ)):
            out.write(block)
            have += len(block)
            progress.add(len(block))
    if have < file.size:
        raise ConnectionError(f"the transfer ended after {have} of {file.size} bytes")


def _open(url: str, start: int) -> tuple[Any, int]:
    """A stream of the file, and where it starts: at 0 where the server cannot start elsewhere."""
    import fsspec

    system, path = fsspec.core.url_to_fs(url)
    if not url.startswith(("http://", "https://")):
        stream = system.open(path, "rb", block_size=BLOCK)
        stream.seek(start)
        return stream, start
    import aiohttp

    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={start}-"} if start else {})}
    limit = aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=60)
    stream = system.open(path, "rb", block_size=0, size=1, headers=headers, timeout=limit)  # 0: a stream; 1 spares a HEAD
    return stream, start if stream.r.status == 206 else 0


def _lasts(error: Exception) -> bool:
    """Whether it would only come again."""
    if (status := getattr(error, "status", None)) is not None:
        return 400 <= int(status) < 500 and status not in _PASSING
    return isinstance(error, _LASTING) or getattr(error, "errno", 0) in (errno.ENOSPC, errno.EDQUOT)


def _failure(url: str, file: _File, error: Exception) -> ModelError:
    scheme = url.partition(":")[0]
    if isinstance(error, ImportError):
        extra = _EXTRAS.get(scheme, "remote")
        text = f"downloading from {scheme}: needs a package that is not installed ({_text(error)})"
        return ModelError(text, f"add shipwheel-serve[{extra}] to the requirements")
    text = "it does not exist" if isinstance(error, FileNotFoundError) else _text(error)
    return ModelError(f"{file.path} cannot be downloaded from {redact(url)}: {text}", "see `source` in the settings")


def _text(error: Exception) -> str:
    if status := getattr(error, "status", None):
        return f"HTTP status {status}"
    return redact(f"{type(error).__name__}: {error}")


class _Progress:
    """Says at times how far it is."""

    def __init__(self, total: int, done: int, say: Callable[[str], None]) -> None:
        self.say = say
        self._total, self._done, self._told, self._last = total, done, done, time.monotonic()

    def add(self, count: int) -> None:
        """So many more bytes are here."""
        self._done += count
        if time.monotonic() - self._last >= EVERY:
            self.tell()

    def tell(self, what: str = "") -> None:
        """A line, with the speed since the last one."""
        now = time.monotonic()
        speed = (self._done - self._told) / max(now - self._last, 1e-3) / MB
        part = min(100, 100 * self._done // max(1, self._total))
        self.say(f"{what}{self._done / MB:,.1f} of {self._total / MB:,.1f} MB, {part} %, {speed:,.1f} MB/s")
        self._last, self._told = now, self._done
