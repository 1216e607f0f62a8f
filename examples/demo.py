"""`make demo`: train, lock, build and run examples/tabular, send it a real request, and print what came of it.

Where no engine runs, and this is root on Debian, runc is installed first.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).parent
PROJECT = HERE / "tabular"
BIN = Path(sys.executable).parent
NAME = "shipwheel-demo"


def main() -> int:
    """Every step as a user would type it."""
    if not (PROJECT / "model" / "bundle.json").exists():
        train()
    step("lock", "shipwheel", "lock", str(PROJECT))
    built = json.loads(step("build", "shipwheel", "build", str(PROJECT), "-t", "tabular:demo", "--json", capture=True))
    engine = ensure_engine()
    subprocess.run([BIN / "shipwheel", "-q", "rm", NAME], capture_output=True, check=False)
    started = time.monotonic()
    port = free_port()
    step("run", "shipwheel", "run", "tabular:demo", "-d", "-p", f"{port}:8080", "--name", NAME, *engine, capture=True)
    ready = time.monotonic() - started
    try:
        answer, asked = ask(f"http://127.0.0.1:{port}")
    finally:
        step("stop", "shipwheel", "stop", NAME)
        step("rm", "shipwheel", "rm", NAME)
    for verdict in built["verified"]:
        rows, error, seconds = verdict["rows"], verdict["max_error"], verdict["seconds"]
        print(f"\nverified {verdict['state']}: {rows} golden rows, largest error {error:g}, {seconds:.1f} s")
    print(f"answer   {json.dumps(answer)}  ({asked * 1000:.0f} ms)")
    sizes = built["sizes"]
    megabytes = ", ".join(f"{size / 1e6:.1f} MB {name}" for name, size in sizes.items())
    print(f"size     {megabytes}, {len(built['layers'])} layers")
    print(f"digest   {built['digest']}")
    print(f"times    build {built['seconds']:.1f} s, from run to the first answer {ready:.1f} s")
    return 0


def train() -> None:
    """Train with the requirements of the service, in an environment of its own."""
    environment = PROJECT / ".venv"
    uv = str(BIN / "uv")
    python = (PROJECT / ".python-version").read_text().strip()
    step("environment to train in", uv, "venv", "--quiet", "--clear", "--python", python, str(environment))
    interpreter = str(environment / "bin" / "python")
    requirements = str(PROJECT / "requirements.txt")
    with tempfile.TemporaryDirectory() as folder:
        wheel = step("the runtime, which shipwheel carries", "shipwheel", "serve", "--wheel", folder, capture=True).strip()
        step("packages to train with", uv, "pip", "install", "--quiet", "--python", interpreter, "-r", requirements, wheel)
    step("train", interpreter, str(PROJECT / "train.py"))


def ensure_engine() -> list[str]:
    """Nothing to add where Docker answers; else runc, installed where that is possible; else whatever is there."""
    if shutil.which("docker") and subprocess.run(["docker", "version"], capture_output=True, check=False).returncode == 0:
        return []
    if not shutil.which("runc") and os.geteuid() == 0 and shutil.which("apt-get"):
        print("no Docker and no runc here: installing runc", flush=True)
        subprocess.run(["apt-get", "-qq", "update"], check=True)
        subprocess.run(["apt-get", "-qq", "install", "-y", "--no-install-recommends", "runc"], check=True)
    return ["--engine", "runc"] if shutil.which("runc") else []


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(address: str) -> tuple[object, float]:
    """Send the sample request to the service at `address` (http://HOST:PORT); the answer and the seconds that it took."""
    body = (PROJECT / "request.json").read_bytes()
    request = urllib.request.Request(f"{address}/predict", body, {"content-type": "application/json"})
    started = time.monotonic()
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response), time.monotonic() - started


def step(title: str, program: str, *arguments: str, capture: bool = False) -> str:
    """Run one command, said first; its output on stdout if `capture`."""
    shown = " ".join(
        [Path(program).name, *(str(Path(a).relative_to(HERE.parent)) if a.startswith(str(HERE)) else a for a in arguments)]
    )
    print(f"\n$ {shown}    # {title}", flush=True)
    path = BIN / program if program == "shipwheel" else program
    done = subprocess.run([path, *arguments], stdout=subprocess.PIPE if capture else None, text=True, check=False)
    if done.returncode:
        sys.exit(f"'{shown}' failed with status {done.returncode}")
    return done.stdout or ""


if __name__ == "__main__":
    sys.exit(main())
