"""`Reference`: the name of an image, `[HOST[:PORT]/]PATH[:TAG][@DIGEST]` (OCI distribution-spec, "Pulling manifests")."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from shipwheel.errors import IntegrityError, UsageError
from shipwheel.oci.blob import Digest

_PATH = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_HOST = re.compile(r"(?:\[[0-9a-fA-F:]+\]|[a-zA-Z0-9-]{1,63}(?:\.[a-zA-Z0-9-]{1,63})*)(?::[0-9]{1,5})?")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")

DOCKER_HUB = "docker.io"
"""The registry of names without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A parsed image name; `registry` is empty for a name without a host."""

    registry: str = ""
    repository: str
    tag: str = "latest"
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Parse an image name as users write it; the tag defaults to `latest`.

        Raises:
            UsageError: not a name that a registry would take; the hint gives the nearest that is.
        """
        scheme, mark, bare = text.partition("://")
        if mark:
            raise UsageError(f"'{text}' is not an image name", hint=f"without '{scheme}://': {bare}")
        rest, _, digest = text.partition("@")
        head, slash, tail = rest.partition("/")
        is_host = bool(slash) and ("." in head or ":" in head or head == "localhost")
        registry, rest = (head, tail) if is_host else ("", rest)
        if is_host and not _HOST.fullmatch(head):
            raise UsageError(
                f"'{text}' is not an image name", hint=f"'{head}' is not a host; for example localhost:5000/app:1.0"
            )
        repository, colon, tag = rest.partition(":")
        if not _PATH.fullmatch(repository) or (colon and not _TAG.fullmatch(tag)):
            parts = (re.sub(r"[^a-z0-9]+", "-", part).strip("-") for part in repository.lower().split("/"))
            near = "/".join(part for part in parts if part) or "app"
            raise UsageError(
                f"'{text}' is not an image name", hint=f"lower-case letters, digits and . _ - /: for example {near}:1.0"
            )
        try:
            pinned = Digest.parse(digest) if digest else None
        except IntegrityError as error:
            raise UsageError(f"'{text}' is not an image name: {error.message}", hint=error.hint) from error
        return cls(registry=registry, repository=repository, tag=tag or "latest", digest=pinned)

    @property
    def full(self) -> Reference:
        """With the registry that a name without one means: `app` is docker.io/library/app to every engine."""
        if self.registry not in ("", "index.docker.io", "registry-1.docker.io"):
            return self
        official = "/" not in self.repository
        return replace(self, registry=DOCKER_HUB, repository=f"library/{self.repository}" if official else self.repository)

    @property
    def origin(self) -> str:
        """HOST[:PORT]/PATH of its repository, as `Blob.origins` has it; meant for a `full` one."""
        return f"{self.registry}/{self.repository}"

    @property
    def version(self) -> str:
        """Its digest, else its tag: what a registry is asked for (distribution-spec, "reference")."""
        return str(self.digest) if self.digest else self.tag

    def __str__(self) -> str:
        name = f"{self.registry}/{self.repository}" if self.registry else self.repository
        return f"{name}@{self.digest}" if self.digest else f"{name}:{self.tag}"
