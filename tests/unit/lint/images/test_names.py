"""Names of images and what the table says of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipwheel.lint.images.ends import ended
from shipwheel.lint.images.names import ImageName, example_tag, facts_of, parse_image
from shipwheel.lint.tables import table


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("python", ImageName(repository="python")),
        ("python:3.11-slim", ImageName(repository="python", tag="3.11-slim")),
        ("docker.io/library/python:3.11", ImageName(repository="python", tag="3.11")),
        ("library/ubuntu", ImageName(repository="ubuntu")),
        ("localhost:5000/app", ImageName(repository="localhost:5000/app")),
        ("localhost:5000/app:1@sha256:ab", ImageName(repository="localhost:5000/app", tag="1", digest="sha256:ab")),
        ("nvcr.io/nvidia/pytorch:23.10-py3", ImageName(repository="nvcr.io/nvidia/pytorch", tag="23.10-py3")),
        ("app:${TAG:-latest}", ImageName(repository="app", tag="${TAG:-latest}", known=False)),
        ("${REGISTRY:-x:5}/app", ImageName(repository="${REGISTRY:-x:5}/app", known=False)),
        ("", ImageName(repository="")),
        (":@", ImageName(repository="")),
    ],
)
def test_a_name_is_parsed(text: str, name: ImageName) -> None:
    assert parse_image(text) == name


@given(st.text() | st.text(alphabet="a:/@${}-.1"))
def test_any_text_has_parts_and_facts(text: str) -> None:
    name = parse_image(text)
    facts = facts_of(name)
    assert name.known is ("$" not in f"{name}")
    assert not facts.programs & facts.lacks


@pytest.mark.parametrize(
    ("image", "distribution", "release", "python"),
    [
        ("python:3.11-slim", "debian", "trixie", "3.11"),
        ("python:3.11.7-slim", "debian", "bookworm", "3.11"),
        ("python:3.8-slim", "debian", "bookworm", "3.8"),
        ("python:3.9.7", "debian", "bullseye", "3.9"),
        ("python:3.10-slim-bookworm", "debian", "bookworm", "3.10"),
        ("python:3.12-alpine3.20", "alpine", "3.20", "3.12"),
        ("python:3.7-alpine", "alpine", "3.18", "3.7"),
        ("python:3.11-slim@sha256:ab", "debian", "", "3.11"),
        ("public.ecr.aws/docker/library/python:3.11", "debian", "trixie", "3.11"),
        ("arm64v8/ubuntu:22.04", "ubuntu", "22.04", ""),
        ("ubuntu:focal-20240530", "ubuntu", "20.04", ""),
        ("debian:12-slim", "debian", "bookworm", ""),
        ("nvidia/cuda:12.1.1-cudnn8-devel-rockylinux8", "rockylinux", "8", ""),
        ("public.ecr.aws/lambda/python:3.12", "amazonlinux", "2023", "3.12"),
        ("public.ecr.aws/lambda/python:3.9", "amazonlinux", "2", "3.9"),
        ("ghcr.io/astral-sh/uv:python3.12-bookworm-slim", "debian", "bookworm", "3.12"),
        ("gcr.io/distroless/python3-debian12", "debian", "bookworm", ""),
        ("registry.access.redhat.com/ubi9/ubi-minimal:9.6", "ubi", "9", ""),
        ("somebody/something:3.11-slim", "", "", ""),
    ],
)
def test_a_tag_says_what_is_in_it(image: str, distribution: str, release: str, python: str) -> None:
    facts = facts_of(parse_image(image))
    assert (facts.distribution, facts.release, facts.python) == (distribution, release, python)


@pytest.mark.parametrize(
    ("image", "cuda", "flavour", "framework", "version", "gpu"),
    [
        ("nvidia/cuda:12.1.1-cudnn8-runtime-ubuntu22.04", "12.1.1", "runtime", "", "", True),
        ("nvidia/cuda:${V}-devel-ubuntu22.04", "", "devel", "", "", True),
        ("pytorch/pytorch:2.3.0-cuda12.1-cudnn8-runtime", "12.1", "runtime", "pytorch", "2.3.0", True),
        ("nvcr.io/nvidia/pytorch:23.10-py3", "", "", "pytorch", "", True),
        ("tensorflow/tensorflow:2.15.0-gpu", "", "", "tensorflow", "2.15.0", True),
        ("tensorflow/tensorflow:2.15.0", "", "", "tensorflow", "2.15.0", False),
        ("python:3.11-slim", "", "", "", "", False),
    ],
)
def test_a_tag_says_what_it_is_made_for(image: str, cuda: str, flavour: str, framework: str, version: str, gpu: bool) -> None:
    facts = facts_of(parse_image(image))
    assert (facts.cuda, facts.flavour, facts.framework, facts.framework_version, facts.gpu) == (
        cuda,
        flavour,
        framework,
        version,
        gpu,
    )


def test_slim_images_lack_what_full_ones_have() -> None:
    full, slim, alpine = (facts_of(parse_image(f"python:3.12{variant}")) for variant in ("", "-slim", "-alpine"))
    assert {"curl", "gcc", "git", "ps"} <= full.programs
    assert {"curl", "gcc", "git", "ps", "nc"} <= slim.lacks
    assert {"python", "pip", "apt-get", "bash"} <= slim.programs
    assert {"wget", "nc", "apk"} <= alpine.programs
    assert {"bash", "curl", "apt-get"} <= alpine.lacks


@pytest.mark.parametrize(
    "image",
    [
        "nvidia/cuda:12.1.1-base-ubuntu22.04",
        "nvidia/cuda:12.1.1-cudnn8-runtime-ubuntu22.04",
        "pytorch/pytorch:2.3.0-cuda12.1-cudnn8-runtime",
        "ghcr.io/mlflow/mlflow:v3.2.0",
        "continuumio/miniconda3:24.1.2-0",
        "gcr.io/distroless/python3-debian12",
        "ollama/ollama:0.5.0",
        "python:3.12-alpine",
    ],
)
def test_images_without_curl_are_known(image: str) -> None:
    assert "curl" in facts_of(parse_image(image)).lacks


@pytest.mark.parametrize("image", ["python:${TAG}", "python@sha256:ab", "debian:$RELEASE"])
def test_of_a_variant_that_is_not_known_no_program_is_claimed(image: str) -> None:
    facts = facts_of(parse_image(image))
    assert not facts.programs
    assert not facts.lacks


def test_nothing_is_there_and_not_there() -> None:
    for entry in table("images.toml")["image"]:
        for repository in entry["repositories"]:
            if "\\" not in repository and "(" not in repository:
                facts = facts_of(parse_image(repository))
                assert not facts.programs & facts.lacks


def test_a_tag_can_be_recommended_for_images_of_mirrors() -> None:
    assert example_tag(parse_image("mirror.gcr.io/library/python")) == example_tag(parse_image("python"))
    assert example_tag(parse_image("somebody/something")) == ""


def test_the_end_is_that_of_the_table() -> None:
    over = ended(facts_of(parse_image("python:3.8-slim-buster")))
    assert [(one.what, one.since.isoformat()) for one in over] == [
        ("Debian buster", "2024-06-30"),
        ("Python 3.8", "2024-10-07"),
    ]
    assert ended(facts_of(parse_image("python:3.12-slim-bookworm"))) == []
    over = ended(facts_of(parse_image("tensorflow/tensorflow:1.15.5-gpu")))
    assert [one.what for one in over] == ["Ubuntu 18.04", "TensorFlow 1"]
