"""From a shell text, or the words of a JSON form, to commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shipwheel.lint.shell.command import Command
from shipwheel.lint.shell.tree import commands_in, inner_commands, inner_text
from shipwheel.lint.shell.wrappers import unwrapped
from shipwheel.lint.source import Excerpt, Source
from shipwheel.lint.word import Word


def parse_shell(excerpt: Excerpt, variables: Mapping[str, str]) -> tuple[Command, ...]:
    """All simple commands in the order of the text; never raises, whatever the text.

    `variables` are those known before (ENV, ARG defaults); assignments of constants in the text itself are followed in order.
    A variable that holds a whole command (`$PIP install x` with PIP="pip --quiet") is split into words, all with its span.
    """
    return tuple(commands_in(excerpt, variables))


def parse_words(words: Sequence[Word], source: Source, variables: Mapping[str, str]) -> tuple[Command, ...]:
    """The command of a JSON form, no variable put in by a shell; for `["sh", "-c", TEXT]` also those inside TEXT."""
    if not words:
        return ()
    span = (words[0].span[0], words[-1].span[1])
    command = unwrapped(Command(program="", words=tuple(words), span=span))
    text = inner_text(command)
    excerpt = None
    if text and source.text[text.span[0] + 1 : text.span[1] - 1] == text.text:
        excerpt = Excerpt.whole(source, (text.span[0] + 1, text.span[1] - 1))
    return (command, *inner_commands(command, excerpt, variables))
