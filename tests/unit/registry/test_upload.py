"""Uploads that break, exchange by exchange; pieces are 1000 bytes here."""

from __future__ import annotations

import io
import os
from dataclasses import replace

import pytest

from shipwheel.errors import IntegrityError, NetworkError
from shipwheel.oci.blob import Blob
from support.registry import Fault, Served
from support.trees import foreign

from .conftest import Connect

LARGE = foreign(os.urandom(2500))
SMALL = foreign(os.urandom(500))

POST, PATCH, PUT = ("POST", 202), ("PATCH", 202), ("PUT", 201)
LOST, LOOK = ("PATCH", 0), ("GET", 204)


@pytest.fixture(autouse=True)
def _pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shipwheel.registry.upload.PIECE", 1000)


def _exchanges(served: Served) -> list[tuple[str, int]]:
    return [(each.method, each.status) for each in served.log]


def _has(served: Served, blob: Blob) -> bool:
    return served.blobs["team/app"][str(blob.digest)] == blob.read()


def test_a_small_blob_goes_in_two_requests(served: Served, connect: Connect) -> None:
    connect().write(SMALL)
    assert _exchanges(served) == [POST, PUT]
    assert _has(served, SMALL)


def test_an_empty_blob(served: Served, connect: Connect) -> None:
    connect().write(empty := foreign(b""))
    assert _has(served, empty)


def test_a_large_blob_goes_in_pieces(served: Served, connect: Connect) -> None:
    connect().write(LARGE)
    assert _exchanges(served) == [POST, PATCH, PATCH, PATCH, PUT]
    ranges = [each.headers["content-range"] for each in served.log if each.method == "PATCH"]
    assert ranges == ["0-999", "1000-1999", "2000-2499"]
    assert _has(served, LARGE)


def test_pieces_are_as_large_as_the_registry_wants(served: Served, connect: Connect) -> None:
    served.piece_least = 2000
    connect().write(LARGE)
    assert [each.received for each in served.log] == [0, 2000, 500, 0]


FAULTS = {
    "a piece breaks": (
        [Fault(method="PATCH", cut_upload=0), Fault(method="PATCH", cut_upload=300)],
        [POST, LOST, LOOK, LOST, LOOK, PATCH, PATCH, PATCH, PUT],
    ),
    "the answer to a piece is lost": ([Fault(method="PATCH", drop=True)], [POST, LOST, LOOK, PATCH, PATCH, PUT]),
    "the server is busy": ([Fault(method="PATCH", status=503)], [POST, ("PATCH", 503), LOOK, PATCH, PATCH, PATCH, PUT]),
    "too many requests": (
        [Fault(method="POST", status=429, headers={"Retry-After": "0"})],
        [("POST", 429), POST, PATCH, PATCH, PATCH, PUT],
    ),
    "the upload was forgotten": (
        [Fault(method="PATCH", cut_upload=10), Fault(method="GET", status=404)],
        [POST, LOST, ("GET", 404), POST, PATCH, PATCH, PATCH, PUT],
    ),
    "the last word is lost": (
        [Fault(method="PUT", drop=True)],
        [POST, PATCH, PATCH, PATCH, ("PUT", 0), ("HEAD", 200)],
    ),
    "the last word did not arrive": (
        [Fault(method="PUT", status=502)],
        [POST, PATCH, PATCH, PATCH, ("PUT", 502), ("HEAD", 404), LOOK, PUT],
    ),
    "no pieces are taken": (
        [Fault(method="PATCH", status=405)],
        [POST, ("PATCH", 405), POST, PUT],
    ),
    "a wrong range": (
        [Fault(method="PATCH", cut_upload=200), Fault(method="GET", status=204, headers={"Range": "0-99"})],
        [POST, LOST, LOOK, ("PATCH", 416), POST, PATCH, PATCH, PATCH, PUT],
    ),
    "later pieces are refused": (
        [Fault(method="PATCH", times=1), Fault(method="PATCH", status=404), Fault(method="PATCH", status=404)],
        [POST, PATCH, ("PATCH", 404), POST, ("PATCH", 404), POST, PUT],
    ),
    "the status cannot be asked": (
        [Fault(method="PATCH", cut_upload=200), Fault(method="GET", status=503)],
        [POST, LOST, ("GET", 503), LOOK, PATCH, PATCH, PATCH, PUT],
    ),
}


@pytest.mark.parametrize(("faults", "exchanges"), FAULTS.values(), ids=FAULTS)
def test_large_uploads_go_on(served: Served, connect: Connect, faults: list[Fault], exchanges: list[tuple[str, int]]) -> None:
    served.faults = [replace(fault) for fault in faults]
    connect().write(LARGE)
    assert _exchanges(served) == exchanges
    assert _has(served, LARGE)


def test_no_byte_is_sent_twice_that_the_registry_kept(served: Served, connect: Connect) -> None:
    served.faults = [Fault(method="PATCH", cut_upload=700)]
    connect().write(LARGE)
    assert served.received() == LARGE.size


def test_a_registry_that_keeps_nothing_of_a_broken_piece_is_sent_all_again(served: Served, connect: Connect) -> None:
    served.keeps_broken = False
    served.faults = [Fault(method="PATCH", path="/blobs/", cut_upload=700)]
    connect().write(LARGE)
    assert _has(served, LARGE)


