from pathlib import Path

import pytest

from support.linting import Twin


def document(command: str) -> str:
    return f"# Use\n\n```bash\n{command}\n```\n"


TWINS = [
    Twin(
        rule="pip-compile-flag",
        name="README.md",
        bad=document("pip-compile requirements.in \\\n  --output-file requirements.txt \\\n  --platform linux_x86_64"),
        good=document("uv pip compile requirements.in --python-platform linux\npip download --platform manylinux2014_x86_64 x"),
        line=6,
    ),
    Twin(
        rule="pip-compile-flag",
        bad="FROM python:3.11\nRUN pip-compile --platform=linux requirements.in\n",
        good="FROM --platform=linux/amd64 python:3.11\nRUN pip-compile requirements.in\n",
        line=2,
    ),
    Twin(
        rule="find-links-index",
        name="README.md",
        bad=document("pip-compile requirements.in \\\n  -f https://download.pytorch.org/whl/cu124/"),
        good=document("pip-compile --extra-index-url https://download.pytorch.org/whl/cu124 requirements.in"),
        line=5,
    ),
    Twin(
        rule="find-links-index",
        bad="FROM python:3.11\nRUN pip install torch==2.1.0 --find-links=https://download.pytorch.org/whl/cu121\n",
        good="FROM python:3.11\nRUN pip install torch==1.8.0+cu111 -f https://download.pytorch.org/whl/torch_stable.html\n",
        line=2,
    ),
    Twin(
        rule="requirements-no-hashes",
        name="README.md",
        bad=document("pip-compile requirements.in --output-file requirements.txt"),
        good=document("pip-compile --generate-hashes requirements.in\nuv pip compile r.in --generate-hashes -o r.txt"),
        line=4,
        says="pip-compile without --generate-hashes",
    ),
    Twin(
        rule="requirements-no-hashes",
        name="lock.sh",
        bad="uv pip compile requirements.in -o requirements.txt\n",
        good="uv lock\n",
    ),
    Twin(
        rule="requirements-no-hashes",
        bad="FROM python:3.12\nRUN poetry export -f requirements.txt --output requirements.txt --without-hashes\n",
        good="FROM python:3.12\nRUN poetry export -f requirements.txt --output requirements.txt\n",
        says="poetry export --without-hashes",
    ),
    Twin(
        rule="requirements-no-hashes",
        bad="FROM python:3.12\nRUN uv export --frozen --no-hashes > requirements.txt\n",
        good="FROM python:3.12\nRUN uv export --frozen --no-hashes -o constraints.txt && pip install -c constraints.txt .\n",
    ),
]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twin(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)
