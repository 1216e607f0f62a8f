"""`make bench-serve`: our runtime beside FastAPI, LitServe, MLServer, BentoML and others, on this machine, now.

Needs wrk and a package index. Each has an environment of its own, the same model file, one process where it can, and numeric
libraries with one thread; they take turns, round by round. CPU time is that of all processes of a server, so that one that
spreads its work over several is not taken for a fast one. What is compared is told in docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from measure import CommandError, log, run
from serving.contenders import ALL, CONNECTIONS, NEEDS, OURS, SERVERS, Contender
from serving.load import Measured, Question, UnfitError, first_answer, free_port, server, wrk
from serving.places import ROOT, environment, versions
from serving.tables import TITLES, Result, tables

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
QUIET = {"BENTOML_DO_NOT_TRACK": "True", "DO_NOT_TRACK": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """How long, and where."""

    work: Path
    warm: float
    seconds: float
    rounds: int

    def data(self, scenario: str) -> Path:
        """The folder of a scenario's model and requests."""
        return self.work / "data" / scenario


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--only", action="append", metavar="NAME", help=f"{', '.join(TITLES)}, or a part of a server's name")
    parser.add_argument("--quick", action="store_true", help="one round of three seconds")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="rounds, default 3")
    parser.add_argument("--seconds", type=float, default=8, metavar="S", help="of load a round, default 8")
    parser.add_argument("--json", type=Path, metavar="FILE", help="every single measurement")
    parser.add_argument(
        "--work", type=Path, default=ROOT / ".work" / "bench-serve", metavar="DIR", help="environments and models"
    )
    chosen = parser.parse_args()
    if not shutil.which("wrk"):
        raise SystemExit("bench-serve needs wrk (apt-get install wrk)")
    quick = chosen.quick
    bench = Bench(
        work=chosen.work.resolve(),
        warm=1 if quick else 2,
        seconds=3 if quick else chosen.seconds,
        rounds=1 if quick else chosen.rounds,
    )
    results = [Result(contender=each) for each in ALL if _wanted(each, chosen.only)]
    if not results:
        parser.error("--only names none of the servers")
    installed = prepare(bench, results)
    machine = _machine()
    for number in range(bench.rounds):
        for result in results:
            _turn(bench, result, number)
    if chosen.json:
        chosen.json.write_text(json.dumps(_plain(results, machine, installed), indent=1))
    print(machine, "", *(_line(*each) for each in installed.items()), "", tables(results, CONNECTIONS), sep="\n")


def _wanted(contender: Contender, only: Sequence[str] | None) -> bool:
    """Ours is always there, to compare with."""
    if not only:
        return True
    scenarios, names = [each for each in only if each in TITLES], [each.lower() for each in only if each not in TITLES]
    named = not names or contender.group == OURS or any(each in contender.name.lower() for each in names)
    return named and (not scenarios or contender.scenario in scenarios)


def prepare(bench: Bench, results: Sequence[Result]) -> dict[str, dict[str, str]]:
    """Environments, models and requests; the versions by environment."""
    installed: dict[str, dict[str, str]] = {}
    broken: dict[str, str] = {}
    needed = {result.contender.env: result for result in results}
    for scenario in dict.fromkeys(result.contender.scenario for result in results):
        needed.setdefault("shipwheel-torch" if scenario == "torch" else OURS, results[0])
    for name in needed:
        try:
            place = environment(bench.work, name, NEEDS[name], fresh=name.startswith(OURS))
            installed[name] = versions(place)
        except UnfitError as error:
            broken[name] = str(error)
    for result in results:
        result.unfit = broken.get(result.contender.env, "")
    for scenario in dict.fromkeys(result.contender.scenario for result in results):
        _inputs(bench, scenario)
    return installed


def _inputs(bench: Bench, scenario: str) -> None:
    place, data = bench.work / "envs" / ("shipwheel-torch" if scenario == "torch" else OURS), bench.data(scenario)
    shutil.rmtree(data, ignore_errors=True)
    try:
        run([place / "bin" / "python", ROOT / "benchmarks" / "serving" / "inputs.py", scenario, data])
    except CommandError as error:
        raise SystemExit(f"the models of {scenario} cannot be made: {error}") from None


def _turn(bench: Bench, result: Result, number: int) -> None:
    """One start, check, warm-up and measurement; a contender that fails once is out."""
    if result.unfit:
        return
    contender = result.contender
    try:
        measured = _measure(bench, contender)
    except UnfitError as error:
        result.unfit, result.runs = str(error), []
        log(f"{contender.scenario}: {contender.name}: {error}")
        return
    result.runs.append(measured)
    said = f"{measured.cpu_each:.0f} us CPU, {measured.rate:.0f}/s, p99 {measured.p99 / 1000:.1f} ms"
    log(f"{contender.scenario}, round {number + 1}: {contender.name}: {said}, load {os.getloadavg()[0]:.1f}")


def _measure(bench: Bench, contender: Contender) -> Measured:
    data, folder = bench.data(contender.scenario), bench.work / "run"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    ports = [free_port() for _ in range(3)]
    values = {
        "{bin}": f"{bench.work / 'envs' / contender.env / 'bin'}",
        "{servers}": f"{SERVERS}",
        "{data}": f"{data}",
        **{name: f"{port}" for name, port in zip(("{port}", "{port2}", "{port3}"), ports, strict=True)},
    }
    for name, text in contender.files.items():
        (folder / name).write_text(_filled(text, values))
    question = Question(
        path=contender.path,
        body=data / f"{contender.request}.body",
        headers=json.loads((data / f"{contender.request}.json").read_text()),
        answer=tuple(json.loads((data / "answers.json").read_text())),
    )
    env = {**_own_environment(), **ONE_THREAD, **QUIET, "BENCH_DATA": f"{data}", "PYTHONPATH": f"{SERVERS}"}
    with server([_filled(word, values) for word in contender.command.split()], folder, env) as pid:
        first_answer(pid, ports[0], question, folder / "server.log")
        wrk(ports[0], question, CONNECTIONS[contender.scenario], bench.warm, pid)
        measured = wrk(ports[0], question, CONNECTIONS[contender.scenario], bench.seconds, pid)
    if not measured.requests:
        raise UnfitError(f"not one answer within {bench.seconds:g} s")
    return measured


def _own_environment() -> dict[str, str]:
    """Ours without what would change a server's settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("SHIPWHEEL_", "PYTHON", "VIRTUAL_ENV"))}


def _filled(text: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(name, value)
    return text


def _machine() -> str:
    cpus = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    when, load = time.strftime("%Y-%m-%d"), os.getloadavg()[0]
    return f"{when}, {system}, {len(cpus)} x {cpus[0]}, Python {platform.python_version()}, load {load:.1f} before"


def _line(name: str, found: Mapping[str, str]) -> str:
    return f"- {name}: {', '.join(f'{package} {version}' for package, version in found.items())}"


def _plain(results: Sequence[Result], machine: str, installed: Mapping[str, Mapping[str, str]]) -> dict[str, object]:
    found = [
        {
            "scenario": each.contender.scenario,
            "server": each.contender.name,
            "unfit": each.unfit,
            "runs": list(map(asdict, each.runs)),
        }
        for each in results
    ]
    return {"machine": machine, "versions": installed, "results": found}


if __name__ == "__main__":
    main()
