"""What makes a lock stale."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from shipwheel.project import load_project
from shipwheel.project.settings import Settings
from shipwheel.resolve.fingerprint import fingerprint


def test_the_accelerator_counts_and_its_default_does_not(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("torch\n")
    (tmp_path / "shipwheel.toml").write_text('command = "python -m app"\npython = "3.11"\n')
    project = load_project(tmp_path)
    assert project.settings.accelerator == Settings().accelerator == "auto"
    settings = [replace(project.settings, accelerator=each) for each in ("auto", "cpu", "cuda", "rocm")]
    found = [fingerprint(replace(project, settings=each)) for each in settings]
    assert found[0] == fingerprint(project)
    assert len(set(found)) == len(found)
