"""CPU or GPU builds: which resolution is taken, and why (`choose_builds`).

uv resolves as it is configured. Only where that ends in builds of torch for GPUs, and nothing asks for a GPU, it resolves
again: with CPU builds of the configured places, then from PyTorch's index of them. So projects without torch cost nothing,
and a mirror or a folder of wheels comes before the public index.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from shipwheel.credentials import redact
from shipwheel.errors import NetworkError, ResolveError
from shipwheel.http import Client
from shipwheel.project.requirements import Requirements
from shipwheel.resolve import accelerator as rules
from shipwheel.resolve.accelerator import Kind, Package
from shipwheel.resolve.compile import COMPLETE, PLAIN, Tuning, requirers, resolution
from shipwheel.resolve.indexes import PYPI, torch_backend
from shipwheel.resolve.refusal import refuse_contradictions
from shipwheel.resolve.request import RUNTIME, WheelRequest
from shipwheel.resolve.select import Choice, choose, from_files
from shipwheel.resolve.urls import PYTORCH, offered
from shipwheel.runtime import NAME

PYTORCH_CPU = f"{PYTORCH}/cpu"
SETTING = "accelerator"
_NOBODY = "nothing asks for a GPU"
_SET = f"'{SETTING}' in the settings"
_GPU_BUILDS = re.compile(r"(?:cu\d+|rocm[\d.]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The files that were chosen, what the image is for, and `why`.

    `packages` are the same with those who need them, `asked` is whether it was a question at all.
    """

    choices: tuple[Choice, ...]
    kind: Kind
    why: str
    packages: tuple[Package, ...] = ()
    tuning: Tuning = PLAIN
    asked: bool = True

    def said(self, request: WheelRequest, sizes: Mapping[str, int]) -> Iterator[str]:
        """In lines for people, where there was something to decide; `sizes` are bytes by package."""
        decided = any(each.name in rules.TORCH or rules.sign_of(each.name, each.version) for each in self.choices)
        if not self.asked or not (decided or request.accelerator != "auto"):
            return
        where = "" if request.target.platform == request.host else f" for {request.target.platform}"
        yield f"  {SETTING:<13} {self.kind}{where}  ({self.why})"
        if self.why.startswith(_NOBODY):
            beside = [each for each in self.packages if each.sign and each.sign.role == "library"]
            size = sum(sizes.get(each.name, 0) for each in beside)
            if lines := list(rules.unwanted(beside, self.packages)):
                yield f"{'':<16}CUDA libraries of {_bytes(size)} come along: {'; '.join(lines)}"
            if self.kind != "cpu":
                yield f'{"":<16}set accelerator = "{self.kind}" where that is meant; with "cpu" it is an error'


def choose_builds(request: WheelRequest, client: Client, folder: Path) -> Outcome:
    """Resolve, and once more for the CPU where that is meant; `folder` is for files of ours.

    Raises:
        ResolveError: no versions fit, or they contradict the setting or each other: all of it at once, with who brings what.
        NetworkError: CPU builds are meant, and their index cannot be reached.
    """
    if request.requirements.kind == RUNTIME:
        return Outcome(choices=_attempt(request, folder, PLAIN), kind="cpu", why=_NOBODY, asked=False)
    outcome = _chosen(request, client, folder)
    packages = _packages(outcome.choices)
    if any(each.gpu for each in packages) or request.accelerator != "auto":
        packages = _owned(request, folder, outcome.choices, outcome.tuning)
    refuse_contradictions(packages, request.accelerator, request.target.platform.architecture)
    return replace(outcome, packages=packages)


def _attempt(request: WheelRequest, folder: Path, tuning: Tuning) -> tuple[Choice, ...]:
    """In a folder of its own: what an earlier attempt wrote there would be versions to prefer."""
    needs = request.requirements
    pylock, base = resolution(request, Path(tempfile.mkdtemp(dir=folder)), tuning)
    return choose(pylock, request.target, base, (frozenset(needs.extras), frozenset(needs.groups)))


