"""Commands of a shell text: what runs, with which words, joined by which operators, and where."""

from __future__ import annotations

from dataclasses import dataclass

from shipwheel.lint.source import Span
from shipwheel.lint.word import Word

SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "zsh"})
"""Programs that read this grammar, near enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """`NAME=value` before a command, alone, or as an argument of export, declare, local, readonly."""

    name: str
    value: Word
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """`operator` is one of > >> < 2> 2>> &> >& <<< and the like, with its descriptor; `target` None for heredocs."""

    operator: str
    target: Word | None
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A simple command.

    `program` is the base name of what runs, behind wrappers (`sudo`, `env`, `exec`, `time`, `nice`, `nohup`, `command` ...) and
    assignments; empty where there is only an assignment. `words[0]` is the program's word, `words[1:]` its arguments. Of
    `sh -c TEXT` both the outer command and those inside TEXT are listed, the latter with "sh -c" in `inside`.
    `before` and `after` are the operators that join it to its neighbours: "", "&&", "||", ";", "|", "|&", "&" (a newline is
    ";"). `inside` are the constructs around it, outermost first: "if" (the condition), "then", "else", "for", "while", "case",
    "function", "subshell", "group", "substitution", "sh -c", "negation".
    `wrappers` are the words before the program, such as sudo.
    """

    program: str
    words: tuple[Word, ...]
    span: Span
    assignments: tuple[Assignment, ...] = ()
    redirects: tuple[Redirect, ...] = ()
    before: str = ""
    after: str = ""
    inside: tuple[str, ...] = ()
    wrappers: tuple[Word, ...] = ()

    @property
    def arguments(self) -> tuple[Word, ...]:
        """What follows the program."""
        return self.words[1:]

    def has(self, *options: str) -> bool:
        """Whether one of these words is an argument, or `--option=value` for a long one; clusters such as -qy hold -y."""
        return any(_is_option(word.text, option) for word in self.arguments for option in options)


def _is_option(text: str, option: str) -> bool:
    if option.startswith("--") or len(option) != 2:
        return text == option or text.startswith(f"{option}=")
    return text == option or (text[:1] == "-" and text[:2] != "--" and text[1:].isalpha() and option[1] in text[1:])
