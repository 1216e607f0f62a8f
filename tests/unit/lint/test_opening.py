"""Which files are read, what each is, and which folder is a Dockerfile's context."""

from pathlib import Path

import pytest

from shipwheel.errors import UsageError
from shipwheel.lint.context.folder import BuildContext
from shipwheel.lint.dockerfile.stages import Dockerfile
from shipwheel.lint.opening import kind_of, open_workspace
from support.linting import write


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Dockerfile", "dockerfile"),
        ("dockerfile", "dockerfile"),
        ("Dockerfile.gpu", "dockerfile"),
        ("gpu.Dockerfile", "dockerfile"),
        ("Containerfile", "dockerfile"),
        ("Dockerfile.dockerignore", "ignore"),
        ("Dockerfile.j2", ""),
        ("dockerfile.py", "python"),
        ("requirements-dev.txt", "requirements"),
        ("requirements/base.txt", "requirements"),
        ("docker-compose.prod.yml", "compose"),
        (".github/workflows/ci.yml", "workflow"),
        ("deploy.yaml", "yaml"),
        ("README.md", "document"),
        ("Makefile", "makefile"),
        ("run.sh", "shell"),
        ("data.csv", ""),
    ],
)
def test_a_file_is_known_by_its_name(name: str, kind: str) -> None:
    assert kind_of(Path(name)) == kind


def context(folder: Path, files: dict[str, str], *paths: str) -> BuildContext:
    write(folder, files)
    workspace = open_workspace([folder / path for path in paths or (".",)], root=folder)
    (dockerfile,) = workspace.all(Dockerfile)
    return dockerfile.context


def test_a_context_is_the_dockerfiles_own_folder(tmp_path: Path) -> None:
    found = context(tmp_path, {"Dockerfile": "FROM a\nCOPY . .\n", "app.py": "", "lib/b.py": "", ".git/HEAD": ""})
    assert found.root == tmp_path
    assert not found.alone
    assert found.files() == ("Dockerfile", "app.py", "lib/b.py")


def test_a_context_is_a_folder_above_where_that_holds_what_is_copied(tmp_path: Path) -> None:
    files = {"docker/gpu/Dockerfile": "FROM a\nCOPY src /src\nCOPY pyproject.toml .\n", "src/x.py": "", "pyproject.toml": ""}
    assert context(tmp_path, files).root == tmp_path


def test_a_compose_file_says_what_the_context_is(tmp_path: Path) -> None:
    compose = "services:\n  a:\n    build: {context: ., dockerfile: docker/Dockerfile, target: Serve}\n"
    found = context(tmp_path, {"docker/Dockerfile": "FROM a\n", "docker/x": "", "compose.yaml": compose})
    assert (found.root, found.targets) == (tmp_path, frozenset({"serve"}))


def test_the_ignore_file_beside_the_dockerfile_comes_first(tmp_path: Path) -> None:
    files = {"Dockerfile": "FROM a\n", "Dockerfile.dockerignore": "a\n!a/keep\n", ".dockerignore": "b\n"}
    found = context(tmp_path, files | {"a/x": "", "a/keep": "", "b/y": ""})
    assert found.left_out("a/x")
    assert not found.left_out("b/y")
    assert "a/keep" in found.files()
    assert "a/x" not in found.files()


def test_a_dockerfile_alone_says_nothing_about_what_is_missing(tmp_path: Path) -> None:
    assert context(tmp_path, {"Dockerfile": "FROM a\n", "Dockerfile.gpu.dockerignore": ""}).alone


def test_no_path_leads_out_of_a_context(tmp_path: Path) -> None:
    write(tmp_path, {"secret": "x"})
    found = context(tmp_path / "inside", {"Dockerfile": "FROM a\n", "a": ""})
    assert found.exists("/a")
    assert found.exists("./a")
    assert not found.exists("../secret")
    assert found.read("../secret") is None
    assert found.read("a\0b") is None


def test_paths_that_are_not_there_are_told_together(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"x and no .*y"):
        open_workspace([tmp_path / "x", tmp_path / "y"])
