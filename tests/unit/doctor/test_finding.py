"""The list of checks is whole, findings have an order, and nobody is waited for too long."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path

import pytest

from shipwheel.doctor.asking import Asking
from shipwheel.doctor.finding import CHECKS, error, in_order, note, ok, warning

ROOT = Path(__file__).parents[3]
SOURCES = sorted((ROOT / "src" / "shipwheel" / "doctor").glob("*.py"))


def test_every_check_that_finds_something_is_in_the_list_and_the_other_way_round() -> None:
    text = "\n".join(path.read_text() for path in SOURCES if path.name != "finding.py")
    text += (ROOT / "src" / "shipwheel" / "cli" / "doctor.py").read_text()
    used = set(re.findall(r'\b(?:error|warning|note|ok|say)\(\s*"([a-z-]+)"', text)) | set(
        re.findall(r'check="([a-z-]+)"', text)
    )
    assert used == set(CHECKS)


def test_every_check_is_in_the_page_with_its_words() -> None:
    page = (ROOT / "docs" / "how-to" / "check-a-machine.md").read_text()
    rows = [f"| `{name}` | {text} |" for name, text in CHECKS.items()]
    assert [row for row in rows if row not in page] == []


def test_the_worst_comes_first_and_then_the_order_of_checks() -> None:
    found = in_order(
        [ok("kernel", ""), warning("shm", "", "a"), note("docker", ""), error("clock", "", "b"), warning("docker", "", "c")]
    )
    assert [f"{each.severity} {each.check}" for each in found] == [
        "error clock",
        "warning docker",
        "warning shm",
        "note docker",
        "ok kernel",
    ]


def test_answers_come_and_late_ones_are_not_waited_for() -> None:
    asking, released = Asking(patience=0.2), threading.Event()
    began = time.monotonic()
    quick, slow = asking.ask(lambda: "here", "late"), asking.ask(lambda: released.wait(30) and "here", "late")
    assert (quick(), slow()) == ("here", "late")
    assert time.monotonic() - began < 5
    released.set()


def test_what_a_question_raises_is_raised_to_who_asked() -> None:
    def fails() -> str:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        Asking().ask(fails, "late")()
