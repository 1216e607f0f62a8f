"""Libraries and programs of the system that packages need."""

from pathlib import Path

import pytest

from shipwheel.lint.tables import table
from shipwheel.native.known import known
from support.linting import Twin


def apt(packages: str) -> str:
    return f"RUN apt-get update && apt-get install -y --no-install-recommends {packages}\n"


SLIM = "FROM python:3.11-slim\n"
OPENCV = "RUN pip install opencv-python==4.10.0.84\n"

COPIED = "COPY --from=builder /usr/local/{0} /usr/local/{0}\n"

TWINS = [
    Twin(  # what another stage hands over of Python brings no libraries of the system; a folder of libraries may
        rule="missing-system-lib",
        bad=f"FROM python:3.11-slim AS builder\n{OPENCV}{SLIM}" + COPIED.format("lib/python3.11/site-packages"),
        good=f"FROM python:3.11-slim AS builder\n{OPENCV}{SLIM}" + COPIED.format("lib"),
    ),
    Twin(
        rule="missing-system-lib",
        bad=SLIM + OPENCV,
        good=SLIM + apt("libgl1 libglib2.0-0") + OPENCV,
        line=2,
        says="libGL.so.1 and libgthread-2.0.so.0",
    ),
    Twin(
        rule="missing-system-lib",
        bad="FROM python:3.11\n" + OPENCV,
        good="FROM python:3.11\nRUN pip install opencv-python-headless==4.10.0.84\n",
        says="needs libGL.so.1, which",
    ),
    Twin(
        rule="missing-system-lib",
        bad=SLIM + "RUN pip install ultralytics\n",
        good=SLIM + apt("ffmpeg") + "RUN pip install ultralytics\n",
    ),
    Twin(
        rule="missing-system-lib",
        bad=SLIM + "COPY requirements.txt .\nRUN pip install -r requirements.txt\n",
        good=SLIM + apt("libgomp1") + "COPY requirements.txt .\nRUN pip install -r requirements.txt\n",
        files={"requirements.txt": "lightgbm==4.5.0\npandas\n"},
        line=3,
        says="lightgbm of requirements.txt needs libgomp.so.1",
    ),
    Twin(
        rule="missing-system-lib",
        bad=SLIM + "RUN pip install lightgbm\n",
        good=SLIM + apt("build-essential") + "RUN pip install lightgbm\n",
    ),
    Twin(
        rule="missing-system-lib",
        bad=SLIM + "RUN pip install openai-whisper\n",
        good=SLIM + "COPY --from=mwader/static-ffmpeg:7.1 /ffmpeg /ffprobe /usr/local/bin/\nRUN pip install openai-whisper\n",
        says="needs ffmpeg",
    ),
    Twin(
        rule="missing-system-lib",
        bad="FROM nvidia/cuda:12.4.1-base-ubuntu22.04\nRUN pip3 install pydub pytesseract pdf2image\n",
        good="FROM nvidia/cuda:12.4.1-base-ubuntu22.04\n"
        + apt("ffmpeg tesseract-ocr poppler-utils")
        + "RUN pip3 install pydub pytesseract pdf2image\n",
        count=3,
    ),
    # a long list is a frozen one: it names what others require, such as catboost graphviz
    Twin(
        rule="missing-system-lib",
        bad=SLIM + "COPY requirements.txt .\nRUN pip install -r requirements.txt\n",
        good=SLIM + "COPY requirements.txt .\nRUN pip install -r requirements.txt\n",
        bad_files={"requirements.txt": "graphviz==0.20\n"},
        good_files={"requirements.txt": "graphviz==0.20\n" + "".join(f"package{n}==1.0\n" for n in range(40))},
        says="needs dot",
    ),
    # a shared base stage brings it; headless wins; conda, scripts and unknown packages of apt may bring it
    Twin(
        rule="missing-system-lib",
        good=SLIM.strip() + " AS base\n" + apt("libgl1-mesa-glx libglib2.0-0") + "FROM base\n" + OPENCV,
    ),
    Twin(  # what another package requires stands in the lock
        rule="missing-system-lib",
        bad=SLIM + "WORKDIR /app\nCOPY pyproject.toml uv.lock ./\nRUN uv sync --frozen\n",
        good=SLIM + apt("libgl1 libglib2.0-0") + "WORKDIR /app\nCOPY pyproject.toml uv.lock ./\nRUN uv sync --frozen\n",
        files={
            "pyproject.toml": '[project]\nname = "x"\nversion = "1"\ndependencies = ["imutils"]\n',
            "uv.lock": '[[package]]\nname = "opencv-python"\nversion = "4.10.0.84"\n',
        },
        line=4,
        says="opencv-python of uv.lock",
    ),
    Twin(rule="missing-system-lib", good=SLIM + "RUN pip install --no-deps ultralytics\n"),
    Twin(rule="missing-system-lib", good=SLIM + OPENCV + "RUN pip install opencv-python-headless\n"),
    Twin(rule="missing-system-lib", good=SLIM + "ARG PACKAGES\nRUN apt-get install -y $PACKAGES\n" + OPENCV),
    Twin(rule="missing-system-lib", good=SLIM + "RUN pip install xgboost scikit-learn soundfile librosa\n"),
    Twin(
        rule="missing-system-lib", good=SLIM.strip() + " AS b\n" + OPENCV + "FROM python:3.11-slim\nCOPY --from=b /out /out\n"
    ),
    Twin(rule="missing-system-lib", good="FROM continuumio/miniconda3\nRUN conda install -y opencv\n" + OPENCV),
    Twin(rule="missing-system-lib", good="FROM example.com/our/base:3\n" + OPENCV),
]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twins(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)


def test_every_library_of_the_table_has_its_debian_package() -> None:
    data = table("libraries.toml")
    assert set(data["known"]) <= set(known())
    assert set(data["packages"]) == set(data["also"])
    assert {need for needs in data["needs"].values() for need in needs} <= set(data["packages"])
    assert set(data["brings"].values()) <= set(data["needs"])
