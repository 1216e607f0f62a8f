"""Reads .dockerignore and .containerignore (Docker, "Build context", ".dockerignore files")."""

from __future__ import annotations

from collections.abc import Iterator

from shipwheel.lint.files.subjects import IgnoreFile
from shipwheel.lint.source import Source, Span
from shipwheel.lint.workspace import Workspace
from shipwheel.project.ignore import DockerRules


def load_ignore(source: Source, workspace: Workspace) -> IgnoreFile:
    """The patterns of a file; never raises, whatever the text."""
    return IgnoreFile(source=source, workspace=workspace, patterns=tuple(_patterns(source)))


def matcher(ignore: IgnoreFile) -> DockerRules:
    """What decides which paths stay out."""
    return DockerRules.parse(f" {text}" for text, _ in ignore.patterns)


def _patterns(source: Source) -> Iterator[tuple[str, Span]]:
    """Blank lines and comments say nothing; a `#` behind blanks begins a pattern, as for moby/patternmatcher."""
    for line in range(1, source.lines + 1):
        start, end = source.line_span(line)
        start += source.text.startswith("\ufeff", start, end) and line == 1
        raw = source.text[start:end]
        text = raw.strip()
        if text and not raw.startswith("#"):
            start += raw.index(text)
            yield text, (start, start + len(text))
