"""Health checks: their commands, and the Python that they run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from shipwheel.lint.context.origins import origin
from shipwheel.lint.dockerfile.stages import Dockerfile, Stage, Step, in_folder
from shipwheel.lint.files.subjects import Compose, Node
from shipwheel.lint.serving.start import is_python
from shipwheel.lint.shell.command import Command
from shipwheel.lint.shell.parse import parse_shell, parse_words
from shipwheel.lint.source import Excerpt, Span
from shipwheel.lint.word import Word

HEALTHCHECK = "https://docs.docker.com/reference/dockerfile/#healthcheck"
"""Docker's page on health checks."""

_HEAVY = """torch torchvision torchaudio jax jaxlib flax tensorflow keras transformers diffusers vllm
sentence_transformers paddle mxnet spacy whisper faster_whisper ultralytics cuml cudf onnxruntime"""
HEAVY = frozenset(_HEAVY.split())
"""Modules that take seconds, and much memory, to import."""

REQUESTS = re.compile(r"\b(?:requests|httpx)\.(?:get|head|post|request)\(")
_IMPORT = re.compile(r"(?:^|[;\n:])\s*(?:import\s+([\w., ]+)|from\s+([\w.]+)\s+import\b)")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a health check runs. `code` is Python, of `python -c` (then `word` holds it) or of a file; `json`: in exec form."""

    span: Span
    commands: tuple[Command, ...]
    json: bool
    code: str = ""
    word: Word | None = None

    @property
    def place(self) -> Span:
        """Where the Python stands."""
        return self.word.span if self.word else self.span


@dataclass(frozen=True, kw_only=True)
class Probe(Asked):
    """A HEALTHCHECK that counts in a stage; without commands for HEALTHCHECK NONE."""

    stage: Stage
    step: Step


def probes(file: Dockerfile) -> Iterator[Probe]:
    """The health checks that count, of stages that are shipped, each once."""
    steps: dict[int, tuple[Stage, Step]] = {}
    for stage in file.shipped:
        if step := stage.last("HEALTHCHECK"):
            steps.setdefault(step.span[0], (stage, step))
    return (probe_of(file, stage, step) for stage, step in steps.values())


def probe_of(file: Dockerfile, stage: Stage, step: Step) -> Probe:
    """A HEALTHCHECK of a stage."""
    word, script = _python_of(step.commands)
    path = origin(file, stage, in_folder(stage.workdir, script)) if script else ""
    source = file.context.read(path) if path else None
    code = word.text if word else source.text if source else ""
    json = step.instruction.json
    return Probe(span=step.span, commands=step.commands, json=json, code=code, word=word, stage=stage, step=step)


def probe_of_test(file: Compose, test: Node) -> Asked:
    """The `test` of a compose file's health check (Compose specification, "healthcheck")."""
    words = tuple(Word(text=item.text, span=item.span) for item in test.value) if isinstance(test.value, list) else ()
    if words and words[0].text == "CMD":
        commands = parse_words(words[1:], file.source, {})
    else:
        text = words[1].text if len(words) > 1 else test.text
        commands = parse_shell(Excerpt(file.source, text, ((0, test.span[0]),)), {})
    word, _ = _python_of(commands)
    return Asked(span=test.span, commands=commands, json=bool(words), code=word.text if word else "", word=word)


def probes_of_services(file: Compose) -> Iterator[tuple[str, Node, Asked]]:
    """Services with their health checks."""
    for name, service in file.services.items():
        if test := service.get("healthcheck", "test"):
            yield name, service, probe_of_test(file, test)


def _python_of(commands: tuple[Command, ...]) -> tuple[Word | None, str]:
    """The code behind `python -c`, or the file that Python runs."""
    for command in commands:
        if is_python(command.program):
            words = command.arguments
            word = next((after for before, after in pairwise(words) if before.text == "-c"), None)
            return word, next((word.text for word in words if word.text.endswith(".py")), "")
    return None, ""


def modules_of(code: str) -> frozenset[str]:
    """The modules that Python code imports."""
    names = (name for found in _IMPORT.finditer(code) for name in (found[1] or found[2]).split(","))
    return frozenset(name.split()[0] for name in names if name.split())


def call_end(text: str, start: int, end: int) -> int:
    """Where the first call of requests or httpx in this part of a file ends; 0 where that cannot be told."""
    found = REQUESTS.search(text, start, end)
    if not found:
        return 0
    depth = 0
    for at in range(found.end() - 1, end):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if not depth:
            return at + 1
    return 0
