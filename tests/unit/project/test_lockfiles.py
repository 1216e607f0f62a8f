"""poetry.lock and Pipfile.lock as requirement lines."""

from __future__ import annotations

import json

import pytest
from packaging.requirements import Requirement

from shipwheel.errors import ProjectError
from shipwheel.project.folder import read_folder
from shipwheel.project.requirements import find_requirements, poetry_specifier

POETRY = """[build-system]
build-backend = "poetry.core.masonry.api"
[tool.poetry]
name = "x"
[tool.poetry.dependencies]
python = "^3.11"
alpha = "^1.0"
gamma = { version = "*", optional = true }
[tool.poetry.group.serve.dependencies]
web = { version = "*", extras = ["fast"] }
[tool.poetry.group.dev.dependencies]
pytest = "*"
[tool.poetry.extras]
more = ["gamma"]
"""

LOCK_2 = """
[[package]]
name = "alpha"
version = "1.2"
groups = ["main"]
files = [{file = "a.whl", hash = "sha256:bb"}, {file = "a.tar.gz", hash = "sha256:aa"}]
[[package]]
name = "beta"
version = "2"
groups = ["main", "dev"]
markers = {main = "sys_platform == 'linux'", dev = "python_version < '3.12'"}
files = []
[[package]]
name = "gamma"
version = "3"
groups = ["main"]
optional = true
markers = 'extra == "more"'
files = []
[[package]]
name = "pytest"
version = "8"
groups = ["dev"]
files = []
[[package]]
name = "vcs"
version = "1"
groups = ["main"]
files = []
[package.source]
type = "git"
url = "https://h/vcs.git"
reference = "main"
resolved_reference = "abc"
subdirectory = "py"
[[package]]
name = "here"
version = "1"
groups = ["main"]
files = []
[package.source]
type = "directory"
url = "libs/here"
[[package]]
name = "private"
version = "1"
groups = ["main"]
files = []
[package.source]
type = "legacy"
url = "https://index.example.org/simple"
reference = "own"
[metadata]
lock-version = "2.1"
python-versions = "^3.11"
"""

LOCK_1 = """
[[package]]
name = "alpha"
version = "1.2"
files = [{file = "a.whl", hash = "sha256:aa"}]
[package.dependencies]
beta = {version = ">=1", markers = "sys_platform == 'win32' or os_name == 'nt'"}
[[package]]
name = "beta"
version = "2"
files = []
[package.dependencies]
delta = "*"
[[package]]
name = "delta"
version = "1"
files = []
[[package]]
name = "gamma"
version = "3"
optional = true
files = []
[[package]]
name = "web"
version = "1"
files = []
[package.dependencies]
loop = {version = "*", optional = true, markers = "sys_platform != 'win32' and extra == 'fast'"}
slow = {version = "*", optional = true, markers = "extra == 'slow'"}
[[package]]
name = "loop"
version = "1"
files = []
[[package]]
name = "slow"
version = "1"
files = []
[[package]]
name = "pytest"
version = "8"
files = []
[metadata]
lock-version = "2.0"
python-versions = "^3.11"
"""


def pinned(root) -> tuple[str, ...]:
    lines = find_requirements(read_folder(root)).pinned
    for line in lines:
        if not line.startswith("-") and " @ ./" not in line:
            Requirement(line.partition(" --hash")[0])
    return lines


def test_a_lock_of_poetry_2_says_which_group_needs_what(make) -> None:
    assert pinned(make({"pyproject.toml": POETRY, "poetry.lock": LOCK_2})) == (
        "--extra-index-url https://index.example.org/simple",
        "alpha==1.2 --hash=sha256:aa --hash=sha256:bb",
        "beta==2 ; (sys_platform == 'linux')",
        "here @ ./libs/here",
        "private==1",
        "vcs @ git+https://h/vcs.git@abc#subdirectory=py",
    )


def test_extras_and_groups_of_poetry_are_taken_when_asked_for(make) -> None:
    settings = '[tool.shipwheel]\nextras = ["more"]\ngroups = ["dev"]\n'
    lines = pinned(make({"pyproject.toml": POETRY + settings, "poetry.lock": LOCK_2}))
    assert {"gamma==3", "pytest==8"} <= set(lines)
    assert "beta==2 ; (python_version < '3.12') or (sys_platform == 'linux')" in lines


def test_a_lock_of_poetry_1_is_walked_from_the_projects_own_dependencies(make) -> None:
    windows = "((sys_platform == 'win32' or os_name == 'nt'))"
    assert pinned(make({"pyproject.toml": POETRY, "poetry.lock": LOCK_1})) == (
        "alpha==1.2 --hash=sha256:aa",
        f"beta==2 ; {windows}",
        f"delta==1 ; {windows}",
    )
    settings = '[tool.shipwheel]\nextras = ["more"]\ngroups = ["serve"]\n'
    lines = pinned(make({"pyproject.toml": POETRY + settings, "poetry.lock": LOCK_1}))
    assert {"gamma==3", "web==1"} <= set(lines)
    assert any(line.startswith("loop==1 ; ") and "!= 'win32'" in line for line in lines)
    assert not any(line.startswith(("slow", "pytest")) for line in lines)


def test_several_versions_in_an_old_lock_need_a_new_one(make) -> None:
    lock = LOCK_1.replace('name = "slow"', 'name = "delta"')
    with pytest.raises(ProjectError, match="several versions of delta"):
        find_requirements(read_folder(make({"pyproject.toml": POETRY, "poetry.lock": lock})))


@pytest.mark.parametrize(
    ("text", "specifier"),
    [
        ("^3.11", ">=3.11,<4"),
        ("~3.11", ">=3.11,<3.12"),
        (">=3.10, <3.13", ">=3.10,<3.13"),
        ("3.11", "==3.11.*"),
        ("3.11.*", "==3.11.*"),
        ("*", ""),
        ("^3.8 || ^2.7", ""),
    ],
)
def test_versions_of_poetry(text: str, specifier: str) -> None:
    assert poetry_specifier(text) == specifier


def test_pipfile_lock(make) -> None:
    lock = {
        "_meta": {
            "requires": {"python_version": "3.11"},
            "sources": [{"url": "https://pypi.org/simple"}, {"url": "https://x/simple"}],
        },
        "default": {
            "numpy": {"version": "==2.0", "hashes": ["sha256:bb", "sha256:aa"], "markers": "python_version >= '3.9'"},
            "uvicorn": {"version": "==0.3", "extras": ["standard"]},
            "vcs": {"git": "https://h/v.git", "ref": "abc"},
            "here": {"path": ".", "editable": True},
        },
        "develop": {"pytest": {"version": "==8"}},
    }
    requirements = find_requirements(read_folder(make({"Pipfile.lock": json.dumps(lock)})))
    assert requirements.pinned == (
        "--extra-index-url https://x/simple",
        "-e .",
        "numpy==2.0 ; python_version >= '3.9' --hash=sha256:aa --hash=sha256:bb",
        "uvicorn[standard]==0.3",
        "vcs @ git+https://h/v.git@abc",
    )
    assert requirements.python == ("==3.11.*",)
    assert requirements.asks_for("uvicorn")


def test_a_broken_pipfile_lock_is_named_with_its_line(make) -> None:
    with pytest.raises(ProjectError, match=r"Pipfile.lock:2"):
        find_requirements(read_folder(make({"Pipfile.lock": "{\n!"})))
