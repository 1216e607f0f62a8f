"""Dockerfiles that cannot be built."""

from pathlib import Path

import pytest

from support.linting import Twin

HEAD = "FROM python:3.11-slim\n"


def _refused(text: str, says: str, *, good: str | None = None, line: int = 2) -> Twin:
    return Twin(rule="syntax", bad=f"{HEAD}{text}\n", good=None if good is None else f"{HEAD}{good}\n", says=says, line=line)


TWINS = [
    _refused("RNU pip install x", "did you mean RUN?", good="run pip install x"),
    _refused("RUN apt-get update &&\napt-get install -y git", "there is no instruction APT-GET", line=3),
    Twin(rule="syntax", bad="RUN echo\n", good="ARG A=1\nFROM scratch\n", says="no FROM", line=1),
    Twin(rule="syntax", bad="ENV A=1\nFROM scratch\n", says="ENV stands before the first FROM", line=1),
    Twin(rule="syntax", bad="# only a comment\n", says="no instruction in the file"),
    _refused("COPY --chwon=1 a b", "did you mean chown?", good="COPY --chown=1 --link --parents a b"),
    _refused("COPY --from a /b", "--from needs a value", good="COPY --link=false a /b"),
    _refused("RUN --mount=type=cahce,target=/x true", "cahce", good="RUN --mount=type=cache,sharing=locked,uid=1,dst=/x a"),
    _refused("RUN --mount=type=cache,tagret=/x true", "did you mean target?", good="RUN --mount=type=ssh,required true"),
    _refused("RUN --mount=type=secret,id=a,src=b true", "not both", good="RUN --mount=type=secret,id=a,env=B true"),
    _refused("RUN --network=bridge true", "--network can only be", good="RUN --network=none true"),
    _refused("COPY app", "a source and a destination", good="COPY app ."),
    _refused("ADD app", "a source and a destination", good='ADD ["a b", "c"]'),
    _refused("COPY a <<EOF\nEOF", "destination", good="COPY <<EOF /a\nEOF"),
    _refused("ENV A", "needs a name and a value", good="ENV A b c"),
    _refused("ENV A=1 B", "B has no =", good="ENV A=1 B="),
    _refused("ENV =1", "name is missing", good="ARG A"),
    _refused('ENV A="x', "double quote is not closed", good='ENV A="x"'),
    _refused("ENV A=${B^^}", "there is no ${NAME^", good="ENV A=${B:-x}"),
    _refused("SHELL /bin/bash -c", "JSON form", good='SHELL ["/bin/bash", "-c"]'),
    _refused('CMD ["a", 1]', "only strings", good="CMD ['a', 1]"),
    _refused("HEALTHCHECK --interval=30 CMD true", "such as 30s", good="HEALTHCHECK --interval=1m30s --retries=3 CMD true"),
    _refused("HEALTHCHECK curl localhost", "CMD or NONE", good="HEALTHCHECK NONE"),
    _refused("HEALTHCHECK CMD", "needs a command"),
    _refused("ONBUILD FROM x", "behind ONBUILD", good="ONBUILD RUN x"),
    _refused("ONBUILD RNU x", "did you mean RUN?"),
    _refused("EXPOSE", "needs an argument", good="EXPOSE 80 81"),
    _refused("RUN <<EOF\necho", "EOF does not end", good="RUN <<EOF\necho\nEOF"),
    Twin(rule="syntax", bad="FROM a b\n", good="FROM a as b\n", says="AS and a name"),
    Twin(rule="syntax", bad="FROM a AS 1x\n", says="cannot be a stage's name"),
    Twin(
        rule="syntax",
        bad="FROM scratch AS app\nCOPY --from=build /a /a\nFROM scratch AS build\nCOPY a /a\n",
        good="FROM scratch AS build\nCOPY a /a\nFROM scratch AS app\nCOPY --from=build /a /a\nCOPY --from=0 /a /b\n",
        says="further down",
        line=2,
    ),
    Twin(rule="syntax", bad="FROM build\nFROM scratch AS build\n", good="FROM python AS python\n", says="further down", line=1),
    Twin(rule="syntax", bad="FROM a AS x\nFROM b AS X\n", says="two stages are named x", line=2),
    Twin(rule="syntax", bad="FROM scratch\nCOPY --from=1 a b\n", says="no stage 1", line=2),
    Twin(rule="syntax", bad="ARG A=b\nFROM scratch\nCOPY --from=$A a b\n", says="takes no variable", line=3),
    Twin(
        rule="syntax",
        bad="FROM scratch AS builder\nFROM scratch\nCOPY --from=biulder /a /a\n",
        good="FROM scratch AS builder\nFROM scratch\nCOPY --from=busybox /a /a\nCOPY --from=ghcr.io/astral-sh/uv /a /b\n",
        says="did you mean builder?",
    ),
    Twin(rule="syntax", bad="FROM scratch AS builder\nFROM build\n", good="FROM scratch AS cuda\nFROM base\n", says="did you"),
    Twin(rule="syntax", good="{% if x %}\nFROM a b c d\n{% endif %}\n"),
    Twin(rule="syntax", good="FROM a:{{ tag }} x\n", name="Dockerfile.j2"),
    Twin(rule="syntax", good="# syntax=example.com/other:1\nFROM x\nINCLUDE y\n"),
    Twin(rule="syntax", bad="# escape=x\nFROM x\n", good="# escape=`\nFROM x\nRUN a `\n  b\n", says="escape character"),
    Twin(rule="syntax", bad="# syntax=docker/dockerfile:1\n# syntax=docker/dockerfile:1\nFROM x\n", says="twice"),
    Twin(rule="syntax", good="\ufeffFROM x\r\nRUN a \\\r\n  && b\r\n"),
]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twins(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)
