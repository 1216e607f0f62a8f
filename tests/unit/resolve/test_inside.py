"""What images say of themselves. The configs have the shape of the real images' ones; no registry is asked for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shipwheel.errors import ProjectError
from shipwheel.resolve.inside import Inside, look_inside
from support.bases import CASES, REFUSED, Case, table


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.base)
def test_what_is_found(case: Case) -> None:
    found = look_inside(case.config, case.base, case.python, case.interpreter)
    assert (found.python, found.interpreter, found.glibc, found.distribution) == case.found


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.base)
def test_what_is_refused(case: Case) -> None:
    with pytest.raises(ProjectError) as caught:
        look_inside(case.config, case.base, case.python, case.interpreter)
    assert case.refusal in caught.value.message
    assert case.base in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("config", [{}, {"config": None, "history": None}, {"config": {"Env": None, "Labels": None}}])
def test_a_config_that_says_nothing_takes_the_users_word(config: dict[str, Any]) -> None:
    found = look_inside(config, "ours/base:1", "3.12", "/usr/bin/python3")
    assert found == Inside(python="3.12", interpreter="/usr/bin/python3", glibc=28, distribution="")


def test_history_comes_before_the_name() -> None:
    history = [{"created_by": "# debian.sh --arch 'amd64' out/ 'trixie' '@1733097600'"}]
    found = look_inside({"history": history}, "ours/bookworm-tools:1", "3.12", "/usr/bin/python3")
    assert found.distribution == "trixie"


def test_the_table_in_the_docs_is_current() -> None:
    page = Path(__file__).parents[3] / "docs" / "how-to" / "choose-a-base.md"
    assert table() in page.read_text()
