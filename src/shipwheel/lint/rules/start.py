"""How the service is started: development servers, Jupyter, workers, uv run, buffers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shipwheel.lint.dockerfile.stages import Dockerfile, Stage, Step
from shipwheel.lint.edits.chains import text_of
from shipwheel.lint.files.subjects import Compose, Manifest
from shipwheel.lint.finding import Edit, Fix, Hit
from shipwheel.lint.images.names import ImageFacts
from shipwheel.lint.rule import Rule
from shipwheel.lint.serving.composed import started
from shipwheel.lint.serving.servers import given, option_of
from shipwheel.lint.serving.start import Start, holds_model, is_python, one_of_each, starts
from shipwheel.lint.shell.command import SHELLS
from shipwheel.lint.word import Word

SYNC = Rule(
    key="sync-at-start",
    severity="warning",
    title="uv installs again at each start",
    why="uv run locks and syncs first: each start waits, needs the network, and may bring packages that nobody tested.",
    remedy="Write uv run --no-sync, or call the program of the environment: /app/.venv/bin/python",
    source="https://docs.astral.sh/uv/concepts/projects/sync/#automatic-lock-and-sync",
    fix="automatic",
)
UNBUFFERED = Rule(
    key="unbuffered-missing",
    severity="info",
    title="Python holds its output back",
    why="Without a terminal Python writes its output in blocks: logs come late, and the last lines before a crash are lost.",
    remedy="Add ENV PYTHONUNBUFFERED=1",
    source="https://docs.python.org/3/using/cmdline.html#envvar-PYTHONUNBUFFERED",
    fix="automatic",
)
NO_AUTH = Rule(
    key="jupyter-no-auth",
    severity="error",
    title="Jupyter without a token",
    why="Whoever reaches the port runs any code in the container, with its data, its GPU and its secrets.",
    remedy="Leave the token out, so that a random one is made, or give one at run time with JUPYTER_TOKEN",
    source="https://jupyter-server.readthedocs.io/en/latest/operators/security.html",
)
AS_ROOT = Rule(
    key="jupyter-root",
    severity="warning",
    title="Jupyter runs as root",
    why="Every notebook, and whoever gets at the port, is root in the container and owns all mounted files.",
    remedy="Create a user, switch to it with USER, and leave --allow-root out",
    source="https://jupyter-server.readthedocs.io/en/latest/operators/security.html",
)
DEV_SERVER = Rule(
    key="dev-server",
    severity="warning",
    title="A server for development in the image",
    why="It serves one request after another or watches all files for changes, and its debugger runs code for whoever asks.",
    remedy="Start a server for production, such as uvicorn without --reload, gunicorn or fastapi run",
    source="https://flask.palletsprojects.com/en/stable/deploying/",
)
WORKERS = Rule(
    key="workers-times-model",
    severity="info",
    title="Each worker loads the model",
    why="Workers are processes of their own: memory, and that of the GPU, is taken once for each of them.",
    remedy="Use one worker a container and run more containers, or load the model in a server of its own",
    source="https://fastapi.tiangolo.com/deployment/concepts/#memory-per-process",
)


@SYNC.check(Dockerfile)
def _syncs(file: Dockerfile) -> Iterator[Hit]:
    seen: set[int] = set()
    for stage, start in starts(file):
        words = start.command.words
        at = next((index for index, word in enumerate(words[:-1]) if _is_uv(word) and words[index + 1].text == "run"), None)
        if at is None or stage.env.get("UV_NO_SYNC", "").lower() in ("1", "true", "yes") or words[at].span[0] in seen:
            continue
        own = words[at + 2 : len(words) - len(start.words)]
        if any(word.text in ("--no-sync", "--no-project", "--isolated", "--script", "-s") for word in own):
            continue
        seen.add(words[at].span[0])
        fix = _without_sync(file, start, words[at + 1]) if start.here else None
        yield Hit(span=start.place(words[at]), message="uv run syncs the environment before each start", fix=fix)


def _is_uv(word: Word) -> bool:
    return word.text == "uv" or word.text.endswith("/uv")


def _without_sync(file: Dockerfile, start: Start, run: Word) -> Fix | None:
    """--no-sync, where the build has synced."""
    synced = any(
        install.manager == "uv" and install.action == "sync" for step in file.steps("RUN") for install in step.installs
    )
    return _added(start, run, "--no-sync") if synced else None


def _added(start: Start, word: Word, option: str) -> Fix | None:
    """An option behind a word of CMD or ENTRYPOINT."""
    if start.step is None:
        return None
    json = start.step.instruction.json and "sh -c" not in start.command.inside
    return Fix(what=f"add {option}", edits=(Edit(word.span[1], word.span[1], f', "{option}"' if json else f" {option}"),))


@UNBUFFERED.check(Dockerfile)
def _buffered(file: Dockerfile) -> Iterator[Hit]:
    found = {stage: start for stage, start in starts(file) if _known(stage) and (_buffers(start) or _may_buffer(stage, start))}
    for stage in one_of_each(stage for stage in found if "PYTHONUNBUFFERED" not in stage.env):
        end = stage.span[1]
        line = f"{file.source.line_end}ENV PYTHONUNBUFFERED=1"
        fix = Fix(what="add ENV PYTHONUNBUFFERED=1", edits=(Edit(end, end, line),))
        yield Hit(span=stage.span, message=f"{found[stage].program} runs without PYTHONUNBUFFERED", fix=fix)
    for start in {start.span: start for _, start in starts(file)}.values():
        if run := _captures(start):
            yield Hit(
                span=start.place(run),
                message="conda run holds all output back until the program ends",
                fix=_uncaptured(start, run),
            )


_UNBUFFERED = re.compile(r"\.dkr\.ecr\.|deep-learning-containers/")
"""AWS' deep learning containers set the variable (aws/deep-learning-containers, pytorch/inference/docker/2.2/py3)."""


