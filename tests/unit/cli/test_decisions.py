"""What is said to be left out of an image."""

from __future__ import annotations

from shipwheel.cli.decisions import left_out_lines
from shipwheel.project import LeftOut


def test_a_line_for_each_reason_names_the_first_paths() -> None:
    left = [LeftOut(path=f"{number}.ipynb", reason="notebook") for number in range(5)]
    left.append(LeftOut(path="data/", reason="data", count=9))
    assert list(left_out_lines(left)) == ["0.ipynb, 1.ipynb, 2.ipynb and 2 more  (notebook)", "data/  (data)"]


def test_what_nobody_misses_is_one_line_without_names() -> None:
    left = [LeftOut(path=".git/", reason="version control"), LeftOut(path="__pycache__/", reason="cache")]
    assert list(left_out_lines(left)) == ["cache, version control"]


def test_own_files_are_not_mentioned() -> None:
    left = [LeftOut(path="shipwheel.lock", reason="container files"), LeftOut(path="shipwheel.toml", reason="container files")]
    assert list(left_out_lines(left)) == []
