"""Wheels: which ones a project needs on a platform (`resolve_wheels`, by uv), and where they are now (`wheel_urls`)."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from shipwheel.credentials import redact
from shipwheel.errors import NetworkError, ResolveError
from shipwheel.http import Client, absent, file_path
from shipwheel.lock import Built, PlatformLock, Wheel
from shipwheel.oci.blob import Platform
from shipwheel.project.requirements import Requirements
from shipwheel.resolve.indexes import PYPI, Indexes, option_lines, urls_in
from shipwheel.resolve.select import CARRIED, Candidate, Choice, choose, from_files
from shipwheel.resolve.simple import IndexFile, linked_files, project_files
from shipwheel.resolve.target import Target
from shipwheel.resolve.uv import Uv, failure
from shipwheel.runtime import NAME, runtime_wheel

if TYPE_CHECKING:
    from packaging.pylock import Pylock

_CONNECTIONS = 16
RUNTIME = "runtime"
"""The kind of requirements that are the runtime's own."""

_COMPLETE = frozenset({"poetry.lock", "Pipfile.lock"})
"""Lines that name every package: nothing must be added to them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """Which packages may move: all, those named, or (by default) none that still satisfies the requirements."""

    all: bool = False
    names: frozenset[str] = frozenset()


STAY = Upgrade()
"""Nothing moves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelRequest:
    """What to resolve: a project's requirements for one interpreter and platform.

    `root` is the project's folder, `host` the platform that sources can be built on, `previous` the lock that the new one
    should stay near to, `env` the environment for uv (its settings, proxies, certificates, PATH). `extras` are those of the
    runtime, which is then added; None: it is not. `trained` are versions to prefer, because a model was trained with them,
    before those of `previous` if it was `retrained` since.
    """

    root: Path
    requirements: Requirements
    target: Target
    host: Platform
    indexes: Indexes
    env: Mapping[str, str] = field(repr=False)
    previous: PlatformLock | None = None
    upgrade: Upgrade = STAY
    extras: tuple[str, ...] | None = None
    trained: Mapping[str, str] = field(default_factory=dict)
    retrained: bool = True


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
        pylock, base = _pylock(request, Path(folder))
        choices = [_carried(choice, Path(folder)) for choice in choose(pylock, request.target, base, _wanted(request))]
    choices = list(_held_to_hashes(request, choices, client))
    _refuse_unbuildable(request, choices, client)
    return _measured(request, choices, client)


def _with_runtime(request: WheelRequest, wheels: tuple[Wheel, ...], built: tuple[Built, ...], client: Client) -> Resolved:
    """With the runtime and what it needs beside these, which stay as they are."""
    fixed = dict(_versions(wheels, built))
    extras = f"[{','.join(request.extras)}]" if request.extras else ""
    options = [_absolute(line, folder) for folder, line in option_lines(request.root, request.requirements)]
    needs = Requirements(
        kind=RUNTIME,
        pinned=(*options, f"{NAME}{extras}=={runtime_wheel().version}"),
        constraints=tuple(f"{name}=={version}" for name, version in fixed.items() if name != NAME),
    )
    more, more_built = _resolve(replace(request, requirements=needs, extras=None), client)
    known = {each.name for each in wheels} | {each.name for each in built}
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


def _wanted(request: WheelRequest) -> tuple[frozenset[str], frozenset[str]]:
    return frozenset(request.requirements.extras), frozenset(request.requirements.groups)


