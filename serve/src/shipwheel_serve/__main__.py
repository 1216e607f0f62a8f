"""`python -m shipwheel_serve`: serve the model of this folder; `check` only loads and checks it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from shipwheel_serve import limits, logs
from shipwheel_serve.errors import ServeError
from shipwheel_serve.settings import Settings, load_settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit status: 0, 1 (not ready, or cannot serve), 2 (usage)."""
    parser = argparse.ArgumentParser(prog="shipwheel-serve", description="Serve a model over HTTP.")
    parser.add_argument("verb", nargs="?", choices=("serve", "check"), default="serve")
    parser.add_argument("--root", type=Path, default=Path(), help="the folder of shipwheel.json; default: this one")
    parser.add_argument("--model", help="bundle, model file or MODULE:CLASS")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--allow-pickle", action="store_true", default=None)
    parser.add_argument("--log-format", choices=("json", "text"))
    parser.add_argument("--json", action="store_true", help="check: print the report as one line of JSON")
    flags = vars(parser.parse_args(arguments))
    verb, root, as_json = flags.pop("verb"), flags.pop("root"), flags.pop("json")
    try:
        settings = load_settings(
            root.absolute(), os.environ, {name: value for name, value in flags.items() if value is not None}
        )
        logs.setup(settings, None)
        sys.path.insert(0, str(settings.root))
        return _check(settings, as_json=as_json) if verb == "check" else _serve(settings)
    except ServeError as error:
        hint = f"\nhint: {error.hint}" if error.hint else ""
        print(f"error: {error.message}{hint}", file=sys.stderr)  # noqa: T201
        return 1


def _serve(settings: Settings) -> int:
    from shipwheel_serve.supervisor import Supervisor

    return Supervisor(settings, os.environ).run()


def _check(settings: Settings, *, as_json: bool) -> int:
    out = os.dup(1)
    os.dup2(2, 1)  # libraries print what they like, xgboost from C++: the report stays alone on stdout
    os.environ.update(limits.thread_environment(settings, os.environ, 1))
    from shipwheel_serve.worker import check

    report = check(settings)
    value: dict[str, Any] = {"ready": report.ready, **asdict(report)}
    text = json.dumps(value) if as_json else "\n".join((report.state, *report.reasons, *report.notes))
    os.write(out, f"{text}\n".encode())
    os._exit(0 if report.ready else 1)  # threads of the model's library must not hold the end up


if __name__ == "__main__":
    sys.exit(main())
