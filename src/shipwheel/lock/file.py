"""shipwheel.lock on the disk, and whether it is of the project as it is now."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from shipwheel.errors import LockError, StaleLockError
from shipwheel.lock.dump import dump_lock
from shipwheel.lock.parse import RELOCK, parse_lock
from shipwheel.lock.values import FILE_NAME, Lock


def read_lock(path: Path) -> Lock:
    """Read and check a lock file.

    Raises:
        LockError: missing, unreadable or malformed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise LockError(f"there is no {path.name} in {path.parent}", hint=RELOCK) from None
    except (OSError, UnicodeDecodeError) as error:
        raise LockError(f"{path} cannot be read: {error}", hint=RELOCK) from None
    return parse_lock(text, str(path))


def write_lock(path: Path, lock: Lock) -> None:
    """Write a lock file so that readers see the old one or the new one, whatever happens in between.

    Raises:
        LockError: the folder cannot be written, or the disk is full.
    """
    try:
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="\n", dir=path.parent, delete=False) as stream:
            try:
                stream.write(dump_lock(lock))
                stream.flush()
                os.fsync(stream.fileno())
                Path(stream.name).chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
                Path(stream.name).replace(path)
            except BaseException:
                Path(stream.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise LockError(f"{path} cannot be written: {error.strerror or error}", hint="check space and permissions") from None


def check_fresh(lock: Lock, fingerprint: str) -> None:
    """That the lock was made from what the project says now.

    Raises:
        StaleLockError: it was made from something else.
    """
    if lock.fingerprint != fingerprint:
        raise StaleLockError(
            f"{FILE_NAME} does not fit the project any more: its requirements or settings changed", hint=RELOCK
        )
