"""What the container is to start, and whether it is there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shipwheel.lint.context.origins import absolute, candidates
from shipwheel.lint.dockerfile.stages import Dockerfile, Stage, Step, in_folder
from shipwheel.lint.finding import Hit
from shipwheel.lint.images.built import services_built
from shipwheel.lint.packages.programs import lacks_package, lacks_program, starts_shell
from shipwheel.lint.rule import Rule
from shipwheel.lint.serving.start import Start, is_python, one_of_each, starts
from shipwheel.lint.word import Word

MISSING = Rule(
    key="entrypoint-missing-binary",
    severity="error",
    title="What is to start is not in the image",
    why="The container does not start: `no such file or directory`, or `command not found`.",
    remedy="Install or copy it in the last stage, or start what is there",
    source="https://docs.docker.com/reference/dockerfile/#entrypoint",
    dated="images.toml",
)
NO_CMD = Rule(
    key="no-cmd",
    severity="info",
    title="The image does not say what to start",
    why="Whoever runs the image gets the base's shell or Python prompt, and must know the command.",
    remedy='Add CMD ["python", "app.py"] with what the image is for',
    source="https://docs.docker.com/reference/dockerfile/#cmd",
    fix="none",
)

_SERVERS = "uvicorn gunicorn hypercorn streamlit mlflow daphne granian chainlit litestar bentoml vllm"
_PACKAGES = frozenset(_SERVERS.split())
_MOVERS = "git curl wget tar unzip cp mv ln aws gsutil gcloud huggingface-cli hf rsync make find install"
_FETCHES = frozenset(_MOVERS.split())


@MISSING.check(Dockerfile)
def _missing(file: Dockerfile) -> Iterator[Hit]:
    seen: set[int] = set()
    for stage, start in starts(file):
        for word, message in _lacking(file, stage, start):
            place = start.place(word)
            if place[0] not in seen:
                seen.add(place[0])
                yield Hit(span=place, message=message)


def _lacking(file: Dockerfile, stage: Stage, start: Start) -> Iterator[tuple[Word, str]]:
    for word in (*start.command.wrappers[:1], *start.command.words[:1], *start.words[:1]):
        name = word.text.rpartition("/")[2]
        if is_python(name) and (name != "python" or _own_python(stage)):
            continue
        if not start.module and lacks_program(stage, name):
            yield word, f"{name} is not in {stage.root_image}, and nothing installs it"
    package = start.server.package if start.server else ""
    if package in _PACKAGES and lacks_package(stage, package):
        yield start.words[0], f"{package} is started, and nothing installs it in the image"
    script = _file(start) if start.here else None
    if script and (reason := _nowhere(file, stage, script.text)):
        yield script, reason


def _own_python(stage: Stage) -> bool:
    """Whether an environment on PATH has a Python of its own."""
    return "/" in stage.env.get("PATH", "").replace("$PATH", "") or any(
        install.manager in ("conda", "uv") for step in stage.all_steps for install in step.installs
    )


def _file(start: Start) -> Word | None:
    """The script that is run, by Python, a shell or itself; not one that is looked for on PATH."""
    words = start.words[1:] if is_python(start.program) or start.program in ("sh", "bash") else start.words[:1]
    if start.module or any(word.text == "-c" for word in words[:2]):
        return None
    found = next((word for word in words if not word.text.startswith("-")), None)
    if not found or not found.known or "$" in found.text or (found is start.words[0] and "/" not in found.text):
        return None
    return found if found.text.endswith((".py", ".sh")) else None


def _nowhere(file: Dockerfile, stage: Stage, text: str) -> str:
    """Why a file cannot be in the image; "" where it may be."""
    if not starts_shell(stage) or _mounted(file, stage):
        return ""
    wanted, name = absolute(in_folder(stage.workdir, text)), text.rpartition("/")[2]
    copies = [step for step in stage.all_steps if step.keyword in ("COPY", "ADD")]
    own = [word for step in copies if not step.copies_from for word in step.sources if "://" not in word.text]
    if not own or _made(stage, name):
        return ""
    found = [(step, path) for step in copies for path in _brought(step, wanted)]
    if not found:
        return f"nothing copies {name} to {wanted}"
    if any(step.copies_from or step.keyword == "ADD" for step, _ in found):
        return ""
    paths = [path for _, path in found]
    if out := next((path for path in paths if file.context.exists(path) and file.context.left_out(path)), ""):
        return f"the ignore file leaves {out} out"
    return _misplaced(file, wanted, name, paths, copies)


def _misplaced(file: Dockerfile, wanted: str, name: str, paths: list[str], copies: list[Step]) -> str:
    """A file that lies elsewhere in the context than where the command looks for it."""
    context = file.context
    if context.alone or any(context.exists(path) for path in paths):
        return ""
    whole = all(
        context.exists(word.text) for step in copies if not step.copies_from for word in step.sources if "*" not in word.text
    )
    other = next((path for path in context.files() if path.rpartition("/")[2] == name), "") if whole else ""
    return f"no {wanted} comes into the image: {other} of the context lands elsewhere" if other else ""


def _brought(step: Step, wanted: str) -> list[str]:
    """The paths in what is copied from; a heredoc's own name for what it writes."""
    if step.instruction.heredocs and absolute(step.destination) == wanted:
        return [wanted]
    if any("$" in word.text for word in step.words):
        return [wanted]
    file = step.stage.dockerfile
    if file is None:
        return [wanted]
    paths = candidates(file, step, wanted)
    return paths if step.copies_from else [path for path in paths if not _below_file(file, path)]


