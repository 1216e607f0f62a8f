"""Configs of well-known images as bases: their environment, labels and history as those images have them, shortened.

They are written after the real images' shape, as the machines of the tests reach no public registry.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from shipwheel.oci.layer import Layer
from shipwheel.oci.tree import Entry
from support.images import layer
from support.registry import Served

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An image's name and config, what the project says of it, and what should be found: python, interpreter, glibc and
    distribution; or the words of the refusal."""

    base: str
    env: Sequence[str] = ()
    history: Sequence[str] = ()
    labels: dict[str, str] = field(default_factory=dict)
    python: str = ""
    interpreter: str = ""
    found: tuple[str, str, int, str] = ("", "", 0, "")
    refusal: str = ""

    @property
    def config(self) -> dict[str, Any]:
        """As an image has it (OCI image-spec, config.md)."""
        run = {"Env": list(self.env), "Labels": self.labels, "Cmd": ["python3"]}
        return {"os": "linux", "config": run, "history": [{"created_by": text} for text in self.history]}


def debian(suite: str) -> str:
    """The history of Debian's official images (debuerreotype)."""
    return f"# debian.sh --arch 'amd64' out/ '{suite}' '@1733097600'"


UBUNTU = ("/bin/sh -c #(nop)  ARG RELEASE", "/bin/sh -c #(nop)  LABEL org.opencontainers.image.ref.name=ubuntu")


def ubuntu(release: str) -> tuple[str, ...]:
    """The history of Ubuntu's official images."""
    return (
        *UBUNTU,
        f"/bin/sh -c #(nop)  LABEL org.opencontainers.image.version={release}",
        "/bin/sh -c #(nop) ADD file:5e9 in / ",
    )


def official(version: str, suite: str) -> dict[str, Sequence[str]]:
    """Environment and history of Docker's official Python images."""
    return {
        "env": (f"PATH=/usr/local/bin:{PATH}", "GPG_KEY=7169605F62C751356D054A26A821E680E5FA6305", f"PYTHON_VERSION={version}"),
        "history": (
            debian(suite),
            f"ENV PATH=/usr/local/bin:{PATH}",
            "RUN /bin/sh -c set -eux; apt-get update; apt-get install -y ca-certificates netbase tzdata",
            f"ENV PYTHON_VERSION={version}",
            'RUN /bin/sh -c set -eux; wget -O python.tar.xz "https://www.python.org/ftp/python/..." # buildkit',
            'CMD ["python3"]',
        ),
    }


CUDA = (
    f"PATH=/usr/local/nvidia/bin:/usr/local/cuda/bin:{PATH}",
    "NVARCH=x86_64",
    "CUDA_VERSION=12.4.1",
    "LD_LIBRARY_PATH=/usr/local/nvidia/lib:/usr/local/nvidia/lib64",
    "NVIDIA_VISIBLE_DEVICES=all",
    "NVIDIA_DRIVER_CAPABILITIES=compute,utility",
)
PYTORCH = (
    f"PATH=/opt/conda/bin:/usr/local/nvidia/bin:/usr/local/cuda/bin:{PATH}",
    "NVIDIA_VISIBLE_DEVICES=all",
    "LD_LIBRARY_PATH=/usr/local/nvidia/lib:/usr/local/nvidia/lib64",
    "PYTORCH_VERSION=2.5.1",
)
CONDA = (f"PATH=/opt/conda/bin:{PATH}", "LANG=C.UTF-8")
MINICONDA = "ARG INSTALLER_URL_LINUX64=https://repo.anaconda.com/miniconda/Miniconda3-py312_24.9.2-0-Linux-x86_64.sh"
UBI9 = {"com.redhat.component": "ubi9-container", "name": "ubi9", "vendor": "Red Hat, Inc."}
UBI_PYTHON = {"com.redhat.component": "python-311-container", "name": "ubi9/python-311", "vendor": "Red Hat, Inc."}
USR = "/usr/bin/python3"

