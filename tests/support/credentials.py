"""Login files and a credential helper program for tests: docker's protocol over one JSON file."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from support.ship import Said, Ship

HELPER = """#!{python}
import json, pathlib, sys
kept = pathlib.Path(__file__).with_suffix(".json")
known = json.loads(kept.read_text()) if kept.exists() else {{}}
verb, said = sys.argv[1], sys.stdin.read()
with pathlib.Path(__file__).with_suffix(".calls").open("a") as calls:
    print(verb, said if verb != "store" else json.loads(said)["ServerURL"], file=calls)
if verb == "store":
    entry = json.loads(said)
    known[entry["ServerURL"]] = entry
    kept.write_text(json.dumps(known))
elif verb == "list":
    print(json.dumps({{server: entry["Username"] for server, entry in known.items()}}))
elif said not in known:
    print("credentials not found in native keychain")
    sys.exit(1)
elif verb == "get":
    print(json.dumps(known[said]))
else:
    del known[said]
    kept.write_text(json.dumps(known))
"""


def entry(user: str, password: str) -> dict[str, str]:
    """A login as docker writes it."""
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def write_file(path: Path, content: Mapping[str, object] | str) -> Path:
    """A login file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def add_helper(folder: Path, name: str, script: str = "") -> Path:
    """docker-credential-NAME in a folder for PATH: one that works, or that runs a shell script."""
    program = folder / f"docker-credential-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!/bin/sh\n{script}\n" if script else HELPER.format(python=sys.executable))
    program.chmod(0o755)
    return program


def remember(program: Path, server: str, user: str, secret: str) -> None:
    """Put a login into a working helper."""
    kept = program.with_suffix(".json")
    known = json.loads(kept.read_text()) if kept.exists() else {}
    kept.write_text(json.dumps({**known, server: {"ServerURL": server, "Username": user, "Secret": secret}}))


def calls(program: Path) -> list[str]:
    """What a working helper was asked: verb and server."""
    path = program.with_suffix(".calls")
    return path.read_text().splitlines() if path.exists() else []


def log_in(ship: Ship, *words: str, password: str) -> Said:
    """`shipwheel login` with the password on standard input."""
    command = [*ship.program, "login", "--password-stdin", *words]
    done = subprocess.run(
        command, input=f"{password}\n", env=dict(ship.env), capture_output=True, text=True, check=False, timeout=60
    )
    return Said(status=done.returncode, out=done.stdout, err=done.stderr)
