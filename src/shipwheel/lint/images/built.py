"""Which images the linted files build: by the names that scripts, compose files and folders give them."""

from __future__ import annotations

from pathlib import Path
from posixpath import normpath
from typing import TYPE_CHECKING

from shipwheel.lint.dockerfile.stages import Dockerfile
from shipwheel.lint.files.compose import builds
from shipwheel.lint.files.subjects import Compose, Node, Script
from shipwheel.lint.images.names import parse_image
from shipwheel.lint.shell.docker import DockerCall, docker_call

if TYPE_CHECKING:
    from shipwheel.lint.workspace import Workspace


def dockerfiles_by_path(workspace: Workspace) -> dict[Path, Dockerfile]:
    """For `Workspace.once`."""
    return {Path(normpath(one.source.path)): one for one in workspace.all(Dockerfile)}


def _services(workspace: Workspace) -> dict[Path, list[Node]]:
    found: dict[Path, list[Node]] = {}
    for compose in workspace.all(Compose):
        for build in builds(compose):
            found.setdefault(build.dockerfile, []).append(build.service)
    return found


def services_built(dockerfile: Dockerfile) -> list[Node]:
    """The services of the linted compose files that are built from a Dockerfile."""
    return dockerfile.context.workspace.once(_services).get(Path(normpath(dockerfile.source.path)), [])


def dockerfile_of(compose: Compose, service: Node) -> Dockerfile | None:
    """What a service is built from, where that is linted too."""
    path = next((build.dockerfile for build in builds(compose) if build.service is service), None)
    return compose.workspace.once(dockerfiles_by_path).get(path) if path else None


def built_images(workspace: Workspace) -> dict[str, Dockerfile]:
    """Dockerfiles by the last part of the name of the image that they make; for `Workspace.once`."""
    found = {one.source.path.parent.name: one for one in workspace.all(Dockerfile) if one.source.path.name == "Dockerfile"}
    for compose in workspace.all(Compose):
        for name, service in compose.services.items():
            if dockerfile := dockerfile_of(compose, service):
                found[_last(service.text_at("image") or name)] = dockerfile
    for script in workspace.all(Script):
        for call in filter(None, map(docker_call, script.commands)):
            dockerfile = _called(script, call) if call.verb == ("build",) else None
            found |= {_last(tag): dockerfile for tag in call.values("-t", "--tag") if dockerfile}
    return found


def _called(script: Script, call: DockerCall) -> Dockerfile | None:
    """The Dockerfile that `docker build` reads, from the script's folder or the top."""
    workspace = script.workspace
    context = call.operands[0].text if call.operands else "."
    name = next(iter(call.values("-f", "--file")), "")
    for folder in (script.source.path.parent, workspace.root):
        found = workspace.once(dockerfiles_by_path).get(Path(normpath(folder / (name or f"{context}/Dockerfile"))))
        if found:
            return found
    return None


def _last(image: str) -> str:
    return parse_image(image).repository.rpartition("/")[2]
