"""Applies the fixes of findings to the text of a file."""

from __future__ import annotations

from collections.abc import Iterable

from shipwheel.lint.finding import Edit, Finding


def fixed(text: str, findings: Iterable[Finding]) -> tuple[str, tuple[Finding, ...]]:
    """The text with the fixes of these findings of one file, and the findings that were mended.

    A fix that touches what an earlier one changes is left for the next round (equal edits are one).
    """
    done: list[Finding] = []
    edits: set[Edit] = set()
    for finding in findings:
        if finding.fix and not any(_clash(edit, other) for edit in finding.fix.edits for other in edits):
            edits.update(finding.fix.edits)
            done.append(finding)
    for edit in sorted(edits, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text, tuple(done)


def _clash(edit: Edit, other: Edit) -> bool:
    """Whether both change the same characters, or insert at the same place; the same edit twice does not."""
    if edit == other:
        return False
    return edit.start == other.start or (edit.start < other.end and other.start < edit.end)
