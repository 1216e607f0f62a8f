"""What stages leave in the image that is shipped, and stages that nobody needs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from shipwheel.lint.development import for_development
from shipwheel.lint.dockerfile.stages import Dockerfile, Stage, Step
from shipwheel.lint.finding import Hit
from shipwheel.lint.installs import Install, Requested
from shipwheel.lint.python_packages import Added, packages_of
from shipwheel.lint.rule import Rule
from shipwheel.lint.serving import start_of
from shipwheel.lint.shell import Command
from shipwheel.lint.source import Span
from shipwheel.lint.subjects import Script
from shipwheel.lint.tables import table
from shipwheel.lint.wording import listed

BASE_DEVEL_FINAL = Rule(
    key="base-devel-final",
    severity="warning",
    title="A -devel image as the last stage",
    why="A -devel image brings nvcc, headers and static libraries: several GB that every pull moves and nothing runs.",
    remedy="Compile in a stage on the -devel image, and copy the result into one on -runtime or -base of the same version.",
    source="https://hub.docker.com/r/nvidia/cuda",
)

BUILD_TOOLS_FINAL = Rule(
    key="build-tools-final",
    severity="warning",
    title="Compilers and headers in the image that is shipped",
    why="They add hundreds of MB to every pull, and give an intruder what he needs to build his tools.",
    remedy="Install them in a builder stage, and copy the virtual environment or the wheels into the last one.",
    source="https://docs.docker.com/build/building/multi-stage/",
)

DEV_TOOLS_FINAL = Rule(
    key="dev-tools-final",
    severity="info",
    title="Editors, test runners or notebooks in the image that is shipped",
    why="What no request needs makes the image larger, and each package is one more to patch.",
    remedy="Keep them in requirements or a stage of their own for development.",
    source="https://docs.docker.com/build/building/best-practices/#dont-install-unnecessary-packages",
)

STAGE_DEAD = Rule(
    key="stage-dead",
    severity="info",
    title="A stage that nothing uses",
    why="BuildKit does not build it, so that what it is meant to do, a test or a download, does not happen.",
    remedy="Remove it, or copy from it; where `--target` builds it, say so in a comment: # shipwheel: ignore=stage-dead",
    source="https://docs.docker.com/build/building/multi-stage/#differences-between-legacy-builder-and-buildkit",
    fix="none",
)

_FOR_DEVELOPERS = re.compile(
    r"(?:^|[-_./])(?:dev|devel|develop|development|devcontainer|debug|tests?|testing|ci|lint|docs?|build|builder|build[-_]?env|sdk"
    r"|toolchain|compiler?|manylinux|cibuildwheel)(?:$|[-_./\d])",
    re.IGNORECASE,
)
_DEVELOPERS_FOLDERS = frozenset((".devcontainer", ".github", ".gitlab", ".circleci", "ci", "dev", "test", "tests"))
"""Names of stages and files for those who write the code, not for those who run it."""

_DEVEL = re.compile(r"(?:^|-)devel(?:$|-)")
_NOTEBOOK = re.compile(r"jupyter|notebook", re.IGNORECASE)
_INTERPRETER = re.compile(r"(?:ba|da|z)?sh(?: -l| --login)?|i?python[\d.]*|node|irb|R|julia|psql")
_INSTALLERS = frozenset(("pip", "setuptools", "wheel", "conda", "mamba", "virtualenv", "uv", "poetry"))
_LATE_CALLS = re.compile(r"\btorch\.compile\(|\bcpp_extension\.load|\bload_inline\(|\bpyximport\b")
_FILES = 200
"""Python files that are searched for a call of a compiler."""
_VARIABLE = re.compile(r"\$(?:\{[^}]*\}|\w+)")
_TAKES_AWAY = frozenset(("remove", "purge", "autoremove", "auto-remove", "del", "erase"))
_SYSTEM = ("apt", "apk", "dnf")
_TABLE = "tools.toml"


@cache
def _names(part: str, key: str) -> frozenset[str]:
    return frozenset(table(_TABLE)[part][key])


@cache
def _patterns() -> re.Pattern[str]:
    return re.compile("|".join(table(_TABLE)["build"]["patterns"]))


def _for_running(dockerfile: Dockerfile) -> Iterator[Stage]:
    """The shipped stages of an application: not those for developers, and no base image that others extend."""
    *folders, name = dockerfile.source.name.split("/")
    if _FOR_DEVELOPERS.search(name) or any(folder in _DEVELOPERS_FOLDERS for folder in folders):
        return
    for stage in dockerfile.shipped:
        if not _FOR_DEVELOPERS.search(stage.name) and _is_application(stage) and not _notebook(dockerfile, stage):
            yield stage


def _notebook(dockerfile: Dockerfile, stage: Stage) -> bool:
    """Whether people work in it: it starts Jupyter, or its base does and nothing else is said."""
    start = start_of(dockerfile, stage)
    if start is None:
        return stage.facts.serves and bool(_NOTEBOOK.search(str(stage.root_image)))
    return bool(_NOTEBOOK.search(" ".join(word.text for word in start.words)))


def _is_application(stage: Stage) -> bool:
    """Whether it holds files of the context or Python packages, or starts something."""
    return any(_brings(step) for step in stage.all_steps)


def _brings(step: Step) -> bool:
    if step.keyword in ("CMD", "ENTRYPOINT"):
        return bool(step.commands) and not all(_INTERPRETER.fullmatch(_line(command)) for command in step.commands)
    others = [install for install in step.installs if install.manager not in _SYSTEM]
    names = [one.name for install in others for one in install.packages] + [
        one.text for install in others for one in install.files
    ]
    return bool(step.sources and not step.copies_from) or not _INSTALLERS.issuperset(names)


def _line(command: Command) -> str:
    return " ".join(word.text for word in command.words).rpartition("/")[2]


@BASE_DEVEL_FINAL.check(Dockerfile)
def _devel(dockerfile: Dockerfile) -> Iterator[Hit]:
    for stage in _for_running(dockerfile):
        if _is_devel(stage) and _names("late", "nvcc").isdisjoint(packages_of(stage).by_name):
            root = stage.lineage[0]
            smaller = str(root.image).replace("-devel", "-runtime", 1)
            remedy = (
                f"Compile in a stage on it, and copy the result into one on {smaller}." if "-devel" in str(root.image) else ""
            )
            yield Hit(span=stage.base.span, message=f"the image is shipped with all of {root.image}", remedy=remedy)


def _is_devel(stage: Stage) -> bool:
    return stage.facts.flavour == "devel" or bool(stage.root_image and _DEVEL.search(stage.root_image.tag))


@BUILD_TOOLS_FINAL.check(Dockerfile)
def _build_tools(dockerfile: Dockerfile) -> Iterator[Hit]:
    told: set[Span] = set()
    for stage in _for_running(dockerfile):
        found = [(step, packages) for step in stage.all_steps for packages in _tools(step)]
        if not found or _compiles_late(dockerfile, stage):
            continue
        for step, packages in found:
            if packages[0].span not in told:
                told.add(packages[0].span)
                where = f", through stage {step.stage.name}," if step.stage is not stage and step.stage.name else ""
                message = f"{listed(package.name for package in packages)}{where} {_stays(packages)} in the image"
                yield Hit(span=packages[0].span, message=message)


def _stays(packages: list[Requested]) -> str:
    return "stays" if len({package.name for package in packages}) == 1 else "stay"


def _tools(step: Step) -> Iterator[list[Requested]]:
    """What each command of a step installs of compilers and headers, and what is not taken away again in the same step."""
    gone = _removed(step) if step.installs else frozenset[str]()
    for install in step.installs:
        if install.action in ("install", "create", "group", "groupinstall") and "*" not in gone:
            found = [one for one in install.packages if _is_tool(install, one) and one.name not in gone]
            if found and not _virtual(install, gone):
                yield found


def _is_tool(install: Install, package: Requested) -> bool:
    name = package.name.lower()
    if install.manager == "conda":
        return name in _names("build", "conda")
    return install.manager in _SYSTEM and (name in _names("build", "names") or bool(_patterns().fullmatch(name)))


def _virtual(install: Install, gone: frozenset[str]) -> bool:
    """Whether apk put them under a name (`--virtual .build`) that is deleted afterwards."""
    name = install.option("--virtual", "-t")
    return name is not None and name in gone


def _removed(step: Step) -> frozenset[str]:
    """Packages that a step takes away; "*" where it marks all as automatic, or names them by a variable."""
    gone: set[str] = set()
    for command in step.commands:
        words = [word.text for word in command.arguments]
        if "auto" in words and "apt-mark" in (command.program, *words):
            gone.add("*")
        if command.program in ("apt-get", "apt", "aptitude", "apk", "dnf", "yum", "microdnf") and _TAKES_AWAY.intersection(
            words[:4]
        ):
            gone |= {"*" if "$" in word or "*" in word else word for word in words if not word.startswith("-")}
        if command.program in ("dnf", "yum") and "groupremove" in words:
            gone.add("*")
    return frozenset(gone - _TAKES_AWAY)


def _compiles_late(dockerfile: Dockerfile, stage: Stage) -> bool:
    """Whether something in it is known to call a compiler while it runs."""
    if not _names("late", "compilers").isdisjoint(packages_of(stage).by_name):
        return True
    context = dockerfile.context
    paths = [path for path in context.files() if path.endswith(".py")] if not context.alone else []
    sources = (context.read(path) for path in paths[:_FILES])
    return any(source is not None and _LATE_CALLS.search(source.text) for source in sources)


@DEV_TOOLS_FINAL.check(Dockerfile)
def _dev_tools(dockerfile: Dockerfile) -> Iterator[Hit]:
    told: set[Span] = set()
    for stage in _for_running(dockerfile):
        start = start_of(dockerfile, stage)
        serves = start is not None and start.server is not None
        unwanted = _names("develop", "python") | (_names("develop", "notebooks") if serves else frozenset())
        if start is not None and start.program in unwanted:
            continue
        for span, names in [*_dev_programs(stage), *_dev_packages(stage, unwanted)]:
            if span not in told:
                told.add(span)
                syncs = dockerfile.source.text[slice(*span)].startswith("uv sync")
                remedy = "Write uv sync --no-dev, or set UV_NO_DEV=1." if syncs else ""
                yield Hit(span=span, message=f"{listed(names)}: not needed to run the application", remedy=remedy)


def _dev_programs(stage: Stage) -> Iterator[tuple[Span, list[str]]]:
    for step in stage.all_steps:
        gone = _removed(step) if step.installs else frozenset[str]()
        for install in step.installs:
            if install.manager in _SYSTEM and install.action == "install" and "*" not in gone:
                found = [one for one in install.packages if one.name in _names("develop", "programs") and one.name not in gone]
                if found:
                    yield found[0].span, [one.name for one in found]


def _dev_packages(stage: Stage, unwanted: frozenset[str]) -> Iterator[tuple[Span, list[str]]]:
    """Python packages by the command or the file that asks for them."""
    by_place: dict[Span, list[str]] = {}
    for name, added in packages_of(stage).by_name.items():
        if name in unwanted and (not added.file.endswith(".lock") or for_development(added)):
            by_place.setdefault(_place(added), []).append(name)
    for span, names in by_place.items():
        yield span, sorted(names)


def _place(added: Added) -> Span:
    """Where the Dockerfile asks for a package: its command, or the file that names it."""
    installs = [install for install in added.step.installs if install.manager not in _SYSTEM]
    if added.file:
        words = [word for install in installs for word in install.files]
        named = next((word for word in words if word.text.rpartition("/")[2] == added.file.rpartition("/")[2]), None)
        return named.span if named else installs[0].command.span if installs else added.step.span
    asked = next((install for install in installs if added.requested in install.packages), None)
    return asked.command.span if asked else added.requested.span


@STAGE_DEAD.check(Dockerfile)
def _dead(dockerfile: Dockerfile) -> Iterator[Hit]:
    for stage in dockerfile.stages:
        if dockerfile.used(stage) or stage in dockerfile.shipped or _FOR_DEVELOPERS.search(stage.name) or _exports(stage):
            continue
        if not _chosen_late(dockerfile, stage) and not _target(dockerfile, stage):
            yield Hit(span=stage.span, message=f"no stage uses {stage.name or 'this one'}, so that BuildKit leaves it out")


def _exports(stage: Stage) -> bool:
    """Whether it is made for `--output`: on scratch, files alone."""
    return stage.base.text == "scratch"


def _chosen_late(dockerfile: Dockerfile, stage: Stage) -> bool:
    """Whether a FROM or --from with a variable may name it in another build: `FROM base-$TARGETARCH`."""
    named = [word.text for other in dockerfile.stages for word in other.instruction.words[:1]]
    named += [flag.value for step in dockerfile.steps("COPY", "ADD", "RUN") for flag in step.flags]
    for text in named:
        parts = _VARIABLE.split(text.rpartition("from=")[2].partition(",")[0])
        if len(parts) > 1 and stage.name and re.fullmatch(".*".join(map(re.escape, parts)), stage.name, re.IGNORECASE):
            return True
    return False


def _target(dockerfile: Dockerfile, stage: Stage) -> bool:
    """Whether a script or a bake file of the project builds it with `--target`."""
    workspace = dockerfile.context.workspace
    texts = [word.text for script in workspace.all(Script) for command in script.commands for word in command.words]
    bake = dockerfile.context.read("docker-bake.hcl")
    return stage.name in texts or f"--target={stage.name}" in texts or bool(bake and f'"{stage.name}"' in bake.text)
