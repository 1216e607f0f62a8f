"""Edits of words that stand in a file as they are read, and not in a variable that was put in."""

from __future__ import annotations

from shipwheel.lint.finding import Edit
from shipwheel.lint.source import Source, Span
from shipwheel.lint.word import Word


def is_written(source: Source, word: Word) -> bool:
    """Whether the word's text stands at its place, with or without quotes around it."""
    raw = source.text[slice(*word.span)]
    return raw == word.text or (
        len(raw) == len(word.text) + 2 and raw[1:-1] == word.text and raw[0] == raw[-1] and raw[0] in "\"'"
    )


def exchanged(source: Source, span: Span, old: str, new: str) -> tuple[Edit, ...]:
    """Another text for a part of what stands there; nothing where that part does not stand there once."""
    raw = source.text[slice(*span)]
    at = raw.find(old)
    if not old or at < 0 or raw.count(old) > 1:
        return ()
    return (Edit(span[0] + at, span[0] + at + len(old), new),)


def behind(source: Source, word: Word, text: str) -> tuple[Edit, ...]:
    """Another word behind this one; nothing where it does not stand there."""
    return (Edit(word.span[1], word.span[1], f" {text}"),) if is_written(source, word) else ()


def taken_out(source: Source, words: list[Word]) -> tuple[Edit, ...]:
    """Words that follow each other, without the blanks before them; continuations and comments stay."""
    if not all(is_written(source, word) for word in words):
        return ()
    start, end = words[0].span[0], words[-1].span[1]
    if "\n" in source.text[start:end]:
        return ()
    before = source.text[:start]
    blank = len(before) - len(before.rstrip(" \t"))
    if blank and not before[: start - blank].endswith("\n"):
        return (Edit(start - blank, end, ""),)
    after = source.text[end:]
    return (Edit(start, end + len(after) - len(after.lstrip(" \t")), ""),)
