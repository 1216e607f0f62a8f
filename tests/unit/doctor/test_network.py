"""Servers, and the clock against theirs."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shipwheel.doctor.network import PAGE, Answer, Server, ahead, ask, check_answer, check_clock, late
from shipwheel.http import Client
from shipwheel.http.exchange import Limits
from support.index import FileServer, serve
from support.machine import only, severities
from support.wheels import make_wheel


@pytest.fixture
def client() -> Iterator[Client]:
    with Client(limits=Limits(connect=1.0, stall=1.0, attempts=1)) as client:
        yield client


def index(url: str) -> Server:
    return Server(check="index", url=f"{url}/{PAGE}")


def test_an_index_that_has_the_page_or_has_it_not_is_there(tmp_path: Path, client: Client) -> None:
    with serve(FileServer(tmp_path)) as server:
        without = ask(client, index(server.simple))
        make_wheel(tmp_path, "pip", "1.0")
        having = ask(client, index(server.simple))
    assert (without.status, having.status) == (404, 200)
    assert severities([*check_answer(without), *check_answer(having)]) == []
    assert having.ahead is not None
    assert abs(having.ahead) < timedelta(seconds=30)
    assert severities(check_clock([without, having])) == []


def test_a_mirror_must_have_what_is_asked_for(tmp_path: Path, client: Client) -> None:
    with serve(FileServer(tmp_path)) as server:
        url = f"{server.url}/dists/bookworm/InRelease"
        assert only(check_answer(ask(client, Server(check="debian", url=url, must=True)))).severity == "error"
        assert severities(check_answer(ask(client, Server(check="debian", url=url)))) == []


def test_an_index_that_wants_a_login_is_told_without_the_password(tmp_path: Path, client: Client) -> None:
    with serve(FileServer(tmp_path, auth="ada:right")) as server:
        told = only(check_answer(ask(client, index(server.with_auth("ada:wrong")))))
    assert "status 401" in told.message
    assert "wrong" not in f"{told.message}{told.remedy}"
    assert "netrc" in told.remedy


def test_a_server_that_is_gone_is_told(client: Client) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/simple"
    assert only(check_answer(ask(client, index(url)))).severity == "error"


def test_a_server_that_says_nothing_is_given_up(client: Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        answer = ask(client, index(f"http://127.0.0.1:{silent.getsockname()[1]}/simple"))
    assert only(check_answer(answer)).severity == "error"
    assert only(check_answer(late(index("https://ada:secret@index.example/simple")))).message == (
        "https://index.example/simple/pip/ does not answer"
    )


def test_the_age_of_a_cached_answer_counts() -> None:
    now = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    assert ahead({"date": "Sat, 21 Nov 2026 11:00:00 GMT", "age": "3600"}, now) == timedelta()
    assert ahead({"date": "Sat, 21 Nov 2026 12:10:00 GMT"}, now) == timedelta(minutes=10)
    assert ahead({"date": "yesterday"}, now) is None
    assert ahead({}, now) is None


def answer(apart: timedelta | None) -> Answer:
    return Answer(server=index("https://index.example/simple"), status=200, ahead=apart)


@pytest.mark.parametrize(
    ("apart", "severity", "words"),
    [
        (timedelta(days=400), "error", "400 days behind that"),
        (timedelta(hours=-30), "error", "30 hours ahead of that"),
        (timedelta(minutes=7), "warning", "7 minutes behind that"),
    ],
)
def test_a_clock_that_is_wrong_is_told(apart: timedelta, severity: str, words: str) -> None:
    told = only(check_clock([answer(apart), answer(None)]))
    assert told.severity == severity
    assert words in told.message


def test_one_server_whose_clock_is_wrong_is_not_ours() -> None:
    assert severities(check_clock([answer(timedelta(days=400)), answer(timedelta(seconds=2))])) == []
    assert list(check_clock([answer(None)])) == []
