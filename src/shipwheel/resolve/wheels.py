"""Wheels: which ones a project needs on a platform (`resolve_wheels`, by uv)."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from shipwheel.errors import NetworkError, ResolveError
from shipwheel.http import Client
from shipwheel.lock import Built, Wheel
from shipwheel.project.requirements import Requirements
from shipwheel.resolve.builds import choose_builds
from shipwheel.resolve.compile import versions
from shipwheel.resolve.glibc import NAME_IT, newer, remedy, wants
from shipwheel.resolve.indexes import option_lines
from shipwheel.resolve.request import RUNTIME, WheelRequest
from shipwheel.resolve.select import CARRIED, Candidate, Choice, from_files
from shipwheel.resolve.target import UV_NEWEST
from shipwheel.resolve.urls import offered, remember_url
from shipwheel.runtime import NAME, runtime_wheel

_CONNECTIONS = 16
_SAME: Mapping[str, frozenset[str]] = {
    "onnxruntime": frozenset({"onnxruntime-gpu", "onnxruntime-rocm", "onnxruntime-openvino"})
}
"""What the runtime needs, and other builds of it that a project may have: they hold the same files."""


def resolve_wheels(request: WheelRequest, client: Client) -> tuple[tuple[Wheel, ...], tuple[Built, ...]]:
    """The wheels that the requirements need there, and what has to be built from source for want of one; sorted by name.

    Raises:
        ResolveError: no versions fit together, no wheel fits and nothing can be built, a hash is not one of the pinned.
        NetworkError: an index that cannot be reached.
    """
    wheels, built = ((), ()) if request.requirements.kind == "none" else _resolve(request, client)
    if request.extras is not None:
        wheels, built = _with_runtime(request, wheels, built, client)
    return tuple(sorted(wheels, key=lambda each: each.name)), tuple(sorted(built, key=lambda each: each.name))


Resolved = tuple[tuple[Wheel, ...], tuple[Built, ...]]


def _resolve(request: WheelRequest, client: Client) -> Resolved:
    with tempfile.TemporaryDirectory(prefix="shipwheel-lock-") as folder:
        try:
            outcome = choose_builds(request, client, Path(folder))
        except ResolveError as error:
            raise _explained(error, request, client) from None
        choices = [_carried(choice, Path(folder)) for choice in outcome.choices]
    choices = list(_held_to_hashes(request, choices, client))
    _refuse_unbuildable(request, choices, client)
    wheels, built = _measured(request, choices, client)
    for line in outcome.said(request, {each.name: each.size for each in wheels}):
        request.say(line)
    return wheels, built


def _explained(error: ResolveError, request: WheelRequest, client: Client) -> ResolveError:
    """With the C library that the wheels want, where uv found some for other platforms only."""
    found, target = (
        re.match(r"Wheels are available for `([^`]+)` \(v([^)]+)\) on the following platform", error.hint),
        request.target,
    )
    if not found:
        return error
    try:
        files = [each.filename for each in offered(found[1], request.indexes, client) if _is_wheel(each.filename, found[2])]
    except (NetworkError, ResolveError):
        return error
    if needed := newer(files, target):
        line = wants(f"{found[1]} {found[2]}", needed, target)
        return ResolveError(f"{error.message}\n  {line}", hint=remedy(files, needed, target, chosen=True), **error.fields)
    if target.best((each, each) for each in files):
        return ResolveError(error.message, hint=f"{NAME_IT}: uv chooses none for more than glibc 2.{UV_NEWEST}", **error.fields)
    return error


def _is_wheel(filename: str, version: str) -> bool:
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    try:
        return str(parse_wheel_filename(filename)[1]) == version
    except InvalidWheelFilename:
        return False


def _with_runtime(request: WheelRequest, wheels: tuple[Wheel, ...], built: tuple[Built, ...], client: Client) -> Resolved:
    """With the runtime and what it needs beside these, which stay as they are."""
    fixed = dict(versions(wheels, built))
    extras = f"[{','.join(request.extras)}]" if request.extras else ""
    options = [_absolute(line, folder) for folder, line in option_lines(request.root, request.requirements)]
    needs = Requirements(
        kind=RUNTIME,
        pinned=(*options, f"{NAME}{extras}=={runtime_wheel().version}"),
        constraints=tuple(f"{name}=={version}" for name, version in fixed.items() if name != NAME),
    )
    more, more_built = _resolve(replace(request, requirements=needs, extras=None), client)
    known = {each.name for each in wheels} | {each.name for each in built}
    known |= {name for name, others in _SAME.items() if known & others}
    return (
        (*wheels, *(each for each in more if each.name not in known)),
        (*built, *(each for each in more_built if each.name not in known)),
    )


def _absolute(line: str, folder: Path) -> str:
    """An option line whose path, if it has one, means the same in another folder."""
    option, gap, value = re.match(r"(\S+?)([\s=]+|$)(.*)", line).groups()  # type: ignore[union-attr]
    return f"{option}{gap}{folder / value}" if value and (folder / value).exists() else line


def _carried(choice: Choice, folder: Path) -> Choice:
    """The runtime's wheel by its own hash and size: it is in no index, and no longer where uv found it."""
    if choice.name != NAME or not choice.file.url.startswith(folder.resolve().as_uri()):
        return choice
    wheel = runtime_wheel()
    file = Candidate(filename=wheel.filename, url=CARRIED, sha256=wheel.sha256, size=wheel.size)
    return replace(choice, kind="wheel", file=file)


