"""Comments that take findings back, and should not have to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shipwheel.lint.finding import Hit
from shipwheel.lint.rule import Rule, rules
from shipwheel.lint.suppress import Ignore, named

UNUSED = Rule(
    key="ignore-unused",
    severity="info",
    title="A comment that takes back a finding that is not there",
    why="It will hide the next one, which nobody has judged.",
    remedy="Remove the key from the comment, or correct its spelling",
    source="docs/how-to/lint.md",
)

WITHOUT_REASON = Rule(
    key="ignore-without-reason",
    severity="info",
    title="A comment that takes a finding back and does not say why",
    why="Who reads it later cannot tell whether the reason still holds.",
    remedy="Write the reason behind the keys: # shipwheel: ignore=KEY reason",
    source="docs/how-to/lint.md",
)


def unused(ignores: Iterable[Ignore]) -> Iterator[Hit]:
    """Keys that took nothing back, and those that no rule has."""
    for ignore in ignores:
        for key in sorted(ignore.keys - ignore.used):
            known = any(named(rule, frozenset({key})) for rule in rules())
            yield Hit(span=ignore.span, message=f"nothing of {key} is found here" if known else f"there is no rule {key}")


def without_reason(ignores: Iterable[Ignore]) -> Iterator[Hit]:
    """Comments without a reason."""
    for ignore in ignores:
        if not ignore.reason:
            yield Hit(span=ignore.span, message=f"{', '.join(sorted(ignore.keys))} is taken back without a reason")
