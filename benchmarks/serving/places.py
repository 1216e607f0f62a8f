"""Virtual environments, one a contender: the same Python, and the same versions of what they share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from measure import CommandError, log, run

from serving.load import UnfitError

ROOT = Path(__file__).resolve().parents[2]
UV = ROOT / ".venv" / "bin" / "uv"
PYTHON = ROOT / ".venv" / "bin" / "python"

SHARED = ("scikit-learn==1.7.2", "numpy==2.3.5")
"""The same for all whose own limits allow it."""

NAMES = ("shipwheel-serve", "fastapi", "litserve", "mlserver", "bentoml", "kserve", "nvidia-pytriton")
SAID = (*NAMES, "uvicorn", "scikit-learn", "numpy", "torch")


def torch_requirement() -> str:
    """torch for CPU where PIP_FIND_LINKS has a wheel of it; else the index's newest."""
    folder = Path(os.environ.get("PIP_FIND_LINKS", "/nonexistent"))
    wheels = sorted(folder.glob("torch-*.whl")) if folder.is_dir() else []
    return f"torch=={wheels[-1].name.split('-')[1]}" if wheels else "torch"


def environment(work: Path, name: str, requirements: Sequence[str], *, fresh: bool = False) -> Path:
    """The folder of a virtual environment, made where it is not there as asked for; `fresh`: our runtime is installed again.

    Raises:
        UnfitError: it cannot be installed.
    """
    folder, wanted = work / "envs" / name, [torch_requirement() if each == "torch" else each for each in requirements]
    marker = folder / "requirements"
    if fresh or not marker.is_file() or marker.read_text().split("\n") != wanted:
        log(f"{name}: installing {', '.join(wanted)}")
        shutil.rmtree(folder, ignore_errors=True)
        run([UV, "venv", "--quiet", "--python", PYTHON, folder])
        _install(folder, wanted)
        marker.write_text("\n".join(wanted))
    return folder


def _install(folder: Path, wanted: Sequence[str]) -> None:
    """With the versions that all share; without them where its own limits do not let them in."""
    pins = folder / "pins"
    pins.write_text("\n".join(SHARED))
    links = os.environ.get("PIP_FIND_LINKS")
    env = {**os.environ, **({"UV_FIND_LINKS": links} if links else {})}
    command: list[str | Path] = [
        UV,
        "pip",
        "install",
        "--quiet",
        "--refresh-package",
        "shipwheel-serve",
        "--python",
        folder / "bin" / "python",
    ]
    try:
        run([*command, "--constraint", pins, *wanted], env=env)
    except CommandError:
        try:
            run([*command, *wanted], env=env)
        except CommandError as error:
            raise UnfitError(f"cannot be installed: {str(error).strip().splitlines()[-1][:300]}") from None


def versions(folder: Path) -> dict[str, str]:
    """What matters of the distributions in an environment."""
    listed = run([UV, "pip", "list", "--quiet", "--format", "freeze", "--python", folder / "bin" / "python"])
    pairs = (line.partition("==") for line in listed.splitlines())
    return {name: version for name, _, version in pairs if name in SAID}
