"""/app/shipwheel.json: what the runtime is told about the project and its model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from typing import Any

from shipwheel.lock import ModelFile
from shipwheel.project import Project, Served, ServeSettings, parse_size
from shipwheel.project.served import BUNDLE_FILE, delivery_of
from shipwheel.resolve.model import folder_of

FORMAT = 1
"""Raised when an older runtime could no longer read the file right."""


def runtime_config(project: Project, served: Served, pinned: Sequence[ModelFile]) -> bytes:
    """The file: sorted JSON, without what the runtime takes by default; its keys are those of the runtime's own settings."""
    value = {**dict(_settings(project.settings.serve or ServeSettings())), **dict(_model(project, served, pinned))}
    return (json.dumps({**value, "format": FORMAT, "port": project.port}, indent=2, sort_keys=True) + "\n").encode()


def _settings(serve: ServeSettings) -> Iterator[tuple[str, Any]]:
    for item, (name, value) in zip(fields(ServeSettings), asdict(serve).items(), strict=True):
        default = item.default_factory() if callable(item.default_factory) else item.default
        if value != default:
            yield name, parse_size(value) if name == "max_payload_size" else value


def _model(project: Project, served: Served, pinned: Sequence[ModelFile]) -> Iterator[tuple[str, Any]]:
    """Which model, and the hash that vouches for it: that of its bundle.json, or of the model file."""
    yield "model", served.model
    vouching = [each.sha256 for each in pinned if each.path == BUNDLE_FILE or served.kind == "file"]
    if vouching:
        yield "sha256", vouching[0]
    if delivery_of(project.settings) == "bake":
        return
    yield "files", [asdict(each) for each in sorted(pinned, key=lambda each: each.path)]
    if project.settings.serve and project.settings.serve.source:
        yield "source", folder_of(project.settings.serve.source)
