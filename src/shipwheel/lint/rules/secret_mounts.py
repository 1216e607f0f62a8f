"""Secret mounts that the command beside them does not read."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from shipwheel.lint.dockerfile.stages import Dockerfile, Mount, Step
from shipwheel.lint.finding import Edit, Fix, Hit
from shipwheel.lint.rule import Rule
from shipwheel.lint.secrets import secret_name

SECRET_MOUNT_UNUSED = Rule(
    key="secret-mount-unused",
    severity="error",
    title="A secret is mounted and not read",
    why="The command runs without the secret: downloads of what is gated fail, or an older way around the mount is what works.",
    remedy="Read the file /run/secrets/ID, or name a variable in the mount: `--mount=type=secret,id=ID,env=NAME`",
    source="https://docs.docker.com/build/building/secrets/#target",
    fix="automatic",
)

_PATH = re.compile(r"/run/secrets/([\w.-]+)")
_VARIABLE = re.compile(r"(?<!\\)\$(?:\{(\w+)[^}]*\}|(\w+))")
_SYNTAX = re.compile(r"docker/dockerfile(?:-upstream)?:1\.(\d+)")
_PLAIN = re.compile(
    r"apt(?:-get)?|apk|yum|dnf|cat|cd|chmod|chown|cp|ln|ls|mv|rm|mkdir|touch|find|sed|tar|unzip|echo|printf|export|set|test|\[|true"
    r"|curl|wget|git|hf|huggingface-cli|npm|pip3?|uv|poetry|conda|mamba|python3?"
)
"""Programs that read nothing below /run/secrets by themselves; python only with -m or -c."""


@SECRET_MOUNT_UNUSED.check(Dockerfile)
def secret_mount_unused(dockerfile: Dockerfile) -> Iterator[Hit]:
    """Mounts of secrets that nothing in the RUN reads, where that is certain."""
    modern = _knows_env(dockerfile)
    for step in dockerfile.steps("RUN"):
        secrets = [mount for mount in step.mounts if mount.type == "secret"]
        texts = _texts(step)
        unread = [mount for mount in secrets if not _is_read(mount, texts)]
        for mount in unread:
            wanted = _wanted(step, texts, secrets)
            if not wanted and not _is_plain(step):
                continue
            fix = _fix(step, mount, wanted, modern) if len(unread) == 1 and len(wanted) == 1 else None
            reads = f", which reads {wanted[0]}" if wanted else ""
            yield Hit(span=mount.span, message=f"the secret {_id(mount)} is not read by the command{reads}", fix=fix)


def _id(mount: Mount) -> str:
    return mount.options.get("id") or posixpath.basename(mount.options.get("target", ""))


def _texts(step: Step) -> str:
    """What the RUN runs, heredocs too."""
    instruction = step.instruction
    return "\n".join((instruction.body.text, *(heredoc.body.text for heredoc in instruction.heredocs)))


def _is_read(mount: Mount, text: str) -> bool:
    """Whether the text names the file, its folder or the variable; who looks at another place reads it by itself."""
    options = mount.options
    if target := options.get("target"):
        return not target.startswith("/run/secrets/") or target in text
    if env := options.get("env"):
        return env in text or not secret_name(env) or not _VARIABLE.search(text)
    return re.search(rf"/run/secrets/?(?:{re.escape(_id(mount))}\b|[\s\"'*$;&|)]|$)", text) is not None


def _wanted(step: Step, text: str, secrets: list[Mount]) -> list[str]:
    """Files below /run/secrets and secret variables that the text reads and nothing gives."""
    mounted = {_id(mount) for mount in secrets}
    files = [f"/run/secrets/{name}" for name in dict.fromkeys(_PATH.findall(text)) if name not in mounted]
    given = {mount.options.get("env") for mount in secrets}
    given |= {assignment.name for command in step.commands for assignment in command.assignments}
    names = dict.fromkeys(match[1] or match[2] for match in _VARIABLE.finditer(text))
    declared = {name.text for other in step.stage.all_steps for name, _ in other.instruction.pairs if other.span < step.span}
    return files + [f"${name}" for name in names if secret_name(name) and name not in given | declared]


def _is_plain(step: Step) -> bool:
    """Whether every command is known to read no mounted secrets by itself."""
    commands = [command for command in step.commands if command.program]
    return bool(commands) and all(
        _PLAIN.fullmatch(command.program)
        and (not command.program.startswith("python") or any(word.text == "-m" for word in command.arguments[:2]))
        for command in commands
    )


def _fix(step: Step, mount: Mount, wanted: list[str], modern: bool) -> Fix | None:
    name = wanted[0].lstrip("$")
    if wanted[0].startswith("$"):
        if not modern or "env" in mount.options or "target" in mount.options or not _same(_id(mount), name):
            return None
        return Fix(what=f"give it as ${name}", edits=(Edit(mount.span[1], mount.span[1], f",env={name}"),))
    read = posixpath.basename(wanted[0])
    body = step.instruction.body
    if "target" in mount.options or "env" in mount.options or not _same(_id(mount), read) or body.text.count(wanted[0]) != 1:
        return None
    at = body.text.index(wanted[0])
    start, end = body.span(at, at + len(wanted[0]))
    return Fix(what=f"read /run/secrets/{_id(mount)}", edits=(Edit(start, end, f"/run/secrets/{_id(mount)}"),))


def _same(one: str, other: str) -> bool:
    """Whether two names mean the same secret: hf_token, HF-TOKEN, hf_token.txt."""
    return _bare(one) == _bare(other)


def _bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower().removesuffix(".txt"))


def _knows_env(dockerfile: Dockerfile) -> bool:
    """Whether the Dockerfile's syntax has env= (1.10 of the frontend); what the engine brings counts as recent."""
    syntax = dict(dockerfile.parsed.directives).get("syntax", "")
    pinned = _SYNTAX.search(syntax)
    return int(pinned[1]) >= 10 if pinned else True
