"""Code blocks for a shell in Markdown and reStructuredText."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shipwheel.lint.source import Excerpt, Source, Span

_FENCE = re.compile(r"^(?P<indent>[ \t>]*)(?P<fence>`{3,}|~{3,})[ \t]*\{?\.?(?P<language>[\w+-]*)[^\n`]*\n", re.MULTILINE)
_DIRECTIVE = re.compile(
    r"^(?P<indent>[ \t]*)\.\. (?:code-block|code|sourcecode|prompt|parsed-literal)::[ \t]*(?P<language>[\w-]*)[^\n]*\n",
    re.MULTILINE,
)
_LANGUAGES = frozenset({"bash", "sh", "shell", "zsh", "console", "shell-session", "shellsession", "terminal", "bash-session"})
_PROMPT = re.compile(r"[ \t]*(?:\([\w.-]+\)[ \t]*)?(?:[\w.@:~/-]*[$%][ \t]+)")
_COMMAND = re.compile(
    r"^[ \t>]*(?:\$ )?(?:sudo )?(?:\w+=\S+ )?"
    r"(?:(?:docker|podman|nvidia-docker|docker-compose|apt-key|pip-compile) |apt(?:-get)? install )",
    re.MULTILINE,
)
"""A line that tells that a block without a language is for a shell."""
_OTHER = re.compile(r"^\s*(?:FROM |RUN |COPY |services:|apiVersion:|<\w)", re.MULTILINE)
"""A line that tells that it is a file after all, with commands in it."""
_INDENTED = re.compile(r"(?:(?<=\n\n)|(?<=\n\r\n))(?:(?: {4}|\t)[^\n]*(?:\n|$))+")


def document_blocks(source: Source) -> Iterator[Excerpt]:
    """Code blocks for a shell, of Markdown or reStructuredText; what a session answers is left out."""
    find = _rst_blocks if source.name.lower().endswith(".rst") else _markdown_blocks
    for language, lines in find(source):
        text = "".join(source.text[start:end] for start, end in lines)
        unnamed = language in ("", "docker") and _COMMAND.search(text) and not _OTHER.search(text)
        if language.lower() in _LANGUAGES or unnamed:
            yield Excerpt.joined(source, _typed(source.text, lines))


def _markdown_blocks(source: Source) -> Iterator[tuple[str, list[Span]]]:
    """Fenced blocks, and what is indented by four after an empty line (CommonMark 0.31, section 4.4)."""
    end = 0
    for language, lines in _fences(source):
        if lines:
            yield from _indented(source, end, lines[0][0])
            end = lines[-1][1]
        yield language, lines
    yield from _indented(source, end, len(source.text))


def _indented(source: Source, start: int, end: int) -> Iterator[tuple[str, list[Span]]]:
    """Blocks that begin with a command: in lists, what is indented may be anything."""
    for found in _INDENTED.finditer(source.text, start, end):
        depth = len(found.group()) - len(found.group().lstrip())
        if _COMMAND.match(source.text, found.start(), found.end()) and "```" not in found.group():
            yield "", [(_inside(source.text, *line, depth), line[1]) for line in _line_spans(source.text, *found.span())]


def _line_spans(text: str, start: int, end: int) -> Iterator[Span]:
    while start < end:
        stop = min(_line_end(text, start), end)
        yield start, stop
        start = stop


def _fences(source: Source) -> Iterator[tuple[str, list[Span]]]:
    """Language and lines of fenced blocks, their indentation taken out (CommonMark 0.31, section 4.5)."""
    at = 0
    while opened := _FENCE.search(source.text, at):
        lines: list[Span] = []
        closing = re.compile(rf"[ \t>]*{re.escape(opened['fence'])}[`~]*[ \t]*\r?\n?")
        start = opened.end()
        while start < len(source.text) and not closing.fullmatch(source.text, start, _line_end(source.text, start)):
            end = _line_end(source.text, start)
            lines.append((_inside(source.text, start, end, len(opened["indent"])), end))
            start = end
        yield opened["language"], lines
        at = max(_line_end(source.text, start), opened.end())


def _line_end(text: str, start: int) -> int:
    return text.find("\n", start) + 1 or len(text)


def _inside(text: str, start: int, end: int, indent: int) -> int:
    """Where a line begins behind at most that much indentation."""
    while indent and start < end and text[start] in " \t>":
        start, indent = start + 1, indent - 1
    return start


def _rst_blocks(source: Source) -> Iterator[tuple[str, list[Span]]]:
    """Language and lines of code directives."""
    for opened in _DIRECTIVE.finditer(source.text):
        lines: list[Span] = []
        start = opened.end()
        while start < len(source.text):
            end = _line_end(source.text, start)
            line = source.text[start:end]
            depth = len(line) - len(line.lstrip())
            if line.strip() and depth <= len(opened["indent"]):
                break
            if not line.lstrip().startswith(":") or lines:
                lines.append((start + min(depth, max(len(line.rstrip("\r\n")), 0)), end))
            start = end
        yield opened["language"], lines


def _typed(text: str, lines: list[Span]) -> list[Span]:
    """What people type: behind prompts where there are any, else every line."""
    if not any(_PROMPT.match(text, start, end) for start, end in lines):
        return lines
    typed: list[Span] = []
    goes_on = False
    for start, end in lines:
        prompt = _PROMPT.match(text, start, end)
        if prompt or goes_on:
            typed.append((start if goes_on or not prompt else prompt.end(), end))
            goes_on = text[start:end].rstrip().endswith("\\")
    return typed
