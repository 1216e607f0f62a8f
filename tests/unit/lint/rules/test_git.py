from pathlib import Path

import pytest

from support.linting import Twin

BASE = "FROM python:3.11\n"

TWINS = [
    Twin(  # neither a commit nor a tag has no digit
        rule="git-unpinned",
        bad=f"{BASE}RUN pip install git+https://github.com/a/b.git@exp\n",
        good=f"{BASE}ARG REF\nRUN pip install git+https://github.com/a/b.git@r1 git+https://github.com/a/b@${{REF}}\n",
        says="come",
    ),
    Twin(rule="git-unpinned", bad=f"{BASE}RUN git clone --branch feature/fast https://github.com/a/b\n"),
    Twin(
        rule="git-unpinned",
        bad=f"{BASE}RUN git clone --depth 1 https://github.com/a/b.git /b && pip install /b\n",
        good=f"{BASE}RUN git clone https://github.com/a/b.git && cd b && git checkout 0123abc && pip install .\n",
        line=2,
        says="https://github.com/a/b.git",
    ),
    Twin(
        rule="git-unpinned",
        bad=f"{BASE}RUN git clone -b main https://x:TOKEN@github.com/a/b\n",
        good=f"{BASE}ARG REF\nRUN git clone --branch=v1.2 https://github.com/a/b && git clone -b $REF https://github.com/a/c\n",
        says="https://github.com/a/b",
    ),
    Twin(
        rule="git-unpinned",
        bad=f"{BASE}RUN git clone https://github.com/a/b && git clone https://github.com/a/c && git -C c checkout v1\n",
        good=f"{BASE}RUN git clone https://github.com/a/b\nWORKDIR /b\nRUN git reset --hard 0123abc\n",
    ),
    Twin(  # submodules follow the clone, they do not fix it
        rule="git-unpinned",
        bad=f"{BASE}RUN git clone https://github.com/a/b && cd b && git submodule init && git submodule update --recursive\n",
        good=f"{BASE}RUN git clone https://github.com/a/b && cd b && git checkout v1 && git submodule update --init\n",
    ),
    Twin(
        rule="git-unpinned",
        bad=f"{BASE}RUN git clone https://github.com/a/b /b && cd /b && git checkout main\n",
        good=f"{BASE}RUN git clone https://github.com/a/b /b\nRUN . /scripts/checkout_version.sh\n",
        says="a/b",
    ),
    Twin(
        rule="git-unpinned",
        bad=f"{BASE}RUN pip install git+https://github.com/a/b.git 'c @ git+https://github.com/a/c@main'\n",
        good=f"{BASE}RUN pip install git+https://github.com/a/b.git@0123abc#egg=b git+ssh://git@github.com/a/c@v1.0\n",
        says="and c come from a branch",
    ),
    Twin(
        rule="git-unpinned",
        name="requirements.txt",
        bad="numpy==1.26\ngit+https://github.com/openai/CLIP.git\n",
        good="numpy==1.26\nclip @ git+https://github.com/openai/CLIP.git@0123abc\n",
        line=2,
    ),
    Twin(
        rule="git-unpinned",
        bad=f"{BASE}RUN pip install https://github.com/a/b/archive/master.zip\n",
        good=f"{BASE}RUN pip install https://github.com/a/b/archive/refs/tags/v1.0.zip https://github.com/a/b/archive/0123abc.zip\n",
    ),
    Twin(
        rule="git-unpinned",
        bad=f"{BASE}ADD https://github.com/a/b.git /b\n",
        good=f"{BASE}ADD https://github.com/a/b.git#v1.0 /b\n",
    ),
    Twin(
        rule="git-unpinned",
        name="get.sh",
        bad="git clone https://github.com/a/b\n",
        good="git clone https://github.com/a/b && git -C b checkout v1\n",
        files={"Dockerfile": f"{BASE}COPY get.sh /get.sh\nRUN /get.sh\n"},
    ),
    Twin(rule="git-unpinned", good=f"{BASE}RUN git clone https://huggingface.co/a/b && git config x y && git lfs install\n"),
]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twin(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)
