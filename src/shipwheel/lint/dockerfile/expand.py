"""Variables of a Dockerfile, as BuildKit's frontend/dockerfile/shell puts them in."""

from __future__ import annotations

from collections.abc import Mapping

from shipwheel.lint.word import Word


def expand(word: Word, variables: Mapping[str, str], *, escape: str = "\\") -> Word:
    """The word with quotes removed and `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME:+other}`, `${NAME#pattern}`,
    `${NAME/a/b}` put in; `known` is False where a variable is not among `variables` and has no default."""
    raise NotImplementedError
