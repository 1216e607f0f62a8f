"""The text of a YAML scalar with the place of each character: through indentation, folding and escapes."""

from __future__ import annotations

import re

from shipwheel.lint.files.subjects import Node
from shipwheel.lint.source import Excerpt, Source, Span

_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")
_HEADER = re.compile(r"[|>][0-9+-]*[ \t]*(?:#[^\n]*)?\r?\n?")
_FOLDED = re.compile(r"^(\S[^\n]*)\n(?=\S)", re.MULTILINE)
_LINE = re.compile(r"[^\n]*\n?")
_ESCAPE = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|\r?\n[ \t]*|.)", re.DOTALL)
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "e": "\x1b", "a": "\a", "b": "\b", "\n": "", "\r": ""}


def scalar_text(source: Source, node: Node) -> Excerpt:
    """What a string says, as a YAML reader gives it but for line breaks at its end; empty for what is no scalar."""
    if isinstance(node.value, dict | list) or node.value is None:
        return Excerpt(source, "", ((0, node.span[0]),))
    start, end = node.span
    if source.text[start : start + 1] == "*":
        return Excerpt(source, node.raw, ((0, start),))
    properties = _PROPERTIES.match(source.text, start, end)
    start = properties.end() if properties else start
    first = source.text[start : start + 1]
    if first in ("|", ">"):
        return _block(source, start, end, folded=first == ">")
    if first in ("'", '"'):
        return _flow(source, (start + 1, max(end - 1, start + 1)), escapes=first)
    return _flow(source, (start, end), escapes="")


def _block(source: Source, start: int, end: int, *, folded: bool) -> Excerpt:
    """Lines of a block scalar, without what they are indented by."""
    header = _HEADER.match(source.text, start, end)
    lines = _lines(source.text, header.end() if header else end, end)
    depths = [_depth(source.text[begin:stop]) for begin, stop in lines if source.text[begin:stop].strip()]
    depth = min(depths, default=0)
    ends = [stop - len(source.text[begin:stop]) + len(source.text[begin:stop].rstrip("\r\n")) for begin, stop in lines]
    excerpt = Excerpt.joined(source, [(min(begin + depth, end), stop) for (begin, stop), end in zip(lines, ends, strict=True)])
    text = _FOLDED.sub(r"\1 ", excerpt.text) if folded else excerpt.text
    return Excerpt(source, text.rstrip("\r\n"), excerpt.pieces)


def _lines(text: str, start: int, end: int) -> list[Span]:
    spans = []
    while start < end:
        line = _LINE.match(text, start, end)
        stop = line.end() if line else end
        spans.append((start, stop))
        start = stop
    return spans


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _flow(source: Source, span: Span, *, escapes: str) -> Excerpt:
    """A plain or quoted scalar: lines joined by a space, escapes read."""
    pattern = _FLOW[escapes]
    parts: list[str] = []
    pieces: list[tuple[int, int]] = []
    at, length = span[0], 0
    for found in [*pattern.finditer(source.text, *span), None]:
        stop = found.start() if found else span[1]
        for text, offset in ((source.text[at:stop], at), (_meant(found.group()) if found else "", stop)):
            if text:
                pieces.append((length, offset))
                parts.append(text)
                length += len(text)
        at = found.end() if found else stop
    return Excerpt(source, "".join(parts), tuple(pieces) or ((0, span[0]),))


_FOLD = r"[ \t\r]*\n\s*"
_FLOW = {"": re.compile(_FOLD), "'": re.compile(f"{_FOLD}|''"), '"': re.compile(f"{_ESCAPE.pattern}|{_FOLD}", re.DOTALL)}


def _meant(written: str) -> str:
    """What an escape or a line break in a flow scalar stands for."""
    if written == "''":
        return "'"
    if not written.startswith("\\"):
        return "\n" * (written.count("\n") - 1) or " "
    letter = written[1]
    if letter in "xuU" and len(written) > 2:
        code = int(written[2:], 16)
        return chr(code) if code < 0x110000 else "\ufffd"
    return _LETTERS.get(letter, letter)
