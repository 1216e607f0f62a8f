"""What decides the versions in a lock, as one hash: another one makes the lock stale."""

from __future__ import annotations

import hashlib
import json

from shipwheel.project import Project


def fingerprint(project: Project) -> str:
    """sha256 (hex) of the requirements, the Python version and the base's own settings; not of command, port or files."""
    settings = project.settings
    value = [project.requirements.fingerprint, project.python, settings.base, sorted(settings.system_packages), settings.shell]
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
