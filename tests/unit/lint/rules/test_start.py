"""Rules over how a service is started."""

from pathlib import Path

import pytest

from support.linting import Twin

SLIM = "FROM python:3.11-slim-bookworm\n"
UNBUFFERED = "ENV PYTHONUNBUFFERED=1\n"
SYNC = "RUN uv sync --frozen\n"
FLASK = "from flask import Flask\n\napp = Flask(__name__)\n"
TORCH = "RUN pip install torch==2.5.1\n"

TWINS = [
    Twin(
        rule="sync-at-start",
        bad=SLIM + SYNC + 'CMD ["uv", "run", "uvicorn", "main:app"]\n',
        good=SLIM + SYNC + 'CMD ["uv", "run", "--no-sync", "uvicorn", "main:app"]\n',
        line=3,
        fixed=SLIM + SYNC + 'CMD ["uv", "run", "--no-sync", "uvicorn", "main:app"]\n',
    ),
    Twin(
        rule="sync-at-start",
        bad=SLIM + SYNC + "ENTRYPOINT uv run --frozen python -m app\n",
        good=SLIM + SYNC + "ENV UV_NO_SYNC=1\nENTRYPOINT uv run python -m app\n",
        fixed=SLIM + SYNC + "ENTRYPOINT uv run --no-sync --frozen python -m app\n",
    ),
    Twin(  # nothing is synced before: then --no-sync would start without packages
        rule="sync-at-start",
        bad=SLIM + "CMD uv run app.py\n",
        good=SLIM + "RUN uv run python prepare.py\nCMD python app.py\n",
        fixed=SLIM + "CMD uv run app.py\n",
    ),
    Twin(
        rule="unbuffered-missing",
        bad=SLIM + 'CMD ["python", "train.py"]\n',
        good=SLIM + UNBUFFERED + 'CMD ["python", "train.py"]\n',
        line=1,
        fixed=SLIM + UNBUFFERED + 'CMD ["python", "train.py"]\n',
    ),
    Twin(
        rule="unbuffered-missing",
        bad=SLIM.replace("\n", " AS run\r\n") + "CMD uvicorn main:app\r\n",
        good=SLIM + "CMD python -u train.py\n",
        fixed=SLIM.replace("\n", " AS run\r\n") + "ENV PYTHONUNBUFFERED=1\r\nCMD uvicorn main:app\r\n",
    ),
    Twin(rule="unbuffered-missing", good=SLIM + "CMD python\n"),
    Twin(  # a file of Python, whoever starts it
        rule="unbuffered-missing",
        bad=SLIM + 'CMD ["uv", "run", "--no-sync", "run.py"]\n',
        good=SLIM + 'CMD ["./run.sh"]\n',
        says="run.py runs without",
    ),
    Twin(  # options of a launcher before its subcommand
        rule="unbuffered-missing",
        bad=SLIM + 'CMD ["/bin/micromamba", "-r", "/env", "-n", "x", "run", "python", "server.py"]\n',
        good=SLIM + 'CMD ["/bin/micromamba", "-r", "/env", "shell"]\n',
        says="python runs without",
    ),
    Twin(  # a program that the project itself installs
        rule="unbuffered-missing",
        bad=SLIM + "CMD svc-train\n",
        good=SLIM + UNBUFFERED + "CMD svc-train\n",
        files={
            "pyproject.toml": '[project]\nname = "svc"\nversion = "1"\n[project.scripts]\nsvc-train = "svc:run"\n',
            "svc.py": "def run():\n    print(1)\n",
        },
        fixed=SLIM + UNBUFFERED + "CMD svc-train\n",
    ),
    Twin(  # a program of a virtual environment; an image that sets the variable
        rule="unbuffered-missing",
        bad=SLIM + 'ENTRYPOINT ["/opt/venv/bin/vllm-router"]\n',
        good="FROM 763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-inference:2.2.0-gpu-py310\nCMD python serve.py\n",
        line=1,
    ),
    Twin(  # a script that is not here
        rule="unbuffered-missing",
        bad=SLIM + 'RUN pip install flask==3.1.0\nCMD ["/bin/sh", "/app/run.sh"]\n',
        good=SLIM + 'CMD ["/bin/sh", "/app/run.sh"]\n',
        says="sh runs without PYTHONUNBUFFERED",
    ),
    Twin(
        rule="unbuffered-missing",
        bad='FROM tensorflow/tensorflow:2.16.1\nENTRYPOINT ["./run.sh"]\n',
        good='FROM ubuntu:24.04\nENTRYPOINT ["./run.sh"]\n',
    ),
    Twin(
        rule="unbuffered-missing",
        bad=SLIM + "RUN pip install flask==3.1.0\nCMD make serve\n",
        good=SLIM + "RUN pip install flask==3.1.0\nCOPY app /app\nCMD /app/run.sh\n",
        good_files={"app/run.sh": "exec nginx\n"},
    ),
    Twin(
        rule="unbuffered-missing",
        bad=SLIM + UNBUFFERED + 'CMD ["conda", "run", "-n", "x", "python", "app.py"]\n',
        good=SLIM + UNBUFFERED + 'CMD ["conda", "run", "-n", "x", "--no-capture-output", "python", "app.py"]\n',
        says="conda run holds all output back",
        fixed=SLIM + UNBUFFERED + 'CMD ["conda", "run", "--no-capture-output", "-n", "x", "python", "app.py"]\n',
    ),
    Twin(rule="unbuffered-missing", good="FROM python:3.11 AS b\n" + UNBUFFERED + "FROM b\nCMD python train.py\n"),
    Twin(rule="unbuffered-missing", good="FROM team/base:1\nCMD python train.py\n"),
    Twin(
        rule="jupyter-no-auth",
        bad=SLIM + 'CMD ["jupyter", "lab", "--ip=0.0.0.0", "--NotebookApp.token=\'\'", "--NotebookApp.password=\'\'"]\n',
        good=SLIM + 'CMD ["jupyter", "lab", "--ip=0.0.0.0"]\n',
        line=2,
    ),
    Twin(
        rule="jupyter-no-auth",
        bad=SLIM + "CMD jupyter notebook --ServerApp.token= --ip 0.0.0.0\n",
        good=SLIM + "CMD jupyter notebook --ServerApp.token= --ServerApp.password=$HASH --ip 0.0.0.0\n",
    ),
    Twin(
        rule="jupyter-no-auth",
        bad=SLIM + "RUN echo \"c.ServerApp.token = ''\" >> /etc/jupyter/jupyter_server_config.py\nCMD jupyter lab\n",
        good=SLIM
        + "RUN echo \"c.ServerApp.token = os.environ['T']\" >> /etc/jupyter/jupyter_server_config.py\nCMD jupyter lab\n",
        line=2,
    ),
    Twin(
        rule="jupyter-no-auth",
        bad='FROM quay.io/jupyter/scipy-notebook:2025-01-01\nCMD ["start-notebook.py", "--IdentityProvider.token=\'\'"]\n',
        good='FROM quay.io/jupyter/scipy-notebook:2025-01-01\nCMD ["start-notebook.py"]\n',
    ),
    Twin(
        rule="jupyter-no-auth",
        bad=SLIM + "COPY jupyter_server_config.py /etc/jupyter/\nCMD jupyter lab\n",
        good=SLIM + "COPY jupyter_server_config.py /etc/jupyter/\nCMD jupyter lab\n",
        bad_files={"jupyter_server_config.py": "c.ServerApp.token = ''\n"},
        good_files={
            "jupyter_server_config.py": "if p:\n    c.ServerApp.password = hashed(p)\nelse:\n    c.ServerApp.token = ''\n"
        },
        line=2,
    ),
    Twin(rule="jupyter-no-auth", good=SLIM + "CMD jupyter lab --IdentityProvider.token=$TOKEN\n"),
    Twin(
        rule="jupyter-root",
        bad=SLIM + 'CMD ["jupyter", "lab", "--allow-root"]\n',
        good=SLIM + 'USER app\nCMD ["jupyter", "lab"]\n',
    ),
    Twin(
        rule="jupyter-root",
        bad=SLIM + "COPY run.sh /\nCMD /run.sh\n",
        good=SLIM + "COPY run.sh /\nCMD /run.sh\n",
        bad_files={"run.sh": "#!/bin/bash\njupyter lab --allow-root\n"},
        good_files={"run.sh": "#!/bin/bash\njupyter lab\n"},
        line=3,
    ),
    Twin(
        rule="dev-server",
        bad=SLIM + 'CMD ["uvicorn", "main:app", "--reload"]\n',
        good=SLIM + 'CMD ["uvicorn", "main:app"]\n',
        line=2,
        says="uvicorn --reload",
    ),
    Twin(rule="dev-server", bad=SLIM + "CMD flask run --host 0.0.0.0\n", good=SLIM + "CMD gunicorn app:app\n"),
    Twin(rule="dev-server", bad=SLIM + "CMD fastapi dev main.py\n", good=SLIM + "CMD fastapi run main.py\n"),
    Twin(
        rule="dev-server",
        bad=SLIM + "CMD python manage.py runserver 0.0.0.0:8000\n",
        good=SLIM + "CMD python manage.py check\n",
    ),
    Twin(  # stages for developers
        rule="dev-server",
        bad=SLIM + 'CMD uvicorn main:app --reload\nFROM python:3.12\nCMD ["uvicorn", "main:app"]\n',
        good="FROM python:3.12 AS dev\nCMD uvicorn main:app --reload\nFROM python:3.12\nCMD uvicorn main:app\n",
    ),
    Twin(rule="dev-server", name="Dockerfile.dev", good=SLIM + "CMD uvicorn main:app --reload\n"),
    Twin(
        rule="dev-server",
        bad=SLIM + "COPY . .\nCMD python app.py\n",
        good=SLIM + "COPY . .\nCMD gunicorn app:app\n",
        files={"app.py": FLASK + "app.run(host='0.0.0.0', debug=True)\n"},
        says="app.py, line 4, starts flask's own server in debug mode",
    ),
    Twin(
        rule="dev-server",
        bad=SLIM + "COPY . .\nCMD python app.py\n",
        good=SLIM + "COPY . .\nCMD python app.py\n",
        bad_files={"app.py": "import uvicorn\nuvicorn.run('a:b', reload=True)\n"},
        good_files={"app.py": "import uvicorn\nuvicorn.run('a:b')\n"},
    ),
    Twin(
        rule="dev-server",
        name="compose.yaml",
        bad="services:\n  api:\n    build: .\n    command: uvicorn main:app --reload\n",
        good="services:\n  api-dev:\n    build: .\n    command: uvicorn main:app --reload\n",
        line=4,
        says="api: uvicorn --reload",
    ),
    Twin(
        rule="dev-server",
        name="docker-compose.dev.yml",
        good="services:\n  api:\n    build: .\n    command: uvicorn main:app --reload\n",
    ),
    Twin(
        rule="jupyter-no-auth",
        name="compose.yaml",
        bad='services:\n  lab:\n    image: x:1\n    command: ["jupyter", "lab", "--ServerApp.token="]\n',
        good='services:\n  lab:\n    image: x:1\n    command: ["jupyter", "lab", "--ServerApp.token=$TOKEN"]\n',
    ),
    Twin(
        rule="workers-times-model",
        bad=SLIM + TORCH + 'CMD ["gunicorn", "-w", "4", "main:app"]\n',
        good=SLIM + TORCH + 'CMD ["gunicorn", "-w", "1", "main:app"]\n',
        says="4 workers",
    ),
    Twin(
        rule="workers-times-model",
        bad=SLIM + TORCH + "CMD uvicorn main:app --workers=2\n",
        good=SLIM + "RUN pip install fastapi\nCMD uvicorn main:app --workers=2\n",
    ),
    Twin(rule="workers-times-model", good=SLIM + TORCH + "CMD gunicorn --preload -w 4 main:app\n"),
    Twin(rule="workers-times-model", bad=SLIM + TORCH + "ENV WEB_CONCURRENCY=4\nCMD gunicorn main:app\n"),
]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twins(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)
