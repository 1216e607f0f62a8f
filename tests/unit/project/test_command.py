"""What is run: found by parsing."""

from __future__ import annotations

import pytest

from shipwheel.errors import ProjectError
from shipwheel.project import Project, load_project
from shipwheel.project.command import port_of

FASTAPI = "from fastapi import FastAPI\napp = FastAPI()\n"
FLASK = "import flask\napp = flask.Flask(__name__)\n"
MAIN = 'if __name__ == "__main__":\n    print(1)\n'
UVICORN = ("--host", "0.0.0.0", "--port", "8000")


def loaded(make, files: dict[str, str], needs: str = "fastapi\nuvicorn\nflask\ngunicorn\ndjango\n") -> Project:
    return load_project(make({"requirements.txt": needs, **files}))


@pytest.mark.parametrize(
    ("path", "source", "target", "python_path"),
    [
        ("app.py", FASTAPI, "app:app", ()),
        ("service/main.py", FASTAPI, "service.main:app", ()),
        ("src/main.py", FASTAPI, "main:app", ("src",)),
        ("main.py", "import fastapi as f\napi: f.FastAPI = f.FastAPI(title='x')\n", "main:api", ()),
        ("main.py", "from starlette.applications import Starlette\napp = Starlette(routes=[])\n", "main:app", ()),
        ("main.py", "from fastapi import FastAPI as F\ntry:\n    web = F()\nexcept OSError:\n    raise\n", "main:web", ()),
        ("main.py", "from fastapi import FastAPI\ndef create() -> FastAPI: ...\napp = create()\n", "main:app", ()),
        (
            "main.py",
            "from fastapi import FastAPI\ndef make(x):\n    a = FastAPI()\n    return a\napp = make(1)\n",
            "main:app",
            (),
        ),
        ("main.py", "from fastapi import FastAPI\nsub = FastAPI()\napp = FastAPI()\napp.mount('/s', sub)\n", "main:app", ()),
    ],
)
def test_an_asgi_app(make, path: str, source: str, target: str, python_path: tuple[str, ...]) -> None:
    project = loaded(make, {path: source})
    assert project.command == ("uvicorn", target, *UVICORN)
    assert (project.port, project.python_path) == (8000, python_path)


def test_packages_below_src_and_folders_whose_files_import_each_other(make) -> None:
    project = loaded(make, {"src/pkg/__init__.py": "", "src/pkg/api.py": FASTAPI})
    assert (project.command[1], project.python_path) == ("pkg.api:app", ("src",))


def test_a_file_that_imports_its_neighbour_by_bare_name_runs_from_its_folder(make) -> None:
    project = loaded(make, {"service/main.py": "import model\n" + FASTAPI, "service/model.py": ""})
    assert (project.command[1], project.python_path) == ("main:app", ("service",))


def test_a_file_that_imports_through_its_folders_name_runs_from_the_top(make) -> None:
    project = loaded(make, {"src/main.py": "from src.model import x\n" + FASTAPI, "src/model.py": ""})
    assert (project.command[1], project.python_path) == ("src.main:app", ())


def test_an_app_that_a_factory_elsewhere_makes(make) -> None:
    factory = "from fastapi import FastAPI\ndef create_app():\n    return FastAPI()\n"
    project = loaded(
        make,
        {
            "pkg/__init__.py": "",
            "pkg/factory.py": factory,
            "run.py": "from pkg.factory import create_app\napp = create_app()\n",
        },
    )
    assert project.command[1] == "run:app"


def test_a_factory_alone(make) -> None:
    project = loaded(make, {"main.py": "from fastapi import FastAPI\ndef create_app(debug=False):\n    return FastAPI()\n"})
    assert project.command == ("uvicorn", "main:create_app", *UVICORN, "--factory")


@pytest.mark.parametrize(
    ("needs", "command"),
    [
        ("flask\ngunicorn", ("gunicorn", "app:app", "--bind", "0.0.0.0:8000")),
        ("flask\nwaitress", ("waitress-serve", *UVICORN, "app:app")),
        ("flask", ("flask", "--app", "app:app", "run", *UVICORN)),
    ],
)
def test_flask_under_the_server_that_is_there(make, needs: str, command: tuple[str, ...]) -> None:
    assert loaded(make, {"app.py": FLASK}, needs).command == command


def test_django_under_the_server_that_is_there(make) -> None:
    files = {
        "manage.py": MAIN,
        "site1/__init__.py": "",
        "site1/wsgi.py": "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n",
        "site1/asgi.py": "from django.core.asgi import get_asgi_application\napplication = get_asgi_application()\n",
    }
    assert loaded(make, files, "django\ngunicorn").command[:2] == ("gunicorn", "site1.wsgi:application")
    assert loaded(make, files, "django\nuvicorn").command[:2] == ("uvicorn", "site1.asgi:application")


def test_an_app_without_its_server_is_an_error_that_names_the_file(make) -> None:
    with pytest.raises(ProjectError, match="uvicorn is not among") as caught:
        loaded(make, {"app.py": FASTAPI}, "fastapi")
    assert "requirements.txt" in caught.value.hint
    assert loaded(make, {"app.py": FASTAPI}, "fastapi[standard]").command[0] == "uvicorn"


