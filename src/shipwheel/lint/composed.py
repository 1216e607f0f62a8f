"""Which services of compose files are built from a Dockerfile, and what services and containers are told to run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from weakref import WeakKeyDictionary

from shipwheel.lint.composefile import environment, filled, words_of
from shipwheel.lint.dockerfile.stages import Dockerfile
from shipwheel.lint.serving import Start, start_of_words
from shipwheel.lint.source import Source
from shipwheel.lint.subjects import Compose, Manifest, Node
from shipwheel.lint.word import Word

_BUILT: WeakKeyDictionary[Source, tuple[tuple[str, Node], ...]] = WeakKeyDictionary()
"""Of each compose file the paths of the Dockerfiles that its services build; a workspace asks for them once a Dockerfile."""


def services_built(file: Dockerfile) -> Iterator[Node]:
    """The services of the workspace whose `build` is this Dockerfile."""
    wanted = str(file.source.path)
    for compose in file.context.workspace.all(Compose):
        if compose.source not in _BUILT:
            _BUILT[compose.source] = tuple(_built(compose))
        yield from (service for path, service in _BUILT[compose.source] if path == wanted)


def _built(compose: Compose) -> Iterator[tuple[str, Node]]:
    for service in compose.services.values():
        if build := service.get("build"):
            context, name = (build.get("context"), build.get("dockerfile")) if isinstance(build.value, dict) else (build, None)
            folder = compose.source.path.parent / filled(context.text if context else ".")
            yield os.path.normpath(folder / (filled(name.text) if name else "Dockerfile")), service


def started(subject: Compose | Manifest) -> Iterator[tuple[str, Node, Start]]:
    """What services and containers are told to run: the name, the service or container, and its start."""
    if isinstance(subject, Compose):
        told = [
            (name, service, (service.get("entrypoint"), service.get("command"))) for name, service in subject.services.items()
        ]
    else:
        containers = [container for workload in subject.workloads for container in workload.containers]
        told = [(_name(one), one, (one.get("command"), one.get("args"))) for one in containers]
    for name, node, commands in told:
        words = tuple(word for command in commands if command for word in _words(command))
        env = {variable: value.text for variable, value in environment(node)}
        if words and (start := start_of_words(words, env, words[0].span)):
            yield name, node, start


def _name(container: Node) -> str:
    name = container.get("name")
    return name.text if name else ""


def _words(node: Node) -> Iterator[Word]:
    """The words of a command; those of a text all stand where the text does."""
    if isinstance(node.value, list):
        yield from (Word(text=filled(item.text), span=item.span, known="$" not in filled(item.text)) for item in node.value)
    else:
        yield from (Word(text=filled(text), span=node.span, known="$" not in filled(text)) for text in words_of(node))
