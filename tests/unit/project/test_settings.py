"""The settings: what they take, what they refuse, and their schema."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from shipwheel.errors import ConfigError
from shipwheel.oci.blob import Platform
from shipwheel.project import RunSettings, Settings, parse_settings, parse_size, settings_schema
from shipwheel.project.settings import known_keys

SCHEMA = Path(__file__).parents[3] / "docs" / "settings.schema.json"


def test_every_key_is_read() -> None:
    text = """
    name = "team/demo"
    python = "3.13"
    base = "python:3.13-slim"
    requirements = ["a.txt", "b.txt"]
    groups = ["serve"]
    extras = ["gpu"]
    system-packages = ["ffmpeg"]
    command = "python -c 'print(1)'"
    port = 80
    env = { A = "1" }
    user = 0
    include = ["data/x.csv"]
    exclude = ["*.md"]
    model = "models/m.onnx"
    platforms = ["linux/amd64", "aarch64"]
    debian-mirror = "http://deb.example.org/debian"
    shell = true
    layer-index = "registry.example.com/team/layers"
    layer-index-publish = false
    layer-index-key = "keys/layers.pub"
    [run]
    ports = ["8080:80", "127.0.0.1:1:2"]
    env = { B = "2" }
    volumes = ["./x:/x:ro"]
    shm-size = "1g"
    memory = "512m"
    cpus = 1.5
    network = "host"
    gpus = "device=0,1"
    """
    assert parse_settings(text, "shipwheel.toml") == Settings(
        name="team/demo",
        python="3.13",
        base="python:3.13-slim",
        requirements=("a.txt", "b.txt"),
        groups=("serve",),
        extras=("gpu",),
        system_packages=("ffmpeg",),
        command=("python", "-c", "print(1)"),
        port=80,
        env={"A": "1"},
        user=0,
        include=("data/x.csv",),
        exclude=("*.md",),
        model="models/m.onnx",
        platforms=(Platform("linux", "amd64"), Platform("linux", "arm64")),
        debian_mirror="http://deb.example.org/debian",
        shell=True,
        layer_index="registry.example.com/team/layers",
        layer_index_publish=False,
        layer_index_key="keys/layers.pub",
        run=RunSettings(
            ports=("8080:80", "127.0.0.1:1:2"),
            env={"B": "2"},
            volumes=("./x:/x:ro",),
            shm_size="1g",
            memory="512m",
            cpus=1.5,
            network="host",
            gpus="device=0,1",
        ),
    )


def test_pyproject_without_a_section_gives_the_defaults() -> None:
    assert parse_settings("[project]\nname = 'x'\n[tool.other]\nport = 'x'", "pyproject.toml") == Settings()


def test_all_mistakes_come_at_once_each_with_its_line_and_key() -> None:
    text = """[tool.shipwheel]
prot = 1
command = ["python",
  1]
platforms = [
  "linux/amd64",
  "/"]
name = "UP"
python = 3.11
[tool.shipwheel.run]
shm-size = "s"
cpu = 2
gpus = "0"
"""
    with pytest.raises(ConfigError) as caught:
        parse_settings(text, "pyproject.toml")
    found = [(problem.line, problem.path) for problem in caught.value.problems]
    assert found == [
        (2, "tool.shipwheel.prot"),
        (3, "tool.shipwheel.command"),
        (7, "tool.shipwheel.platforms[1]"),
        (8, "tool.shipwheel.name"),
        (9, "tool.shipwheel.python"),
        (11, "tool.shipwheel.run.shm-size"),
        (12, "tool.shipwheel.run.cpu"),
        (13, "tool.shipwheel.run.gpus"),
    ]
    assert "did you mean 'port'" in str(caught.value)
    assert "did you mean 'cpus'" in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        "port = 0",
        "port = 65536",
        'port = "80"',
        "port = true",
        'python = "3"',
        'python = "3.11.4"',
        'python = "2.7"',
        'env = { "A-B" = "1" }',
        "env = { A = 1 }",
        'env = "A=1"',
        'name = "a:1"',
        'name = ""',
        'command = ""',
        "command = []",
        'command = "python \'x"',
        'model = "/abs"',
        'model = "../up"',
        'requirements = "requirements.txt"',
        'system-packages = ["FFmpeg"]',
        'debian-mirror = "ftp://x"',
        'debian-mirror = "https://user:secret@host/debian"',
        "user = -1",
        'user = "app"',
        'shell = "yes"',
        'run = "x"',
        'run.ports = ["80"]',
        'run.ports = ["80:99999"]',
        'run.volumes = ["x"]',
        'run.memory = "0m"',
        "run.cpus = 0",
        "run.cpus = nan",
        "name = 2020-01-01",
        "system_packages = []",
    ],
)
def test_a_wrong_value_is_refused(line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_settings(line, "shipwheel.toml")
    assert [problem.line for problem in caught.value.problems] == [1]
    assert "secret" not in str(caught.value).replace(line, "")


@pytest.mark.parametrize(
    ("text", "size"), [("512m", 512 << 20), ("2g", 2 << 30), ("1.5GB", 3 << 29), ("64 MiB", 64 << 20), ("1k", 1024), ("7", 7)]
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "m", "-1m", "1x", "1 0m"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(text)


def test_the_schema_in_the_docs_is_current() -> None:
    assert json.loads(SCHEMA.read_text()) == settings_schema()


def test_the_schema_explains_every_key() -> None:
    schema = settings_schema()
    assert set(schema["properties"]) == set(known_keys())
    run = schema["$defs"]["RunSettings"]["properties"]
    assert set(run) == set(known_keys(RunSettings))
    assert all(item.get("description") for item in [*schema["properties"].values(), *run.values()])


def test_a_project_without_settings_loads_without_pydantic(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("print(1)")
    code = "import sys, pathlib; from shipwheel.project import load_project; load_project(pathlib.Path(sys.argv[1]))"
    check = "; assert not {'pydantic', 'pathspec', 'yaml', 'httpx'} & set(sys.modules), sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code + check, str(tmp_path)], check=True)
