"""`Challenge`: what a server wants to be told of who asks (RFC 9110 section 11.6.1, RFC 6750 section 3)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PART = re.compile(rf'\s*,*\s*(?:({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))|({_TOKEN})(?=\s|,|$))')


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """One scheme, in lower case, with its parameters by their lower-case names."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, header: str) -> tuple[Challenge, ...]:
        """All challenges of WWW-Authenticate; what cannot be read is left out."""
        return tuple(cls(scheme=scheme, parameters=parameters) for scheme, parameters in _challenges(header))


def _challenges(header: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Commas stand between challenges and between their parameters alike: a word without `=` begins the next one."""
    scheme, parameters, at = "", dict[str, str](), 0
    while match := _PART.match(header, at):
        name, quoted, plain, word = match.groups()
        if word:
            if scheme:
                yield scheme, parameters
            scheme, parameters = word.lower(), {}
        else:
            parameters[name.lower()] = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain
        at = match.end()
    if scheme:
        yield scheme, parameters
