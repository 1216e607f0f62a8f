"""Shell commands outside Dockerfiles: scripts, steps of CI, code blocks of documents, recipes of Makefiles."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Literal

from shipwheel.lint.files.documents import document_blocks
from shipwheel.lint.files.subjects import Node, Script, Workflow
from shipwheel.lint.files.yaml import items, pairs, read_yaml, walk
from shipwheel.lint.files.yaml_text import scalar_text
from shipwheel.lint.shell.command import SHELLS
from shipwheel.lint.source import Excerpt, Source
from shipwheel.lint.workspace import Workspace

ScriptKind = Literal["shell", "workflow", "document", "makefile"]

_SHEBANG = re.compile(r"\ufeff?#![ \t]*(?:/usr/bin/env[ \t]+(?:-\S+[ \t]+)*)?(\S+)")
_STEPS = frozenset({"run", "script", "bash", "before_script", "after_script", "command", "commands"})
"""Keys of GitHub, GitLab, Azure, CircleCI, CodeBuild and their kin below which commands stand."""
_EXPRESSION = re.compile(r"\$\{\{.*?\}\}|\$\[\[.*?\]\]", re.DOTALL)


def load_script(source: Source, workspace: Workspace, kind: ScriptKind) -> Script:
    """The blocks of shell commands in a file of that kind."""
    variables = _make_variables(source.text) if kind == "makefile" else {}
    blocks = tuple(block for block in _READERS[kind](source) if block.text.strip())
    return Script(source=source, workspace=workspace, kind=kind, blocks=blocks, variables=variables)


def load_workflow(source: Source, workspace: Workspace) -> Workflow | None:
    """A CI workflow; one that is no YAML has an empty root."""
    documents = read_yaml(source)
    if documents.template or not (documents.roots or documents.faults):
        return None
    root = documents.roots[-1] if documents.roots else Node(value={}, span=(0, 0), key_span=(0, 0))
    return Workflow(source=source, workspace=workspace, root=root, faults=documents.faults)


def _shell(source: Source) -> Iterator[Excerpt]:
    """The whole script; nothing of one for another interpreter."""
    shebang = _SHEBANG.match(source.text)
    if shebang is None or shebang[1].rpartition("/")[2] in SHELLS:
        start = 1 if source.text.startswith("\ufeff") else 0
        yield Excerpt.whole(source, (start, len(source.text)))


def _workflow(source: Source) -> Iterator[Excerpt]:
    """The commands of every step, those for PowerShell, Python and cmd left out."""
    for root in read_yaml(source).roots:
        for node in walk(root):
            if not _is_shell(node.get("shell")):
                continue
            for key, value in pairs(node):
                if key in _STEPS:
                    yield from (_unexpressed(scalar_text(source, one)) for one in items(value) or (value,) if one.text)


def _is_shell(shell: Node | None) -> bool:
    return shell is None or not shell.text or shell.text.split()[0].rpartition("/")[2] in SHELLS


def _unexpressed(excerpt: Excerpt) -> Excerpt:
    """`${{ expressions }}` as variables of the same length, which shells can read and nobody knows."""
    text = _EXPRESSION.sub(lambda found: "$" + "_" * (len(found.group()) - 1), excerpt.text)
    return Excerpt(excerpt.source, text, excerpt.pieces)


_RECIPE = re.compile(r"^\t[^\n]*(?:(?<=\\)\n[^\n]*)*\n?", re.MULTILINE)
_MAKE_VARIABLE = re.compile(
    r"^[ ]*(?:export[ ]+)?([\w.-]+)[ ]*(?:\?|::?|)=[ \t]*([^\n#]*?)[ \t]*(?:#[^\n]*)?\r?$", re.MULTILINE
)
_MAKE_REFERENCE = re.compile(r"\$\(([\w.-]+)\)")


def _makefile(source: Source) -> Iterator[Excerpt]:
    """Recipes, each a block: `@`, `-` and `+` before them taken off, `$$` is one, `$(NAME)` is as a shell writes it."""
    for recipe in _RECIPE.finditer(source.text):
        start, end = recipe.span()
        while start < end and source.text[start] in "\t @+-":
            start += 1
        doubled = [start + found.start() for found in re.finditer(r"\$\$", source.text[start:end])]
        begins = [start, *(at + 1 for at in doubled)]
        excerpt = Excerpt.joined(source, list(zip(begins, [*doubled, end], strict=True)))
        dollars = {begin - start - taken for taken, begin in enumerate(begins) if taken}
        yield Excerpt(source, _MAKE_REFERENCE.sub(partial(_as_shell, dollars), excerpt.text), excerpt.pieces)


def _as_shell(dollars: set[int], found: re.Match[str]) -> str:
    """A reference to a variable of make as the shell writes it; `dollars` are places of those that were written as `$$`."""
    return found.group() if found.start() in dollars else f"${{{found[1]}}}"


def _make_variables(text: str) -> Mapping[str, str]:
    """Variables of a Makefile that are set once, to text alone."""
    found = _MAKE_VARIABLE.findall(text)
    names = [name for name, _ in found]
    return {name: value for name, value in found if names.count(name) == 1 and "$" not in value}


_READERS: Mapping[ScriptKind, Callable[[Source], Iterator[Excerpt]]] = {
    "shell": _shell,
    "workflow": _workflow,
    "document": document_blocks,
    "makefile": _makefile,
}
