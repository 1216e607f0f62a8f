"""What services of compose files, and containers of pods, are told to run."""

from __future__ import annotations

from collections.abc import Iterator

from shipwheel.lint.files.compose import environment, filled, words_of
from shipwheel.lint.files.subjects import Compose, Manifest, Node
from shipwheel.lint.serving.start import Start, start_of_words
from shipwheel.lint.word import Word


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
