"""Programs that only start another one: sudo, env, exec, tini and their kin."""

from __future__ import annotations

import re
from dataclasses import replace

from shipwheel.lint.shell.command import Assignment, Command
from shipwheel.lint.word import Word

_WRAPPERS: dict[str, tuple[str, int]] = {
    "sudo": ("ugpChrtUD", 0),
    "doas": ("uC", 0),
    "env": ("uCS", 0),
    "exec": ("a", 0),
    "time": ("fo", 0),
    "nice": ("n", 0),
    "ionice": ("cnp", 0),
    "nohup": ("", 0),
    "setsid": ("", 0),
    "command": ("", 0),
    "builtin": ("", 0),
    "stdbuf": ("ioe", 0),
    "timeout": ("ks", 1),
    "gosu": ("", 1),
    "su-exec": ("", 1),
    "tini": ("peg", 0),
    "dumb-init": ("r", 0),
    "eatmydata": ("", 0),
    "xvfb-run": ("enfsp", 0),
}
"""For each its short options with a value of their own word, and how many words stand before the program."""

_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.ASCII | re.DOTALL)
_LOOKS_UP = ("-v", "-V")
_WHICH = re.compile(r"[$`]\(?\s*(?:which|command\s+-v)\s+([\w./-]+)\s*[)`]")


def unwrapped(command: Command) -> Command:
    """The command with `program`, `words`, `wrappers` and `assignments` as they are behind the wrappers."""
    words, assignments, at = command.words, list(command.assignments), 0
    while at < len(words):
        name = program_name(words[at].text)
        if name not in _WRAPPERS or (name == "command" and words[at + 1 : at + 2] and words[at + 1].text in _LOOKS_UP):
            break
        behind = _behind(words, at + 1, *_WRAPPERS[name])
        while behind < len(words) and name in ("env", "sudo") and (match := _ASSIGNMENT.fullmatch(words[behind].text)):
            assignments.append(_assignment(words[behind], match[1], match[2]))
            behind += 1
        if behind >= len(words):
            break
        at = behind
    program = program_name(words[at].text) if at < len(words) else ""
    if at == 0 and len(assignments) == len(command.assignments):
        return replace(command, program=program)
    return replace(command, program=program, words=words[at:], wrappers=words[:at], assignments=tuple(assignments))


def program_name(text: str) -> str:
    """The base name of what runs; for `$(which pip)` what it looks for."""
    if match := _WHICH.fullmatch(text):
        text = match[1]
    return text if text.startswith(("$(", "`")) else text.rpartition("/")[2] or text


def _behind(words: tuple[Word, ...], at: int, valued: str, positional: int) -> int:
    """The first word behind a wrapper's options and its own arguments."""
    while at < len(words) and words[at].text.startswith("-"):
        text = words[at].text
        at += 1
        if text == "--":
            break
        if len(text) == 2 and text[1] in valued:
            at += 1
    return at + positional


def _assignment(word: Word, name: str, value: str) -> Assignment:
    return Assignment(name=name, value=replace(word, text=value), span=word.span)
