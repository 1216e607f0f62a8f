"""Dockerfiles are read as BuildKit's own parser reads them (PyPI's `dockerfile`, a wrapper of it, on Linux on x86-64)."""

from json import JSONDecoder
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shipwheel.lint.dockerfile.instructions import Flag, Instruction
from shipwheel.lint.dockerfile.parse import parse
from shipwheel.lint.dockerfile.refused import KEYWORDS
from shipwheel.lint.source import Source
from support.dockerfiles import SHAPES, dockerfiles

theirs = pytest.importorskip("dockerfile", reason="BuildKit's parser is absent")

ONE_TEXT = ("RUN", "CMD", "ENTRYPOINT", "SHELL")


def _flag(flag: Flag, source: Source) -> str:
    written = flag.value_span != (flag.span[1], flag.span[1]) or source.text[flag.span[1] - 1] == "="
    return f"--{flag.name}={flag.value}" if written else f"--{flag.name}"


def _values(instruction: Instruction) -> list[str]:
    """What the wrapper calls value: names and values of ENV and LABEL in turns, a shell form as one."""
    inner = instruction.inner
    if instruction.keyword == "ONBUILD":
        return _values(inner) if inner else []
    if instruction.keyword in ("ENV", "LABEL"):
        return [word.text for pair in instruction.pairs for word in pair if word]
    words = [word.text for word in instruction.words]
    shell = instruction.keyword in ONE_TEXT or instruction.keyword == "HEALTHCHECK"
    return [*words, instruction.body.text] if shell and not instruction.json and instruction.body.text else words


def _ours(instruction: Instruction, source: Source) -> dict[str, Any]:
    inner = instruction.inner
    return {
        "cmd": instruction.keyword,
        "sub_cmd": inner.keyword if inner else None,
        "json": (inner or instruction).json,
        "flags": [_flag(flag, source) for flag in instruction.flags],
        "value": _values(instruction),
        "lines": tuple(source.position(offset).line for offset in instruction.span),
        "heredocs": [(heredoc.name, heredoc.body.text) for heredoc in instruction.heredocs],
    }


def _theirs(command: Any, stripped: list[bool]) -> dict[str, Any]:
    heredocs = [(heredoc.name, heredoc.content) for heredoc in command.heredocs]
    return {
        "cmd": (command.cmd or "").upper(),
        "sub_cmd": command.sub_cmd.upper() if command.sub_cmd else None,
        "json": command.json,
        "flags": list(command.flags),
        "value": list(command.value),
        "lines": (command.start_line, command.end_line),
        "heredocs": [
            (name, _without_tabs(text) if strips else text) for (name, text), strips in zip(heredocs, stripped, strict=False)
        ]
        if len(stripped) == len(heredocs)
        else heredocs,
    }


def _without_tabs(text: str) -> str:
    return "".join(line.lstrip("\t") for line in text.splitlines(keepends=True))


def compare(text: str) -> bool:
    """Hold the two parsers' readings against each other; False for a file that BuildKit refuses, as we do."""
    source = Source(name="Dockerfile", text=text)
    parsed = parse(source)
    try:
        expected = theirs.parse_string(text)
    except theirs.GoParseError:
        assert parsed.faults, text
        return False
    newer = next((at for at, each in enumerate(parsed.instructions) if _reads_on(each)), None)
    if newer is None:
        assert len(parsed.instructions) == len(expected), text
    for instruction, command in zip(parsed.instructions[:newer], expected, strict=False):
        inner = instruction.inner or instruction
        if parsed.escape == "`" and (instruction.flags or inner.flags):
            continue  # in flags the wrapped version takes the backslash for the escape character in any case
        if not text.isascii() and (inner.flags or inner.keyword == "HEALTHCHECK"):
            continue  # BuildKit reads these byte by byte, so that a part of a letter may be a blank to it
        ours = _ours(instruction, source)
        other = _theirs(command, [heredoc.strips for heredoc in instruction.heredocs])
        if instruction.keyword not in KEYWORDS or (
            instruction.inner and instruction.inner.keyword not in KEYWORDS | {"ONBUILD"}
        ):
            ours["value"] = other["value"]  # nothing is split for an instruction that there is not
        if instruction.inner and instruction.inner.keyword == "ONBUILD":
            ours["value"], ours["json"], ours["sub_cmd"] = (
                other["value"],
                other["json"],
                other["sub_cmd"],
            )  # refused all the same
        if other["json"] and not ours["json"] and _more_than_json(instruction):
            other["value"], other["json"] = ours["value"], False
        assert ours == other, text
    return True


def _reads_on(instruction: Instruction) -> bool:
    """Heredocs where the wrapped version sees none, behind ONBUILD and behind an array, so that it goes on at another line."""
    return bool(instruction.heredocs) and (instruction.inner is not None or instruction.body.text.startswith("["))


def _more_than_json(instruction: Instruction) -> bool:
    """Something follows the array: the wrapped version drops it, today's takes the whole for the shell form."""
    body = (instruction.inner or instruction).body.text
    return JSONDecoder().raw_decode(body)[1] < len(body)


@pytest.mark.parametrize("text", SHAPES, ids=range(len(SHAPES)))
def test_shapes(text: str) -> None:
    compare(text)


@settings(max_examples=600, suppress_health_check=[HealthCheck.too_slow])
@given(dockerfiles())
def test_generated(text: str) -> None:
    compare(text)


@settings(max_examples=300)
@given(st.text(alphabet="AENVRUN\\ \t\n\"'=<#-[]`\r", max_size=60))
def test_any_text_of_the_characters_that_matter(text: str) -> None:
    compare(f"FROM a\nENV {text}\nRUN {text}\nCOPY {text}\n")