def _held_to_hashes(request: WheelRequest, choices: Sequence[Choice], client: Client) -> tuple[Choice, ...]:
    """With every file's hash among those that the requirements allow, or another file of that version whose hash is."""
    from shipwheel.resolve.pins import hash_pins

    pins = hash_pins(request.requirements)
    if not pins:
        return tuple(choices)
    out, wrong = [], []
    for choice in choices:
        if choice.kind in ("git", "path") or choice.file.url == CARRIED:
            out.append(choice)
            continue
        allowed = pins.get(choice.name)
        if allowed is not None and choice.file.sha256 in allowed:
            out.append(choice)
        elif allowed and (other := _allowed(request, choice, allowed, client)):
            out.append(other)
        else:
            wrong.append(f"{choice.name} {choice.version}" + ("" if allowed is not None else " (no hash given)"))
    if wrong:
        raise ResolveError(
            f"no file for {request.target.platform} has a hash that the requirements allow: {', '.join(sorted(wrong))}",
            hint="compile the requirements again with hashes for every platform, for example uv pip compile --generate-hashes",
        )
    return tuple(out)


def _allowed(request: WheelRequest, choice: Choice, allowed: frozenset[str], client: Client) -> Choice | None:
    files = [each for each in offered(choice.name, request.indexes, client) if each.sha256 in allowed]
    return from_files(choice.name, choice.version, files, request.target)


def _refuse_unbuildable(request: WheelRequest, choices: Sequence[Choice], client: Client) -> None:
    """What can only be built on another machine is named, all of it at once.

    A package without any wheel may turn out pure, which is legal for every platform; the build decides that.
    """
    if request.target.platform == request.host:
        return
    sources = [each for each in choices if each.kind == "sdist"]
    stuck = [each for each in sources if each.native or _has_native_wheels(request, each, client)]
    if stuck:
        names = ", ".join(sorted(f"{each.name} {each.version}" for each in stuck))
        raise ResolveError(
            f"no wheel of {names} for {request.target.platform}, and it can only be built on such a machine",
            hint=f"choose a version that has one, or build on {request.target.platform}",
        )


def _has_native_wheels(request: WheelRequest, choice: Choice, client: Client) -> bool:
    files, stem = offered(choice.name, request.indexes, client), f"-{choice.version}-"
    return any(each.filename.endswith(".whl") and stem in each.filename and "-none-any" not in each.filename for each in files)


def _measured(request: WheelRequest, choices: Sequence[Choice], client: Client) -> tuple[tuple[Wheel, ...], tuple[Built, ...]]:
    """Sizes, and hashes where an index has none, are asked for in parallel; the last lock saves most of the questions."""
    known = {each.sha256: each.size for each in request.previous.wheels} if request.previous else {}

    def measure(choice: Choice) -> Choice:
        file = choice.file
        if choice.kind in ("git", "path") or (file.sha256 and file.size):
            return choice
        return replace(choice, file=_complete(file, known, client))

    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="measure") as pool:
        measured = list(pool.map(measure, choices))
    for choice in measured:
        if choice.kind in ("wheel", "sdist") and choice.file.url != CARRIED:
            remember_url(request.indexes, choice.file)
    wheels = tuple(each.as_wheel() for each in measured if each.kind == "wheel")
    return wheels, tuple(each.as_built(request.root) for each in measured if each.kind != "wheel")


def _complete(file: Candidate, known: Mapping[str, int], client: Client) -> Candidate:
    import hashlib

    if file.sha256 and file.sha256 in known:
        return replace(file, size=known[file.sha256])
    if file.sha256 and (size := client.size(file.url)):
        return replace(file, size=size)
    digest, size = hashlib.sha256(), 0
    with client.stream(file.url) as body:
        for chunk in body.chunks:
            digest.update(chunk)
            size += len(chunk)
    return replace(file, sha256=file.sha256 or digest.hexdigest(), size=size)
