"""--fix over the bad twins of every rule: stable, nothing else touched, line ends and comments as they were."""

import re
from pathlib import Path

import pytest

from shipwheel.lint.dockerfile.parse import parse
from shipwheel.lint.edits.mending import mend
from shipwheel.lint.linting import Selection
from shipwheel.lint.source import Source
from support.linting import Twin, all_twins, write

BAD = [twin for twin in all_twins() if twin.bad is not None]
DOCKERFILES = [twin for twin in BAD if twin.name.rpartition("/")[2] == "Dockerfile"]


def mended(folder: Path, twin: Twin, text: str) -> str:
    """The text after --fix with all rules; a second --fix must change nothing."""
    files = {**twin.files, **twin.bad_files, twin.name: text}
    write(folder / "first", files)
    changes = mend([folder / "first"], Selection(), root=folder / "first").changes
    after = {path.relative_to(folder / "first").as_posix(): new.text for path, (_, new) in changes.items()}
    write(folder / "second", {**files, **after})
    again = mend([folder / "second"], Selection(), root=folder / "second")
    assert not again.changes, again.done
    return after.get(twin.name, text)


@pytest.mark.parametrize("twin", BAD, ids=str)
def test_a_second_run_changes_nothing(twin: Twin, tmp_path: Path) -> None:
    assert twin.bad is not None
    mended(tmp_path, twin, twin.bad)


@pytest.mark.parametrize("twin", DOCKERFILES, ids=str)
def test_line_ends_and_comments_stay(twin: Twin, tmp_path: Path) -> None:
    assert twin.bad is not None
    text = "# above\n" + twin.bad.replace("\r\n", "\n").rstrip("\n") + "\n# below\n"
    unix = mended(tmp_path / "unix", twin, text)
    windows = mended(tmp_path / "windows", twin, text.replace("\n", "\r\n"))
    assert "\r" not in unix
    assert not re.search(r"(?<!\r)\n", windows)
    before, after = (parse(Source(name="x", text=one)) for one in (text, unix))
    left = iter([unix[slice(*span)] for span in after.comments])
    assert all(before.source.text[slice(*span)] in left for span in before.comments), "a comment is gone, or elsewhere"
    assert len(after.faults) <= len(before.faults)
