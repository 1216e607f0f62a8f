"""Variables of a Dockerfile."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipwheel.lint.dockerfile.expand import expand, refusal
from shipwheel.lint.word import Word

VARIABLES = {"A": "one", "EMPTY": "", "PATH": "/usr/local/bin:/usr/bin", "NAME": "a.tar.gz"}

CASES = [
    ("a", "a", True),
    ("$A", "one", True),
    ("${A}", "one", True),
    ("x${A}y$A", "xoneyone", True),
    ("'$A'", "$A", True),
    ('"$A b"', "one b", True),
    ("\\$A", "$A", True),
    ('"\\$A\\"\\x"', '$A"\\x', True),
    ("a\\ b", "a b", True),
    ("$B", "$B", False),
    ("${B}x", "${B}x", False),
    ("${B:-x}", "x", True),
    ("${B-x}", "x", True),
    ("${EMPTY:-x}", "x", True),
    ("${EMPTY-x}", "", True),
    ("${B:-$A}", "one", True),
    ("${B:-${C:-y}}", "y", True),
    ("${B:-$C}", "$C", False),
    ("${A:+x}", "x", True),
    ("${A:+:$A}", ":one", True),
    ("${EMPTY:+x}", "", True),
    ("${EMPTY+x}", "x", True),
    ("/lib${B:+:$B}", "/lib", False),
    ("${A:?no}", "one", True),
    ("${B:?no}", "${B:?no}", False),
    ("${NAME%.gz}", "a.tar", True),
    ("${NAME%%.*}", "a", True),
    ("${NAME#*.}", "tar.gz", True),
    ("${NAME##*.}", "gz", True),
    ("${NAME#b}", "a.tar.gz", True),
    ("${PATH/usr/opt}", "/opt/local/bin:/usr/bin", True),
    ("${PATH//usr/opt}", "/opt/local/bin:/opt/bin", True),
    ("${PATH/:*/}", "/usr/local/bin", True),
    ("${B/a/b}", "${B/a/b}", False),
    ("${B#a}", "${B#a}", False),
    ("$", "$", True),
    ("$(date)", "$(date)", True),
    ("$1", "$1", False),
    ("${A", "${A", False),
    ("${A^^}", "${A^^}", False),
    ("${}", "${}", False),
    ('"a', '"a', False),
    ("é$A", "éone", True),
]


@pytest.mark.parametrize(("text", "expected", "known"), CASES)
def test_words(text: str, expected: str, known: bool) -> None:
    word = expand(Word(text=text, span=(3, 9)), VARIABLES)
    assert (word.text, word.known, word.span) == (expected, known, (3, 9))


def test_the_escape_character_is_the_files() -> None:
    assert expand(Word(text="c:\\a`$b", span=(0, 0)), {}, escape="`").text == "c:\\a$b"


@pytest.mark.parametrize("text", ['"a', "a'b", "${A", "${A^}", "${A:#b}", "${}", "${A:"])
def test_what_is_refused(text: str) -> None:
    assert refusal(text)


@pytest.mark.parametrize("text", ["${A:-b}", "a", "$", "${A/b/c}", "$(a", "\\'", '"\\""'])
def test_what_is_not_refused(text: str) -> None:
    assert not refusal(text)


def test_patterns_do_not_take_for_ever() -> None:
    word = Word(text="${A##" + "*a" * 50 + "b}", span=(0, 0))
    assert not expand(word, {"A": "a" * 5_000}).known


@given(st.text(max_size=60), st.dictionaries(st.sampled_from(["A", "B", "a"]), st.text(max_size=20)))
def test_any_text_gives_a_word(text: str, variables: dict[str, str]) -> None:
    expand(Word(text=text, span=(0, 0)), variables)
    refusal(text)
