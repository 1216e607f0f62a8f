"""Commands of docker and its kin in scripts, CI, documents and Makefiles."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain

from shipwheel.lint.dockerfile.stages import Dockerfile
from shipwheel.lint.files.subjects import Script, Workflow
from shipwheel.lint.files.yaml import walk
from shipwheel.lint.finding import Edit, Fix, Hit
from shipwheel.lint.images.names import parse_image
from shipwheel.lint.packages.image_scripts import shell_parts
from shipwheel.lint.packages.lines import install_of
from shipwheel.lint.rule import Rule
from shipwheel.lint.rules.instruction_traps import INLINE_COMMENT
from shipwheel.lint.serving.sharing import has_torch, needs_none, splits_model, trains
from shipwheel.lint.serving.visible import beyond, devices_given
from shipwheel.lint.shell.command import Command
from shipwheel.lint.shell.docker import DockerCall, Option, docker_call

PRUNE_VOLUMES = Rule(
    key="prune-volumes",
    severity="warning",
    title="Volumes are pruned",
    why="Volumes hold databases, models and caches; what no container uses at that moment is gone for good.",
    remedy="Remove what you mean by name, `docker volume rm NAME`, after `docker volume ls --filter dangling=true`",
    source="https://docs.docker.com/reference/cli/docker/volume/prune/",
    fix="none",
)

APT_KEY = Rule(
    key="apt-key",
    severity="warning",
    title="apt-key is retired",
    why="Debian 12 is the last release that has apt-key, and a key added with it vouches for every repository.",
    remedy="Write the key to /etc/apt/keyrings/NAME.asc and name it: `deb [signed-by=/etc/apt/keyrings/NAME.asc] URL`",
    source="https://manpages.debian.org/bookworm/apt/apt-key.8.en.html",
)

NVIDIA_DOCKER2 = Rule(
    key="nvidia-docker2",
    severity="warning",
    title="nvidia-docker is retired",
    why="nvidia-docker was archived in January 2024; its packages get no releases, and new distributions have none.",
    remedy="Install nvidia-container-toolkit (nvidia.github.io/libnvidia-container) and use `docker run --gpus all`",
    source="https://github.com/NVIDIA/nvidia-docker",
)

SECRET_CLI_SYNTAX = Rule(
    key="secret-cli-syntax",
    severity="error",
    title="--secret is not given as id=NAME,src=FILE",
    why="`docker build` refuses a secret with a key that it does not know.",
    remedy="Write `--secret id=NAME,src=FILE` or `--secret id=NAME,env=VARIABLE`",
    source="https://docs.docker.com/reference/cli/docker/buildx/build/#secret",
    fix="automatic",
)

CUDA_VISIBLE_WITH_DEVICE = Rule(
    key="cuda-visible-with-device",
    severity="error",
    title="CUDA_VISIBLE_DEVICES names a GPU that the container does not have",
    why="Inside a container GPUs are numbered from 0; an index beyond hides the GPU; the program runs on the CPU or fails.",
    remedy="Choose GPUs outside, with `--gpus '\"device=1\"'`, and leave CUDA_VISIBLE_DEVICES out (or count from 0)",
    source="https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/docker-specialized.html",
)

DOCKER_RUN_NO_SHM = Rule(
    key="docker-run-no-shm",
    severity="warning",
    title="Training with torch has 64 MB of shared memory",
    why="Workers of a DataLoader and NCCL pass tensors through /dev/shm; its 64 MB end in bus errors amid training.",
    remedy="Add `--shm-size=8g` (or `--ipc=host`)",
    source="https://github.com/pytorch/pytorch#docker-image",
)

DOCKER_SCAN = Rule(
    key="docker-scan",
    severity="warning",
    title="docker scan is gone",
    why="`docker scan` was removed in April 2023; the command fails, and nothing is checked.",
    remedy="Use `docker scout cves IMAGE`",
    source="https://docs.docker.com/scout/",
    fix="automatic",
)

BUILDKIT_DEFAULT = Rule(
    key="buildkit-default",
    severity="info",
    title="DOCKER_BUILDKIT=1 says what is so anyway",
    why="BuildKit is the default builder since Docker Engine 23.0; the variable only hides that.",
    remedy="Leave DOCKER_BUILDKIT=1 out",
    source="https://docs.docker.com/build/buildkit/#getting-started",
)

_RETIRED_REPOSITORY = "nvidia.github.io/nvidia-docker"
_CONTINUED = re.compile(r"^[^#\"'\n]*[ \t](?P<end>\\[ \t]+#[^\n\r]*)", re.MULTILINE)
"""Quotes before it may be open, and # in one is no comment: nothing is said then."""
_KEY = re.compile(r"[A-Za-z][\w-]{0,30}")
_SECRET_KEYS = frozenset({"id", "src", "source", "env", "type"})


