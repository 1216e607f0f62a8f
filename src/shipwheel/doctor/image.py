"""An image, or what a lock says of one, against this machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from shipwheel.doctor.driver import Nvidia
from shipwheel.doctor.finding import Finding, error, note, ok, warning
from shipwheel.doctor.special import Jetson
from shipwheel.doctor.where import Where
from shipwheel.engines.spec import parse_size
from shipwheel.errors import UsageError
from shipwheel.gpu.compatibility import GpuNeeds, Host, Market, Verdict, check
from shipwheel.gpu.cuda import of_labels
from shipwheel.gpu.devices import find_device
from shipwheel.lock import Accelerator
from shipwheel.oci.blob import Platform
from shipwheel.plan import SHM_LABEL

_EMULATORS = {"arm64": "qemu-aarch64", "amd64": "qemu-x86_64"}
"""Names that Debian's qemu-user-static and tonistiigi/binfmt register; Rosetta registers its own on Apple's machines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is to run: `name` for people, its platforms, what it needs of a GPU, and bytes of /dev/shm (0: as engines give)."""

    name: str
    platforms: tuple[Platform, ...]
    accelerator: Accelerator | None = None
    shm: int = 0


def subject(name: str, platforms: Iterable[Platform], labels: Mapping[str, str]) -> Subject:
    """What an image's labels say that it needs."""
    return Subject(name=name, platforms=tuple(platforms), accelerator=of_labels(labels), shm=_size(labels.get(SHM_LABEL, "")))


def _size(text: str) -> int:
    try:
        return parse_size(text, SHM_LABEL) if text else 0
    except UsageError:  # a label of somebody else's
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulator:
    """What the kernel runs another processor's programs with: `fixed`: it is held open, so containers need not have it."""

    interpreter: str
    fixed: bool


def emulator(text: str) -> Emulator | None:
    """Of a file in /proc/sys/fs/binfmt_misc (kernel documentation, "binfmt_misc"); None where it is switched off."""
    lines = text.splitlines()
    if not lines or lines[0] != "enabled":
        return None
    fields = dict(line.replace(":", "").split(" ", 1) for line in lines[1:] if " " in line)
    return Emulator(interpreter=fields.get("interpreter", ""), fixed="F" in fields.get("flags", ""))


def read_emulator(where: Where, platform: Platform) -> Emulator | None:
    """For a platform that is not ours."""
    names = (_EMULATORS.get(platform.architecture, ""), "rosetta" if platform.architecture == "amd64" else "")
    found = (emulator(where.text(f"/proc/sys/fs/binfmt_misc/{name}")) for name in names if name)
    return next(filter(None, found), None)


def check_platform(subject: Subject, machine: Platform, emulators: Mapping[Platform, Emulator | None]) -> Iterator[Finding]:
    """That this processor runs it."""
    if machine in subject.platforms:
        yield ok("platform", f"{subject.name} is for {machine}")
        return
    names = ", ".join(map(str, subject.platforms)) or "no platform"
    found = next((each for platform in subject.platforms if (each := emulators.get(platform))), None)
    first = subject.platforms[0] if subject.platforms else machine
    if found and found.fixed:
        yield note(
            "platform", f"{subject.name} is for {names}: here it runs by emulation, many times slower", _rebuild(machine)
        )
    elif found:
        yield warning(
            "platform",
            f"{subject.name} is for {names}, and containers do not find {found.interpreter}, which emulates that",
            f"register it with the flag F: {_register(first)}",
        )
    else:
        yield error(
            "platform",
            f"{subject.name} is for {names}, and this machine is {machine}",
            f"{_rebuild(machine)}; or emulate: {_register(first)}",
        )


def _rebuild(machine: Platform) -> str:
    return f"lock and build it with --platform {machine}"


def _register(platform: Platform) -> str:
    return f"docker run --privileged --rm tonistiigi/binfmt --install {platform.architecture}"


