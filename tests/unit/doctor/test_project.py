"""A project's folder and its lock."""

from __future__ import annotations

from pathlib import Path

from shipwheel.doctor.project import check_lock, one_line, read_project
from shipwheel.lock import FILE_NAME, Lock, PlatformLock, write_lock
from shipwheel.oci.blob import Platform
from shipwheel.project import Project
from shipwheel.resolve.fingerprint import fingerprint
from support.cargo import make_script
from support.machine import only, severities


def project_in(folder: Path) -> Project:
    project, found = read_project(make_script(folder))
    assert project
    assert found.severity == "ok"
    return project


def locked(project: Project, mark: str) -> Project:
    lock = Lock(fingerprint=mark, python=project.python, suite="bookworm", platforms=(PlatformLock(platform=Platform()),))
    write_lock(project.root / FILE_NAME, lock)
    return project


def test_a_project_without_a_lock_is_worth_a_note(tmp_path: Path) -> None:
    assert only(check_lock(project_in(tmp_path))).severity == "note"


def test_a_lock_that_fits_is_fine(tmp_path: Path) -> None:
    project = project_in(tmp_path)
    assert severities(check_lock(locked(project, fingerprint(project)))) == []


def test_a_stale_or_broken_lock_is_an_error(tmp_path: Path) -> None:
    project = locked(project_in(tmp_path), "00")
    assert only(check_lock(project)).severity == "error"
    (project.root / FILE_NAME).write_text("nonsense")
    assert only(check_lock(project)).severity == "error"


def test_a_folder_that_is_no_project_is_an_error_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.shipwheel]\nport = "x"\npythn = "3.11"\n')
    project, found = read_project(tmp_path)
    assert project is None
    assert (found.severity, found.check) == ("error", "project")
    assert "\n" not in found.message
    assert one_line("two things:\n  this\n  that") == "two things: this; that"
