"""Images of NVIDIA that are gone, that apt no longer trusts, and stubs on the loader's path."""

from pathlib import Path

import pytest

from support.linting import Twin

UPDATE = "RUN apt-get update && apt-get install -y python3-pip\n"
REPOSITORY = "https://developer.download.nvidia.com/compute/cuda/repos/ubuntu1804/x86_64"
STUBS = "/usr/local/cuda/lib64/stubs"

TWINS = [
    # cuda-tag-retired
    Twin(
        rule="cuda-tag-retired",
        bad="FROM nvidia/cuda:10.2-cudnn7-devel-ubuntu18.04\n",
        good="FROM nvidia/cuda:12.9.1-cudnn-devel-ubuntu22.04\n",
        says="CUDA 10",
    ),
    Twin(
        rule="cuda-tag-retired",
        bad="ARG TAG=11.8.0-runtime-ubuntu22.04\nFROM --platform=linux/amd64 nvcr.io/nvidia/cuda:${TAG} AS base\n",
        good="ARG TAG\nFROM nvcr.io/nvidia/cuda:${TAG} AS base\n",
        line=2,
    ),
    Twin(rule="cuda-tag-retired", bad="FROM nvidia/cuda\n", good="FROM nvidia/cuda@sha256:" + "0" * 64 + "\n"),
    Twin(  # a patch release that another has replaced: whether its tag is deleted is not known
        rule="cuda-tag-retired",
        bad="FROM nvidia/cuda:11.4.0-runtime-ubuntu20.04\n",
        good="FROM nvidia/cuda:12.1.0-runtime-ubuntu22.04\n",
        says="support of CUDA 11 images has ended",
    ),
    Twin(rule="cuda-tag-retired", bad="FROM nvidia/cuda:12.1.1-runtime-centos7\n", good="FROM nvidia/cuda:13.0.0-base-ubi9\n"),
    Twin(rule="cuda-tag-retired", bad="FROM nvidia/cuda:12.4-base-ubuntu22.04\n", says="12.4.1"),
    Twin(  # BuildKit never asks for the image of a stage that nothing can name
        rule="cuda-tag-retired",
        bad="FROM nvidia/cuda:11.0.3-runtime-ubuntu20.04 AS cuda\nFROM ubuntu:22.04\n",
        good="FROM nvidia/cuda:11.0.3-runtime-ubuntu20.04\nFROM ubuntu:22.04\n",
    ),
    Twin(rule="cuda-tag-retired", good="FROM registry.example.com/mirror/nvidia/cuda:10.2-devel\n"),
    # cuda-gpg-key-rotated
    Twin(
        rule="cuda-gpg-key-rotated",
        bad=f"FROM nvidia/cuda:11.4.2-cudnn8-runtime-ubuntu20.04\n{UPDATE}",
        good=f"FROM nvidia/cuda:11.4.3-cudnn8-runtime-ubuntu20.04\n{UPDATE}",
        line=2,
    ),
    Twin(
        rule="cuda-gpg-key-rotated",
        bad=f"FROM tensorflow/tensorflow:2.4.1-gpu\n{UPDATE}",
        good=f"FROM tensorflow/tensorflow:2.4.1\n{UPDATE}",
    ),
    Twin(
        rule="cuda-gpg-key-rotated",
        bad=f"FROM pytorch/pytorch:1.9.0-cuda10.2-cudnn7-devel\n{UPDATE}",
        good=f"FROM pytorch/pytorch:1.9.0-cuda10.2-cudnn7-runtime\n{UPDATE}",
    ),
    # the key is replaced, the list removed, nothing updated
    Twin(
        rule="cuda-gpg-key-rotated",
        good="FROM nvidia/cuda:11.1.0-devel-ubuntu20.04\n"
        "RUN apt-key adv --fetch-keys https://developer.download.nvidia.com/compute/cuda/repos/ubuntu2004/x86_64/3bf863cc.pub\n"
        f"{UPDATE}",
    ),
    Twin(
        rule="cuda-gpg-key-rotated",
        good=f"FROM nvidia/cuda:11.1.0-devel-ubuntu20.04\nRUN rm /etc/apt/sources.list.d/*.list\n{UPDATE}",
    ),
    Twin(rule="cuda-gpg-key-rotated", good="FROM nvidia/cuda:11.1.0-devel-ubuntu20.04\nCOPY . /app\n"),
    # a list of another repository mends nothing, and the old key is no new one
    Twin(
        rule="cuda-gpg-key-rotated",
        bad="FROM nvidia/cuda:11.1.0-devel-ubuntu20.04\n"
        "RUN apt-get update && echo 'deb http://packages.ros.org/ros/ubuntu focal main' > /etc/apt/sources.list.d/ros.list\n",
        good="FROM nvidia/cuda:11.1.0-devel-ubuntu20.04\nRUN rm -rf /etc/apt/sources.list.d && apt-get update\n",
        line=2,
    ),
    Twin(
        rule="cuda-gpg-key-rotated",
        bad=f"FROM nvidia/cuda:11.1.0-devel-ubuntu20.04\nRUN apt-key adv --fetch-keys {REPOSITORY}/7fa2af80.pub\n{UPDATE}",
        good=f"FROM nvidia/cuda:11.1.0-devel-ubuntu20.04\nRUN apt-key del 7fa2af80 && dpkg -i keyring.deb\n{UPDATE}",
        line=3,
    ),
    # NVIDIA's repository is added with the key that it is no longer signed with
    Twin(
        rule="cuda-gpg-key-rotated",
        bad=f"FROM ubuntu:18.04\nRUN curl -fsSL {REPOSITORY}/7fa2af80.pub | apt-key add - && \\\n    apt-get update\n",
        good=f"FROM ubuntu:18.04\nRUN apt-key adv --fetch-keys {REPOSITORY}/3bf863cc.pub\n"
        f"RUN apt-key adv --fetch-keys {REPOSITORY}/7fa2af80.pub\n{UPDATE}",
        line=2,
        says="withdrew",
    ),
    Twin(
        rule="cuda-gpg-key-rotated",
        good="FROM ubuntu:18.04\nRUN apt-key adv --fetch-keys "
        f"{REPOSITORY.replace('cuda/repos', 'machine-learning/repos')}/7fa2af80.pub\n{UPDATE}",
    ),
    # cuda-stubs-in-ld-path
    Twin(
        rule="cuda-stubs-in-ld-path",
        bad=f"FROM nvidia/cuda:12.4.1-devel-ubuntu22.04\nENV LD_LIBRARY_PATH={STUBS}:$LD_LIBRARY_PATH\n",
        good=f"FROM nvidia/cuda:12.4.1-devel-ubuntu22.04\nENV LIBRARY_PATH={STUBS}\nRUN LD_LIBRARY_PATH={STUBS} make\n",
        line=2,
    ),
    Twin(
        rule="cuda-stubs-in-ld-path",
        bad=f"FROM ubuntu:22.04\nRUN echo {STUBS} > /etc/ld.so.conf.d/cuda.conf && ldconfig\n",
        good="FROM ubuntu:22.04\nRUN echo /usr/local/cuda/lib64 > /etc/ld.so.conf.d/cuda.conf && ldconfig\n",
    ),
    Twin(
        rule="cuda-stubs-in-ld-path",
        good=f"FROM ubuntu:22.04 AS build\nENV LD_LIBRARY_PATH={STUBS}\nFROM ubuntu:22.04\nCOPY --from=build /a /a\n",
    ),
    Twin(
        rule="cuda-stubs-in-ld-path",
        good=f"FROM ubuntu:22.04\nENV LD_LIBRARY_PATH={STUBS}\nRUN make\nENV LD_LIBRARY_PATH=/opt/lib\n",
    ),
]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twins(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)
