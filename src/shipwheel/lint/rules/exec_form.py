"""ENTRYPOINT and CMD that do not start what they seem to: shell and exec forms, operators, variables, scripts."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from shipwheel.lint.context.origins import origin
from shipwheel.lint.dockerfile.stages import Dockerfile, Stage, Step, in_folder
from shipwheel.lint.finding import Edit, Fix, Hit
from shipwheel.lint.packages.programs import starts_shell
from shipwheel.lint.rule import Rule
from shipwheel.lint.serving.start import is_python
from shipwheel.lint.shell.command import SHELLS, Command
from shipwheel.lint.source import Source
from shipwheel.lint.word import Word

SHELL_FORM = Rule(
    key="shell-form",
    severity="info",
    title="The container is started through a shell",
    why="The shell is process 1 and may not pass SIGTERM on: the service is killed after ten seconds, amid its requests.",
    remedy='Write the JSON form, CMD ["program", "argument"], or put exec before the command where it needs the shell',
    source="https://docs.docker.com/reference/dockerfile/#shell-form-entrypoint-example",
    fix="automatic",
)
BROKEN = Rule(
    key="entrypoint-broken",
    severity="error",
    title="What is to start the container does not start",
    why="The container ends at once with an error, or runs something else than what is written.",
    remedy='Write the JSON form with double quotes and a string for each argument: CMD ["python", "app.py"]',
    source="https://docs.docker.com/reference/dockerfile/#shell-and-exec-form",
)

_OPERATORS = frozenset({"&&", "||", ";", "|", "&", ">", ">>", "<", "2>", "2>&1", "&>"})
_BUILTINS = frozenset({"cd", "source", ".", "export", "eval", "ulimit", "alias", "exec", "unset", "set"})
_VARIABLE = re.compile(r"\$(\{[A-Za-z_]\w*[^}]*\}|[A-Za-z_]\w*)")
_LOOKS_JSON = re.compile(r"\[\s*['\"\u2018-\u201d].*\]\s*", re.DOTALL)
_EVALUATES = re.compile(r"\beval\b|\bsh\s+-\w*c\b|\benvsubst\b|\$\*")
_ONE_WORD = re.compile(r"[\w./-]+\s+\S.*", re.DOTALL)
_MENDS_ENDS = re.compile(r"dos2unix|\\r|tr -d")


@SHELL_FORM.check(Dockerfile)
def _shell_forms(file: Dockerfile) -> Iterator[Hit]:
    for step in _started(file):
        if step.instruction.json or not _plain_shell(step) or not step.commands or _broken(file, step.stage, step):
            continue
        last = step.commands[-1]
        if last.words and not any(word.text == "exec" for word in last.wrappers) and last.program != "exec":
            message = (
                f"{step.keyword} is in shell form, so that /bin/sh stands between Docker and {last.program or 'the program'}"
            )
            yield Hit(span=step.span, message=message, fix=_as_json(file.source, step))


def _started(file: Dockerfile) -> Iterator[Step]:
    """The ENTRYPOINT and the CMD of each shipped stage, each once."""
    seen: set[int] = set()
    for stage in file.shipped:
        for step in (stage.last("ENTRYPOINT"), stage.last("CMD")):
            if step and step.span[0] not in seen:
                seen.add(step.span[0])
                yield step


def _plain_shell(step: Step) -> bool:
    """Whether SHELL is one that adds nothing of its own, such as conda's environment or a login."""
    name = step.shell[0].rpartition("/")[2] if step.shell else ""
    return name in SHELLS and not any(re.search(r"conda|^--login$|^-\w*[li]", word) for word in step.shell)


_SHELL_SYNTAX = re.compile(r"[$`*?~{}\[\]!#<>|&;()]")


def _as_json(source: Source, step: Step) -> Fix | None:
    """The same words as JSON, where nothing in them needs a shell."""
    command = step.commands[0]
    simple = len(step.commands) == 1 and not (command.wrappers or command.assignments or command.redirects or command.inside)
    if (
        not simple
        or not _same_without_shell(step, command)
        or step.instruction.heredocs
        or not all(word.known for word in command.words)
    ):
        return None
    start, end = command.words[0].span[0], command.words[-1].span[1]
    bare = "".join(source.text[a.span[1] : b.span[0]] for a, b in pairwise(command.words))
    if (
        "#" in bare
        or "$" in step.instruction.body.text
        or any(_SHELL_SYNTAX.search(source.text[slice(*word.span)]) for word in command.words)
    ):
        return None
    if source.text[start:end].count("\\") != bare.count("\\") or step.instruction.body.text.strip() == "":
        return None
    texts = [json.dumps(word.text, ensure_ascii=False) for word in command.words]
    marks = [("[" if not at else "") + text + ("," if at < len(texts) - 1 else "]") for at, text in enumerate(texts)]
    edits = tuple(Edit(*word.span, mark) for word, mark in zip(command.words, marks, strict=True))
    return Fix(what="write it as JSON", edits=edits)


