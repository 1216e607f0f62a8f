"""Patterns of .gitignore and .dockerignore, compiled so that a scan of many files asks them fast."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_UNANCHORED = "^(?:.+/)?"
"""How pathspec begins the expression of a pattern that may match in any folder."""


@dataclass(frozen=True, slots=True)
class _Pattern:
    expression: re.Pattern[str]
    leaves_out: bool
    by_name: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GitRules:
    """The lines of one .gitignore (gitignore(5), "PATTERN FORMAT"); `include` and `exclude` have the same form."""

    patterns: tuple[_Pattern, ...] = ()
    any_name: re.Pattern[str] | None = None
    any_path: re.Pattern[str] | None = None
    fixed: tuple[str, ...] = ()
    floating: bool = False

    @classmethod
    def parse(cls, lines: Iterable[str]) -> GitRules:
        """Compile; pathspec knows the syntax, and is imported here because most folders need it for nothing else."""
        from pathspec.patterns.gitignore import GitIgnorePatternError
        from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

        patterns, fixed = [], []
        for raw in lines:
            line = re.sub(r"/\*\*/ *$", "/**/*/", raw)  # for git the folders inside; for pathspec the folder itself, too
            try:
                expression, leaves_out = GitIgnoreSpecPattern.pattern_to_regex(line)
            except GitIgnorePatternError:  # git takes such a line for one that matches nothing
                continue
            if expression is not None and leaves_out is not None:
                text = _to_the_end(str(expression))
                by_name = text.startswith(_UNANCHORED) and "/" not in _bare(line)
                text = "^" + text.removeprefix(_UNANCHORED) if by_name else text
                patterns.append(_Pattern(re.compile(text), leaves_out, by_name=by_name))
                fixed.append(_fixed_part(line))
        return cls._of(patterns, fixed) if patterns else cls()

    @classmethod
    def _of(cls, patterns: list[_Pattern], fixed: list[str]) -> GitRules:
        texts = [(pattern.expression.pattern, pattern.by_name) for pattern in patterns]
        return cls(
            patterns=tuple(reversed(patterns)),
            any_name=_either([text for text, by_name in texts if by_name]),
            any_path=_either([text for text, by_name in texts if not by_name]),
            fixed=tuple(part for part in fixed if part),
            floating=not all(fixed),
        )

    def verdict(self, path: str, *, folder: bool) -> bool | None:
        """Whether the last pattern that matches leaves the path out (True) or keeps it (False); None where none matches.

        `path` is relative to the folder of the file. The folders above it are not asked: a scan does not come
        below one that is left out.
        """
        subject = f"{path}/" if folder else path
        name = subject[path.rfind("/") + 1 :]
        if not _found(self.any_name, name, self.any_path, subject):
            return None
        for pattern in self.patterns:
            if pattern.expression.search(name if pattern.by_name else subject):
                return pattern.leaves_out
        return None

    def covers(self, path: str, *, folder: bool = False) -> bool:
        """Whether the path, or a folder above it, is matched and no later pattern takes that back."""
        parts = path.split("/")
        found = False
        for end in range(1, len(parts) + 1):
            verdict = self.verdict("/".join(parts[:end]), folder=folder or end < len(parts))
            found = found if verdict is None else verdict
        return found

    def names(self, path: str, *, folder: bool = False) -> bool:
        """Whether a pattern matches this very path, and not only a folder above it."""
        return bool(self.verdict(path, folder=folder))

    def reaches_into(self, folder: str, *, floating: bool) -> bool:
        """Whether a pattern could match below this folder; `floating` counts those that match anywhere."""
        return (floating and self.floating) or any(_touches(part, folder) for part in self.fixed)


def _found(by_name: re.Pattern[str] | None, name: str, by_path: re.Pattern[str] | None, path: str) -> bool:
    return bool((by_name and by_name.search(name)) or (by_path and by_path.search(path)))


def _to_the_end(expression: str) -> str:
    """pathspec's expression made to match the path that is named, and not what lies below it."""
    if expression.endswith("/"):
        return f"{expression}."  # a/**: all that is inside, but not the folder itself
    return expression.replace("(?:(?P<ps_d>/)|$)", "/?$").replace("(?P<ps_d>/)", "/$")