def _below_file(file: Dockerfile, path: str) -> bool:
    """Whether something of the context that is no folder stands where a path has one."""
    folder = path.rpartition("/")[0]
    return bool(folder) and file.context.exists(folder) and not file.context.is_folder(folder)


def _made(stage: Stage, name: str) -> bool:
    """Whether a RUN may make the file: it names it, or fetches and moves others."""
    runs = [step for step in stage.all_steps if step.keyword == "RUN"]
    if any(name in step.instruction.body.text or step.instruction.heredocs for step in runs):
        return True
    return any(_moves(step) for step in runs)


def _moves(step: Step) -> bool:
    return not step.commands or any(command.program in _FETCHES or command.program.endswith(".sh") for command in step.commands)


def _mounted(file: Dockerfile, stage: Stage) -> bool:
    """Whether files come into the container at run time."""
    if any(step.keyword == "VOLUME" for step in stage.all_steps) or any(step.onbuild for step in file.steps()):
        return True
    return any(service.get("volumes") is not None for service in services_built(file))


@NO_CMD.check(Dockerfile)
def _nothing_started(file: Dockerfile) -> Iterator[Hit]:
    found = [stage for stage in file.shipped if not stage.last("CMD") and not stage.last("ENTRYPOINT") and starts_shell(stage)]
    for stage in one_of_each(found):
        extended = ".devcontainer" in file.source.path.parts or _BASE.search(file.source.path.name) or _BASE.search(stage.name)
        if not extended and _has_app(stage) and not _commanded(file):
            yield Hit(span=stage.span, message="the image holds an application, and neither CMD nor ENTRYPOINT starts it")
    for stage, start in starts(file):
        waits = start.step and start.step.stage is stage and ".devcontainer" not in file.source.path.parts
        if waits and _WAITS.fullmatch(" ".join(word.text for word in start.words)):
            yield Hit(span=start.span, message=f"{start.program} keeps the container alive, and nothing starts the application")


_BASE = re.compile(r"(?:^|[-_.])base(?:$|[-_.])", re.IGNORECASE)
"""How images and files are named that others build on."""
_WAITS = re.compile(r"tail -f /dev/null|sleep (infinity|inf|\d{5,})|tail -F /dev/null")


def _has_app(stage: Stage) -> bool:
    """Whether Python of the context is copied in, or a clone is installed to be run as it lies there."""
    for step in stage.all_steps:
        if any(install.manager == "pip" and install.command.has("-e", "--editable") for install in step.installs):
            return True
        if step.keyword in ("COPY", "ADD") and not step.copies_from:
            for word in step.sources:
                named = word.text.endswith(".py") and not word.text.endswith("setup.py")
                if named or word.text in (".", "./", "app", "src", "app/", "src/", "./app", "./src"):
                    return True
    return False


def _commanded(file: Dockerfile) -> bool:
    """Whether a compose file of the workspace gives a command to it."""
    return any((service.get("command") or service.get("entrypoint")) is not None for service in services_built(file))
