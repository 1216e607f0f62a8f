"""The model that the runtime serves, as a lock pins it (`lock_model`), and as a build finds it (`check_model`).

Only what an unchanged build needs is imported at the top.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from shipwheel.errors import Problem, ProjectError, ResolveError, StaleLockError
from shipwheel.lock import Lock, ModelFile
from shipwheel.project import Project, Served
from shipwheel.project.served import BUNDLE_FILE, FORMATS, Trained, delivery_of, parse_bundle
from shipwheel.runtime import NAME, runtime_wheel, sources

if TYPE_CHECKING:
    from shipwheel.http import Client

READABLE = ("http", "https", "file")
"""Sources that a lock can be made from without a copy of the model on this machine."""

_FORMAT_EXTRAS = {"skops": "skops", "safetensors": "safetensors", "onnx": "onnx"}
_SOURCE_EXTRAS = {"http": "remote", "https": "remote", "file": "remote", "s3": "s3", "gs": "gcs"}
_INSPECT_WITHIN = 120
"""Seconds for reading what a model file says of itself; a pickle of gigabytes takes some."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedModel:
    """A model and its files; `served` knows of its format and training what the files say."""

    served: Served
    files: tuple[ModelFile, ...]


def lock_model(project: Project, client: Client) -> LockedModel | None:
    """Pin what the project serves; None where it serves nothing.

    Raises:
        ProjectError: a bundle whose files are not those that it lists, or no copy to pin.
        ResolveError: there is no bundle at the source.
        NetworkError: the source cannot be read.
    """
    served = project.served
    if served is None or served.kind == "class":
        return LockedModel(served=served, files=()) if served else None
    source = (project.settings.serve.source if project.settings.serve else None) or ""
    if served.files:
        files = tuple(_pin(project, served, name) for name in served.files)
        if served.kind == "bundle":
            return LockedModel(served=served, files=files)
        renamed = replace(files[0], path=file_of(source) or files[0].path)
        return LockedModel(served=_inspected(served, project.root / served.model), files=(renamed,))
    if urlsplit(source).scheme not in READABLE:
        raise ProjectError(
            f"the model {served.model} is not here, and its hashes cannot be read from {source or 'a mount'}",
            hint="put a copy there to lock with (of a bundle, bundle.json is enough); builds do without",
        )
    return _remote_file(served, source, client) if served.kind == "file" else _remote_bundle(served, source, client)


def file_of(source: str) -> str:
    """The name of the model file at this address; empty where it is of a folder."""
    name = unquote(urlsplit(source).path.rpartition("/")[2])
    return name if Path(name).suffix in FORMATS else ""


def folder_of(source: str) -> str:
    """The address of the folder that the model's files lie in."""
    base, mark, query = source.partition("?")
    return (base.rpartition("/")[0] if file_of(source) else base.rstrip("/")) + mark + query


def _pin(project: Project, served: Served, name: str) -> ModelFile:
    """One file as it is here; a bundle.json vouches for those that are not, where the build does without them."""
    path = project.root / served.path(name)
    if not path.is_file():
        sha256, size = served.listed[name]
        return ModelFile(path=name, sha256=sha256, size=size)
    with path.open("rb") as stream:
        found = ModelFile(path=name, sha256=hashlib.file_digest(stream, "sha256").hexdigest(), size=path.stat().st_size)
    if served.listed.get(name, (found.sha256, found.size)) != (found.sha256, found.size):
        problem = Problem(file=served.path(name), message=f"its sha256 is {found.sha256}")
        raise ProjectError(f"{served.path(BUNDLE_FILE)} lists other files than lie beside it", [problem], hint="save it again")
    return found


