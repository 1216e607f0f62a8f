"""What decides the versions in a lock, as one hash: another one makes the lock stale; and the lock that is not."""

from __future__ import annotations

import hashlib
import json

from shipwheel.lock import FILE_NAME, Lock, check_fresh, read_lock
from shipwheel.project import Project
from shipwheel.project.served import delivery_of
from shipwheel.runtime import NAME


def current_lock(project: Project) -> Lock:
    """The project's lock, made from what the project says now.

    Raises:
        LockError: it is missing, malformed, or was made from something else.
    """
    lock = read_lock(project.root / FILE_NAME)
    check_fresh(lock, fingerprint(project))
    return lock


def fingerprint(project: Project) -> str:
    """sha256 (hex) of requirements, Python version, the base's settings and `accelerator`; not of command, port or files.

    Of the runtime it is whether it is asked for, and what the settings make it need: the version that shipwheel carries, and
    the model, are compared by their hashes (`resolve.model.check_model`).
    """
    settings = project.settings
    value: list[object] = [
        project.requirements.fingerprint,
        project.python,
        settings.base,
        sorted(settings.system_packages),
        settings.shell,
    ]
    if settings.base_python:
        value.append(["base-python", settings.base_python])
    if settings.accelerator != "auto":
        value.append(["accelerator", settings.accelerator])
    if project.served:
        from shipwheel.resolve.model import delivery_extras

        value.append([NAME, delivery_of(settings), *delivery_extras(project)])
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
