"""What README.md and docs/ say: links resolve, the reference is current, blocks that are marked run."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from shipwheel.cli.main import VERBS
from shipwheel.runtime import runtime_wheel
from support.engines import registry

__all__ = ["registry"]

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("examples/*/README.md"), ROOT / "serve" / "README.md"]
)
MARK = re.compile(r"<!-- run(?:: ([a-z ]+))? -->\n```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
"""A block to run, and the pytest markers that it needs."""

REGISTRY = "localhost:5000"
"""The registry of the pages; a fresh one takes its place."""

LINK = re.compile(r"\]\(([^)\s]+)\)")
MACHINE = re.compile(r"(?:^|[\s`'\"(=])(?:/work/|/tmp/(?!shipwheel-models)|(?<!target=)/root/|/opt/(?!venv|conda|bitnami))")
"""Paths of the machine on which a page was written; /tmp with the runtime's cache, and these folders of /opt, are in images."""


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block of a page that is marked to run."""

    page: str
    number: int
    markers: tuple[str, ...]
    language: str
    text: str

    @property
    def script(self) -> str:
        """The commands of a console block, which stand behind `$ `; any other block as it is."""
        if self.language != "console":
            return self.text
        return "\n".join(line[2:] for line in self.text.splitlines() if line.startswith("$ "))


def blocks() -> Iterator[Block]:
    for path in PAGES:
        for number, found in enumerate(MARK.finditer(path.read_text())):
            markers = tuple((found[1] or "").split())
            yield Block(page=name_of(path), number=number, markers=markers, language=found[2], text=found[3])


def marked(block: Block) -> object:
    marks = [getattr(pytest.mark, name) for name in block.markers]
    return pytest.param(block, id=f"{block.page}-{block.number}", marks=[*marks, *([pytest.mark.slow] if marks else [])])


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The examples as a fresh checkout has them; with the model, where it was trained."""
    ignored = shutil.ignore_patterns(".venv", "__pycache__", "shipwheel.lock", "embeddings")
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=ignored)
    return tmp_path


def train(project: Path) -> None:
    """As `make demo` does, unless that was run here."""
    if not (project / "model" / "bundle.json").exists():
        uv: list[str | Path] = [Path(sys.executable).with_name("uv"), "run", "--no-project", "--python", sys.executable]
        wheel = runtime_wheel().write(project.parent)
        subprocess.run([*uv, "--with-requirements", "requirements.txt", "--with", wheel, "train.py"], cwd=project, check=True)


@pytest.mark.parametrize("block", [marked(block) for block in blocks()])
def test_marked_blocks_run(block: Block, folder: Path, request: pytest.FixtureRequest) -> None:
    if "runc" in block.markers and not shutil.which("runc"):
        pytest.skip("runc is absent")
    if "network" in block.markers:
        train(folder / "examples" / "tabular")
    script = re.sub(
        r"(?<!\d:)\b8080\b", free_port(), block.script
    )  # of this machine, not in -p 8080:8080 that of the container
    if REGISTRY in script:
        script = script.replace(REGISTRY, request.getfixturevalue("registry"))
    program = [sys.executable, "-c"] if block.language == "python" else ["bash", "-euo", "pipefail", "-c"]
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "SHIPWHEEL_HOME": str(folder / "home")}
    where = folder if block.language == "python" else folder / "examples" / "tabular"
    done = subprocess.run([*program, script], cwd=where, env=env, capture_output=True, text=True, check=False, timeout=600)
    if "runc" in block.markers:
        subprocess.run(["shipwheel", "rm", "-f", "--engine", "runc", "wine"], env=env, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_relative_links_resolve(path: Path) -> None:
    links = [link for link in LINK.findall(path.read_text()) if not re.match(r"[a-z]+:", link)]
    missing = [link for link in links if link.partition("#")[0] and not (path.parent / link.partition("#")[0]).exists()]
    assert not missing


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_anchors_of_links_exist(path: Path) -> None:
    for link in LINK.findall(path.read_text()):
        page, _, anchor = link.partition("#")
        if anchor and not re.match(r"[a-z]+:", link):
            text = (path.parent / page).read_text() if page else path.read_text()
            titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}, link


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_no_page_mentions_the_machine_it_was_written_on(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert [line for line in lines if MACHINE.search(line)] == []


def test_the_reference_is_current() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_verb_is_in_the_reference() -> None:
    text = (ROOT / "docs" / "reference" / "cli.md").read_text()
    assert [verb for verb in VERBS if f"## shipwheel {verb}\n" not in text] == []


def test_every_command_in_a_page_exists() -> None:
    """`shipwheel VERB` at the start of a command line or in code names a verb that there is."""
    used = {
        (name_of(path), verb)
        for path in PAGES
        for verb in re.findall(r"(?:^\s*(?:\$ )?|`)shipwheel (?:-q )?([a-z]+)\b", path.read_text(), re.MULTILINE)
    }
    assert {(page, verb) for page, verb in used if verb not in VERBS} == set()


def test_every_page_is_in_the_index() -> None:
    text = (ROOT / "docs" / "README.md").read_text()
    pages = [path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")]
    assert [page for page in pages if page != "README.md" and f"({page})" not in text] == []


def test_every_metric_and_path_of_the_service_is_in_the_reference() -> None:
    text = (ROOT / "docs" / "reference" / "endpoints.md").read_text()
    service = ROOT / "serve" / "src" / "shipwheel_serve"
    names = re.findall(r'"((?:model|http_server|gpu)_[a-z_]+)"', (service / "metrics.py").read_text())
    paths = re.findall(r'"(/[a-z0-9/]+)"', (service / "app.py").read_text())
    assert [name for name in (*names, *paths) if f"`{name}" not in text and f"{name}`" not in text] == []


def test_every_variable_of_ours_is_documented() -> None:
    text = (ROOT / "docs" / "reference" / "environment.md").read_text()
    sources = (path.read_text() for path in (ROOT / "src").rglob("*.py"))
    used = {name for source in sources for name in re.findall(r"\bSHIPWHEEL_[A-Z_]+\b", source)}
    assert {name for name in used if f"`{name}`" not in text} == set()
