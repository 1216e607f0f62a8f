"""`--to`: the words for places that take images."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shipwheel.cli.context import Context
from shipwheel.errors import UsageError
from shipwheel.oci.copy import Target

ENGINES = ("docker", "podman")
FORMS = "docker, podman, oci:DIR, oci-archive:FILE or docker-archive:FILE"


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
    elif kind in ("oci-archive", "docker-archive") and path:
        from shipwheel.oci.archive import DockerArchive, OciArchive

        yield (OciArchive if kind == "oci-archive" else DockerArchive)(Path(path))
    else:
        raise UsageError(f"'{text}' is no place for an image", hint=f"give {FORMS}")
