"""Two Pythons in one image, and packages for the wrong one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shipwheel.lint.dockerfile.stages import Dockerfile, Stage, Step
from shipwheel.lint.finding import Hit
from shipwheel.lint.packages.installs import Install, Requested
from shipwheel.lint.packages.system_python import added_pythons, distribution_python, has_own_python
from shipwheel.lint.rule import Rule
from shipwheel.lint.shell.command import Command
from shipwheel.lint.wording import listed

PYTHON_MISMATCH = Rule(
    key="python-mismatch",
    severity="error",
    title="Packages for another Python than the one that runs",
    why="Each Python has packages of its own: what is installed for one is missing in the other, and system tools break.",
    remedy="Use one Python: a python:* base, or a virtual environment (python3.11 -m venv /opt/venv) that is first in PATH",
    source="https://packaging.python.org/en/latest/guides/installing-using-linux-tools/",
)

_SECOND = re.compile(
    r"python3?(?:-(?:pip|dev|venv|full|minimal|setuptools|wheel|distutils|numpy|scipy|pandas|opencv|sklearn|matplotlib|yaml))?"
)
_SECOND_VERSIONED = re.compile(r"python3\.\d+(?:-(?:dev|venv|distutils|full|minimal))?")
_LINKED = re.compile(r"/usr/bin/python3")
_TARGET = re.compile(r"(?:/usr/bin/)?python(3\.\d+)")
_SITE = re.compile(r"python(3\.\d+)/(?:site|dist)-packages")
_VENV = re.compile(r"(?:^|/)\.?v?env/?$")
_IN_USR_LOCAL = re.compile(r"(?:.*/library/)?python$|ghcr\.io/astral-sh/uv$")
"""Images with Python in /usr/local/bin; those of uv where their tag names one."""
_PLAIN = re.compile(
    r"(?:.*/library/)?(?:debian|ubuntu|rockylinux|almalinux|fedora|amazonlinux)$|(?:nvcr\.io/)?nvidia/cuda$|.*\bubi\d+|.*distroless/"
)
"""Images without anything in /usr/local/bin."""
_BRINGS_PYTHON = re.compile(r"/usr/local|\bln -|pyenv|uv python|conda|make (?:alt)?install|venv|\.sh\b")
_BARE_PIP = re.compile(r"pip3?|python3?")


@PYTHON_MISMATCH.check(Dockerfile)
def python_mismatch(dockerfile: Dockerfile) -> Iterator[Hit]:
    """Stage by stage."""
    for stage in dockerfile.stages:
        for step in stage.steps:
            for install in step.installs:
                if install.manager == "apt" and install.action == "install" and has_own_python(stage):
                    yield from _second(stage, install)
            if step.keyword == "RUN":
                yield from _relinked(stage, step)
            elif step.keyword == "COPY" and step.copies_from:
                yield from _other_version(dockerfile, stage, step)
                yield from _left_behind(dockerfile, stage, step)
        yield from _foreign_pip(stage)


def _second(stage: Stage, install: Install) -> Iterator[Hit]:
    """apt's Python on an image that has one in /usr/local or /opt."""
    found = [one for one in install.packages if _SECOND.fullmatch(one.name) or _SECOND_VERSIONED.fullmatch(one.name)]
    if found:
        image = stage.root_image.repository if stage.root_image else "this image"
        names = f"{listed(one.name for one in found)} {'belongs' if len(found) == 1 else 'belong'}"
        yield Hit(
            span=found[0].span,
            message=f"{names} to Debian's Python, a second one beside that of {image}",
            remedy="Leave it out: the image has Python with its headers and pip; install libraries with pip",
        )


def _relinked(stage: Stage, step: Step) -> Iterator[Hit]:
    """/usr/bin/python3 as another version than the distribution's programs were made for."""
    own = distribution_python(stage)
    if not own or has_own_python(stage):
        return
    for command in step.commands:
        version = _new_link(command)
        if version and version != own:
            yield Hit(
                span=command.span,
                message=f"/usr/bin/python3 becomes {version}, while the distribution's programs and pip3 are made for {own}",
                remedy=f"Leave /usr/bin/python3 alone: python{version} -m venv /opt/venv, and /opt/venv/bin first in PATH",
            )


def _new_link(command: Command) -> str:
    """The version that `ln` or `update-alternatives --install` puts at /usr/bin/python3."""
    words = [word.text for word in command.arguments if not word.text.startswith("-")]
    if command.program == "ln" and len(words) == 2 and _LINKED.fullmatch(words[1]):
        match = _TARGET.fullmatch(words[0])
    elif command.program == "update-alternatives" and command.has("--install") and words[:1] and _LINKED.fullmatch(words[0]):
        match = _TARGET.fullmatch(words[2]) if len(words) > 2 else None
    else:
        match = None
    return match[1] if match else ""