def _pylock(request: WheelRequest, folder: Path) -> tuple[Pylock, Path]:
    """The resolution in the format of PEP 751, and the folder that paths in it are relative to."""
    from packaging.pylock import Pylock, PylockValidationError

    kind, files = request.requirements.kind, request.requirements.files
    if kind in ("pylock", "uv.lock") and (request.upgrade.all or request.upgrade.names):
        command = "uv lock --upgrade" if kind == "uv.lock" else "the tool that wrote it"
        raise ResolveError(f"the versions stand in {files[0].name}, not in shipwheel.lock", hint=f"upgrade with {command}")
    if kind == "pylock":
        path, base = files[0], files[0].parent
    else:
        path, base = folder / "pylock.toml", folder
        (_export if kind == "uv.lock" else _compile)(request, path)
    try:
        return Pylock.from_dict(tomllib.loads(path.read_text("utf-8"))), base
    except (PylockValidationError, tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ResolveError(f"{path.name} cannot be used: {error}", hint="write it anew with the tool that made it") from None


def _uv(request: WheelRequest) -> Uv:
    return Uv(folder=request.root, env={**request.env, **request.indexes.environment()})


def _flags(flag: str, values: Iterable[str]) -> list[str]:
    return [each for value in values for each in (flag, value)]


def _export(request: WheelRequest, path: Path) -> None:
    """From uv.lock, as it is: `--frozen` neither checks nor changes it."""
    needs = request.requirements
    chosen = [*_flags("--extra", needs.extras), *_flags("--group", needs.groups)]
    fixed = ["--frozen", "--format", "pylock.toml", "--no-default-groups", "--no-editable", "--no-header", "--quiet"]
    done = _uv(request).run(["export", *fixed, *chosen, "--output-file", str(path), "--project", str(needs.files[0].parent)])
    if done.returncode:
        raise failure("uv.lock cannot be read", done.stderr)


def _compile(request: WheelRequest, path: Path) -> None:
    """Resolve with uv; an output file that is there already holds the versions to prefer."""
    needs = request.requirements
    _write_preferences(request, path)
    arguments = ["pip", "compile", *_sources(needs), "--format", "pylock.toml", "--output-file", str(path), "--quiet"]
    arguments += ["--no-header", "--python-version", request.target.python, "--python-platform", request.target.uv_platform]
    arguments += [*_flags("--extra", needs.extras), *_flags("--group", needs.groups)] if needs.kind == "pyproject" else []
    arguments += ["--no-deps"] if needs.kind in _COMPLETE else []
    settled = [str(_write_constraints(request, path.parent)), *request.env.get("UV_CONSTRAINT", "").split()]
    arguments += _flags("--constraint", settled)
    if request.upgrade.all:
        arguments += ["--refresh" if path.exists() else "--upgrade"]
    arguments += _flags("--upgrade-package", sorted(request.upgrade.names))
    stdin = "".join(f"{line}\n" for line in needs.pinned) if needs.pinned else ""
    done = _uv(request).run(arguments, stdin)
    if done.returncode:
        what = (
            f"the runtime, {NAME}, cannot be added to" if needs.kind == RUNTIME else "the requirements cannot be resolved for"
        )
        raise failure(f"{what} {request.target.platform}", done.stderr)


def _sources(needs: Requirements) -> list[str]:
    """The files to name: those that no other one includes; `-` for lines that come through stdin."""
    if needs.kind not in ("requirements", "pyproject"):
        return ["-"]
    if needs.kind == "pyproject":
        return [str(needs.files[0])]
    included: set[Path] = set()
    for path in needs.files:
        for match in re.finditer(
            r"^\s*-(?:[rc]|-requirement|-constraint)[\s=]*(\S+)", path.read_text("utf-8", "replace"), re.M
        ):
            included.add(Path(os.path.normpath(path.parent / match[1])))
    return [str(path) for path in needs.files if Path(os.path.normpath(path)) not in included or path == needs.files[0]]


def _write_constraints(request: WheelRequest, folder: Path) -> Path:
    """Versions that are settled, and the runtime's own wheel, for whoever asks for it: no index is asked for that name."""
    wheel = runtime_wheel().write(folder)
    path = folder / "constraints.txt"
    lines = (f"{NAME} @ {wheel.as_uri()}", *request.requirements.constraints)
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return path


def _write_preferences(request: WheelRequest, path: Path) -> None:
    """What should stay, for uv to find: versions of training, and of the last lock, where `--upgrade` does not move them all.

    A model is not moved from what it was trained with by an upgrade of everything; that takes the package's name.
    """
    previous = (
        {}
        if request.previous is None or request.upgrade.all
        else dict(_versions(request.previous.wheels, request.previous.built))
    )
    known = {**previous, **request.trained} if request.retrained else {**request.trained, **previous}
    pairs = {(name, text) for name, version in known.items() for text in (version, version.partition("+")[0])}
    packages = "".join(f'[[packages]]\nname = "{name}"\nversion = "{version}"\n' for name, version in sorted(pairs))
    if packages:
        path.write_text(f'lock-version = "1.0"\ncreated-by = "shipwheel"\n{packages}')


def _versions(wheels: Iterable[Wheel], built: Iterable[Built]) -> Iterator[tuple[str, str]]:
    yield from ((each.name, each.version) for each in wheels)
    yield from ((each.name, each.version) for each in built if each.kind == "sdist")


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
    offered = [each for each in _offered(choice.name, request.indexes, client) if each.sha256 in allowed]
    return from_files(choice.name, choice.version, offered, request.target)


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
    offered = _offered(choice.name, request.indexes, client)
    stem = f"-{choice.version}-"
    return any(
        each.filename.endswith(".whl") and stem in each.filename and "-none-any" not in each.filename for each in offered
    )


def _offered(name: str, indexes: Indexes, client: Client) -> list[IndexFile]:
    """All files that the configured places have for a project; the first index that knows it decides, as for uv."""
    found = [file for place in indexes.find_links for file in linked_files(place, client)]
    for index in indexes.pages:
        try:
            return [*found, *project_files(index, name, client)]
        except NetworkError as error:
            if not absent(error):
                raise
    return found


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


def wheel_urls(wheel: Wheel | Built, indexes: Indexes, client: Client) -> Iterator[str]:
    """Where a locked wheel or sdist may be, the most likely place first; indexes are only asked when the caller gets there.

    Raises:
        ResolveError: no configured place has the file.
        NetworkError: it may be on an index that cannot be reached.
    """
    given = set[str]()
    for url in (*_hinted(indexes, wheel.sha256), *_linked(wheel, indexes, client)):
        given.add(redact(url))
        yield url
    direct = [urls_in(path)[wheel.filename] for path in indexes.files if wheel.filename in urls_in(path)]
    if indexes.default == PYPI:
        yield from direct
    for url in _on_indexes(wheel, indexes, client):
        if redact(url) not in given:
            given.add(redact(url))
            yield url
    if indexes.default != PYPI:
        yield from direct
    if not given and not direct:
        places = ", ".join(redact(each) for each in (*indexes.find_links, *indexes.pages)) or "none is configured"
        raise ResolveError(
            f"{wheel.filename} is in none of the configured places: {places}",
            hint="configure the index that it was locked from, or run 'shipwheel lock' again",
        )


def _hinted(indexes: Indexes, sha256: str) -> list[str]:
    if not indexes.hints:
        return []
    try:
        return (indexes.hints / sha256).read_text("utf-8").split("\n")[:1]
    except (OSError, UnicodeDecodeError):
        return []


def remember_url(indexes: Indexes, file: Candidate) -> None:
    """Keep where a file was found, without credentials; nobody misses it if it cannot be kept."""
    if indexes.hints and file.sha256 and file.url:
        with contextlib.suppress(OSError):
            indexes.hints.mkdir(parents=True, exist_ok=True)
            fresh = indexes.hints / f".{file.sha256}-{os.getpid()}"
            fresh.write_text(redact(file.url), "utf-8")
            fresh.replace(indexes.hints / file.sha256)


def _linked(wheel: Wheel | Built, indexes: Indexes, client: Client) -> Iterator[str]:
    for place in indexes.find_links:
        folder = file_path(place)
        with contextlib.suppress(NetworkError, OSError):
            if folder and not folder.is_dir() and not folder.is_file():
                continue
            yield from (file.url for file in linked_files(place, client) if _is(file, wheel))


def _on_indexes(wheel: Wheel | Built, indexes: Indexes, client: Client) -> Iterator[str]:
    failed: NetworkError | None = None
    for index in indexes.pages:
        try:
            for file in project_files(index, wheel.name, client):
                if _is(file, wheel):
                    failed = None
                    yield file.url
        except NetworkError as error:
            if not absent(error):
                failed = error
    if failed:
        raise failed


def _is(file: IndexFile, wheel: Wheel | Built) -> bool:
    return file.sha256 == wheel.sha256 if file.sha256 else file.filename == wheel.filename
