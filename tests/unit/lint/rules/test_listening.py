"""Rules over addresses and ports."""

from pathlib import Path

import pytest

from support.linting import Twin

SLIM = "FROM python:3.11-slim-bookworm\n"
UVICORN = 'CMD ["uvicorn", "main:app", "--host", "0.0.0.0", "--port", "8000"]\n'
FLASK = "from flask import Flask\n\napp = Flask(__name__)\n"

TWINS = [
    Twin(
        rule="expose-mismatch",
        bad=SLIM + "EXPOSE 80\n" + UVICORN,
        good=SLIM + "EXPOSE 80 8000\n" + UVICORN,
        line=2,
        says="8000",
    ),
    Twin(
        rule="expose-mismatch",
        bad=SLIM + "EXPOSE 5000\nCMD gunicorn -b :8080 a:b\n",
        good=SLIM + "EXPOSE 8000-8100\n" + UVICORN,
    ),
    Twin(
        rule="expose-mismatch",
        bad=SLIM + "EXPOSE 80\nCMD streamlit run app.py\n",
        good=SLIM + "EXPOSE 8501/tcp\nCMD streamlit run a.py\n",
    ),
    Twin(
        rule="expose-mismatch",
        bad=SLIM + "ENV PORT=9000\nEXPOSE 8000\nCMD uvicorn main:app --port $PORT\n",
        good=SLIM + "ENV PORT=9000\nEXPOSE $PORT\nCMD uvicorn main:app --port $PORT\n",
    ),
    Twin(rule="expose-mismatch", good=SLIM + "EXPOSE 8000\nCMD uvicorn main:app --port $PORT\n"),
    Twin(rule="expose-mismatch", good=SLIM + "RUN apt-get install -y nginx\nEXPOSE 80\n" + UVICORN),
    Twin(
        rule="expose-mismatch",
        bad=SLIM + "HEALTHCHECK CMD curl -f http://localhost:8080/health\n" + UVICORN,
        good=SLIM + "HEALTHCHECK CMD curl -f http://localhost:8000/health\n" + UVICORN,
        says="asks port 8080, and uvicorn listens on 8000",
    ),
    Twin(
        rule="expose-mismatch",
        bad=SLIM + "EXPOSE 8000\nHEALTHCHECK CMD curl -f http://localhost:8080/\nCMD ./serve\n",
        good=SLIM + "EXPOSE 8000\nHEALTHCHECK CMD curl -f http://localhost:8000/\nCMD ./serve\n",
        line=3,
    ),
    Twin(
        rule="expose-mismatch",
        bad=SLIM + "COPY app.py .\nEXPOSE 8000\nCMD python app.py\n",
        good=SLIM + "COPY app.py .\nEXPOSE 5000\nCMD python app.py\n",
        files={"app.py": FLASK + 'app.run(host="0.0.0.0")\n'},
        says="app.py listens on 5000",
    ),
    Twin(
        rule="bind-localhost",
        bad=SLIM + 'CMD ["uvicorn", "main:app", "--host", "127.0.0.1"]\n',
        good=SLIM + UVICORN,
        line=2,
        says="uvicorn binds 127.0.0.1",
        fixed=SLIM + 'CMD ["uvicorn", "main:app", "--host", "0.0.0.0"]\n',
    ),
    Twin(
        rule="bind-localhost",
        name="compose.yaml",
        bad="services:\n  a:\n    image: x:1\n    ports: ['80:80']\n    command: uvicorn a:b --host 127.0.0.1\n",
        good="services:\n  a:\n    image: x:1\n    network_mode: host\n    command: uvicorn a:b --host 127.0.0.1\n",
        line=5,
    ),
    Twin(
        rule="bind-localhost",
        bad=SLIM + "CMD gunicorn --bind=localhost:8000 main:app\n",
        good=SLIM + "CMD gunicorn -b :8000 main:app\n",
        fixed=SLIM + "CMD gunicorn --bind=0.0.0.0:8000 main:app\n",
    ),
    Twin(
        rule="bind-localhost",
        bad=SLIM + 'CMD ["uvicorn", "main:app"]\n',
        good=SLIM + 'ENV UVICORN_HOST=0.0.0.0\nCMD ["uvicorn", "main:app"]\n',
        says="binds 127.0.0.1 by default",
        fixed=SLIM + 'CMD ["uvicorn", "main:app", "--host", "0.0.0.0"]\n',
    ),
    Twin(
        rule="bind-localhost",
        bad=SLIM + "CMD python -m flask --app main run\n",
        good=SLIM + "ENV FLASK_RUN_HOST=0.0.0.0\nCMD flask run\n",
        fixed=SLIM + "CMD python -m flask --app main run --host 0.0.0.0\n",
    ),
    Twin(
        rule="bind-localhost",
        bad=SLIM + "CMD exec gunicorn main:app\n",
        good=SLIM + "ENV PORT=8080\nCMD exec gunicorn main:app\n",
        fixed=SLIM + "CMD exec gunicorn main:app --bind 0.0.0.0:8000\n",
    ),
    Twin(rule="bind-localhost", good=SLIM + "CMD gunicorn -c conf.py main:app\n"),
    Twin(
        rule="bind-localhost",
        good=SLIM + "COPY . .\nCMD gunicorn main:app\n",
        good_files={"gunicorn.conf.py": "bind = ':80'\n"},
    ),
    Twin(rule="bind-localhost", good=SLIM + "CMD streamlit run app.py\n"),
    Twin(rule="bind-localhost", good=SLIM + "CMD uvicorn main:app --uds /tmp/s\n"),
    Twin(rule="bind-localhost", good=SLIM + "CMD uvicorn main:app --host $HOST\n"),
    Twin(rule="bind-localhost", good=SLIM + "RUN apt-get install -y nginx\nCMD nginx && uvicorn main:app\n"),
    Twin(  # who knows what the entrypoint adds
        rule="bind-localhost", good=SLIM + 'ENTRYPOINT ["/entrypoint.sh"]\nCMD ["uvicorn", "main:app"]\n'
    ),
    Twin(
        rule="bind-localhost",
        bad=SLIM + "CMD jupyter lab --allow-root\n",
        good=SLIM + "CMD jupyter lab --ip=0.0.0.0\n",
        fixed=SLIM + "CMD jupyter lab --allow-root --ip 0.0.0.0\n",
    ),
    Twin(rule="bind-localhost", good=SLIM + "COPY jupyter_server_config.py /etc/jupyter/\nCMD jupyter lab\n"),
    Twin(
        rule="bind-localhost",
        bad=SLIM + 'WORKDIR /srv\nCOPY . .\nCMD ["python", "app.py"]\n',
        good=SLIM + 'WORKDIR /srv\nCOPY . .\nCMD ["python", "app.py"]\n',
        bad_files={"app.py": FLASK + "app.run(port=5000)\n"},
        good_files={"app.py": FLASK + 'app.run(host="0.0.0.0", port=5000)\n'},
        says="app.py, line 4, gives no address, and flask's is 127.0.0.1",
    ),
    Twin(
        rule="bind-localhost",
        bad=SLIM + "COPY src /srv\nCMD python /srv/app.py\n",
        good=SLIM + "COPY src /srv\nCMD python /srv/app.py\n",
        bad_files={"src/app.py": 'import uvicorn\nuvicorn.run("a:b", host="127.0.0.1")\n'},
        good_files={"src/app.py": 'import os, uvicorn\nuvicorn.run("a:b", host=os.environ["HOST"])\n'},
        says="binds 127.0.0.1",
    ),
    Twin(  # a program that the project itself installs
        rule="bind-localhost",
        bad=SLIM + "COPY . .\nRUN pip install --no-cache-dir .\nCMD svc-serve\n",
        good=SLIM + "COPY . .\nRUN pip install --no-cache-dir .\nCMD svc-serve --help\n",
        files={"pyproject.toml": '[project]\nname = "svc"\nversion = "1"\n[project.scripts]\nsvc-serve = "svc:run"\n'},
        bad_files={"svc.py": 'import uvicorn\ndef run():\n    uvicorn.run("a:b", host="localhost")\n'},
        good_files={"svc.py": 'import uvicorn\ndef run():\n    uvicorn.run("a:b", host="::")\n'},
        says="svc.py, line 3, binds localhost",
    ),
    Twin(
        rule="bind-localhost",
        bad=SLIM + "COPY app.py .\nCMD python app.py\n",
        good=SLIM + "COPY app.py .\nENV GRADIO_SERVER_NAME=0.0.0.0\nCMD python app.py\n",
        files={"app.py": "import gradio as gr\ngr.Interface(len, 'text', 'text').launch()\n"},
    ),
]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twins(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)
