"""What `shipwheel serve` is asked to serve, and what the runtime is told."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from shipwheel.cli.context import Context
from shipwheel.cli.serve import variables
from shipwheel.cli.subjects import Subject, find_subject
from shipwheel.errors import UsageError
from support.cargo import make_script
from support.ship import Ship

CLASS = 'class Model:\n    def load(self):\n        """Nothing."""\n\n    def predict(self, rows):\n        return rows\n'


@pytest.fixture
def find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Subject]:
    """`serve TARGET` typed in an empty folder."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return lambda target: find_subject(Context(home=tmp_path / "home", env={"PATH": os.environ["PATH"]}, quiet=True), target)


@pytest.fixture
def ship(tmp_path: Path) -> Ship:
    return Ship.at(tmp_path)


def test_a_project_that_serves_a_model_is_served_from_its_folder(find: Callable[[str], Subject], tmp_path: Path) -> None:
    folder = tmp_path / "wine"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"")
    (folder / "shipwheel.toml").write_text('[env]\nREGION = "eu"\n[serve]\nmax-batch-size = 8\n')
    subject = find(str(folder))
    assert (subject.root, subject.model) == (folder, "model.onnx")
    assert subject.env["REGION"] == "eu"
    assert subject.python_path == (folder,)


def test_a_model_file_of_a_project_gets_what_the_project_has(find: Callable[[str], Subject], tmp_path: Path) -> None:
    (tmp_path / "wine" / "model").mkdir(parents=True)
    path = tmp_path / "wine" / "model" / "wine.onnx"
    path.write_bytes(b"")
    (tmp_path / "wine" / "requirements.txt").write_text("onnxruntime\n")
    subject = find(str(path))
    assert (subject.root, subject.model) == (tmp_path / "wine", "model/wine.onnx")


def test_a_bare_file_is_served_from_its_folder(find: Callable[[str], Subject], tmp_path: Path) -> None:
    path = tmp_path / "third.pkl"
    path.write_bytes(pickle.dumps(Fraction(1, 3)))
    subject = find(str(path))
    assert (subject.root, subject.model) == (tmp_path, "third.pkl")
    assert subject.python_path == ()


def test_a_class_is_one_of_the_current_folder(find: Callable[[str], Subject], tmp_path: Path) -> None:
    subject = find("churn.model:Model")
    assert (subject.root, subject.model) == (tmp_path / "here", "churn.model:Model")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("nowhere", "'nowhere' does not exist"),
        ("not a class:X", "'not a class:X' does not exist"),
        ("notes.txt", "'notes.txt' is no model that is known"),
        ("script", "'script' runs python app.py, not the runtime"),
    ],
)
def test_what_cannot_be_served_is_an_error(find: Callable[[str], Subject], target: str, message: str) -> None:
    Path("notes.txt").write_text("hello")
    make_script(Path("script"))
    with pytest.raises(UsageError) as caught:
        find(target)
    assert caught.value.message.startswith(message)
    assert caught.value.hint


def subject(**settings: object) -> Subject:
    return Subject(root=Path("/p"), model="m", install=Path, settings=settings, env={"A": "1", "B": "2"})


def test_the_callers_environment_comes_before_the_projects() -> None:
    told = variables({"B": "3", "SHIPWHEEL_WORKERS": "4"}, subject(workers=2, packages={"pandas": "strict"}), text=True)
    assert (told["A"], told["B"]) == ("1", "3")
    assert told["SHIPWHEEL_WORKERS"] == "4"
    assert told["SHIPWHEEL_PACKAGES"] == '{"pandas": "strict"}'
    assert told["SHIPWHEEL_HOST"] == "127.0.0.1"
    assert told["SHIPWHEEL_LOG_FORMAT"] == "text"


def test_a_port_of_the_platform_comes_before_the_projects() -> None:
    assert variables({}, subject(port=9000), text=False)["SHIPWHEEL_PORT"] == "9000"
    told = variables({"PORT": "7000"}, subject(port=9000), text=False)
    assert told["PORT"] == "7000"
    assert "SHIPWHEEL_PORT" not in told


def test_packages_of_the_caller_are_not_seen() -> None:
    told = variables({"PYTHONPATH": "/mine", "VIRTUAL_ENV": "/mine", "PATH": "/bin"}, subject(), text=False)
    assert not {"PYTHONPATH", "VIRTUAL_ENV"} & set(told)


def test_the_wheel_of_the_runtime_is_written_for_training(ship: Ship, tmp_path: Path) -> None:
    path = Path(ship("serve", "--wheel", tmp_path / "wheels").out.strip())
    assert path.parent == tmp_path / "wheels"
    assert "shipwheel_serve/bundle.py" in zipfile.ZipFile(path).namelist()


def test_an_interpreter_without_the_runtime_is_refused(ship: Ship, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    (tmp_path / "own.py").write_text(CLASS)
    said = ship.fails(2, "serve", "own:Model", "--python", tmp_path / "bare" / "bin" / "python", cwd=tmp_path)
    assert "does not have shipwheel-serve" in said.error
    assert "shipwheel serve --wheel" in said.hint
    assert "cannot be run" in ship.fails(2, "serve", "own:Model", "--python", "/nowhere", cwd=tmp_path).error