CASES = (
    Case(base="python:3.12-slim", **official("3.12.7", "bookworm"),
         found=("3.12.7", "/usr/local/bin/python3.12", 36, "bookworm")),
    Case(base="python:3.11", **official("3.11.10", "bookworm"), found=("3.11.10", "/usr/local/bin/python3.11", 36, "bookworm")),
    Case(base="python:3.13-slim", **official("3.13.5", "trixie"), found=("3.13.5", "/usr/local/bin/python3.13", 41, "trixie")),
    Case(base="python:3.9-slim-bullseye", **official("3.9.20", "bullseye"),
         found=("3.9.20", "/usr/local/bin/python3.9", 31, "bullseye")),
    Case(base="ours/base:2024", **official("3.12.7", "bookworm"),
         found=("3.12.7", "/usr/local/bin/python3.12", 36, "bookworm")),
    Case(base="continuumio/miniconda3:24.9.2-0", env=CONDA, history=(debian("bookworm"), MINICONDA),
         found=("3.12", "/opt/conda/bin/python3.12", 36, "bookworm")),
    Case(base="condaforge/miniforge3:24.11.0-0", env=("CONDA_DIR=/opt/conda", f"PATH=/opt/conda/bin:{PATH}"),
         history=ubuntu("22.04"), python="3.12", found=("3.12", "/opt/conda/bin/python3.12", 35, "ubuntu-22.04")),
    Case(base="quay.io/jupyter/scipy-notebook:2024-11-04", env=("CONDA_DIR=/opt/conda", f"PATH=/opt/conda/bin:{PATH}"),
         history=(*ubuntu("24.04"), "ARG PYTHON_VERSION=3.12"),
         found=("3.12", "/opt/conda/bin/python3.12", 39, "ubuntu-24.04")),
    Case(base="pytorch/pytorch:2.5.1-cuda12.4-cudnn9-runtime", env=PYTORCH, history=ubuntu("22.04"), python="3.11",
         found=("3.11", "/opt/conda/bin/python3.11", 35, "ubuntu-22.04")),
    Case(base="nvidia/cuda:12.4.1-runtime-ubuntu22.04", env=CUDA, history=ubuntu("22.04"), python="3.10", interpreter=USR,
         found=("3.10", USR, 35, "ubuntu-22.04")),
    Case(base="nvidia/cuda:12.4.1-runtime-ubi9", env=CUDA, labels=UBI9, python="3.11", interpreter="/usr/bin/python3.11",
         found=("3.11", "/usr/bin/python3.11", 34, "rhel-9")),
    Case(base="ubuntu:24.04", env=(f"PATH={PATH}",), history=ubuntu("24.04"), interpreter="/usr/bin/python3.12",
         found=("3.12", "/usr/bin/python3.12", 39, "ubuntu-24.04")),
    Case(base="debian:bookworm-slim", env=(f"PATH={PATH}",), history=(debian("bookworm"),), interpreter="/usr/bin/python3.11",
         found=("3.11", "/usr/bin/python3.11", 36, "bookworm")),
    Case(base="registry.access.redhat.com/ubi9/python-311:1",
         env=("PYTHON_VERSION=3.11", f"PATH=/opt/app-root/src/bin:/opt/app-root/bin:{PATH}"), labels=UBI_PYTHON,
         found=("3.11", "/usr/bin/python3.11", 34, "rhel-9")),
    Case(base="registry.access.redhat.com/ubi8/ubi:8.10", labels={"name": "ubi8"}, interpreter="/usr/bin/python3.12",
         found=("3.12", "/usr/bin/python3.12", 28, "rhel-8")),
    Case(base="bitnami/python:3.12",
         env=("OS_FLAVOUR=debian-12", "APP_VERSION=3.12.7", f"PATH=/opt/bitnami/python/bin:{PATH}"),
         found=("3.12.7", "/opt/bitnami/python/bin/python3.12", 36, "bookworm")),
    Case(base="public.ecr.aws/lambda/python:3.12", env=("LAMBDA_RUNTIME_DIR=/var/runtime", f"PATH=/var/lang/bin:{PATH}"),
         found=("3.12", "/var/lang/bin/python3.12", 28, "")),
    Case(base="gcr.io/distroless/python3-debian12:nonroot", env=(f"PATH={PATH}",), history=("bazel build ...",),
         interpreter="/usr/bin/python3.11", found=("3.11", "/usr/bin/python3.11", 36, "bookworm")),
    Case(base="python:3.12", **official("3.12.7", "bookworm"), interpreter="/usr/bin/python3.11",
         found=("3.11", "/usr/bin/python3.11", 36, "bookworm")),
)  # fmt: skip