def _packages(choices: Iterable[Choice]) -> tuple[Package, ...]:
    return tuple(Package(name=each.name, version=each.version) for each in choices)


def _owned(request: WheelRequest, folder: Path, choices: Sequence[Choice], tuning: Tuning) -> tuple[Package, ...]:
    """With those who need them."""
    pins = {each.name: each.version for each in choices if each.kind in ("wheel", "sdist") and each.name != NAME}
    known = requirers(request, Path(tempfile.mkdtemp(dir=folder)), tuning, pins)
    return tuple(replace(each, via=known.get(each.name, ())) for each in _packages(choices))


def _chosen(request: WheelRequest, client: Client, folder: Path) -> Outcome:
    plain, setting = _attempt(request, folder, PLAIN), request.accelerator
    kind = rules.kind_of(_packages(plain))
    settled = _complete(request.requirements) or any(each.purpose for each in _packages(plain))
    if setting in ("cuda", "rocm") or (setting == "cpu" and settled):
        return Outcome(choices=plain, kind=setting, why=_SET)
    if kind != "cpu" and setting == "auto" and (why := _asked(request, folder, plain)):
        return Outcome(choices=plain, kind=kind, why=why)
    if not rules.on_gpu(_packages(plain)) and not _contradictory(request, plain):
        return _for_cpu(request, plain, PLAIN)
    return _on_cpu(request, client, folder, plain)


def _contradictory(request: WheelRequest, choices: Sequence[Choice]) -> bool:
    return any(rules.contradictions(_packages(choices), request.target.platform.architecture))


def _on_cpu(request: WheelRequest, client: Client, folder: Path, plain: tuple[Choice, ...]) -> Outcome:
    """With CPU builds of torch; where none can be had and nobody insists, as it was."""
    trouble: ResolveError | NetworkError | None = None
    for tuning in _tunings(request, client, plain):
        try:
            choices = _attempt(request, folder, tuning)
        except ResolveError as error:
            trouble = _unreached(error, plain) or error
            continue
        if not rules.on_gpu(_packages(choices)) and not _contradictory(request, choices):
            return _for_cpu(request, choices, tuning)
    if trouble and (request.accelerator == "cpu" or _held_to_cpu(request)):
        lines = rules.unwanted(_owned(request, folder, plain, PLAIN))
        message = "\n".join([f"{trouble.message}; without such builds the image would hold", *(f"  {line}" for line in lines)])
        raise type(trouble)(message, hint=trouble.hint, **trouble.fields)
    said = trouble.message.splitlines()[0] if trouble else f"no CPU build fits what {_torch(plain)} goes with"
    return Outcome(choices=plain, kind=rules.kind_of(_packages(plain)), why=f"{_NOBODY}, but {said}")


def _for_cpu(request: WheelRequest, choices: tuple[Choice, ...], tuning: Tuning) -> Outcome:
    why = _SET if request.accelerator == "cpu" else _NOBODY
    return Outcome(choices=choices, kind="cpu", why=why, tuning=tuning)


def _tunings(request: WheelRequest, client: Client, plain: Sequence[Choice]) -> Iterator[Tuning]:
    """CPU builds of the configured places, of the locked or trained version if there are such; then PyTorch's own."""
    known = {**{each.name: each.version for each in _previous(request)}, **request.trained}
    found = {each.name: list(_cpu_versions(request, client, each.name)) for each in plain if each.name in rules.TORCH}
    held = {name: f"{known[name].partition('+')[0]}+cpu" for name in found if name in known}
    near = {name: [held[name]] if held.get(name) in builds else builds for name, builds in found.items()}
    for preferred in (near, found) if near != found else (near,):
        if any(preferred.values()):
            yield Tuning(prefer=tuple((name, version) for name, builds in preferred.items() for version in builds))
    yield Tuning(backend="cpu", prefer=tuple(held.items()))