def _same_without_shell(step: Step, command: Command) -> bool:
    """Whether the program runs alike when the kernel starts it: no builtin, no script (a shell also runs those without #!),
    and no entrypoint that gets the words instead of `sh -c`."""
    alone = step.keyword == "ENTRYPOINT" or step.stage.last("ENTRYPOINT") is None
    return (
        alone
        and starts_shell(step.stage)
        and command.program not in _BUILTINS
        and not command.program.endswith((".sh", ".bash"))
    )


@BROKEN.check(Dockerfile)
def _broken_starts(file: Dockerfile) -> Iterator[Hit]:
    yield from _twice(file)
    seen: set[int] = set()
    for stage in file.shipped:
        for step in (stage.last("ENTRYPOINT"), stage.last("CMD")):
            if step and step.span[0] not in seen and (hit := _broken(file, stage, step)):
                seen.add(step.span[0])
                yield hit


def _twice(file: Dockerfile) -> Iterator[Hit]:
    """Only the last CMD and ENTRYPOINT of a stage count."""
    for stage in file.stages:
        for keyword in ("CMD", "ENTRYPOINT"):
            steps = [step for step in stage.steps if step.keyword == keyword and not step.onbuild]
            for step in steps[:-1]:
                line = file.source.position(steps[-1].span[0]).line
                remedy = f"Keep one {keyword}; to run two programs, start two containers"
                yield Hit(
                    span=step.span, message=f"this {keyword} never runs: the one in line {line} replaces it", remedy=remedy
                )


def _broken(file: Dockerfile, stage: Stage, step: Step) -> Hit | None:
    if not step.instruction.json:
        return _broken_shell_form(stage, step) or _broken_script(file, stage, step)
    if not step.words:
        return None
    return _broken_exec_form(file, stage, step) or _broken_script(file, stage, step)


def _broken_shell_form(stage: Stage, step: Step) -> Hit | None:
    text = step.instruction.body.text.strip()
    if _LOOKS_JSON.fullmatch(text) and not text.startswith("[["):
        return Hit(span=step.span, message=f"{step.keyword} is no JSON, so /bin/sh is asked to run `{text.split()[0]}`")
    cmd = stage.last("CMD")
    given = cmd and (cmd.words or not cmd.instruction.json)
    if step.keyword == "ENTRYPOINT" and given and not re.search(r"\$[@*0-9{]", text):
        remedy = "Write ENTRYPOINT in JSON form, or put the arguments into it and drop CMD"
        return Hit(span=step.span, message="ENTRYPOINT in shell form ignores CMD", remedy=remedy)
    return None


def _broken_exec_form(file: Dockerfile, stage: Stage, step: Step) -> Hit | None:
    words, first = step.words, step.words[0]
    entrypoint = stage.last("ENTRYPOINT")
    alone = step.keyword == "ENTRYPOINT" or entrypoint is None or not entrypoint.words
    if alone and (first.text in _BUILTINS or [word.text for word in words[:2]] == ["conda", "activate"]):
        return Hit(
            span=first.span, message=f"`{' '.join(word.text for word in words[:2])}` is of the shell, and no shell runs here"
        )
    if not alone and entrypoint and entrypoint.instruction.json and _repeats(entrypoint.words[-1], first):
        return Hit(span=first.span, message=f"{first.text} stands in ENTRYPOINT already, and gets itself as an argument")
    if _evaluated(file, stage, step):
        return None
    if operator := next((word for word in words[1:] if word.text in _OPERATORS), None):
        remedy = 'Use a shell: CMD ["sh", "-c", "a && exec b"]'
        return Hit(
            span=operator.span, message=f"`{operator.text}` is an argument here: no shell reads the JSON form", remedy=remedy
        )
    if variable := next((word for word in words if _VARIABLE.search(word.text)), None):
        found = _VARIABLE.search(variable.text)
        remedy = 'Use a shell where the value is set at run time: CMD ["sh", "-c", "exec program --port $PORT"]'
        name = found[0] if found else ""
        return Hit(span=variable.span, message=f"{name} stays as it is: no shell reads the JSON form", remedy=remedy)
    if alone and len(words) == 1 and _ONE_WORD.fullmatch(first.text) and "\\" not in first.text:
        return Hit(span=first.span, message=f"`{first.text}` is one string, and no program has that name")
    return None


