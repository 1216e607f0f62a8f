from pathlib import Path

import pytest

from support.linting import Twin

BASE = "FROM ubuntu:20.04\n"
GET = "https://bootstrap.pypa.io/get-pip.py"
OWN = "https://bootstrap.pypa.io/pip/3.8/get-pip.py"

TWINS = [
    Twin(
        rule="dead-url",
        bad=f"{BASE}RUN git clone git://github.com/a/b\n",
        good=f"{BASE}RUN git config --global url.https://github.com/.insteadOf git://github.com/ && git clone https://github.com/a/b\n",
        line=2,
        fixed=f"{BASE}RUN git clone https://github.com/a/b\n",
    ),
    Twin(
        rule="dead-url",
        bad=f"{BASE}RUN curl -sS {GET} | python3\n",
        good=f"{BASE}RUN curl -sS {GET} | python3.11\n",
        says="Python 3.8",
        fixed=f"{BASE}RUN curl -sS {OWN} | python3\n",
    ),
    Twin(
        rule="dead-url",
        bad=f"FROM ubuntu:20.04\nRUN curl {GET} -o get-pip.py\nRUN python3.9 get-pip.py\n",
        good=f"FROM ubuntu:20.04\nRUN curl {GET} -o get-pip.py\nRUN python3.10 get-pip.py\n",
        says="Python 3.9",
    ),
    Twin(
        rule="dead-url",
        bad=f"FROM nvidia/cuda:12.1.1-base-ubuntu22.04\nADD {GET} /tmp/\nRUN python3.8 /tmp/get-pip.py\n",
        good=f"FROM python:3.12\nADD {GET} /tmp/\nRUN python /tmp/get-pip.py\n",
        line=2,
        fixed=f"FROM nvidia/cuda:12.1.1-base-ubuntu22.04\nADD {OWN} /tmp/\nRUN python3.8 /tmp/get-pip.py\n",
    ),
    Twin(rule="dead-url", bad=f"{BASE}RUN wget https://dl.bintray.com/boost/boost.tar.gz\n", says="dl.bintray.com is closed"),
    Twin(
        rule="dead-url",
        bad=f"{BASE}RUN curl https://raw.githubusercontent.com/python-poetry/poetry/master/get-poetry.py | python\n",
        says="removed",
    ),
    Twin(rule="dead-url", bad=f"{BASE}RUN gpg --keyserver hkp://ha.pool.sks-keyservers.net:80 --recv-keys A\n"),
    Twin(
        rule="dead-url",
        name="requirements.txt",
        bad="git+git://github.com/a/b@v1#egg=b\n",
        good="git+https://github.com/a/b@v1#egg=b\n",
        fixed="git+https://github.com/a/b@v1#egg=b\n",
    ),
    Twin(rule="dead-url", name="get.sh", bad="git clone git://github.com/a/b\n", good="git clone git@github.com:a/b\n"),
]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twin(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)