def _known(stage: Stage) -> bool:
    image = stage.root_image
    return stage.facts != ImageFacts() and not stage.facts.serves and not (image and _UNBUFFERED.search(image.repository))


def _captures(start: Start) -> Word | None:
    """The `run` of a conda run that keeps the output."""
    words = start.command.words
    if len(words) < 3 or start.command.program not in ("conda", "mamba") or words[1].text != "run":
        return None
    own = words[2 : len(words) - len(start.words)]
    return None if any(word.text in ("--no-capture-output", "--live-stream") for word in own) else words[1]


def _uncaptured(start: Start, run: Word) -> Fix | None:
    return _added(start, run, "--no-capture-output") if start.here else None


def _buffers(start: Start) -> bool:
    """Whether Python runs something, and was not told -u."""
    if not start.is_python or any(variable.name == "PYTHONUNBUFFERED" for variable in start.command.assignments):
        return False
    words = start.command.words
    at = next((index for index, word in enumerate(words) if is_python(word.text.rpartition("/")[2])), len(words))
    named = (
        len(start.words) > 1 or start.module or start.server is not None or start.program.endswith(".py") or bool(start.file)
    )
    return named and not any(word.text == "-u" for word in words[at + 1 : at + 4])


_INSTALLERS = frozenset({"pip", "uv", "conda", "poetry", "pipenv"})


def _may_buffer(stage: Stage, start: Start) -> bool:
    """Whether it is a script that is not here to be read, in an image whose packages are Python's, or a program of a venv."""
    if start.here and re.search(r"venv/bin/[\w.-]+$", start.words[0].text):
        return True
    shell = start.program in SHELLS and any(not word.text.startswith("-") for word in start.arguments)
    script = shell or start.program == "make" or start.program.endswith(".sh")
    installs = any(install.manager in _INSTALLERS for step in stage.all_steps for install in step.installs)
    ours = installs or bool(stage.facts.framework)
    return script and start.here and ours and not any(_NAMED.search(word.text) for word in start.command.words)


_TOKEN = re.compile(r"--(?:\w+App|IdentityProvider|PasswordIdentityProvider)\.(token|password|hashed_password)=(.*)", re.DOTALL)
_CONFIG = re.compile(r"c\.(?:\w+App|IdentityProvider)\.token\s*=\s*u?(?:''(?!')|\"\"(?!\")|\\\"\\\"|'\\''\s*'\\'')")
_CONFIG_PASSWORD = re.compile(
    r"c\.\w+\.(?:hashed_)?password\s*=\s*(?!u?(?:''|\"\"|\\\"\\\"))[^\s'\"\\]|password\s*=\s*u?['\"\\]+\w"
)
_CONFIG_ROOT = re.compile(r"c\.\w+App\.allow_root\s*=\s*True")


_NAMED = re.compile(r"jupyter|start-(notebook|singleuser)")


def _jupyter(file: Dockerfile) -> Iterator[tuple[Start, tuple[Word, ...]]]:
    seen: set[int] = set()
    for _, start in starts(file):
        if start.span[0] not in seen and any(_NAMED.search(word.text) for word in start.command.words[:6]):
            seen.add(start.span[0])
            yield start, start.command.words


@NO_AUTH.check(Compose)
def _open_services(file: Compose) -> Iterator[Hit]:
    return _open_jupyters(file)


@NO_AUTH.check(Manifest)
def _open_containers(file: Manifest) -> Iterator[Hit]:
    return _open_jupyters(file)


def _open_jupyters(file: Compose | Manifest) -> Iterator[Hit]:
    for name, _, start in started(file):
        if token := _empty_token(start.command.words):
            yield Hit(span=token.span, message=f"Jupyter's token is empty in {name}: it asks nobody who they are")


