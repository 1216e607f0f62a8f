"""Variables of a Dockerfile, as BuildKit's frontend/dockerfile/shell puts them in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from shipwheel.lint.dockerfile.lexer import Lexer, LexError
from shipwheel.lint.word import Word


def expand(word: Word, variables: Mapping[str, str], *, escape: str = "\\") -> Word:
    """The word with quotes removed and `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME:+other}`, `${NAME#pattern}`,
    `${NAME/a/b}` put in; `known` is False where a variable is not among `variables` and has no default.

    Words of RUN, CMD, ENTRYPOINT, SHELL and HEALTHCHECK are not for this: BuildKit leaves those as they are. A word that
    BuildKit would refuse stays as it is, not known.
    """
    if not any(char in word.text for char in ("$", "'", '"', escape)):
        return word
    lexer = Lexer(word.text, variables, escape)
    try:
        text, _ = lexer.read()
    except LexError:
        return replace(word, known=False)
    return replace(word, text=text, known=not lexer.partial)


def refusal(text: str, *, escape: str = "\\") -> str:
    """Why BuildKit would refuse such a word whatever its variables hold; "" where it would not."""
    if not any(char in text for char in ("$", "'", '"')):
        return ""
    try:
        Lexer(text, {}, escape, literal=True).read()
    except LexError as error:
        return str(error)
    return ""
