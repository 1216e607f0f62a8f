"""Shell commands outside Dockerfiles: which are read, and where they stand."""

from pathlib import Path

import pytest

from shipwheel.lint.files.scripts import ScriptKind, load_script
from shipwheel.lint.files.subjects import Script
from shipwheel.lint.opening import open_workspace
from shipwheel.lint.shell.docker import docker_call
from shipwheel.lint.shell.parse import parse_shell
from shipwheel.lint.source import Excerpt, Source
from shipwheel.lint.workspace import Workspace


def blocks(kind: ScriptKind, text: str, name: str = "README.md") -> list[str]:
    """The texts of the blocks, each checked against the places that it claims."""
    script = load_script(Source(name=name, text=text), Workspace(), kind)
    for block in script.blocks:
        for at, letter in enumerate(block.text):
            if letter.isalpha():
                assert text[block.offset(at)] == letter
    return [block.text for block in script.blocks]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("```bash\ndocker run \\\n  x\n```\n", ["docker run \\\n  x\n"]),
        ("~~~sh\ndocker ps\n~~~\n", ["docker ps\n"]),
        (
            "1. a\n   ```console\n   $ docker ps\n   CONTAINER ID\n   $ docker run \\\n       y\n   ```\n",
            ["docker ps\ndocker run \\\n    y\n"],
        ),
        ("```\n# Build\ndocker build .\n```\n", ["# Build\ndocker build .\n"]),
        ("```\nFROM a\nRUN docker build .\n```\n```python\ndocker = 1\n```\n```json\n{}\n```\n", []),
        ("> ```bash\n> docker ps\n> ```\n", ["docker ps\n"]),
        ("Text\n\n    docker pull a\n    docker run a\n\nText\n", ["docker pull a\ndocker run a\n"]),
        ("- item\n\n    more text of the item\n", []),
        ("Never `docker scan x`.\n", []),
        ("```sh title='x'\r\ndocker ps\r\n```\r\n", ["docker ps\r\n"]),
        ("````bash\n```\ndocker ps\n````\n", ["```\ndocker ps\n"]),
        ("```bash\ndocker ps", ["docker ps"]),
    ],
)
def test_code_of_markdown(text: str, found: list[str]) -> None:
    assert blocks("document", text) == found


def test_code_of_restructured_text() -> None:
    code = ".. code-block:: bash\n   :linenos:\n\n   docker run a\n\n   docker ps\n"
    text = f"Title\n\n{code}\nrest\n\n.. code-block:: python\n\n   x\n"
    assert [block.split() for block in blocks("document", text, "a.rst")] == [["docker", "run", "a", "docker", "ps"]]


def test_steps_of_github() -> None:
    text = (
        "jobs:\n  a:\n    steps:\n      - run: |\n          docker build \\\n            -t ${{ a.b }} .\n          echo\n"
        "      - run: echo 'hi'\n      - {shell: pwsh, run: Get-Item}\n      - run: >\n          docker run\n          --rm x\n"
    )
    found = ["docker build \\\n  -t $_________ .\necho", "echo 'hi'", "docker run --rm x"]
    script = load_script(Source(name="ci.yml", text=text), Workspace(), "workflow")
    assert [block.text for block in script.blocks] == found
    start = text.index("docker run")
    assert script.blocks[2].offset(0) == start


def test_scripts_of_gitlab() -> None:
    login = "before_script: &login\n    - docker login"
    text = f"build:\n  {login}\n  script:\n    - docker build .\n    - >-\n      docker\n      push x\n"
    assert blocks("workflow", text, ".gitlab-ci.yml") == ["docker login", "docker build .", "docker push x"]


def test_recipes_of_makefiles() -> None:
    text = "IMAGE ?= app:1 # ours\nrun: build\n\t@docker run \\\n\t\t-v $$PWD:/x $(IMAGE) $$(pwd)\n\t-docker ps\n"
    script = load_script(Source(name="Makefile", text=text), Workspace(), "makefile")
    assert [block.text for block in script.blocks] == ["docker run \\\n\t\t-v $PWD:/x ${IMAGE} $(pwd)\n", "docker ps\n"]
    assert script.commands[0].words[-2].text == "app:1"


@pytest.mark.parametrize(
    ("shebang", "read"), [("#!/bin/sh", True), ("#!/usr/bin/env -S bash -e", True), ("#!/usr/bin/python3", False)]
)
def test_only_shells_are_read(shebang: str, read: bool) -> None:
    assert bool(blocks("shell", f"{shebang}\ndocker ps\n", "a.sh")) is read


@pytest.mark.parametrize("kind", ["shell", "workflow", "document", "makefile"])
@pytest.mark.parametrize(
    "text", ["", "```", "\t", "\ufeff", "a: |\n", "```bash\n$ \n```", "\t$$$$(", ".. code::", "    docker run"]
)
def test_odd_texts_are_read(kind: ScriptKind, text: str) -> None:
    assert load_script(Source(name="a.rst", text=text), Workspace(), kind).commands is not None


def call(text: str) -> tuple[tuple[str, ...], list[tuple[str, str]], list[str]]:
    command = parse_shell(Excerpt.whole(Source(name="a.sh", text=text)), {})[0]
    found = docker_call(command)
    assert found
    return found.verb, [(option.name, option.value) for option in found.options], [word.text for word in found.operands]


@pytest.mark.parametrize(
    ("text", "verb", "options", "operands"),
    [
        ("docker run -it --rm a b -c", ("run",), [("-i", ""), ("-t", ""), ("--rm", "")], ["a", "b", "-c"]),
        ("docker run -itp 80:80 a", ("run",), [("-i", ""), ("-t", ""), ("-p", "80:80")], ["a"]),
        ("docker run -p80:80 -eA=1 a", ("run",), [("-p", "80:80"), ("-e", "A=1")], ["a"]),
        ("docker -H tcp://x container run --gpus all --name=n a", ("run",), [("--gpus", "all"), ("--name", "n")], ["a"]),
        ("docker buildx build --no-cache -f D --load .", ("build",), [("--no-cache", ""), ("-f", "D"), ("--load", "")], ["."]),
        ("sudo docker system prune -af --volumes", ("system", "prune"), [("-a", ""), ("-f", ""), ("--volumes", "")], []),
        ("podman run --pull always a", ("run",), [("--pull", "always")], ["a"]),
        ("docker run --name", ("run",), [("--name", "")], []),
    ],
)
def test_calls_of_docker(text: str, verb: tuple[str, ...], options: list[tuple[str, str]], operands: list[str]) -> None:
    assert call(text) == (verb, options, operands)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (".github/workflows/ci.yml", "jobs: {a: {steps: [{run: docker ps}]}}\n"),
        (".gitlab-ci.yml", "a: {script: [docker ps]}\n"),
        ("ci/build.gitlab-ci.yml", "a: {script: [docker ps]}\n"),
        (".circleci/config.yml", "jobs: {a: {steps: [{run: {name: a, command: docker ps}}]}}\n"),
        ("azure-pipelines.yml", "steps: [{script: docker ps}]\n"),
        ("action.yml", "runs: {using: composite, steps: [{run: docker ps, shell: bash}]}\n"),
    ],
)
def test_workflows_are_known_by_their_names(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    scripts = list(open_workspace([tmp_path]).all(Script))
    assert [block.text for script in scripts for block in script.blocks] == ["docker ps"]
