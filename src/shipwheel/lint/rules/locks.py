"""Lock files that are there and do not count."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from fnmatch import fnmatch

from shipwheel.lint.dockerfile.stages import Dockerfile, Step
from shipwheel.lint.edits.written import behind
from shipwheel.lint.finding import Fix, Hit
from shipwheel.lint.packages.installs import Install
from shipwheel.lint.packages.python import context_path
from shipwheel.lint.rule import Rule
from shipwheel.lint.shell.command import Command
from shipwheel.lint.word import Word

LOCK_NOT_ENFORCED = Rule(
    key="lock-not-enforced",
    severity="warning",
    title="A lock file that the build may change or pass by",
    why="Where the lock does not fit pyproject.toml, or is not there, the build resolves anew and installs the untested.",
    remedy="Copy the lock and write uv sync --locked (--frozen where pyproject.toml is not complete), pipenv install --deploy",
    source="https://docs.astral.sh/uv/concepts/projects/sync/#automatic-lock-and-sync",
    fix="automatic",
)

_SETTLED = ("--locked", "--frozen", "--check")
_ENFORCED = ("UV_FROZEN", "UV_LOCKED")
_LOCKS = {"uv": "uv.lock", "poetry": "poetry.lock", "pipenv": "Pipfile.lock"}
_RELOCKS = {
    ("uv", "lock"),
    ("poetry", "lock"),
    ("poetry", "update"),
    ("pipenv", "lock"),
    ("pipenv", "update"),
    ("uv", "upgrade"),
}


@LOCK_NOT_ENFORCED.check(Dockerfile)
def lock_not_enforced(dockerfile: Dockerfile) -> Iterator[Hit]:
    """uv, pipenv and poetry with a lock that is not held to."""
    for step in dockerfile.steps("RUN"):
        for install in step.installs:
            if install.manager in _LOCKS and install.action in ("sync", "install"):
                yield from _of_install(dockerfile, step, install)
            elif install.manager == "pip":
                yield from _passed_by(dockerfile, step, install)
        for command in step.commands:
            yield from _of_command(dockerfile, step, command)


def _of_install(dockerfile: Dockerfile, step: Step, install: Install) -> Iterator[Hit]:
    command, manager = install.command, install.manager
    verb = next((word for word in command.arguments if word.text == install.action), command.words[0])
    lock = _LOCKS[manager]
    if (manager == "pipenv" and (install.packages or install.action == "sync")) or (
        manager == "uv" and install.action != "sync"
    ):
        return
    if not _copied(step, lock, command):
        yield from _without(dockerfile, step, command, verb, manager)
    elif manager == "uv" and not _enforced(step, command):
        option = "--locked" if _whole_project(dockerfile, step, command) else "--frozen"
        edits = () if command.has("-U", "--upgrade") else behind(dockerfile.source, verb, option)
        fix = Fix(what=f"add {option}", edits=edits) if edits else None
        yield Hit(span=verb.span, message="uv sync may change uv.lock in the build", remedy=f"Write uv sync {option}", fix=fix)
    elif manager == "pipenv" and not command.has("--deploy", "--ignore-pipfile"):
        edits = behind(dockerfile.source, verb, "--deploy")
        fix = Fix(what="add --deploy", edits=edits) if edits else None
        message = "pipenv install changes Pipfile.lock where it does not fit the Pipfile"
        yield Hit(span=verb.span, message=message, remedy="Write pipenv install --deploy", fix=fix)


def _without(dockerfile: Dockerfile, step: Step, command: Command, verb: Word, manager: str) -> Iterator[Hit]:
    """A command that reads a lock which is not copied."""
    lock = _LOCKS[manager]
    said = f"{manager} {verb.text} resolves anew"
    if _left_behind(dockerfile, step, lock, command):
        yield Hit(
            span=verb.span,
            message=f"{lock} lies in the context but is not copied, so {said}",
            remedy=f"Copy {lock} together with the file that it belongs to",
        )
    elif dockerfile.context.alone and (manifest := _manifest_alone(step, lock, command)):
        yield Hit(
            span=verb.span,
            message=f"{manifest} is copied without {lock}, so {said}",
            remedy=f"Copy {lock} together with {manifest}",
        )


def _enforced(step: Step, command: Command) -> bool:
    values = dict(step.env) | {one.name: one.value.text for one in command.assignments}
    return command.has(*_SETTLED) or any(values.get(name, "0").lower() not in ("0", "", "false") for name in _ENFORCED)


def _copied(step: Step, lock: str, command: Command) -> bool:
    """Whether the lock stands in the image, or is mounted, when the step runs."""
    if context_path(step, lock, command):
        return True
    named = any(fnmatch(lock, posixpath.basename(word.text)) for other in _copies(step) for word in other.sources)
    return named or any(mount.options.get("source", "").endswith(lock) for mount in step.mounts)


def _copies(step: Step) -> list[Step]:
    return [other for other in step.stage.all_steps if other.span < step.span and other.keyword in ("COPY", "ADD")]


def _manifest_alone(step: Step, lock: str, command: Command) -> str:
    """The manifest that is copied by its name, where neither a folder with the lock nor a RUN can have brought the lock."""
    before = _copies(step)
    folders = any(_near(other, step) and (other.copies_from or _folder(other)) for other in before)
    settled = any(_settles(other, command) for other in step.stage.all_steps)
    if folders or settled or any(mount.type == "bind" for mount in step.mounts):
        return ""
    names = [posixpath.basename(word.text) for other in before for word in other.sources]
    return next((name for name in names if name == ("Pipfile" if lock == "Pipfile.lock" else "pyproject.toml")), "")


def _near(copy: Step, step: Step) -> bool:
    """Whether a COPY goes into the folder in which a step works; programs, such as uv, go elsewhere."""
    return copy.destination.rstrip("/") == step.workdir.rstrip("/")


def _folder(step: Step) -> bool:
    """Whether a COPY may bring the files of a folder."""
    return any("." not in posixpath.basename(word.text.rstrip("/").rstrip(".")) or "*" in word.text for word in step.sources)


def _settles(step: Step, but: Command) -> bool:
    """Whether a RUN makes a lock, takes the project from elsewhere, or does not install from it; but for the command itself."""
    return step.keyword == "RUN" and any(
        command.program == "git" or command.has("lock", "export", "--no-lock", "add", "init")
        for command in step.commands
        if command.span != but.span
    )


def _left_behind(dockerfile: Dockerfile, step: Step, lock: str, command: Command) -> bool:
    """Whether it lies in the context beside a pyproject.toml or Pipfile that is copied."""
    for name in ("pyproject.toml", "Pipfile"):
        place = context_path(step, name, command)
        beside = posixpath.join(posixpath.dirname(place), lock)
        if place and dockerfile.context.exists(beside) and not dockerfile.context.left_out(beside):
            return True
    return False


def _whole_project(dockerfile: Dockerfile, step: Step, command: Command) -> bool:
    """Whether uv can compare the lock with what it was made from: pyproject.toml is there, and is no workspace of several."""
    place = context_path(step, "pyproject.toml", command)
    source = dockerfile.context.read(place) if place else None
    return source is not None and "[tool.uv.workspace]" not in source.text


def _of_command(dockerfile: Dockerfile, step: Step, command: Command) -> Iterator[Hit]:
    if len(command.words) < 2 or command.program not in _LOCKS:
        return
    verb = command.words[1]
    lock = _LOCKS[command.program]
    if (command.program, verb.text) in _RELOCKS and not command.has("--check", "--dry-run") and _copied(step, lock, command):
        yield Hit(
            span=verb.span,
            message=f"{command.program} {verb.text} makes {lock} anew in the build",
            remedy=f"Lock before the build, and copy {lock}",
        )
    elif verb.text == "export" and command.program != "pipenv" and not _copied(step, lock, command):
        yield from _without(dockerfile, step, command, verb, command.program)
    elif (command.program, verb.text) == ("uv", "export") and not _enforced(step, command):
        edits = behind(dockerfile.source, verb, "--locked" if _whole_project(dockerfile, step, command) else "--frozen")
        fix = Fix(what="hold it to the lock", edits=edits) if edits else None
        yield Hit(span=verb.span, message="uv export may change uv.lock in the build", remedy="uv export --locked", fix=fix)


def _passed_by(dockerfile: Dockerfile, step: Step, install: Install) -> Iterator[Hit]:
    """`pip install .` and `uv pip install -r pyproject.toml` beside a lock that nothing of the image installs from."""
    word = next((file for file in install.files if posixpath.basename(file.text) == "pyproject.toml"), None)
    own = next((one for one in install.packages if one.url.split("[")[0].rstrip("/") == "."), None)
    span = word.span if word else own.span if own else None
    if span is None or install.option("--no-deps") is not None or install.constraints:
        return
    for lock in ("uv.lock", "poetry.lock"):
        there = context_path(step, lock, install.command) or _left_behind(dockerfile, step, lock, install.command)
        if there and not _otherwise(step):
            message = f"pip resolves anew what {lock} has settled"
            yield Hit(span=span, message=message, remedy="Install from the lock first: uv sync --locked, or poetry install")
            return


def _otherwise(step: Step) -> bool:
    """Whether packages come from the lock, or from a list, in another step of the stage."""
    others = [install for other in step.stage.all_steps if other.keyword == "RUN" for install in other.installs]
    listed = any(file.text.endswith(".txt") for install in others for file in install.files)
    exported = any(
        "export" in str(word) for other in step.stage.all_steps for command in _run(other) for word in command.words[1:2]
    )
    return listed or exported or any(install.manager in ("uv", "poetry") and install.action != "add" for install in others)


def _run(step: Step) -> tuple[Command, ...]:
    return step.commands if step.keyword == "RUN" else ()
