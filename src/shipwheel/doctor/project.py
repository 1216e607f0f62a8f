"""A project's folder: whether it can be read, and whether its lock fits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from shipwheel.doctor.finding import Finding, error, note, ok
from shipwheel.errors import ShipwheelError
from shipwheel.lock import FILE_NAME
from shipwheel.project import Project, load_project
from shipwheel.resolve.fingerprint import current_lock


def read_project(folder: Path) -> tuple[Project | None, Finding]:
    """The project, where it can be read, and that it can or not."""
    try:
        project = load_project(folder)
    except ShipwheelError as fault:
        return None, error("project", one_line(fault.message), fault.hint or "correct that in the project")
    return project, ok("project", f"{project.name} in {project.root}")


def check_lock(project: Project) -> Iterator[Finding]:
    """That it is there and was made from what the project says now."""
    if not (project.root / FILE_NAME).exists():
        yield note("lock", f"there is no {FILE_NAME} yet: 'shipwheel build' makes it", "shipwheel lock")
        return
    try:
        lock = current_lock(project)
    except ShipwheelError as fault:
        yield error("lock", one_line(fault.message), fault.hint or "shipwheel lock")
    else:
        yield ok("lock", f"for {', '.join(str(each.platform) for each in lock.platforms)}")


def one_line(message: str) -> str:
    """The lines of an error as one."""
    return "; ".join(line.strip() for line in message.splitlines() if line.strip()).replace(":;", ":")
