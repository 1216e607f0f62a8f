"""What BuildKit refuses in instructions that it could read: flags, numbers of arguments, names, the order of stages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from shipwheel.lint.dockerfile.expand import refusal
from shipwheel.lint.dockerfile.instructions import Fault, Flag, Instruction
from shipwheel.lint.dockerfile.mountflags import mount_refusal
from shipwheel.lint.source import Span
from shipwheel.lint.word import Word
from shipwheel.lint.wording import did_you_mean

KEYWORDS = frozenset(
    {"ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER"}
) | {
    *("ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
}
"""All that there are."""
_TEXT, _SWITCH, _MANY = "text", "switch", "many"
_FLAGS: Mapping[str, Mapping[str, str]] = {
    "ADD": {
        **dict.fromkeys(("chown", "chmod", "checksum"), _TEXT),
        **dict.fromkeys(("link", "keep-git-dir", "unpack"), _SWITCH),
        "exclude": _MANY,
    },
    "COPY": {
        **dict.fromkeys(("chown", "from", "chmod"), _TEXT),
        **dict.fromkeys(("link", "parents"), _SWITCH),
        "exclude": _MANY,
    },
    "FROM": {"platform": _TEXT},
    "RUN": {"mount": _MANY, "network": _TEXT, "security": _TEXT, "device": _MANY},
    "HEALTHCHECK": dict.fromkeys(("interval", "timeout", "start-period", "start-interval", "retries"), _TEXT),
}
_UNCHECKED = frozenset({"ARG", "STOPSIGNAL"})
"""BuildKit drops flags of these without a word."""
_VALUES = {"network": ("default", "none", "host"), "security": ("sandbox", "insecure")}
_STAGE_NAME = re.compile(r"[a-z][a-z0-9._-]*")
_DURATION = re.compile(r"\+?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)")
_HEREDOC = re.compile(r"\d*<<-?[^<]+")


def refusals(instructions: Sequence[Instruction], escape: str) -> Iterator[Fault]:
    """All faults of a file's instructions; of lines that are no instructions in a row only the first."""
    unknown_before = False
    for instruction in instructions:
        unknown = instruction.keyword not in KEYWORDS
        if not (unknown and unknown_before):
            yield from _of(instruction, escape)
        unknown_before = unknown
    yield from _before_from([each for each in instructions if each.keyword in KEYWORDS])


def _before_from(instructions: Sequence[Instruction]) -> Iterator[Fault]:
    first = next((each for each in instructions if each.keyword not in ("FROM", "ARG")), None)
    if not any(each.keyword == "FROM" for each in instructions):
        if instructions:
            yield Fault(span=instructions[0].keyword_span, message="there is no FROM in the file")
    elif first and first.span < next(each.span for each in instructions if each.keyword == "FROM"):
        yield Fault(span=first.keyword_span, message=f"{first.keyword} stands before the first FROM")


def _of(instruction: Instruction, escape: str) -> Iterator[Fault]:
    keyword = instruction.keyword
    if keyword not in KEYWORDS:
        hint = did_you_mean(keyword, sorted(KEYWORDS))
        yield Fault(span=instruction.keyword_span, message=f"there is no instruction {keyword[:40]}{hint}")
        return
    check = _CHECKS.get(keyword)
    message = check(instruction) if check else ""
    if message:
        yield Fault(span=instruction.span, message=message)
    if keyword not in _UNCHECKED and not (keyword == "HEALTHCHECK" and _first(instruction) == "NONE"):
        yield from _flag_faults(instruction)
    for word in _expanded(instruction):
        if reason := refusal(word.text, escape=escape):
            yield Fault(span=word.span, message=f"{reason} in {keyword}")
    if instruction.inner and not message:
        yield from _of(instruction.inner, escape)


