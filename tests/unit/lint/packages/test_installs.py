from typing import Any

import pytest

from shipwheel.lint.packages.installs import Install
from shipwheel.lint.packages.lines import install_of
from shipwheel.lint.shell.parse import parse_shell
from shipwheel.lint.source import Excerpt, Source


def read(text: str, **variables: str) -> Install | None:
    (command,) = parse_shell(Excerpt.whole(Source(name="x", text=text)), variables)
    return install_of(command)


def installed(text: str, **variables: str) -> Install:
    found = read(text, **variables)
    assert found
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pip install a", ("pip", "install", "pip", ["a"])),
        ("pip3.11 --no-cache-dir install --upgrade a b", ("pip", "install", "pip3.11", ["a", "b"])),
        ("python3.11 -u -m pip install --prefix /x a", ("pip", "install", "python3.11", ["a"])),
        ("$PIP install a", ("pip", "install", "python3", ["a"])),
        ("uv --quiet pip install --system --python 3.11 a", ("pip", "install", "uv", ["a"])),
        ("uv sync --frozen --group gpu", ("uv", "sync", "uv", [])),
        ("uv tool install ruff", ("uv", "install", "uv", ["ruff"])),
        ("conda install -y -n base -c pytorch pytorch::pytorch=2.1", ("conda", "install", "conda", ["pytorch"])),
        ("conda run -n x --no-capture-output pip install a", ("pip", "install", "pip", ["a"])),
        ("micromamba create -y -f env.yml -n x", ("conda", "create", "micromamba", [])),
        (
            "apt-get -qq -o A=b install -y --no-install-recommends g++ libx:amd64 y=1.2-3* z/bookworm",
            ("apt", "install", "apt-get", ["g++", "libx", "y", "z"]),
        ),
        ("apt-get update", ("apt", "update", "apt-get", [])),
        ("apk add --no-cache --virtual .build gcc=1.2-r0 musl-dev", ("apk", "install", "apk", ["gcc", "musl-dev"])),
        ("yum -y install a", ("dnf", "install", "yum", ["a"])),
        ("poetry install --only main", ("poetry", "install", "poetry", [])),
        ("pipenv install --system --deploy", ("pipenv", "install", "pipenv", [])),
        ("npm ci", ("npm", "sync", "npm", [])),
    ],
)
def test_commands_are_read(text: str, expected: tuple[str, str, str, list[str]]) -> None:
    found = installed(text, PIP="python3 -m pip")
    assert (found.manager, found.action, found.tool, [one.name for one in found.packages]) == expected


@pytest.mark.parametrize(
    "text",
    [
        "pip list",
        "pip",
        "python -m venv x",
        "python app.py pip install",
        "apt-get clean",
        "uv run x",
        "uv",
        "conda clean -a",
        "echo pip install x",
        "conda run",
        "",
    ],
)
def test_other_commands_install_nothing(text: str) -> None:
    source = Source(name="x", text=text)
    assert [install_of(command) for command in parse_shell(Excerpt.whole(source), {})] in ([None], [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("torch==2.1.0+cu118", {"name": "torch", "version": "2.1.0+cu118", "pinned": True}),
        (
            "'Foo_Bar[a,b] ~= 1.0 ; python_version < \"3\"'",
            {"name": "foo-bar", "extras": ("a", "b"), "marker": 'python_version < "3"', "version": ""},
        ),
        ("foo==1.*", {"specifier": "==1.*", "version": "", "pinned": False}),
        ("'foo>=1,==1.2'", {"version": "1.2"}),
        ("foo==$V", {"name": "foo", "version": "", "pinned": True, "known": False}),
        ("$FOO", {"name": "", "known": False}),
        ("git+https://github.com/a/b@c#egg=Foo", {"name": "foo", "url": "git+https://github.com/a/b@c#egg=Foo"}),
        ("'foo @ https://x/y.whl'", {"name": "foo", "url": "https://x/y.whl"}),
        ("https://x/torch-2.0-cp310-cp310-linux_x86_64.whl", {"name": "torch"}),
        ("'.[serve]'", {"name": "", "url": ".[serve]", "extras": ("serve",)}),
        ("-e ./lib", {"name": "", "url": "./lib"}),
    ],
)
def test_requirements_are_read(text: str, expected: dict[str, Any]) -> None:
    (one,) = installed(f"pip install {text}").packages
    assert {name: getattr(one, name) for name in expected} == expected


def test_options_and_files_are_sorted() -> None:
    found = installed(
        "pip install -U -i https://a --extra-index-url=https://b -f c -rreq.txt --requirement two.txt -c con.txt d"
    )
    assert [word.text for word in found.files] == ["req.txt", "two.txt"]
    assert [word.text for word in found.constraints] == ["con.txt"]
    assert found.options == ("-U", "-i=https://a", "--extra-index-url=https://b", "-f=c")
    assert found.option("--index-url", "-i") == "https://a"
    assert found.option("-U") == ""
    assert found.option("--pre") is None


def test_a_span_is_the_words_place() -> None:
    text = 'pip install "a>=1" b'
    assert [text[slice(*one.span)] for one in installed(text).packages] == ['"a>=1"', "b"]
