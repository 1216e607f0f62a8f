"""A project as a whole, and `init`."""

from __future__ import annotations

import time

import pytest

from shipwheel.cli.main import run
from shipwheel.errors import ProjectError, UsageError
from shipwheel.oci.reference import Reference
from shipwheel.project import load_project
from shipwheel.project.init import write_settings


def test_every_decision_is_said_with_its_reason(make) -> None:
    project = load_project(make({}, bare=False))
    assert [(item.what, item.value) for item in project.decisions] == [
        ("name", "demo"),
        ("python", "3.11"),
        ("requirements", "requirements.txt"),
        ("command", "uvicorn app:app --host 0.0.0.0 --port 8000"),
        ("port", "8000"),
    ]
    assert all(item.why for item in project.decisions)


@pytest.mark.parametrize("name", ["My_Project", "a..b", "--x--", "ÄÖ1", "9"])
def test_any_project_name_becomes_one_that_a_registry_takes(make, name: str) -> None:
    project = load_project(make({"pyproject.toml": f'[project]\nname = "{name}"\n'}, bare=False))
    assert Reference.parse(project.name).repository == project.name


def test_a_folder_without_an_app_is_a_project_where_no_command_is_needed(make) -> None:
    folder = make({"requirements.txt": "fastapi\n"})
    with pytest.raises(ProjectError, match="nothing to run"):
        load_project(folder)
    project = load_project(folder, needs_command=False)
    assert (project.command, project.served, project.requirements.kind) == ((), None, "requirements")
    assert "command" not in [item.what for item in project.decisions]
    folder = make({}, bare=False)
    assert load_project(folder, needs_command=False) == load_project(folder)


def test_the_settings_environment_comes_over_the_commands(make) -> None:
    source = "import gradio as gr\ngr.Interface(print).launch()\n"
    settings = 'env = { GRADIO_SERVER_NAME = "::", A = "1" }'
    project = load_project(make({"app.py": source, "shipwheel.toml": settings, "requirements.txt": "gradio"}))
    assert project.env == {"GRADIO_SERVER_NAME": "::", "GRADIO_SERVER_PORT": "7860", "A": "1"}


def test_a_model_that_is_not_there(make) -> None:
    with pytest.raises(ProjectError, match=r"'m\.onnx' does not exist"):
        load_project(make({"shipwheel.toml": 'model = "m.onnx"'}, bare=False))


def test_a_model_that_the_code_loads_goes_in_although_git_ignores_it(make) -> None:
    files = {
        ".gitignore": "*.joblib\nout/\n",
        "out/m.joblib": "x",
        "old.joblib": "x",
        "checkpoints/b.pt": "x",
        "checkpoints/c.pt": "x",
    }
    source = "from fastapi import FastAPI\nimport joblib\napp = FastAPI()\nM = joblib.load('out/m.joblib')\nP = 'b.pt'\n"
    project = load_project(make({**files, "app.py": source}, bare=False))
    paths = {file.path for file in project.files}
    assert {"out/m.joblib", "checkpoints/b.pt"} <= paths
    assert not {"old.joblib", "checkpoints/c.pt"} & paths


def test_a_model_that_the_user_excludes_stays_out(make) -> None:
    source = "from fastapi import FastAPI\napp = FastAPI()\nP = 'm.joblib'\n"
    project = load_project(make({"m.joblib": "x", "app.py": source, "shipwheel.toml": 'exclude = ["*.joblib"]'}, bare=False))
    assert "m.joblib" not in {file.path for file in project.files}


def test_a_folder_that_is_not_there(tmp_path) -> None:
    with pytest.raises(ProjectError, match="is not a folder"):
        load_project(tmp_path / "absent")


def test_a_small_project_loads_at_once(make) -> None:
    root = make({}, bare=False)
    load_project(root)
    start = time.process_time()
    load_project(root)
    assert time.process_time() - start < 0.06


def test_init_adds_to_pyproject_and_changes_nothing_else(make) -> None:
    before = '# mine\r\n[project]\r\nname = "x"  # keep\r\nversion = "1"'
    root = make({"pyproject.toml": before}, bare=False)
    project, path = write_settings(root)
    after = path.read_bytes().decode()
    assert after.startswith(before + "\r\n\r\n# ")
    assert "\n" not in after.replace("\r\n", "")
    again = load_project(root)
    assert (again.name, again.command, again.port, again.python_path) == (
        project.name,
        project.command,
        project.port,
        project.python_path,
    )
    assert again.settings.command == project.command


def test_init_makes_a_file_of_its_own_without_pyproject(make) -> None:
    source = "import gradio as gr\ngr.Interface(print).launch()\n"
    root = make({"app.py": source, "requirements.txt": "gradio"})
    project, path = write_settings(root)
    assert path.name == "shipwheel.toml"
    assert load_project(root).env == project.env
    assert all(f"# {item.what}: " in path.read_text() for item in project.decisions)


def test_init_never_overwrites(make) -> None:
    root = make({"pyproject.toml": "[tool.shipwheel]\n"}, bare=False)
    with pytest.raises(UsageError, match="already"):
        write_settings(root)
    (root / "pyproject.toml").unlink()
    write_settings(root)
    with pytest.raises(UsageError, match="exists"):
        write_settings(root)


def test_init_leaves_nothing_behind_when_the_project_is_unclear(make) -> None:
    root = make({"a.py": "from fastapi import FastAPI\napp = FastAPI()", "requirements.txt": "fastapi"})
    with pytest.raises(ProjectError):
        write_settings(root)
    assert not (root / "shipwheel.toml").exists()


def test_the_verb_talks_on_stderr_and_refuses_with_status_2(make, capsys: pytest.CaptureFixture[str]) -> None:
    root = make({"notes.ipynb": ""}, bare=False)
    assert run(["init", str(root)]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "uvicorn app:app" in err
    assert "notes.ipynb" in err
    assert run(["init", str(root)]) == 2
