"""From the syntax tree of a shell text to its simple commands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

from shipwheel.lint.shell.command import SHELLS, Assignment, Command
from shipwheel.lint.shell.simple import ASSIGNS, BLOCKS, JOINS, REDIRECTS, SIMPLE, STATEMENTS, Reading, ShellText, Task
from shipwheel.lint.shell.words import DEEP, skip, words_in
from shipwheel.lint.shell.wrappers import unwrapped
from shipwheel.lint.source import Excerpt, Source
from shipwheel.lint.word import Word

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

_DEEPEST = 100
"""Constructs within constructs; who writes more does not want it read."""

_KEEP_EDGES = frozenset(("list", "pipeline", "subshell", "compound_statement", "negated_command"))
_ENDS_IN_COMMAND = frozenset(("list", "pipeline", "negated_command", "redirected_statement"))
"""The grammar hangs a redirect on the whole of `a && b > c`; the shell gives it to b."""

_SUBSTITUTIONS = ("command_substitution", "process_substitution")
_CONDITIONAL = frozenset(("if", "then", "else", "while", "for", "case", "function", "subshell", "substitution"))
_KEYWORDS = frozenset(("if", "then", "elif", "else", "fi", "do", "done", "while", "until", "{", "}", "!", "in", "esac"))
_COMPARES = re.compile(r"(?<=\s)(?:==|=~)(?=[ \t]*(?:$|[;|&)\n]))")
"""A last word that the grammar takes for a comparison of which the other side is to come."""

_NOT_ASCII = re.compile(r"[^\x01-\x7f]")
_INNER_SHELL = re.compile(r"-[a-zA-Z]*c")


@cache
def _parser() -> Parser:
    import tree_sitter_bash
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_bash.language()))


def commands_in(excerpt: Excerpt, variables: Mapping[str, str], *, inside: tuple[str, ...] = ()) -> list[Command]:
    """All simple commands of a text."""
    return _Walk(excerpt, dict(variables), inside).run()


def inner_commands(command: Command, excerpt: Excerpt | None, variables: Mapping[str, str]) -> list[Command]:
    """Those of TEXT in `sh -c TEXT`; `excerpt` is TEXT with its places, None where those are not known one by one."""
    text = inner_text(command)
    if text is None or command.inside.count("sh -c") >= DEEP:
        return []
    inside = (*command.inside, "sh -c")
    if excerpt is not None:
        return commands_in(excerpt, variables, inside=inside)
    found = commands_in(Excerpt.whole(Source(name="", text=text.text)), variables, inside=inside)
    return [_moved(inner, text) for inner in found]


def inner_text(command: Command) -> Word | None:
    """The word that is TEXT in `sh -c TEXT`."""
    if command.program not in SHELLS:
        return None
    behind = (pair[1] for pair in pairwise(command.arguments) if _INNER_SHELL.fullmatch(pair[0].text))
    return next(behind, None)


def _moved(command: Command, place: Word) -> Command:
    def word(old: Word) -> Word:
        return replace(old, span=place.span)

    return replace(
        command,
        words=tuple(map(word, command.words)),
        wrappers=tuple(map(word, command.wrappers)),
        assignments=tuple(replace(one, value=word(one.value), span=place.span) for one in command.assignments),
        redirects=tuple(replace(one, target=one.target and word(one.target), span=place.span) for one in command.redirects),
        span=place.span,
    )


class _Walk:
    def __init__(self, excerpt: Excerpt, variables: dict[str, str], inside: tuple[str, ...]) -> None:
        self.shell = ShellText(excerpt, excerpt.text, variables)
        self.excerpt, self.text, self.inside = excerpt, excerpt.text, inside
        self.commands: list[Command] = []
        self.tasks: list[Task] = []

    def run(self) -> list[Command]:
        plain = _COMPARES.sub("__", _NOT_ASCII.sub("_", self.text.replace("\r", " ")))
        # One byte for each character: offsets of the tree are offsets of the text.
        tree = _parser().parse(plain.encode("ascii"))
        self.tasks.append(Task(tree.root_node, self.inside))
        while self.tasks:
            self._visit(self.tasks.pop())
        return self.commands

    def _visit(self, task: Task) -> None:
        kind = task.node.type
        if len(task.inside) > _DEEPEST:
            return
        if kind in SIMPLE:
            self._simple(task)
        elif kind == "redirected_statement":
            self._redirected(task)
        elif kind in ("if_statement", "elif_clause"):
            self._branches(task)
        elif kind == "ERROR":
            self._loose(task)
        elif kind in BLOCKS:
            self._block(task)

    def _block(self, task: Task) -> None:
        node = task.node
        name = BLOCKS[node.type]
        inside = (*task.inside, name) if name else task.inside
        edges = (task.before, task.after) if node.type in _KEEP_EDGES else ("", "")
        if node.type in ("for_statement", "function_definition"):
            self._forget(node)
        words = () if node.type in _SUBSTITUTIONS else self._substitutions_in(node, inside)
        statements = _sequence(node.children, inside, edges)
        if task.redirects and statements:
            statements[-1].redirects = task.redirects
        self._push([*words, *statements])

    def _forget(self, node: Node) -> None:
        """The variable of a loop is not known in it."""
        name = node.child_by_field_name("variable")
        if name is not None:
            self.shell.learn(self.text[name.start_byte : name.end_byte], None)

    def _substitutions_in(self, node: Node, inside: tuple[str, ...]) -> list[Task]:
        """Of the words that stand directly in a construct, such as those behind `in`."""
        loose = [child for child in node.children if child.is_named and child.type not in STATEMENTS]
        return [task for child in loose for task in self._substitutions(child, inside)]

    def _branches(self, task: Task) -> None:
        children = task.node.children
        cut = next((number for number, child in enumerate(children) if child.type == "then"), len(children))
        condition = _sequence(children[:cut], (*task.inside, "if"))
        branches = [child for child in children[cut:] if child.type in ("elif_clause", "else_clause")]
        rest = [child for child in children[cut:] if child.type not in ("elif_clause", "else_clause")]
        then = _sequence(rest, (*task.inside, "then"))
        self._push([*condition, *then, *(Task(branch, task.inside) for branch in branches)])

    def _push(self, tasks: Iterable[Task]) -> None:
        self.tasks.extend(reversed(list(tasks)))

    def _redirected(self, task: Task) -> None:
        redirects = (*(child for child in task.node.children if child.type in REDIRECTS), *task.redirects)
        body = next((child for child in task.node.children if child.type in STATEMENTS), None)
        follow = [one for child in redirects for one in _behind_heredoc(child, task)]
        after = follow[0].before if follow else task.after
        if body is None or body.type in SIMPLE:
            self._push(follow)
            self._simple(Task(body or task.node, task.inside, task.before, after, redirects))
        elif body.type in _ENDS_IN_COMMAND:
            self._push([Task(body, task.inside, task.before, after, redirects), *follow])
        else:
            inner = [one for child in redirects for one in self._substitutions(child, task.inside)]
            self._push([Task(body, task.inside, task.before, after), *inner, *follow])

    def _simple(self, task: Task) -> None:
        reading = Reading(self.shell, task)
        command = reading.command()
        self.commands.append(command)
        if command.program in SHELLS and (text := inner_text(command)):
            self.commands += inner_commands(command, self._inside_quotes(text), self.shell.variables)
            return
        if command.program in ("read", "unset"):
            for word in command.arguments:
                self.shell.learn(word.text, None)
        if not command.program or command.program in ("export", "declare", "local", "readonly", "typeset"):
            self._assign(command)
        self._push(one for node in (task.node, *task.redirects) for one in self._substitutions(node, task.inside))

    def _assign(self, command: Command) -> None:
        certain = not _CONDITIONAL.intersection(command.inside) and command.before not in ("||", "|")
        for one in command.assignments:
            self.shell.learn(one.name, one.value.text if certain and one.value.known else None)

    def _inside_quotes(self, word: Word) -> Excerpt | None:
        """The text between a word's quotes where it stands, without the backslashes that quote."""
        source = self.excerpt.source.text
        start, end = word.span
        mark = source[start : start + 1]
        if mark not in ("'", '"') or not mark or source[end - 1] != mark or end - start < 2:
            return None
        found = self._excerpt_offsets(word)
        if found is None:
            return None
        runs = _runs(self.text, found[0] + 1, found[1] - 1, mark)
        parts = [self.excerpt.part(*run) for run in runs]
        return Excerpt.joined(self.excerpt.source, (span for part in parts for span in _spans(part)))

    def _excerpt_offsets(self, word: Word) -> tuple[int, int] | None:
        """Where a word of one quoted piece stands in the excerpt."""
        for begin, start in reversed(self.excerpt.pieces):
            if start <= word.span[0]:
                at = begin + word.span[0] - start
                break
        else:
            return None
        end = skip(self.text, at) if at < len(self.text) else at
        return (at, end) if self.excerpt.span(at, end) == word.span else None

    def _substitutions(self, node: Node, inside: tuple[str, ...]) -> Iterator[Task]:
        """What `$(...)`, backquotes and `<(...)` run inside a node."""
        text = self.text[node.start_byte : node.end_byte]
        if not ("$(" in text or "`" in text or "<(" in text or ">(" in text):
            return
        waiting = [node]
        while waiting:
            current = waiting.pop()
            if current.type in _SUBSTITUTIONS:
                yield Task(current, inside)
            elif current.type not in STATEMENTS or current is node or current.type in SIMPLE:
                waiting.extend(reversed(current.children))

    def _loose(self, task: Task) -> None:
        """What tree-sitter could not read: words up to the next operator are a command."""
        held: list[tuple[int, int]] = []
        before, skipping = task.before, False
        node = task.node
        for start, end, operator in [*words_in(self.text, node.start_byte, node.end_byte), (node.end_byte, node.end_byte, ";")]:
            if not operator and not skipping and (held or self.text[start:end] not in _KEYWORDS):
                held.append((start, end))
            elif operator in JOINS or operator in ("\n", "(", ")"):
                joint = operator if operator in JOINS else ";"
                if held:
                    self.commands.append(self._of_spans(held, task.inside, before, joint))
                held, before = [], joint
            skipping = bool(operator) and operator not in JOINS and operator not in ("\n", "(", ")")

    def _of_spans(self, spans: list[tuple[int, int]], inside: tuple[str, ...], before: str, after: str) -> Command:
        place = self.excerpt.span(spans[0][0], spans[-1][1])
        bare = Command(program="", words=(), span=place, inside=inside, before=before, after=after)
        assignments: list[Assignment] = []
        while spans and (match := ASSIGNS.match(self.text, *spans[0])):
            assignments.append(self.shell.assignment(*spans.pop(0), match[1], match.end()))
        words = tuple(word for start, end in spans for word in self.shell.words(start, end))
        return unwrapped(replace(bare, words=words, assignments=tuple(assignments)))