REFUSED = (
    Case(base="python:3.12-alpine", env=("PYTHON_VERSION=3.12.7",), history=("ADD alpine-minirootfs-3.21.0-x86_64.tar.gz / ",),
         refusal="musl"),
    Case(base="ours/python:3.12-alpine3.20", env=("PYTHON_VERSION=3.12.7",), refusal="musl"),
    Case(base="pypy:3.10-slim", env=("PYPY_VERSION=7.3.17", f"PATH=/opt/pypy/bin:{PATH}"), history=(debian("bookworm"),),
         refusal="PyPy"),
    Case(base="ubuntu:24.04", env=(f"PATH={PATH}",), history=ubuntu("24.04"), refusal="where its Python is"),
    Case(base="nvidia/cuda:12.4.1-runtime-ubuntu22.04", env=CUDA, history=ubuntu("22.04"), refusal="where its Python is"),
    Case(base="pytorch/pytorch:2.5.1-cuda12.4-cudnn9-runtime", env=PYTORCH, history=ubuntu("22.04"),
         refusal="which Python it has"),
    Case(base="debian:bookworm-slim", history=(debian("bookworm"),), interpreter=USR, refusal="which Python it has"),
)  # fmt: skip


OCI, DOCKER = "application/vnd.oci.image", "application/vnd.docker"
GZIP = f"{OCI}.layer.v1.tar+gzip"


def put_image(
    served: Served, name: str, case: Case, *layers: Layer, media_type: str = GZIP, architecture: str = "amd64"
) -> str:
    """Give an in-process registry an image of this config under REPOSITORY[:TAG]; its manifest's digest."""
    repository, _, tag = name.partition(":")
    layers = layers or (layer([Entry.data("etc/marker", case.base.encode())]),)
    rootfs = {"type": "layers", "diff_ids": [str(each.diff_id) for each in layers]}
    data = json.dumps({**case.config, "architecture": architecture, "rootfs": rootfs}).encode()
    described = [{"mediaType": media_type, "digest": str(each.blob.digest), "size": each.blob.size} for each in layers]
    for each in layers:
        served.put_blob(repository, each.blob.read())
    config = {"mediaType": f"{OCI}.config.v1+json", "digest": served.put_blob(repository, data), "size": len(data)}
    manifest = {"schemaVersion": 2, "mediaType": f"{OCI}.manifest.v1+json", "config": config, "layers": described}
    text = json.dumps(manifest).encode()
    return served.put_manifest(repository, tag, manifest["mediaType"], text)


def put_index(served: Served, name: str, **digests: str) -> None:
    """An index over manifests that are there: `linux_arm64_v8="sha256:..."`."""
    repository, _, tag = name.partition(":")
    manifests = []
    for platform, digest in digests.items():
        media_type, data = served.manifests[repository][digest]
        os, architecture, *variant = platform.split("_")
        shown = {"os": os, "architecture": architecture, **({"variant": variant[0]} if variant else {})}
        manifests.append({"mediaType": media_type, "digest": digest, "size": len(data), "platform": shown})
    value = {"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": manifests}
    served.put_manifest(repository, tag, value["mediaType"], json.dumps(value).encode())


def table() -> str:
    """What the how-to shows: one line a case."""
    lines = ["| base | settings | Python found | glibc |", "|---|---|---|---|"]
    for case in (*CASES, *REFUSED):
        said = {"python": case.python, "base-python": case.interpreter}
        settings = ", ".join(f'`{key} = "{value}"`' for key, value in said.items() if value)
        version, interpreter, glibc, distribution = case.found
        found = f"{version}, `{interpreter}` | 2.{glibc}, {distribution or 'assumed'}"
        lines.append(f"| `{case.base}` | {settings} | {f'refused: {case.refusal}' if case.refusal else found} |")
    return "".join(f"{line} |\n" if line.count("|") == 4 else f"{line}\n" for line in lines)
