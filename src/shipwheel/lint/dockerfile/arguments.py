"""Splits what follows a keyword: flags, words at blanks, words with quotes, and the JSON form."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache

from shipwheel.lint.dockerfile.blanks import SPACES
from shipwheel.lint.dockerfile.instructions import Flag
from shipwheel.lint.source import Excerpt, Span

BLANKS = re.compile(r"[\t\v\f\r ]+")
"""Between a keyword and its arguments, and between most arguments."""
_SPACE = re.compile(f"[{SPACES}]*")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]++|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*+"')
_BETWEEN = re.compile(r"[ \t\r\n]*")


@cache
def _flag_pattern(escape: str) -> re.Pattern[str]:
    """A word in which quotes and escape characters may stand; both kinds of quotes know escapes."""
    e = re.escape(escape)
    quoted = [rf"{quote}(?:[^{quote}{e}]++|{e}.)*+(?:{quote}|{e}?\Z)" for quote in "\"'"]
    return re.compile(rf"--(?:[^{SPACES}\"'{e}]++|{e}.|{e}\Z|{quoted[0]}|{quoted[1]})*+", re.DOTALL)


@cache
def _word_pattern(escape: str) -> re.Pattern[str]:
    """The same where single quotes know no escapes."""
    e = re.escape(escape)
    double = rf'"(?:[^"{e}]++|{e}.)*+(?:"|{e}?\Z)'
    return re.compile(rf"(?:[^{SPACES}\"'{e}]++|{e}.|{e}\Z|{double}|'[^']*+(?:'|\Z))++", re.DOTALL)


@cache
def _plain_pattern(escape: str) -> re.Pattern[str]:
    e = re.escape(escape)
    return re.compile(rf"[\"']|{e}(.?)", re.DOTALL)


def trimmed(text: str, start: int, stop: int) -> Span:
    """A part without the blanks around it."""
    while stop > start and text[stop - 1] in SPACES:
        stop -= 1
    found = _SPACE.match(text, start, stop)
    return (found.end() if found else start), stop


def flags(line: Excerpt, start: int, stop: int, escape: str) -> tuple[tuple[Flag, ...], int]:
    """The flags from `start` on, and where they end."""
    text = line.text[:stop]
    found: list[Flag] = []
    while True:
        at = trimmed(text, start, len(text))[0]
        if not text.startswith("--", at):
            return tuple(found), at
        match = _flag_pattern(escape).match(text, at)
        end = match.end() if match else at
        raw = text[at:end]
        if _plain(raw, escape) == "--":
            return tuple(found), end
        found.append(_flag(line, at, raw, escape))
        start = end


def _flag(line: Excerpt, at: int, raw: str, escape: str) -> Flag:
    name, equals, value = raw.partition("=")
    end = at + len(raw)
    return Flag(
        name=_plain(name, escape)[2:],
        value=_plain(value, escape),
        span=line.span(at, end),
        value_span=line.span(end - len(value), end) if equals else line.span(end, end),
    )


def _plain(raw: str, escape: str) -> str:
    """Without quotes and escape characters. Which quote closes which is not looked at: a quote in quotes is a rarity."""
    if escape not in raw and '"' not in raw and "'" not in raw:
        return raw
    out: list[str] = []
    quote, at = "", 0
    for match in _plain_pattern(escape).finditer(raw):
        out.append(raw[at : match.start()])
        at = match.end()
        if match[0][0] == escape:
            out.append(match[1])
        elif not quote:
            quote = match[0]
        elif quote == match[0]:
            quote = ""
        else:
            out.append(match[0])
    return "".join((*out, raw[at:]))


def split_blanks(text: str, start: int, stop: int) -> Iterator[Span]:
    """Words between blanks."""
    for match in BLANKS.finditer(text, start, stop):
        yield start, match.start()
        start = match.end()
    if start < stop:
        yield start, stop


def split_quoted(text: str, start: int, stop: int, escape: str) -> Iterator[Span]:
    """Words between blanks, those in quotes and behind an escape character excepted."""
    pattern = _word_pattern(escape)
    for match in pattern.finditer(text[:stop], start):
        at, end = match.span()
        if end == stop and _ends_escaped(text[at:end], escape):
            end -= 1
        if end > at:
            yield at, end


def _ends_escaped(word: str, escape: str) -> bool:
    """Whether the last character is an escape character with nothing behind it to escape, which BuildKit drops."""
    if not word.endswith(escape):
        return False
    quote, at = "", 0
    while at < len(word):
        char = word[at]
        if char == escape and quote != "'":
            if at + 1 == len(word):
                return True
            at += 1
        elif char in "\"'":
            quote = char if not quote else "" if quote == char else quote
        at += 1
    return False


def json_strings(text: str, start: int, stop: int) -> list[tuple[str, Span]] | None:
    """The strings of an array with their places (quotes included); None where it is no array of strings.

    Raises:
        ValueError: it is an array, but not of strings only, which BuildKit refuses.
    """
    if not text.startswith("[", start, stop):
        return None
    found = _strings(text, start, stop)
    if found is None and _is_array(text[start:stop]):
        raise ValueError("only strings may stand in the JSON form")
    return found


def _strings(text: str, start: int, stop: int) -> list[tuple[str, Span]] | None:
    found: list[tuple[str, Span]] = []
    at = _blank(text, start + 1)
    if text.startswith("]", at, stop):
        return found if _blank(text, at + 1) >= stop else None
    while match := _STRING.match(text, at, stop):
        raw = match[0]
        found.append((json.loads(raw) if "\\" in raw else raw[1:-1], match.span()))
        at = _blank(text, match.end())
        if text.startswith("]", at, stop):
            return found if _blank(text, at + 1) >= stop else None
        if not text.startswith(",", at, stop):
            return None
        at = _blank(text, at + 1)
    return None


def _blank(text: str, at: int) -> int:
    found = _BETWEEN.match(text, at)
    return found.end() if found else at


def _is_array(text: str) -> bool:
    def refuse(_: str) -> object:
        raise ValueError("no number")

    try:
        json.loads(text, parse_constant=refuse, parse_int=str)
    except (ValueError, RecursionError):
        return False
    return True
