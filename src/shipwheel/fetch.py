"""`fetch`: from locked sha256s to verified local files, in parallel, resumed where an earlier run stopped.

Downloaded files lie below the cache folder as `sha256/HEX`; they come there by rename, verified. What is still on its way is
`partial/HEX.part`, locked while someone writes it, so that two processes never fetch one file twice. Files of this machine
(`file:` URLs) are used in place; `local/HEX` remembers what a file looked like when it was hashed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from shipwheel.credentials import redact
from shipwheel.errors import IntegrityError, NetworkError, ResolveError, ShipwheelError, StoreError
from shipwheel.hashes import looks
from shipwheel.http import Client, file_path
from shipwheel.oci.blob import CHUNK
from shipwheel.progress import SILENT, Progress, Task

if TYPE_CHECKING:
    from concurrent.futures import Future

WORKERS = 8
"""Downloads at once: enough to fill a fast line with small wheels, few enough to be polite to an index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A file by what it must be: sha256 (hex) and size in bytes (0: not known).

    `name` is for messages. `urls` finds where it may be, in the order to try; it is only called if the file is not here yet,
    and from a worker thread, as it may have to ask an index.
    """

    name: str
    sha256: str
    size: int
    urls: Callable[[], Iterable[str]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class FileCache:
    """Verified files by sha256 below one folder; the folder is made when first needed."""

    folder: Path

    def path(self, sha256: str) -> Path:
        """Where a file with this content lies, if it does."""
        return self.folder / "sha256" / sha256

    def part(self, sha256: str) -> Path:
        """Where its bytes are collected."""
        return self.folder / "partial" / f"{sha256}.part"

    def find(self, sha256: str, size: int) -> Path | None:
        """The verified file, if it is here: in the cache, or a local one that has not changed since it was hashed."""
        path = self.path(sha256)
        with contextlib.suppress(OSError):
            if path.stat().st_size == size or not size:
                return path
        return self._local(sha256)

    def remember_local(self, sha256: str, path: Path) -> None:
        """That this file of the machine was hashed as it is now; a cache that cannot be written just forgets."""
        note = self.folder / "local" / sha256
        with contextlib.suppress(OSError):
            note.parent.mkdir(parents=True, exist_ok=True)
            fresh = note.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
            fresh.write_text(json.dumps([str(path), *looks(path)]))
            fresh.replace(note)

    def _local(self, sha256: str) -> Path | None:
        try:
            path, *before = json.loads((self.folder / "local" / sha256).read_text())
            return Path(path) if looks(Path(path)) == before else None
        except (OSError, ValueError):
            return None


def fetch(requests: Sequence[Wanted], files: FileCache, client: Client, progress: Progress = SILENT) -> dict[str, Path]:
    """Every wanted file as a local path, by sha256. Asks nothing of the network for what is here.

    Raises:
        NetworkError: a file that no address gave, after all tries.
        IntegrityError: only other bytes were offered under its name.
        ResolveError: no address is known for a file.
        StoreError: the cache folder cannot be written, or the disk is full.
    """
    found = {each.sha256: path for each in requests if (path := files.find(each.sha256, each.size))}
    missing = {each.sha256: each for each in requests if each.sha256 not in found}
    if not missing:
        return found
    task = progress.start(f"fetch {len(missing)} file{'s'[: len(missing) > 1]}", sum(each.size for each in missing.values()))
    try:
        return found | _Fetcher(files, client, task).all(list(missing.values()))
    except OSError as error:
        raise _storage_error(files.folder, error) from None
    finally:
        task.done()


def _storage_error(folder: Path, error: OSError) -> StoreError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return StoreError(
        f"the cache {folder} cannot be written: {error.strerror or error}",
        hint="free some space; what has come so far is kept" if full else "make it writable, or choose another cache folder",
    )


class _StoppedError(Exception):
    """Another download failed, or the user gave up."""


class _Fetcher:
    """The state of one `fetch`: what all its threads share."""

    def __init__(self, files: FileCache, client: Client, task: Task) -> None:
        self._files = files
        self._client = client
        self._task = task
        self._stop = threading.Event()

    def all(self, wanted: Sequence[Wanted]) -> dict[str, Path]:
        """Largest first, so that no large one is left alone at the end. The first failure stops the others.

        Ctrl-C does not wait for them: one that gets no bytes would only notice after its timeout.
        """
        from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

        from shipwheel.http.lean import httpx  # noqa: F401 - here, not first in a thread: Ctrl-C amid several imports of one module leaves its lock held

        pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="fetch")
        futures: dict[Future[Path], Wanted] = {}
        try:
            for each in sorted(wanted, key=lambda each: (-each.size, each.name)):
                futures[pool.submit(self.one, each)] = each
            wait(futures, return_when=FIRST_EXCEPTION)
        except KeyboardInterrupt:
            self._stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        self._stop.set()
        pool.shutdown(cancel_futures=True)
        failures = [future.exception() for future in futures if future.done() and not future.cancelled()]
        for error in failures:
            if error and not isinstance(error, _StoppedError):
                raise error
        return {each.sha256: future.result() for future, each in futures.items()}

    def one(self, wanted: Wanted) -> Path:
        """Try each address until one gives the right bytes."""
        errors: list[NetworkError | IntegrityError] = []
        for url in wanted.urls():
            try:
                local = file_path(url)
                return self._check_local(wanted, url, local) if local else self._download(wanted, url)
            except (NetworkError, IntegrityError) as error:
                errors.append(error)
        if not errors:
            raise ResolveError(f"no address is known for {wanted.name}", hint="check the configured indexes and mirrors")
        raise _sum_up(wanted, errors)

    def _check_local(self, wanted: Wanted, url: str, path: Path) -> Path:
        before = looks(path) if path.exists() else []
        digest, size = hashlib.sha256(), 0
        with self._client.stream(url) as body:
            for chunk in body.chunks:
                self._advance(len(chunk))
                digest.update(chunk)
                size += len(chunk)
        _verify(wanted, url, digest.hexdigest(), size)
        if looks(path) == before:
            self._files.remember_local(wanted.sha256, path)
        return path

    def _download(self, wanted: Wanted, url: str) -> Path:
        with _locked(self._files.part(wanted.sha256)) as stream:
            part = self._files.part(wanted.sha256)
            if found := self._files.find(wanted.sha256, wanted.size):
                part.unlink(missing_ok=True)
                return found
            self._fill(wanted, url, _Part(stream, self._advance))
            target = self._files.path(wanted.sha256)
            target.parent.mkdir(parents=True, exist_ok=True)
            part.chmod(0o444)
            part.replace(target)
            return target

    def _fill(self, wanted: Wanted, url: str, part: _Part) -> None:
        """Bring the part to the whole file. Bytes of an earlier run that prove wrong cost one start from nothing."""
        resumed = part.size > 0
        if part.size < wanted.size or not wanted.size:
            self._client.retry(lambda: self._attempt(wanted, url, part), lambda: part.size)
        part.flush()
        try:
            _verify(wanted, url, part.digest, part.size)
        except IntegrityError:
            part.restart()
            if not resumed:
                raise
            self._fill(wanted, url, part)

    def _attempt(self, wanted: Wanted, url: str, part: _Part) -> None:
        try:
            with self._client.stream(url, start=part.size) as body:
                if body.start != part.size:
                    part.restart()
                for chunk in body.chunks:
                    part.append(chunk)
                    if wanted.size and part.size > wanted.size:
                        break
        except NetworkError as error:
            if error.fields.get("status") == 416:  # the part is longer than their file
                part.restart()
                error.fields["retryable"] = True
            raise

    def _advance(self, amount: int) -> None:
        if self._stop.is_set():
            raise _StoppedError
        self._task.advance(amount)


class _Part:
    """A growing file and the hash of all that is in it."""

    def __init__(self, stream: BinaryIO, advance: Callable[[int], None]) -> None:
        self._stream = stream
        self._advance = advance
        self._hash = hashlib.sha256()
        self.size = 0
        while chunk := stream.read(CHUNK):
            self._count(chunk)

    @property
    def digest(self) -> str:
        """Of what is in it, hexadecimal."""
        return self._hash.hexdigest()

    def append(self, chunk: bytes) -> None:
        """Write and count."""
        self._stream.write(chunk)
        self._count(chunk)

    def restart(self) -> None:
        """Back to nothing."""
        self._advance(-self.size)
        self._stream.seek(0)
        self._stream.truncate()
        self._hash, self.size = hashlib.sha256(), 0

    def flush(self) -> None:
        """Hand all bytes to the system; this is where a full disk is noticed at the latest."""
        self._stream.flush()

    def _count(self, chunk: bytes) -> None:
        self._hash.update(chunk)
        self.size += len(chunk)
        self._advance(len(chunk))


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[BinaryIO]:
    """The file at `path`, open and ours alone until the block ends; waits for another process that has it.

    Whoever had it may have renamed it away in the meantime: then the name is opened again.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+b") as stream:  # noqa: PTH123
            fcntl.flock(stream, fcntl.LOCK_EX)
            if _is_at(path, stream):
                yield stream
                return


