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
CUDA = "FROM nvidia/cuda:12.8.1-base-ubuntu24.04\n"

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
        rule="healthcheck-missing-binary",
        bad=SLIM + f"HEALTHCHECK CMD curl -f {URL} || exit 1\n" + SERVE,
        good=SLIM + f"RUN apt-get update && apt-get install -y curl\nHEALTHCHECK CMD curl -f {URL} || exit 1\n" + SERVE,
        line=2,
        says="curl is not in python:3.11-slim-bookworm",
        fixed=SLIM + f"HEALTHCHECK CMD {URLLIB} || exit 1\n" + SERVE,
    ),
    Twin(
        rule="healthcheck-missing-binary",
        bad=SLIM + f'HEALTHCHECK CMD ["curl", "-f", "--max-time", "5", "{URL}"]\n' + SERVE,
        good="FROM python:3.11-bookworm\n" + f'HEALTHCHECK CMD ["curl", "-f", "{URL}"]\n' + SERVE,
        fixed=SLIM
        + 'HEALTHCHECK CMD ["python", "-c", "import urllib.request; '
        + f"urllib.request.urlopen('{URL}', timeout=5)\"]\n"
        + SERVE,
    ),
    Twin(  # curl of the builder is not that of the last stage; curl that is taken away again
        rule="healthcheck-missing-binary",
        bad=SLIM.replace("\n", " AS b\n")
        + "RUN apt-get update && apt-get install -y curl\n"
        + SLIM
        + f"RUN apt-get update && apt-get install -y curl && apt-get purge -y curl\nHEALTHCHECK CMD curl -f {URL}\n"
        + SERVE,
        good=SLIM + f"COPY --from=tools /bin/curl /usr/bin/curl\nHEALTHCHECK CMD curl -f {URL}\n" + SERVE,
        line=5,
    ),
    Twin(  # an environment that is on PATH brings Python
        rule="healthcheck-missing-binary",
        bad=f"{CUDA}COPY --from=b /opt/venv /opt/venv\nHEALTHCHECK CMD {URLLIB}\n{SERVE}",
        good=f"{CUDA}COPY --from=b /opt/venv /opt/venv\nENV PATH=/opt/venv/bin:$PATH\nHEALTHCHECK CMD {URLLIB}\n{SERVE}",
        says="python is not in",
    ),
    Twin(rule="healthcheck-missing-binary", good=f"FROM registry.example.com/x:1\nHEALTHCHECK CMD curl -f {URL}\n" + SERVE),
    Twin(rule="healthcheck-missing-binary", good=f"FROM alpine:3.20\nHEALTHCHECK CMD wget -q --spider {URL}\n" + SERVE),
    Twin(  # pip and a requirements file take nothing away
        rule="healthcheck-missing-binary",
        good=SLIM
        + "RUN apt-get update && apt-get install -y \\\n    curl \\\n    && rm -rf /var/lib/apt/lists/*\n"
        + f"COPY requirements.txt .\nRUN pip install -r requirements.txt\nHEALTHCHECK CMD curl -f {URL}\n",
    ),
    Twin(rule="healthcheck-missing-binary", good=SLIM + f"RUN ./setup.sh\nHEALTHCHECK CMD curl -f {URL}\n" + SERVE),
    Twin(  # what cannot be asked with urllib stays
        rule="healthcheck-missing-binary",
        bad=SLIM + f"HEALTHCHECK CMD curl -fH 'X: y' {URL} | grep ok\n" + SERVE,
        fixed=SLIM + f"HEALTHCHECK CMD curl -fH 'X: y' {URL} | grep ok\n" + SERVE,
    ),
    Twin(
        rule="healthcheck-missing-module",
        bad=SLIM
        + WEB
        + f"HEALTHCHECK CMD python -c \"import requests; requests.get('{URL}', timeout=2).raise_for_status()\"\n",
        good=SLIM
        + WEB
        + "RUN pip install requests\n"
        + f"HEALTHCHECK CMD python -c \"import requests; requests.get('{URL}')\"\n",
        line=3,
        says="imports requests",
        fixed=SLIM + WEB + f"HEALTHCHECK CMD python -c \"import urllib.request; urllib.request.urlopen('{URL}', timeout=2)\"\n",
    ),
    Twin(  # who knows what comes with transformers; what is in a file that is not there
        rule="healthcheck-missing-module",
        good=SLIM + f"RUN pip install transformers\nHEALTHCHECK CMD python -c \"import requests; requests.get('{URL}')\"\n",
    ),
    Twin(
        rule="healthcheck-missing-module",
        good=SLIM + f"RUN pip install -r r.txt\nHEALTHCHECK CMD python -c \"import requests; requests.get('{URL}')\"\n",
    ),
    Twin(rule="healthcheck-missing-module", good=SLIM + WEB + CHECK),
    Twin(
        rule="healthcheck-ignores-status",
        bad=SLIM + f"HEALTHCHECK CMD curl {URL} || exit 1\n",
        good=SLIM + f"HEALTHCHECK CMD curl -sSf {URL} || exit 1\n",
        line=2,
        says="curl without -f",
        fixed=SLIM + f"HEALTHCHECK CMD curl -f {URL} || exit 1\n",
    ),
    Twin(
        rule="healthcheck-ignores-status",
        bad=SLIM + f'HEALTHCHECK CMD ["curl", "-s", "{URL}"]\n',
        good=SLIM + f'HEALTHCHECK CMD ["curl", "--fail", "{URL}"]\n',
        fixed=SLIM + f'HEALTHCHECK CMD ["curl", "-f", "-s", "{URL}"]\n',
    ),
    Twin(
        rule="healthcheck-ignores-status",
        bad=SLIM + f"HEALTHCHECK CMD curl -f {URL} || true\n",
        good=SLIM + f"HEALTHCHECK CMD wget -q -O- {URL} || exit 1\n",
        fixed=SLIM + f"HEALTHCHECK CMD curl -f {URL} || exit 1\n",
    ),
    Twin(
        rule="healthcheck-ignores-status",
        bad=SLIM + f"HEALTHCHECK CMD curl -f {URL}; exit 0\n",
        good=SLIM + f"HEALTHCHECK CMD curl -s {URL} | grep -q ok\n",
        fixed=SLIM + f"HEALTHCHECK CMD curl -f {URL} || exit 1\n",
    ),
    Twin(
        rule="healthcheck-ignores-status",
        bad=SLIM + f"HEALTHCHECK CMD python -c \"import requests; requests.get('{URL}')\" || exit 1\n",
        good=SLIM + f"HEALTHCHECK CMD python -c \"import requests; assert requests.get('{URL}').ok\"\n",
        says="requests.get",
        fixed=SLIM + f"HEALTHCHECK CMD python -c \"import requests; requests.get('{URL}').raise_for_status()\" || exit 1\n",
    ),
    Twin(
        rule="healthcheck-ignores-status",
        good=SLIM + f"HEALTHCHECK CMD test \"$(curl -s -o /dev/null -w '%{{http_code}}' {URL})\" = 200\n",
    ),
    Twin(
        rule="healthcheck-ignores-status",
        bad=SLIM + "COPY check.py /\nHEALTHCHECK CMD python /check.py\n",
        good=SLIM + "COPY check.py /\nHEALTHCHECK CMD python /check.py\n",
        bad_files={"check.py": f"import requests\n\nrequests.get('{URL}')\n"},
        good_files={"check.py": f"import requests\n\nrequests.get('{URL}').raise_for_status()\n"},
    ),
    Twin(rule="healthcheck-ignores-status", good=SLIM + CHECK),
    Twin(
        rule="healthcheck-ignores-status",
        name="compose.yaml",
        bad=f'services:\n  api:\n    image: x:1\n    healthcheck:\n      test: ["CMD", "curl", "{URL}"]\n',
        good=f'services:\n  api:\n    image: x:1\n    healthcheck:\n      test: ["CMD", "curl", "-f", "{URL}"]\n',
        line=5,
        says="api: curl without -f",
    ),
    Twin(
        rule="healthcheck-ignores-status",
        name="compose.yaml",
        bad=f'services:\n  api:\n    image: x:1\n    healthcheck:\n      test: ["CMD-SHELL", "curl -f {URL} || true"]\n',
        good=f"services:\n  api:\n    image: x:1\n    healthcheck:\n      test: curl -f {URL} || exit 1\n",
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
