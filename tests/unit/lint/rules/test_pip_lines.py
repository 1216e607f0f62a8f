from pathlib import Path

import pytest

from support.linting import Twin

BASE = "FROM python:3.11-slim\n"

TWINS = [
    Twin(
        rule="pip-specifier-redirect",
        bad=f"{BASE}RUN pip install --no-cache-dir torch>=2.0 \\\n    numpy>=1.20,<2.0 \\\n    scipy\n",
        good=f"{BASE}RUN pip install 'torch>=2.0' \"numpy<2\" scipy\\>=1 > /tmp/log 2>&1 < /dev/null\n",
        line=2,
        says="torch>=2.0 and numpy>=1.20,<2.0",
        fixed=f'{BASE}RUN pip install --no-cache-dir "torch>=2.0" \\\n    "numpy>=1.20,<2.0" \\\n    scipy\n',
    ),
    Twin(
        rule="pip-specifier-redirect",
        bad=f"{BASE}RUN uv pip install uvicorn[standard]>=0.23 && echo done\n",
        good=f"{BASE}RUN pip freeze >3.txt && pip install torch==2.4.0 >log.txt\n",
        fixed=f'{BASE}RUN uv pip install "uvicorn[standard]>=0.23" && echo done\n',
    ),
    Twin(
        rule="pip-specifier-redirect",
        bad=f"{BASE}RUN pip install -U pip && \\\n    pip install torch>=2.0 # newest\n",
        good=f"{BASE}RUN pip install -U pip && pip install torch==2.0 >/tmp/log && pip list >= 1\n",
        line=3,
        fixed=f'{BASE}RUN pip install -U pip && \\\n    pip install "torch>=2.0" # newest\n',
    ),
    Twin(
        rule="pip-specifier-redirect",
        name="setup.sh",
        bad="#!/bin/sh\npip install transformers>4.30\n",
        good="#!/bin/sh\npip install 'transformers>4.30'\n",
        line=2,
        fixed='#!/bin/sh\npip install "transformers>4.30"\n',
    ),
    Twin(rule="pip-specifier-redirect", good=f'{BASE}RUN ["pip", "install", "torch>=2.0"]\n'),
    Twin(
        rule="pip-wrong-name",
        bad=f"{BASE}RUN pip install sklearn==1.3.0 pytorch\n",
        good=f"{BASE}RUN pip install scikit-learn torch pytorch-lightning sklearn-pandas && conda install pytorch\n",
        line=2,
        count=2,
        says="sklearn is a retired placeholder",
        fixed=f"{BASE}RUN pip install scikit-learn==1.3.0 torch\n",
    ),
    Twin(
        rule="pip-wrong-name",
        name="requirements.txt",
        bad="# tensorflow-gpu\nTensorflow_GPU  # gpu\nnumpy\n",
        good="tensorflow-gpu==2.10.0\ntensorflow\n",
        line=2,
        fixed="# tensorflow-gpu\ntensorflow  # gpu\nnumpy\n",
    ),
    Twin(
        rule="pip-wrong-name",
        bad=f"{BASE}RUN pip install 'tensorflow-gpu==2.13.1'\n",
        fixed=f"{BASE}RUN pip install 'tensorflow==2.13.1'\n",
    ),
    Twin(rule="pip-wrong-name", bad=f"{BASE}RUN pip install opencv\n", says="opencv is no package of OpenCV"),
    Twin(
        rule="pip-trusted-host",
        bad=f"{BASE}RUN pip install --trusted-host pypi.org --trusted-host=files.pythonhosted.org \\\n    torch==2.4.0\n",
        good=f"{BASE}RUN pip install --trusted-host localhost --index-url http://localhost:3141 torch==2.4.0\n",
        line=2,
        says="pypi.org and files.pythonhosted.org",
        fixed=f"{BASE}RUN pip install \\\n    torch==2.4.0\n",
    ),
    Twin(rule="pip-trusted-host", bad=f"{BASE}ENV PIP_TRUSTED_HOST=mirror.example.org\n", line=2, says="mirror.example.org"),
    Twin(
        rule="pip-trusted-host",
        bad=f"{BASE}RUN pip config set global.trusted-host mirrors.example.com\n",
        says="mirrors.example.com",
    ),
    Twin(
        rule="pip-trusted-host",
        name="requirements.txt",
        bad="--trusted-host download.pytorch.org\ntorch==2.4.0\n",
        good="--index-url https://pypi.org/simple\ntorch==2.4.0\n",
        line=1,
        fixed="\ntorch==2.4.0\n",
    ),
]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twin(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)