def _expanded(instruction: Instruction) -> Iterator[Word]:
    """Words in which BuildKit puts variables."""
    if instruction.pairs:
        for name, value in instruction.pairs:
            yield name
            if value:
                yield value
    elif instruction.keyword in ("ADD", "COPY", "EXPOSE", "FROM", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"):
        yield from instruction.words


def _flag_faults(instruction: Instruction) -> Iterator[Fault]:
    allowed = _FLAGS.get(instruction.keyword, {})
    seen: set[str] = set()
    for flag in instruction.flags:
        kind = allowed.get(flag.name)
        if kind is None:
            hint = did_you_mean(flag.name, sorted(allowed))
            yield Fault(span=flag.span, message=f"{instruction.keyword} has no flag --{flag.name[:40]}{hint}")
        elif message := _flag_message(flag, kind, flag.name in seen):
            yield Fault(span=flag.span, message=message)
        seen.add(flag.name)


def _flag_message(flag: Flag, kind: str, again: bool) -> str:
    bare = flag.value_span == (flag.span[1], flag.span[1])
    if again and kind != _MANY:
        return f"--{flag.name} stands there twice"
    if kind == _SWITCH:
        fits = flag.value.lower() in ("true", "false") or (bare and not flag.value)
        return "" if fits else f"--{flag.name} is either true or false"
    if bare and not flag.value:
        return f"--{flag.name} needs a value"
    if "$" in flag.value:
        return ""
    if flag.name in _VALUES and flag.value not in _VALUES[flag.name]:
        return f"--{flag.name} can only be {', '.join(_VALUES[flag.name])}"
    if flag.name in _FLAGS["HEALTHCHECK"]:
        return _health_message(flag)
    return mount_refusal(flag.value) if flag.name == "mount" else ""


def _health_message(flag: Flag) -> str:
    if flag.name == "retries":
        return "" if flag.value.isascii() and flag.value.isdigit() else "--retries must be a number"
    if _DURATION.fullmatch(flag.value):
        return ""
    return (
        f"--{flag.name} needs a unit, such as {flag.value}s"
        if flag.value.isdigit()
        else f"--{flag.name} is no duration such as 30s"
    )


def _first(instruction: Instruction) -> str:
    return instruction.words[0].text.upper() if instruction.words else ""


def _one_argument(instruction: Instruction) -> str:
    return "" if instruction.words else f"{instruction.keyword} needs an argument"


def _from(instruction: Instruction) -> str:
    texts = [word.text for word in instruction.words]
    if len(texts) == 1:
        return ""
    if len(texts) != 3 or texts[1].lower() != "as":
        return "FROM takes an image, or an image, AS and a name"
    return "" if _STAGE_NAME.fullmatch(texts[2].lower()) else f"{texts[2][:40]} cannot be a stage's name"


def _copy(instruction: Instruction) -> str:
    if len(instruction.words) < 2:
        return f"{instruction.keyword} needs a source and a destination"
    target = instruction.words[-1].text
    return f"a heredoc cannot be the destination of {instruction.keyword}" if _HEREDOC.fullmatch(target) else ""


def _pairs(instruction: Instruction) -> str:
    if not instruction.words:
        return f"{instruction.keyword} needs a name and a value"
    if any(not name.text for name, _ in instruction.pairs):
        return f"a name is missing before = in {instruction.keyword}"
    return ""


def _shell(instruction: Instruction) -> str:
    return "" if instruction.json and instruction.words else 'SHELL needs the JSON form, such as ["/bin/bash", "-c"]'


def _health(instruction: Instruction) -> str:
    kind = _first(instruction)
    if not kind:
        return "HEALTHCHECK needs CMD or NONE"
    given = bool(instruction.words[1:]) if instruction.json else bool(instruction.body.text)
    if kind == "NONE":
        return "HEALTHCHECK NONE takes no arguments" if given else ""
    if kind != "CMD":
        return f"HEALTHCHECK takes CMD or NONE, not {kind[:40]}"
    return "" if given else "HEALTHCHECK CMD needs a command"


def _onbuild(instruction: Instruction) -> str:
    inner = instruction.inner
    if inner is None:
        return "ONBUILD needs an instruction"
    if inner.keyword in ("ONBUILD", "FROM", "MAINTAINER"):
        return f"{inner.keyword} cannot stand behind ONBUILD"
    return ""


_CHECKS: Mapping[str, Callable[[Instruction], str]] = {
    **dict.fromkeys(("EXPOSE", "VOLUME", "USER", "WORKDIR", "STOPSIGNAL", "MAINTAINER"), _one_argument),
    **dict.fromkeys(("ADD", "COPY"), _copy),
    **dict.fromkeys(("ENV", "LABEL", "ARG"), _pairs),
    "FROM": _from,
    "HEALTHCHECK": _health,
    "ONBUILD": _onbuild,
    "SHELL": _shell,
}


def stage_refusals(instructions: Sequence[Instruction]) -> Iterator[Fault]:
    """Stages that are used before they are there, and `--from` that BuildKit cannot resolve."""
    names = [_stage_name(each) for each in instructions if each.keyword == "FROM"]
    current = -1
    for instruction in instructions:
        if instruction.keyword == "FROM":
            yield from _parent(instruction, names, current + 1)
            current += 1
        elif instruction.keyword in ("COPY", "RUN"):
            for name, span in _copied(instruction):
                if message := _from_message(name, names, current):
                    yield Fault(span=span, message=message)


def _stage_name(instruction: Instruction) -> str:
    texts = [word.text for word in instruction.words]
    return texts[2].lower() if len(texts) == 3 else ""


def _parent(instruction: Instruction, names: list[str], index: int) -> Iterator[Fault]:
    base = instruction.words[0].text.lower() if instruction.words else ""
    if base in names[index + 1 :] and base not in names[: index + 1]:
        yield Fault(span=instruction.words[0].span, message=f"FROM builds on {base}, a stage further down")
    if names[index] and names[index] in names[:index]:
        yield Fault(span=instruction.words[2].span, message=f"two stages are named {names[index]}")


def _copied(instruction: Instruction) -> Iterator[tuple[str, Span]]:
    if instruction.keyword == "COPY":
        if flag := instruction.flag("from"):
            yield flag.value, flag.value_span
        return
    for flag in instruction.flags:
        for option in flag.value.split(",") if flag.name == "mount" else ():
            name, _, value = option.partition("=")
            if name.lower() == "from" and not value.isdigit():
                yield value, flag.value_span


def _from_message(name: str, names: list[str], current: int) -> str:
    if "$" in name:
        return "--from takes no variable; name a stage with FROM and copy from that"
    if name.isascii() and name.isdigit():
        if int(name[:9]) >= len(names):
            return f"there is no stage {name}"
        return "" if int(name[:9]) < current else f"--from={name} is no stage further up"
    lower = name.lower()
    if not lower or current < 0 or lower in names[:current] or lower not in names:
        return ""
    if lower == names[current]:
        return f"a stage cannot copy from itself ({name})"
    return f"the stage {name} stands further down; it must stand before this one"
