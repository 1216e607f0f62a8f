"""Health checks: their commands, and the Python that they run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from shipwheel.lint.dockerfile.stages import Dockerfile, Stage, Step, in_folder
from shipwheel.lint.origins import origin
from shipwheel.lint.serving import is_python
from shipwheel.lint.shell import Command
from shipwheel.lint.source import Span
from shipwheel.lint.word import Word

_HEAVY = """torch torchvision torchaudio jax jaxlib flax tensorflow keras transformers diffusers vllm
sentence_transformers paddle mxnet spacy whisper faster_whisper ultralytics cuml cudf onnxruntime"""
HEAVY = frozenset(_HEAVY.split())
"""Modules that take seconds, and much memory, to import."""

REQUESTS = re.compile(r"\b(?:requests|httpx)\.(?:get|head|post|request)\(")
_IMPORT = re.compile(r"(?:^|[;\n:])\s*(?:import\s+([\w., ]+)|from\s+([\w.]+)\s+import\b)")


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A HEALTHCHECK with its commands. `code` is Python that it runs, from `python -c` (then `word` holds it) or a file."""

    stage: Stage
    step: Step
    commands: tuple[Command, ...]
    code: str = ""
    word: Word | None = None

    @property
    def json(self) -> bool:
        """Whether it is in exec form."""
        return self.step.instruction.json

    @property
    def place(self) -> Span:
        """Where the Python stands."""
        return self.word.span if self.word else self.step.span


def probe_of(file: Dockerfile, stage: Stage, step: Step) -> Probe:
    """A HEALTHCHECK of a stage; without commands for HEALTHCHECK NONE."""
    for command in step.commands:
        if not is_python(command.program):
            continue
        words = command.arguments
        word = next((after for before, after in pairwise(words) if before.text == "-c"), None)
        if word:
            return Probe(stage=stage, step=step, commands=step.commands, code=word.text, word=word)
        script = next((word.text for word in words if word.text.endswith(".py")), "")
        path = origin(file, stage, in_folder(stage.workdir, script)) if script else ""
        if path and (source := file.context.read(path)):
            return Probe(stage=stage, step=step, commands=step.commands, code=source.text)
    return Probe(stage=stage, step=step, commands=step.commands)


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
