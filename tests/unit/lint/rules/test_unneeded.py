"""Rules on tools for developers that are shipped, and on stages that nobody uses."""

from pathlib import Path

import pytest

from support.linting import Twin, findings

APT = "RUN apt-get update && apt-get install -y --no-install-recommends "
SLIM = "FROM python:3.12-slim-bookworm\n"
APP = 'COPY app.py .\nCMD ["python", "app.py"]\n'
SERVE = 'COPY . .\nCMD ["uvicorn", "app:app", "--host", "0.0.0.0"]\n'

TWINS = [
    Twin(
        rule="dev-tools-final",
        bad=f"{SLIM}{APT}vim htop git\n{SERVE}",
        good=f"{SLIM}{APT}git\n{SERVE}",
        line=2,
        says="vim and htop",
    ),
    Twin(
        rule="dev-tools-final",
        bad=f"{SLIM}RUN pip install fastapi pytest black\n{SERVE}",
        good=f"{SLIM}RUN pip install fastapi\n{SERVE}",
        says="black and pytest",
    ),
    Twin(
        rule="dev-tools-final",
        bad=f"{SLIM}COPY requirements.txt .\nRUN pip install -r requirements.txt\n{SERVE}",
        good=f"{SLIM}COPY requirements.txt .\nRUN pip install -r requirements.txt\n{SERVE}",
        bad_files={"requirements.txt": "fastapi\njupyterlab\npytest\n"},
        good_files={"requirements.txt": "fastapi\nuvicorn\n"},
        line=3,
        says="jupyterlab and pytest",
    ),
    Twin(rule="dev-tools-final", good=f"{SLIM}RUN pip install jupyterlab pandas\nCMD jupyter lab --ip=0.0.0.0\n"),
    Twin(
        rule="dev-tools-final",
        bad=f"{SLIM}RUN apt-get update && apt-get install -y git mercurial subversion\nRUN pip install torch\nCMD python .\n",
        good=f"{SLIM}RUN apt-get update && apt-get install -y git\nRUN pip install torch\nCMD python .\n",
        says="mercurial and subversion",
    ),
    Twin(rule="dev-tools-final", good=f"{SLIM}RUN pip install ipykernel papermill\nCOPY . .\nCMD papermill a.ipynb b.ipynb\n"),
    Twin(rule="dev-tools-final", good=f'{SLIM}RUN pip install pytest\nCOPY . .\nCMD ["pytest", "tests"]\n'),
    Twin(
        rule="dev-tools-final",
        good=f"FROM python:3.12-slim-bookworm AS test\nRUN pip install pytest\nCOPY . .\nRUN pytest\n{SLIM}{SERVE}",
    ),
    Twin(rule="dev-tools-final", good=f"{SLIM}RUN apt-get install -y vim && apt-get purge -y vim\n{SERVE}"),
    Twin(
        rule="stage-dead",
        bad=f"FROM python:3.12 AS models\nRUN python fetch.py\n{SLIM}{APP}",
        good=f"FROM python:3.12 AS models\nRUN python fetch.py\n{SLIM}COPY --from=models /m /m\n{APP}",
        line=1,
        says="models",
    ),
    Twin(rule="stage-dead", bad=f"FROM python:3.12\nRUN pip wheel .\n{SLIM}{APP}"),
    Twin(
        rule="stage-dead",
        good=f"FROM python:3.12 AS models\nRUN x\n{SLIM}RUN --mount=type=bind,from=models,source=/m,target=/m cp /m /n\n{APP}",
    ),
    Twin(rule="stage-dead", good=f"FROM python:3.12 AS test\nRUN pytest\n{SLIM}{APP}"),
    Twin(rule="stage-dead", good=f'FROM python:3.12 AS worker\nCMD ["celery"]\n{SLIM}{APP}'),
    Twin(
        rule="stage-dead",
        good="FROM python:3.12 AS base-amd64\nRUN a\nFROM python:3.12 AS base-arm64\nRUN b\nFROM base-$TARGETARCH\n",
    ),
    Twin(
        rule="stage-dead",
        good="ARG KIND=cpu\nFROM python:3.12 AS os-cpu\nRUN a\nFROM python:3.12 AS os-gpu\nRUN b\nFROM os-${KIND}\n",
    ),
    Twin(
        rule="stage-dead",
        bad=f"FROM python:3.12 AS report\nRUN x\n{SLIM}{APP}",
        good=f"FROM python:3.12 AS report\nRUN x\n{SLIM}{APP}",
        good_files={"build.sh": "docker build --target report .\n"},
    ),
    Twin(
        rule="stage-dead",
        good=f"FROM python:3.12 AS report\nRUN x\n{SLIM}{APP}",
        files={"docker-bake.hcl": 'target "r" {\n  target = "report"\n}\n'},
    ),
    Twin(
        rule="stage-dead",
        good=f"FROM python:3.12 AS report\nRUN x\n{SLIM}{APP}",
        files={"compose.yaml": "services:\n  r:\n    build:\n      context: .\n      target: report\n"},
    ),
]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twins(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)


def test_uv_is_told_to_leave_groups_for_development_out(tmp_path: Path) -> None:
    project = '[project]\nname = "a"\nversion = "1"\ndependencies = []\n\n[dependency-groups]\ndev = ["pytest"]\n'
    text = f"{SLIM}COPY pyproject.toml uv.lock ./\nRUN uv sync --locked\n{SERVE}"
    files = {
        "pyproject.toml": project,
        "uv.lock": 'version = 1\n\n[[package]]\nname = "pytest"\nversion = "8.0.0"\n',
        "app.py": "",
    }
    [found] = findings(tmp_path / "all", {**files, "Dockerfile": text}, "dev-tools-final")
    assert "--no-dev" in found.remedy
    assert not findings(
        tmp_path / "some", {**files, "Dockerfile": text.replace("--locked", "--locked --no-dev")}, "dev-tools-final"
    )
