from pathlib import Path

import pytest

from support.linting import Twin

UV = "FROM python:3.11-slim\nWORKDIR /app\n"
MOUNTED = "--mount=type=bind,source=uv.lock,target=uv.lock --mount=type=bind,source=pyproject.toml,target=pyproject.toml"
PROJECT = {"pyproject.toml": '[project]\nname = "a"\nversion = "1"\ndependencies = ["torch"]\n', "uv.lock": "version = 1\n"}

TWINS = [
    Twin(
        rule="lock-not-enforced",
        bad=f"{UV}COPY pyproject.toml uv.lock ./\nRUN uv sync --no-dev \\\n    --no-install-project\n",
        good=f"{UV}COPY pyproject.toml uv.lock ./\nRUN uv sync --frozen --no-dev\n",
        files=PROJECT,
        line=4,
        fixed=f"{UV}COPY pyproject.toml uv.lock ./\nRUN uv sync --locked --no-dev \\\n    --no-install-project\n",
    ),
    Twin(
        rule="lock-not-enforced",
        bad=f"{UV}COPY uv.lock ./\nRUN uv sync\n",
        good=f"{UV}ENV UV_LOCKED=1\nCOPY . .\nRUN uv sync\n",
        files=PROJECT,
        fixed=f"{UV}COPY uv.lock ./\nRUN uv sync --frozen\n",
    ),
    Twin(
        rule="lock-not-enforced",
        bad=(f"{UV}RUN {MOUNTED} \\\n    uv sync\n"),
        files=PROJECT,
        line=4,
        fixed=(f"{UV}RUN {MOUNTED} \\\n    uv sync --locked\n"),
    ),
    Twin(
        rule="lock-not-enforced",
        bad=f"{UV}COPY pyproject.toml ./\nRUN uv sync\n",
        good=f"{UV}COPY pyproject.toml ./\nRUN uv sync\n",
        bad_files=PROJECT,
        good_files={"pyproject.toml": PROJECT["pyproject.toml"]},
        says="uv.lock lies in the context but is not copied",
    ),
    Twin(
        rule="lock-not-enforced",
        bad="FROM python:3.9\nCOPY Pipfile Pipfile.lock ./\nRUN pipenv install --system\n",
        good="FROM python:3.9\nCOPY Pipfile Pipfile.lock ./\nRUN pipenv install --system --deploy\n",
        files={"Pipfile": "", "Pipfile.lock": "{}"},
        fixed="FROM python:3.9\nCOPY Pipfile Pipfile.lock ./\nRUN pipenv install --deploy --system\n",
    ),
    Twin(
        rule="lock-not-enforced",
        bad=f"{UV}COPY pyproject.toml poetry.lock ./\nRUN poetry lock && poetry install\n",
        good=f"{UV}COPY pyproject.toml poetry.lock ./\nRUN poetry install --no-root --only main\n",
        files={"pyproject.toml": '[tool.poetry]\nname = "a"\n', "poetry.lock": "\n"},
        says="poetry lock makes poetry.lock anew",
    ),
    Twin(
        rule="lock-not-enforced",
        bad=f"{UV}COPY . .\nRUN uv pip install --system -r pyproject.toml\n",
        good=f"{UV}COPY . .\nRUN uv export --frozen > r.txt && uv pip install --system -r r.txt && pip install .\n",
        files=PROJECT,
        says="pip resolves anew what uv.lock has settled",
    ),
    Twin(  # nothing lies beside it: what is copied by name says enough
        rule="lock-not-enforced",
        bad=f"{UV}COPY pyproject.toml README.md ./\nCOPY src/ src/\nRUN uv sync --no-dev\n",
        good=f"{UV}COPY pyproject.toml uv.loc[k] ./\nRUN uv sync --frozen --no-dev\n",
        says="pyproject.toml is copied without uv.lock",
        line=5,
    ),
    Twin(
        rule="lock-not-enforced",
        bad="FROM python:3.12\nWORKDIR /app\nCOPY pyproject.toml .\nRUN poetry install --only main\n",
        good="FROM python:3.12\nWORKDIR /app\nCOPY pyproject.toml poetry.lock* ./\nRUN poetry install --only main\n",
        says="without poetry.lock",
    ),
    Twin(  # what poetry exports comes from a lock as well
        rule="lock-not-enforced",
        bad="FROM python:3.12\nWORKDIR /tmp\nCOPY ./pyproject.toml /tmp/\nRUN poetry export -o r.txt\n",
        good="FROM python:3.12\nWORKDIR /tmp\nCOPY ./pyproject.toml ./poetry.lock* /tmp/\nRUN poetry export -o r.txt\n",
        says="pyproject.toml is copied without poetry.lock, so poetry export resolves anew",
    ),
    Twin(
        rule="lock-not-enforced",
        good="FROM python:3.12\nWORKDIR /a\nCOPY pyproject.toml .\nRUN poetry lock && poetry export -o requirements.txt\n",
    ),
    Twin(  # uv itself comes from an image
        rule="lock-not-enforced",
        bad=f"{UV}COPY --from=ghcr.io/astral-sh/uv:0.9.2 /uv /usr/local/bin/uv\nCOPY pyproject.toml .\nRUN uv sync --no-dev\n",
        good=f"{UV}COPY --from=files /app /app\nCOPY pyproject.toml .\nRUN uv sync --locked\n",
    ),
    Twin(rule="lock-not-enforced", good=f"{UV}COPY pyproject.toml .\nCOPY . .\nRUN uv sync --locked\n"),
    Twin(rule="lock-not-enforced", good=f"{UV}COPY pyproject.toml .\nRUN uv lock && uv sync --locked\n"),
    Twin(rule="lock-not-enforced", good=f"{UV}RUN git clone https://a.org/b && cd b && uv sync --locked\n"),
]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twin(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)
