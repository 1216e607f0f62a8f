"""Files that lie in two layers, or in one that nobody sees any more."""

from pathlib import Path

import pytest

from support.linting import Twin

BASE = "FROM python:3.12-slim\nWORKDIR /app\n"
USER = "RUN useradd --create-home app\n"
OWNERS = [
    Twin(
        rule="chown-duplicate-layer",
        bad=BASE + USER + "COPY src/ /app/src/\nCOPY . .\nRUN chown -R app:app /app\nUSER app\n",
        good=BASE + USER + "COPY --chown=app:app . .\nRUN chown app:app /app\n",
        line=6,
        fixed=BASE + USER + "COPY --chown=app:app src/ /app/src/\nCOPY --chown=app:app . .\nRUN chown app:app /app\nUSER app\n",
    ),
    Twin(  # keep the group that chown keeps
        rule="chown-duplicate-layer",
        bad=BASE + "COPY . /app\r\nRUN chown -R 1000 \\\r\n    .\r\n",
        fixed=BASE + "COPY --chown=1000:root . /app\r\nRUN chown 1000 \\\r\n    .\r\n",
    ),
    Twin(
        rule="chown-duplicate-layer",
        bad=BASE + USER + "COPY . .\nRUN chown -R app: /app\n",
        fixed=BASE + USER + "COPY --chown=app . .\nRUN chown app: /app\n",
    ),
    Twin(  # the user is made later
        rule="chown-duplicate-layer",
        bad=BASE + "COPY . .\nRUN useradd app && chown -R app:app /app\n",
        good=BASE + "RUN useradd app && mkdir /data && chown -R app:app /data /app\nCOPY --chown=app . .\n",
        fixed=BASE + "COPY . .\nRUN useradd app && chown -R app:app /app\n",
    ),
    Twin(  # another command made files there
        rule="chown-duplicate-layer",
        bad=BASE + USER + "COPY . .\nRUN mkdir logs\nRUN chown -R app:app /app\n",
        fixed=BASE + USER + "COPY . .\nRUN mkdir logs\nRUN chown -R app:app /app\n",
    ),
    Twin(
        rule="chown-duplicate-layer",
        bad=BASE + USER + "COPY . .\nRUN python train.py\nRUN chown -R app:app /app\n",
        fixed=BASE + USER + "COPY . .\nRUN python train.py\nRUN chown -R app:app /app\n",
    ),
    Twin(
        rule="chown-duplicate-layer",
        bad="FROM ubuntu:24.04\nRUN bash /tmp/miniforge.sh -b -p /opt/conda\nRUN chown -R 1000:1000 /opt\n",
        good="FROM ubuntu:24.04\nRUN bash /tmp/miniforge.sh -b -p /opt/conda && chown -R 1000:1000 /opt\n",
    ),
    Twin(
        rule="chown-duplicate-layer",
        bad="FROM python:3.12\nRUN python -m venv /venv && /venv/bin/pip install torch\nRUN chown -R 1000:1000 /venv\n",
        good="FROM python:3.12\nRUN python -m venv /venv && /venv/bin/pip install torch && chown -R 1000:1000 /venv\n",
    ),
    Twin(
        rule="chown-duplicate-layer",
        bad=BASE + "COPY . .\nRUN chmod -R 755 /app\n",
        good=BASE + "COPY entrypoint.sh /app/\nRUN chmod +x /app/entrypoint.sh && chmod -R 755 /app\n",
        says="chmod",
    ),
    Twin(
        rule="chown-duplicate-layer",
        bad="FROM a AS base\nCOPY . /app\nFROM base\nRUN chown -R 1:1 /app\n",
        good="FROM a AS base\nCOPY . /app\nRUN chown -R 1:1 /app\nFROM scratch\nCOPY --from=base /x /x\n",
    ),
]
LATE = [
    Twin(  # a library of an installed package
        rule="rm-later-layer",
        bad=BASE + "RUN uv sync --locked\nRUN rm -rf /app/.venv/lib/python3.12/site-packages/torch/lib/rocblas/\n",
        good=BASE + "RUN uv sync --locked && rm -rf /app/.venv/lib/python3.12/site-packages/torch/lib/rocblas/\n",
        says="site-packages/torch",
    ),
    Twin(
        rule="rm-later-layer",
        bad=BASE + "COPY wheels/ /tmp/wheels/\nRUN pip install /tmp/wheels/*.whl && rm -rf /tmp/wheels\n",
        good=BASE + "RUN --mount=type=bind,source=wheels,target=/tmp/wheels pip install /tmp/wheels/*.whl\n",
        says="/tmp/wheels",
    ),
    Twin(
        rule="rm-later-layer",
        bad=BASE + "RUN wget https://x.org/a/cuda.run\nRUN sh cuda.run\nRUN rm cuda.run\n",
        good=BASE + "RUN wget https://x.org/a/cuda.run && sh cuda.run && rm cuda.run\nRUN rm -rf /tmp/*\n",
        line=5,
    ),
    Twin(  # the folder in which it starts is not known, but the home folder is
        rule="rm-later-layer",
        bad="FROM a/b:1\nRUN curl -o ~/conda.sh -O https://x.org/m.sh\nRUN sh ~/conda.sh -b && rm ~/conda.sh\n",
        good="FROM a/b:1\nRUN curl -o conda.sh https://x.org/m.sh\nRUN sh conda.sh -b && rm conda.sh\n",
    ),
    Twin(  # 80 MB, whatever its suffix
        rule="rm-later-layer",
        bad=BASE + "RUN wget -O ~/miniforge.sh https://x.org/m.sh\nRUN sh ~/miniforge.sh -b && rm ~/miniforge.sh\n",
        good=BASE + "RUN wget https://x.org/install.sh\nRUN sh install.sh && rm install.sh\n",
        line=4,
    ),
    Twin(
        rule="rm-later-layer",
        bad=BASE + "ADD https://x.org/a.tar.gz /tmp/\nRUN tar xf /tmp/a.tar.gz && rm /tmp/*.tar.gz\n",
        good=BASE + "COPY requirements.txt /tmp/\nRUN pip install -r /tmp/requirements.txt && rm /tmp/requirements.txt\n",
    ),
    Twin(
        rule="rm-later-layer",
        bad=BASE + "RUN apt-get install -y gcc git\nRUN pip install x\nRUN apt-get purge -y gcc && apt-get autoremove -y\n",
        good=BASE + "RUN apt-get install -y gcc && pip install x && apt-get purge -y gcc\nRUN apt-get autoremove\n",
        says="installed it: gcc",
    ),
    Twin(
        rule="rm-later-layer",
        files={"data/a.csv": "1\n", "app.py": ""},
        bad=BASE + "COPY . .\nRUN python app.py && rm -rf data build\n",
        good=BASE + "COPY . .\nRUN python app.py && rm -rf build app.py\n",
        says="/app/data",
    ),
    Twin(
        rule="rm-later-layer",
        bad=BASE + "RUN apt-get update && apt-get install -y a\nRUN rm -rf /var/lib/apt/lists/*\n",
        good=BASE
        + "RUN apt-get update && apt-get install -y a && rm -rf /var/lib/apt/lists/*\nRUN rm -rf /var/lib/apt/lists/*\n",
        line=4,
        says="the lists",
    ),
    Twin(
        rule="rm-later-layer",
        good=BASE + "RUN apt-get update\nRUN apt-get update && apt-get install -y a && rm -rf /var/lib/apt/lists/*\n",
    ),
    Twin(rule="rm-later-layer", good=BASE + "RUN pip install a\nRUN rm -rf /root/.cache\n"),
    Twin(rule="rm-later-layer", good="FROM a AS b\nCOPY m.bin /m.bin\nRUN rm /m.bin\nFROM a\nCOPY --from=b /x /x\n"),
]
ROWS = [
    Twin(rule="too-many-run", bad=BASE + "RUN a\n" * 5, good=BASE + "RUN a\n" * 4 + "ENV A=1\nRUN b\n", line=3, says="5 RUNs"),
]
TWINS = [*OWNERS, *LATE, *ROWS]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twin(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)
