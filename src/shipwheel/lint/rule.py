"""Rules: what each is called, how bad it is, why, and the checks that find it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Literal, TypeVar, overload

from shipwheel.lint.finding import Hit, Severity
from shipwheel.lint.tables import date_of

FixKind = Literal["automatic", "suggested", "none"]

Subject = TypeVar("Subject")
Other = TypeVar("Other")
Check = Callable[[Subject], Iterable[Hit]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that can be wrong.

    `key` is its name for users, for ever. `title`, `why` and `remedy` are a sentence each: what it catches, what it costs
    and what to write instead. `source` is the page that says so (an address, or the name and section of a specification).
    `dated` names the table of data/lint/ that it rests on; its day is told with the reason. `off`: only with --select.
    """

    key: str
    severity: Severity
    title: str
    why: str
    remedy: str
    source: str
    fix: FixKind = "suggested"
    dated: str = ""
    off: bool = False
    checks: list[tuple[type[Any], Check[Any]]] = field(default_factory=list)

    @property
    def reason(self) -> str:
        """Why, with the day of the table that it rests on."""
        return f"{self.why} (as of {date_of(self.dated)})" if self.dated else self.why

    @overload
    def check(self, kind: type[Subject], /) -> Callable[[Check[Subject]], Check[Subject]]: ...
    @overload
    def check(
        self, kind: type[Subject], other: type[Other], /
    ) -> Callable[[Check[Subject | Other]], Check[Subject | Other]]: ...
    def check(self, *kinds: type[Any]) -> Callable[[Check[Any]], Check[Any]]:
        """Decorator: the function yields this rule's hits in a subject of these kinds. A rule may have several functions."""

        def register(function: Check[Any]) -> Check[Any]:
            self.checks.extend((kind, function) for kind in kinds)
            return function

        return register

    def hits(self, subject: object) -> Iterator[Hit]:
        """What its checks find in one subject."""
        for kind, function in self.checks:
            if isinstance(subject, kind):
                yield from function(subject)


@cache
def rules() -> dict[str, Rule]:
    """Every rule of `lint/rules/` by its key, sorted; a module there holds `Rule` values at its top."""
    from shipwheel.lint import rules as package

    found: dict[str, Rule] = {}
    for module in iter_modules(package.__path__, f"{package.__name__}."):
        for value in vars(import_module(module.name)).values():
            if isinstance(value, Rule):
                assert found.setdefault(value.key, value) is value, value.key
    return dict(sorted(found.items()))
