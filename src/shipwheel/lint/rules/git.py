"""Code from repositories without a commit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from shipwheel.lint.dockerfile.stages import Dockerfile
from shipwheel.lint.files.subjects import RequirementsFile, Script
from shipwheel.lint.finding import Hit
from shipwheel.lint.packages.image_scripts import runs_in_a_build
from shipwheel.lint.packages.installs import Requested
from shipwheel.lint.rule import Rule
from shipwheel.lint.shell.command import Command
from shipwheel.lint.word import Word
from shipwheel.lint.wording import listed

GIT_UNPINNED = Rule(
    key="git-unpinned",
    severity="warning",
    title="Code from a repository without a commit or tag",
    why="Each build takes what the branch holds on that day, and the layer's cache hides for how long it did not.",
    remedy="Write the commit: git checkout COMMIT behind the clone, git clone --branch TAG, or git+https://...@COMMIT",
    source="https://pip.pypa.io/en/stable/topics/vcs-support/",
)

_BRANCHES = frozenset(
    ("main", "master", "dev", "develop", "development", "trunk", "nightly", "latest", "stable", "head", "next")
)
_ARCHIVE = re.compile(r"^https?://.*/(?:archive/(?:refs/heads/)?|zipball/|tarball/)(\w+?)(?:\.zip|\.tar\.gz)?(?:[#?]|$)")
_REVISION = re.compile(r"@([^/@#]+)(?:#|$)")
_HUB = re.compile(r"huggingface\.co|hf\.co")
_VALUED = frozenset(
    (
        "-b",
        "--branch",
        "--depth",
        "-c",
        "--config",
        "-o",
        "--origin",
        "-j",
        "--jobs",
        "--filter",
        "--reference",
        "-C",
        "--shallow-since",
    )
)
_SETS = frozenset(("checkout", "reset", "switch", "fetch", "pull"))


@GIT_UNPINNED.check(Dockerfile)
def git_unpinned(dockerfile: Dockerfile) -> Iterator[Hit]:
    """Clones, and packages from repositories."""
    for stage in dockerfile.stages:
        yield from _clones([command for step in stage.steps if step.keyword == "RUN" for command in step.commands])
        for step in stage.steps:
            for install in step.installs:
                yield from _packages(install.packages)
            for word in step.sources if step.keyword == "ADD" else ():
                if re.search(r"^(?:https?://|git@).*\.git$", word.text):
                    yield Hit(span=word.span, message=f"ADD takes whatever {word} holds at its default branch")


@GIT_UNPINNED.check(RequirementsFile)
def git_unpinned_in_files(file: RequirementsFile) -> Iterator[Hit]:
    """Lines of a requirements file; the first one is the place."""
    yield from _packages(file.packages)


def _packages(packages: Iterable[Requested]) -> Iterator[Hit]:
    found = [one for one in packages if one.url and _moves(one.url)]
    if found:
        names = listed(one.name or re.sub(r"//[^/@]*@", "//", one.url) for one in found)
        yield Hit(span=found[0].span, message=f"{names} {'comes' if len(found) == 1 else 'come'} from a branch, not a commit")


def _moves(url: str) -> bool:
    """Whether an address gives something else after the next push."""
    if url.startswith("git+"):
        revision = _REVISION.search(url.partition("://")[2].partition("/")[2])
        return revision is None or _is_branch(revision[1])
    archive = _ARCHIVE.match(url)
    return archive is not None and archive[1].lower() in _BRANCHES


def _is_branch(name: str) -> bool:
    """Whether a revision is no commit and no tag: both have a digit in their names."""
    return name.lower() in _BRANCHES or not re.search(r"[\d${]", name)


@GIT_UNPINNED.check(Script)
def git_unpinned_in_scripts(script: Script) -> Iterator[Hit]:
    """In scripts that a Dockerfile runs."""
    if runs_in_a_build(script):
        yield from _clones(script.commands)


def _clones(commands: Sequence[Command]) -> Iterator[Hit]:
    for number, command in enumerate(commands):
        if not _is_clone(command) or _is_fixed(command):
            continue
        following = commands[number + 1 :]
        end = next((at for at, other in enumerate(following) if _is_clone(other)), len(following))
        if not any(_settles(other) for other in following[:end]):
            yield Hit(span=command.span, message=f"git clones {_repository(command)} without a commit or tag")


def _is_clone(command: Command) -> bool:
    verb = _verb(command)
    return command.program == "git" and verb is not None and verb.text == "clone"


def _verb(command: Command) -> Word | None:
    """The first argument that is no option of git itself."""
    skipping = False
    for word in command.arguments:
        if skipping or word.text.startswith("-"):
            skipping = not skipping and word.text in ("-C", "-c")
            continue
        return word
    return None


def _is_fixed(command: Command) -> bool:
    """Whether it names a tag or a branch that need not move. A hub of models has a rule of its own."""
    words = command.arguments
    for number, word in enumerate(words):
        name, equals, value = word.text.partition("=")
        if name in ("-b", "--branch", "--revision") and (equals or number + 1 < len(words)):
            branch = value if equals else words[number + 1].text
            return not _is_branch(branch)
    return bool(_HUB.search(_repository(command))) or not _repository(command)


def _repository(command: Command) -> str:
    skipping, seen = False, False
    for word in command.arguments:
        if skipping:
            skipping = False
        elif word.text.startswith("-"):
            skipping = word.text in _VALUED
        elif seen:
            return re.sub(r"//[^/@]*@", "//", word.text)
        else:
            seen = word.text == "clone"
    return ""


def _settles(command: Command) -> bool:
    """Whether a command goes to a commit: `checkout X`, `reset --hard X`, `fetch origin X`, or a script that is called so."""
    if command.program != "git":
        return any("checkout" in word.text for word in command.words)
    verb = _verb(command)
    if verb is None or verb.text not in _SETS:
        return False
    targets = [word.text for word in command.arguments if word is not verb and not word.text.startswith("-")]
    last = targets[-1].rpartition("/")[2].lower() if targets else ""
    return bool(last) and last not in (*_BRANCHES, "update", "origin", ".")
