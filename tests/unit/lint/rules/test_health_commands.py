"""Rules over the commands of health checks."""

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


def composed(test: str, service: str = "build: .") -> str:
    """A compose file with one service and its check."""
    return f"services:\n  api:\n    {service}\n    healthcheck:\n      test: {test}\n"


TWINS = [
    Twin(  # the check of a compose file runs in the image that the service is built from
        rule="healthcheck-missing-binary",
        name="compose.yaml",
        bad=composed(f'["CMD", "curl", "-f", "{URL}"]'),
        good=composed(f'["CMD", "python", "-c", "import urllib.request; urllib.request.urlopen(\'{URL}\')"]'),
        files={"Dockerfile": SLIM + WEB + SERVE},
        line=5,
        says="api: curl is not in python:3.11-slim-bookworm",
    ),
    Twin(
        rule="healthcheck-missing-binary",
        name="compose.yaml",
        bad=composed(f"curl -f {URL} || exit 1"),
        good=composed(f"curl -f {URL} || exit 1"),
        bad_files={"Dockerfile": SLIM + WEB + SERVE},
        good_files={"Dockerfile": SLIM + "RUN apt-get update && apt-get install -y curl\n" + WEB + SERVE},
    ),
    Twin(  # the target counts
        rule="healthcheck-missing-binary",
        name="compose.yaml",
        bad=composed(f"curl -f {URL}", "build: {context: ., target: run}"),
        good=composed(f"curl -f {URL}", "build: {context: ., target: dev}"),
        files={"Dockerfile": f"{SLIM[:-1]} AS run\n{SERVE}FROM run AS dev\nRUN apt-get update && apt-get install -y curl\n"},
    ),
    Twin(
        rule="healthcheck-missing-binary",
        name="compose.yaml",
        bad=composed("curl -f http://localhost:11434/api/tags", "image: ollama/ollama:0.6.2"),
        good=composed("ollama list", "image: ollama/ollama:0.6.2"),
        says="api: curl is not in ollama/ollama:0.6.2",
    ),
    Twin(
        rule="healthcheck-missing-binary",
        name="compose.yaml",
        good=composed("curl -f http://localhost:9000", "image: example.org/own:1.0"),
    ),
    Twin(
        rule="healthcheck-missing-module",
        name="compose.yaml",
        bad=composed(f'["CMD", "python", "-c", "import requests; requests.get(\'{URL}\').raise_for_status()"]'),
        good=composed(f'["CMD", "python", "-c", "import requests; requests.get(\'{URL}\').raise_for_status()"]'),
        bad_files={"Dockerfile": SLIM + WEB + SERVE},
        good_files={"Dockerfile": SLIM + WEB.replace("pip install", "pip install requests==2.32.3") + SERVE},
        says="api: the health check imports requests",
    ),
    Twin(  # programs of another image, each by its name, and a folder that may hold anything
        rule="healthcheck-missing-binary",
        bad=SLIM + f"COPY --from=ghcr.io/astral-sh/uv:0.6.1 /uv /uvx /bin/\nHEALTHCHECK CMD curl -f {URL}\n" + SERVE,
        good=SLIM + f"COPY --from=tools:1 /tools /usr/local/bin/\nHEALTHCHECK CMD curl -f {URL}\n" + SERVE,
        line=3,
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
]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twins(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)
