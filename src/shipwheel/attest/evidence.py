"""`Evidence`: what a build knows of its image beyond the image's own bytes; documents are made of it, at build or later."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from shipwheel import __version__
from shipwheel.layers.code import is_model
from shipwheel.lock import Lock, ModelFile, dump_lock, parse_lock
from shipwheel.oci.image import canonical_json
from shipwheel.project import Project, Settings
from shipwheel.project.revision import Revision

PARAMETERS = (
    "python",
    "base",
    "requirements",
    "groups",
    "extras",
    "system_packages",
    "command",
    "port",
    "user",
    "model",
    "shell",
)
"""The settings that decide what an image holds and runs; none of them is a place for a secret or a host's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """How an image came about.

    `about` are the project's annotations (`project.about`), `parameters` its settings and the build's options as JSON,
    `model` the files of its model, wherever the service gets them, `builder` the version of shipwheel that built.
    """

    name: str
    lock: Lock
    about: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    model: tuple[ModelFile, ...] = ()
    revision: Revision | None = None
    builder: str = __version__


def gather(
    project: Project, lock: Lock, revision: Revision | None, hash_file: Callable[[Path], str], options: Mapping[str, Any]
) -> Evidence:
    """The evidence of building `project` with `lock` and the build's `options`."""
    model = lock.model or tuple(
        ModelFile(path=file.path, sha256=hash_file(file.source), size=file.size)
        for file in project.files
        if is_model(file, project) and not file.target
    )
    asked, default = {name: getattr(project.settings, name) for name in PARAMETERS}, Settings()
    settings = {name.replace("_", "-"): value for name, value in asked.items() if value != getattr(default, name)}
    return Evidence(
        name=project.name,
        lock=lock,
        about=project.about,
        parameters={"settings": settings, **options},
        model=model,
        revision=revision,
    )


def encode(evidence: Evidence) -> bytes:
    """As JSON."""
    return canonical_json({**asdict(evidence), "lock": dump_lock(evidence.lock)})


def decode(data: bytes) -> Evidence:
    """What `encode` wrote.

    Raises:
        LockError: the lock in it is of a format that is not known.
        ValueError, TypeError, KeyError: it is something else.
    """
    value = json.loads(data)
    value["lock"] = parse_lock(value["lock"])
    value["model"] = tuple(ModelFile(**each) for each in value["model"])
    value["revision"] = Revision(**value["revision"]) if value["revision"] else None
    return Evidence(**value)
