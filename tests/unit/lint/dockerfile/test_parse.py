"""Instructions, their places and their faults."""

import re
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipwheel.lint.dockerfile.instructions import Instruction, Parsed
from shipwheel.lint.dockerfile.parse import parse
from shipwheel.lint.source import Source, Span
from shipwheel.lint.word import Word
from support.dockerfiles import SHAPES, dockerfiles


def read(text: str) -> Parsed:
    return parse(Source(name="Dockerfile", text=text))


def only(text: str) -> Instruction:
    """The instruction behind a FROM."""
    return read(f"FROM a\n{text}\n").instructions[1]


def texts(words: tuple[Word, ...]) -> list[str]:
    return [word.text for word in words]


def uncontinued(source: Source, span: Span, escape: str) -> str:
    """What stands at a place, without continuations, and without comment lines and empty lines between them."""
    text = source.text[span[0] : span[1]]
    e = re.escape(escape)
    between = rf"{e}[ \t]*\r*\n(?:[^\S\n]*(?:#[^\n]*)?\n)*"
    return re.sub(rf"(?<!{e}){between}(?:[^\S\n]*#[^\n]*\Z)?", "", text)


def every_word(parsed: Parsed) -> list[Word]:
    found: list[Word] = []
    for instruction in parsed.instructions:
        for each in (instruction, instruction.inner):
            if each and not each.json:
                found += each.words
                found += [word for pair in each.pairs for word in pair if word]
    return found


@settings(max_examples=400)
@given(dockerfiles())
def test_a_word_stands_where_its_span_says(text: str) -> None:
    parsed = read(text)
    for word in every_word(parsed):
        if "\\\n\\" not in text and "`\n`" not in text:
            assert uncontinued(parsed.source, word.span, parsed.escape) == word.text


@settings(max_examples=200)
@given(dockerfiles())
def test_places_are_in_order(text: str) -> None:
    parsed = read(text)
    at = 0
    for instruction in parsed.instructions:
        assert at <= instruction.span[0] <= instruction.keyword_span[0] <= instruction.keyword_span[1] <= instruction.span[1]
        assert instruction.span[1] <= len(text)
        at = instruction.span[1]
    assert parsed.faults == tuple(sorted(parsed.faults, key=lambda fault: fault.span))


@settings(max_examples=300)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_read(data: bytes) -> None:
    parse(Source.of_bytes(data, name="Dockerfile"))
    parse(Source.of_bytes(b"FROM a\nENV A=" + data + b"\nRUN <<EOF " + data, name="Dockerfile"))


def test_spans_through_a_continuation() -> None:
    text = "FROM a\nCOPY a.p\\\ny \\\n  # between\n  b /c\n"
    copy = read(text).instructions[1]
    assert texts(copy.words) == ["a.py", "b", "/c"]
    assert [text[slice(*word.span)] for word in copy.words] == ["a.p\\\ny", "b", "/c"]
    assert text[slice(*copy.span)] == text[7:-1]


def test_spans_of_json_strings_hold_their_quotes() -> None:
    text = 'FROM a\nCMD ["a", \\\n  "b\\u00e9"]\n'
    cmd = read(text).instructions[1]
    assert texts(cmd.words) == ["a", "bé"]
    assert [text[slice(*word.span)] for word in cmd.words] == ['"a"', '"b\\u00e9"']


def test_flags_have_places() -> None:
    text = 'FROM a\nRUN --mount=type=cache,\\\ntarget=/x --a="b c" -- d\n'
    mount, quoted = read(text).instructions[1].flags
    assert (mount.name, mount.value) == ("mount", "type=cache,target=/x")
    assert text[slice(*mount.value_span)] == "type=cache,\\\ntarget=/x"
    assert (quoted.name, quoted.value) == ("a", "b c")
    assert text[slice(*quoted.value_span)] == '"b c"'


def test_a_flag_without_a_value_has_an_empty_place() -> None:
    link = only("COPY --link a b").flags[0]
    assert link.value == ""
    assert link.value_span == (link.span[1], link.span[1])