def _sequence(children: Iterable[Node], inside: tuple[str, ...], edges: tuple[str, str] = ("", "")) -> list[Task]:
    """Statements one after the other, each with the operators beside it."""
    tasks: list[Task] = []
    joint = ""
    for child in children:
        if child.type in JOINS:
            joint = ";" if child.type.startswith(";") else child.type
            if tasks:
                tasks[-1].after = joint
        elif child.type in STATEMENTS and child.end_byte > child.start_byte:
            if tasks:
                joint = tasks[-1].after = joint or ";"
            tasks.append(Task(child, inside, joint if tasks else edges[0]))
            joint = ""
    if tasks and not joint:
        tasks[-1].after = edges[1]
    return tasks


def _behind_heredoc(node: Node, task: Task) -> list[Task]:
    """Commands that the grammar puts into the heredoc before them, as in `cat <<EOF | grep x`."""
    if node.type != "heredoc_redirect":
        return []
    found = [child for child in node.children if child.type in JOINS or child.type in STATEMENTS]
    tasks = _sequence(found, task.inside, ("", task.after))
    if tasks:
        tasks[0].before = found[0].type if found[0].type in JOINS else "|"
    return tasks


def _runs(text: str, start: int, end: int, mark: str) -> Iterator[tuple[int, int]]:
    """The parts of a quoted text between the backslashes that quote something."""
    at = start
    while mark == '"' and (found := text.find("\\", at, end)) >= 0 and found + 1 < end:
        if text[found + 1] in '"\\$`\n':
            yield start, found
            start = found + 1 + (text[found + 1] == "\n")
        at = found + 2
    yield start, end


def _spans(part: Excerpt) -> Iterator[tuple[int, int]]:
    ends = [begin for begin, _ in part.pieces[1:]] + [len(part.text)]
    for (begin, start), end in zip(part.pieces, ends, strict=True):
        yield start, start + end - begin
