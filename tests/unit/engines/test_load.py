"""What is left out of an archive, and how one is streamed."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from shipwheel.engines.load import shared_layers, streamed
from shipwheel.errors import IntegrityError
from shipwheel.oci.tree import Entry
from support.images import image, layer


def ids(made: Any) -> tuple[str, ...]:
    return tuple(str(each.diff_id) for each in made.layers)


def test_layers_count_only_from_the_lowest_up() -> None:
    one, two, three = (layer([Entry.data(f"app/{number}", b"x")]) for number in (1, 2, 3))
    made = image(one, two)
    assert shared_layers(made, []) == 0
    assert shared_layers(made, [()]) == 0
    assert shared_layers(made, [ids(image(three, two))]) == 1
    assert shared_layers(made, [ids(image(one, three)), ids(image(three))]) == 2
    assert shared_layers(made, [ids(image(one, two, three))]) == 3
    assert shared_layers(made, [ids(made)[1:]]) == 0


def test_a_body_is_what_was_written() -> None:
    pieces = [bytes([number]) * 100_000 for number in range(50)]
    body = streamed(lambda sink: [sink.write(piece) for piece in pieces])
    assert b"".join(body) == b"".join(pieces)
    body.close()


def test_an_error_of_the_writer_comes_out_of_the_reader() -> None:
    def write(sink: Any) -> None:
        sink.write(b"some")
        raise IntegrityError("damaged")

    body = streamed(write)
    with pytest.raises(IntegrityError, match="damaged"):
        b"".join(body)
    body.close()


def test_a_reader_that_leaves_ends_the_writer() -> None:
    body = streamed(lambda sink: [sink.write(b"x" * 1_000_000) for _ in range(100)])
    next(iter(body))
    body.close()
    body.close()
    assert not [each for each in threading.enumerate() if each.name == "archive-writer"]
