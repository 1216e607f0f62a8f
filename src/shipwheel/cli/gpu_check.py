"""`shipwheel gpu check`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from shipwheel.cli.context import Context, emit, local_name
from shipwheel.cli.gpu_subjects import as_device, find_libraries
from shipwheel.cli.workshop import this_machine
from shipwheel.errors import UsageError
from shipwheel.gpu.code import Library
from shipwheel.gpu.compatibility import Host, Verdict
from shipwheel.gpu.devices import Device, find_device
from shipwheel.gpu.judge import Judgement, judge
from shipwheel.gpu.tables import parse_version
from shipwheel.lock import Accelerator

_WAYS = {"native": "runs natively", "jit": "runs by PTX", "no": "does not run", "unknown": "no verdict"}
_SHOWN = 5
"""Libraries that are named for one device; --json has all."""


@click.command()
@click.argument("target", metavar="[DIR|NAME|WHEEL]", default=".")
@click.option(
    "--device",
    "devices",
    metavar="GPU",
    multiple=True,
    help="A GPU: T4, H100, 'RTX 4090', sm_89, 8.9. One is required, several may be given.",
)
@click.option(
    "--driver",
    metavar="VERSION",
    default="",
    help="The driver's version there, such as 535.104.05; otherwise it is taken for new enough.",
)
@click.option("--json", "as_json", is_flag=True, help="Print data: every library's verdict.")
@click.pass_obj
def command(context: Context, target: str, devices: tuple[str, ...], driver: str, as_json: bool) -> None:
    """Say whether a project's lock, an image of the store, a wheel or a library runs on these GPUs. Ends with 1 if not on one.

    It runs natively, or by PTX: that the driver compiles at the first start, which takes minutes, and a container forgets it. A
    GPU runs the whole if it runs every library, but for some with a special purpose. One that has nothing for it is named.
    What holds no code for GPUs gets no verdict, and the status 0.
    """
    if not devices:
        near = "" if Path(target).exists() else as_device(target)
        raise UsageError("Missing option '--device'", hint=near or "say which GPU, such as --device T4")
    found = [find_device(each) for each in devices]
    if driver and not parse_version(driver):
        raise UsageError(f"'{driver}' is no version of a driver", hint="give it as nvidia-smi prints it, 535.104.05")
    libraries, accelerator = find_libraries(context, target), _accelerator(context, target)
    judged = [
        (each, judge(accelerator, libraries, Host(architecture=each.architecture, driver=driver, market=each.market)))
        for each in found
    ]
    if as_json:
        emit(_data(accelerator, driver, judged))
    else:
        for device, judgement in judged:
            click.echo("\n".join(_lines(device, judgement, accelerator)))
        for library in libraries:
            if library.problem:
                context.say(f"{library.path} is not understood: {library.problem}", style="yellow")
    if not all(judgement.whole.ok for _, judgement in judged):
        raise click.exceptions.Exit(1)


def _accelerator(context: Context, target: str) -> Accelerator | None:
    """Which CUDA it needs, as its lock, its labels or its name say."""
    path = Path(target)
    if path.is_dir():
        return _of_project(path)
    if path.is_file():
        return _of_wheel(path)
    from shipwheel.gpu.cuda import of_labels
    from shipwheel.oci.image import images_of

    images = {each.platform: each for each in images_of(context.store.resolve(local_name(target)))}
    image = images.get(this_machine()) or next(iter(images.values()))
    return of_labels(json.loads(image.config.read()).get("config", {}).get("Labels") or {})


def _of_project(path: Path) -> Accelerator | None:
    from shipwheel.project import load_project
    from shipwheel.resolve.fingerprint import current_lock

    platforms = {each.platform: each for each in current_lock(load_project(path, needs_command=False)).platforms}
    return (platforms.get(this_machine()) or next(iter(platforms.values()))).accelerator


def _of_wheel(path: Path) -> Accelerator | None:
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    from shipwheel.gpu.cuda import needs_of

    try:
        name, version, _, _ = parse_wheel_filename(path.name)
    except InvalidWheelFilename:
        return None
    return needs_of([(name, str(version))], (), ())


def _lines(device: Device, judgement: Judgement, accelerator: Accelerator | None) -> Iterator[str]:
    """`L4, sm_89: runs natively`, below it the libraries that are why not, and what to do."""
    whole, names = judgement.whole, f"sm_{device.architecture}"
    called = names if device.name == names else f"{device.name}, {names}"
    if not judgement.libraries and accelerator is None:
        yield f"{called}: runs, and needs no GPU"
        return
    reason = f"{', ' if whole.way == 'native' else ': '}{whole.reason}" if whole.reason else ""
    yield f"{called}: {_WAYS[whole.way]}{reason}"
    yield from (_line(library, verdict) for library, verdict in judgement.exceptions[:_SHOWN])
    if more := len(judgement.exceptions[_SHOWN:]):
        yield f"  and {more} more"
    if whole.remedy:
        yield f"  -> {whole.remedy}"


def _line(library: Library, verdict: Verdict) -> str:
    name = library.path.rpartition("/")[2]
    owner = f" of {library.owner}" if library.owner else ""
    return f"  {name}{owner}: {verdict.reason if verdict.way == 'no' else 'by PTX'}"


def _data(accelerator: Accelerator | None, driver: str, judged: Sequence[tuple[Device, Judgement]]) -> dict[str, Any]:
    return {
        "cuda": accelerator.version if accelerator and accelerator.kind == "cuda" else "",
        "rocm": accelerator.version if accelerator and accelerator.kind == "rocm" else "",
        "driver": driver,
        "devices": [
            {
                "device": device.name,
                "architecture": device.architecture,
                **_verdict(judgement.whole),
                "libraries": [
                    {"package": library.owner, "path": library.path, **_verdict(verdict)}
                    for library, verdict in judgement.libraries
                ],
            }
            for device, judgement in judged
        ],
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {"ok": verdict.ok, "way": verdict.way, "reason": verdict.reason, "remedy": verdict.remedy}
