"""What each stage inherits, and what is known at each step."""

from pathlib import Path

import pytest

from shipwheel.lint.context.folder import BuildContext
from shipwheel.lint.dockerfile.load import load_dockerfile
from shipwheel.lint.dockerfile.parse import parse
from shipwheel.lint.dockerfile.stages import Dockerfile, Step
from shipwheel.lint.source import Source
from shipwheel.lint.workspace import Workspace


def read(text: str, *targets: str) -> Dockerfile:
    context = BuildContext(root=Path("/nowhere"), workspace=Workspace(), targets=frozenset(targets))
    return load_dockerfile(parse(Source(name="Dockerfile", text=text)), context)


def last(text: str) -> Step:
    final = read(text).final
    assert final
    return final.steps[-1]


def test_a_default_before_from_names_the_image() -> None:
    (stage,) = read("ARG V=3.11\nARG TAG=${V}-slim\nFROM python:${TAG} AS app\n").stages
    assert stage.image
    assert (stage.image.repository, stage.image.tag, stage.name) == ("python", "3.11-slim", "app")


def test_an_image_that_only_the_builder_knows_is_none() -> None:
    (stage,) = read("ARG BASE\nFROM $BASE\n").stages
    assert stage.image is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ARG V=1\nFROM a\nRUN x", {}),
        ("ARG V=1\nFROM a\nARG V\nRUN x", {"V": "1"}),
        ("ARG V=1\nFROM a\nARG V=2\nRUN x", {"V": "2"}),
        ("FROM a\nENV V=3\nARG V=2\nRUN x", {"V": "3"}),
        ("FROM a\nARG V=2\nENV V=3\nRUN x", {"V": "3"}),
        ("FROM a\nENV A=1 B=$A\nRUN x", {"A": "1"}),  # one ENV sees only what was before it
        ("FROM a\nENV A=1\nENV B=$A/2\nRUN x", {"A": "1", "B": "1/2"}),
        ("FROM a\nENV PATH=/opt:$PATH\nRUN x", {}),
        ("FROM a AS b\nARG C=1\nENV D=2\nFROM b\nRUN x", {"C": "1", "D": "2"}),
    ],
)
def test_variables_are_those_of_buildkit(text: str, expected: dict[str, str]) -> None:
    assert last(text).variables == expected


def test_an_unknown_value_is_still_shown_in_env() -> None:
    assert last("FROM a\nENV PATH=/opt:$PATH\nRUN x").env == {"PATH": "/opt:$PATH"}


@pytest.mark.parametrize(
    ("text", "workdir"),
    [
        ("FROM a\nWORKDIR /x\nRUN y", "/x"),
        ("FROM a\nWORKDIR /x\nWORKDIR y/../z\nRUN y", "/x/z"),
        ("FROM a\nWORKDIR x\nRUN y", ""),
        ("FROM a\nENV H=/h\nWORKDIR $H/app\nRUN y", "/h/app"),
        ("FROM a AS b\nWORKDIR /x\nFROM b\nRUN y", "/x"),
    ],
)
def test_working_directories_add_up(text: str, workdir: str) -> None:
    assert last(text).workdir == workdir


@pytest.mark.parametrize(
    ("copy", "destination"),
    [
        ("COPY a .", "/app/"),
        ("COPY a b", "/app/b"),
        ("COPY a b/", "/app/b/"),
        ("COPY a b c", "/app/c/"),
        ("COPY a /", "/"),
        ('COPY ["a b", "/c d/"]', "/c d/"),
        ("ADD a ../b", "/b"),
    ],
)
def test_destinations_are_absolute(copy: str, destination: str) -> None:
    assert last(f"FROM a\nWORKDIR /app\n{copy}\n").destination == destination


def test_heredocs_are_no_sources() -> None:
    step = last("FROM a\nCOPY <<one b <<'two' /x/\n1\none\n2\ntwo\n")
    assert [word.text for word in step.sources] == ["b"]


@pytest.mark.parametrize(
    ("run", "programs"),
    [
        ("RUN a && b | c", ["a", "b", "c"]),
        ('RUN ["a", "b c"]', ["a"]),
        ('RUN ["bash", "-c", "a && b"]', ["bash", "a", "b"]),
        ("RUN <<EOF\na\nb\nEOF", ["a", "b"]),
        ("RUN <<EOF\n#!/usr/bin/env python3\nimport x\nEOF", []),
        ("RUN python3 <<EOF\nimport x\nEOF", ["python3"]),
        ("RUN bash <<EOF\na\nEOF", ["bash", "a"]),
        ('SHELL ["powershell", "-c"]\nRUN Get-Thing', []),
        ('SHELL ["conda", "run", "-n", "env", "/bin/bash", "-c"]\nRUN pip install torch', ["pip"]),
        ("HEALTHCHECK --interval=5s CMD curl -f x || exit 1", ["curl", "exit"]),
        ('HEALTHCHECK CMD ["curl", "x"]', ["curl"]),
        ("HEALTHCHECK NONE", []),
    ],
)
def test_commands_are_found_in_every_form(run: str, programs: list[str]) -> None:
    assert [command.program for command in last(f"FROM a\n{run}\n").commands] == programs


def test_mounts_have_their_options() -> None:
    (mount,) = last("FROM a\nRUN --mount=type=cache,dst=/root/.cache,sharing=locked x\n").mounts
    assert mount.type == "cache"
    assert mount.options["target"] == "/root/.cache"


def test_what_a_stage_is_built_on_is_its_lineage() -> None:
    dockerfile = read("FROM a:1 AS one\nUSER app\nCMD x\nFROM One AS two\nENTRYPOINT y\nFROM c AS three\nCOPY --from=two / /\n")
    one, two, three = dockerfile.stages
    assert two.lineage == (one, two)
    assert two.root_image == one.image
    assert two.user == "app"
    assert two.last("CMD") is None  # its own ENTRYPOINT resets it
    assert dockerfile.final is three
    assert dockerfile.used(two)
    assert dockerfile.shipped == (three,)


def test_targets_of_compose_files_and_unused_ends_are_shipped() -> None:
    text = "FROM a AS base\nFROM base AS train\nCMD x\nFROM base AS tools\nFROM base AS serve\nCMD y\n"
    assert [stage.name for stage in read(text).shipped] == ["train", "serve"]
    assert [stage.name for stage in read(text, "tools").shipped] == ["train", "tools", "serve"]
    assert [stage.name for stage in read(text).kept] == ["base", "train", "serve"]


def test_onbuild_is_for_those_who_build_on_it() -> None:
    dockerfile = read("FROM a\nENV A=1\nONBUILD RUN pip install $A\n")
    (stage,) = dockerfile.stages
    (step,) = [step for step in stage.steps if step.onbuild]
    assert (step.keyword, [word.text for word in step.commands[0].words]) == ("RUN", ["pip", "install", "1"])
    assert step not in list(stage.all_steps)