@PRUNE_VOLUMES.check(Script)
def prune_volumes(script: Script) -> Iterator[Hit]:
    """Unused volumes are removed without a question, or named ones too; a runner of CI has none to lose but its own."""
    for call in _calls(script.commands):
        if call.verb == ("system", "prune") and call.has("--volumes") and script.kind != "workflow":
            message = "docker system prune --volumes removes the anonymous volumes that no container uses, never named ones"
        elif call.verb == ("volume", "prune") and (call.has("-a", "--all") or "all=1" in call.values("--filter")):
            message = "docker volume prune -a removes every named volume that no container uses at that moment"
        elif call.verb == ("volume", "prune") and call.has("-f", "--force"):
            message = "docker volume prune -f removes anonymous volumes that no container uses, without a question"
        else:
            continue
        yield Hit(span=call.verb_words[-1].span, message=message)


_LOOKS = ("--export", "--list-keys", "--fingerprint", "--list-public-keys", "--delete-key", "--delete-keys")
"""What `apt-key adv` does with keys that are there."""


@APT_KEY.check(Script, Dockerfile)
def apt_key(subject: Script | Dockerfile) -> Iterator[Hit]:
    """Keys that are added; taking one away (`apt-key del`) is what NVIDIA told people to do in 2022."""
    for command in chain.from_iterable(shell_parts(subject)):
        words = [word.text for word in command.arguments]
        apart = words[:1] == ["--keyring"]
        verb = next((text for text in words[2 if apart else 0 :] if not text.startswith("-")), "")
        brings = verb in ("add", "adv", "update", "net-update") and not command.has(*_LOOKS)
        if command.program == "apt-key" and brings:
            what = "is in no release after Debian 12" if apart else "adds a key that every repository may use"
            yield Hit(span=command.words[0].span, message=f"apt-key {verb} {what}")


@NVIDIA_DOCKER2.check(Script, Dockerfile)
def nvidia_docker2(subject: Script | Dockerfile) -> Iterator[Hit]:
    """A script or a RUN installs or calls nvidia-docker."""
    for commands in shell_parts(subject):
        yield from _nvidia_docker(commands)


def _nvidia_docker(commands: Iterable[Command]) -> Iterator[Hit]:
    """The package where it is installed, else its repository; and every call of the program."""
    packages: list[Hit] = []
    addresses: list[Hit] = []
    for command in commands:
        install = install_of(command)
        wanted = [one for one in install.packages if one.name in ("nvidia-docker2", "nvidia-docker")] if install else []
        packages += [Hit(span=one.span, message=f"{one.name} is installed") for one in wanted]
        if command.program in ("curl", "wget", "add-apt-repository"):
            words = [word for word in command.arguments if _RETIRED_REPOSITORY in word.text]
            message = f"{_RETIRED_REPOSITORY} is the repository of nvidia-docker"
            addresses += [Hit(span=word.span, message=message) for word in words]
        elif command.program == "nvidia-docker":
            yield Hit(span=command.words[0].span, message="nvidia-docker starts the container")
    yield from (packages or addresses)[:1]


@SECRET_CLI_SYNTAX.check(Script)
def secret_cli_syntax(script: Script) -> Iterator[Hit]:
    """A secret of a build has fields that Docker does not know."""
    for call in _calls(script.commands):
        if call.verb == ("build",):
            for option in call.options:
                if option.name == "--secret" and (hit := _secret(script, option)):
                    yield hit


def _secret(script: Script, option: Option) -> Hit | None:
    fields = [field.partition("=") for field in option.value.split(",")]
    unknown = next(((name, value) for name, _, value in fields if name.strip().lower() not in _SECRET_KEYS), None)
    if unknown is None or not option.value or "$" in "".join(name for name, _, _ in fields):
        return None
    name, value = unknown
    what = f"has the key {name}" if _KEY.fullmatch(name) and value.strip("=") else "has a field without a key"
    fix = _secret_fix(script, option) if len(fields) == 1 else None
    return Hit(span=option.word.span, message=f"--secret {what}; Docker knows id, src, env and type", fix=fix)


def _secret_fix(script: Script, option: Option) -> Fix | None:
    """`--secret NAME=FILE` becomes `--secret id=NAME,src=FILE`."""
    start, end = option.word.span
    name, equals, path = option.value.partition("=")
    at = script.source.text.find(f"{name}=", start, end)
    if not equals or at < 0 or not path.strip("="):
        return None
    edit = Edit(at, at + len(name) + 1, f"id={name},src=")
    return Fix(what="write id= and src=", edits=(edit,))


