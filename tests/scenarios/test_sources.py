"""What has no wheel: sdists, git, folders, workspace members and the project itself, importable in the container."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from uv import find_uv_bin

from shipwheel.lock import FILE_NAME, read_lock
from support.cargo import AMD64
from support.index import FileServer
from support.ship import Ship
from support.wheels import BACKEND, make_project, make_sdist, make_wheel

pytestmark = [pytest.mark.network, pytest.mark.slow, pytest.mark.runc]


@pytest.fixture
def online(docked: Ship, server: FileServer, runc_present: None) -> Ship:
    """Debian from the network, packages from the shelf, runc to run them."""
    return docked.having(UV_DEFAULT_INDEX=server.simple)


def kinds(project: Path) -> dict[str, str]:
    """How each package that is built comes here."""
    return {built.name: built.kind for built in read_lock(project / FILE_NAME).of(AMD64).built}


def git(folder: Path, *words: str) -> str:
    own = ("-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", *own, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def make_repository(folder: Path, name: str, version: str) -> Path:
    """A git repository that holds one package."""
    make_project(folder, name, version)
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def test_sdist_git_and_folder(online: Ship, shelf: Path, tmp_path: Path) -> None:
    sdist = {
        "pyproject.toml": '[project]\nname = "just-source"\nversion = "1.0"\n'
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": BACKEND,
        "just_source.py": 'VERSION = "1.0"\n',
    }
    make_sdist(shelf, "just_source", "1.0", sdist)
    repository = make_repository(tmp_path / "repository", "from-git", "0.3")
    project = tmp_path / "project"
    make_project(project / "libs" / "inner", "inner", "0.1")
    lines = ["just-source", f"from-git @ git+file://{repository}", "./libs/inner"]
    (project / "requirements.txt").write_text("".join(f"{line}\n" for line in lines))
    (project / "app.py").write_text(
        "import from_git, inner, just_source\nprint(just_source.VERSION, from_git.VERSION, inner.VERSION)\n"
    )
    online("lock", project)
    assert kinds(project) == {"just-source": "sdist", "from-git": "git", "inner": "path"}
    online.build(project)
    assert online("run", project, "--engine", "runc").out == "1.0 0.3 0.1\n"
    (project / "libs" / "inner" / "inner.py").write_text('VERSION = "changed"\n')
    assert online("run", project, "--engine", "runc").out == "1.0 0.3 changed\n"


def test_the_project_itself(online: Ship, shelf: Path, tmp_path: Path) -> None:
    make_wheel(shelf, "alpha", "1.0")
    project = make_project(tmp_path / "own-thing", "own-thing", "2.5", dependencies=["alpha"])
    with (project / "pyproject.toml").open("a") as stream:
        stream.write('[tool.shipwheel]\ncommand = ["python", "-c", "import own_thing, alpha; print(own_thing.VERSION)"]\n')
    online("lock", project)
    assert kinds(project) == {"own-thing": "path"}
    made = online.build(project)
    assert made["name"] == "own-thing:latest"
    assert online("run", project, "--engine", "runc").out == "2.5\n"


def test_a_member_of_a_workspace(online: Ship, shelf: Path, tmp_path: Path) -> None:
    make_wheel(shelf, "alpha", "1.0")
    project = tmp_path / "space"
    make_project(project / "packages" / "member", "member", "0.7", dependencies=["alpha"])
    (project / "pyproject.toml").write_text(
        '[project]\nname = "space"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["member"]\n'
        '[tool.uv.sources]\nmember = { workspace = true }\n[tool.uv.workspace]\nmembers = ["packages/*"]\n'
        '[tool.shipwheel]\ncommand = ["python", "-c", "import member, alpha; print(member.VERSION)"]\n'
    )
    words = ["lock", "--quiet", "--python", "3.11"]
    subprocess.run([find_uv_bin(), *words], cwd=project, env=dict(online.env), check=True)
    online("lock", project)
    assert kinds(project) == {"member": "path"}
    assert online("run", project, "--engine", "runc").out == "0.7\n"


def test_what_cannot_be_built_says_why(online: Ship, tmp_path: Path) -> None:
    project = tmp_path / "project"
    make_project(project / "libs" / "inner", "inner", "0.1")
    (project / "requirements.txt").write_text("./libs/inner\n")
    (project / "app.py").write_text("import inner\n")
    online("lock", project)
    (project / "libs" / "inner" / "backend.py").write_text("def build_wheel(*_):\n    raise SystemExit('no compiler, sorry')\n")
    said = online.fails(4, "build", project)
    assert "no compiler, sorry" in said.error
    online.check_store()
