"""Findings, and the edits that mend them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shipwheel.lint.source import Source, Span

Severity = Literal["error", "warning", "info"]
"""error: it breaks or leaks; warning: it will cost you; info: better otherwise."""

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
"""The worst first."""


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Replace a span of the source by a text; an empty span inserts, an empty text removes."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """Edits of one file that mend a finding together and change nothing else of what the file means."""

    what: str
    """In the imperative, such as "add -y"."""
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """What a rule's check yields: a place in its subject's file, and what is wrong there in one sentence with the names of
    this file in it. Never a secret's value. `remedy` where the rule's own is not exact enough."""

    span: Span
    message: str
    remedy: str = ""
    fix: Fix | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A hit of a rule in a file."""

    rule: str
    severity: Severity
    source: Source
    span: Span
    message: str
    why: str
    remedy: str
    fix: Fix | None = None
