"""Comments that take a finding back: `# shipwheel: ignore=KEY reason`."""

from __future__ import annotations

from shipwheel.lint.finding import Finding


def suppressed(finding: Finding) -> bool:
    """Whether a comment on the finding's line, on the line above its instruction, or at the top of the file takes it back."""
    return False
