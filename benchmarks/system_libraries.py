"""Wheels that need system libraries, locked, built and run without naming any of these: `make system-libraries`.

Each of system_libraries.toml is a project of its own, run by runc. Of every Debian package that the lock added for a wheel
(its dependencies apart) it is shown that something needs it: the process had a file of it open, called a program of it, a
file of the wheel could not be loaded without it, or the run fails once its files are hidden.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from measure import log
from system_probe import MARK

HERE = Path(__file__).parent
WORK = HERE.parent / ".work" / "system-libraries"
SHIPWHEEL = (sys.executable, "-c", "from shipwheel.cli.main import main; main()")

LIMIT = 900.0
"""Seconds for one command: the largest wheel is 450 MB."""

EMPTY = "/dev/null"
"""What lies over a file that is hidden: no library and no program."""

NEEDED_BY = re.compile(r"needed by (\S+) of ")
REASON = re.compile(r" (?:needed|opened|called|used) by ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A row of the list."""

    requirement: str
    run: str
    python: str = "3.11"
    says: str = ""
    because: str = ""

    @property
    def name(self) -> str:
        """What the table calls it."""
        names = self.requirement.splitlines()
        return ", ".join(names) if self.python == "3.11" else f"{', '.join(names)} (Python {self.python})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of it. `packages` are the Debian packages that were added for it, with reasons; `proof` how each was used.

    `stage` is where it ended: run, or the verb that failed. `image` and `system` are compressed bytes: of
    all, and of the system packages.
    """

    name: str
    stage: str
    error: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)
    proof: Mapping[str, str] = field(default_factory=dict)
    image: int = 0
    system: int = 0
    seconds: float = 0.0

    @property
    def imported(self) -> bool:
        """Whether it ran to its end."""
        return self.stage == "run" and not self.error

    @property
    def unused(self) -> list[str]:
        """Packages that nothing was seen to need."""
        return [name for name in self.packages if self.imported and not self.proof.get(name)]


class StageError(Exception):
    """A verb failed: `args` are the verb and what it printed."""


def main() -> None:
    """Run what was asked for, write each result as it comes, and print the table."""
    options = _options()
    listed = [Wheel(**each) for each in tomllib.loads((HERE / "system_libraries.toml").read_text("utf-8"))["wheel"]]
    wheels = [each for each in listed if not options.only or any(word in each.name for word in options.only)]
    results = []
    for wheel in wheels:
        result = _kept(wheel) if options.again else None
        if result is None:
            result = _measured(wheel)
            log(f"{result.name}: {'imported' if result.imported else f'{result.stage}: {result.error[-300:]}'}")
        results.append(result)
    print(table(results, {each.name: each for each in wheels}))
    unexpected = [each for each in results if _unexpected(each, {wheel.name: wheel for wheel in wheels}[each.name])]
    sys.exit(bool(unexpected))


def table(results: Sequence[Result], wheels: Mapping[str, Wheel]) -> str:
    """Markdown: a row for each wheel, then the sums."""
    lines = ["| wheel | Debian packages added | image | of it Debian | runs |", "|---|---|---|---|---|"]
    for each in results:
        added = ", ".join(_added(each, name) for name in each.packages) or "none"
        said = "yes" if each.imported else _failure(each, wheels[each.name])
        sizes = (f"{each.image / 1e6:.0f} MB", f"{each.system / 1e6:.1f} MB") if each.image else ("", "")
        lines.append(f"| {each.name} | {added} | {sizes[0]} | {sizes[1]} | {said} |")
    ran = sum(each.imported for each in results)
    expected = sum(not each.imported and not _unexpected(each, wheels[each.name]) for each in results)
    added, unused = sum(len(each.packages) for each in results), sum(len(each.unused) for each in results)
    lines.append("")
    lines.append(f"{ran} of {len(results)} run, {expected} fail as documented, {len(results) - ran - expected} otherwise.")
    lines.append(f"{added} packages were added, {unused} of which nothing was seen to need.")
    return "\n".join(lines)


def _added(result: Result, package: str) -> str:
    """libgl1 (libGL.so.1: opened): what it is there for, and what shows it."""
    shown = result.proof.get(package, "") if result.imported else "not run"
    return f"{package} ({_wanted(result.packages[package])[0]}: {shown or '**nothing**'})"


def _failure(result: Result, wheel: Wheel) -> str:
    if not _unexpected(result, wheel):
        return f"no: {wheel.because}"
    return f"no, at {result.stage}: {' '.join(result.error.split())[-200:]}"


def _unexpected(result: Result, wheel: Wheel) -> bool:
    if result.imported:
        return bool(result.unused)
    return not (wheel.because and re.search(wheel.says, result.error, re.IGNORECASE))


def _measured(wheel: Wheel) -> Result:
    """Lock, build, run; the result is kept as a file."""
    started = time.monotonic()
    result = Result(name=wheel.name, stage="lock")
    folder = _project(wheel)
    try:
        _ship("lock", folder)
        result = replace(result, stage="build", packages=_packages(folder))
        built = json.loads(_ship("build", folder, "--json"))
        system = sum(each["size"] for each in built["layers"] if each["created_by"].startswith("system packages"))
        result = replace(result, stage="run", image=built["sizes"]["compressed"], system=system)
        result = replace(result, **_run(folder, built["name"], result.packages))
    except StageError as problem:
        result = replace(result, error=str(problem))
    result = replace(result, seconds=time.monotonic() - started)
    (folder / "result.json").write_text(json.dumps(asdict(result), indent=1))
    return result


def _kept(wheel: Wheel) -> Result | None:
    file = _folder(wheel) / "result.json"
    return Result(**json.loads(file.read_text())) if file.exists() else None


def _run(folder: Path, image: str, packages: Mapping[str, str]) -> dict[str, object]:
    """Run it, then again with hidden files for each package that was not seen to be used."""
    said = _probe(image, {name: _wanted(reason) for name, reason in packages.items()})
    proof = {name: str(each["how"]) for name, each in said["packages"].items()}
    for name in packages:
        if not said["error"] and not proof[name]:
            proof[name] = _without(image, said["packages"][name]["files"])
    return {"error": said["error"], "proof": proof}


def _wanted(reason: str) -> tuple[str, str]:
    """libGL.so.1, and the file that needs it: what a reason names."""
    found = NEEDED_BY.search(reason)
    return reason.partition(",")[0], found[1] if found else ""


def _without(image: str, files: Iterable[str]) -> str:
    """What is said of a package whose files are hidden one run long."""
    try:
        return "fails without" if _probe(image, {}, hidden=files)["error"] else ""
    except StageError:
        return "fails without"


def _probe(image: str, wanted: Mapping[str, tuple[str, str]], hidden: Iterable[str] = ()) -> dict[str, object]:
    volumes = [word for file in hidden for word in ("-v", f"{EMPTY}:{file}:ro")]
    command = ("--engine", "runc", *volumes, image, "--", "python", "/app/system_probe.py", json.dumps(wanted))
    text = _ship("run", *command, fails=True)
    line = next((line for line in text.splitlines() if line.startswith(MARK)), None)
    if line is None:
        raise StageError(text[-2000:])
    return json.loads(line.removeprefix(MARK))


def _packages(folder: Path) -> dict[str, str]:
    """Debian packages of the lock that were added for a wheel, with reasons."""
    lock = tomllib.loads((folder / "shipwheel.lock").read_text())
    debs = [deb for platform in lock["platforms"].values() for deb in platform["debs"]]
    return {deb["name"]: deb["reason"] for deb in debs if REASON.search(deb.get("reason", ""))}


def _project(wheel: Wheel) -> Path:
    folder = _folder(wheel)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "requirements.txt").write_text(wheel.requirement + "\n")
    (folder / ".python-version").write_text(wheel.python + "\n")
    (folder / "shipwheel.toml").write_text('command = ["python", "system_probe.py", "{}"]\n')
    (folder / "expression.py").write_text(wheel.run)
    shutil.copy(HERE / "system_probe.py", folder)
    return folder


def _folder(wheel: Wheel) -> Path:
    return WORK / re.sub(r"[^a-z0-9]+", "-", wheel.name.lower()).strip("-")


def _ship(verb: str, *words: object, fails: bool = False) -> str:
    """What it printed on stdout.

    Raises:
        StageError: it failed, and `fails` does not allow it to.
    """
    home = os.environ.get("SHIPWHEEL_HOME") or str(WORK / "home")
    links = os.environ.get("UV_FIND_LINKS") or os.environ.get("PIP_FIND_LINKS", "")
    done = subprocess.run(
        [*SHIPWHEEL, verb, *map(str, words)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
        env={**os.environ, "SHIPWHEEL_HOME": home, "UV_FIND_LINKS": links},
    )
    if done.returncode and not fails:
        raise StageError(done.stderr[-3000:])
    return done.stdout + done.stderr if fails else done.stdout


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", metavar="WORD", help="wheels whose name holds this; may be repeated")
    parser.add_argument("--again", action="store_true", help="take what earlier runs have measured, and measure the rest")
    return parser.parse_args()


if __name__ == "__main__":
    main()
