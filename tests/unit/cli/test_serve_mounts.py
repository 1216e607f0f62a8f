"""`run` brings a model that its service wants mounted."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipwheel.cli.run import mounted_model
from shipwheel.project import RunSettings, load_project


def project_at(folder: Path, settings: str, *models: str) -> Path:
    (folder / "model").mkdir()
    (folder / "requirements.txt").write_text("onnxruntime\n")
    (folder / "shipwheel.toml").write_text(settings)
    for name in models:
        (folder / "model" / name).write_bytes(b"")
    return folder


@pytest.mark.parametrize(
    ("delivery", "models", "volumes", "expected"),
    [
        ('delivery = "mount"', ("a.onnx",), (), ["{}/model:/mnt/models:ro"]),
        ('delivery = "mount"\nmount = "/m"', ("a.onnx",), (), ["{}/model:/m:ro"]),
        ('delivery = "mount"', ("a.onnx",), ("models:/mnt/models",), []),
        ('delivery = "mount"', (), (), []),
        ("", ("a.onnx",), (), []),
    ],
)
def test_the_projects_own_model_is_mounted_read_only_unless_another_volume_is(
    tmp_path: Path, delivery: str, models: tuple[str, ...], volumes: tuple[str, ...], expected: list[str]
) -> None:
    project = load_project(project_at(tmp_path, f"[serve]\n{delivery}\n", *models))
    assert list(mounted_model(project, RunSettings(volumes=volumes))) == [each.format(tmp_path) for each in expected]
