"""The order of layers, and what the whole context brings into one."""

from pathlib import Path

import pytest

from support.linting import Twin

BASE = "FROM python:3.12-slim\nWORKDIR /app\n"
PIP = "RUN pip install --no-cache-dir -r requirements.txt\n"
FILES = {"requirements.txt": "numpy==2.1.0\n", "app.py": "x = 1\n", "src/train.py": "x = 1\n"}
ORDER = [
    Twin(
        rule="copy-before-install",
        files=FILES,
        bad=BASE + "COPY . .\n" + PIP + 'CMD ["python", "app.py"]\n',
        good=BASE + "COPY requirements.txt ./\n" + PIP + "COPY . .\n",
        line=3,
        says="COPY . comes before pip install",
        fixed=BASE + "COPY requirements.txt ./\n" + PIP + 'COPY . .\nCMD ["python", "app.py"]\n',
    ),
    Twin(  # torch first, and what the project requires with the project: each change of code installs the rest again
        rule="copy-before-install",
        bad="FROM debian:13\nRUN conda install python~=3.10 pip && pip install torch==2.4.1\nCOPY . /app\n"
        "RUN pip install -e /app\n",
        good="FROM python:3.12\nRUN pip install torch==2.4.1 transformers==4.44.2\nCOPY . /app\nRUN pip install -e /app\n",
        line=3,
    ),
    Twin(
        rule="copy-before-install",
        bad="FROM python:3.12\nRUN pip install wheel && pip install torch torchvision\nCOPY server ./server\n"
        "RUN pip install ./server\n",
        good="FROM python:3.12\nRUN pip install wheel && pip install fastapi\nCOPY server ./server\nRUN pip install ./server\n",
        line=3,
    ),
    Twin(  # the project by its folder, relative and absolute
        rule="copy-before-install",
        bad="FROM python:3.12\nCOPY . /app\nRUN pip install /app\n",
        good="FROM python:3.12\nCOPY . /app\nRUN pip install /opt/wheels/other\n",
    ),
    Twin(
        rule="copy-before-install",
        bad="FROM python:3.12\nWORKDIR /home\nCOPY . petals/\nRUN pip install -e petals[all]\n",
        good="FROM python:3.12\nWORKDIR /home\nCOPY . petals/\nRUN pip install --no-deps -e petals\n",
    ),
    Twin(  # nothing but the list of packages is known of the folder
        rule="copy-before-install",
        files={"requirements.txt": "numpy==2.1.0\n"},
        bad=BASE + "COPY . .\n" + PIP,
        good=BASE + "COPY requirements.txt ./\n" + PIP + "COPY . .\n",
    ),
    Twin(  # nothing is known of the folder: the RUN names the file
        rule="copy-before-install",
        bad="FROM python:3.12\nCOPY --chown=1000:1000 . /app/\r\nWORKDIR /app\r\nRUN pip install -r requirements.txt",
        fixed="FROM python:3.12\nCOPY --chown=1000:1000 . /app/\r\nWORKDIR /app\r\nRUN pip install -r requirements.txt",
    ),
    Twin(
        rule="copy-before-install",
        bad="FROM python:3.12\r\nCOPY --chown=1000:1000 . /app\r\nRUN pip install -r /app/env/requirements.txt",
        fixed="FROM python:3.12\r\nCOPY --chown=1000:1000 env/requirements.txt /app/env/\r\n"
        "RUN pip install -r /app/env/requirements.txt\r\nCOPY --chown=1000:1000 . /app",
    ),
    Twin(  # /opt is a place for applications, and for settings of conda
        rule="copy-before-install",
        bad="FROM apache/airflow:2.3.3\nCOPY backend.py /opt/airflow/plugins/\nCOPY r.txt /r.txt\nRUN pip install -r /r.txt\n",
        good="FROM python:3.12\nCOPY initial-condarc /opt/tool/.condarc\nRUN pip install numpy\n",
        line=2,
    ),
    Twin(
        rule="copy-before-install",
        bad="FROM python:3.12\nWORKDIR /app\nCOPY src/ src/\nRUN pip install numpy==2.1.0\n",
        good="FROM python:3.12\nWORKDIR /app\nCOPY bashrc vimrc ./\nRUN pip install numpy==2.1.0\n",
    ),
    Twin(
        rule="copy-before-install",
        bad="FROM ubuntu:24.04\nADD cartographer /opt/workspace/src/cartographer\nRUN pip3 install rosdep rosinstall\n",
        good="FROM ubuntu:24.04\nADD cartographer /opt/conda/cartographer\nRUN pip3 install rosdep rosinstall\n",
    ),
    Twin(  # where applications lie, too, and folders with capitals
        rule="copy-before-install",
        bad="FROM python:3.12\nWORKDIR /usr/src/app\nCOPY MLOps_Project/ MLOps_Project/\nCOPY requirements.txt .\n"
        "RUN pip install -r requirements.txt\n",
        good="FROM python:3.12\nCOPY LICENSE Makefile ./\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\n",
        line=3,
    ),
    Twin(  # apt too, and several files
        rule="copy-before-install",
        files={**FILES, "dev.txt": "x==1\n"},
        bad=BASE + "COPY . .\nRUN apt-get update && apt-get install -y git\nENV A=1\n"
        "RUN pip install -r requirements.txt -r dev.txt\nRUN python app.py\n",
        fixed=BASE + "COPY requirements.txt dev.txt ./\nRUN apt-get update && apt-get install -y git\nENV A=1\n"
        "RUN pip install -r requirements.txt -r dev.txt\nCOPY . .\nRUN python app.py\n",
    ),
    Twin(  # no file of the context at all
        rule="copy-before-install",
        files=FILES,
        bad=BASE + "COPY src /app/src\nRUN pip install numpy==2.1.0\n",
        good=BASE + "COPY requirements.txt pyproject.toml install.sh /app/\nRUN pip install numpy==2.1.0\n",
        fixed=BASE + "RUN pip install numpy==2.1.0\nCOPY src /app/src\n",
    ),
    Twin(  # the requirements include another file: told, not mended
        rule="copy-before-install",
        files={**FILES, "requirements.txt": "-r base.txt\n"},
        bad=BASE + "COPY . .\n" + PIP,
        fixed=BASE + "COPY . .\n" + PIP,
    ),
    Twin(
        rule="copy-before-install",
        files={**FILES, "requirements.txt": "-e .\nnumpy\n"},
        good=BASE + "COPY . .\n" + PIP,
    ),
    Twin(  # something between may read the code
        rule="copy-before-install",
        files=FILES,
        bad=BASE + "COPY . .\nRUN ./configure\n" + PIP,
        fixed=BASE + "COPY . .\nRUN ./configure\n" + PIP,
    ),
    Twin(
        rule="copy-before-install",
        files=FILES,
        bad=BASE + "COPY . .\nRUN pip install -r requirements.txt && python setup.py develop\n",
        fixed=BASE + "COPY . .\nRUN pip install -r requirements.txt && python setup.py develop\n",
    ),
    Twin(
        rule="copy-before-install",
        files={**FILES, "Pipfile": "", "Pipfile.lock": "{}"},
        bad=BASE + "COPY . .\nRUN pip install pipenv && pipenv install --system --deploy\n",
        good=BASE + "COPY Pipfile Pipfile.lock ./\nRUN pip install pipenv && pipenv install --system --deploy\n",
        fixed=BASE + "COPY Pipfile Pipfile.lock ./\nRUN pip install pipenv && pipenv install --system --deploy\nCOPY . .\n",
    ),
    Twin(
        rule="copy-before-install",
        files={**FILES, "pyproject.toml": ""},
        bad=BASE + "COPY . .\nRUN pip install .\n",
        good=BASE + "COPY requirements.txt .\n" + PIP + "COPY . .\nRUN pip install .\n",
    ),
    Twin(
        rule="copy-before-install",
        files=FILES,
        bad=BASE + "COPY app.py requirements.txt ./\n" + PIP,
        good=BASE + "COPY requirements.txt setup.py ./\n" + PIP,
    ),
    Twin(
        rule="copy-before-install",
        files=FILES,
        good=BASE + "COPY . .\nRUN pip install --upgrade pip && pip install --no-deps .\n",
    ),
    Twin(
        rule="copy-before-install",
        good=BASE + "COPY tools/telemetry.py /usr/local/bin/\nCOPY a/__init__.py a/\nRUN pip install -r requirements.txt\n",
    ),
    Twin(  # a folder of which only the name is known
        rule="copy-before-install",
        bad=BASE + "COPY ./api /api/api\nCOPY requirements.txt /\nRUN pip install -r /requirements.txt\n",
        good=BASE + "COPY ./wheels /wheels\nCOPY config /config\nRUN pip install -r /requirements.txt\n",
        says="COPY ./api",
    ),
    Twin(  # the project with all that it requires
        rule="copy-before-install",
        bad=BASE + "COPY pyproject.toml .\nCOPY api/ api/\nRUN pip install .\n",
        good=BASE + "COPY pyproject.toml .\n" + PIP + "COPY api/ api/\nRUN pip install .\n",
        line=4,
    ),
    Twin(  # a library beside the project
        rule="copy-before-install",
        bad=BASE + "COPY lib lib\nCOPY api api\nRUN cd api && uv sync --frozen\n",
        good=BASE + "COPY lib lib\nCOPY api/pyproject.toml api/uv.lock api/\nRUN cd api && uv sync --frozen\n",
        line=4,
    ),
    Twin(  # a tool by its name, and then the list
        rule="copy-before-install",
        bad=BASE + "RUN pip install dvc==3.50\nCOPY api/ api/\n" + PIP,
        good=BASE + PIP + "COPY api/ api/\nRUN pip install -r more.txt\n",
        line=4,
    ),
    Twin(rule="copy-before-install", good=BASE + "COPY . /x\nRUN apt-get update && apt-get install -y git && make -C /x\n"),
    Twin(rule="copy-before-install", good=BASE + PIP + "COPY api api\nRUN pip install tomli==2.0\n"),
    Twin(rule="copy-before-install", good=BASE + "COPY healthcheck.py .\nRUN apt-get install -y curl\n"),
    Twin(rule="copy-before-install", files={"requirements.txt": "x==1\n", "run.sh": ""}, good=BASE + "COPY . .\n" + PIP),
    Twin(rule="copy-before-install", good="FROM a AS b\nFROM c\nCOPY --from=b . .\nRUN pip install numpy\n"),
]
CONTEXT = [
    Twin(
        rule="whole-context-copied",
        bad=BASE + "COPY . .\n",
        good=BASE + "COPY . .\n",
        good_files={".dockerignore": ".git\n"},
        line=3,
        says="there is no ignore file",
    ),
    Twin(
        rule="whole-context-copied",
        bad=BASE + "ADD ./ /app\n",
        bad_files={".dockerignore": "# later\n\n"},
        good=BASE + "ADD src/ /app/\n",
        says="empty",
    ),
    Twin(rule="whole-context-copied", bad=BASE + "COPY . .\n", good=BASE + "COPY --from=x . .\nCOPY --exclude=.git . .\n"),
    Twin(
        rule="whole-context-copied",
        good=BASE + "COPY . .\n",
        name="a.Dockerfile",
        files={"a.Dockerfile.dockerignore": ".git\n"},
    ),
    Twin(rule="whole-context-copied", good=BASE + "RUN --mount=type=bind,source=.,target=/src make -C /src\n"),
]
TWINS = [*ORDER, *CONTEXT]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twin(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)
