"""Libraries and programs of the system that Python packages need and do not bring."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatch

from shipwheel.lint.dockerfile.stages import Dockerfile, Stage
from shipwheel.lint.finding import Hit
from shipwheel.lint.packages.python import Added, packages_of
from shipwheel.lint.packages.torch_wheels import applies, install_of_added, place
from shipwheel.lint.rule import Rule
from shipwheel.lint.tables import table
from shipwheel.native.known import known

TABLE = "libraries.toml"

_FULL_PYTHON_HAS = frozenset(
    {"libgthread-2.0.so.0", "libgomp.so.1", "libmagic.so.1", "libpango-1.0.so.0", "libpangoft2-1.0.so.0"}
)
"""What python:3.12 has without -slim, from buildpack-deps: https://github.com/docker-library/buildpack-deps."""

_WRITTEN_BY_HAND = 30
"""A requirements file with more packages is taken for a frozen list: what it names may be there for another's sake."""

MISSING_SYSTEM_LIB = Rule(
    key="missing-system-lib",
    severity="warning",
    title="A package without the system library or program that it needs",
    why="It installs, and fails when it is imported or first used: its wheel does not bring what it loads or calls.",
    remedy="Install the Debian package that has it, with apt-get install --no-install-recommends",
    source="https://packages.debian.org",
    dated=TABLE,
)


@MISSING_SYSTEM_LIB.check(Dockerfile)
def _missing(dockerfile: Dockerfile) -> Iterator[Hit]:
    for stage in dockerfile.shipped:
        if not _bare(stage) or not _readable(stage):
            continue
        installed = _installed(stage)
        for added, needs in _needs(stage):
            lacking = [each for each in needs if not _there(stage, each, installed)]
            if lacking and place(added):
                yield _hit(stage, added, lacking)


def _bare(stage: Stage) -> bool:
    """Whether it is known what the base has: slim Debian or Ubuntu, NVIDIA's CUDA, or python without -slim."""
    facts, image = stage.facts, stage.root_image
    if facts.distribution not in ("debian", "ubuntu") or image is None or facts.framework:
        return False
    return facts.slim or image.repository in ("python", "nvidia/cuda", "nvcr.io/nvidia/cuda")


def _readable(stage: Stage) -> bool:
    """Whether all that apt installs is known, and nothing else (conda, scripts, files of other stages) may bring libraries."""
    for step in stage.all_steps:
        if step.keyword == "COPY" and step.copies_from and any(_holds_libraries(word.text) for word in step.sources):
            return False
        if step.keyword != "RUN":
            continue
        for install in step.installs:
            if install.manager in ("conda", "apk", "dnf"):
                return False
            if install.manager == "apt" and (install.files or not all(one.known for one in install.packages)):
                return False
        text = step.instruction.body.text
        if any(
            part in text
            for part in ("dpkg -i", ".deb", "xargs", "install-deps", "playwright install", ".sh", "apt.txt", "packages.txt")
        ):
            return False
    return True


def _holds_libraries(path: str) -> bool:
    """Whether libraries of the system may lie below a path of another stage; among packages of Python there are none."""
    return path in ("/", "/usr") or ("lib" in path and not path.rstrip("/").endswith(("site-packages", "dist-packages")))


def _installed(stage: Stage) -> list[str]:
    return [
        one.name.partition(":")[0]
        for step in stage.all_steps
        if step.keyword == "RUN"
        for install in step.installs
        if install.manager == "apt" and install.action == "install"
        for one in install.packages
    ]


def _there(stage: Stage, name: str, installed: list[str]) -> bool:
    """Whether the base or what apt installs has a library or program."""
    full = not stage.facts.slim and stage.root_image is not None and stage.root_image.repository == "python"
    if name in stage.facts.programs or (full and name in _FULL_PYTHON_HAS):
        return True
    patterns = table(TABLE)["also"][name]
    return any(fnmatch(package, pattern) for package in installed for pattern in patterns) or _copied(stage, name)


def _copied(stage: Stage, program: str) -> bool:
    """Whether a program is copied, or unpacked, by its name: COPY --from=... /ffmpeg /usr/local/bin/."""
    return any(program in step.instruction.body.text for step in stage.all_steps if step.keyword in ("COPY", "ADD")) or any(
        f"/{program}" in step.instruction.body.text or f"{program}-" in step.instruction.body.text
        for step in stage.all_steps
        if step.keyword == "RUN"
    )


def _needs(stage: Stage) -> Iterator[tuple[Added, list[str]]]:
    """What each package needs, once for each library or program."""
    packages, told = packages_of(stage).by_name, set[str]()
    for added in packages.values():
        name = added.requested.name
        owner = name if _alone(added) else table(TABLE)["brings"].get(name, name)
        if not applies(added.requested.marker) or not _from_pypi(added) or _headless(owner, packages):
            continue
        needs = [each for each in (*table(TABLE)["needs"].get(owner, ()), *_known_needs(added, packages)) if each not in told]
        told.update(needs)
        if needs:
            yield added, needs


def _from_pypi(added: Added) -> bool:
    """conda and apt bring the libraries as packages."""
    install = install_of_added(added)
    return bool(install and install.manager not in ("conda", "apt"))


def _alone(added: Added) -> bool:
    """Whether what the package requires is not installed with it."""
    install = install_of_added(added)
    return bool(install and install.option("--no-deps") is not None)


def _headless(owner: str, packages: dict[str, Added]) -> bool:
    """opencv-python-headless needs none of these, and takes the place of the other where it is installed last."""
    return owner.startswith("opencv-") and any(name.startswith("opencv-") and name.endswith("-headless") for name in packages)


def _known_needs(added: Added, packages: dict[str, Added]) -> list[str]:
    """Of data/native.toml, those whose Debian package is known."""
    name = added.requested.name
    if name not in table(TABLE)["known"] or added.file.endswith(".lock"):
        return []
    direct = sum(other.file == added.file for other in packages.values()) <= _WRITTEN_BY_HAND or not added.file
    entries = [each for each in known().get(name, ()) if each.counts(added.requested.version or "0", direct, packages)]
    return [need for each in entries for need in (*each.programs, *each.libraries) if need in table(TABLE)["packages"]]


def _hit(stage: Stage, added: Added, lacking: list[str]) -> Hit:
    package = added.requested.name + (f" of {added.file}" if added.file else "")
    wanted = list(dict.fromkeys(table(TABLE)["packages"][each] for each in lacking))
    return Hit(
        span=place(added),
        message=f"{package} needs {' and '.join(lacking)}, which {stage.root_image} does not have",
        remedy=f"Add apt-get install -y --no-install-recommends {' '.join(wanted)}"
        + (", or take opencv-python-headless" if "libGL.so.1" in lacking else ""),
    )
