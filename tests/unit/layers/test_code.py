"""The project's files: the model lies below the code, and each layer changes only with its own files."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from shipwheel.layers.bytecode import Compiler, Interpreter
from shipwheel.layers.code import project_recipes
from shipwheel.layers.recipe import Recipe
from shipwheel.oci.blob import Platform
from shipwheel.oci.tree import Entry
from shipwheel.plan import Plan
from shipwheel.project import load_project

FILES = {
    "requirements.txt": "",
    "main.py": "print()\n",
    "lib/helper.py": "x = 1\n",
    "weights.onnx": "w",
    "model/vocabulary.txt": "v",
    "model/build.py": "y = 2\n",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        write(tmp_path / name, text)
    (tmp_path / "shipwheel.toml").write_text('command = ["python", "main.py"]\npython = "3.11"\n')
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def recipes(root: Path, identity: str = "python3.11 3.11.2-6") -> dict[str, Recipe]:
    plan = Plan(project=load_project(root), platform=Platform())
    made = project_recipes(plan, identity, lambda path: hashlib.sha256(path.read_bytes()).hexdigest())
    return {recipe.created_by: recipe for recipe in made}


def entries(recipe: Recipe, compiler: Compiler | None = None) -> dict[str, Entry]:
    return {entry.path: entry for entry in recipe.entries({}, compiler)}


def test_the_model_lies_below_the_code(project: Path) -> None:
    found = recipes(project)
    assert list(found) == ["model", "code"]
    assert {"app/weights.onnx", "app/model/vocabulary.txt"} <= entries(found["model"]).keys()
    assert {"app/main.py", "app/lib/helper.py", "app/model/build.py"} <= entries(found["code"]).keys()
    assert not entries(found["model"]).keys() & {
        path for path, each in entries(found["code"]).items() if each.kind.value == "file"
    }


def test_a_line_of_code_changes_only_the_code(project: Path) -> None:
    before = recipes(project)
    write(project / "main.py", "print(1)\n")
    after = recipes(project)
    assert after["model"].key == before["model"].key
    assert after["code"].key != before["code"].key


def test_a_trained_model_changes_only_the_model(project: Path) -> None:
    before = recipes(project)
    write(project / "weights.onnx", "other")
    after = recipes(project)
    assert after["model"].key != before["model"].key
    assert after["code"].key == before["code"].key


def test_the_time_of_a_file_does_not_show_but_its_mode_does(project: Path) -> None:
    before = recipes(project)["code"].key
    (project / "main.py").touch()
    assert recipes(project)["code"].key == before
    (project / "main.py").chmod(0o755)
    assert recipes(project)["code"].key != before


def test_another_interpreter_changes_the_code_and_not_the_model(project: Path) -> None:
    before, after = recipes(project), recipes(project, "python3.11 3.11.2-7")
    assert (after["model"].key == before["model"].key, after["code"].key == before["code"].key) == (True, False)


def test_code_gets_bytecode_and_models_do_not(project: Path) -> None:
    here = Interpreter(argv=(sys.executable,), python="3.11", identity="here")
    found = recipes(project)
    with Compiler(lambda: here, 1) as compiler:
        assert "app/lib/__pycache__/helper.cpython-311.pyc" in entries(found["code"], compiler)
        assert not any(path.endswith(".pyc") for path in entries(found["model"], compiler))


def test_without_a_model_there_is_one_layer(project: Path) -> None:
    (project / "weights.onnx").unlink()
    (project / "model" / "vocabulary.txt").unlink()
    assert list(recipes(project)) == ["code"]
