"""YAML with places: what is read, what is refused, and that nothing in a file can stop the reader."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipwheel.lint.files.subjects import Node
from shipwheel.lint.files.yaml import Documents, read_yaml, walk
from shipwheel.lint.files.yaml_text import scalar_text
from shipwheel.lint.source import Source


def read(text: str) -> Documents:
    return read_yaml(Source(name="a.yaml", text=text))


def root(text: str) -> Node:
    documents = read(text)
    assert not documents.faults
    return documents.roots[0]


def shown(text: str, *path: str | int) -> str:
    """The text at the place of a value."""
    node = root(text).get(*path)
    assert node
    return text[slice(*node.span)]


def test_values_know_their_places_through_line_ends_and_a_byte_order_mark() -> None:
    text = "\ufeffa: é\r\nb:\r\n  - x: 'y'\r\n    z: [1, 2]\r\n"
    assert [shown(text, "a"), shown(text, "b", 0, "x"), shown(text, "b", 0, "z")] == ["é", "'y'", "[1, 2]"]
    assert [text[slice(*node.key_span)] for node in walk(root(text))][1:3] == ["a", "b"]


def test_scalars_are_read_by_the_core_schema_and_keep_their_text() -> None:
    node = root("{a: 3.10, b: on, c: 0, d: ~, e: true, f: '1', g: .5, h: 1e3}")
    values = {key: value.value for key, value in node.value.items()}
    assert values == {"a": 3.1, "b": "on", "c": 0, "d": None, "e": True, "f": "1", "g": 0.5, "h": 1000.0}
    assert [node.value[key].text for key in "abde"] == ["3.10", "on", "", "true"]


def test_a_path_that_leads_nowhere_gives_none() -> None:
    node = root("a: [{b: 1}]")
    assert node.get("a", 0, "b").text == "1"  # type: ignore[union-attr]
    assert [node.get("a", 1), node.get("a", "b"), node.get("a", 0, "b", "c")] == [None, None, None]


def test_merge_keys_add_what_is_not_there() -> None:
    node = root("x: &x {a: 1, b: 2}\ny: &y {c: 3}\nz:\n  <<: [*x, *y]\n  b: 4\n")
    assert {key: value.text for key, value in node.value["z"].value.items()} == {"a": "1", "b": "4", "c": "3"}


@pytest.mark.parametrize(
    ("text", "offset", "says"),
    [
        ("a: 1\n\tb: 2\n", 5, "a tab"),
        ("a: [1\n", 5, "no YAML"),
        ("a: 1\na: 2\n", 5, "the key a stands twice"),
        ("a: *b\n", 3, "no anchor &b"),
        ("a: \x00\n", 3, "control character"),
        ("a: b: c\n", 4, "no YAML"),
        ("[" * 1000, 200, "deep"),
        ("- " * 1000, 400, "deep"),
    ],
)
def test_a_fault_is_a_value_with_its_place(text: str, offset: int, says: str) -> None:
    fault = read(text).faults[0]
    assert says in fault.message
    assert fault.span[0] == offset


def test_documents_before_a_fault_are_kept() -> None:
    assert len(read("a: 1\n---\nb: 2\n---\nc: [\n").roots) == 2


@pytest.mark.parametrize(
    "text",
    [
        "a: {{ .Values.a }}\n",
        "{{- if .x }}\na: 1\n{{- end }}\n",
        "{% if a %}\na: 1\n{% endif %}\n",
        'a: "{{ include "b" . }}"\n',
    ],
)
def test_templates_are_told_apart(text: str) -> None:
    assert read(text) == Documents(template=True)


@pytest.mark.parametrize(
    "text", ["a: ${{ github.sha }}\n", 'a: "{{.ID}}"\n', "a: '{{ item }}'\n", "a: |\n  {{ b }}\n  {% if c %}\n"]
)
def test_braces_in_a_string_are_no_template(text: str) -> None:
    assert root(text).get("a")


def test_aliases_of_aliases_do_not_grow() -> None:
    names = "abcdefghijklmnopqrstuvwxyz"
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]" for old, new in pairwise(names)]
    began = time.process_time()
    assert sum(1 for _ in walk(root("\n".join(lines)))) < 500
    assert time.process_time() - began < 1


def test_an_anchor_inside_itself_is_a_fault() -> None:
    assert "no anchor &a" in read("a: &a [*a]\n").faults[0].message


def test_tags_make_nothing() -> None:
    assert shown("a: !!python/object/apply:os.system [ls]\n", "a").endswith("[ls]")


@given(st.text())
def test_any_text_gives_documents(text: str) -> None:
    for document in read(text).roots:
        for node in walk(document):
            assert 0 <= node.span[0] <= node.span[1] <= len(text)


@given(st.binary())
def test_any_bytes_give_documents(data: bytes) -> None:
    read_yaml(Source.of_bytes(data, name="a.yaml"))


@given(st.text(alphabet="ab:-[]{}'\"|>&*!# \t\n\\?,%@", max_size=60))
def test_what_looks_like_yaml_gives_documents(text: str) -> None:
    source = Source(name="a.yaml", text=text)
    for document in read_yaml(source).roots:
        for node in walk(document):
            scalar_text(source, node)


@pytest.mark.parametrize(
    "written",
    [
        "|\n  foo\n    bar\n\n  baz",
        "|-\n  foo",
        ">-\n  foo\n  bar",
        "plain\n  more",
        "'it''s\n  two\n\n  three'",
        '"x\\ty \\u00e9 \\\n   z"',
        "&x 'q'",
    ],
)
def test_the_text_of_a_scalar_is_what_a_reader_of_yaml_gives(written: str) -> None:
    source = Source(name="a.yaml", text=f"a: {written}\n")
    node = read_yaml(source).roots[0].get("a")
    assert node
    excerpt = scalar_text(source, node)
    assert excerpt.text == node.text.rstrip("\n")
    kept = [at for at, letter in enumerate(excerpt.text) if letter.isalpha() and letter.isascii()]
    assert all(source.text[excerpt.offset(at)] in (excerpt.text[at], "\\") for at in kept)
