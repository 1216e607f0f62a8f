"""Calls of docker and podman on a command line: the verb, its options with their values, the image and what it runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shipwheel.lint.shell.command import Command
from shipwheel.lint.word import Word

PROGRAMS = frozenset({"docker", "podman", "nerdctl", "nvidia-docker"})

_GLOBAL_VALUES = frozenset(
    {"-H", "--host", "-c", "--context", "--config", "-l", "--log-level", "--tlscacert", "--tlscert", "--tlskey"}
)
_GROUPS = frozenset({"system", "container", "image", "volume", "network", "builder", "buildx", "compose", "scout", "stack"})
_RUN_FLAGS = frozenset(
    {
        "--detach",
        "--interactive",
        "--tty",
        "--rm",
        "--init",
        "--privileged",
        "--read-only",
        "--publish-all",
        "--quiet",
        "--help",
    }
    | {"--oom-kill-disable", "--no-healthcheck", "--sig-proxy", "--disable-content-trust", "--use-api-socket", "--replace"}
)
"""Options of `docker run` and `docker create` without a value (Docker's reference of `docker container run`)."""
_RUN_LETTERS = frozenset("ditPq")
_BUILD_FLAGS = frozenset(
    {
        "--no-cache",
        "--pull",
        "--push",
        "--load",
        "--quiet",
        "--rm",
        "--force-rm",
        "--squash",
        "--compress",
        "--check",
        "--debug",
    }
    | {"--disable-content-trust", "--help"}
)
_BUILD_LETTERS = frozenset("qD")
_SETS: dict[tuple[str, ...], tuple[frozenset[str], frozenset[str]]] = {
    ("run",): (_RUN_FLAGS, _RUN_LETTERS),
    ("create",): (_RUN_FLAGS, _RUN_LETTERS),
    ("build",): (_BUILD_FLAGS, _BUILD_LETTERS),
}
_IMAGE_VARIABLE = re.compile(r"ima?ge?|tag|repo|registry", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """`--name value`, `--name=value`, `-n value` or a letter of a cluster; `value` is empty for none. `word` holds it."""

    name: str
    value: str
    word: Word


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerCall:
    """`verb` is such as ("run",) or ("system", "prune"); `docker container run` is ("run",), `docker image build` and
    `docker buildx build` are ("build",). `operands` are the words behind the options: for run the image, then its command.
    """

    command: Command
    verb: tuple[str, ...]
    verb_words: tuple[Word, ...]
    options: tuple[Option, ...] = ()
    operands: tuple[Word, ...] = ()

    def values(self, *names: str) -> tuple[str, ...]:
        """Values of every option of these names, in order."""
        return tuple(option.value for option in self.options if option.name in names)

    def has(self, *names: str) -> bool:
        """Whether an option of these names is given, and not as =false."""
        return any(value.lower() != "false" for value in self.values(*names))

    @property
    def certain(self) -> bool:
        """Whether the first operand is the image, and no variable that may hold options: `docker run $FLAGS image`."""
        first = self.operands[0].text if self.operands else ""
        return not first.startswith("$") or _IMAGE_VARIABLE.search(first) is not None

    @property
    def environment(self) -> dict[str, str]:
        """Variables that `-e` sets with a value."""
        given = (value.partition("=") for value in self.values("-e", "--env"))
        return {name: value for name, equals, value in given if equals}


def docker_call(command: Command) -> DockerCall | None:
    """The call that a command makes; None for another program."""
    if command.program not in PROGRAMS:
        return None
    words = list(command.arguments)
    while words and words[0].text.startswith("-"):
        taken = words.pop(0).text
        if taken in _GLOBAL_VALUES and words:
            words.pop(0)
    if not words:
        return None
    size = 2 if words[0].text in _GROUPS and len(words) > 1 and not words[1].text.startswith("-") else 1
    verb_words, rest = tuple(words[:size]), words[size:]
    verb = tuple(word.text for word in verb_words)
    if verb in (("container", "run"), ("container", "create"), ("image", "build"), ("buildx", "build"), ("builder", "build")):
        verb = verb[1:]
    options, operands = _split(verb, rest)
    return DockerCall(command=command, verb=verb, verb_words=verb_words, options=options, operands=operands)


def _split(verb: tuple[str, ...], words: Sequence[Word]) -> tuple[tuple[Option, ...], tuple[Word, ...]]:
    """Options and operands. Those of run end at the image; of verbs that are not known, no option takes a value."""
    flags, letters = _SETS.get(verb, (None, None))
    options: list[Option] = []
    operands: list[Word] = []
    rest = iter(words)
    for word in rest:
        if not word.text.startswith("-") or word.text in ("-", "--"):
            operands.append(word)
            if verb in (("run",), ("create",)):
                operands.extend(rest)
        elif word.text.startswith("--"):
            options.append(_long(word, rest, flags))
        else:
            options.extend(_short(word, rest, letters))
    return tuple(options), tuple(operands)


def _long(word: Word, rest: Iterator[Word], flags: frozenset[str] | None) -> Option:
    name, equals, value = word.text.partition("=")
    if not equals and flags is not None and name not in flags:
        holder = next(rest, word)
        return Option(name=name, value=holder.text if holder is not word else "", word=holder)
    return Option(name=name, value=value, word=word)


def _short(word: Word, rest: Iterator[Word], letters: frozenset[str] | None) -> Iterator[Option]:
    """A cluster: letters without values, then perhaps one whose value is the rest of the word or the next word."""
    for at, letter in enumerate(word.text[1:], start=1):
        if letters is None or letter in letters:
            yield Option(name=f"-{letter}", value="", word=word)
            continue
        value = word.text[at + 1 :].removeprefix("=")
        holder = word if value else next(rest, word)
        yield Option(name=f"-{letter}", value=value or (holder.text if holder is not word else ""), word=holder)
        return
