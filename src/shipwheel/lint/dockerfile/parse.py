"""Reads instructions as BuildKit's frontend/dockerfile/parser does, and keeps the place of each character."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from shipwheel.lint.dockerfile.arguments import BLANKS, flags, json_strings, split_blanks, split_quoted, trimmed
from shipwheel.lint.dockerfile.blanks import SPACES
from shipwheel.lint.dockerfile.instructions import Fault, Flag, Heredoc, Instruction, Parsed
from shipwheel.lint.dockerfile.lexer import Lexer, LexError
from shipwheel.lint.dockerfile.lines import Lines
from shipwheel.lint.dockerfile.refused import KEYWORDS, refusals, stage_refusals
from shipwheel.lint.source import Excerpt, Source, Span
from shipwheel.lint.word import Word

_SHELL_OR_JSON = frozenset({"RUN", "CMD", "ENTRYPOINT", "SHELL"})
_LIST_OR_JSON = frozenset({"ADD", "COPY", "VOLUME"})
_LIST = frozenset({"EXPOSE", "FROM"})
_ONE = frozenset({"MAINTAINER", "STOPSIGNAL", "USER", "WORKDIR"})
_HEREDOCS = frozenset({"ADD", "COPY", "RUN"})
_FRONTEND = re.compile(r"(?:docker\.io/)?docker/dockerfile(?:-upstream)?(?:[:@ ]|\Z)")
"""The syntax that these rules are of; others may have instructions of their own."""
_HEREDOC = re.compile(r"\d*<<(-?)[\t\n\f\r ]*([^<]+)\Z")


def parse(source: Source) -> Parsed:
    """The instructions of a Dockerfile; never raises, whatever the text: what BuildKit would refuse is a `Fault`."""
    lines = Lines(source)
    found: list[Instruction] = []
    for line, span in lines.logical():
        instruction = _Reader(lines, line, span).read(0)
        found.append(_with_heredocs(lines, instruction, line) if _may_hold_heredocs(instruction, line) else instruction)
    if not found:
        lines.faults.append(Fault(span=(0, 0), message="there is no instruction in the file"))
    elif _FRONTEND.match(lines.directives.get("syntax", "docker/dockerfile")):
        lines.faults += refusals(found, lines.escape)
        lines.faults += stage_refusals(found)
    return Parsed(
        source=source,
        instructions=tuple(found),
        escape=lines.escape,
        directives=tuple(lines.directives.items()),
        comments=tuple(lines.comments),
        faults=tuple(sorted(lines.faults, key=lambda fault: fault.span)),
    )


@dataclass(frozen=True, slots=True)
class _Parts:
    """What an instruction's arguments are split into."""

    body: Span
    words: tuple[Word, ...] = ()
    json: bool = False
    pairs: tuple[tuple[Word, Word | None], ...] = ()
    inner: Instruction | None = None


