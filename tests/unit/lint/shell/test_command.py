import time

import pytest

from shipwheel.lint.shell.command import Command
from shipwheel.lint.shell.parse import parse_shell, parse_words
from shipwheel.lint.source import Excerpt, Source
from shipwheel.lint.word import Word


def read(text: str, **variables: str) -> tuple[Command, ...]:
    return parse_shell(Excerpt.whole(Source(name="x", text=text)), variables)


def texts(command: Command) -> list[str]:
    return [word.text for word in command.words]


def test_wrappers_and_assignments_stand_before_the_program() -> None:
    (command,) = read("A=1 sudo -E -u me env B=2 nice -n 5 /usr/bin/pip3 install x")
    assert command.program == "pip3"
    assert texts(command) == ["/usr/bin/pip3", "install", "x"]
    assert [(one.name, one.value.text) for one in command.assignments] == [("A", "1"), ("B", "2")]
    assert [word.text for word in command.wrappers] == ["sudo", "-E", "-u", "me", "env", "B=2", "nice", "-n", "5"]


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("timeout 10 curl x", "curl"),
        ("exec tini -- python app.py", "python"),
        ("gosu app:app uvicorn a:b", "uvicorn"),
        ("command -v curl", "command"),
        ("$(which pip) install x", "pip"),
        ("${CONDA}/bin/pip install x", "pip"),
        ("sudo -i", "sudo"),
    ],
)
def test_the_program_is_what_runs(text: str, program: str) -> None:
    assert read(text)[0].program == program


def test_a_redirect_is_no_argument() -> None:
    (command,) = read("pip install torch>=1.0 numpy 2> log < in &> all")
    assert texts(command) == ["pip", "install", "torch", "numpy"]
    found = [(one.operator, one.target.text if one.target else None) for one in command.redirects]
    assert found == [(">", "=1.0"), ("2>", "log"), ("<", "in"), ("&>", "all")]


def test_a_redirect_belongs_to_the_last_command_of_a_chain() -> None:
    commands = read("a && b | ! c x>=1 2> log && d; (e; f) > g; h <<A && i > j\nA")
    found = {command.program: [one.operator for one in command.redirects] for command in commands}
    assert found == {"a": [], "b": [], "c": [">", "2>"], "d": [], "e": [], "f": [], "h": ["<<"], "i": [">"]}


def test_constructs_are_named_around_their_commands() -> None:
    text = "if ! a; then b; elif c; then d; else e; fi\nfor x in $(f); do g; done\n(h; i) | { j; }\nk() { l; }\n"
    text += "case x in y) m;; esac\nwhile n; do o; done"
    inside = {command.program: command.inside for command in read(text)}
    assert inside == {
        "a": ("if", "negation"),
        "b": ("then",),
        "c": ("if",),
        "d": ("then",),
        "e": ("else",),
        "f": ("for", "substitution"),
        "g": ("for",),
        "h": ("subshell",),
        "i": ("subshell",),
        "j": ("group",),
        "l": ("function", "group"),
        "m": ("case",),
        "n": ("while",),
        "o": ("while",),
    }


def test_assignments_are_followed_until_a_branch_makes_them_uncertain() -> None:
    commands = read(
        "PIP='pip -q' && $PIP install x\nif a; then PIP=b; fi\n$PIP install y\nexport V=1.2\ncurl $V ${V%.*} ${W:-w}"
    )
    assert texts(commands[1]) == ["pip", "-q", "install", "x"]
    assert commands[1].words[0].span == commands[1].words[1].span
    assert texts(commands[4]) == ["$PIP", "install", "y"]
    assert not commands[4].words[0].known
    assert texts(commands[-1]) == ["curl", "1.2", "1", "w"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${A:-x}", "ab.tar.gz"),
        ("${B:-x y}", "x y"),
        ("${A:+set}", "set"),
        ("${B:+set}z", "z"),
        ("${A#ab.}", "tar.gz"),
        ("${A##*.}", "gz"),
        ("${A%%.*}", "ab"),
        ("${A/tar/zip}", "ab.zip.gz"),
        ("${B:-${A%.gz}}", "ab.tar"),
        ("'$A'\"$A\"", "$Aab.tar.gz"),
        ("\\$A", "$A"),
    ],
)
def test_variables_are_put_in(text: str, value: str) -> None:
    (command,) = read(f'echo "{text}"' if " " in value else f"echo {text}", A="ab.tar.gz")
    assert texts(command)[1:] == [value]
    assert command.words[1].known


def test_text_of_an_inner_shell_keeps_its_places() -> None:
    text = 'bash -lc "pip install \'a\' && \\\n curl \\"$X\\""'
    outer, pip, curl = read(text, X="https://x")
    assert outer.program == "bash"
    assert (pip.inside, texts(pip), pip.after) == (("sh -c",), ["pip", "install", "a"], "&&")
    assert text[slice(*pip.words[2].span)] == "'a'"
    assert texts(curl) == ["curl", "https://x"]
    assert text[slice(*curl.words[0].span)] == "curl"


def test_an_exec_form_is_one_command_and_what_its_shell_runs() -> None:
    source = Source(name="x", text='["sh", "-c", "a && b c"]')
    words = [
        Word(text=text, span=span, quoted=True) for text, span in (("sh", (1, 5)), ("-c", (7, 11)), ("a && b c", (13, 23)))
    ]
    commands = parse_words(words, source, {})
    assert [texts(command) for command in commands] == [["sh", "-c", "a && b c"], ["a"], ["b", "c"]]
    assert source.text[slice(*commands[2].words[1].span)] == "c"


def test_what_stands_behind_a_heredoc_counts() -> None:
    commands = read("cat <<EOF | grep x && ls\n$(date) a\nEOF\nend")
    assert [(command.program, command.before, command.after) for command in commands] == [
        ("cat", "", "|"),
        ("date", "", ""),
        ("grep", "|", "&&"),
        ("ls", "&&", ";"),
        ("end", ";", ""),
    ]


@pytest.mark.parametrize("text", ["if a; then pip install 'x", "pip install x) && b", "pip install x; (("])
def test_commands_around_an_error_are_read(text: str) -> None:
    assert any(command.program == "pip" and "x" in texts(command) for command in read(text))


def test_lone_surrogates_and_nul_survive() -> None:
    (command,) = read("echo \udcff\0é x")
    assert texts(command) == ["echo", "\udcff\0é", "x"]


@pytest.mark.parametrize(
    "text",
    [
        "(" * 20_000,
        "$(" * 20_000,
        "`" * 20_000,
        "{ " * 5_000 + "a",
        "a && " * 20_000,
        "if " * 5_000,
        "${" * 20_000,
        "<<A " * 3000,
    ],
)
def test_depth_is_no_harm(text: str) -> None:
    begin = time.process_time()
    read(text)
    assert time.process_time() - begin < 5


def test_variables_do_not_blow_up() -> None:
    text = "A=aaaaaaaaaa\n" + "A=$A$A\n" * 60 + "echo $A" * 1000
    assert sum(len(word.text) for command in read(text) for word in command.words) < 50_000_000


def test_options_are_found_in_clusters_and_with_values() -> None:
    (command,) = read("apt-get -qqy install --option=x a")
    assert command.has("-y")
    assert command.has("--option")
    assert not command.has("-x", "--yes")
