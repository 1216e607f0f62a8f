"""Any text at all can stand where a shell's commands are expected."""

import shlex

from hypothesis import example, given
from hypothesis import strategies as st

from shipwheel.lint.packages.lines import install_of
from shipwheel.lint.shell.parse import parse_shell
from shipwheel.lint.source import Excerpt, Source
from shipwheel.lint.word import Word

WORDS = (
    "$(",
    "${",
    "<(",
    "&&",
    "||",
    ";;",
    "if",
    "then",
    "fi",
    "do",
    "done",
    "esac",
    "a)",
    "A=",
    "$A",
    "${A:-b}",
    "${A%%*}",
    "sh",
    "-c",
    "pip",
    "install",
    "torch==1",
    ">=2",
    "x",
)
PIECES = st.sampled_from([*"\"'\\`$(){}[]<>|&;\n#=!* \t\r\0\ud800é", "<<EOF\n", "EOF\n", "for x in ", "case x in ", *WORDS])
TEXTS = st.one_of(st.text(), st.lists(PIECES, max_size=40).map("".join))
PLAIN = st.text(st.sampled_from("abcxyz019-_./:=+,@%é \"'\\"), min_size=1, max_size=12)


@given(TEXTS)
def test_never_raises_and_stays_inside_the_text(text: str) -> None:
    source = Source(name="x", text=f"RUN {text}\n")
    commands = parse_shell(Excerpt.whole(source, (4, 4 + len(text))), {"A": "a b", "B": ""})
    for command in commands:
        install_of(command)
        words: list[Word] = [*command.words, *command.wrappers, *(one.value for one in command.assignments)]
        words += [one.target for one in command.redirects if one.target]
        for start, end in (command.span, *(word.span for word in words), *(one.span for one in command.redirects)):
            assert 4 <= start <= end <= 4 + len(text)


@given(st.lists(PLAIN, min_size=1, max_size=6))
def test_words_are_those_of_the_shell(words: list[str]) -> None:
    text = " ".join(["run", *(shlex.quote(word) for word in words)])
    (command,) = parse_shell(Excerpt.whole(Source(name="x", text=text)), {})
    assert [word.text for word in command.words] == shlex.split(text) == ["run", *words]
    assert all(word.known for word in command.words)


@example(["=="], "&&")
@example(["a", "=~"], "|")
@given(
    st.lists(PLAIN.filter(lambda text: not text.isspace()), min_size=1, max_size=6),
    st.sampled_from(["&&", "||", ";", "|", "\n"]),
)
def test_commands_are_joined_by_their_operators(names: list[str], operator: str) -> None:
    text = f" {operator} ".join(f"run {shlex.quote(name)}" for name in names)
    commands = parse_shell(Excerpt.whole(Source(name="x", text=text)), {})
    joint = ";" if operator == "\n" else operator
    assert [command.words[1].text for command in commands] == names
    assert [command.after for command in commands] == [*[joint] * (len(names) - 1), ""]
    assert [command.before for command in commands] == ["", *[joint] * (len(names) - 1)]
