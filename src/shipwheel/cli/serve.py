"""`shipwheel serve`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import click

from shipwheel.cli.context import Context
from shipwheel.cli.subjects import Subject, find_subject
from shipwheel.errors import UsageError
from shipwheel.runtime import runtime_wheel

RUNTIME = "shipwheel_serve"
PREFIX = "SHIPWHEEL_"
"""Before the runtime's settings, as environment variables."""

LOOPBACK = "127.0.0.1"
"""Where a service without a container listens: for this machine only."""

_START = (
    f"import signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); from {RUNTIME}.__main__ import main; sys.exit(main())"
)
"""python -m, but for Ctrl-C: of an interpreter that starts it would show the imports that it was at."""

_DROPPED = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX", "__PYVENV_LAUNCHER__")
"""Of the caller's environment: what leads to other packages than those that were installed for the model."""

_OTHER_NAMES = {"port": ("PORT", "AIP_HTTP_PORT")}
"""Variables of platforms that the runtime honours; a project's setting must not stand over them."""


@click.command()
@click.argument("target", default=".", metavar="[DIR|BUNDLE|FILE|MODULE:CLASS]")
@click.option("-p", "--port", type=click.IntRange(0, 65535), metavar="N", help="TCP port. Default: PORT, or the project's.")
@click.option("--host", metavar="IP", help=f"Address to listen on. Default: {LOOPBACK}, for this machine only.")
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Processes, each with the model.")
@click.option("--allow-pickle", is_flag=True, help="Load a pickle that nothing vouches for: it can run any code.")
@click.option("--python", metavar="PATH", help="Use this interpreter as it is, and install nothing.")
@click.option("--wheel", metavar="DIR", help="Only write the runtime's wheel into DIR and print its path.")
@click.pass_obj
def command(context: Context, /, target: str, **flags: Any) -> None:
    """Serve a model on this machine, without a container: the same service as in its image.

    What the model needs is installed once, in the versions of the lock, of the bundle or of the file. The runtime's wheel
    is for training: pip install "$(shipwheel serve --wheel /tmp)"
    """
    if flags["wheel"]:
        click.echo(runtime_wheel().write(Path(flags["wheel"]).expanduser().absolute()))
        return
    subject = find_subject(context, target)
    python = _checked(flags["python"]) if flags["python"] else subject.install()
    words = [f"--{name}={flags[name]}" for name in ("port", "host", "workers") if flags[name] is not None]
    words += ["--allow-pickle"] if flags["allow_pickle"] else []
    words += [f"--model={subject.model}"] if subject.model else []
    told = variables(context.env, subject, text=sys.stderr.isatty())
    if not flags["python"] and told.pop("PYTHONDONTWRITEBYTECODE", ""):  # meant for the caller's folders, not for ours
        told["PYTHONPYCACHEPREFIX"] = str(python.parents[1] / "bytecode")
    _become(python, subject.root, words, told)


def variables(env: Mapping[str, str], subject: Subject, *, text: bool) -> dict[str, str]:
    """What the runtime's process gets: the caller's environment, and below it what the project says."""
    defaults: dict[str, object] = {"host": LOOPBACK, "log_format": "text" if text else "json", **subject.settings}
    own = {
        f"{PREFIX}{name.upper()}": value if isinstance(value, str) else json.dumps(value)
        for name, value in defaults.items()
        if not any(env.get(other) for other in _OTHER_NAMES.get(name, ()))
    }
    path = {"PYTHONPATH": os.pathsep.join(map(str, subject.python_path))} if subject.python_path else {}
    return {**subject.env, **own, **{key: value for key, value in env.items() if key not in _DROPPED}, **path}


def _checked(text: str) -> Path:
    """An interpreter that has the runtime."""
    python = Path(text).expanduser().absolute()
    find = f"import importlib.util, sys; sys.exit(importlib.util.find_spec('{RUNTIME}') is None)"
    try:
        found = subprocess.run([python, "-c", find], capture_output=True, check=False).returncode == 0
    except OSError as error:
        raise UsageError(f"--python '{text}' cannot be run: {error.strerror}", hint="give the path of an interpreter") from None
    if not found:
        hint = f'{text} -m pip install "$(shipwheel serve --wheel /tmp)"'
        raise UsageError(f"--python '{text}' does not have {runtime_wheel().name}", hint=hint)
    return python


def _become(python: Path, root: Path, words: list[str], env: Mapping[str, str]) -> NoReturn:
    """Go on as the service; Ctrl-C while that starts ends it without a traceback, as `_START` gives it the system's meaning."""
    os.chdir(root)
    sys.stdout.flush()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.execve(python, [str(python), "-c", _START, *words], dict(env))
