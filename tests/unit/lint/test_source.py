"""Places in a file, and texts that were taken out of it in pieces."""

from hypothesis import given
from hypothesis import strategies as st

from shipwheel.lint.source import Excerpt, Position, Source


@given(st.binary())
def test_bytes_come_back_as_they_were(data: bytes) -> None:
    assert Source.of_bytes(data, name="x").data == data


def test_lines_and_columns_count_from_one() -> None:
    source = Source(name="x", text="ab\r\ncd\n")
    assert [source.position(at) for at in (0, 1, 4, 7)] == [
        Position(line=1, column=1),
        Position(line=1, column=2),
        Position(line=2, column=1),
        Position(line=3, column=1),
    ]
    assert [source.text[slice(*source.line_span(line))] for line in (1, 2, 3)] == ["ab", "cd", ""]
    assert source.lines == 3


@given(st.text(alphabet="ab\n", min_size=1, max_size=30), st.data())
def test_every_character_of_an_excerpt_knows_its_place(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    spans = list(zip(cuts[::2], cuts[1::2], strict=False))
    excerpt = Excerpt.joined(Source(name="x", text=text), spans)
    assert excerpt.text == "".join(text[start:end] for start, end in spans)
    assert all(text[excerpt.offset(at)] == character for at, character in enumerate(excerpt.text))
    start = data.draw(st.integers(0, len(excerpt.text)))
    end = data.draw(st.integers(start, len(excerpt.text)))
    part = excerpt.part(start, end)
    assert part.text == excerpt.text[start:end]
    assert all(part.offset(at) == excerpt.offset(start + at) for at in range(end - start))
    first, last = excerpt.span(start, end)
    assert last - first >= end - start
