"""Twins: a file with a fault and the same file without it, for the rules of `shipwheel lint`."""

import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from shipwheel.lint.edits.fixing import fixed
from shipwheel.lint.finding import Finding
from shipwheel.lint.linting import Selection, lint


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write files below a folder, line ends as given."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())


def findings(folder: Path, files: Mapping[str, str], *rules: str) -> tuple[Finding, ...]:
    """What these rules (or all) find in a folder with these files."""
    write(folder, files)
    return lint([folder], Selection(select=frozenset(rules)), root=folder).findings


@dataclass(frozen=True, kw_only=True)
class Twin:
    """`bad` holds the fault, `good` does not; both are the text of the file `name`, beside `files`.

    `files` lie beside both, `bad_files` and `good_files` beside one. `line`: where the (first) finding must stand; `says`: a
    part of its message; `count`: how many findings there are in `bad`. `fixed`: the text after --fix, for automatic fixes; it
    must be stable, and without that finding. Either of `bad` and `good` may be left out (a trap has only a good one).
    """

    rule: str
    bad: str | None = None
    good: str | None = None
    name: str = "Dockerfile"
    files: Mapping[str, str] = field(default_factory=dict)
    bad_files: Mapping[str, str] = field(default_factory=dict)
    good_files: Mapping[str, str] = field(default_factory=dict)
    line: int = 0
    says: str = ""
    count: int = 1
    fixed: str | None = None

    def __str__(self) -> str:
        return self.rule

    def check(self, folder: Path) -> None:
        """Lint both and compare."""
        if self.bad is not None:
            self._check_bad(folder / "bad", self.bad)
        if self.good is not None:
            files = {**self.files, **self.good_files, self.name: self.good}
            assert [found.message for found in findings(folder / "good", files, self.rule)] == []

    def _check_bad(self, folder: Path, bad: str) -> None:
        files = {**self.files, **self.bad_files, self.name: bad}
        found = findings(folder, files, self.rule)
        assert len(found) == self.count, [one.message for one in found]
        place = found[0].source.position(found[0].span[0])
        assert not self.line or place.line == self.line
        assert self.says in found[0].message
        for one in found:
            assert not re.search(r"[^. ]\.$", one.message), one.message
            assert not re.search(r"^[a-z]|[^. ]\.$", one.remedy), one.remedy
        if self.fixed is not None:
            assert _mended(bad, found) == self.fixed
            again = findings(folder, {**files, self.name: self.fixed}, self.rule)
            assert not [one for one in again if one.fix], "the fix is not stable"


def _mended(text: str, found: tuple[Finding, ...]) -> str:
    return fixed(text, found)[0]


@cache
def all_twins() -> tuple[Twin, ...]:
    """The TWINS of every file of tests/unit/lint/rules/."""
    found: list[Twin] = []
    for path in sorted((Path(__file__).parents[1] / "unit" / "lint" / "rules").glob("test_*.py")):
        spec = importlib.util.spec_from_file_location(f"twins_{path.stem}", path)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found += getattr(module, "TWINS", [])
    return tuple(found)