def _bare(line: str) -> str:
    """A pattern without its `!` and the slashes around it."""
    return line.rstrip().removeprefix("!").strip("/")


def _either(expressions: list[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(f"(?:{text})" for text in expressions)) if expressions else None


def _fixed_part(line: str) -> str:
    """The folders before the first wildcard of an anchored pattern; empty for one that may match anywhere."""
    if "/" not in line.strip().removeprefix("!").rstrip("/"):
        return ""
    return re.split(r"[*?\[\\]", _bare(line), maxsplit=1)[0].rstrip("/")


def _touches(fixed: str, folder: str) -> bool:
    return f"{fixed}/".startswith(f"{folder}/") or f"{folder}/".startswith(f"{fixed}/")


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerRules:
    """The lines of a .dockerignore (Docker, "Build context", ".dockerignore files").

    A pattern is relative to the top, is Go's filepath.Match with `**`, and matches what lies below a match too;
    the last pattern that matches decides.
    """

    patterns: tuple[tuple[re.Pattern[str], bool], ...] = ()
    kept: tuple[str, ...] = ()

    @classmethod
    def parse(cls, lines: Iterable[str]) -> DockerRules:
        """Compile."""
        patterns, kept = [], []
        for raw in lines:
            line = raw.strip()
            if not line or raw.startswith("#"):
                continue
            keeps = line.startswith("!")
            text = _clean(line[1:].strip() if keeps else line)
            expression = _compiled(_docker_expression(text)) if text else None
            if expression is None:
                continue
            patterns.append((expression, not keeps))
            if keeps:
                kept.append(re.split(r"[*?\[\\]", text, maxsplit=1)[0].rpartition("/")[0] if set(text) & set("*?[\\") else text)
        return cls(patterns=tuple(reversed(patterns)), kept=tuple(kept))

    def leaves_out(self, path: str) -> bool:
        """Whether the path stays out."""
        return next((out for pattern, out in self.patterns if pattern.match(path)), False)

    def keeps_below(self, folder: str) -> bool:
        """Whether a `!` pattern could keep something below this folder."""
        return any(not part or _touches(part, folder) for part in self.kept)


def _compiled(expression: str) -> re.Pattern[str] | None:
    """None for a class such as [z-a], which Docker refuses."""
    try:
        return re.compile(expression)
    except re.error:
        return None


def _clean(text: str) -> str:
    """Go's filepath.Clean, as Docker applies it: `./a//b/` is `a/b`, a leading slash means nothing."""
    parts: list[str] = []
    for part in text.split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part not in ("", ".", ".."):
            parts.append(part)
    return "/".join(parts)


_CLASS_SPECIAL = re.compile(r"[\\\[&~|]")
"""What means something in a class of Python's, and nothing in one of Go's."""

_DOCKER_TOKEN = re.compile(r"\*\*/|\*\*$|\*\*|\*|\?|\[\^?[^\]]+\]|\\.|.", re.DOTALL)


def _docker_expression(text: str) -> str:
    """moby/patternmatcher: `**/` is any folders or none, `**` anything, `*` and `?` never cross a slash."""
    out = []
    for token in _DOCKER_TOKEN.findall(text):
        if token == "**/":
            out.append("(?:.*/)?")
        elif token.startswith("**"):
            out.append(".*")
        elif token in ("*", "?"):
            out.append("[^/]*" if token == "*" else "[^/]")
        elif token.startswith("[") and len(token) > 1:
            out.append("[" + _CLASS_SPECIAL.sub(r"\\\g<0>", token[1:]).replace("--", r"-\-"))
        else:
            out.append(re.escape(token[-1]))
    return f"(?s:{''.join(out)})(?:/|$)"
