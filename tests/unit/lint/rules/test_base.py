"""Rules on base images."""

from pathlib import Path

import pytest

from support.linting import Twin, findings

COMPOSE = "compose.yaml"

TWINS = [
    Twin(rule="base-latest", bad="FROM python:latest\n", good="FROM python:3.12-slim-bookworm\n", line=1, says="python:latest"),
    Twin(rule="base-latest", bad="FROM tensorflow/tensorflow:latest-gpu-py3\n", good="FROM tensorflow/tensorflow:2.15.0-gpu\n"),
    Twin(rule="base-latest", bad="FROM quay.io/jupyter/base-notebook:cuda12-latest\n"),
    Twin(rule="base-latest", bad="ARG TAG=latest\nFROM ubuntu:${TAG}\n", good="ARG TAG=24.04\nFROM ubuntu:${TAG}\n", line=2),
    Twin(
        rule="base-latest",
        bad="FROM python:3.12-slim-trixie\nCOPY --from=ghcr.io/astral-sh/uv:latest /uv /bin/\n",
        good="FROM python:3.12-slim-trixie\nCOPY --from=ghcr.io/astral-sh/uv:0.8.0 /uv /bin/\n",
        line=2,
    ),
    Twin(
        rule="base-latest",
        bad="FROM python:3.12-slim-trixie\nRUN --mount=from=ghcr.io/astral-sh/uv:latest,source=/uv,target=/bin/uv uv sync\n",
        good="FROM python:3.12-slim-trixie AS latest\nFROM latest\n",
    ),
    Twin(rule="base-latest", good="FROM python:latest@sha256:" + "a" * 64 + "\n"),
    Twin(rule="base-latest", good="ARG TAG\nFROM ubuntu:${TAG}\n"),
    Twin(
        rule="base-latest",
        name=COMPOSE,
        bad="services:\n  db:\n    image: redis:latest\n",
        good="services:\n  app:\n    image: somebody/app:latest\n    build: .\n  own:\n    image: app:latest\n",
        line=3,
    ),
    Twin(rule="base-untagged", bad="FROM python\n", good="FROM python:3.12\n", says="python:latest"),
    Twin(
        rule="base-untagged",
        bad="FROM python:3.12 AS build\nFROM nvidia/cuda\n",
        good="FROM python:3.12 AS a\nFROM a\n",
        line=2,
    ),
    Twin(rule="base-untagged", bad="ARG B=pytorch/pytorch\nFROM $B\n", good="ARG B\nFROM $B\n", line=2),
    Twin(
        rule="base-untagged",
        bad="FROM python:3.12\nCOPY --from=nginx /etc/nginx /etc/nginx\n",
        good="FROM python:3.12\nCOPY --from=assets /models /models\n",
        line=2,
    ),
    Twin(rule="base-untagged", good="FROM python@sha256:" + "a" * 64 + "\n"),
    Twin(rule="base-untagged", good="FROM scratch\nCOPY app /\n"),
    Twin(
        rule="base-untagged",
        name=COMPOSE,
        bad="services:\n  m:\n    image: grafana/grafana\n",
        good="services:\n  m:\n    image: ${IMAGE}\n  n:\n    image: grafana/grafana:12.0.2\n",
    ),
    Twin(rule="base-floating", bad="FROM python:3.11-slim\n", good="FROM python:3.11-slim-bookworm\n", says="Debian release"),
    Twin(rule="base-floating", bad="FROM python:3-slim\n", says="Python version"),
    Twin(rule="base-floating", bad="FROM python:slim\n", says="Python version"),
    Twin(rule="base-floating", bad="FROM python:3-slim-bookworm\n", says="Python version"),
    Twin(rule="base-floating", bad="FROM python:3.12-alpine\n", good="FROM python:3.12-alpine3.22\n", says="Alpine release"),
    Twin(rule="base-floating", bad="FROM ubuntu:rolling\n", good="FROM ubuntu:24.04\n", says="Ubuntu release"),
    Twin(rule="base-floating", bad="FROM debian:stable-slim\n", good="FROM debian:trixie-slim\n"),
    Twin(
        rule="base-floating",
        bad="FROM node:lts-alpine AS web\nFROM node:lts-alpine\n",
        good="FROM node:22-alpine3.22\n",
        count=2,
    ),
    Twin(rule="base-floating", bad="FROM nginx:alpine\n", good="FROM nginx:1.29.8-alpine\n", says="the version"),
    Twin(rule="base-floating", good="FROM python:3.11-slim@sha256:" + "a" * 64 + "\n"),
    Twin(
        rule="base-floating",
        bad="FROM ghcr.io/astral-sh/uv:python3.13-trixie-slim\n",
        good="FROM ghcr.io/astral-sh/uv:0.9.11-python3.13-trixie-slim\n",
        says="uv's version",
    ),
    Twin(rule="base-floating", good="FROM python:latest\n"),
    Twin(
        rule="base-no-digest",
        bad="FROM python:3.12-slim-trixie\n",
        good="FROM python:3.12-slim-trixie@sha256:" + "a" * 64 + "\n",
    ),
    Twin(rule="base-no-digest", bad="FROM ubuntu:24.04 AS a\nFROM ubuntu:24.04\nCOPY --from=a /x /x\n", count=2, line=1),
    Twin(rule="base-no-digest", bad="ARG B=ubuntu:24.04\nFROM $B AS a\nFROM ${B}\nCOPY --from=a /x /x\n", count=1, line=2),
    Twin(rule="base-no-digest", bad="FROM ubuntu:24.04\nCOPY --from=ghcr.io/astral-sh/uv:0.8.0 /uv /bin/\n", count=2),
    Twin(rule="base-no-digest", bad="FROM python\nCOPY --from=ghcr.io/astral-sh/uv:latest /uv /bin/\n", count=2),
    Twin(rule="base-no-digest", good="FROM my-base:1.0\n"),
    Twin(rule="base-no-digest", good="ARG D\nFROM python:3.12@$D\n"),
    Twin(rule="base-eol", bad="FROM python:3.8-slim-bookworm\n", good="FROM python:3.12-slim-bookworm\n", says="Python 3.8"),
    Twin(rule="base-eol", bad="FROM python:3.11-slim-buster\n", says="Debian buster"),
    Twin(rule="base-eol", bad="FROM python:3.11.2-slim\n", good="FROM python:3.11.7-slim\n", says="Debian bullseye"),
    Twin(
        rule="base-eol",
        bad="FROM nvidia/cuda:11.2.2-runtime-ubuntu18.04\n",
        good="FROM nvidia/cuda:12.4.1-runtime-ubuntu22.04\n",
    ),
    Twin(rule="base-eol", bad="FROM ubuntu:20.04 AS a\nFROM ubuntu:20.04\n", count=2, line=1),
    Twin(rule="base-eol", bad="FROM centos:7\n", good="FROM rockylinux:9.3\n"),
    Twin(rule="base-eol", bad="FROM amazonlinux:2\n", good="FROM amazonlinux:2023\n"),
    Twin(rule="base-eol", bad="FROM alpine:3.8\n", good="FROM alpine:3.23\n"),
    Twin(rule="base-eol", bad="FROM tensorflow/tensorflow:1.15.5-gpu-py3\n", good="FROM tensorflow/tensorflow:2.15.0-gpu\n"),
    Twin(
        rule="base-eol",
        bad="FROM apache/airflow:slim-2.9.3-python3.11\n",
        good="FROM apache/airflow:3.0.2-python3.12\n",
        says="Airflow 2",
    ),
    Twin(rule="base-eol", bad="FROM pytorch/pytorch:1.7.1-cuda11.0-cudnn8-runtime\n", says="PyTorch 1"),
    Twin(rule="base-eol", good="FROM pytorch/pytorch:2.3.0-cuda12.1-cudnn8-runtime\n"),
    Twin(
        rule="base-eol",
        bad="FROM pytorch/pytorch:2.1.2-cuda12.1-cudnn8-runtime\n",
        good="FROM pytorch/pytorch:2.2.0-cuda12.1-cudnn8-runtime\n",
        says="Ubuntu 20.04",
    ),
    Twin(rule="base-eol", bad="FROM pytorch/pytorch:2.0.1-cuda11.7-cudnn8-devel\n", says="Ubuntu 18.04"),
    Twin(
        rule="base-eol",
        bad="FROM continuumio/miniconda3:24.1.2-0\nRUN conda create -n a python=3.7.16 pip\n",
        good="FROM continuumio/miniconda3:24.1.2-0\nRUN conda create -n a python=3.12 pip\n",
        line=2,
        says="Python 3.7",
    ),
    Twin(rule="base-eol", good='FROM continuumio/miniconda3:24.1.2-0\nRUN conda install "python>=3.8"\n'),
    Twin(rule="base-no-digest", bad="FROM ros:noetic\n", good="FROM app:local\n"),
    Twin(rule="base-eol", good="FROM somebody/python:3.6\n"),
    # what the tag of an image says that nobody knows, and ROS, which is one with its Ubuntu
    Twin(
        rule="base-eol",
        bad="FROM somebody/tool:3.8-cuda11.7.0-devel-ubuntu18.04\n",
        good="FROM somebody/tool:3.8-cuda11.7.0-devel-ubuntu22.04\n",
        says="Ubuntu 18.04",
    ),
    Twin(rule="base-eol", bad="FROM somebody/tool:focal-20230308\n", good="FROM somebody/focal:1.0\n", says="Ubuntu 20.04"),
    Twin(  # the name of an image of Azure is its tag, and its tag a date
        rule="base-eol",
        bad="FROM mcr.microsoft.com/azureml/openmpi4.1.0-cuda11.1-cudnn8-ubuntu18.04:20211012.v1\n",
        good="FROM mcr.microsoft.com/azureml/openmpi4.1.0-cuda11.8-cudnn8-ubuntu22.04:20231012.v1\n",
        says="Ubuntu 18.04",
    ),
    Twin(
        rule="base-eol",
        bad="FROM tensorflow/tensorflow:2.3.0\n",
        good="FROM tensorflow/tensorflow:2.3.0-custom-op-gpu-ubuntu16\n",
        says="Ubuntu 18.04",
    ),
    Twin(rule="base-eol", bad="FROM tensorflow/tensorflow:2.10.1-gpu-jupyter\n", says="Ubuntu 20.04"),
    Twin(
        rule="base-eol",
        bad="FROM runpod/pytorch:2.1.0-py3.10-cuda11.8.0-devel-ubuntu22.04\n",
        good="FROM runpod/pytorch:2.4.0-py3.11-cuda12.4.1-devel-ubuntu22.04\n",
        says="Python 3.10",
    ),
    Twin(rule="base-eol", bad="FROM somebody/tool:1.2-buster\n", good="FROM somebody/tool:1.2-filibuster\n"),
    Twin(  # the Python that a tag names
        rule="base-eol",
        bad="FROM jupyter/scipy-notebook:python-3.8.8\n",
        good="FROM jupyter/scipy-notebook:python-3.12\n",
        says="Python 3.8",
    ),
    Twin(
        rule="base-eol",
        bad="FROM somebody/agent:gpu.cuda.11.5.py38.pytorch2\n",
        good="FROM somebody/agent:23.08-py3-1.0-copy38\n",
        says="Python 3.8",
    ),
    Twin(rule="base-eol", bad="FROM ros:noetic-ros-core\n", good="FROM ros:humble-ros-core\n", says="Ubuntu 20.04"),
    Twin(rule="base-eol", bad="FROM osrf/ros:melodic-desktop-full\n", good="FROM somebody/kinetic:melodic\n"),
    Twin(
        rule="base-eol",
        bad="FROM mcr.microsoft.com/vscode/devcontainers/python:0-3.8-bullseye\n",
        good="FROM mcr.microsoft.com/devcontainers/python:1-3.12-bookworm\n",
        says="Debian bullseye",
    ),
    Twin(rule="base-eol", bad="FROM mcr.microsoft.com/vscode/devcontainers/python:3.6\n", says="Python 3.6"),
    Twin(rule="base-eol", bad="FROM nvcr.io/nvidia/pytorch:22.04-py3\n", good="FROM nvcr.io/nvidia/pytorch:25.12-py3\n"),
    Twin(rule="base-eol", good="FROM python:3\n"),
    Twin(
        rule="base-alpine-ml",
        bad="FROM python:3.11-alpine\nRUN pip install numpy torch\n",
        good="FROM python:3.11-slim\nRUN pip install numpy torch\n",
        says="torch and numpy on Alpine",
    ),
    Twin(
        rule="base-alpine-ml",
        bad="FROM python:3.11-alpine\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\n",
        bad_files={"requirements.txt": "fastapi\nscikit-learn==1.5.0\n"},
        good="FROM python:3.11-alpine\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\n",
        good_files={"requirements.txt": "fastapi\nuvicorn\n"},
        line=1,
    ),
    Twin(
        rule="base-alpine-ml",
        bad="FROM alpine:3.20 AS base\nRUN apk add python3\nFROM base\nRUN pip install pandas\n",
        good="FROM node:22-alpine AS web\nRUN npm ci\nFROM python:3.12-slim\nRUN pip install pandas\n",
        line=3,
    ),
]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twins(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)


