"""What a container of a stage runs: its program behind all wrappers, which server that is, where it listens, its Python file.

`start_of(dockerfile, stage)` puts ENTRYPOINT and CMD together as Docker does and follows launchers (`uv run`, `python -m`), a
shell script of the context and the Python file. `start_of_words` reads the command of a compose service or a pod.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

from shipwheel.lint.context.folder import BuildContext
from shipwheel.lint.context.needed import pyproject
from shipwheel.lint.context.origins import origin
from shipwheel.lint.dockerfile.stages import Dockerfile, Stage, Step, in_folder
from shipwheel.lint.packages.python import packages_of
from shipwheel.lint.serving.python import HOME, PythonStart, python_start
from shipwheel.lint.serving.servers import Server, Setting, host_of, port_of, server_named
from shipwheel.lint.shell.command import SHELLS, Command
from shipwheel.lint.shell.parse import parse_shell, parse_words
from shipwheel.lint.source import Excerpt, Span
from shipwheel.lint.word import Word

_SCRIPT = (".sh", ".bash")
_LAUNCHERS: dict[str, tuple[str, ...]] = {
    "uv": ("run",),
    "poetry": ("run",),
    "pipenv": ("run",),
    "pdm": ("run",),
    "hatch": ("run",),
    "pixi": ("run",),
    "rye": ("run",),
    "conda": ("run",),
    "mamba": ("run",),
    "micromamba": ("run",),
    "newrelic-admin": ("run-program",),
    "opentelemetry-instrument": (),
    "ddtrace-run": (),
    "catchsegv": (),
    "nvidia_entrypoint.sh": (),
}
_OPTIONS = "-n --name -p --prefix -r --root-prefix --cwd --python --with --extra --group --env-file --project --directory"
_VALUED = frozenset((*_OPTIONS.split(), "-e", "--environment", "-C"))
"""Options of launchers with a value of their own word."""
_MODULE = ("-m", "--module")
_PYTHON_VALUED = frozenset({"-W", "-X"})


@dataclass(frozen=True, kw_only=True)
class Start:
    """What runs. `words` are the program and its arguments behind launchers, wrappers and `python -m`; `program` its base name.

    `command` is the command with everything before it; `step` the CMD or ENTRYPOINT in which the program stands, None for a
    compose service. `script` is the path in the context of the shell script through which it was found: the places of its words
    are then in the script, and those who edit must leave them. `file` is the path in the context of its Python file.
    """

    command: Command
    words: tuple[Word, ...]
    module: bool
    span: Span
    step: Step | None = None
    entrypoint: Step | None = None
    script: str = ""
    env: Mapping[str, str]
    server: Server | None
    file: str = ""
    python: PythonStart | None = None
    configured: bool = False
    """Whether a file says where it listens, so that defaults say nothing."""

    @property
    def program(self) -> str:
        """The base name of what runs; the module's name for `python -m`."""
        return posixpath.basename(self.words[0].text) if self.words else ""

    @property
    def is_python(self) -> bool:
        """Whether it is Python or a server that is written in it."""
        started = is_python(self.program) or self.module or self.program.endswith(".py")
        return started or self.python is not None or bool(self.server and self.server.python)

    @property
    def arguments(self) -> tuple[Word, ...]:
        """What follows the program."""
        return self.words[1:]

    @property
    def here(self) -> bool:
        """Whether its words stand in the file that is linted, not in a script that it runs."""
        return not self.script

    def place(self, word: Word | None) -> Span:
        """A place in the linted file: the word's, or that of the whole where it stands elsewhere."""
        return word.span if word and self.here else self.span

    @cached_property
    def host(self) -> Setting | None:
        """The address that it binds; None where that is not known."""
        if self.server:
            return self._unless_configured(host_of(self.server, self.words, self.env))
        launch = self.python.launch if self.python else None
        if not launch or launch.host is None:
            return None
        name = self.env.get("GRADIO_SERVER_NAME") if launch.library == "gradio" and not launch.given else None
        return Setting(value=name or launch.host)

    @cached_property
    def port(self) -> Setting | None:
        """The port that it listens on, as digits; None where that is not known."""
        if self.server:
            return self._unless_configured(port_of(self.server, self.words, self.env))
        launch = self.python.launch if self.python else None
        if not launch or not launch.port:
            return None
        name = self.env.get("GRADIO_SERVER_PORT") if launch.library == "gradio" else None
        return Setting(value=name or str(launch.port))

    def _unless_configured(self, setting: Setting | None) -> Setting | None:
        return None if setting and setting.word is None and self.configured else setting

    @property
    def serves(self) -> bool:
        """Whether it is known to answer requests."""
        return self.server is not None or bool(self.python and self.python.serves)


def is_python(program: str) -> bool:
    """Whether a program is a Python interpreter."""
    return program.rstrip("0123456789.") in ("python", "pypy")


