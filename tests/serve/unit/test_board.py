"""What the workers' reports say together."""

import os

from shipwheel_serve.board import SLOT, Board
from shipwheel_serve.model import Mismatch, Report

READY = Report(state="ready", golden="passed", rows=3)


def test_no_worker_has_reported_is_not_ready() -> None:
    answer = Board(2).answer()
    assert not answer["ready"]
    assert answer["state"] == "starting"
    assert answer["reasons"] == ("starting: 0 of 2 workers are ready",)


def test_no_workers_are_never_ready() -> None:
    assert not Board(0).standing().ready


def test_ready_means_all_workers_at_first_and_those_that_serve_later() -> None:
    board = Board(2)
    board.write(0, READY)
    assert not board.standing().ready
    board.write(1, READY)
    assert board.standing().ready
    board.clear(0)  # it died, and its successor loads
    assert board.standing().ready
    board.clear(1)
    assert not board.standing().ready


def test_one_failed_worker_makes_the_service_not_ready_and_says_why() -> None:
    board = Board(2)
    board.write(0, READY)
    board.write(1, READY)
    board.write(
        1,
        Report(
            state="failed", reasons=("column 'day' differs",), mismatches=(Mismatch(package="pandas", trained="1", here="2"),)
        ),
    )
    answer = board.answer()
    assert not answer["ready"]
    assert answer["reasons"] == ("column 'day' differs",)
    assert answer["mismatches"] == ({"package": "pandas", "trained": "1", "here": "2"},)
    assert answer["workers"] == {"ready": 1, "failed": 1}


def test_draining_is_not_ready() -> None:
    board = Board(1)
    board.write(0, READY)
    board.drain()
    assert board.standing().state == "draining"
    assert not board.standing().ready


def test_a_child_process_and_its_parent_see_the_same_board() -> None:
    board = Board(1)
    pid = os.fork()
    if not pid:
        board.write(0, READY)
        os._exit(0)
    os.waitpid(pid, 0)
    assert board.standing() == READY


def test_a_report_that_is_too_long_loses_its_last_reasons_and_nothing_else() -> None:
    board = Board(2)
    board.write(1, READY)
    board.write(0, Report(state="failed", reasons=tuple(f"reason {number} " + "x" * 500 for number in range(100))))
    assert board.reports()[1] == READY
    reasons = board.standing().reasons
    assert reasons[0].startswith("reason 0")
    assert 10 < len(reasons) < SLOT // 500
