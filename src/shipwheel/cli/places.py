"""The words for places that hold images: what `--to`, `save` and `copy` take."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shipwheel.cli.context import Context, local_name
from shipwheel.errors import UsageError
from shipwheel.oci.copy import Target
from shipwheel.oci.reference import Reference

if TYPE_CHECKING:
    from shipwheel.oci.image import Image, Index
    from shipwheel.oci.layout import OciLayout

ENGINES = ("docker", "podman")
ARCHIVES = ("oci-archive", "docker-archive")
KINDS = (*ENGINES, *ARCHIVES, "oci", "store")
"""What can stand before a colon; a text without any of them is an image of a registry."""

FORMS = "docker, podman, oci:DIR, oci-archive:FILE or docker-archive:FILE"
COPY_FORMS = "REGISTRY/REPO:TAG, store:NAME, docker:NAME, podman:NAME, oci:DIR[:NAME], oci-archive:FILE or docker-archive:FILE"

PUSHES = 8
"""Blobs on their way to a registry at a time: most are small, and wait for answers rather than for bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An image in a place, and what it is called there."""

    image: Image | Index
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an image goes: under which name, and how many blobs at a time."""

    target: Target
    name: str
    workers: int = 1


@contextmanager
def open_target(text: str, context: Context) -> Iterator[Target]:
    """The target that `text` names, open while it is needed.

    Raises:
        UsageError: no such kind of target, or its path is missing.
    """
    kind, _, path = text.partition(":")
    if kind in ENGINES and not path:
        from shipwheel.engines.docker import docker_engine

        with docker_engine(kind, context.env) as engine:
            yield engine.target()
    elif kind == "oci" and path:
        from shipwheel.oci.layout import OciLayout

        yield OciLayout(Path(path))
    elif kind in ARCHIVES and path:
        from shipwheel.oci.archive import DockerArchive, OciArchive

        yield (OciArchive if kind == "oci-archive" else DockerArchive)(Path(path))
    else:
        raise UsageError(f"'{text}' is no place for an image", hint=f"give {FORMS}")


def given_name(text: str) -> Reference:
    """A name that an image in a registry can be given.

    Raises:
        UsageError: no name, or a digest.
    """
    reference = Reference.parse(text)
    if reference.digest:
        raise UsageError(f"'{text}' is a digest, which no image can be given", hint="name a tag")
    return reference


@contextmanager
def open_source(text: str, context: Context) -> Iterator[Found]:
    """The image that `text` names, readable while it is needed.

    Raises:
        UsageError: no place, or no image of that name in it.
        StoreError, EngineError, NetworkError: it is not there.
    """
    kind, rest = _parse(text)
    if not kind:
        reference = Reference.parse(text)
        if not reference.registry and local_name(text) in context.store.names():
            hint = f"store:{text} is that of the local store, {reference.full} that of Docker Hub"
            raise UsageError(f"'{text}' could be two images", hint=hint)
        yield Found(image=context.repository(reference).resolve(reference.version), name=str(reference))
    elif kind == "store":
        yield Found(image=context.store.resolve(local_name(rest)), name=local_name(rest))
    elif kind == "oci":
        from shipwheel.oci.layout import OciLayout

        path, _, name = rest.partition(":")
        yield _in(OciLayout(Path(path)), name, text)
    else:
        with _scratch(context) as folder:
            yield _unpacked(kind, rest, context, folder)


@contextmanager
def open_place(text: str, context: Context, found: Found) -> Iterator[Place]:
    """The place that `text` names, for an image that was found elsewhere.

    Raises:
        UsageError: no place for images.
    """
    kind, rest = _parse(text)
    if not kind:
        reference = given_name(text)
        registry = context.repository(reference)
        registry.expect(reference.tag, found.image)
        yield Place(target=registry, name=reference.tag, workers=PUSHES)
    elif kind == "store":
        yield Place(target=context.store, name=local_name(rest))
    elif kind in ENGINES:
        with open_target(kind, context) as target:
            yield Place(target=target, name=rest)
    else:
        path, _, given = rest.partition(":")
        with open_target(f"{kind}:{path}", context) as target:
            yield Place(target=target, name=given or found.name)


def _parse(text: str) -> tuple[str, str]:
    """The kind of place and the rest; no kind: an image of a registry."""
    kind, colon, rest = text.partition(":")
    if colon and kind in KINDS:
        if not rest:
            raise UsageError(f"'{text}' names no image", hint=f"give {COPY_FORMS}")
        return kind, rest
    return "", text


@contextmanager
def _scratch(context: Context) -> Iterator[Path]:
    parent = context.home / "tmp"
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".partial-copy-", dir=parent) as folder:
        yield Path(folder)


def _unpacked(kind: str, rest: str, context: Context, folder: Path) -> Found:
    """An image of an archive, or of an engine, which hands out archives."""
    from shipwheel.oci.layout import OciLayout
    from shipwheel.oci.load import load

    path, _, name = rest.partition(":")
    file = Path(path)
    if kind in ENGINES:
        from shipwheel.engines.docker import docker_engine

        file, name = folder / "image.tar", ""
        with docker_engine(kind, context.env) as engine, file.open("wb") as stream:
            engine.save(rest, stream.write)
    layout = OciLayout(folder / "layout")
    load(file, layout, scratch=folder)
    return _in(layout, name, f"{kind}:{rest}")


def _in(layout: OciLayout, name: str, text: str) -> Found:
    """The image `name` of a layout, or its only one."""
    names = layout.names()
    if not names:
        raise UsageError(f"{text} holds no image", hint="name the folder or archive of an image")
    if not name and len(names) > 1:
        raise UsageError(f"{text} holds {len(names)} images", hint=f"add which: {text}:NAME, of {', '.join(names)}")
    wanted = name or names[0]
    return Found(image=layout.resolve(wanted), name=wanted)
