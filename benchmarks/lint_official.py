"""What lint says of official images and examples, and whether all of it is known: `python benchmarks/lint_official.py FOLDER`.

FOLDER holds git checkouts of the repositories that tests/unit/lint/official.toml names, each in OWNER/NAME or OWNER+NAME.
Errors and warnings that this file does not explain are printed, and the status is 1.
"""

from __future__ import annotations

import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from shipwheel.lint.dockerfile.stages import Dockerfile
from shipwheel.lint.finding import SEVERITIES, Finding
from shipwheel.lint.linting import lint

KNOWN = Path(__file__).parents[1] / "tests" / "unit" / "lint" / "official.toml"


def checkout(checkouts: Path, name: str) -> Path | None:
    """Where a repository lies; None where it does not."""
    places = (checkouts / name, checkouts / name.replace("/", "+"))
    return next((place for place in places if place.is_dir()), None)


def unexplained(known: Mapping[str, Any], findings: tuple[Finding, ...]) -> Iterator[Finding]:
    """Errors and warnings of a repository by rules that are not known to speak there, or that speak more often than known."""
    told = [one for one in findings if one.severity != "info"]
    counts = Counter(one.rule for one in told)
    yield from (one for one in told if counts[one.rule] > known.get(one.rule, {}).get("count", 0))


def main() -> None:
    """Print what is new, and a table of what was found."""
    checkouts = Path(sys.argv[1])
    new = files = containers = 0
    severities: Counter[str] = Counter()
    for name, known in tomllib.loads(KNOWN.read_text()).items():
        folder = checkout(checkouts, name)
        if folder is None:
            print(f"{name}: no checkout", file=sys.stderr)
            continue
        report = lint([folder], root=folder)
        files += report.files
        containers += len({one.source.name for one in report.workspace.all(Dockerfile)})
        severities.update(one.severity for one in report.findings)
        for one in unexplained(known, report.findings):
            new += 1
            line = one.source.position(one.span[0]).line
            print(f"{name}: {one.source.name}:{line}: {one.severity}: {one.message} [{one.rule}]")
    print(f"| files | Dockerfiles | {' | '.join(SEVERITIES)} | not explained |\n|{'---:|' * 6}")
    print(f"| {files} | {containers} | {' | '.join(str(severities[one]) for one in SEVERITIES)} | {new} |")
    sys.exit(1 if new else 0)


if __name__ == "__main__":
    main()
