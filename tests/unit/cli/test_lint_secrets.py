"""No output of `shipwheel lint` shows a secret, whichever rule finds something beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipwheel.cli.main import run
from support.linting import write

SECRETS = ("hf_QmZxkWvTrpLsNdYbJcGh4821", "zq79f86d081884c7d659a2feaa0c55ad015")
DOCKERFILE = """\
FROM python:latest
ARG API_KEY={1}
ENV TRANSFORMERS_CACHE=/x HF_TOKEN={0} DATABASE_URL=postgresql://u:{1}@db/a
RUN apt-get update && apt-get install curl && HF_TOKEN={0} hf download a/b --token {0}
RUN pip install -i https://u:{1}@pypi.example.org/simple sklearn
RUN git clone https://{0}@github.com/a/b && echo 'a:{1}' | chpasswd
RUN curl -H "Authorization: Bearer {1}" https://x.example/m.bin -o m.bin; wandb login {1}
CMD ["uvicorn", "main:app", "--host", "127.0.0.1", "--api-key", "{1}"]
"""
POD = """\
apiVersion: v1
kind: Pod
metadata: {{name: a}}
spec:
  containers:
  - name: a
    image: a:latest
    args:
    - --api-key
    - {1}
    env:
    - name: TRANSFORMERS_CACHE
      value: /x
    - name: HF_TOKEN
      value: {0}
    - {{name: DB_PASSWORD, value: "{1}"}}
"""
COMPOSE = "version: '3'\nservices:\n  a:\n    image: a\n    environment:\n    - HF_TOKEN={0}\n    - DB_PASSWORD={1}\n"
SCRIPT = "#!/bin/sh\nexport HF_TOKEN={0}\ndocker build --secret API_KEY={1} --build-arg HF_TOKEN={0} .\n"


@pytest.mark.parametrize(
    "words",
    [["--format", "text"], ["--format", "json"], ["--format", "sarif"], ["--format", "github"], ["--diff"]],
    ids=" ".join,
)
def test_no_output_shows_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    files = {"Dockerfile": DOCKERFILE, "pod.yaml": POD, "compose.yaml": COMPOSE, "build.sh": SCRIPT}
    requirements = "--extra-index-url https://u:{1}@pypi.example.org/simple\nsklearn\n"
    write(tmp_path, {name: text.format(*SECRETS) for name, text in {**files, "requirements.txt": requirements}.items()})
    run(["lint", *words])
    said = "".join(capsys.readouterr())
    assert len(said) > 500
    for secret in SECRETS:
        at = said.find(secret)
        assert at < 0, said[max(0, at - 300) : at + 60]
