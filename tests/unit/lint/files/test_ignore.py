"""What an ignore file says, and where."""

import pytest

from shipwheel.lint.files.ignore import load_ignore, matcher
from shipwheel.lint.source import Source
from shipwheel.lint.workspace import Workspace


def texts(data: bytes) -> list[str]:
    return [text for text, _ in load_ignore(Source.of_bytes(data, name=".dockerignore"), Workspace()).patterns]


def test_lines_that_say_something() -> None:
    assert texts(b"\xef\xbb\xbf.git\r\n\r\n# data\r\n  venv/ \r\n #odd\r\n!x") == [".git", "venv/", "#odd", "!x"]


def test_spans_are_the_pattern_alone() -> None:
    source = Source.of_bytes(b"# top\r\n  data/ \r\n", name=".dockerignore")
    ((text, (start, end)),) = load_ignore(source, Workspace()).patterns
    assert source.text[start:end] == text == "data/"


@pytest.mark.parametrize(
    "data", [b"", b"\n\n", b"#", b"\xff\xfe\x00", b"[", b"!", b"[z-a]", b"[[a]", b"[a--b]", b"[&&~~||]", b"a[\\]"]
)
def test_any_bytes_are_read(data: bytes) -> None:
    ignore = load_ignore(Source.of_bytes(data, name=".dockerignore"), Workspace())
    matcher(ignore).leaves_out("a/b")


def test_the_last_pattern_decides() -> None:
    rules = matcher(load_ignore(Source(name="i", text="*\n!src\nsrc/**/*.pyc\n!#x\n #x\n"), Workspace()))
    assert [path for path in ("data", "src/a/b.pyc", "src/a.py", "#x") if rules.leaves_out(path)] == [
        "data",
        "src/a/b.pyc",
        "#x",
    ]