@pytest.mark.parametrize(
    ("image", "remedy"),
    [
        ("python:3.11-slim", "Write python:3.11-slim-trixie"),
        ("python:3.11.7", "Write python:3.11.7-bookworm"),
        ("python:3.12-alpine", "Write python:3.12-alpine3.24"),
    ],
)
def test_the_remedy_names_the_release_that_a_tag_has(tmp_path: Path, image: str, remedy: str) -> None:
    [found] = findings(tmp_path, {"Dockerfile": f"FROM {image}\n"}, "base-floating")
    assert found.remedy == remedy


def test_images_without_version_tags_are_to_be_named_by_digest(tmp_path: Path) -> None:
    [found] = findings(tmp_path, {"Dockerfile": "FROM gcr.io/distroless/python3-debian12\n"}, "base-untagged")
    assert "@sha256:" in found.remedy


def test_the_name_is_what_is_marked(tmp_path: Path) -> None:
    text = "FROM --platform=$BUILDPLATFORM python:latest AS build\n"
    [found] = findings(tmp_path, {"Dockerfile": text}, "base-latest")
    assert text[slice(*found.span)] == "python:latest"


def test_what_is_over_is_told_what_is_not(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, {"Dockerfile": "FROM python:3.9-slim-buster\n"}, "base-eol")
    debian, python = found.remedy.removeprefix("Move to a release that is supported: ").split("; ")
    assert debian == "Debian trixie and Debian bookworm"
    assert "Python 3.13" in python
    assert "3.9" not in python
