"""Rules over health checks."""

from pathlib import Path

import pytest

from support.linting import Twin

SLIM = "FROM python:3.11-slim-bookworm\n"
SERVE = 'COPY . /app\nCMD ["uvicorn", "main:app", "--host", "0.0.0.0", "--port", "8000"]\n'
URL = "http://localhost:8000/health"
URLLIB = f"python -c \"import urllib.request; urllib.request.urlopen('{URL}')\""
CHECK = f"HEALTHCHECK --start-period=60s CMD {URLLIB}\n"
WEB = "RUN pip install fastapi==0.115.6 uvicorn==0.34.0\n"

TWINS = [
    Twin(  # a target for developers beside the image that is shipped
        rule="no-healthcheck",
        bad=f"{SLIM[:-1]} AS base\nFROM base AS dev\n{SERVE}FROM base\n{SERVE}",
        good=f"{SLIM[:-1]} AS base\nFROM base AS dev\n{SERVE}FROM base\n{CHECK}{SERVE}",
    ),
    Twin(rule="no-healthcheck", bad=SLIM + SERVE, good=SLIM + CHECK + SERVE, line=1, says="uvicorn"),
    Twin(
        rule="no-healthcheck", good=SLIM + 'COPY . .\nCMD ["python", "train.py"]\n', good_files={"train.py": "import torch\n"}
    ),
    Twin(
        rule="no-healthcheck",
        bad=SLIM + 'COPY . .\nCMD ["python", "app.py"]\n',
        good=SLIM + 'COPY . .\nCMD ["python", "app.py"]\n',
        bad_files={"app.py": "from flask import Flask\napp = Flask(__name__)\napp.run(host='0.0.0.0')\n"},
        good_files={"app.py": "print('hello')\n"},
    ),
    Twin(  # through a script, and with a launcher
        rule="no-healthcheck",
        bad=SLIM + 'COPY start.sh /\nENTRYPOINT ["tini", "--", "/start.sh"]\n',
        good=SLIM + CHECK + 'COPY start.sh /\nENTRYPOINT ["tini", "--", "/start.sh"]\n',
        files={"start.sh": "#!/bin/sh\nset -e\nexec uv run gunicorn main:app\n"},
    ),
    Twin(  # an image of a database or a proxy comes without one on purpose
        rule="no-healthcheck",
        bad=SLIM + 'EXPOSE 5432\nENTRYPOINT ["docker-entrypoint.sh"]\nCMD ["rerank-server"]\n',
        good=SLIM + 'EXPOSE 5432\nENTRYPOINT ["docker-entrypoint.sh"]\nCMD ["postgres"]\n',
    ),
    Twin(  # CMD gives options to the server that the image starts
        rule="no-healthcheck",
        bad='FROM vllm/vllm-openai:v0.9.0\nCMD ["--model", "a/b"]\n',
        good='FROM vllm/vllm-openai:v0.9.0\nENTRYPOINT []\nCMD ["--model", "a/b"]\n',
        says="as vllm/vllm-openai:v0.9.0 does",
    ),
    Twin(rule="no-healthcheck", good='FROM debian:trixie\nEXPOSE 80\nCMD ["nginx", "-g", "daemon off;"]\n'),
    Twin(  # what runs is not here to be read, and EXPOSE says that it answers
        rule="no-healthcheck",
        bad=SLIM + 'EXPOSE 8000\nCOPY start.sh /\nCMD ["/start.sh"]\n',
        good=SLIM + 'EXPOSE 6006 8888\nCOPY train.sh /\nCMD ["/train.sh"]\n',
        line=1,
        says="EXPOSE 8000",
    ),
    Twin(
        rule="no-healthcheck",
        bad=SLIM + 'ENV PORT=4123\nEXPOSE ${PORT}\nCMD ["python", "main.py"]\n',
        good=SLIM + 'EXPOSE 8000\nCMD ["bash", "-l"]\n',
        says="EXPOSE 4123",
    ),
    Twin(  # a server by its name, but for those that are asked on their standard input
        rule="no-healthcheck",
        bad=SLIM + 'ENTRYPOINT ["python", "-m", "clip_server"]\n',
        good=SLIM + 'ENTRYPOINT ["python", "-m", "mcp_server"]\n',
        says="clip_server",
    ),
    Twin(
        rule="no-healthcheck",
        bad=SLIM + 'COPY . .\nCMD ["python", "-u", "src/api_server.py", "--model", "m"]\n',
        good=SLIM + 'COPY . .\nCMD ["python", "-m", "src.observer", "server"]\n',
        says="api_server.py",
    ),
    Twin(rule="no-healthcheck", bad=SLIM + "CMD ./run-server.sh\n", good=SLIM + "CMD ./preserve.sh\n"),
    Twin(
        rule="no-healthcheck", bad=SLIM + "EXPOSE 8501\nENTRYPOINT make serve\n", good=SLIM + "EXPOSE 80\nCMD sleep infinity\n"
    ),
    Twin(rule="no-healthcheck", good=SLIM + 'EXPOSE 5000\nCMD ["python", "-m", "pytest"]\n'),
    Twin(rule="no-healthcheck", good='FROM nginx:1.27\nEXPOSE 80\nCMD ["/start.sh"]\n'),
    Twin(rule="no-healthcheck", good=SLIM + "HEALTHCHECK NONE\n" + SERVE),
    Twin(rule="no-healthcheck", good="FROM quay.io/jupyter/scipy-notebook:2025-01-01\nCMD jupyter lab\n"),
    Twin(
        rule="no-healthcheck",
        good=SLIM + SERVE,
        good_files={"compose.yaml": f"services:\n  api:\n    build: .\n    healthcheck:\n      test: curl -f {URL}\n"},
    ),
    Twin(
        rule="healthcheck-start-period",
        bad=SLIM + f"RUN pip install torch==2.5.1\nHEALTHCHECK CMD {URLLIB}\n" + SERVE,
        good=SLIM + "RUN pip install torch==2.5.1\n" + CHECK + SERVE,
        line=3,
    ),
    Twin(rule="healthcheck-start-period", good=SLIM + WEB + f"HEALTHCHECK CMD {URLLIB}\n" + SERVE),
    Twin(  # what requirements.txt holds is not known, and a model is copied
        rule="healthcheck-start-period",
        bad=SLIM + f"RUN pip install -r requirements.txt\nCOPY model.pkl .\nHEALTHCHECK CMD {URLLIB}\n" + SERVE,
        good=SLIM + f"RUN pip install -r requirements.txt\nCOPY app.py .\nHEALTHCHECK CMD {URLLIB}\n" + SERVE,
    ),
    Twin(
        rule="healthcheck-heavy",
        bad=SLIM + 'HEALTHCHECK CMD python -c "import torch; assert torch.cuda.is_available()"\n',
        good=SLIM + CHECK,
        says="imports torch",
    ),
    Twin(
        rule="healthcheck-heavy",
        bad=SLIM + "COPY check.py /app/check.py\nWORKDIR /app\nHEALTHCHECK CMD python check.py\n",
        good=SLIM + "COPY check.py /app/check.py\nWORKDIR /app\nHEALTHCHECK CMD python check.py\n",
        bad_files={"check.py": "from transformers import pipeline\n"},
        good_files={"check.py": "import socket  # no torch\n"},
        line=4,
    ),
]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twins(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)