@CUDA_VISIBLE_WITH_DEVICE.check(Script)
def cuda_visible_with_device(script: Script) -> Iterator[Hit]:
    """`docker run --gpus device=1 -e CUDA_VISIBLE_DEVICES=1`."""
    for call in _runs(script.commands):
        nvidia = call.environment.get("NVIDIA_VISIBLE_DEVICES", "all")
        told = [*call.values("--gpus"), *([f"device={nvidia}"] if nvidia != "all" else [])]
        given = next((devices_given(value) for value in told), None)
        index = beyond(call.environment.get("CUDA_VISIBLE_DEVICES", ""), given)
        option = next((one for one in call.options if one.value.startswith("CUDA_VISIBLE_DEVICES=")), None)
        if index and option:
            message = f"CUDA_VISIBLE_DEVICES asks for GPU {index}, and the container has {gpus(given or 0)}"
            yield Hit(span=option.word.span, message=message)


def gpus(count: int) -> str:
    """How many GPUs a container has, in words."""
    return "one GPU, number 0" if count == 1 else f"{count} GPUs, numbered from 0"


@DOCKER_RUN_NO_SHM.check(Script)
def docker_run_no_shm(script: Script) -> Iterator[Hit]:
    """A container for training on GPUs is started with the shared memory of every container."""
    for call in _runs(script.commands):
        if not call.operands or not call.certain or not _has_gpus(call) or _has_shm(call):
            continue
        image = parse_image(call.operands[0].text)
        words = [word.text for word in call.operands[1:]]
        trained = trains(words) and not needs_none(image)
        if splits_model(image) or trained or (has_torch(image) and (not words or words[0] in _INTERACTIVE)):
            message = f"{call.operands[0].text} runs on GPUs without --shm-size or --ipc=host"
            yield Hit(span=call.verb_words[-1].span, message=message)


_INTERACTIVE = frozenset({"bash", "sh", "/bin/bash", "/bin/sh", "zsh", "jupyter", "jupyter-lab", "jupyter-notebook"})


def _has_gpus(call: DockerCall) -> bool:
    runtime = "nvidia" in call.values("--runtime") or call.command.program == "nvidia-docker"
    return bool(call.values("--gpus")) or runtime or any("nvidia.com/gpu" in value for value in call.values("--device"))


def _has_shm(call: DockerCall) -> bool:
    shared = any(value == "host" or value.startswith("container:") or "$" in value for value in call.values("--ipc"))
    mounted = call.values("-v", "--volume", "--mount", "--tmpfs")
    return shared or bool(call.values("--shm-size")) or any("/dev/shm" in value for value in mounted)


@DOCKER_SCAN.check(Script)
def docker_scan(script: Script) -> Iterator[Hit]:
    """A script scans with the command that was removed."""
    for call in _calls(script.commands):
        if call.verb == ("scan",) and call.command.program == "docker":
            start, end = call.verb_words[0].span
            plain = len(call.operands) == 1 and not call.options and script.source.text[start:end] == "scan"
            fix = Fix(what="use docker scout cves", edits=(Edit(start, end, "scout cves"),)) if plain else None
            yield Hit(span=(start, end), message="docker scan was removed from Docker", fix=fix)


@BUILDKIT_DEFAULT.check(Script)
def buildkit_default(script: Script) -> Iterator[Hit]:
    """DOCKER_BUILDKIT is set to 1."""
    for command in script.commands:
        for assignment in command.assignments:
            if assignment.name == "DOCKER_BUILDKIT" and assignment.value.text == "1":
                yield Hit(span=assignment.span, message="DOCKER_BUILDKIT=1 is the default since Docker 23.0")


@BUILDKIT_DEFAULT.check(Workflow)
def buildkit_in_workflow(workflow: Workflow) -> Iterator[Hit]:
    """DOCKER_BUILDKIT is set to 1 for a workflow, a job or a step."""
    for node in walk(workflow.root):
        for key in ("env", "variables"):
            setting = node.get(key, "DOCKER_BUILDKIT")
            if setting and setting.text == "1":
                yield Hit(
                    span=(setting.key_span[0], setting.span[1]), message="DOCKER_BUILDKIT=1 is the default since Docker 23.0"
                )


@INLINE_COMMENT.check(Script)
def comments_behind_continuations(script: Script) -> Iterator[Hit]:
    """A backslash with a comment behind it, which ends the command there."""
    for block in script.blocks:
        for found in _CONTINUED.finditer(block.text):
            yield Hit(
                span=block.span(*found.span("end")),
                message="the backslash before the comment is not the end of the line, so the command ends here",
                remedy="Put the comment above the command",
            )


def _calls(commands: Iterable[Command]) -> Iterator[DockerCall]:
    return (call for command in commands if (call := docker_call(command)))


def _runs(commands: Iterable[Command]) -> Iterator[DockerCall]:
    return (call for call in _calls(commands) if call.verb in (("run",), ("create",)))
