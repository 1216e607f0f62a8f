"""Rules over the user of a container."""

from pathlib import Path

import pytest

from support.linting import Twin, findings, write

SLIM = "FROM python:3.11-slim-bookworm\n"
APP = 'COPY app.py /app/\nCMD ["python", "/app/app.py"]\n'
USER = "RUN useradd --create-home app\nUSER app\n"

TWINS = [
    Twin(  # a target for developers beside the image that is shipped
        rule="no-user",
        bad=f"{SLIM[:-1]} AS base\nFROM base AS dev\n{APP}FROM base\n{APP}",
        good=f"{SLIM[:-1]} AS base\nFROM base AS dev\n{APP}FROM base\n{USER}{APP}",
        line=5,
    ),
    Twin(rule="no-user", good="FROM mcr.microsoft.com/windows/servercore:ltsc2022\n" + APP),
    Twin(  # images of Google that anybody reads
        rule="no-user",
        bad="FROM us-docker.pkg.dev/vertex-ai/training/tf-cpu.2-11:latest\n" + APP,
        good="FROM us-docker.pkg.dev/my-project/images/tf-cpu:1\n" + APP,
    ),
    Twin(
        rule="no-user", bad="FROM gcr.io/deeplearning-platform-release/tf2-cpu.2-3\n" + APP, good="FROM gcr.io/my/app:1\n" + APP
    ),
    Twin(rule="no-user", bad=SLIM + APP, good=SLIM + USER + APP, line=1, says="no USER is set"),
    Twin(  # an application that another stage hands over, and a Python that does
        rule="no-user",
        bad=SLIM[:-1] + " AS b\nCOPY . /app\n" + SLIM + 'COPY --from=b /app /app\nCMD ["python", "app.py"]\n',
        good=SLIM[:-1] + " AS b\nCOPY . /py\n" + SLIM + 'COPY --from=b /py /usr/local\nCMD ["python3"]\n',
        line=3,
    ),
    Twin(
        rule="no-user",
        bad=SLIM + USER + "USER root\n" + APP,
        good=SLIM + "USER root\n" + USER + APP,
        says="the last USER is root",
    ),
    Twin(rule="no-user", bad=SLIM + "USER 0:0\n" + APP, good=SLIM + "USER 1000:0\n" + APP, says="0:0"),
    Twin(rule="no-user", bad=SLIM + "ARG WHO=root\nUSER $WHO\n" + APP, good=SLIM + "ARG WHO\nUSER $WHO\n" + APP),
    Twin(  # the stage that it is built on has one
        rule="no-user",
        bad="FROM python:3.11-slim AS base\nRUN true\nFROM base\n" + APP,
        good="FROM python:3.11-slim AS base\n" + USER + "FROM base\n" + APP,
        line=3,
    ),
    Twin(  # what images of one stage lack is said once
        rule="no-user",
        bad="FROM python:3.11-slim AS base\n" + APP + "FROM base AS a\nCMD python a.py\nFROM base AS b\nCMD python b.py\n",
        line=6,
    ),
    Twin(rule="no-user", name=".devcontainer/Dockerfile", good=SLIM + "RUN pip install ruff\n"),
    Twin(rule="no-user", good="FROM gcr.io/distroless/python3-debian12:nonroot\n" + APP),
    Twin(rule="no-user", good="FROM registry.example.com/team/base:1\n" + APP),  # who knows
    Twin(rule="no-user", bad="FROM registry.example.com/team/base:1\nUSER root\n" + APP),
    Twin(  # nearly all images of public registries
        rule="no-user",
        bad="FROM somebody/model-server:1.2\n" + APP,
        good="FROM grafana/grafana:12.0.2\n" + APP,
        says="somebody/model-server:1.2 is not known to set one",
    ),
    Twin(rule="no-user", bad="FROM nvcr.io/nvidia/paddlepaddle:23.12-py3\n" + APP, good="FROM team-base:1\n" + APP),
    Twin(rule="no-user", good="ARG BASE\nFROM $BASE\n" + APP),
    Twin(rule="no-user", good=SLIM + 'RUN pip install --upgrade pip\nCMD ["python3"]\n'),  # made to be built on
    Twin(rule="no-user", good="FROM golang:1.23 AS b\nRUN make\nFROM scratch\nCOPY --from=b /tool /\n"),  # files alone
    Twin(  # the entrypoint changes the user
        rule="no-user",
        good=SLIM + 'COPY entry.sh /\nENTRYPOINT ["/entry.sh"]\n' + APP,
        good_files={"entry.sh": '#!/bin/sh\nexec gosu app "$@"\n'},
    ),
    Twin(rule="no-user", good='FROM public.ecr.aws/lambda/python:3.11\nCOPY app.py .\nCMD ["app.handler"]\n'),
    Twin(
        rule="user-cannot-read",
        bad=SLIM + "RUN python -m venv /root/venv\nENV PATH=/root/venv/bin:$PATH\n" + USER + APP,
        good=SLIM + "RUN python -m venv /opt/venv\nENV PATH=/opt/venv/bin:$PATH\n" + USER + APP,
        line=3,
        says="/root/venv/bin, which user app cannot read",
    ),
    Twin(
        rule="user-cannot-read",
        bad=SLIM + "RUN pip install --user torch==2.5.1\n" + USER + APP,
        good=SLIM + USER + "RUN pip install --user torch==2.5.1\n" + APP,
        line=2,
    ),
    Twin(
        rule="user-cannot-read",
        bad=SLIM + "COPY --from=b /root/.local /root/.local\n" + USER + APP,
        good=SLIM + USER + "COPY --from=b --chown=app /root/.local /home/app/.local\n" + APP,
    ),
    Twin(
        rule="user-cannot-read",
        bad=SLIM + "ENV HF_HOME=/root/.cache/huggingface\n" + USER + APP,
        good=SLIM + "ENV HF_HOME=/models\n" + USER + APP,
        says="HF_HOME is /root/.cache/huggingface",
    ),
    Twin(  # root may read it
        rule="user-cannot-read",
        good=SLIM + "ENV HF_HOME=/root/.cache/huggingface\nRUN pip install --user x\n" + APP,
    ),
    Twin(
        rule="user-cannot-read",
        bad=SLIM + "RUN python -c \"from transformers import AutoModel; AutoModel.from_pretrained('gpt2')\"\n" + USER + APP,
        good=SLIM
        + "ENV HF_HOME=/models\nRUN python -c \"from transformers import AutoModel; AutoModel.from_pretrained('gpt2')\"\n"
        + USER
        + APP,
        says="root downloads into /root/.cache/huggingface",
    ),
    Twin(
        rule="user-cannot-read",
        bad=SLIM + "RUN python -m nltk.downloader punkt\n" + USER + APP,
        good=SLIM + "RUN python -m nltk.downloader -d /usr/share/nltk_data punkt\n" + USER + APP,
    ),
    Twin(
        rule="user-cannot-read",
        bad="FROM debian:bookworm-slim\nRUN uv python install 3.12\n" + USER + APP,
        good="FROM debian:bookworm-slim\nENV UV_PYTHON_INSTALL_DIR=/opt/python\nRUN uv python install 3.12\n" + USER + APP,
    ),
    Twin(
        rule="user-cannot-read",
        bad=SLIM + "RUN curl -LsSf https://astral.sh/uv/install.sh | sh\n" + USER + 'CMD ["uv", "run", "app.py"]\n',
        good=SLIM
        + "RUN curl -LsSf https://astral.sh/uv/install.sh | env UV_INSTALL_DIR=/bin sh\n"
        + USER
        + 'CMD ["uv", "run", "app.py"]\n',
    ),
    Twin(
        rule="user-cannot-read",
        bad=SLIM + "WORKDIR /root/app\nCOPY . .\n" + USER + APP,
        good=SLIM + "WORKDIR /root/app\nCOPY . .\nRUN chmod 755 /root\n" + USER + APP,
        line=2,
    ),
    Twin(rule="user-cannot-read", good=SLIM + "ENV PATH=/root/.cargo/bin:$PATH\n" + USER + APP),
]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twins(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)


def messages(folder: Path, dockerfile: str) -> list[str]:
    return [found.message for found in findings(folder, {"Dockerfile": dockerfile}, "user-cannot-read")]


def test_file_that_only_its_owner_may_read_is_closed_to_the_user(tmp_path: Path) -> None:
    write(tmp_path, {"model.bin": "x"})
    (tmp_path / "model.bin").chmod(0o600)
    copied = SLIM + USER + "COPY model.bin /app/\nCMD python app.py\n"
    assert "model.bin is readable for its owner alone" in messages(tmp_path, copied)[0]
    assert messages(tmp_path, copied.replace("COPY", "COPY --chown=app")) == []
    (tmp_path / "model.bin").chmod(0o644)
    assert messages(tmp_path, copied) == []