def test_heredocs_have_places() -> None:
    text = "FROM a\nRUN <<-'EOF'\n\tone\n\t\ttwo\n\tEOF\nCMD a\n"
    heredoc = read(text).instructions[1].heredocs[0]
    assert (heredoc.name, heredoc.body.text, heredoc.expands, heredoc.strips) == ("EOF", "one\ntwo\n", False, True)
    assert text[slice(*heredoc.span)] == "\tone\n\t\ttwo\n\tEOF"
    assert text[heredoc.body.offset(4)] == "t"


def test_blanks_before_the_name_of_a_heredoc() -> None:
    """Newer than the parser that the conformance tests compare with: `<< EOF`."""
    assert [heredoc.name for heredoc in only("RUN cat << EOF\na\nEOF").heredocs] == ["EOF"]


def test_heredocs_behind_onbuild() -> None:
    """Newer as well."""
    onbuild = only("ONBUILD RUN <<EOF\na\nEOF")
    assert onbuild.inner
    assert [heredoc.body.text for heredoc in onbuild.inner.heredocs] == ["a\n"]
    assert onbuild.inner.span[1] == onbuild.span[1]


def test_an_array_with_something_behind_it_is_the_shell_form() -> None:
    """Newer as well."""
    assert not only('CMD ["a"] b').json


def test_what_the_parts_are_called() -> None:
    env = only("ENV A=b C='d e' F=${G}")
    assert [(name.text, value.text if value else None) for name, value in env.pairs] == [
        ("A", "b"),
        ("C", "'d e'"),
        ("F", "${G}"),
    ]
    assert [value.known for _, value in env.pairs if value] == [True, True, False]
    assert [value for _, value in only("ARG A").pairs] == [None]
    health = only("HEALTHCHECK --interval=5s CMD curl -f x || exit 1")
    assert (texts(health.words), health.body.text) == (["CMD"], "curl -f x || exit 1")
    assert only("run  a  ").body.text == "a"
    assert only("onbuild run a").inner is not None


def test_directives_and_comments() -> None:
    parsed = read("# syntax=a\n# check=skip=all\n# one\nFROM a\nRUN b \\\n  # two\n  c\n")
    assert parsed.directives == (("syntax", "a"), ("check", "skip=all"))
    assert [parsed.source.text[slice(*span)] for span in parsed.comments] == ["# one", "# two"]


LONG = {
    "backslashes": "FROM a\nRUN " + "\\" * 1_000_000,
    "backslashes in quotes": 'FROM a\nENV A="' + "\\" * 1_000_001,
    "continuations": "FROM a\nRUN a" + " \\\n b" * 100_000,
    "continuations without an end": "FROM a\n" + "\\\n" * 100_000,
    "comments": "FROM a\nRUN a \\\n" + "# b\n" * 100_000,
    "quotes": "FROM a\nENV A=" + "\"'" * 300_000,
    "quotes in flags": "FROM a\nRUN --a=" + "\"'" * 300_000,
    "brackets": "FROM a\nCMD " + "[" * 300_000,
    "strings": "FROM a\nCMD [" + '"a",' * 100_000,
    "substitutions": "FROM a\nRUN <<X " + "${a:-" * 100_000,
    "heredocs": "FROM a\nRUN " + "<<A " * 20_000,
    "onbuilds": "FROM a\n" + "ONBUILD " * 100_000,
    "flags": "FROM a\nRUN " + "--a=b " * 20_000,
    "blanks": "FROM a\nRUN a" + " " * 1_000_000 + "b",
    "carriage returns": "FROM a\nRUN a" + "\r" * 1_000_000,
    "stages": "FROM a AS b\n" * 5_000,
    "instructions": "X\n" * 50_000,
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_long_texts_take_their_length(text: str) -> None:
    start = process_time()
    read(text)
    assert process_time() - start < 8


def test_a_usual_file_is_read_in_no_time() -> None:
    text = "".join(SHAPES[:20])
    start = process_time()
    for _ in range(20):
        read(text)
    assert process_time() - start < 2