def test_gradio_and_streamlit(make) -> None:
    project = loaded(make, {"demo.py": "import gradio as gr\ngr.Interface(print).launch()\n", "train.py": MAIN}, "gradio")
    assert project.command == ("python", "demo.py")
    assert (project.port, project.env) == (7860, {"GRADIO_SERVER_NAME": "0.0.0.0", "GRADIO_SERVER_PORT": "7860"})
    files = {
        "demo.py": "",
        "ui.py": "import streamlit as st\nimport parts\nst.title('x')\n",
        "parts.py": "import streamlit as st\nst.write(1)\n",
    }
    project = loaded(make, files | {"pages/two.py": "import streamlit as st\nst.write(1)\n"}, "streamlit")
    assert project.command[:4] == ("streamlit", "run", "ui.py", "--server.address")
    assert project.port == 8501


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({"main.py": "print(1)"}, ("python", "main.py")),
        ({"main.py": MAIN, "train.py": MAIN, "helper.py": ""}, ("python", "main.py")),
        ({"anything.py": MAIN, "train_model.py": MAIN, "tests/test_a.py": MAIN, "setup.py": MAIN}, ("python", "anything.py")),
        ({"train.py": MAIN}, ("python", "train.py")),
        ({"pkg/__init__.py": "", "pkg/__main__.py": "print(1)"}, ("python", "-m", "pkg")),
        (
            {"app.py": FASTAPI, "main.py": MAIN, "ui.py": "import streamlit as st\nst.write(1)"},
            ("uvicorn", "app:app", *UVICORN),
        ),
        ({"app.py": FASTAPI, "tests/app.py": FASTAPI, "examples/x.py": FASTAPI}, ("uvicorn", "app:app", *UVICORN)),
        ({"examples/x.py": FASTAPI}, ("uvicorn", "examples.x:app", *UVICORN)),
        (
            {"main.py": FASTAPI + "from sub import other\n", "sub.py": "from fastapi import FastAPI\nother = FastAPI()"},
            ("uvicorn", "main:app", *UVICORN),
        ),
    ],
)
def test_what_wins(make, files: dict[str, str], command: tuple[str, ...]) -> None:
    assert loaded(make, files).command == command


def test_the_one_entry_point_of_a_package(make) -> None:
    pyproject = '[build-system]\nrequires = []\n[project]\nname = "x"\nversion = "1"\n[project.scripts]\nserve-it = "x:main"\n'
    project = load_project(make({"pyproject.toml": pyproject, "src/x/__init__.py": "def main(): ..."}))
    assert project.command == ("serve-it",)
    assert project.is_package


@pytest.mark.parametrize(
    "files",
    [
        {"a.py": FASTAPI, "b.py": FASTAPI},
        {"a.py": MAIN, "b.py": MAIN},
        {"main.py": MAIN, "serve.py": MAIN},
        {"a.py": FLASK, "b.py": FASTAPI},
        {"a.py": "import gradio as g\ng.x().launch()", "b.py": "import gradio as g\ng.x().launch()"},
    ],
)
def test_several_are_listed_with_the_setting_that_decides(make, files: dict[str, str]) -> None:
    with pytest.raises(ProjectError, match="nothing says which is meant") as caught:
        loaded(make, files)
    assert [problem.file for problem in caught.value.problems] == sorted(files)
    assert "command = " in caught.value.hint


def test_nothing_to_run_names_files_that_cannot_be_parsed(make) -> None:
    with pytest.raises(ProjectError, match="nothing to run") as caught:
        loaded(make, {"broken.py": "from fastapi import FastAPI\napp = FastAPI(\n", "helper.py": ""})
    assert [problem.file for problem in caught.value.problems] == ["broken.py"]


def test_nothing_is_imported_or_run(make) -> None:
    assert loaded(make, {"app.py": FASTAPI + "raise SystemExit('ran')\n"}).command[1] == "app:app"


def test_a_script_in_a_folder_finds_packages_at_the_top(make) -> None:
    project = loaded(make, {"bin/go.py": "import pkg.a\n" + MAIN, "pkg/__init__.py": "", "pkg/a.py": ""})
    assert (project.command, project.python_path) == (("python", "bin/go.py"), (".",))


@pytest.mark.parametrize(
    ("command", "python_path", "port"),
    [
        ("uvicorn pkg.api:app --port 9000", ("src",), 9000),
        ("python -m pkg", ("src",), None),
        ("gunicorn -b 0.0.0.0:81 other:app", ("tools",), 81),
        ("uvicorn top:app", (), None),
    ],
)
def test_an_explicit_command_gets_the_path_that_its_module_needs(
    make, command: str, python_path: tuple[str, ...], port: int
) -> None:
    files = {"src/pkg/__init__.py": "", "src/pkg/api.py": "", "tools/other.py": "", "top.py": ""}
    project = loaded(make, {**files, "shipwheel.toml": f'command = "{command}"'})
    assert project.command == tuple(command.split())
    assert (project.python_path, project.port) == (python_path, port)


def test_the_port_of_the_settings_goes_into_the_command(make) -> None:
    project = loaded(make, {"app.py": FASTAPI, "shipwheel.toml": "port = 9"})
    assert (project.command[-1], project.port) == ("9", 9)


@pytest.mark.parametrize(
    ("argv", "port"),
    [
        ("uvicorn a:b --port=80", 80),
        ("streamlit run x --server.port 8501", 8501),
        ("waitress-serve --listen *:81 a:b", 81),
        ("python x.py", None),
        ("flask run -p 5000", 5000),
    ],
)
def test_ports_in_commands(argv: str, port: int | None) -> None:
    assert port_of(argv.split()) == port