def check_gpu(subject: Subject, found: Nvidia, jetson: Jetson, *, amd: bool) -> Iterator[Finding]:
    """Driver and architecture of every GPU against what it needs; `amd`: there is /dev/kfd."""
    accelerator = subject.accelerator
    if accelerator is None:
        yield ok("gpu", f"{subject.name} needs no GPU")
    elif accelerator.kind == "rocm":
        yield from _rocm(subject.name, accelerator, amd=amd)
    elif hosts := _hosts(found, jetson):
        yield from _cuda(subject.name, accelerator, hosts)
    else:
        at_least = f" and driver {accelerator.driver} or newer" if accelerator.driver else ""
        why = "the GPU here does not work, see 'driver'" if found.shows else "there is no GPU of NVIDIA here"
        yield error(
            "gpu",
            f"{subject.name} is made for GPUs (CUDA {accelerator.version}), and {why}: it uses the processor, if it can",
            f'use a machine with one{at_least}; or lock it with accelerator = "cpu"',
        )


def _hosts(found: Nvidia, jetson: Jetson) -> list[tuple[str, Host]]:
    if found.works:
        return [
            (
                f"GPU {each.index}, {each.name}",
                Host(architecture=each.architecture, driver=found.version, market=_market(each.name)),
            )
            for each in found.devices
        ]
    return [("its GPU", Host(architecture=jetson.architecture))] if jetson.architecture else []


def _market(name: str) -> Market:
    """For whom a GPU is made, by the name that the driver gives it; nothing for one that is not known."""
    with suppress(UsageError):
        return find_device(name).market
    return ""


def _cuda(name: str, accelerator: Accelerator, hosts: Sequence[tuple[str, Host]]) -> Iterator[Finding]:
    """Several GPUs alike get one line; one that runs it is enough, and the others are worth a warning."""
    verdicts: dict[tuple[Host, Verdict], list[str]] = {}
    for label, host in hosts:
        verdicts.setdefault((host, check(GpuNeeds.of(accelerator), host)), []).append(label)
    any_runs = any(verdict.ok for _, verdict in verdicts)
    for (_, verdict), labels in verdicts.items():
        where = "; ".join(labels)
        if not verdict.ok:
            say = warning if any_runs else error
            yield say("gpu", f"{name} does not run on {where}: {verdict.reason}", verdict.remedy)
        elif verdict.way == "jit":
            yield warning("gpu", f"{name} on {where}: {verdict.reason}", verdict.remedy)
        else:
            verb = "runs on" if verdict.way == "native" else "suits the driver of"
            yield ok("gpu", f"{name} {verb} {where}" + (f", {verdict.reason}" if verdict.reason else ""))


def _rocm(name: str, accelerator: Accelerator, *, amd: bool) -> Iterator[Finding]:
    if amd:
        yield ok("gpu", f"{name} needs ROCm {accelerator.version}, and there is a GPU of AMD")
    else:
        yield error(
            "gpu",
            f"{name} is made for GPUs of AMD (ROCm {accelerator.version}), and none is here: it uses the processor, if it can",
            'use a machine that has one; or lock it with accelerator = "cuda" or "cpu"',
        )


def check_shared_memory(subject: Subject, memory: int) -> Iterator[Finding]:
    """/dev/shm is memory: `memory` is this machine's, in bytes (0: not known)."""
    if not subject.shm:
        return
    if memory and subject.shm > memory:
        wanted, there = (f"{size / 2**30:.1f} GiB" for size in (subject.shm, memory))
        yield warning(
            "shared-memory",
            f"{subject.name} wants /dev/shm of {wanted}, and this machine has {there} of memory",
            "give it less: shipwheel run --shm-size",
        )
    else:
        yield ok("shared-memory", f"/dev/shm of {subject.shm / 2**30:.1f} GiB fits into memory")


def total_memory(meminfo: str) -> int:
    """Bytes, of /proc/meminfo (proc_meminfo(5)); 0 where it does not tell."""
    rows = (line.split() for line in meminfo.splitlines())
    return next((int(row[1]) * 1024 for row in rows if row[:1] == ["MemTotal:"]), 0)
