"""`Revision`: the commit that a project's folder holds, and where it can be had."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A commit of git (hex), the repository's public address, empty where none is known, and the project's folder in it."""

    commit: str
    source: str = ""
    folder: str = ""


def find_revision(root: Path) -> Revision | None:
    """The commit that this folder is at; None where git does not hold it exactly as it is, or is not there to ask."""
    if not any((folder / ".git").exists() for folder in (root, *root.parents)):
        return None
    status = _git(root, "status", "--porcelain=v2", "--branch", "--untracked-files=normal", "--", ".")
    if status is None or any(line[:2] != "# " for line in status.splitlines()):
        return None
    commit = re.search(r"^# branch\.oid ([0-9a-f]{40,64})$", status, re.MULTILINE)
    tree = _git(root, "rev-parse", "--verify", "--quiet", "--show-prefix", "HEAD:./")
    if not commit or tree is None:  # ignored as a whole, a folder would look clean
        return None
    *folders, _ = tree.splitlines()
    source = public_address(_git(root, "config", "--get", "remote.origin.url") or "")
    return Revision(commit=commit[1], source=source, folder="".join(folders).strip("/"))


def _git(root: Path, *words: str) -> str | None:
    """What git says; None where it refuses or is not installed. It takes no locks and starts no monitor."""
    command = ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", *words]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, stdin=subprocess.DEVNULL, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.decode(errors="replace").strip()


def public_address(remote: str) -> str:
    """A remote's address as everyone can write it: no user, password or token, and the same for git@HOST:PATH as for https.

    Empty for what only this machine knows: a path, or an alias of its SSH.
    """
    short = re.fullmatch(r"(?:[^@/:]+@)?([^@/:]+\.[^@/:]+):(?!/)(.+)", remote)
    if short:
        return _tidy("https", short[1], short[2])
    try:
        parts = urlsplit(remote)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if parts.scheme in ("http", "https"):
        return _tidy(parts.scheme, f"{host}:{port}" if port else host, parts.path)
    return _tidy("https", host, parts.path) if parts.scheme in ("ssh", "git+ssh", "git") and "." in host else ""


def _tidy(scheme: str, host: str, path: str) -> str:
    return f"{scheme}://{host}/{path.strip('/').removesuffix('.git')}" if host else ""