def _is_at(path: Path, stream: BinaryIO) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_ino == os.fstat(stream.fileno()).st_ino
    return False


def _verify(wanted: Wanted, url: str, sha256: str, size: int) -> None:
    if wanted.size and size != wanted.size:
        wrong = f"{'over ' if size > wanted.size else ''}{min(size, wanted.size)} bytes, expected {wanted.size}"
    elif sha256 != wanted.sha256:
        wrong = f"sha256 {sha256}, expected {wanted.sha256}"
    else:
        return
    raise IntegrityError(
        f"{wanted.name} from {redact(url)} is not the file that was locked: {wrong}",
        hint="a mirror or proxy serves something else under that name; ask another one, or lock again",
        url=redact(url),
    )


def _sum_up(wanted: Wanted, errors: Sequence[NetworkError | IntegrityError]) -> ShipwheelError:
    """One error for several addresses: wrong bytes matter more than no bytes."""
    worst: NetworkError | IntegrityError = next((each for each in errors if isinstance(each, IntegrityError)), errors[-1])
    if len(errors) == 1 and wanted.name in worst.message:
        return worst
    reasons = "; ".join(each.message for each in errors)
    if isinstance(worst, IntegrityError):
        return IntegrityError(f"{wanted.name} could not be fetched: {reasons}", hint=worst.hint)
    return NetworkError(f"{wanted.name} could not be fetched: {reasons}", hint=worst.hint, **worst.fields)