@dataclass(slots=True)
class _Reader:
    """Reads the instruction in a line that was put together; `span` is its place in the source."""

    lines: Lines
    line: Excerpt
    span: Span

    def read(self, start: int, *, nested: bool = False) -> Instruction:
        """The instruction that begins at an offset of the line."""
        text = self.line.text
        begin, stop = trimmed(text, start, len(text))
        blank = BLANKS.search(text, begin, stop)
        keyword_end = blank.start() if blank else stop
        keyword = _keyword(text[begin:keyword_end])
        found: tuple[Flag, ...] = ()
        at = stop
        if blank:
            found, at = flags(self.line, blank.end(), stop, self.lines.escape)
        parts = self._parts(keyword, trimmed(text, at, stop), nested)
        return Instruction(
            keyword=keyword,
            span=(self._span(begin, begin)[0], self.span[1]) if nested else self.span,
            keyword_span=self._span(begin, keyword_end),
            body=self.line.part(*parts.body),
            flags=found,
            words=parts.words,
            json=parts.json,
            pairs=parts.pairs,
            inner=parts.inner,
        )

    def _parts(self, keyword: str, body: Span, nested: bool) -> _Parts:
        if keyword in _SHELL_OR_JSON or keyword in _LIST_OR_JSON:
            return self._maybe_json(keyword, body)
        if keyword in _LIST:
            return _Parts(body, tuple(self._word(span) for span in split_blanks(self.line.text, *body)))
        if keyword in _ONE:
            return _Parts(body, (self._word(body),) if body[1] > body[0] else ())
        if keyword in ("ENV", "LABEL"):
            return self._named(keyword, body)
        if keyword == "ARG":
            words = tuple(split_quoted(self.line.text, *body, self.lines.escape))
            return _Parts(body, tuple(map(self._word, words)), pairs=tuple(map(self._pair, words)))
        if keyword == "HEALTHCHECK":
            return self._health(body)
        if keyword == "ONBUILD" and not nested and body[1] > body[0]:
            return _Parts(body, inner=self.read(body[0], nested=True))
        return _Parts(body)

    def _span(self, start: int, stop: int) -> Span:
        """The place in the source; most lines are one piece, and then there is nothing to look for."""
        if len(self.line.pieces) > 1:
            return self.line.span(start, stop)
        offset = self.line.pieces[0][1]
        return offset + start, offset + stop

    def _word(self, span: Span) -> Word:
        text = self.line.text[span[0] : span[1]]
        return Word(text=text, span=self._span(*span), known="$" not in text, quoted='"' in text or "'" in text)

    def _json(self, body: Span, literal: bool) -> tuple[Word, ...] | None:
        try:
            strings = json_strings(self.line.text, *body)
        except ValueError as error:
            self._fault(body, str(error))
            return None
        if strings is None:
            return None
        return tuple(
            Word(text=text, span=self._span(*span), known=literal or "$" not in text, quoted=True) for text, span in strings
        )

    def _maybe_json(self, keyword: str, body: Span) -> _Parts:
        words = self._json(body, keyword in _SHELL_OR_JSON)
        if words is not None:
            return _Parts(body, words, json=True)
        if keyword in _SHELL_OR_JSON:
            return _Parts(body)
        return _Parts(body, tuple(self._word(span) for span in split_blanks(self.line.text, *body)))

    def _health(self, body: Span) -> _Parts:
        text, (start, stop) = self.line.text, body
        end = next((at for at in range(start, stop) if text[at] in SPACES), stop)
        if end == start:
            return _Parts(body)
        kind = self._word((start, end))
        rest = trimmed(text, end, stop)
        words = self._json(rest, True)
        return _Parts(rest, (kind, *(words or ())), json=words is not None)

    def _pair(self, span: Span) -> tuple[Word, Word | None]:
        """NAME=value; no value where there is no equals sign."""
        equals = self.line.text.find("=", *span)
        if equals < 0:
            return self._word(span), None
        return self._word((span[0], equals)), self._word((equals + 1, span[1]))

    def _named(self, keyword: str, body: Span) -> _Parts:
        """ENV and LABEL: NAME=value ..., or one name and its value without an equals sign."""
        text = self.line.text
        spans = tuple(split_quoted(text, *body, self.lines.escape))
        words = tuple(map(self._word, spans))
        if not words:
            return _Parts(body)
        if "=" not in words[0].text:
            blank = BLANKS.search(text, *body)
            if blank is None:
                self._fault(body, f"{keyword} needs a name and a value")
                return _Parts(body, words)
            pair = self._word((body[0], blank.start())), self._word((blank.end(), body[1]))
            return _Parts(body, pair, pairs=(pair,))
        for span, word in zip(spans, words, strict=True):
            if "=" not in word.text:
                self._fault(span, f"{word.text[:40]} has no =: it must be NAME=value")
        return _Parts(body, words, pairs=tuple(self._pair(span) for span in spans))

    def _fault(self, span: Span, message: str) -> None:
        self.lines.faults.append(Fault(span=self._span(*span), message=message))


def _keyword(written: str) -> str:
    """In capitals; one that there is not stays as it is written but for that."""
    return upper if (upper := written.lower().upper()) in KEYWORDS else written.upper()


def _may_hold_heredocs(instruction: Instruction, line: Excerpt) -> bool:
    inner = instruction.inner or instruction
    return inner.keyword in _HEREDOCS and not inner.json and "<<" in line.text


def _with_heredocs(lines: Lines, instruction: Instruction, line: Excerpt) -> Instruction:
    """The instruction with the heredocs that its line names; they also belong to the instruction of an ONBUILD."""
    try:
        _, words = Lexer(line.text, {}, literal=True, keep_quotes=True, keep_escapes=True).read()
    except LexError:
        return instruction
    found = tuple(_read_heredoc(lines, instruction, *named) for word in words if (named := _heredoc_name(word)))
    if not found:
        return instruction
    span = instruction.span[0], found[-1].span[1]
    inner = instruction.inner
    if inner:
        inner = replace(inner, heredocs=found, span=(inner.span[0], span[1]))
    return replace(instruction, heredocs=found, span=span, inner=inner)


def _heredoc_name(word: str) -> tuple[str, bool, bool] | None:
    """NAME of <<NAME, whether variables of the body are put in, whether leading tabs are taken out; None for another word."""
    found = _HEREDOC.match(word)
    if not found:
        return None
    try:
        _, plain = Lexer(found[2], {}, literal=True).read()
        _, quoted = Lexer(found[2], {}, literal=True, keep_quotes=True).read()
    except LexError:
        return None
    if len(plain) != 1:
        return None
    return plain[0], _quotes(plain[0]) == _quotes("".join(quoted)), bool(found[1])


def _quotes(text: str) -> int:
    return text.count("'") + text.count('"')


def _read_heredoc(lines: Lines, instruction: Instruction, name: str, expands: bool, strips: bool) -> Heredoc:
    start = stop = lines.at
    pieces: list[Span] = []
    while line := lines.physical():
        stop = line[1]
        text = lines.text[line[0] : line[1]]
        tabs = len(text) - len(text.lstrip("\t")) if strips else 0
        if text[tabs:] == name:
            break
        if strips or not pieces:
            pieces.append((line[0] + tabs, lines.at))
        else:
            pieces[0] = start, lines.at
    else:
        lines.faults.append(Fault(span=instruction.span, message=f"the heredoc {name} does not end"))
    body = Excerpt.joined(lines.source, pieces) if pieces else Excerpt(lines.source, "", ((0, start),))
    return Heredoc(name=name, body=body, expands=expands, strips=strips, span=(start, max(start, stop)))
