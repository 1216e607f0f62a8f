"""Ignore files: what they let into the image, what they match only at the top, and what they keep from a COPY that needs it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from shipwheel.lint.context import needed
from shipwheel.lint.context.copying import taken, whole_copy
from shipwheel.lint.context.folder import BuildContext
from shipwheel.lint.dockerfile.stages import Dockerfile
from shipwheel.lint.files.ignore import matcher
from shipwheel.lint.files.subjects import IgnoreFile
from shipwheel.lint.finding import Edit, Fix, Hit
from shipwheel.lint.rule import Rule
from shipwheel.lint.source import Span
from shipwheel.lint.wording import listed
from shipwheel.project.ignore import DockerRules, GitRules

SOURCE = "https://docs.docker.com/build/concepts/context/#dockerignore-files"

_EVERYWHERE = {".git": ".git", "venv": "venv", ".venv": ".venv", "__pycache__": "**/__pycache__", ".env": ".env"}
"""What lies in nearly every project and belongs in no image, with the pattern for it."""

_OUTPUTS = ("mlruns", "wandb", "checkpoints", "lightning_logs", "outputs", "runs", "notebooks", "data", "datasets")
"""What ML projects hold, and what is told where it is there."""

_ML = ("data", "mlruns", "wandb", "checkpoints", "notebooks")

_PYTHON = re.compile(r"python|\bpip3?\b|\bconda|\buv\b|poetry|torch|cuda|jupyter", re.IGNORECASE)
"""What a Dockerfile of a project in Python says somewhere."""

_SMALL = 10 << 20
"""Bytes of a folder that code may well read in the image; a larger one is data."""

IGNORE_MISSING = Rule(
    key="ignore-missing",
    severity="warning",
    title="The ignore file lets in what no image needs",
    why="It is sent with every build, makes the image larger, and each change in it makes the layers behind the COPY anew.",
    remedy="Add the patterns to the ignore file",
    source=SOURCE,
    fix="automatic",
)


def _users(ignore: IgnoreFile) -> list[Dockerfile]:
    """The Dockerfiles whose context this file is for."""
    path = ignore.source.path
    return [one for one in ignore.workspace.all(Dockerfile) if one.context.ignore and one.context.ignore.source.path == path]


def _unread(ignore: IgnoreFile, users: Iterable[Dockerfile]) -> bool:
    """Whether no build reads it: what it lies beside is built in another folder."""
    folder = ignore.source.path.parent
    beside = [one.context for one in ignore.workspace.all(Dockerfile) if one.source.path.parent == folder]
    return not users and bool(beside) and all(context.root != folder for context in beside)


def _context(ignore: IgnoreFile) -> BuildContext:
    """The folder of an ignore file that no Dockerfile at hand is built with."""
    return BuildContext(root=ignore.source.path.parent, workspace=ignore.workspace, ignore=ignore)


@IGNORE_MISSING.check(IgnoreFile)
def lets_in(ignore: IgnoreFile) -> Iterator[Hit]:
    """Of what a COPY of the whole context takes: what is there; where nothing is known, what nearly every project has."""
    users = _users(ignore)
    whole = [one for one in users if any(map(whole_copy, one.steps("COPY", "ADD")))]
    if (users and not whole) or (whole and not ignore.patterns) or _unread(ignore, users):
        return
    context = (
        whole[0].context if whole else BuildContext(root=ignore.source.path.parent, workspace=ignore.workspace, ignore=ignore)
    )
    kept = {text[1:].strip("/").partition("/")[0] for text, _ in ignore.patterns if text.startswith("!")}
    named = {source for one in users for _, source in taken(one)}
    found = [
        name
        for name in (_by_habit(context, users) if context.bare else _by_evidence(context, users))
        if name not in kept and not any(source == name or source.startswith(f"{name}/") for source in named)
    ]
    if ".git" in found and needed.git(context, users):
        found.remove(".git")
    if found:
        yield _additions(ignore, found)


def _out(context: BuildContext, name: str) -> bool:
    """Whether a name at the top stays out, or all that is in it."""
    return context.left_out(name) or context.left_out(f"{name}/x.pyc")


def _by_habit(context: BuildContext, users: list[Dockerfile]) -> list[str]:
    """What the file does not leave out of what nearly every project has, where nothing else is known of the project."""
    if users and not any(_PYTHON.search(one.source.text) for one in users):
        return []
    found = [name for name in _EVERYWHERE if not _out(context, name)]
    if {"venv", ".venv"} - set(found):
        found = [name for name in found if name not in ("venv", ".venv")]
    covered = any(_out(context, name) for name in (*_OUTPUTS, "models", "logs", "x.ckpt", "x.csv", "x.pt"))
    return found if covered else [*found, *_ML]


def _by_evidence(context: BuildContext, users: Iterable[Dockerfile]) -> list[str]:
    """What is there, or what git leaves out: that is there where people build."""
    source = context.read(".gitignore")
    git = GitRules.parse(source.text.splitlines()) if source else GitRules()
    repository = (source is not None or context.exists(".github")) and not context.below_git
    found = [
        name
        for name in _EVERYWHERE
        if not _out(context, name)
        and (context.exists(name) or (repository if name == ".git" else git.covers(name, folder=name != ".env")))
    ]
    if not all(context.exists(name) for name in ("venv", ".venv")) and any(_out(context, name) for name in ("venv", ".venv")):
        found = [name for name in found if name not in ("venv", ".venv") or context.exists(name)]
    return found + [name for name in _OUTPUTS if _is_output(context, name, users)]


def _is_output(context: BuildContext, name: str, users: Iterable[Dockerfile]) -> bool:
    if not context.is_folder(name) or _out(context, name):
        return False
    files = context.files(name)
    if not files or any(file.endswith(".py") for file in files):
        return False
    word = re.compile(rf"(?<![\w./-]){name}(?![\w-])")
    if any(word.search(one.source.text) for one in users):
        return False
    return sum(map(context.size, files)) >= _SMALL or not needed.mentioned(context, name)


def _additions(ignore: IgnoreFile, names: list[str]) -> Hit:
    source = ignore.source
    before = "" if not source.text or source.text.endswith("\n") else source.line_end
    lines = "".join(f"{_EVERYWHERE.get(name, name)}{source.line_end}" for name in names)
    end = len(source.text)
    span = ignore.patterns[-1][1] if ignore.patterns else (0, 0)
    return Hit(
        span=span,
        message=f"{source.path.name or source.name} does not leave out {listed(names)}",
        remedy=f"Add {', '.join(_EVERYWHERE.get(name, name) for name in names)}",
        fix=Fix(what="add the patterns", edits=(Edit(end, end, before + lines),)),
    )


IGNORE_NOT_RECURSIVE = Rule(
    key="ignore-not-recursive",
    severity="warning",
    title="A pattern that {matches} at the top of the context only",
    why="Unlike .gitignore, this file matches a pattern against the whole path: what lies in folders gets in.",
    remedy="Write `**/` before the pattern",
    source=SOURCE,
    fix="automatic",
)

_BYTECODE = re.compile(r"\*\.py\[[cod]+\]|\*\.py[cod]|\*\$py\.class|__pycache__")
"""What lies in each folder with code."""

_ANYWHERE = re.compile(r"\*\.(?:ipynb|ckpt|pth|pt|h5|safetensors|parquet)|\.ipynb_checkpoints|\.DS_Store|\*~")
"""What lies in any folder of ML projects: told too where nothing is known of the project."""

_SOMEWHERE = re.compile(r"\*\.(?:log|tmp|bak|swp|csv|npy|npz|onnx|pkl|joblib|egg-info)|Thumbs\.db")
"""What may lie in any: told where it does. Of *.md or *.txt nobody knows whether those at the top are meant."""


@IGNORE_NOT_RECURSIVE.check(IgnoreFile)
def only_at_the_top(ignore: IgnoreFile) -> Iterator[Hit]:
    """Names without a folder, as in .gitignore; bytecode always, others where there are such files or nothing is known."""
    rules = matcher(ignore)
    users = _users(ignore)
    if _unread(ignore, users):
        return
    named = {source for one in users for _, source in taken(one)}
    found = [
        (text, span)
        for text, span in ignore.patterns
        if _lies_deeper(text.strip("/").removeprefix("./"), users)
        and not rules.leaves_out(f"some/folder/{_example(text)}")
        and not any("/" in source and _matches(f"**/{text.strip('/')}", source) for source in named)
    ]
    if found:
        matches = "match" if len(found) > 1 else "matches"
        yield Hit(
            span=found[0][1],
            message=f"{listed([text for text, _ in found])} {matches} at the top of the context only",
            remedy=f"Write {listed(['**/' + text.removeprefix('./').lstrip('/') for text, _ in found])}",
            fix=Fix(what="match in all folders", edits=tuple(_recursive(text, span) for text, span in found)),
        )


def _example(text: str) -> str:
    """A name that such a pattern matches."""
    return re.sub(r"\[(.)[^\]]*\]", r"\1", text.strip("/").removeprefix("./").replace("*", "x"))


def _matches(pattern: str, path: str) -> bool:
    return DockerRules.parse([pattern]).leaves_out(path)


def _lies_deeper(name: str, users: list[Dockerfile]) -> bool:
    """Whether such files lie in folders of the context and get in."""
    contexts = [one.context for one in users if not one.context.bare]
    below = [path for context in contexts for path in context.files() if "/" in path]
    if _BYTECODE.fullmatch(name):
        return not contexts or any(path.endswith(".py") for path in below)
    if contexts:
        expected = _ANYWHERE.fullmatch(name) or _SOMEWHERE.fullmatch(name)
        return expected is not None and any(_matches(f"**/{name}", path) for path in below)
    return _ANYWHERE.fullmatch(name) is not None


def _recursive(text: str, span: Span) -> Edit:
    lead = len(text) - len(text.removeprefix("./").lstrip("/"))
    return Edit(span[0], span[0] + lead, "**/")


IGNORE_DROPS_NEEDED = Rule(
    key="ignore-drops-needed",
    severity="error",
    title="The ignore file leaves out what the Dockerfile needs",
    why="For the build the file is not there, and it fails.",
    remedy="Take the pattern out, or add a line with `!` and the path behind it",
    source=SOURCE,
)


@IGNORE_DROPS_NEEDED.check(IgnoreFile)
def drops(ignore: IgnoreFile) -> Iterator[Hit]:
    """Sources of COPY and of mounts, requirements, locks, and what the project's own build reads."""
    said: set[str] = set()
    for dockerfile in _users(ignore):
        for path, wherefore in needed.of(dockerfile):
            if path not in said and (span := _dropping(ignore, dockerfile.context, path)):
                said.add(path)
                text = ignore.source.text[slice(*span)]
                yield Hit(
                    span=span, message=f"{text} leaves out {path}, which {wherefore}", remedy=f"Add the line !{path} behind it"
                )


@IGNORE_DROPS_NEEDED.check(Dockerfile)
def drops_unseen(dockerfile: Dockerfile) -> Iterator[Hit]:
    """The same where only the Dockerfile is looked at."""
    ignore = dockerfile.context.ignore
    if ignore is None or any(one.source.path == ignore.source.path for one in dockerfile.context.workspace.all(IgnoreFile)):
        return
    for step, path in taken(dockerfile):
        if span := _dropping(ignore, dockerfile.context, path):
            text = ignore.source.text[slice(*span)]
            yield Hit(
                span=step.span, message=f"{text} of the ignore file leaves out {path}", remedy=f"Add the line !{path} to it"
            )


def _dropping(ignore: IgnoreFile, context: BuildContext, path: str) -> Span | None:
    """The pattern that decides that a path stays out with all that is in it."""
    rules = matcher(ignore)
    if re.search(r"[*?\[\\]", path) or path == "." or not context.left_out(path) or rules.keeps_below(path):
        return None
    matching = (span for text, span in reversed(ignore.patterns) if not text.startswith("!") and _matches(f" {text}", path))
    return next(matching, None)
