"""Rules on architectures."""

from pathlib import Path

import pytest

from support.linting import Twin

ARM = "FROM --platform=linux/arm64 a:1 AS os_arm64\n"
COPIED = "COPY --from=build "
VENV = "python:3.12-slim AS build\nRUN pip install --prefix=/venv torch\n"
GET = "RUN curl -fsSLO https://example.org/tool-linux-{}.tar.gz\n"
BOTH = 'RUN if [ "$TARGETARCH" = arm64 ]; then A=aarch64; else A=x86_64; fi && curl -O https://example.org/tool-$A.tar.gz\n'

TWINS = [
    Twin(
        rule="arch-mismatch",
        bad='FROM --platform=linux/arm64 python:3.12-slim\nCMD ["python"]\n',
        good='FROM --platform=$TARGETPLATFORM python:3.12-slim\nCMD ["python"]\n',
        line=1,
        says="exec format error",
    ),
    Twin(rule="arch-mismatch", good="FROM --platform=linux/amd64 python:3.12-slim\n" + GET.format("x86_64")),
    Twin(rule="arch-mismatch", good="FROM --platform=linux/arm64 python:3.12-slim\n", name="Dockerfile.arm64"),
    Twin(rule="arch-mismatch", good="FROM --platform=linux/arm64 nvcr.io/nvidia/l4t-pytorch:r35.2.1-pth2.0-py3\n"),
    Twin(  # the flag of a stage upon a stage has no effect: once
        rule="arch-mismatch",
        bad="FROM --platform=$BUILDPLATFORM python:3.12-slim AS base\nFROM --platform=$BUILDPLATFORM base AS dev\n",
        good="FROM python:3.12-slim AS base\nFROM --platform=$BUILDPLATFORM base AS dev\n",
        line=1,
    ),
    Twin(
        rule="arch-mismatch",
        bad="FROM --platform=linux/amd64 python:3.12-slim\nARG TARGETARCH\nRUN echo $TARGETARCH\n",
        good="FROM --platform=linux/amd64 a:1 AS os_amd64\n" + ARM + "FROM os_${TARGETARCH}\n",
    ),
    Twin(
        rule="arch-mismatch",
        bad="FROM python:3.12-slim\nARG TARGETARCH\n" + BOTH + GET.format("amd64"),
        good="FROM python:3.12-slim\nARG TARGETARCH\n" + BOTH,
        line=4,
        says="tool-linux-amd64.tar.gz is for amd64",
    ),
    Twin(
        rule="arch-mismatch",
        bad="FROM --platform=$BUILDPLATFORM python:3.12-slim\nRUN pip install torch\n",
        good=f"FROM --platform=$BUILDPLATFORM golang:1.25 AS build\nRUN go build\nFROM a:1\n{COPIED}/src/app /app\n",
        line=1,
        says="the machine that builds",
    ),
    Twin(
        rule="arch-mismatch",
        bad=f"FROM --platform=$BUILDPLATFORM {VENV}FROM python:3.12-slim\n{COPIED}/venv /venv\n",
        good=f"FROM {VENV}FROM python:3.12-slim\n{COPIED}/venv /venv\n",
        line=4,
        says="Python packages of build",
    ),
    Twin(
        rule="arch-mismatch",
        bad="FROM arm64v8/ubuntu:22.04\n" + GET.format("x86_64"),
        good="FROM arm64v8/ubuntu:22.04\n" + GET.format("aarch64"),
        says="the stage is for arm64",
    ),
    Twin(
        rule="arch-mismatch",
        bad="FROM --platform=linux/amd64 ubuntu:22.04\nADD https://example.org/tool-arm64.deb /\n",
        good="FROM --platform=linux/amd64 ubuntu:22.04\nADD https://example.org/tool-amd64.deb /\n",
    ),
    Twin(rule="arch-mismatch", good="FROM ubuntu:22.04\n" + GET.format("x86_64")),
    Twin(  # arm64 ends the build
        rule="arch-mismatch",
        bad="FROM ubuntu:22.04\nARG TARGETPLATFORM\nRUN case $TARGETPLATFORM in linux/arm64) true ;; esac\n"
        + GET.format("x86_64"),
        good='FROM ubuntu:22.04\nARG TARGETPLATFORM\nRUN case $TARGETPLATFORM in \\\n    "linux/arm64")  exit 1 ;; \\\n  esac\n'
        + GET.format("x86_64"),
    ),
    Twin(
        rule="arch-mismatch",
        good="FROM ubuntu:22.04\nARG TARGETARCH\nRUN case $(uname -m) in x86_64) curl -O https://a.org/a-x86_64 ;; esac\n",
    ),
    Twin(
        rule="arch-mismatch",
        good="FROM ubuntu:22.04\nARG TARGETARCH\nRUN curl -O https://example.org/linux/amd64/arm64/both.tar.gz\n",
    ),
]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twins(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)
