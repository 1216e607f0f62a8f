"""uv as a program: where it is, how it is called, and what its failures mean in a sentence."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shipwheel.credentials import redact_text
from shipwheel.errors import ResolveError

SHOWN_LINES = 25
"""Of a failed build's output: enough for the error and where it came from."""

_FINDING = threading.Lock()
"""Held while uv looks for itself: it asks `sysconfig`, which is half-filled as long as another thread is the first to ask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uv:
    """uv in one folder with one environment; `extra` is what is set on top (index with credentials)."""

    folder: Path
    env: Mapping[str, str]

    def run(self, arguments: Sequence[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run it, quietly, without colours, and without a virtual environment that happens to be active."""
        dropped = {"VIRTUAL_ENV", "UV_PYTHON", "UV_PROJECT_ENVIRONMENT", "CONDA_PREFIX", "FORCE_COLOR", "CLICOLOR_FORCE"}
        env = {"UV_PYTHON_DOWNLOADS": "never", **{key: value for key, value in self.env.items() if key not in dropped}}
        command = [_program(), *arguments, "--color", "never", "--no-progress"]
        return subprocess.run(
            command, cwd=self.folder, env=env, input=stdin, capture_output=True, text=True, check=False, umask=0o022
        )


def _program() -> str:
    from uv import find_uv_bin

    with _FINDING:
        return find_uv_bin()


_MORE = "For more information, try '--help'."
"""Of uv, not of ours."""


def failure(what: str, stderr: str) -> ResolveError:
    """What uv printed as one sentence, and below it whatever else belongs to it; without credentials."""
    text = redact_text(stderr)
    start = re.search(r"^error: ", text, re.MULTILINE)
    body = text[start.end() :] if start else text
    body, hints = _without_hints(body)
    lines = [re.sub(r"^(\s*)cause: ", r"\1", line).rstrip() for line in body.splitlines() if line.strip() and line != _MORE]
    if lines and lines[0].startswith("No solution found") and len(lines) > 1:
        del lines[0]
    first, rest = (lines[0].strip(), lines[1:]) if lines else ("uv said nothing", [])
    message = "\n".join([f"{what}: {first}", *rest[-SHOWN_LINES:]])
    return ResolveError(message, hint=hints or _hint(text))


def _without_hints(text: str) -> tuple[str, str]:
    hints = re.findall(r"^\s*hint: ([^\n]*)", text, re.MULTILINE)
    return re.sub(r"^\s*hint: [^\n]*\n?", "", text, flags=re.MULTILINE), hints[0] if hints else ""


def _hint(text: str) -> str:
    if "not found in the package registry" in text:
        return "check the name, and whether the index that has it is configured (UV_INDEX, [tool.uv])"
    if "401" in text or "403" in text:
        return "give credentials in the index's URL, in ~/.netrc or in the keyring"
    if "error sending request" in text or "Connect" in text:
        return "check the network, the proxy settings and the address of the index"
    if "--torch-backend" in text:
        return "UV_TORCH_BACKEND, or torch-backend in uv's settings, has it"
    if "Failed to initialize cache" in text:
        return "set UV_CACHE_DIR to a folder of your own"
    return "loosen one of the requirements that it names" if "unsatisfiable" in text else ""
