from collections.abc import Mapping
from pathlib import Path

import pytest

from shipwheel.lint.dockerfile.stages import Dockerfile
from shipwheel.lint.linting import lint
from shipwheel.lint.packages.python import Packages, packages_of
from support.linting import write

SLIM = "FROM python:3.11-slim\nWORKDIR /app\n"


def last(folder: Path, dockerfile: str, files: Mapping[str, str] | None = None) -> Packages:
    write(folder, {"Dockerfile": dockerfile, **(files or {})})
    (found,) = lint([folder], root=folder).workspace.all(Dockerfile)
    assert found.final
    return packages_of(found.final)


def versions(packages: Packages) -> dict[str, str]:
    return {name: added.requested.specifier for name, added in packages.by_name.items()}


def test_command_lines_files_and_what_they_include(tmp_path: Path) -> None:
    text = f"{SLIM}COPY reqs /app/reqs\nRUN pip install -r reqs/all.txt torch==2.1 --index-url https://x\n"
    found = last(tmp_path, text, {"reqs/all.txt": "--pre\nnumpy\n-r base.txt\n", "reqs/base.txt": "Flask==3\n-r all.txt\n"})
    assert versions(found) == {"torch": "==2.1", "numpy": "", "flask": "==3"}
    assert found.complete
    assert found.by_name["torch"].options == ("--index-url=https://x",)
    assert found.by_name["numpy"].options == ("--index-url=https://x", "--pre")
    assert found.by_name["flask"].file == "reqs/base.txt"


def test_a_virtual_environment_of_another_stage(tmp_path: Path) -> None:
    text = (
        "FROM python:3.11 AS b\nRUN python -m venv /v && /v/bin/pip install torch\nFROM python:3.11-slim\nCOPY --from=b /v /v\n"
    )
    assert set(last(tmp_path, text).by_name) == {"torch"}
    assert set(last(tmp_path, text.replace("/v /v", "/data /data")).by_name) == set()


@pytest.mark.parametrize(
    ("step", "files"),
    [
        ("COPY uv.lock pyproject.toml ./\nRUN uv sync", {"uv.lock": '[[package]]\nname = "torch"\nversion = "2.1"\n'}),
        ("COPY . .\nRUN poetry install", {"poetry.lock": '[[package]]\nname = "torch"\nversion = "2.1"\n'}),
        ("COPY . .\nRUN pipenv install --system", {"Pipfile.lock": '{"default": {"torch": {"version": "==2.1"}}}'}),
        (
            "COPY . .\nRUN pip install '.[gpu]'",
            {"pyproject.toml": '[project]\ndependencies=[]\n[project.optional-dependencies]\ngpu=["torch==2.1"]\n'},
        ),
        ("COPY . .\nRUN uv pip install -r pyproject.toml", {"pyproject.toml": '[project]\ndependencies=["torch==2.1"]\n'}),
        ("RUN --mount=type=bind,source=r.txt,target=/tmp/r.txt pip install -r /tmp/r.txt", {"r.txt": "torch==2.1\n"}),
        (
            "COPY . .\nRUN conda env update -f environment.yml",
            {"environment.yml": "name: x\ndependencies:\n  - pip:\n      - torch==2.1  # gpu\n"},
        ),
    ],
)
def test_projects_and_locks(tmp_path: Path, step: str, files: dict[str, str]) -> None:
    found = last(tmp_path, f"{SLIM}{step}\n", {"pyproject.toml": "", **files})
    assert versions(found) == {"torch": "==2.1"}
    assert found.complete


def test_names_of_conda_and_debian_are_those_of_the_index(tmp_path: Path) -> None:
    text = f"{SLIM}RUN apt-get install -y python3-requests curl && conda install pytorch=2.1\n"
    assert set(last(tmp_path, text).by_name) == {"requests", "torch"}


@pytest.mark.parametrize(
    "step", ["RUN pip install -r gone.txt", "RUN pip install .", "RUN uv sync", "RUN python setup.py install"]
)
def test_what_cannot_be_read_makes_the_list_incomplete(tmp_path: Path, step: str) -> None:
    assert not last(tmp_path, f"{SLIM}{step}\n").complete
    assert not last(tmp_path, "FROM example.org/ours:1.0\n").complete
    assert last(tmp_path, SLIM).complete


@pytest.mark.parametrize(
    ("first", "second", "left"),
    [
        ("torch==2.4.1+cu121 --index-url https://x", "torch", "first"),
        ("torch==2.4.1", "'torch>=2.0,<3'", "first"),
        ("torch==2.4.1", "torch==2.4.1", "first"),
        ("torch", "torch==2.4.1", "second"),
        ("torch==2.4.1", "'torch>=2.5'", "second"),
        ("torch==2.4.1", "--upgrade torch", "second"),
        ("'fastapi==0.115.0'", "'fastapi[standard]'", "second"),
        ("torch==odd", "'torch>=2'", "second"),
    ],
)
def test_what_is_there_and_does_is_not_installed_again(tmp_path: Path, first: str, second: str, left: str) -> None:
    found = last(tmp_path, f"{SLIM}RUN pip install {first}\nRUN pip install {second}\n")
    (added,) = found.by_name.values()
    assert added.step.span[0] == (tmp_path / "Dockerfile").read_text().index("RUN", 0 if left == "first" else 40 + len(first))