def is_local(address: str) -> bool:
    """Whether nothing outside the container reaches it."""
    return address in (HOME, "localhost", "::1", "[::1]") or address.startswith("127.")


_MODELS = """torch tensorflow tensorflow-cpu keras jax transformers sentence-transformers diffusers vllm onnxruntime
onnxruntime-gpu torchvision openai-whisper faster-whisper ultralytics spacy llama-cpp-python paddlepaddle paddlepaddle-gpu
ctranslate2 easyocr timm"""
MODEL_PACKAGES = frozenset(_MODELS.split())
"""Packages whose models take seconds to load and memory to hold."""


def holds_model(stage: Stage, start: Start) -> bool:
    """Whether it is a server that loads a model of some size when it starts."""
    if start.server and start.server.model:
        return True
    packages = packages_of(stage)
    known = stage.facts.framework in ("pytorch", "tensorflow", "jax") or not MODEL_PACKAGES.isdisjoint(packages.by_name)
    return start.serves and (known or (start.is_python and not packages.complete and _names_model(stage)))


_MODEL = re.compile(
    r"model|weights|checkpoint|inference|predict|HF_HOME|HF_TOKEN|TRANSFORMERS_|TORCH_|\.(?:pkl|joblib|onnx|pth?|h5|gguf)\b",
    re.IGNORECASE,
)


def _names_model(stage: Stage) -> bool:
    """Whether a step of the Dockerfile speaks of models."""
    steps = stage.dockerfile.steps() if stage.dockerfile else stage.all_steps
    return any(_MODEL.search(step.instruction.body.text) for step in steps)


@lru_cache(maxsize=64)
def start_of(dockerfile: Dockerfile, stage: Stage) -> Start | None:
    """What a container of the stage runs, as far as the Dockerfile says it; None for a stage that says nothing of it."""
    entrypoint, cmd = stage.last("ENTRYPOINT"), stage.last("CMD")
    if entrypoint and entrypoint.instruction.json and not entrypoint.words:
        entrypoint = None
    commands, step = _combined(dockerfile, entrypoint, cmd)
    if not commands or not step:
        return None
    found = _followed(dockerfile, stage, commands)
    command, script, words, module = found
    server = server_named(words)
    file, python = _python(dockerfile, stage, words, module)
    return Start(
        command=command,
        words=words,
        module=module,
        span=step.span,
        step=step,
        entrypoint=entrypoint,
        script=script,
        env=stage.env,
        server=server,
        file=file,
        python=python,
        configured=server is not None and (stage.facts.serves or _configured(dockerfile, stage, server)),
    )


def _configured(dockerfile: Dockerfile, stage: Stage, server: Server) -> bool:
    """Whether one of the server's own settings files comes into the image."""
    texts = [step.instruction.body.text for step in stage.all_steps if step.keyword in ("RUN", "COPY", "ADD")]
    return any(
        any(name in text for text in texts) or origin(dockerfile, stage, in_folder(stage.workdir, name))
        for name in server.settings
    )


def start_of_words(words: tuple[Word, ...], env: Mapping[str, str], span: Span) -> Start | None:
    """What a command given in words runs, without any file."""
    if not words:
        return None
    behind, module = unlaunched(words)
    return Start(
        command=Command(program=posixpath.basename(words[0].text), words=words, span=span),
        words=behind,
        module=module,
        span=span,
        env=env,
        server=server_named(behind),
    )


def one_of_each(stages: Iterable[Stage]) -> list[Stage]:
    """The last of the stages that have their first stage in common: what all lack is said, and mended, once."""
    return list({stage.lineage[0].index: stage for stage in stages}.values())


def starts(dockerfile: Dockerfile) -> Iterable[tuple[Stage, Start]]:
    """What the shipped stages run."""
    for stage in dockerfile.shipped:
        if start := start_of(dockerfile, stage):
            yield stage, start


def _combined(dockerfile: Dockerfile, entrypoint: Step | None, cmd: Step | None) -> tuple[tuple[Command, ...], Step | None]:
    """The commands of ENTRYPOINT and CMD together (Dockerfile reference, "Understand how CMD and ENTRYPOINT interact")."""
    if entrypoint is None:
        return (cmd.commands, cmd) if cmd else ((), None)
    if not entrypoint.instruction.json or cmd is None:
        return entrypoint.commands, entrypoint
    if _is_script(entrypoint.words[0].text) or not cmd.instruction.json:
        return (cmd.commands or entrypoint.commands), cmd
    words = (*entrypoint.words, *cmd.words)
    own = entrypoint.commands[-1:] and len(entrypoint.commands[-1].words) > 1
    starts_in_cmd = not own and posixpath.basename(entrypoint.words[-1].text) in (
        *SHELLS,
        "--",
        "-c",
        "env",
        "tini",
        "dumb-init",
    )
    return parse_words(words, dockerfile.source, {}), cmd if starts_in_cmd else entrypoint


