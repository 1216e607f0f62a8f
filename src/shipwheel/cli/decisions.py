"""What was found in a project, and what stays out of its image: said by `init`, and by `lock` and the first `build`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shipwheel.cli.context import Context
from shipwheel.lock import FILE_NAME
from shipwheel.project import LeftOut, Project
from shipwheel.project.settings import OWN_FILE

NAMES_SHOWN = 3
"""Paths named for each reason: enough to notice a mistake, few enough to read."""

NEVER_MISSED = frozenset(
    {"cache", "container files", "editor and CI files", "made by a build", "version control", "virtual environment"}
)
"""Reasons whose files nobody looks for in an image: said in one line, without names."""

OWN_FILES = (FILE_NAME, OWN_FILE)
"""Shipwheel's own: they are in the folder because it was used, and nobody asks about them."""


def say_decisions(context: Context, project: Project) -> None:
    """A line for each decision and for each reason to leave something out."""
    for decision in project.decisions:
        context.say(f"  {decision.what:<13} {decision.value}  ({decision.why})")
    for title, line in zip(_titles(), left_out_lines(project.left_out), strict=False):
        context.say(f"  {title:<13} {line}")


def left_out_lines(left_out: Iterable[LeftOut]) -> Iterator[str]:
    """`PATH, PATH and 2 more  (reason)`, then all the reasons of `NEVER_MISSED` in one line."""
    by_reason: dict[str, list[str]] = {}
    for item in (each for each in left_out if each.path not in OWN_FILES):
        by_reason.setdefault(item.reason, []).append(item.path)
    for reason, paths in by_reason.items():
        if reason not in NEVER_MISSED:
            more = f" and {len(paths) - NAMES_SHOWN} more" if len(paths) > NAMES_SHOWN else ""
            yield f"{', '.join(paths[:NAMES_SHOWN])}{more}  ({reason})"
    if usual := sorted(NEVER_MISSED & by_reason.keys()):
        yield ", ".join(usual)


def _titles() -> Iterator[str]:
    yield "left out"
    while True:
        yield ""
