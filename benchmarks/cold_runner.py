"""A fresh machine pushes a CUDA image of 3 GB whose layers someone else has made: `make bench-cold`.

One home makes the image from its wheels and publishes the layers to an index in a registry on loopback. Then, several times,
an empty home pushes the same project from its lock, into a repository that is new to the registry. Everything that home
sends and receives goes through relays that count it: one in front of the registry, one as the proxy for all other hosts. The
digest must be the one that was made from the wheels.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from counting import CountingProxy
from engine import missing_tools, registry
from measure import Summary, log, run, watch
from projects import BIN, ROOT

NEEDED = 15 << 30
"""Bytes of free disk: 3 GB of wheels, as much of layers, as much in the registry, and room."""

REQUIREMENTS = "torch==2.7.1\n"
"""With its CUDA 12.6 libraries from PyPI, as everyone gets them who asks for torch."""

APP = 'import torch\n\nprint("torch", torch.__version__, "CUDA", torch.version.cuda)\n'

SETTINGS = """\
name = "cold"
python = "3.11"
platforms = ["linux/amd64"]
command = ["python", "app.py"]
layer-index = "{registry}/team/layers"
"""

GOAL_SECONDS, GOAL_BYTES = 5.0, 5_000_000
LOCAL_WHEELS = ("PIP_FIND_LINKS", "UV_FIND_LINKS")
"""Folders of wheels that would win over PyPI's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cold:
    """One push of an empty home: seconds, those of the processor, peak memory, and bytes by where they went."""

    seconds: float
    processor: float
    memory: int
    registry_sent: int
    registry_received: int
    others: int
    fetched: tuple[str, ...]
    digest: str

    @property
    def traffic(self) -> int:
        """All bytes, both ways."""
        return self.registry_sent + self.registry_received + self.others


def main() -> None:
    """Measure, print the table, and fail where the digest or a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--cache", type=Path, default=ROOT / ".work" / "bench-cold", help="wheels and layers stay here")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path, default=ROOT / ".work" / "bench-cold.json")
    flags = parser.parse_args()
    if lacking := missing_tools(["docker-registry"]):
        raise SystemExit(f"missing: {', '.join(lacking)}; tests/engines/install.sh installs it")
    flags.cache.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(flags.cache).free < NEEDED:
        raise SystemExit(f"{flags.cache} needs {NEEDED >> 30} GiB of free disk")
    with ExitStack() as stack:
        bench = Bench.open(stack, flags.cache.absolute())
        built = bench.publish()
        log(f"load before: {os.getloadavg()[0]:.1f}")
        colds = [bench.cold(number) for number in range(flags.runs)]
    _report(built, colds)
    flags.json.write_text(json.dumps({"built": built, "cold": [asdict(each) for each in colds]}, indent=2))
    if any(each.digest != built["digest"] for each in colds):
        raise SystemExit("the digest differs from the one made from the wheels")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The folder with everything, and the proxies that count: in front of the registry, and before all other hosts."""

    work: Path
    to_registry: CountingProxy
    to_others: CountingProxy

    @classmethod
    def open(cls, stack: ExitStack, work: Path) -> Bench:
        """Start the registry and the relays, for as long as `stack` lasts."""
        shutil.rmtree(work / "registry", ignore_errors=True)
        to_registry = stack.enter_context(CountingProxy(stack.enter_context(registry(work / "registry"))))
        return cls(work=work, to_registry=to_registry, to_others=stack.enter_context(CountingProxy()))

    @property
    def project(self) -> Path:
        """The folder with lock and code."""
        return self.work / "project"

    def publish(self) -> dict[str, object]:
        """Make the image from its wheels without an index, then publish its layers; what `build --json` says of it."""
        self.project.mkdir(exist_ok=True)
        for name, text in (("requirements.txt", REQUIREMENTS), ("app.py", APP)):
            (self.project / name).write_text(text)
        (self.project / "shipwheel.toml").write_text(SETTINGS.format(registry=self.to_registry.address))
        env = self._environment(self.work / "publisher")
        if not (self.project / "shipwheel.lock").exists():
            run([BIN / "shipwheel", "lock", self.project], env=env)
        log("making the image from its wheels (3 GB are downloaded the first time)")
        made = json.loads(run([BIN / "shipwheel", "build", "--json", "--no-layer-index", self.project], env=env))
        log("publishing its layers")
        run([BIN / "shipwheel", "build", self.project], env=env)
        return {"digest": made["digest"], "sizes": made["sizes"], "layers": len(made["layers"])}

    def cold(self, number: int) -> Cold:
        """Push from an empty home, counted."""
        home = self.work / "cold"
        shutil.rmtree(home, ignore_errors=True)
        proxy = f"http://{self.to_others.address}"
        env = {**self._environment(home), "HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, "NO_PROXY": "127.0.0.1"}
        before, worked = self._counted(), _processor()
        name = f"{self.to_registry.address}/team/app-{number}:1"
        ran = watch([BIN / "shipwheel", "push", "--json", self.project, name], env=env)
        after = self._counted()
        sent, received, others = (end - start for end, start in zip(after, before, strict=True))
        fetched = tuple(sorted(path.name for path in (home / "downloads").rglob("*") if path.is_file()))
        log(f"cold run {number}: {ran.seconds:.2f} s, {(sent + received + others) / 1e6:.2f} MB")
        return Cold(
            seconds=ran.seconds,
            processor=_processor() - worked,
            memory=ran.memory,
            registry_sent=sent,
            registry_received=received,
            others=others,
            fetched=fetched,
            digest=json.loads(ran.output)["digest"],
        )

    def _counted(self) -> tuple[int, int, int]:
        others = self.to_others
        return self.to_registry.sent, self.to_registry.received, others.sent + others.received

    def _environment(self, home: Path) -> Mapping[str, str]:
        kept = {key: value for key, value in os.environ.items() if key not in LOCAL_WHEELS}
        return {**kept, "SHIPWHEEL_HOME": str(home)}


def _processor() -> float:
    """Seconds that commands which have ended kept processors busy."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _report(built: Mapping[str, object], colds: list[Cold]) -> None:
    sizes = built["sizes"]
    assert isinstance(sizes, dict)
    seconds = Summary.of([each.seconds for each in colds])
    traffic = Summary.of([each.traffic for each in colds])
    last = colds[-1]
    rows = (
        ("image", f"{sizes['compressed'] / 1e9:.2f} GB compressed, {built['layers']} layers"),
        ("push of an empty home", f"{seconds.median:.2f} s ({seconds.low:.2f} to {seconds.high:.2f}, {seconds.runs} runs)"),
        ("... of the processor", f"{Summary.of([each.processor for each in colds]).median:.2f} s"),
        ("traffic", f"{traffic.median / 1e6:.2f} MB ({traffic.low / 1e6:.2f} to {traffic.high / 1e6:.2f})"),
        ("... to and from the registry", f"{last.registry_sent / 1e3:.0f} and {last.registry_received / 1e3:.0f} KB"),
        ("... with all other hosts", f"{last.others / 1e6:.2f} MB: {len(last.fetched)} packages of the interpreter"),
        ("peak memory", f"{last.memory / 1e6:.0f} MB"),
        ("digest", "that of the image made from the wheels" if last.digest == built["digest"] else "ANOTHER ONE"),
    )
    print("\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]))
    reached = seconds.median < GOAL_SECONDS and traffic.median < GOAL_BYTES
    print(f"\nunder {GOAL_SECONDS:.0f} s and {GOAL_BYTES / 1e6:.0f} MB: {'yes' if reached else 'NO'}", file=sys.stderr)


if __name__ == "__main__":
    main()
