"""`shipwheel init --from-dockerfile` as it is typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipwheel.cli.main import run
from shipwheel.project.load import load_project
from support.linting import write

DOCKERFILE = """\
FROM python:3.11-slim-bookworm
WORKDIR /app
RUN apt-get update && apt-get install -y libsndfile1 && rm -rf /var/lib/apt/lists/*
COPY requirements.txt .
RUN pip install -r requirements.txt
COPY . .
RUN python download.py
EXPOSE 8000
CMD ["uvicorn", "main:app", "--port", "8000"]
"""
FILES = {"requirements.txt": "uvicorn==0.30.0\n", "main.py": "app = None\n", "download.py": ""}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_settings_load_and_say_their_lines(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, {**FILES, "Dockerfile": DOCKERFILE})
    assert run(["init", "--from-dockerfile"]) == 0
    said = capsys.readouterr().err
    assert "line 7: RUN python download.py  (nothing runs in the image" in said
    assert "before the first build" not in said
    project = load_project(folder)
    assert project.command == ("uvicorn", "main:app", "--port", "8000")
    assert project.port == 8000
    assert project.settings.base == "python:3.11-slim-bookworm"
    assert project.settings.system_packages == ("libsndfile1",)
    assert "# port: line 8, EXPOSE\nport = 8000\n" in (folder / "shipwheel.toml").read_text()


def test_pyproject_gets_a_section_and_keeps_the_rest(folder: Path) -> None:
    before = '[project]\nname = "a"\nversion = "1"\ndependencies = []\n'
    write(folder, {**FILES, "pyproject.toml": before, "docker/api.Dockerfile": DOCKERFILE})
    assert run(["init", ".", "--from-dockerfile", "docker/api.Dockerfile"]) == 0
    text = (folder / "pyproject.toml").read_text()
    assert text.startswith(f"{before}\n# How Shipwheel")
    assert '[tool.shipwheel]\n# base: line 1, FROM\nbase = "python:3.11-slim-bookworm"' in text


def test_settings_that_are_there_are_never_changed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, {**FILES, "Dockerfile": DOCKERFILE, "shipwheel.toml": "port = 1\n"})
    assert run(["init", "--from-dockerfile"]) == 2
    assert "exists" in capsys.readouterr().err
    assert (folder / "shipwheel.toml").read_text() == "port = 1\n"


def test_no_dockerfile_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", "--from-dockerfile"]) == 2
    assert "there is no Dockerfile" in capsys.readouterr().err


def test_what_is_missing_for_a_build_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, {"Dockerfile": "FROM scratch\n"})
    assert run(["init", "--from-dockerfile"]) == 0
    assert "before the first build" in capsys.readouterr().err


def test_without_a_dockerfile_init_is_as_it_was(folder: Path) -> None:
    write(folder, FILES)
    assert run(["init"]) == 0
    assert "# requirements: " in (folder / "shipwheel.toml").read_text()
