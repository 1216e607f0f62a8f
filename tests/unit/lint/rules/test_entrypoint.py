"""Rules over what a container is to start."""

from pathlib import Path

import pytest

from support.linting import Twin

SLIM = "FROM python:3.11-slim-bookworm\n"
TINI = 'ENTRYPOINT ["/usr/bin/tini", "--", "python", "app.py"]\n'
APP = {"app.py": "print(1)\n"}

TWINS = [
    Twin(
        rule="entrypoint-missing-binary",
        bad=SLIM + TINI,
        good=SLIM + "RUN apt-get update && apt-get install -y tini\n" + TINI,
        line=2,
        says="tini is not in python:3.11-slim-bookworm",
    ),
    Twin(
        rule="entrypoint-missing-binary",
        good=SLIM + "ADD https://example.com/tini /tini\n" + TINI.replace("/usr/bin/tini", "/tini"),
    ),
    Twin(rule="entrypoint-missing-binary", good="FROM team/base:1\n" + TINI),
    Twin(
        rule="entrypoint-missing-binary",
        bad=SLIM + "COPY . .\n" + 'CMD ["uv", "run", "app.py"]\n',
        good=SLIM + "COPY --from=ghcr.io/astral-sh/uv:0.5 /uv /bin/uv\nCOPY . .\n" + 'CMD ["uv", "run", "app.py"]\n',
        files=APP,
    ),
    Twin(
        rule="entrypoint-missing-binary",
        bad=SLIM + "RUN pip install fastapi==0.115.6\n" + 'CMD ["uvicorn", "main:app"]\n',
        good=SLIM + 'RUN pip install "fastapi[standard]"\n' + 'CMD ["uvicorn", "main:app"]\n',
        says="uvicorn is started",
    ),
    Twin(
        rule="entrypoint-missing-binary",
        bad=SLIM + "COPY requirements.txt .\nRUN pip install -r requirements.txt\nCMD gunicorn app:app\n",
        good=SLIM + "COPY requirements.txt .\nRUN pip install -r requirements.txt\nCMD gunicorn app:app\n",
        bad_files={"requirements.txt": "flask==3.0.3\n"},
        good_files={"requirements.txt": "flask==3.0.3\ngunicorn==23.0.0\n"},
        line=4,
    ),
    Twin(
        rule="entrypoint-missing-binary",
        bad="FROM ubuntu:22.04\nRUN apt-get update && apt-get install -y python3 python3-pip\n" + 'CMD ["python", "app.py"]\n',
        good="FROM ubuntu:22.04\nRUN apt-get update && apt-get install -y python3 python-is-python3\n"
        + 'CMD ["python", "app.py"]\n',
        says="python is not in ubuntu:22.04",
    ),
    Twin(
        rule="entrypoint-missing-binary",
        good="FROM ubuntu:22.04\nENV PATH=/opt/venv/bin:$PATH\nRUN python3 -m venv /opt/venv\n" + 'CMD ["python", "app.py"]\n',
    ),
    Twin(
        rule="entrypoint-missing-binary",
        bad=SLIM + "COPY app.py /app/\n" + 'CMD ["/app/start.sh"]\n',
        good=SLIM + "COPY app.py start.sh /app/\n" + 'CMD ["/app/start.sh"]\n',
        files={**APP, "start.sh": "#!/bin/sh\n"},
        says="nothing copies start.sh to /app/start.sh",
    ),
    Twin(
        rule="entrypoint-missing-binary",
        bad=SLIM + "WORKDIR /app\nCOPY src /app\n" + 'CMD ["python", "src/app.py"]\n',
        good=SLIM + "WORKDIR /app\nCOPY src /app\n" + 'CMD ["python", "app.py"]\n',
        files={"src/app.py": "print(1)\n"},
        says="src/app.py of the context lands elsewhere",
    ),
    Twin(
        rule="entrypoint-missing-binary",
        bad=SLIM + "COPY . /app\nCMD python /app/app.py\n",
        good=SLIM + "COPY . /app\nCMD python /app/app.py\n",
        files=APP,
        bad_files={".dockerignore": "*.py\n"},
        says="the ignore file leaves app.py out",
    ),
    Twin(
        rule="entrypoint-missing-binary",
        good=SLIM + "COPY req.txt .\nRUN git clone https://x.org/y /app\nCMD python /app/app.py\n",
    ),
    Twin(rule="entrypoint-missing-binary", good=SLIM + "COPY --from=b /app /app\nCOPY x /x\nCMD python /app/app.py\n"),
    Twin(rule="entrypoint-missing-binary", good=SLIM + "COPY x /x\nCOPY <<EOF /run.sh\necho\nEOF\nCMD sh /run.sh\n"),
    Twin(
        rule="entrypoint-missing-binary",
        good=SLIM + "COPY req.txt .\nCMD python app.py\n",
        good_files={"compose.yaml": "services:\n  a:\n    build: .\n    volumes: ['.:/']\n"},
    ),
    Twin(  # looked for on PATH
        rule="entrypoint-missing-binary",
        good=SLIM + "COPY start.sh /usr/local/bin/\nWORKDIR /home\n" + 'ENTRYPOINT ["start.sh"]\n',
    ),
    Twin(
        rule="no-cmd",
        bad=SLIM + "COPY . .\n",
        good=SLIM + "COPY . .\nCMD python app.py\n",
        line=1,
        files=APP,
    ),
    Twin(rule="no-cmd", good=SLIM + "COPY requirements.txt .\nRUN pip install -r requirements.txt\n"),
    Twin(rule="no-cmd", good=SLIM + "COPY . .\n", name="base.Dockerfile"),
    Twin(
        rule="no-cmd",
        bad="FROM nvidia/cuda:12.4.1-devel-ubuntu22.04\nRUN git clone https://github.com/a/b\nRUN pip install -e b\n",
        good="FROM nvidia/cuda:12.4.1-devel-ubuntu22.04\nRUN git clone https://github.com/a/b\nRUN pip install ./b\n",
    ),
    Twin(
        rule="no-cmd",
        bad="FROM rocm/pytorch:rocm7.2_ubuntu24.04_py3.12_pytorch_release_2.7.1\nCOPY . /app\n",
        good="FROM rocm/vllm:rocm7.2\nCOPY . /app\n",
    ),
    Twin(rule="no-cmd", bad=SLIM + 'CMD ["tail", "-f", "/dev/null"]\n', good=SLIM + "CMD sleep 5\n", line=2),
    Twin(rule="no-cmd", good="FROM tiangolo/uvicorn-gunicorn-fastapi:python3.11\nCOPY ./app /app\n"),
    Twin(
        rule="no-cmd",
        good=SLIM + "COPY . .\n",
        good_files={"compose.yaml": "services:\n  a:\n    build: .\n    command: python app.py\n"},
    ),
]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twins(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)