def _is_script(text: str) -> bool:
    return text.endswith(_SCRIPT) or posixpath.basename(text) in ("entrypoint", "docker-entrypoint")


def _followed(
    dockerfile: Dockerfile, stage: Stage, commands: tuple[Command, ...]
) -> tuple[Command, str, tuple[Word, ...], bool]:
    """The command that stays, the script that it was found in, and its words behind launchers."""
    command = _main(commands)
    words, module = unlaunched(command.words)
    name = _script_of(words)
    path = origin(dockerfile, stage, in_folder(stage.workdir, name)) if name else ""
    source = dockerfile.context.read(path) if path else None
    if source is None:
        return command, "", words, module
    inner = [one for one in parse_shell(Excerpt.whole(source), stage.env) if "function" not in one.inside and one.words]
    if not inner or inner[-1].words[0].text in ("$@", "${@}"):
        return command, "", words, module
    main = _main(tuple(inner))
    return main, path, *unlaunched(main.words)


def _script_of(words: tuple[Word, ...]) -> str:
    """The shell script that a command runs."""
    if not words:
        return ""
    if posixpath.basename(words[0].text) in SHELLS:
        words = tuple(word for word in words[1:] if not word.text.startswith("-"))
    return words[0].text if words and words[0].text.endswith(_SCRIPT) else ""


def _main(commands: tuple[Command, ...]) -> Command:
    """The command that a container stays in: the last server, else the last one."""
    real = [command for command in commands if command.words]
    serving = [command for command in real if server_named(unlaunched(command.words)[0])]
    return (serving or real or list(commands))[-1]


def unlaunched(words: tuple[Word, ...]) -> tuple[tuple[Word, ...], bool]:
    """The words behind launchers such as `uv run`; for `python -m NAME` those from NAME on, and True."""
    while len(words) > 1:
        name = posixpath.basename(words[0].text)
        if is_python(name):
            at = _skip(words, 1, _PYTHON_VALUED)
            return (words[at + 1 :], True) if words[at].text == "-m" and words[at + 1 :] else (words, False)
        subcommand = _LAUNCHERS.get(name)
        at = _skip(words, 1, _VALUED) if subcommand else 1
        if subcommand is None or tuple(word.text for word in words[at : at + len(subcommand)]) != subcommand:
            return words, False
        words = words[_skip(words, at + len(subcommand), _VALUED) :]
        if words[0].text in _MODULE and len(words) > 1:
            return words[1:], True
    return words, False


def _skip(words: tuple[Word, ...], at: int, valued: frozenset[str]) -> int:
    """The first word that is no option of a launcher; the last one where all are."""
    while at < len(words) - 1 and words[at].text.startswith("-") and words[at].text not in _MODULE:
        at += 2 if words[at].text in valued else 1
        if words[at - 1].text == "--":
            break
    return min(at, len(words) - 1)


def _python(dockerfile: Dockerfile, stage: Stage, words: tuple[Word, ...], module: bool) -> tuple[str, PythonStart | None]:
    """The Python file that is run, as a path in the context, and what it does; "" and None where that is not known."""
    context = dockerfile.context
    copied = (origin(dockerfile, stage, in_folder(stage.workdir, name)) for name in _files_run(words, module))
    for place in filter(None, copied):
        if source := context.read(place):
            return place, python_start(source)
    target = "" if module or not words else _console_scripts(context).get(posixpath.basename(words[0].text), "")
    for place in _files_of(target.partition(":")[0].strip()):
        if (source := context.read(place)) and not context.left_out(place):
            return place, python_start(source, as_main=False)
    return "", None


def _files_run(words: tuple[Word, ...], module: bool) -> Iterable[str]:
    """Where in the image the file may lie that a command names."""
    if not words:
        return
    if module and not server_named(words):
        yield from _files_of(words[0].text)
        return
    at = 1 if is_python(posixpath.basename(words[0].text)) else 0
    found = next((word.text for word in words[at:] if word.text.endswith(".py")), "")
    if found and (at or found == words[0].text):
        yield found


def _files_of(module: str) -> Iterable[str]:
    """The files that a module can be, in a flat project and in one with a folder src."""
    path = module.replace(".", "/")
    return [f"{top}{path}{end}" for top in ("", "src/") for end in (".py", "/__main__.py", "/__init__.py")] if path else []


def _console_scripts(context: BuildContext) -> dict[str, str]:
    """The programs that the project itself installs, each with MODULE:FUNCTION (PEP 621, or Poetry's table)."""
    project = pyproject(context)
    tables = (project.get("project"), project.get("tool", {}).get("poetry"))
    scripts = [table.get("scripts") for table in tables if isinstance(table, dict)]
    return {name: target for one in scripts if isinstance(one, dict) for name, target in one.items() if isinstance(target, str)}
