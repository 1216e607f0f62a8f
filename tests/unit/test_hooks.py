"""The pre-commit hooks and the GitHub Action that this repository defines."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from support.linting import write

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
BAD = "FROM python:3.11-slim\nRUN apt-get update && apt-get install curl\n"


def hooks() -> dict[str, dict[str, str]]:
    return {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}


def test_the_hooks_are_as_pre_commit_wants_them() -> None:
    done = subprocess.run([BIN / "pre-commit", "validate-manifest", ROOT / ".pre-commit-hooks.yaml"], check=False)
    assert done.returncode == 0
    assert {name: hook["entry"] for name, hook in hooks().items()} == {
        "shipwheel-lint": "shipwheel lint",
        "shipwheel-lint-fix": "shipwheel lint --fix",
    }


@pytest.mark.parametrize(
    "name",
    ["Dockerfile", "docker/Dockerfile.gpu", "app.Dockerfile", "Containerfile", ".dockerignore", "k8s/app.yaml", "compose.yml"],
)
def test_the_hooks_look_at(name: str) -> None:
    assert all(re.search(hook["files"], name) for hook in hooks().values())


@pytest.mark.parametrize("name", ["model.pt", "data.csv", "pyproject.toml", "logo.png"])
def test_the_hooks_pass_by(name: str) -> None:
    assert not any(re.search(hook["files"], name) for hook in hooks().values())


def test_the_action_validates_against_githubs_schema() -> None:
    command = [BIN / "check-jsonschema", "--builtin-schema", "vendor.github-actions", ROOT / "action.yml"]
    assert subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode == 0


@pytest.mark.parametrize(("sarif", "fail_on", "status"), [("", "", 1), ("found.sarif", "never", 0)])
def test_the_action_runs_lint(tmp_path: Path, sarif: str, fail_on: str, status: int) -> None:
    write(tmp_path, {"Dockerfile": BAD})
    (tmp_path / "shipwheel").symlink_to(BIN.parent)
    script = yaml.safe_load((ROOT / "action.yml").read_text())["runs"]["steps"][-1]["run"]
    inputs = {"RUNNER_TEMP": str(tmp_path), "PATHS": "Dockerfile", "ARGS": "--select apt", "FAIL_ON": fail_on, "SARIF": sarif}
    command = ["bash", "-eo", "pipefail", "-c", script]
    done = subprocess.run(command, cwd=tmp_path, env={**os.environ, **inputs}, check=False, capture_output=True, text=True)
    assert done.returncode == status
    assert (tmp_path / "found.sarif").exists() == bool(sarif)
    assert ("\n::error file=Dockerfile,line=2," in f"\n{done.stdout}") != bool(sarif)


@pytest.mark.network
def test_the_hooks_run(tmp_path: Path) -> None:
    """As a user's pre-commit does: it clones this repository and installs it."""
    write(tmp_path, {"Dockerfile": BAD, "notes.txt": "FROM x\n"})
    for words in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    command = [BIN / "pre-commit", "try-repo", ROOT, "shipwheel-lint-fix", "--all-files", "--verbose"]
    env = {**os.environ, "PRE_COMMIT_HOME": str(tmp_path / "home")}
    done = subprocess.run(command, cwd=tmp_path, env=env, check=False, capture_output=True, text=True)
    assert "mended in 1 file" in done.stdout + done.stderr
    assert (tmp_path / "Dockerfile").read_text() != BAD