def _cpu_versions(request: WheelRequest, client: Client, name: str) -> Iterator[str]:
    """Versions of CPU builds that fit the target; PyPI itself has no builds with local versions."""
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename
    from packaging.version import Version

    places = request.indexes if request.indexes.default != PYPI else replace(request.indexes, default="")
    files, versions = offered(name, places, client), set[Version]()
    for file in (each for each in files if "+cpu" in each.filename):
        try:
            versions.add(parse_wheel_filename(file.filename)[1])
        except InvalidWheelFilename:
            continue
    for version in sorted(versions):
        if from_files(name, str(version), files, request.target):
            yield str(version)


def _unreached(error: ResolveError, plain: Sequence[Choice]) -> NetworkError | None:
    """The failure to reach PyTorch's index, as a sentence about builds."""
    if PYTORCH_CPU not in error.message or "unsatisfiable" in error.message:
        return None
    return NetworkError(
        f"the index with CPU builds of {_torch(plain)} cannot be reached: {PYTORCH_CPU}",
        hint="name a mirror of it (UV_INDEX, [[tool.uv.index]]) or a folder with such wheels (UV_FIND_LINKS)",
        method="GET",
        url=PYTORCH_CPU,
    )


def _asked(request: WheelRequest, folder: Path, plain: Sequence[Choice]) -> str:
    """Why the image is for GPUs; empty where nothing asks for that."""
    needs = request.requirements
    if _complete(needs):
        holds = next((each for each in _packages(plain) if each.gpu and not rules.is_companion(each)), None)
        return f"{needs.files[0].name if needs.files else needs.kind} holds {holds}" if holds else ""
    if found := next(_written(request), ""):
        return found
    owned = _owned(request, folder, plain, PLAIN)
    if asking := rules.asking(owned):
        return f"{asking}{rules.brought(asking, {each.name: each for each in owned})}"
    before = _previous(request)
    torch = next((each for each in before if each.name in rules.TORCH), None)
    return f"as locked before: {torch}; 'shipwheel lock --upgrade torch' decides anew" if torch and rules.on_gpu(before) else ""


def _written(request: WheelRequest) -> Iterator[str]:
    """What the user wrote: a backend for uv, a version or an index of GPU builds."""
    backend = torch_backend(request.root, request.env)
    if re.search(rf"={_GPU_BUILDS.pattern}", backend):
        yield backend
    for url in (*request.indexes.pages, *request.indexes.find_links):
        if _GPU_BUILDS.fullmatch(redact(url).rstrip("/").rpartition("/")[2]):
            yield f"an index of such builds is configured, {redact(url)}"
    for name, text in _texts(request.requirements):
        if match := re.search(r"^[^#\n]*?([\w.-]+\s*={2,3}\s*[\w.]+\+(?:cu\d|rocm)[\w.]*)", text, re.MULTILINE):
            yield f"{name} names {match[1]}"


def _texts(needs: Requirements) -> Iterator[tuple[str, str]]:
    yield from ((path.name, path.read_text("utf-8", errors="replace")) for path in needs.files)
    yield needs.kind, "\n".join(needs.pinned)


def _complete(needs: Requirements) -> bool:
    """Whether every file is settled already: resolving again could only contradict it."""
    from shipwheel.resolve.pins import hash_pins

    return needs.kind in {*COMPLETE, "uv.lock", "pylock"} or bool(hash_pins(needs))


def _previous(request: WheelRequest) -> tuple[Package, ...]:
    """The last lock's packages, as far as torch and what belongs to it are not to move."""
    if request.previous is None or request.upgrade.all or rules.TORCH & request.upgrade.names:
        return ()
    return tuple(Package(name=each.name, version=each.version) for each in request.previous.wheels)


def _held_to_cpu(request: WheelRequest) -> bool:
    """Whether the last lock has CPU builds, which an index that is out of reach must not turn into others."""
    packages = _previous(request)
    return any(each.name in rules.TORCH for each in packages) and not rules.on_gpu(packages)


def _torch(choices: Sequence[Choice]) -> str:
    return next(str(each) for each in sorted(_packages(choices), key=lambda each: each.name) if each.name in rules.TORCH)


def _bytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.0f} MB"
