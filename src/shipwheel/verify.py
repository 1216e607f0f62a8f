"""`verify`: whether the model in an image gives the answers of training, asked in a container of it before it gets a name.

Only what an unchanged image needs is imported at the top: its verdict is remembered.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shipwheel.errors import ContainerError, EngineError, Problem, VerificationError
from shipwheel.oci.blob import Platform
from shipwheel.oci.image import Image, read_json

if TYPE_CHECKING:
    from shipwheel.engines.engine import Engine, State
    from shipwheel.engines.find import Surroundings

LABEL = "dev.shipwheel.serve"
"""On images whose command is the runtime: "1"."""

COMMAND = ("python", "-m", "shipwheel_serve", "check", "--json")
"""Loads the model, sends it the golden inputs as a request, prints one line of JSON, and exits 0 where it would be ready."""

KINDS = ("runc", "docker", "podman")
"""In the order in which they are asked: runc shares the unpacked layers with later builds, and needs no service."""

CHECK_WITHIN = 600.0
"""Seconds: as long as `run` waits for a service."""

POLL = 0.02
"""Seconds between looks at the container."""

SHOWN_LINES = 12
"""Of the log of a check that said no reason: a Python traceback's end."""

_ABSENT = "the model has no golden answers; that it loads is all that was seen"
_WARNED = "its golden answers differ (largest error {:.3g}), of which the settings only warn"
_UNCOMPARED = "its golden answers were not compared, as the settings say"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is known of the model in one platform's image.

    `state` is passed; or the model loads, but its golden answers are absent, failed (where the settings only warn) or off;
    or skipped: nothing was run, and `why` says the reason. `max_error` is the largest absolute error of a number in `rows`
    golden rows. `seconds` is what the check took, 0 where the verdict was remembered.
    """

    platform: str
    state: str
    why: str = ""
    rows: int = 0
    max_error: float = 0.0
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    def __str__(self) -> str:
        if self.state == "passed":
            return f"verified: {self.rows} golden {'row' if self.rows == 1 else 'rows'}, largest error {self.max_error:.3g}"
        known = {"absent": _ABSENT, "failed": _WARNED.format(self.max_error), "off": _UNCOMPARED}
        return f"not verified: {known.get(self.state, self.why)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """Where verdicts are kept and containers run; `say` is told before something is run, which takes seconds."""

    where: Surroundings
    machine: Platform
    say: Callable[[str], object]

    def verify(self, image: Image, name: str, delivery: str = "bake") -> Verdict:
        """The verdict on an image that serves a model and is to be called `name`.

        Raises:
            VerificationError: it would not become ready.
            IntegrityError: a layer is damaged.
        """
        notes = self.where.home / "verified" / f"{image.config.digest.hex}.json"
        known = _remembered(notes)
        if known:
            return known
        skipped = Verdict(platform=str(image.platform), state="skipped")
        if delivery != "bake":
            return replace(
                skipped, why=f'the model is not in the image (delivery = "{delivery}"): it is checked at every start'
            )
        if image.platform.architecture != self.machine.architecture:
            return replace(skipped, why=f"this machine is {self.machine}: it is checked at every start")
        self.say(f"checking the model of {name} in its image")
        started = time.monotonic()
        try:
            report = _ask(image, name, self.where)
        except VerificationError:
            raise
        except EngineError as error:
            return replace(skipped, why=f"it could not be run here: {error.message}")
        verdict = _verdict(image, report, time.monotonic() - started)
        _remember(notes, verdict)
        return verdict


def serves(image: Image) -> bool:
    """Whether the image's command is the runtime."""
    return labels(image).get(LABEL) == "1"


def labels(image: Image) -> Mapping[str, str]:
    """The labels in the image's config."""
    config = read_json(image.config)
    found: Mapping[str, str] = ((config.get("config") or {}) if isinstance(config, dict) else {}).get("Labels") or {}
    return found


def _remembered(path: Path) -> Verdict | None:
    with contextlib.suppress(OSError, ValueError, TypeError):
        known = json.loads(path.read_bytes())
        return Verdict(**{**known, "notes": tuple(known["notes"]), "seconds": 0.0})
    return None


def _remember(path: Path, verdict: Verdict) -> None:
    """A folder that cannot be written just forgets."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        fresh.write_text(json.dumps(asdict(verdict)))
        fresh.replace(path)


def _verdict(image: Image, report: Mapping[str, Any], seconds: float) -> Verdict:
    return Verdict(
        platform=str(image.platform),
        state=str(report.get("golden") or "off"),
        rows=int(report.get("rows") or 0),
        max_error=float(report.get("max_error") or 0.0),
        notes=tuple(map(str, report.get("notes") or ())),
        seconds=round(seconds, 3),
    )


def _ask(image: Image, name: str, where: Surroundings) -> Mapping[str, Any]:
    """The report of the first engine that can run the image.

    Raises:
        VerificationError: it is one of a model that would not be ready, or the check died.
        EngineError: no engine is here, or none could start it.
    """
    from shipwheel.engines.find import find_engine

    faults = []
    for kind in KINDS:
        try:
            with find_engine(kind, where) as engine:
                state, log = _run(image, engine)
        except ContainerError as error:
            raise _failed(name, [error.message]) from None
        except EngineError as error:
            faults.append(error.message.partition("\n")[0])
            continue
        return _judged(name, state, log)
    raise EngineError("; ".join(faults))


def _run(image: Image, engine: Engine) -> tuple[State, str]:
    """How the check ended and what it wrote, in a container without a network, which is removed with all that it left."""
    from shipwheel.engines.spec import RunSpec
    from shipwheel.oci.copy import copy

    tag = f"{image.config.digest.hex[:12]}-{secrets.token_hex(3)}"
    own = f"shipwheel-verify:{tag}"
    try:
        copy(image, engine.target(), own)
        spec = RunSpec(image=own, name=f"verify-{tag}", command=COMMAND, network="none", read_only=True)
        container = engine.run(spec)
        try:
            deadline = time.monotonic() + CHECK_WITHIN
            while (state := container.state()).running and time.monotonic() < deadline:
                time.sleep(POLL)
            return state, b"".join(container.logs()).decode(errors="replace")
        finally:
            container.remove()
    finally:
        with contextlib.suppress(EngineError):
            engine.forget(own)


def _judged(name: str, state: State, log: str) -> Mapping[str, Any]:
    from shipwheel.engines.death import died

    if state.running:
        raise _failed(name, [f"the check did not end within {CHECK_WITHIN:.0f} s"])
    report = _report(log)
    if report and report["state"] == "ready" and state.exit_code == 0:
        return report
    if report and report["state"] != "ready":
        raise _failed(name, [str(each) for each in report["reasons"]] or ["it gave no reason"])
    reason = died(state, log).fields["reason"]
    raise _failed(name, [f"the check died: {reason}", *(f"| {line}" for line in log.splitlines()[-SHOWN_LINES:])])


def _report(log: str) -> Mapping[str, Any] | None:
    """The last line that is one; the service's own log stands around it."""
    for line in reversed(log.splitlines()):
        if line.startswith("{"):
            with contextlib.suppress(ValueError):
                found = json.loads(line)
                if "state" in found and "reasons" in found:
                    return dict(found)
    return None


def _failed(name: str, reasons: list[str]) -> VerificationError:
    return VerificationError(
        f"{name} would never be ready, so it was not given its name",
        [Problem(message=reason) for reason in reasons],
        hint="mend what is named, or build it all the same with --no-verify",
    )
