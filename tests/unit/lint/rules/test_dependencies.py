from pathlib import Path

import pytest

from support.linting import Twin

BASE = "FROM python:3.11-slim\n"
COPIED = f"{BASE}WORKDIR /app\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\n"
HASHED = "torch==2.4.0 \\\n    --hash=sha256:aaaa\n"

MAMBA = "FROM mambaorg/micromamba:1.5.8\n"

TWINS = [
    Twin(  # it resolves, and writes the lock
        rule="pip-unpinned",
        bad=f"{BASE}RUN pip install --no-cache-dir uv\n",
        good=f"{BASE}RUN pip install --no-cache-dir uv==0.9.2\n",
        says="pip installs uv without",
    ),
    Twin(
        rule="pip-unpinned",
        bad=f"{BASE}RUN pip install --no-cache-dir torch numpy==1.26.4 fastapi>=0.100\n",
        good=f"{BASE}RUN pip install --no-cache-dir torch==2.4.0 numpy==1.26.4 'fastapi[standard]==0.115.*'\n",
        line=2,
        says="pip installs torch and fastapi without",
    ),
    Twin(
        rule="pip-unpinned",
        bad=f"{BASE}RUN python3 -m pip install --upgrade pip==25.3 && \\\n    uv pip install --system \\\n      pandas\n",
        good=f"{BASE}RUN pip install --upgrade pip==25.3 wheel\n",
        line=4,
        says="uv installs pandas",
    ),
    Twin(  # setuptools 82 took pkg_resources away
        rule="pip-unpinned",
        bad=f"{BASE}RUN pip install -U pip setuptools wheel\n",
        good=f"{BASE}RUN pip install -U pip==25.3 setuptools==80.9.0 wheel\n",
        says="pip installs pip and setuptools without",
    ),
    Twin(
        rule="pip-unpinned",
        bad="FROM continuumio/miniconda3:24.1.2-0\nRUN conda install -y -c conda-forge numpy && conda clean -afy\n",
        good="FROM continuumio/miniconda3\nRUN conda install -y conda-forge::numpy=1.26 pytorch-cuda=11.8 'python 3.11'\n",
        says="conda installs numpy",
    ),
    Twin(
        rule="pip-unpinned",
        bad=f'{BASE}ENV PIP="pip --quiet"\nRUN $PIP install scipy\n',
        good=f"{BASE}ARG TORCH=2.4.0\nRUN pip install torch==$TORCH xgboost==${{XGBOOST}} $MORE\n",
        line=3,
        says="scipy",
    ),
    Twin(
        rule="pip-unpinned",
        good=(
            f"{BASE}RUN pip install -c constraints.txt torch && pip install --no-index --find-links=/wheels numpy\n"
            "RUN pip install . && pip install -e '.[serve]' && pip install ./x-1.0-py3-none-any.whl\n"
            "RUN pip install git+https://github.com/a/b@v1 'c @ https://example.org/c-1.0.tar.gz'\n"
            "RUN pip uninstall -y torch && pip list && echo pip install torch\n"
        ),
    ),
    Twin(rule="pip-unpinned", bad=f'{BASE}RUN ["pip", "install", "torch"]\n', says="torch"),
    Twin(rule="pip-unpinned", bad=f'{BASE}RUN ["/bin/bash", "-c", "pip install torch"]\n', says="torch"),
    Twin(rule="pip-unpinned", bad=f"{BASE}RUN <<EOF\npip install torch\nEOF\n", line=3, says="torch"),
    Twin(
        rule="pip-unpinned",
        bad=f"{BASE}RUN <<EOT bash -e\n  if a; then\n  pip install torch\n  fi\nEOT\n",
        line=4,
        says="torch",
    ),
    Twin(
        rule="pip-unpinned",
        name="install.sh",
        bad="#!/bin/sh\npip install torch\n",
        good="#!/bin/sh\npip install torch==2.4.0\n",
        files={"Dockerfile": f"{BASE}COPY install.sh /tmp/\nRUN bash /tmp/install.sh\n"},
        line=2,
    ),
    Twin(rule="pip-unpinned", name="install.sh", good="pip install torch\n", files={"Dockerfile": f"{BASE}COPY . .\n"}),
    Twin(rule="pip-unpinned", bad=f"{BASE}RUN if [ -f x ]; then pip install torch; fi\n", says="torch"),
    Twin(
        rule="requirements-unpinned",
        bad="# what we need\nnumpy==1.26.4\ntorch>=2  # newest\npandas\n",
        good="numpy==1.26.4\ntorch==2.4.0 ; python_version >= '3.9'\nfoo @ https://example.org/foo-1.0-py3-none-any.whl\n",
        name="requirements.txt",
        files={"Dockerfile": COPIED},
        line=3,
        says="torch and pandas have no exact version (2 of 3",
    ),
    Twin(rule="requirements-unpinned", bad="torch\n", good="torch==2.4.0\n", name="requirements.txt", line=1),
    Twin(
        rule="requirements-unpinned",
        bad="flask\n",
        name="deps/base.txt",
        files={
            "Dockerfile": f"{BASE}COPY . /app\nWORKDIR /app\nRUN pip install -r deps/all.txt\n",
            "deps/all.txt": "numpy==1.26.4\n-r base.txt\n",
        },
        line=4,
        says="in deps/base.txt flask has",
    ),
    Twin(
        rule="requirements-unpinned",
        bad=f"{MAMBA}COPY environment.yml /tmp/\nRUN micromamba install -y -n base -f /tmp/environment.yml\n",
        good=f"{MAMBA}COPY environment.yml /tmp/\nRUN micromamba install -y -n base -f /tmp/environment.yml\n",
        bad_files={"environment.yml": "name: x\ndependencies:\n  - python=3.11\n  - numpy\n  - pip:\n      - torch==2.4.0\n"},
        good_files={"environment.yml": "dependencies:\n  - python=3.11\n  - pytorch=2.4.0\n  - torchvision\n  - pip\n"},
        line=3,
        says="in environment.yml numpy has no exact version (1 of 3",
    ),
    Twin(
        rule="requirements-unpinned",
        bad="flask\n",
        good="flask==3.0.0\n",
        name="api/requirements.txt",
        files={"Dockerfile": f"{BASE}COPY . /src\nRUN cd /src && cd api && pip install -r requirements.txt\n"},
        line=1,
    ),
    Twin(rule="requirements-unpinned", good="pytest\n", name="requirements-dev.txt"),
    Twin(rule="requirements-unpinned", good="black\n", name="other/requirements.txt", files={"Dockerfile": COPIED}),
    Twin(
        rule="requirements-unpinned",
        good="torch\n",
        name="requirements.txt",
        files={"Dockerfile": COPIED.replace("-r req", "-c constraints.txt -r req"), "constraints.txt": "torch==2.4.0\n"},
    ),
    Twin(
        rule="requirements-no-hashes",
        bad="torch==2.4.0\nnumpy==1.26.4\n",
        good=HASHED,
        name="requirements.txt",
        files={"Dockerfile": COPIED},
        line=1,
        says="2 packages are pinned by version but not by hash",
    ),
    Twin(rule="requirements-no-hashes", good="torch\n", name="requirements.txt", files={"Dockerfile": COPIED}),
    Twin(rule="requirements-no-hashes", good="torch==2.4.0\n", name="requirements.txt"),
]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twin(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)
