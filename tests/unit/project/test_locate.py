"""Lines of keys in TOML."""

from __future__ import annotations

import json
import re
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipwheel.errors import ConfigError
from shipwheel.project.locate import key_lines, read_toml

DOCUMENT = '''# a comment with [brackets] and = signs
title = "x"  # another
"quoted key".sub = 1

[tool.shipwheel]
port = 1
text = """
[not.a.table]
port = 2
"""
list = [
  "a",  # a comment, with ]
  { b = 1, "c d".e = '#' },

  [1, 2],
]
date = 1979-05-27T07:32:00Z
run.ports = ["1:2"]

[[tool.items]]
n = 1
[[tool.items]]
n = 2
[tool.items.sub]
deep = true
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 2),
        (("quoted key", "sub"), 3),
        (("tool", "shipwheel"), 5),
        (("tool", "shipwheel", "port"), 6),
        (("tool", "shipwheel", "list"), 11),
        (("tool", "shipwheel", "list", 0), 12),
        (("tool", "shipwheel", "list", 1, "b"), 13),
        (("tool", "shipwheel", "list", 1, "c d", "e"), 13),
        (("tool", "shipwheel", "list", 2, 1), 15),
        (("tool", "shipwheel", "run", "ports", 0), 18),
        (("tool", "items", 0, "n"), 21),
        (("tool", "items", 1, "n"), 23),
        (("tool", "items", 1, "sub", "deep"), 25),
    ],
)
def test_a_key_has_the_line_on_which_it_stands(path: tuple[str | int, ...], line: int) -> None:
    assert key_lines(DOCUMENT)[path] == line


def test_a_syntax_error_carries_its_line() -> None:
    with pytest.raises(ConfigError) as caught:
        read_toml("a = 1\nb = \n", "pyproject.toml")
    assert caught.value.problems[0].line == 2
    with pytest.raises(ConfigError) as caught:
        read_toml('a = 1\nb = """', "pyproject.toml")
    assert caught.value.problems[0].line == 2


keys = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6) | st.sampled_from(
    ["a", "b-c", "d.e", "#"]
)
scalars = st.integers(-9, 9) | st.booleans() | st.text(st.sampled_from("a]}[{=#,.'\"\\ é"), max_size=8)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=8
)


def toml_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)


def toml_value(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml_key(key)} = {toml_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + "".join(f"\n  {toml_value(item)} , # ]\n" for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def paths_of(value: object, above: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    found = {above} if above else set()
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found |= paths_of(item, (*above, key))
    return found


@given(st.dictionaries(keys, st.dictionaries(keys, values, max_size=3), max_size=3))
def test_every_key_of_any_document_is_found_and_no_other(document: dict[str, dict[str, object]]) -> None:
    lines, expected = [], {}
    for table, pairs in document.items():
        lines.append(f"[{toml_key(table)}]")
        for key, value in pairs.items():
            expected[table, key] = "\n".join(lines).count("\n") + 2
            lines.append(f"{toml_key(key)} = {toml_value(value)}")
    text = "\n".join(lines)
    assert tomllib.loads(text) == document
    found = key_lines(text)
    assert set(found) == paths_of(document)
    assert {path: found[path] for path in expected} == expected
