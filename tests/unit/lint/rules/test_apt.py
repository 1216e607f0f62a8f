"""Packages of the distribution."""

from pathlib import Path

import pytest

from support.linting import Twin

BASE = "FROM python:3.12-slim-bookworm\n"
CLEAN = " && rm -rf /var/lib/apt/lists/*"
APT_CACHE = [
    Twin(
        rule="apt-cache",
        bad=BASE + "RUN apt-get update && apt-get install -y curl\n",
        good=BASE + f"RUN apt-get update && apt-get install -y curl{CLEAN}\n",
        line=2,
        fixed=BASE + f"RUN apt-get update && apt-get install -y curl{CLEAN}\n",
    ),
    Twin(
        rule="apt-cache",
        bad=BASE + "RUN apt-get update \\\n    && apt-get install -y \\\n        curl \\\n        git\nUSER app\n",
        good=BASE + "RUN apt-get update\\\n  && apt-get install -y curl\\\n  && apt-get distclean\n",
        fixed=BASE
        + "RUN apt-get update \\\n    && apt-get install -y \\\n        curl \\\n        git \\\n   "
        + CLEAN
        + "\nUSER app\n",
    ),
    Twin(
        rule="apt-cache",
        bad=BASE + "RUN apt-get update && \\\r\n    apt-get install -y curl  # for health\r\n",
        good=BASE + "RUN --mount=type=cache,target=/var/lib/apt,sharing=locked apt-get update && apt-get install -y curl\n",
        fixed=BASE
        + "RUN apt-get update && \\\r\n    apt-get install -y curl && \\\r\n    rm -rf /var/lib/apt/lists/*  # for health\r\n",
    ),
    Twin(  # what is added behind a substitution that nothing closes would be text, not a command
        rule="apt-cache",
        bad=BASE + 'RUN apt-get update && apt-get install -y "$( \\\n    curl && rm -rf /var/lib/apt/pt/lists/*\n',
        fixed=BASE + 'RUN apt-get update && apt-get install -y "$( \\\n    curl && rm -rf /var/lib/apt/pt/lists/*\n',
    ),
    Twin(
        rule="apt-cache",
        bad=BASE + "RUN apt-get update && apt-get install -y curl && rm -rf /var/lib.apt/lists/*\n",
        good=BASE + "RUN apt-get update && apt-get install -y curl && cd /var/lib && rm -rf apt/lists/*\n",
    ),
    Twin(  # the folder of the lists misspelt
        rule="apt-cache",
        bad=BASE + "RUN apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/list/*\n",
        fixed=BASE + f"RUN apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/list/*{CLEAN}\n",
    ),
    Twin(  # braces that name nothing of what lies in the folder
        rule="apt-cache",
        bad=BASE + "RUN apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/{apt,dpkg,cache,log}\n",
        good=BASE + "RUN apt-get update && apt-get install -y curl && rm -rf /var/lib/{apt,dpkg,cache,log}/\n",
    ),
    Twin(
        rule="apt-cache",
        bad="FROM jenkins/agent:1\nRUN sudo apt-get update && sudo apt-get install -y curl\n",
        fixed="FROM jenkins/agent:1\n"
        "RUN sudo apt-get update && sudo apt-get install -y curl && sudo rm -rf /var/lib/apt/lists/*\n",
    ),
    Twin(  # archives in a mount, lists in the layer
        rule="apt-cache",
        bad=BASE + "RUN --mount=type=cache,target=/var/cache/apt apt-get update && apt-get install -y curl\n",
        good=BASE + "RUN --mount=type=cache,target=/var/lib/apt/lists apt-get update && apt-get install -y curl\n",
    ),
    Twin(
        rule="apt-cache",
        bad=BASE + "RUN apt-get install --update -y curl\n",
        good="FROM alpine:3.20\nRUN apk add --no-network --virtual .deps $deps\n",
    ),
    Twin(  # a later RUN takes these lists: first it gets an update of its own
        rule="apt-cache",
        bad=BASE + "RUN apt-get update && apt-get install -y a\nRUN apt-get install -y b\n",
        fixed=BASE + "RUN apt-get update && apt-get install -y a\nRUN apt-get install -y b\n",
    ),
    Twin(
        rule="apt-cache",
        bad=BASE + "RUN apt-get update\nRUN ./install.sh\n",
        fixed=BASE + "RUN apt-get update\nRUN ./install.sh\n",
    ),
    Twin(  # thrown away with its stage
        rule="apt-cache",
        bad="FROM debian:12 AS a\nRUN apt-get update && apt-get install -y gcc\nFROM a\nRUN gcc -v\n",
        good="FROM debian:12 AS a\nRUN apt-get update && apt-get install -y gcc\nFROM debian:12\nCOPY --from=a /x /x\n",
    ),
    Twin(
        rule="apt-cache",
        bad=BASE + "RUN set -eux; \\\n    apt-get update; \\\n    apt-get install -y curl\n",
        fixed=BASE
        + "RUN set -eux; \\\n    apt-get update; \\\n    apt-get install -y curl; \\\n    rm -rf /var/lib/apt/lists/*\n",
    ),
    Twin(
        rule="apt-cache",
        bad=BASE + "RUN if true; then apt-get update && apt-get install -y curl; fi\n",
        fixed=BASE + f"RUN if true; then apt-get update && apt-get install -y curl; fi{CLEAN}\n",
    ),
    Twin(
        rule="apt-cache",
        bad=BASE + "RUN sudo apt-get update && sudo apt-get install -y curl \\\n",
        fixed=BASE + "RUN sudo apt-get update && sudo apt-get install -y curl && sudo rm -rf /var/lib/apt/lists/* \\\n",
    ),
    Twin(  # no plain end: told, not mended
        rule="apt-cache",
        bad=BASE + 'RUN ["apt-get", "update"]\n',
        good=BASE + "RUN <<EOF\napt-get update\napt-get install -y curl\nrm -rf /var/lib/apt/lists/*\nEOF\n",
        fixed=BASE + 'RUN ["apt-get", "update"]\n',
    ),
    Twin(
        rule="apt-cache",
        bad="FROM alpine:3.20\nRUN apk add -U curl\n",
        good="FROM alpine:3.20\nRUN apk add --no-cache curl\n",
        fixed="FROM alpine:3.20\nRUN apk add --no-cache -U curl\n",
    ),
    Twin(
        rule="apt-cache",
        bad="FROM alpine:3.20\nRUN apk update && apk add curl\n",
        good="FROM alpine:3.20\nRUN apk add curl && rm -rf /var/cache/apk/*\n",
        fixed="FROM alpine:3.20\nRUN apk update && apk add curl && rm -rf /var/cache/apk/*\n",
    ),
    Twin(
        rule="apt-cache",
        bad="FROM rockylinux:9\nRUN dnf install -y gcc\n",
        good="FROM rockylinux:9\nRUN yum install -y gcc && yum clean all && rm -rf /var/cache/yum\n",
        fixed="FROM rockylinux:9\nRUN dnf install -y gcc && dnf clean all\n",
    ),
    Twin(  # where it is not there, `fi && dnf clean` would fail
        rule="apt-cache",
        bad="ARG BASE=rockylinux:9\nFROM $BASE\nRUN if command -v dnf; then dnf install -y gcc; fi\n",
        fixed="ARG BASE=rockylinux:9\nFROM $BASE\nRUN if command -v dnf; then dnf install -y gcc; fi\n",
    ),
]
RECOMMENDS = [
    Twin(
        rule="apt-no-recommends",
        bad=BASE + "RUN apt-get update && apt-get install -y curl git\n",
        good=BASE + "RUN apt-get update && apt-get install -y --no-install-recommends curl git\n",
        says="curl and git",
    ),
    Twin(rule="apt-no-recommends", bad=BASE + "RUN apt-get install -y git\n", says="git with everything that it recommends"),
    Twin(rule="apt-no-recommends", good=BASE + "RUN apt-get install -y -o APT::Install-Recommends=false curl\n"),
    Twin(
        rule="apt-no-recommends",
        good=BASE + "RUN echo 'APT::Install-Recommends \"0\";' > /etc/apt/apt.conf.d/01\nRUN apt-get install -y curl\n",
    ),
]
ALONE = [
    Twin(
        rule="apt-update-alone",
        bad=BASE + "RUN apt-get update\n# tools\nRUN apt-get install -y curl\n",
        good=BASE + "RUN apt-get update && apt-get install -y curl\n",
        line=2,
        fixed=BASE + "# tools\nRUN apt-get update && apt-get install -y curl\n",
    ),
    Twin(
        rule="apt-update-alone",
        bad=BASE + "RUN apt-get update -y\r\nENV A=1\r\nRUN apt-get install -y \\\r\n    curl\r\n",
        fixed=BASE + "ENV A=1\r\nRUN apt-get update -y && apt-get install -y \\\r\n    curl\r\n",
    ),
    Twin(
        rule="apt-update-alone",
        bad=BASE + "RUN apt-get install -y curl\n",
        good=BASE + "RUN curl -s https://deb.nodesource.com/setup_20.x | bash - && apt-get install -y nodejs\n",
        fixed=BASE + "RUN apt-get update && apt-get install -y curl\n",
    ),
    Twin(  # something that may need the lists stands between: told once, not mended
        rule="apt-update-alone",
        bad=BASE + "RUN apt-get update\nRUN ./prepare.sh\nRUN apt-get install -y curl\n",
        good=BASE + "RUN --mount=type=cache,target=/var/lib/apt apt-get install -y curl\n",
        fixed=BASE + "RUN apt-get update\nRUN ./prepare.sh\nRUN apt-get install -y curl\n",
    ),
    Twin(  # the lists of the update are gone by then, so that the install finds no package
        rule="apt-update-alone",
        bad=BASE
        + "RUN apt-get update\nRUN apt-get install -y curl && rm -rf /var/lib/apt/lists/*\nRUN apt-get install -y git\n",
        good=BASE + "RUN apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*\n"
        "RUN apt-get update && apt-get install -y git && rm -rf /var/lib/apt/lists/*\n",
        count=2,
    ),
    Twin(
        rule="apt-update-alone",
        bad=BASE
        + "RUN apt-get update && apt-get install -y curl\nRUN rm -rf /var/lib/apt/lists/*\nRUN apt-get install -y git\n",
        line=4,
        says="removed",
    ),
    Twin(rule="apt-update-alone", good=BASE + "RUN apt-get update && ./install-dependencies.sh\n"),
    Twin(rule="apt-update-alone", good=BASE + "RUN apt-get install --update -y curl\n"),
    Twin(rule="apt-update-alone", good=BASE + "RUN apt-get install -y ./tool.deb\n"),
    Twin(rule="apt-update-alone", good=BASE + "RUN apt-get update && playwright install-deps\n"),
    Twin(
        rule="apt-update-alone",
        good=BASE + "RUN add-apt-repository ppa:deadsnakes/ppa && apt-get install -y python3.9\n",
    ),
    Twin(  # with the repository that the lists are fetched for
        rule="apt-update-alone",
        bad=BASE + "RUN add-apt-repository ppa:deadsnakes/ppa && apt-get update\nRUN apt-get install -y python3.9\n",
        good=BASE + "RUN add-apt-repository ppa:deadsnakes/ppa && apt-get update && apt-get install -y python3.9\n",
        fixed=BASE + "RUN add-apt-repository ppa:deadsnakes/ppa && apt-get update && apt-get install -y python3.9\n",
        line=2,
    ),
]
NO_Y = [
    Twin(
        rule="apt-no-y",
        bad=BASE + "RUN apt-get update && apt-get install curl\n",
        good=BASE + "RUN apt-get update && apt-get install -qq curl\n",
        fixed=BASE + "RUN apt-get update && apt-get install -y curl\n",
    ),
    Twin(
        rule="apt-no-y",
        bad=BASE + "ENV DEBIAN_FRONTEND=noninteractive\nRUN apt-get -q install --no-install-recommends \\\n  curl\n",
        good=BASE + "RUN apt-get -q=2 install curl && apt install --assume-yes git && apt-get -yq install tar\n",
        fixed=BASE + "ENV DEBIAN_FRONTEND=noninteractive\nRUN apt-get -q install -y --no-install-recommends \\\n  curl\n",
    ),
    Twin(
        rule="apt-no-y",
        bad=BASE + "RUN apt-get install curl && apt-get install git\n",
        good=BASE + "RUN apt-get -o APT::Get::Assume-Yes=true install curl\n",
        fixed=BASE + "RUN apt-get install -y curl && apt-get install -y git\n",
    ),
    Twin(
        rule="apt-no-y",
        good=BASE + "RUN echo 'APT::Get::Assume-Yes \"true\";' > /etc/apt/apt.conf.d/90yes\nRUN apt-get install curl\n",
    ),
    Twin(rule="apt-no-y", good=BASE + "RUN yes | apt-get install curl\nRUN apt-get install --dry-run curl\n"),
    Twin(rule="apt-no-y", good=BASE + 'ARG APT="apt-get install -y"\nRUN $APT curl\n'),
    Twin(
        rule="apt-no-y",
        bad="FROM debian:12 AS a\nRUN apt-get install gcc\nFROM scratch\nCOPY --from=a /x /x\n",
        good="FROM rockylinux:9\nRUN yum -y install gcc && microdnf install gcc\n",
    ),
    Twin(
        rule="apt-no-y",
        bad="FROM rockylinux:9\nRUN yum install gcc\n",
        fixed="FROM rockylinux:9\nRUN yum install -y gcc\n",
        says="yum install",
    ),
    Twin(rule="apt-no-y", bad=BASE + "RUN apt-get update && apt-get upgrade\n", good=BASE + "RUN apt-get dist-upgrade -y\n"),
]
UPGRADE = [
    Twin(
        rule="apt-upgrade",
        bad=BASE + "RUN apt-get update && apt-get upgrade -y\n",
        good=BASE + "RUN apt-get update && apt-get install -y --only-upgrade openssl\n",
    ),
    Twin(rule="apt-upgrade", bad="FROM alpine:3.20\nRUN apk upgrade\n", good="FROM alpine:3.20\nRUN apk upgrade openssl\n"),
    Twin(rule="apt-upgrade", bad="FROM rockylinux:9\nRUN yum -y update\n"),
]
MISSING = [
    Twin(
        rule="apt-missing-pkg",
        bad="FROM ubuntu:24.04\nRUN apt-get install -y libgl1-mesa-glx libglib2.0-0\n",
        good="FROM ubuntu:22.04\nRUN apt-get install -y libgl1-mesa-glx libglib2.0-0\n",
        says="24.04 has no package libgl1-mesa-glx",
        fixed="FROM ubuntu:24.04\nRUN apt-get install -y libgl1 libglib2.0-0\n",
    ),
    Twin(
        rule="apt-missing-pkg",
        bad="FROM python:3.11-slim-trixie\nRUN apt-get install -y \\\n    git \\\n    libgl1-mesa-glx\n",
        good="FROM python:3.11-slim-bookworm\nRUN apt-get install -y libgl1-mesa-glx\n",
        line=4,
        fixed="FROM python:3.11-slim-trixie\nRUN apt-get install -y \\\n    git \\\n    libgl1\n",
    ),
    Twin(
        rule="apt-missing-pkg",
        bad="FROM nvidia/cuda:12.1.1-base-ubuntu22.04\nRUN apt-get install -y python python-dev\n",
        good="FROM ubuntu:18.04\nRUN apt-get install -y python python-dev\n",
        fixed="FROM nvidia/cuda:12.1.1-base-ubuntu22.04\nRUN apt-get install -y python python3-dev\n",
    ),
    Twin(
        rule="apt-missing-pkg",
        bad="FROM debian:bookworm\nRUN apt-get install -y netcat openjdk-11-jre-headless\n",
        good="FROM debian:bookworm\nRUN apt-get install -y netcat-openbsd libasound2 default-jre-headless\n",
        fixed="FROM debian:bookworm\nRUN apt-get install -y netcat-openbsd openjdk-11-jre-headless\n",
    ),
    Twin(  # may come from elsewhere, or is only tried
        rule="apt-missing-pkg",
        good="FROM debian:bookworm\nRUN add-apt-repository ppa:x/y && apt-get install -y openjdk-8-jdk\n",
    ),
    Twin(
        rule="apt-missing-pkg",
        good="FROM ubuntu:24.04\nRUN apt-get install -y libgl1-mesa-glx || apt-get install -y libgl1\n",
    ),
    Twin(rule="apt-missing-pkg", good="FROM mine/base:1\nRUN apt-get install -y libgl1-mesa-glx python-pip\n"),
]
TWINS = [*APT_CACHE, *RECOMMENDS, *ALONE, *NO_Y, *UPGRADE, *MISSING]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twin(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)