def _remote_bundle(served: Served, source: str, client: Client) -> LockedModel:
    base, mark, query = folder_of(source).partition("?")
    data = client.get(f"{base}/{quote(BUNDLE_FILE)}{mark}{query}")
    found = parse_bundle(data, served.model)
    if found is None:
        raise ResolveError(f"the {BUNDLE_FILE} at {source} is not that of a bundle", hint="upload the whole bundle there")
    own = ModelFile(path=BUNDLE_FILE, sha256=hashlib.sha256(data).hexdigest(), size=len(data))
    rest = (ModelFile(path=name, sha256=sha256, size=size) for name, (sha256, size) in sorted(found.listed.items()))
    return LockedModel(served=found, files=(own, *rest))


def _remote_file(served: Served, source: str, client: Client) -> LockedModel:
    name = file_of(source) or Path(served.model).name
    base, mark, query = folder_of(source).partition("?")
    with tempfile.TemporaryDirectory(prefix="shipwheel-model-") as folder:
        path = Path(folder, name)
        with path.open("wb") as stream:
            client.download(f"{base}/{quote(name)}{mark}{query}", stream.write)
        with path.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        file = ModelFile(path=name, sha256=sha256, size=path.stat().st_size)
        return LockedModel(served=_inspected(served, path), files=(file,))


def _inspected(served: Served, path: Path) -> Served:
    """With what the file says of its library; the runtime's own reader executes nothing of it, in a process of its own."""
    told: Mapping[str, Any] = {}
    with suppress(OSError, ValueError, subprocess.TimeoutExpired):
        command = [sys.executable, "-I", str(sources() / "shipwheel_serve" / "pickles.py"), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_INSPECT_WITHIN)
        told = json.loads(done.stdout)
    versions = {str(name): str(version) for name, version in told.get("versions", {}).items()}
    return replace(
        served,
        format=str(told.get("format") or served.format),
        library=str(told.get("library") or served.library),
        trained=Trained(packages=versions),
    )


def runtime_extras(project: Project, served: Served) -> tuple[str, ...]:
    """The extras of the runtime that this model needs: for its format, and for how it comes to the service."""
    found = {_FORMAT_EXTRAS.get(served.format, ""), *delivery_extras(project)}
    return tuple(sorted(found - {""}))


def delivery_extras(project: Project) -> tuple[str, ...]:
    """Those for downloading it, which the settings alone decide."""
    source = project.settings.serve.source if project.settings.serve else None
    return (_SOURCE_EXTRAS[urlsplit(source).scheme],) if source else ()


def check_model(project: Project, lock: Lock, hash_file: Callable[[Path], str]) -> None:
    """That the runtime and the model's files are those that were locked; files that are not here pass where none is built in.

    Raises:
        StaleLockError: they are not.
    """
    carried = [wheel for each in lock.platforms for wheel in each.wheels if wheel.source == "shipwheel"]
    if carried and any(wheel.sha256 != runtime_wheel().sha256 for wheel in carried):
        raise StaleLockError(
            f"locked with another version of the runtime: {NAME} {carried[0].version}, sha256 {carried[0].sha256[:12]}; "
            f"this shipwheel has {runtime_wheel().version}, sha256 {runtime_wheel().sha256[:12]}",
            hint="run 'shipwheel lock'",
        )
    served = project.served
    if served is None or served.kind == "class":
        return
    changed = [
        served.path(each.path) for each in lock.model if _differs(project.root / served.path(each.path), each, hash_file)
    ]
    if delivery_of(project.settings) == "bake":
        pinned = {served.path(each.path) for each in lock.model}
        changed += sorted(pinned ^ served.paths - {*changed})
    if changed:
        problems = [Problem(file=name, message="is not as it was locked") for name in dict.fromkeys(changed)]
        raise StaleLockError("the model changed since it was locked", problems, hint="run 'shipwheel lock'")


def _differs(path: Path, pinned: ModelFile, hash_file: Callable[[Path], str]) -> bool:
    if not path.is_file():
        return False
    return path.stat().st_size != pinned.size or hash_file(path) != pinned.sha256
