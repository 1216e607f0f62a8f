"""The files beside Dockerfiles that rules look at."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from shipwheel.lint.dockerfile.instructions import Fault
from shipwheel.lint.packages.installs import Requested
from shipwheel.lint.shell.command import Command
from shipwheel.lint.shell.parse import parse_shell
from shipwheel.lint.source import Excerpt, Source, Span
from shipwheel.lint.workspace import Workspace


@dataclass(kw_only=True)
class IgnoreFile:
    """A .dockerignore or .containerignore; `patterns` are its lines that say something, with their spans."""

    source: Source
    workspace: Workspace
    patterns: tuple[tuple[str, Span], ...]


@dataclass(kw_only=True)
class RequirementsFile:
    """A requirements file of pip: packages, and option lines such as --extra-index-url. `compiled`: pip-compile or uv wrote it.

    `hashed`: there are --hash options. `includes` are the -r lines.
    """

    source: Source
    workspace: Workspace
    packages: tuple[Requested, ...]
    options: tuple[tuple[str, str, Span], ...]
    includes: tuple[tuple[str, Span], ...] = ()
    compiled: bool = False
    hashed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A value of YAML with its place: `value` is a dict of (key -> Node), a list of Nodes, or a str, int, float, bool or None.

    `key_span` is the place of the key that it stands behind; for a list's item that of its dash or first character.
    """

    value: Any
    span: Span
    key_span: Span
    raw: str = ""
    """A scalar as it is written, without quotes: a 3.10 stays "3.10"."""

    def get(self, *path: str | int) -> Node | None:
        """The node at a path of keys and list indexes; None where there is none or the shape is another."""
        node: Node | None = self
        for part in path:
            value = node.value if node else None
            if isinstance(value, dict) and isinstance(part, str):
                node = value.get(part)
            elif isinstance(value, list) and isinstance(part, int) and -len(value) <= part < len(value):
                node = value[part]
            else:
                return None
        return node

    @property
    def text(self) -> str:
        """A scalar as text, "" for others and for null."""
        return "" if self.value is None or isinstance(self.value, dict | list) else self.raw

    def text_at(self, *path: str) -> str:
        """The scalar at a path as text, "" for none."""
        found = self.get(*path)
        return found.text if found else ""


@dataclass(kw_only=True)
class Compose:
    """A compose file: `root` is the whole, `services` by name, merge keys and `extends` applied.

    `faults` are the reasons why it is no YAML, here and in the others of YAML.
    """

    source: Source
    workspace: Workspace
    root: Node
    services: dict[str, Node] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()


@dataclass(kw_only=True)
class Workload:
    """A pod specification of a manifest (Pod, Deployment, StatefulSet, Job, CronJob, DaemonSet, KServe's predictor ...)."""

    kind: str
    name: str
    document: Node
    pod: Node
    containers: tuple[Node, ...]


@dataclass(kw_only=True)
class Manifest:
    """A file of Kubernetes documents (many may stand in one)."""

    source: Source
    workspace: Workspace
    documents: tuple[Node, ...]
    workloads: tuple[Workload, ...]
    faults: tuple[Fault, ...] = ()


@dataclass(kw_only=True)
class Script:
    """Shell commands outside a Dockerfile: a script, steps of a CI workflow, code blocks of a document, recipes of a Makefile.

    `blocks` are the texts. `document`: what people are told to type.
    """

    source: Source
    workspace: Workspace
    kind: Literal["shell", "workflow", "document", "makefile"]
    blocks: tuple[Excerpt, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    """Constants that hold in every block: those of a Makefile."""

    @cached_property
    def commands(self) -> tuple[Command, ...]:
        """Of all blocks in order."""
        return tuple(command for block in self.blocks for command in parse_shell(block, self.variables))


@dataclass(kw_only=True)
class Workflow:
    """A CI workflow of GitHub or GitLab as YAML; its shell steps are also a `Script`."""

    source: Source
    workspace: Workspace
    root: Node
    faults: tuple[Fault, ...] = ()


@dataclass(kw_only=True)
class PythonFile:
    """A Python file that makes a service (imports fastapi, flask, starlette, litestar, aiohttp, gunicorn's config ...)."""

    source: Source
    workspace: Workspace
    tree: ast.Module

    def span(self, node: ast.AST) -> Span:
        """Where a node stands."""
        line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
        end_line, end_column = getattr(node, "end_lineno", line) or line, getattr(node, "end_col_offset", column) or column
        return self._offset(line, column), self._offset(end_line, end_column)

    def _offset(self, line: int, column: int) -> int:
        """`ast` counts columns in bytes of UTF-8."""
        if line > self.source.lines:
            return len(self.source.text)
        start, end = self.source.line_span(line)
        text = self.source.text[start:end]
        if text.isascii():
            return start + column
        return start + len(text.encode("utf-8", "surrogateescape")[:column].decode("utf-8", "replace"))
