"""Python's version."""

from __future__ import annotations

import pytest

from shipwheel.errors import ProjectError
from shipwheel.project.folder import read_folder
from shipwheel.project.python import PythonChoice, check_base_python, choose_python
from shipwheel.project.requirements import find_requirements


def chosen(root) -> PythonChoice:
    folder = read_folder(root)
    return choose_python(folder, find_requirements(folder))


def requires(specifier: str) -> dict[str, str]:
    return {"pyproject.toml": f'[project]\nname = "x"\nrequires-python = "{specifier}"\n'}


@pytest.mark.parametrize(
    ("files", "version"),
    [
        ({}, "3.11"),
        (requires(">=3.9"), "3.11"),
        (requires(">=3.12"), "3.13"),
        (requires(">=3.11.4"), "3.13"),
        (requires("==3.13.*"), "3.13"),
        (requires("~=3.11"), "3.11"),
        ({".python-version": "3.13\n"}, "3.13"),
        ({".python-version": "# pyenv\n3.11.9\n"}, "3.11"),
        ({".python-version": "cpython-3.13.1"}, "3.13"),
        ({".python-version": "my-venv"}, "3.11"),
        ({"shipwheel.toml": 'python = "3.13"'}, "3.13"),
        ({**requires(">=3.11"), "shipwheel.toml": 'python = "3.13"'}, "3.13"),
        ({"uv.lock": 'version = 1\nrequires-python = ">=3.12"\n\n[[package]]\nname = "x"'}, "3.13"),
        ({"environment.yml": "dependencies: [python=3.13]"}, "3.13"),
        ({"Pipfile.lock": '{"default": {}, "_meta": {"requires": {"python_version": "3.13"}}}'}, "3.13"),
        ({"shipwheel.toml": 'base = "python:3.12-slim"\npython = "3.12"'}, "3.12"),
    ],
)
def test_what_is_asked_for(make, files: dict[str, str], version: str) -> None:
    assert chosen(make(files)).version == version


@pytest.mark.parametrize(
    "files",
    [
        {**requires(">=3.12"), "shipwheel.toml": 'python = "3.11"'},
        {**requires("<3.12"), ".python-version": "3.13"},
        {"shipwheel.toml": 'python = "3.11"', ".python-version": "3.13"},
        {"shipwheel.toml": 'python = "3.11"', "uv.lock": 'requires-python = ">=3.13"'},
    ],
)
def test_demands_that_exclude_each_other_are_listed(make, files: dict[str, str]) -> None:
    with pytest.raises(ProjectError, match="exclude each other") as caught:
        chosen(make(files))
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    "files", [{".python-version": "3.12"}, requires("==3.10.*"), requires(">=3.14"), requires(">3.11,<3.13,>=3.12")]
)
def test_what_the_base_lacks_is_said_with_what_it_has(make, files: dict[str, str]) -> None:
    with pytest.raises(ProjectError, match=r"it has 3\.11 .* and 3\.13") as caught:
        chosen(make(files))
    assert 'python = "3.13"' in caught.value.hint


def test_a_specifier_that_cannot_be_read(make) -> None:
    with pytest.raises(ProjectError, match="not a version specifier"):
        chosen(make(requires("3.11+")))


@pytest.mark.parametrize(
    ("files", "version"),
    [
        ({"shipwheel.toml": 'base = "python:3.12-slim"'}, "3.12"),
        ({"shipwheel.toml": 'base = "python:3.12.7-slim-bookworm"'}, "3.12"),
        ({"shipwheel.toml": 'base = "public.ecr.aws/docker/library/python:3.10@sha256:' + "a" * 64 + '"'}, "3.10"),
        ({"shipwheel.toml": 'base = "python:3-slim"'}, ""),
        ({"shipwheel.toml": 'base = "ours/base:2024"'}, ""),
        ({"shipwheel.toml": 'base = "ours/base:2024"\nbase-python = "/opt/conda/bin/python3.11"'}, "3.11"),
        ({"shipwheel.toml": 'base = "python:3.12"\nbase-python = "/usr/bin/python3.11"'}, "3.11"),
        ({**requires(">=3.11"), "shipwheel.toml": 'base = "python:3.12-slim"'}, "3.12"),
    ],
)
def test_a_base_from_a_registry_decides(make, files: dict[str, str], version: str) -> None:
    assert chosen(make(files)).version == version


def test_the_tag_of_the_base_and_the_setting_must_agree(make) -> None:
    with pytest.raises(ProjectError, match="exclude each other") as caught:
        chosen(make({"shipwheel.toml": 'base = "python:3.12-slim"\npython = "3.11"'}))
    assert [problem.path for problem in caught.value.problems] == ["python in shipwheel.toml", "base in shipwheel.toml"]


@pytest.mark.parametrize(("version", "fits"), [("3.12.7", True), ("3.12", True), ("3.12.2", False), ("3.11.9", False)])
def test_what_a_base_turns_out_to_have_is_held_to_the_demands(make, version: str, fits: bool) -> None:
    demands = chosen(make({**requires(">=3.12.3"), "shipwheel.toml": 'base = "ours/base:1"'})).demands
    if fits:
        check_base_python(demands, version, "ours/base:1")
    else:
        with pytest.raises(ProjectError, match=f"has Python {version}, the project asks for another"):
            check_base_python(demands, version, "ours/base:1")
