"""The files beside Dockerfiles that rules look at."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from shipwheel.lint.installs import Requested
from shipwheel.lint.shell import Command
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
    """A value of YAML with its place. `value` is a dict of (key -> Node), a list of Nodes, or a scalar (str, int, float, bool, None).

    `key_span` is the place of the key that it stands behind; for a list's item that of its dash or first character.
    """

    value: Any
    span: Span
    key_span: Span

    def get(self, *path: str | int) -> Node | None:
        """The node at a path of keys and list indexes; None where there is none or the shape is another."""
        raise NotImplementedError

    @property
    def text(self) -> str:
        """A scalar as text, "" for others and for null."""
        raise NotImplementedError


@dataclass(kw_only=True)
class Compose:
    """A compose file: `root` is the whole, `services` by name, merge keys and `extends` within the file applied."""

    source: Source
    workspace: Workspace
    root: Node
    services: dict[str, Node] = field(default_factory=dict)


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


@dataclass(kw_only=True)
class Script:
    """Shell commands outside a Dockerfile: a shell script, the steps of a CI workflow, the code blocks of a document, a Makefile's recipes.

    `blocks` are the texts, each with its `commands` in `all_commands`. `documents`: what people are told to type.
    """

    source: Source
    workspace: Workspace
    kind: Literal["shell", "workflow", "document", "makefile"]
    blocks: tuple[Excerpt, ...]

    @cached_property
    def commands(self) -> tuple[Command, ...]:
        """Of all blocks in order."""
        raise NotImplementedError


@dataclass(kw_only=True)
class Workflow:
    """A CI workflow of GitHub or GitLab as YAML; its shell steps are also a `Script`."""

    source: Source
    workspace: Workspace
    root: Node


@dataclass(kw_only=True)
class PythonFile:
    """A Python file that makes a service (imports fastapi, flask, starlette, litestar, aiohttp, gunicorn's config ...)."""

    source: Source
    workspace: Workspace
    tree: ast.Module

    def span(self, node: ast.AST) -> Span:
        """Where a node stands, in characters of the source."""
        raise NotImplementedError