def _repeats(last: Word, first: Word) -> bool:
    """Whether CMD begins with the program that ENTRYPOINT ends with."""
    return last.text == first.text and (is_python(first.text) or first.text in ("uvicorn", "gunicorn", "streamlit", "node"))


def _evaluated(file: Dockerfile, stage: Stage, step: Step) -> bool:
    """Whether a shell may read the words after all: `sh -c`, or an entrypoint that evaluates them or that cannot be read."""
    texts = [word.text for word in step.words]
    if _runs_text(texts) or "-c" in texts[:4] or "envsubst" in texts[0]:
        return True
    entrypoint = stage.last("ENTRYPOINT")
    if entrypoint is None:
        return not starts_shell(stage) and stage.lineage[0].base.text != "scratch"
    words = [word.text for word in entrypoint.words]
    if entrypoint is step or not words:
        return texts[0].endswith(".sh") and _script_evaluates(file, stage, texts[0])
    return _runs_text(words) or not entrypoint.instruction.json or _script_evaluates(file, stage, words[-1])


def _runs_text(words: list[str]) -> bool:
    return words[0].rpartition("/")[2] in SHELLS and any(re.fullmatch(r"-\w*c", word) for word in words[1:])


def _script_evaluates(file: Dockerfile, stage: Stage, name: str) -> bool:
    if "/" not in name and not name.endswith(".sh"):
        return False
    source = file.context.read(path) if (path := origin(file, stage, in_folder(stage.workdir, name))) else None
    return source is None or bool(_EVALUATES.search(source.text))


def _broken_script(file: Dockerfile, stage: Stage, step: Step) -> Hit | None:
    """A script of the context that the kernel cannot run."""
    command = step.commands[-1] if step.commands else None
    if command is None or not command.words or (step.keyword == "CMD" and stage.last("ENTRYPOINT")):
        return None
    word, direct = _script(command)
    if word and word.text.endswith(".py") and step.keyword == "CMD" and not starts_shell(stage):
        return None  # the base may start Python: gcr.io/distroless/python3
    path = origin(file, stage, in_folder(stage.workdir, word.text)) if word else ""
    source = file.context.read(path) if path else None
    if not word or not source or "\0" in source.text:
        return None
    runs = list(file.steps("RUN"))
    first = source.text.partition("\n")[0]
    if first.endswith("\r") and not any(_MENDS_ENDS.search(one.instruction.body.text) for one in runs):
        remedy = f"Write {path} with LF line ends, and say so in .gitattributes: *.sh text eol=lf"
        return Hit(span=word.span, message=f"{path} has Windows line ends, and no shell runs it", remedy=remedy)
    if direct and step.instruction.json and not first.startswith("#!"):
        return Hit(span=word.span, message=f"{path} has no #! line: exec format error", remedy=f"Begin {path} with #!/bin/sh")
    if direct and _not_executable(file.context.root / path) and not _made_executable(file):
        remedy = f"Run git update-index --chmod=+x {path}, or COPY --chmod=755 {path}"
        return Hit(span=word.span, message=f"{path} is not executable: permission denied", remedy=remedy)
    return None


def _script(command: Command) -> tuple[Word | None, bool]:
    """The shell script that a command runs, and whether the kernel is to run it."""
    first = command.words[0]
    if command.program in SHELLS:
        return next((word for word in command.arguments if word.text.endswith(".sh")), None), False
    return (first, True) if first.text.endswith((".sh", ".bash", ".py")) or "entrypoint" in first.text else (None, False)


def _not_executable(path: Path) -> bool:
    """Whether a file of a git repository has no bit to run it; modes outside of one say nothing."""
    try:
        kept = any((folder / ".git").exists() for folder in path.parents)
        return kept and os.name == "posix" and not path.stat().st_mode & 0o111
    except OSError:
        return False


def _made_executable(file: Dockerfile) -> bool:
    """Whether something changes modes, or COPY sets them."""
    runs = any(command.program in ("chmod", "install") for step in file.steps("RUN") for command in step.commands)
    return runs or any(step.instruction.flag("chmod") for step in file.steps("COPY", "ADD"))