def _other_version(dockerfile: Dockerfile, stage: Stage, step: Step) -> Iterator[Hit]:
    """site-packages of another stage's Python."""
    other = dockerfile.stage(step.copies_from)
    here = stage.facts.python if has_own_python(stage) else ""
    there = other.facts.python if other is not None and has_own_python(other) else ""
    for word in step.sources:
        match = _SITE.search(word.text)
        if match and here and match[1] != here:
            yield Hit(span=word.span, message=f"packages for Python {match[1]} go into an image with Python {here}")
            return
        if here and there and here != there and re.search(r"venv|\.local|site-packages", word.text):
            yield Hit(span=word.span, message=f"packages for Python {there} go into an image with Python {here}")
            return


def _left_behind(dockerfile: Dockerfile, stage: Stage, step: Step) -> Iterator[Hit]:
    """A virtual environment, whose bin/python is a link, without the Python that it leads to."""
    other = dockerfile.stage(step.copies_from)
    theirs, ours = other.root_image if other else None, stage.root_image
    if not theirs or not ours or not _PLAIN.match(ours.repository) or not _IN_USR_LOCAL.match(theirs.repository):
        return
    if (theirs.repository.endswith("/uv") and "python" not in theirs.tag) or _reads_packages_itself(stage):
        return
    for word in step.sources:
        folder = step.destination.rstrip("/")
        if _VENV.search(word.text) and f"{folder}/bin" in stage.env.get("PATH", "").split(":") and not _brought(stage, step):
            yield Hit(
                span=word.span,
                message=f"bin/python of {word.text} is a link to /usr/local/bin of {theirs}, and {ours} has no Python there",
                remedy="Build the environment on the image that it runs on, or end with the one that it was built on",
            )
            return


def _reads_packages_itself(stage: Stage) -> bool:
    """Whether the image's own Python is started, and told where the packages are: PATH goes on behind a link to nothing."""
    start = stage.last("ENTRYPOINT") or stage.last("CMD")
    programs = {command.program.rstrip("0123456789.") for command in (start.commands if start else ())[:1]}
    return "site-packages" in stage.env.get("PYTHONPATH", "") and programs == {"python"}


def _brought(stage: Stage, copy: Step) -> bool:
    """Whether something may put a Python where the link leads, or make the environment anew."""
    others = (step for step in stage.all_steps if step is not copy and step.keyword in ("RUN", "COPY", "ADD"))
    return any(_BRINGS_PYTHON.search(step.instruction.body.text) or step.destination == "/" for step in others)


def _foreign_pip(stage: Stage) -> Iterator[Hit]:
    """apt's python3-pip beside another Python that apt installs: pip fills the distribution's."""
    versions = added_pythons(stage)
    pip = _apt_pip(stage)
    if not versions or pip is None or has_own_python(stage) or not distribution_python(stage) or _settled(stage, versions):
        return
    step, one = pip
    if step.stage is stage and _uses_bare_pip(stage):
        message = f"pip of {one.name} installs for Python {distribution_python(stage)}, not for python{versions[-1]}"
        remedy = f"Write python{versions[-1]} -m pip, in a virtual environment: python{versions[-1]} -m venv /opt/venv"
        yield Hit(span=one.span, message=message, remedy=remedy)


def _apt_pip(stage: Stage) -> tuple[Step, Requested] | None:
    for step in stage.all_steps:
        for install in step.installs:
            for one in install.packages if install.manager == "apt" else ():
                if one.name == "python3-pip":
                    return step, one
    return None


def _settled(stage: Stage, versions: list[str]) -> bool:
    """Whether something else makes pip the added Python's: get-pip, ensurepip, a link, an environment, `python3.11 -m pip`."""
    signs = re.compile(
        rf"get-pip|ensurepip|python(?:{'|'.join(map(re.escape, versions))}) -m (?:pip|venv|virtualenv)"
        r"|virtualenv|\bvenv\b|\buv\b|conda|(?:ln -|update-alternatives).*/bin/(?:pip3?|python3)\b(?!\.)|alias"
    )
    commands = (command for step in stage.all_steps if step.keyword == "RUN" for command in step.commands)
    return any(signs.search(_without_packages(stage, command)) for command in commands)


def _without_packages(stage: Stage, command: Command) -> str:
    """The text of a command; of an apt-get install alone its program: that python3.11-venv is there makes no environment."""
    by_apt = any(one.command is command and one.manager == "apt" for step in stage.all_steps for one in step.installs)
    return command.program if by_apt else " ".join(word.text for word in command.words)


def _uses_bare_pip(stage: Stage) -> bool:
    return any(
        install.manager == "pip" and _BARE_PIP.fullmatch(install.tool) for step in stage.steps for install in step.installs
    )
