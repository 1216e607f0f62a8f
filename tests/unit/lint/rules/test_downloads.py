from pathlib import Path

import pytest

from support.linting import Twin

BASE = "FROM ubuntu:22.04\n"
SCRIPT = "https://example.org/install.sh"
FILE = "https://example.org/tool-1.0.tar.gz"

TWINS = [
    Twin(
        rule="curl-pipe-sh",
        bad=f"{BASE}RUN curl -LsSf {SCRIPT} | sh -s -- -y\n",
        good=f"{BASE}RUN curl -fsSLo i.sh {SCRIPT} && echo 'aa  i.sh' | sha256sum -c - && sh i.sh\n",
        line=2,
        says="goes straight into sh",
    ),
    Twin(
        rule="curl-pipe-sh",
        bad=f'{BASE}RUN ls && \\\n    bash <(curl -s {SCRIPT})\nRUN sh -c "$(wget -qO- {SCRIPT})"\n',
        line=3,
        count=2,
        says="bash runs what a download gives",
    ),
    Twin(rule="curl-pipe-sh", bad=f"{BASE}RUN curl -sSL https://install.python-poetry.org | python3 -\n", says="python3"),
    Twin(rule="curl-pipe-sh", bad=f"{BASE}RUN wget -qO - {SCRIPT} | sed s/a/b/ | sudo -E bash -\n", says="bash"),
    Twin(
        rule="curl-pipe-sh",
        good=(
            f"{BASE}RUN curl -fsSL https://example.org/key.asc | gpg --dearmor -o /k.gpg\n"
            "RUN curl -s https://example.org/v.json | python3 -c 'import json' && curl -s https://x.org/a | bash check.sh\n"
            "RUN curl -s http://localhost:8000/x | sh\n"
            "RUN V=$(curl -s https://example.org/version) && echo $V\n"
        ),
    ),
    Twin(
        rule="download-unverified",
        bad=f"{BASE}RUN wget -q {FILE} && tar xzf tool-1.0.tar.gz\n",
        good=f"{BASE}RUN wget -q {FILE} && echo 'aa  tool-1.0.tar.gz' | sha256sum -c - && tar xzf tool-1.0.tar.gz\n",
        line=2,
        says=FILE,
    ),
    Twin(
        rule="download-unverified", bad=f"{BASE}RUN curl -L {FILE}?token=abc | tar xz -C /opt\n", says="tool-1.0.tar.gz gives"
    ),
    Twin(
        rule="download-unverified",
        bad=f"{BASE}ADD https://example.org/model.onnx /models/\n",
        good=f"{BASE}ADD --checksum=sha256:{'0' * 64} https://example.org/model.onnx /models/\n",
        says="ADD gets from https://example.org/model.onnx",
    ),
    Twin(
        rule="download-unverified",
        bad=f"{BASE}RUN curl -Lo /usr/local/bin/tini https://github.com/krallin/tini/releases/download/v0.19.0/tini\n",
        good=f"{BASE}RUN curl -fsSLo t https://example.org/tini && gpg --batch --verify t.asc t\n",
    ),
    Twin(
        rule="download-unverified",
        bad=f"{BASE}ARG V=1\nRUN wget https://example.org/Miniconda3-$V-$ARCH.sh -O /m.sh && bash /m.sh\n",
    ),
    Twin(
        rule="download-unverified",
        bad=f"{BASE}RUN ls && curl -L https://example.org/linux64/jq > /usr/bin/jq && chmod u+x /usr/bin/jq\n",
        says="linux64/jq",
    ),
    Twin(
        rule="download-unverified",
        name="get.sh",
        bad=f"curl -LO {FILE}\n",
        good=f"curl -LO {FILE}\nsha256sum -c sums\n",
        files={"Dockerfile": f"{BASE}COPY . /x\nRUN cd /x && ./get.sh\n"},
    ),
    Twin(
        rule="curl-pipe-sh",
        name="get.sh",
        bad=f"curl -L {SCRIPT} | sh\n",
        good=f"curl -LO {SCRIPT}\n",
        files={"Dockerfile": f"{BASE}COPY get.sh /x/get.sh\nWORKDIR /x\nRUN . ./get.sh\n"},
    ),
    Twin(rule="curl-pipe-sh", name="get.sh", good=f"curl -L {SCRIPT} | sh\n", files={"Dockerfile": f"{BASE}COPY . /x\n"}),
    Twin(
        rule="download-unverified",
        good=(
            f"{BASE}RUN curl -fsSL https://example.org/repo.gpg -o /etc/apt/keyrings/repo.gpg\n"
            "RUN curl -s https://example.org/nvidia.list | tee /etc/apt/sources.list.d/n.list\n"
            "RUN wget https://developer.download.nvidia.com/x/cuda-keyring_1.1-1_all.deb && dpkg -i *.deb\n"
            f"RUN curl {SCRIPT} | sh\nHEALTHCHECK CMD curl -f http://localhost:8000/x.tar.gz\nADD model.tar.gz /\n"
        ),
    ),
]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twin(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)