def test_a_registry_that_takes_no_pieces_is_asked_once(served: Served, connect: Connect) -> None:
    served.pieces = False
    repository, other = connect(), foreign(os.urandom(3000))
    repository.write(LARGE)
    served.forget_log()
    repository.write(other)
    assert _exchanges(served) == [POST, PUT]
    assert _has(served, other)


SMALL_FAULTS = {
    "a broken body": ([Fault(method="PUT", cut_upload=100)], [POST, ("PUT", 0), ("HEAD", 404), POST, PUT]),
    "a lost answer": ([Fault(method="PUT", drop=True)], [POST, ("PUT", 0), ("HEAD", 200)]),
    "a lost beginning": ([Fault(method="POST", drop=True)], [("POST", 0), POST, PUT]),
    "500": ([Fault(method="PUT", status=500)], [POST, ("PUT", 500), ("HEAD", 404), POST, PUT]),
    "damaged on its way": (
        [
            Fault(
                method="PUT",
                status=400,
                body=b'{"errors":[{"code":"DIGEST_INVALID"}]}',
                headers={"Content-Type": "application/json"},
            )
        ],
        [POST, ("PUT", 400), ("HEAD", 404), POST, PUT],
    ),
}


@pytest.mark.parametrize(("faults", "exchanges"), SMALL_FAULTS.values(), ids=SMALL_FAULTS)
def test_small_uploads_begin_anew(
    served: Served, connect: Connect, faults: list[Fault], exchanges: list[tuple[str, int]]
) -> None:
    served.faults = [replace(fault) for fault in faults]
    connect().write(SMALL)
    assert _exchanges(served) == exchanges
    assert _has(served, SMALL)


@pytest.mark.parametrize("status", [*range(400, 418), 421, 422, 423, 424, 426, 428, 431, 451, *range(500, 508)])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_every_lasting_refusal_is_named(served: Served, connect: Connect, method: str, status: int) -> None:
    served.faults = [Fault(method=method, path="/v2/", status=status, times=99)]
    if method == "PATCH" and status in (400, 404, 405, 409, 410, 411, 415, 416, 501):
        connect().write(LARGE)  # goes in one piece then
        return
    with pytest.raises(NetworkError) as raised:
        connect().write(LARGE if method == "PATCH" else SMALL)
    assert (raised.value.fields["method"], raised.value.fields["status"]) == (method, status)
    assert raised.value.fields["retryable"] is (status in (408, 425, 429, 500, 502, 503, 504))


def test_amazons_range_that_lags_behind_is_not_believed(served: Served, connect: Connect) -> None:
    served.lags = 1000
    connect().write(LARGE)
    assert _exchanges(served) == [POST, *[("PATCH", 201)] * 3, PUT]
    served.forget_log()
    served.blobs.clear()
    served.faults = [Fault(method="PATCH", times=2), Fault(method="PATCH", cut_upload=300)]
    connect().write(LARGE)
    assert _has(served, LARGE)
    assert served.said("POST") == ["POST /v2/team/app/blobs/uploads/ 202"] * 2


def test_google_is_sent_the_whole(served: Served, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shipwheel.registry.session._WHOLE_ONLY", served.host)
    connect().write(LARGE)
    assert _exchanges(served) == [POST, PUT]


def test_a_registry_without_a_location_is_named(served: Served, connect: Connect) -> None:
    served.faults = [Fault(method="POST", status=202)]
    with pytest.raises(NetworkError, match="gave no location"):
        connect().write(SMALL)


def test_locations_of_every_kind(served: Served, connect: Connect) -> None:
    for served.absolute, served.uploads_elsewhere in ((True, False), (False, True)):
        served.blobs.clear()
        connect().write(LARGE)
        assert _has(served, LARGE)


@pytest.mark.parametrize("data", [LARGE.read()[:-1] + b"\0", LARGE.read()[:1500], LARGE.read() + b"more"])
def test_nothing_is_kept_of_a_wrong_large_blob(served: Served, connect: Connect, data: bytes) -> None:
    with pytest.raises(IntegrityError, match="damaged"):
        connect().write(replace(LARGE, open=lambda: io.BytesIO(data)))
    assert not served.blobs
    assert not served.uploads


def test_streams_are_closed(served: Served, connect: Connect) -> None:
    opened: list[io.BytesIO] = []

    def open() -> io.BytesIO:
        opened.append(io.BytesIO(LARGE.read()))
        return opened[-1]

    served.faults = [Fault(method="PATCH", cut_upload=10), Fault(method="PATCH", status=403, times=9)]
    with pytest.raises(NetworkError):
        connect().write(replace(LARGE, open=open))
    assert opened
    assert all(stream.closed for stream in opened)


@pytest.mark.parametrize("size", [500, 2500])
def test_a_source_that_cannot_be_read_is_the_error_and_is_not_asked_again(served: Served, connect: Connect, size: int) -> None:
    asked = []

    def gone() -> io.BytesIO:
        asked.append(size)
        raise NetworkError("the other registry is gone", method="GET", url="https://other", retryable=True)

    with pytest.raises(NetworkError, match="the other registry is gone"):
        connect().write(replace(foreign(os.urandom(size)), open=gone))
    assert asked == [size]
