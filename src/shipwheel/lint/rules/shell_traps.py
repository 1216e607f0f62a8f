"""Commands of a RUN that do nothing, or whose failure nobody sees."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from shipwheel.lint.dockerfile.stages import Dockerfile, Step
from shipwheel.lint.finding import Edit, Fix, Hit
from shipwheel.lint.rule import Rule
from shipwheel.lint.shell.command import Command
from shipwheel.lint.source import Source

NOOP_EXPORT = Rule(
    key="noop-export",
    severity="error",
    title="A variable that is gone with its RUN",
    why="Each RUN has a shell of its own: what it exports, sets or changes to is gone when it ends.",
    remedy="Set it with ENV, or write VAR=value directly before the command that needs it, without &&",
    source="https://docs.docker.com/build/building/best-practices/#env",
)

NOOP_CONDA_ACTIVATE = Rule(
    key="noop-conda-activate",
    severity="error",
    title="An environment that is activated in a RUN",
    why="Activation changes the one shell it runs in, so the next RUN and the container start without it.",
    remedy="Put its bin folder first with ENV PATH=/opt/conda/envs/NAME/bin:$PATH, or start programs with conda run -n NAME",
    source="https://docs.conda.io/projects/conda/en/latest/dev-guide/deep-dives/activation.html",
)

ERRORS_HIDDEN = Rule(
    key="errors-hidden",
    severity="warning",
    title="A failing command does not fail the build",
    why="The build goes on after the failure, and the image lacks what the command should have made.",
    remedy="Join commands with &&, or begin with set -e",
    source="https://pubs.opengroup.org/onlinepubs/9699919799/utilities/V3_chap02.html#tag_18_09_03",
)

BACKGROUND_AMPERSAND = Rule(
    key="background-ampersand",
    severity="error",
    title="A single & where && is meant",
    why="& sends the command to the background: the next one does not wait for it, and its failure is lost.",
    remedy="Write &&",
    source="https://pubs.opengroup.org/onlinepubs/9699919799/utilities/V3_chap02.html#tag_18_09_03_02",
    fix="automatic",
)

_SHELL_STATE = frozenset(
    {"export", "cd", "alias", "umask", "ulimit", "unset", "declare", "readonly", "typeset", "set", "shopt"}
)
_SETTINGS = re.compile(r"(?:(?:^|[/._-])env(?:\.sh)?|setvars\.sh|setup\.bash|\.(?:bash|zsh)rc|profile)$")
"""Files that only set variables; others may do work when they are sourced."""
_ALWAYS_EXPORTED = frozenset(
    {"PATH", "HOME", "PWD", "IFS", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "LIBRARY_PATH", "PS1", "PS4", "SHELL"}
)
_TOP = frozenset({(), ("group",)})
_PLACES = frozenset({(), ("group",), ("subshell",), ("then",), ("else",)})
_QUIET = frozenset(
    {
        *("[", "[[", "test", ":", "true", "false", "alias", "cat", "cd", "clear", "date", "declare", "df", "echo"),
        *("env", "exit", "export", "fi", "find", "free", "hash", "hostname", "id", "jobs", "kill", "killall"),
        *("ldconfig", "let", "local", "locale", "ls", "nproc", "ps", "pkill", "popd", "printenv", "printf", "pushd"),
        *("pwd", "read", "readonly", "rm", "rmdir", "set", "shift", "shopt", "sleep", "sync", "tail", "trap", "type"),
        *("typeset", "ulimit", "umask", "uname", "unalias", "unset", "wait", "whereis", "which", "whoami", "eval"),
        *("exec", "return", "break", "continue", "command", "sh", "bash", "dash", "source", ".", "yes"),
    }
)
"""Commands whose failure harms nothing, or which only look."""
_WEIGHTY = frozenset(
    {
        *("apt-get", "apt", "aptitude", "apk", "yum", "dnf", "microdnf", "pip", "pip3", "pipx", "uv", "poetry"),
        *("pipenv", "conda", "mamba", "micromamba", "npm", "yarn", "pnpm", "gem", "cargo", "go", "curl", "wget"),
        *("aria2c", "git", "svn", "tar", "unzip", "make", "cmake", "ninja", "configure", "python", "python3", "cp"),
        *("mv", "dpkg", "rpm", "huggingface-cli", "hf", "hfdownloader", "gdown", "dvc", "gsutil", "gcloud", "aws"),
        *("azcopy", "rsync", "bazel", "gcc", "g++", "nvcc", "meson", "R", "Rscript", "julia"),
        "update-alternatives",
    }
)
"""What an image is made with: when these fail, something is missing in it."""
_COPIES = frozenset({"cp", "mv"})
"""With || true these mean "if it is there"."""
_UNDOING = frozenset(
    {"remove", "purge", "autoremove", "clean", "autoclean", "uninstall", "cache", "--version", "-V", "rm", "config"}
)
_UNREAD = frozenset({"for", "while", "until", "case", "select", "if", "fi", "done", "esac"})
"""As programs these show that the grammar could not read the text, so what stands in what is not known."""
_SWALLOWS = frozenset({"true", ":", "echo", "printf"})
_ASKS = frozenset({"[", "[[", "test", "command", "which", "grep", "id", "getent", "type", "expr"})
"""Before && and || these are an if."""
_FETCHES = re.compile(r"download|install|fetch|\.(?:py|sh)$")
"""Programs by whose name one sees that they make something; scripts of the project do, too."""
_VERSIONED = re.compile(r"python[\d.]+")
_EXECUTABLE = re.compile(r"[ugoa]*\+[rwX]*x")
"""What a mode says that is to make a program of a file."""
_SHORT_LIVED = _WEIGHTY - {"python", "python3", "go", "R", "Rscript", "julia"} | {
    *(
        "mkdir",
        "rm",
        "cd",
        "chmod",
        "chown",
        "ln",
        "touch",
        "echo",
        "export",
        "ldconfig",
        "useradd",
        "groupadd",
        "adduser",
        "sed",
    ),
}
_AMPERSAND = re.compile(r"(?:[ \t\n\r]|[\\`][ \t]*\r?\n)*(&)(?![&>])")
_BARE_NAME = re.compile(r"[A-Z][A-Z0-9_]*")


@NOOP_EXPORT.check(Dockerfile)
def exports(dockerfile: Dockerfile) -> Iterator[Hit]:
    """A RUN that only sets what its shell forgets, that ends with an export, or sets a variable that nothing in it reads."""
    for step in dockerfile.steps("RUN"):
        if hit := _useless(step, dockerfile.source):
            yield hit


def _useless(step: Step, source: Source) -> Hit | None:
    commands = [command for command in step.commands if "substitution" not in command.inside]
    top = [command for command in commands if command.inside in _TOP]
    if not top or step.instruction.json or any(command.program in _UNREAD for command in commands):
        return None
    if len(top) == len(commands) and all(_only_state(command) for command in top):
        return _only_state_hit(top)
    if top[-1] is commands[-1] and top[-1].program == "export" and top[-1].assignments and not top[-1].redirects:
        return Hit(span=top[-1].span, message=f"nothing comes after export {top[-1].assignments[0].name}, and RUN ends there")
    return next((hit for command in top if (hit := _unread(command, step, source))), None)


def _only_state(command: Command) -> bool:
    if command.redirects or command.wrappers or "|" in (command.before, command.after):
        return False
    if command.program in ("source", "."):
        return len(command.words) == 2 and bool(_SETTINGS.search(command.words[1].text))
    return command.program in _SHELL_STATE or (not command.program and bool(command.assignments))


def _only_state_hit(commands: Sequence[Command]) -> Hit | None:
    """The first that matters: `set -e` alone is odd, but breaks nothing."""
    for command in commands:
        if command.assignments:
            name = command.assignments[0].name
            return Hit(span=command.span, message=f"{name} is gone when this RUN ends, and nothing in it uses it")
        if command.program == "cd":
            return Hit(
                span=command.span,
                message="cd changes the folder for this RUN only, and nothing follows in it",
                remedy="Write WORKDIR",
            )
        if command.program in ("alias", "umask", "ulimit", "unset"):
            return Hit(
                span=command.span, message=f"{command.program} is forgotten when this RUN ends, and nothing follows in it"
            )
        if command.program in ("source", "."):
            message = f"what {command.words[1].text} sets is gone when this RUN ends, and nothing in it uses it"
            return Hit(span=command.span, message=message)
    return None


def _unread(command: Command, step: Step, source: Source) -> Hit | None:
    """`VAR=x && command` where neither the command nor its environment gets VAR."""
    if command.program or not command.assignments or command.after not in ("&&", ";"):
        return None
    rest = source.text[command.span[1] : step.span[1]]
    for one in command.assignments:
        if (
            _exported(one.name, step)
            or not _BARE_NAME.fullmatch(one.name)
            or re.search(rf"\b{one.name}\b", rest)
            or "set -a" in source.text
        ):
            continue
        return Hit(
            span=one.span,
            message=f"{one.name} is set before {command.after} and not exported, so no command gets it",
            remedy=f"Take the {command.after} out, or set {one.name} with ENV or ARG",
        )
    return None


def _exported(name: str, step: Step) -> bool:
    """ENV and ARG, also those without a default, are in the environment of a RUN."""
    arguments = (pair[0].text for other in step.stage.steps if other.keyword == "ARG" for pair in other.instruction.pairs)
    return name in step.env or name in step.variables or name in _ALWAYS_EXPORTED or name in arguments


@NOOP_CONDA_ACTIVATE.check(Dockerfile)
def activations(dockerfile: Dockerfile) -> Iterator[Hit]:
    """`conda activate` and its kin as the last of a RUN, or in a shell that has not been made ready for them."""
    for step in dockerfile.steps("RUN", "CMD", "ENTRYPOINT"):
        commands = [command for command in step.commands if "substitution" not in command.inside]
        for number, command in enumerate(commands):
            name = _activated(command)
            if name and (message := _activation_message(step, commands, number, name)):
                yield Hit(span=command.span, message=message)
                break


def _activated(command: Command) -> str:
    """The command as it is called, for one that activates an environment."""
    words = [word.text for word in command.words]
    if command.program in ("conda", "mamba", "micromamba") and words[1:2] == ["activate"]:
        return f"{command.program} activate"
    if command.program in ("source", ".") and len(words) > 1 and re.search(r"(?:^|/)activate$", words[1]):
        return f"{command.program} {words[1]}"
    return ""


def _activation_message(step: Step, commands: Sequence[Command], number: int, name: str) -> str:
    if step.keyword == "RUN" and all(command.program in ("echo", "cd", "true") for command in commands[number + 1 :]):
        return f"{name} lasts until the end of this RUN, and nothing that needs it follows"
    if not name.startswith(("conda ", "mamba ")) or _made_ready(step, commands[:number]):
        return ""
    return f"{name} fails in a shell that has not read conda's own script"


def _made_ready(step: Step, before: Sequence[Command]) -> bool:
    """Whether something before, or a login or interactive shell, may have defined the function."""
    options = [
        *step.shell[1:],
        *(word.text for command in step.commands for word in command.words if command.program == "bash"),
    ]
    if any(re.fullmatch(r"-[a-z]*[li][a-z]*|--login", option) for option in options) or "BASH_ENV" in step.env:
        return True
    if step.shell and step.shell[0].rsplit("/", 1)[-1] not in ("sh", "bash", "dash"):
        return True
    return any(command.program in ("source", ".", "eval") for command in before)


@ERRORS_HIDDEN.check(Dockerfile)
def hidden_errors(dockerfile: Dockerfile) -> Iterator[Hit]:
    """The first command of a RUN whose failure does not count."""
    for step in dockerfile.steps("RUN"):
        if step.instruction.json or any(command.program in _UNREAD for command in step.commands):
            continue
        hit = None if _stops(step) else _chained(step.commands)
        if hit and any(heredoc.span[0] <= hit.span[0] < heredoc.span[1] for heredoc in step.instruction.heredocs):
            hit = replace(hit, message=hit.message.replace("because of the ; behind it", "because nothing says `set -e`"))
        if hit := hit or _swallowed(step.commands):
            yield hit


def _stops(step: Step) -> bool:
    """Whether the shell stops at the first failure: `set -e`, SHELL with -e, `#!/bin/sh -e`."""
    if any(re.fullmatch(r"-[a-z]*e[a-z]*", option) or option == "errexit" for option in step.shell[1:]):
        return True
    if any(re.match(r"\s*#!\S+(?:\s+\S+)*\s-\w*e", heredoc.body.text) for heredoc in step.instruction.heredocs):
        return True
    return any(
        command.program in ("set", "sh", "bash")
        and any(re.fullmatch(r"-[a-z]*e[a-z]*", word.text) or word.text == "errexit" for word in command.arguments)
        for command in step.commands
    )


def _chained(commands: Sequence[Command]) -> Hit | None:
    """`a; b`: whether `a` failed is forgotten. A chain is what && and || join, in one construct."""
    chains: dict[tuple[str, ...], list[Command]] = {}
    for number, command in enumerate(commands):
        place = command.inside
        chains = {other: chain for other, chain in chains.items() if len(other) <= len(place)}
        if place not in _PLACES:
            continue
        if command.before == ";" and (hit := _forgotten(chains.get(place, []), commands[number:])):
            return hit
        chains[place] = [command] if command.before in ("", ";") else [*chains.get(place, []), command]
        if not place and command.after == ";" and (hit := _forgotten(chains[place], commands[number + 1 :])):
            return hit
    return None


def _forgotten(chain: Sequence[Command], rest: Sequence[Command]) -> Hit | None:
    weighty = next((one for one in chain if _weighs(one)), None)
    if not weighty or not any("substitution" not in other.inside for other in rest) or _guarded(chain, rest):
        return None
    return Hit(span=weighty.span, message=f"the build goes on when {_name(weighty)} fails, because of the ; behind it")


def _weighs(command: Command) -> bool:
    """Whether it matters that it worked."""
    if not command.program or command.program in _QUIET or "negation" in command.inside:
        return False
    return not _builds(command.program) or not any(word.text in _UNDOING for word in command.arguments[:2])


def _builds(program: str) -> bool:
    return program in _WEIGHTY or _VERSIONED.fullmatch(program) is not None


def _guarded(chain: Sequence[Command], rest: Sequence[Command]) -> bool:
    """`|| exit 1`, `|| true`, or `; if [ $? ...`: the author has thought of it."""
    if any("||" in (command.before, command.after) for command in chain):
        return True
    return bool(rest) and any("$?" in word.text for command in rest[:2] for word in command.words)


def _swallowed(commands: Sequence[Command]) -> Hit | None:
    """`a && b || true`, where `a` or `b` is what the image is made with."""
    for number, command in enumerate(commands[1:], 1):
        nothing = command.program in _SWALLOWS or (command.program == "exit" and [w.text for w in command.arguments] == ["0"])
        if command.before != "||" or not nothing or command.inside != commands[number - 1].inside or _in_condition(command):
            continue
        tried = _tried(commands[:number])
        if tried[0].program in _ASKS or any(one.before == "||" for one in tried):
            continue
        if weighty := next((one for one in tried[:-1] if _makes(one)), None):
            message = (
                f"|| {command.program} counts for all that is joined before it: the build goes on when {_name(weighty)} fails"
            )
            remedy = f"Put what may fail in brackets with its || {command.program}: ( ... || {command.program} )"
            return Hit(span=weighty.span, message=message, remedy=remedy)
        if _makes(tried[-1]) and tried[-1].program not in _COPIES and not _silenced(tried[-1]):
            message = f"the build goes on when {_name(tried[-1])} fails, because of || {command.program}"
            return Hit(
                span=tried[-1].span, message=message, remedy=f"Take || {command.program} out, or say what may fail and why"
            )
    return None


def _makes(command: Command) -> bool:
    if command.program == "chmod":
        return any(_EXECUTABLE.fullmatch(word.text) for word in command.arguments)
    return (_builds(command.program) or bool(_FETCHES.search(command.program))) and _weighs(command)


def _silenced(command: Command) -> bool:
    """Its errors are thrown away as well, so that it may fail on purpose."""
    return any(redirect.target and redirect.target.text == "/dev/null" for redirect in command.redirects)


def _tried(commands: Sequence[Command]) -> list[Command]:
    """The commands joined to the last one by && and ||."""
    found = [commands[-1]]
    for command in reversed(commands[:-1]):
        if command.after not in ("&&", "||") or command.inside != found[0].inside:
            break
        found.insert(0, command)
    return found


def _in_condition(command: Command) -> bool:
    return any(place in command.inside for place in ("if", "while", "substitution"))


def _name(command: Command) -> str:
    """The program and what it is told to do."""
    verb = next((word.text for word in command.arguments if word.text.isalpha()), "")
    return f"{command.program} {verb}".strip() if command.program in _WEIGHTY else command.program


@BACKGROUND_AMPERSAND.check(Dockerfile)
def ampersands(dockerfile: Dockerfile) -> Iterator[Hit]:
    """Commands that soon end, sent to the background in a RUN that does not wait for them."""
    for step in dockerfile.steps("RUN"):
        if any(command.program == "wait" for command in step.commands):
            continue
        for number, command in enumerate(step.commands):
            if command.after == "&" and command.program in _SHORT_LIVED and command.inside in _TOP and not command.wrappers:
                followed = number + 1 < len(step.commands)
                yield _ampersand(command, dockerfile.source, followed=followed)
                break


def _ampersand(command: Command, source: Source, *, followed: bool) -> Hit:
    found = _AMPERSAND.match(source.text, command.span[1])
    if found and followed:
        fix = Fix(what="write &&", edits=(Edit(*found.span(1), "&&"),))
        return Hit(span=found.span(1), message=f"& sends {_name(command)} to the background, and nothing waits for it", fix=fix)
    return Hit(
        span=command.span,
        message=f"& sends {_name(command)} to the background, where it is killed when the RUN ends",
        remedy="Take the & out",
    )
