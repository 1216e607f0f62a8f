"""YAML with the exact place of every value: documents, anchors and merge keys, faults as values, nothing executed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from shipwheel.lint.dockerfile.instructions import Fault
from shipwheel.lint.files.subjects import Node
from shipwheel.lint.source import Source, Span

MAX_DEPTH = 200
"""How deep collections may stand in each other; people's files stay below 30."""
MAX_NODES = 200_000
"""How many values a file may have; what stands behind is not read."""

_SURROGATES = re.compile("[\ud800-\udfff]")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?")
_CONSTANTS = {"": None, "~": None, "null": None, "Null": None, "NULL": None} | {
    word: value for value in (True, False) for word in (str(value), str(value).lower(), str(value).upper())
}
_HELM = re.compile(r"\{\{-?[ \t]*(?:\.(?:Values|Chart|Release|Capabilities|Files|Template)\b|include\b|template\b|toYaml\b)")
_BRACES = re.compile(r"(?<!\$)\{[{%]")
"""What Helm, Jinja and Go templates have and YAML seldom; `${{ }}` is GitHub's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """The documents of a file up to its first fault. `faults`: what no reader of YAML takes, and keys that stand twice.

    `template`: it is text for Helm or Jinja, YAML only once it is rendered; then there are no documents and no faults.
    """

    roots: tuple[Node, ...] = ()
    faults: tuple[Fault, ...] = ()
    template: bool = False


@lru_cache(maxsize=32)
def read_yaml(source: Source) -> Documents:
    """The documents of a file; never raises, whatever the text."""
    if _HELM.search(source.text):
        return Documents(template=True)
    builder = _Builder(shift=1 if source.text.startswith("\ufeff") else 0)
    fault = _feed(builder, source.text)
    if fault and _BRACES.search(source.text):
        return Documents(template=True)
    faults = (*builder.faults, *([fault] if fault else []))
    return Documents(roots=tuple(builder.roots), faults=tuple(sorted(faults, key=lambda one: one.span)))


def walk(node: Node) -> Iterator[Node]:
    """A value and everything below it, each once, however often an alias names it."""
    seen: set[int] = set()
    stack = [node]
    while stack:
        one = stack.pop()
        if isinstance(one.value, dict | list):
            if id(one.value) in seen:
                continue
            seen.add(id(one.value))
            inner = one.value.values() if isinstance(one.value, dict) else one.value
            stack.extend(reversed(tuple(inner)))
        yield one


def items(node: Node | None) -> tuple[Node, ...]:
    """The items of a list; none for anything else."""
    return tuple(node.value) if node and isinstance(node.value, list) else ()


def pairs(node: Node | None) -> tuple[tuple[str, Node], ...]:
    """Keys and values of a mapping; none for anything else."""
    return tuple(node.value.items()) if node and isinstance(node.value, dict) else ()


def _feed(builder: _Builder, text: str) -> Fault | None:
    """Build the documents of a text; the fault that ends them early."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    readable = _SURROGATES.sub("\ufffd", text[builder.shift :])
    try:
        for event in yaml.parse(readable, Loader=loader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = min(mark.index + builder.shift if mark else 0, max(len(text) - 1, 0))
        tab = text[at : at + 1] == "\t" or "tab character" in (error.problem or "")
        message = (
            "a tab stands where YAML takes only spaces" if tab else f"this is no YAML: {error.problem or 'it ends too early'}"
        )
        return Fault(span=(at, min(at + 1, len(text))), message=message)
    except yaml.reader.ReaderError as error:
        at = min(error.position + builder.shift, max(len(text) - 1, 0))
        return Fault(span=(at, min(at + 1, len(text))), message="there is a control character, which YAML does not allow")
    except _TooMuchError as error:
        return Fault(span=(error.at, error.at), message=str(error))
    return None


class _TooMuchError(Exception):
    def __init__(self, what: str, at: int) -> None:
        super().__init__(what)
        self.at = at


@dataclass(slots=True, kw_only=True)
class _Open:
    """A collection whose end has not come."""

    value: dict[str, Node] | list[Node]
    start: int
    anchor: str | None
    flow: bool
    key_span: Span
    key: str | None = None
    """The key whose value comes next, in a mapping."""
    next_key_span: Span = (0, 0)
    last: int = 0
    merged: list[Node] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class _Builder:
    """Makes nodes of the events of a parser, without recursion."""

    shift: int
    roots: list[Node] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    stack: list[_Open] = field(default_factory=list)
    anchors: dict[str, Node] = field(default_factory=dict)
    count: int = 0

    def take(self, event: Any) -> None:
        """The next event."""
        kind = type(event).__name__
        start, end = event.start_mark.index + self.shift, event.end_mark.index + self.shift
        if kind == "DocumentStartEvent":
            self.anchors.clear()
        elif kind in ("MappingStartEvent", "SequenceStartEvent"):
            self._open(event, {} if kind == "MappingStartEvent" else [], start)
        elif kind in ("MappingEndEvent", "SequenceEndEvent"):
            self._close(end)
        elif kind == "ScalarEvent":
            plain = event.style in (None, "") and event.tag is None
            value = _scalar(event.value) if plain else event.value
            key_span = self._key_span or (start, end)
            self._place(Node(value=value, raw=event.value, span=(start, end), key_span=key_span), event.anchor)
        elif kind == "AliasEvent":
            target = self.anchors.get(event.anchor)
            if target is None:
                self.faults.append(Fault(span=(start, end), message=f"there is no anchor &{event.anchor} before this"))
            key_span = self._key_span or (start, end)
            empty = Node(value=None, span=(start, end), key_span=key_span)
            self._place(replace(target, span=(start, end), key_span=key_span) if target else empty, None)

    @property
    def _key_span(self) -> Span | None:
        """Of the key whose value comes next."""
        parent = self.stack[-1] if self.stack else None
        return parent.next_key_span if parent and parent.key is not None else None

    def _open(self, event: Any, value: dict[str, Node] | list[Node], start: int) -> None:
        if len(self.stack) >= MAX_DEPTH:
            raise _TooMuchError(f"values stand more than {MAX_DEPTH} deep in each other", start)
        key_span = self._key_span or (start, start + 1)
        opened = _Open(
            value=value, start=start, anchor=event.anchor, flow=bool(event.flow_style), key_span=key_span, last=start
        )
        self.stack.append(opened)

    def _close(self, end: int) -> None:
        done = self.stack.pop()
        if isinstance(done.value, dict):
            for merged in done.merged:
                for key, node in pairs(merged):
                    done.value.setdefault(key, node)
        node = Node(
            value=done.value, span=(done.start, end if done.flow else max(done.last, done.start)), key_span=done.key_span
        )
        self._place(node, done.anchor)

    def _place(self, node: Node, anchor: str | None) -> None:
        """Put a finished value where it belongs."""
        self.count += 1
        if self.count > MAX_NODES:
            raise _TooMuchError(f"there are more than {MAX_NODES:,} values", node.span[0])
        if anchor:
            self.anchors[anchor] = node
        if not self.stack:
            self.roots.append(node)
            return
        parent = self.stack[-1]
        parent.last = max(parent.last, node.span[1])
        if isinstance(parent.value, list):
            parent.value.append(node)
        elif parent.key is None:
            parent.key = node.raw if not isinstance(node.value, dict | list) else f"\0{node.span[0]}"
            parent.next_key_span = node.span
        else:
            self._pair(parent, parent.value, node)

    def _pair(self, parent: _Open, mapping: dict[str, Node], node: Node) -> None:
        key, parent.key = parent.key or "", None
        if key == "<<":
            parent.merged.extend(node.value if isinstance(node.value, list) else [node])
            return
        if key in mapping:
            self.faults.append(
                Fault(span=parent.next_key_span, message=f"the key {key} stands twice; only the last one counts")
            )
        mapping[key] = node


def _scalar(text: str) -> str | int | float | bool | None:
    """A plain scalar by YAML's core schema, which Compose uses."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if len(text) > 40:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