@NO_AUTH.check(Dockerfile)
def _open_jupyter(file: Dockerfile) -> Iterator[Hit]:
    for start, words in _jupyter(file):
        if token := _empty_token(words):
            yield Hit(span=start.place(token), message="Jupyter's token is empty: it asks nobody who they are")
    for step in _kept(file):
        text = text_of(step) + _settings(file, step)
        if _CONFIG.search(text) and not _CONFIG_PASSWORD.search(text):
            yield Hit(span=step.span, message="Jupyter's configuration sets an empty token: it asks nobody who they are")


def _empty_token(words: tuple[Word, ...]) -> Word | None:
    """The option that makes the token empty, where no password stands beside it."""
    settings = [(found[1], found[2], word) for word in words if (found := _TOKEN.fullmatch(word.text))]
    if any(name != "token" and value.strip("'\"") for name, value, _ in settings):
        return None
    return next((word for name, value, word in settings if name == "token" and not value.strip("'\" ")), None)


@AS_ROOT.check(Dockerfile)
def _root_jupyter(file: Dockerfile) -> Iterator[Hit]:
    for start, words in _jupyter(file):
        if word := given(words, ("--allow-root",)):
            yield Hit(span=start.place(word), message="Jupyter is allowed to run as root")
    for step in _kept(file):
        if _CONFIG_ROOT.search(text_of(step) + _settings(file, step)):
            yield Hit(span=step.span, message="Jupyter's configuration allows root")


def _kept(file: Dockerfile) -> Iterator[Step]:
    return (step for stage in file.kept for step in stage.steps if step.keyword in ("RUN", "COPY") and not step.onbuild)


def _settings(file: Dockerfile, step: Step) -> str:
    """The text of Jupyter's own settings that a COPY brings from the context."""
    names = (word.text for word in step.sources if re.search(r"jupyter\w*config\.py$", word.text) and not step.copies_from)
    return "".join(source.text for name in names if (source := file.context.read(name)))


_FOR_DEVELOPERS = re.compile(r"(^|[-_.])(dev|devel|develop|development|debug|test|tests|testing|local)([-_.]|$)", re.IGNORECASE)
_YES = ("1", "true", "yes", "on")


@DEV_SERVER.check(Dockerfile)
def _develops(file: Dockerfile) -> Iterator[Hit]:
    seen: set[int] = set()
    if _FOR_DEVELOPERS.search(file.source.path.name):
        return
    for stage, start in starts(file):
        if _FOR_DEVELOPERS.search(stage.name) or start.span[0] in seen:
            continue
        if hit := _development(start):
            seen.add(start.span[0])
            yield hit


def _development(start: Start) -> Hit | None:
    if start.server:
        if word := given(start.words, start.server.reload):
            return Hit(span=start.place(word), message=f"{start.server.name} {word.text} restarts at each change of a file")
        if start.server.develops:
            return Hit(span=start.place(start.words[0]), message=f"{start.server.name} is a server for development")
        if start.server.name == "uvicorn" and start.env.get("UVICORN_RELOAD", "").lower() in _YES:
            return Hit(span=start.place(start.words[0]), message="UVICORN_RELOAD restarts it at each change of a file")
    launch = start.python.launch if start.python else None
    if launch and launch.develops:
        mode = " in debug mode" if launch.debug else " with reload" if launch.reload else ""
        return Hit(span=start.span, message=f"{start.file}, line {launch.line}, starts {launch.library}'s own server{mode}")
    return None


@DEV_SERVER.check(Compose)
def _services_develop(file: Compose) -> Iterator[Hit]:
    return _told_to_develop(file)


@DEV_SERVER.check(Manifest)
def _containers_develop(file: Manifest) -> Iterator[Hit]:
    return _told_to_develop(file)


def _told_to_develop(file: Compose | Manifest) -> Iterator[Hit]:
    if _FOR_DEVELOPERS.search(file.source.path.name) or "override" in file.source.path.name:
        return
    for name, node, start in started(file):
        if not _FOR_DEVELOPERS.search(name) and not node.get("profiles") and (hit := _development(start)):
            yield Hit(span=hit.span, message=f"{name}: {hit.message}")


@WORKERS.check(Dockerfile)
def _many_workers(file: Dockerfile) -> Iterator[Hit]:
    seen: set[int] = set()
    for stage, start in starts(file):
        if not start.server or not start.server.workers or given(start.words, ("--preload",)) or start.span[0] in seen:
            continue
        found = option_of(start.words, start.server.workers)
        count = found.value if found else stage.env.get("WEB_CONCURRENCY", "")
        if count.isdecimal() and int(count) > 1 and holds_model(stage, start):
            seen.add(start.span[0])
            yield Hit(span=start.place(found.word if found else None), message=f"{count} workers each load the model")
