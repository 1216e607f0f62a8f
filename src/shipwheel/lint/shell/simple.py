"""Reads one simple command from its node of the syntax tree."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shipwheel.lint.shell.command import Assignment, Command, Redirect
from shipwheel.lint.shell.words import fields_of, words_in
from shipwheel.lint.shell.wrappers import unwrapped
from shipwheel.lint.source import Excerpt
from shipwheel.lint.word import Word

if TYPE_CHECKING:
    from tree_sitter import Node

JOINS = frozenset(("&&", "||", "|", "|&", ";", "&", ";;", ";&", ";;&"))
REDIRECTS = frozenset(("file_redirect", "heredoc_redirect", "herestring_redirect"))
SIMPLE = frozenset(
    ("command", "declaration_command", "unset_command", "variable_assignment", "variable_assignments", "test_command")
)
BLOCKS = {
    "subshell": "subshell",
    "compound_statement": "group",
    "command_substitution": "substitution",
    "process_substitution": "substitution",
    "do_group": "",
    "while_statement": "while",
    "for_statement": "for",
    "c_style_for_statement": "for",
    "case_item": "case",
    "function_definition": "function",
    "negated_command": "negation",
    "else_clause": "else",
    "program": "",
    "list": "",
    "pipeline": "",
    "case_statement": "",
}
"""What each construct is called in Command.inside; "" for those that are only sequences."""

STATEMENTS = frozenset(BLOCKS) | SIMPLE | {"redirected_statement", "if_statement", "elif_clause", "ERROR"}
ASSIGNS = re.compile(r"([A-Za-z_]\w*)\+?=", re.ASCII)

_LONGEST = 20_000
"""Characters of a value that is followed; what is longer is made to blow up."""

_MOST = 20_000_000
"""Characters that variables may add to a text; then none is put in any more."""


@dataclass(slots=True)
class ShellText:
    """A text with what is known of its variables at the place that is read."""

    excerpt: Excerpt
    text: str
    variables: dict[str, str]
    spent: int = 0

    def learn(self, name: str, value: str | None) -> None:
        """A variable has this value from here on; None: one that is not known."""
        if value is None or len(value) > _LONGEST:
            self.variables.pop(name, None)
        else:
            self.variables[name] = value

    def assignment(self, start: int, end: int, name: str, value: int) -> Assignment:
        """NAME=value whose value begins at an offset."""
        fields = fields_of(self.text[value:end], self.variables)
        text = " ".join(fields.texts) if fields.known else self.text[value:end]
        array = self.text[value : value + 1] == "(" or self.text[value - 2 : value] == "+="
        word = Word(text=text, span=self.excerpt.span(value, end), known=fields.known and not array, quoted=fields.quoted)
        return Assignment(name=name, value=word, span=self.excerpt.span(start, end))

    def words(self, start: int, end: int) -> list[Word]:
        """A word of the text, or several where a variable holds several."""
        raw = self.text[start:end]
        fields = fields_of(raw, self.variables)
        span = self.excerpt.span(start, end)
        known = fields.known and not raw.startswith(("<(", ">("))
        if "$" in raw:
            self._spend(sum(map(len, fields.texts)))
        return [Word(text=text, span=span, known=known, quoted=fields.quoted) for text in fields.texts]

    def _spend(self, characters: int) -> None:
        self.spent += characters
        if self.spent > _MOST:
            self.variables.clear()


@dataclass(slots=True)
class Task:
    """A node to be visited, with what stands around it."""

    node: Node
    inside: tuple[str, ...] = ()
    before: str = ""
    after: str = ""
    redirects: tuple[Node, ...] = ()


class Reading:
    """Reads one simple command from its node."""

    def __init__(self, text: ShellText, task: Task) -> None:
        self.shell, self.task = text, task
        self.assignments: list[Assignment] = []
        self.redirects: list[Redirect] = []
        self.spans: list[tuple[int, int]] = []
        self.end = task.node.end_byte if task.node.type in SIMPLE else task.node.start_byte

    def command(self) -> Command:
        """The command with its words, assignments and redirects."""
        task, shell = self.task, self.shell
        if task.node.type == "test_command":
            self._test(task.node)
        elif task.node.type == "variable_assignment":
            self._child(task.node)
        elif task.node.type in SIMPLE:
            for child in task.node.children:
                self._child(child)
        for child in task.redirects:
            self._child(child)
        words = tuple(word for start, end in self.spans for word in shell.words(start, end))
        place = shell.excerpt.span(task.node.start_byte, max(self.end, task.node.start_byte))
        return unwrapped(
            Command(
                program="",
                words=words,
                span=place,
                assignments=tuple(self.assignments),
                redirects=tuple(self.redirects),
                before=task.before,
                after=task.after,
                inside=task.inside,
            )
        )

    def _test(self, node: Node) -> None:
        self.spans += [(start, end) for start, end, _ in words_in(self.shell.text, node.start_byte, node.end_byte)]

    def _child(self, child: Node) -> None:
        start, end = child.start_byte, child.end_byte
        kind = child.type
        if start == end or kind == "comment":
            return
        if kind == "variable_assignment":
            self._assign(child)
        elif kind in REDIRECTS:
            self._redirect(child)
        elif self.spans and self.spans[-1][1] == start:
            self.spans[-1] = (self.spans[-1][0], end)
        else:
            self.spans.append((start, end))

    def _assign(self, child: Node) -> None:
        start, end = child.start_byte, child.end_byte
        match = ASSIGNS.match(self.shell.text, start, end)
        if match:
            self.assignments.append(self.shell.assignment(start, end, match[1], match.end()))
        if self.task.node.type == "declaration_command":
            self.spans.append((start, end))

    def _redirect(self, node: Node) -> None:
        text = self.shell.text
        operator = ""
        targets: list[tuple[int, int]] = []
        for child in node.children:
            if child.type == "file_descriptor" or (not child.is_named and not targets and child.type not in JOINS):
                operator += text[child.start_byte : child.end_byte]
            elif child.type in REDIRECTS:
                self._redirect(child)
            elif not child.type.startswith("heredoc_") and child.type not in STATEMENTS and child.type not in JOINS:
                targets.append((child.start_byte, child.end_byte))
        heredoc = node.type == "heredoc_redirect"
        target = None if heredoc or not targets else next(iter(self.shell.words(*targets[0])), None)
        stop = node.children[0].end_byte if heredoc else targets[0][1] if targets else node.end_byte
        span = self.shell.excerpt.span(node.start_byte, stop)
        self.redirects.append(Redirect(operator=operator, target=target, span=span))
        self.spans += targets if heredoc else targets[1:]
        self.end = max(self.end, stop if heredoc else node.end_byte)
