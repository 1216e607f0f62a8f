"""Caches of package managers: those that stay in layers, and mounts for them that nothing uses."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from shipwheel.lint.dockerfile.stages import Dockerfile, Mount, Step
from shipwheel.lint.edits.chains import after_word, appended, in_place, text_of, without, without_words
from shipwheel.lint.finding import Edit, Fix, Hit
from shipwheel.lint.packages.installs import Install
from shipwheel.lint.rule import Rule
from shipwheel.lint.shell.command import Command
from shipwheel.lint.wording import called

_CONFIGURED = re.compile(r"global\.no-cache-dir|\bno-cache-dir\s*=|^\s*no-cache\s*=\s*true", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tool:
    """A package manager with a cache: how it is told to keep none, and how its cache is called in paths."""

    name: str
    options: tuple[str, ...]
    variables: tuple[str, ...]
    folder: str
    path: str
    """The variable that says where the cache lies."""
    cleans: tuple[str, ...]
    """Subcommands that empty it: all of them must be among a command's words."""
    remedy: str


_PIP = _Tool(
    name="pip",
    options=("--no-cache-dir", "--no-cache", "--no-index"),
    variables=("PIP_NO_CACHE_DIR",),
    folder="pip",
    path="PIP_CACHE_DIR",
    cleans=("cache", "purge"),
    remedy="Write `pip install --no-cache-dir`, or mount a cache: `RUN --mount=type=cache,target=/root/.cache/pip`",
)
_UV = _Tool(
    name="uv",
    options=("--no-cache", "-n", "--no-cache-dir"),
    variables=("UV_NO_CACHE",),
    folder="uv",
    path="UV_CACHE_DIR",
    cleans=("cache", "clean"),
    remedy="Write `--no-cache`, or mount a cache: `RUN --mount=type=cache,target=/root/.cache/uv`",
)
_CONDA = _Tool(
    name="conda",
    options=("--dry-run",),
    variables=(),
    folder="pkgs",
    path="CONDA_PKGS_DIRS",
    cleans=("clean",),
    remedy="End the same RUN with `&& conda clean -afy`",
)
_POETRY = _Tool(
    name="poetry",
    options=("--no-cache",),
    variables=(),
    folder="pypoetry",
    path="POETRY_CACHE_DIR",
    cleans=("cache", "clear"),
    remedy="Mount a cache: `RUN --mount=type=cache,target=/root/.cache/pypoetry`",
)
_PIPENV = _Tool(
    name="pipenv",
    options=("--clear",),
    variables=("PIP_NO_CACHE_DIR",),
    folder="pipenv",
    path="PIPENV_CACHE_DIR",
    cleans=("--clear",),
    remedy="Mount a cache: `RUN --mount=type=cache,target=/root/.cache/pipenv`",
)


_OTHER_CACHES = frozenset(
    (
        "apt",
        "archives",
        "apk",
        "dnf",
        "yum",
        "npm",
        "huggingface",
        *(one.folder for one in (_PIP, _UV, _CONDA, _POETRY, _PIPENV)),
    )
)
"""How folders are called that are the cache of one tool alone."""


def _tool_of(install: Install) -> _Tool | None:
    if install.manager == "uv" or install.tool == "uv":
        return _UV
    return {"pip": _PIP, "conda": _CONDA, "poetry": _POETRY, "pipenv": _PIPENV}.get(install.manager)


PIP_CACHE = Rule(
    key="pip-cache",
    severity="warning",
    title="pip, uv, conda or poetry leaves its cache in the layer",
    why="The cache holds every wheel a second time, for a machine on which nobody will install anything again.",
    remedy=_PIP.remedy,
    source="https://pip.pypa.io/en/stable/topics/caching/",
    fix="automatic",
)


@PIP_CACHE.check(Dockerfile)
def cache_stays(dockerfile: Dockerfile) -> Iterator[Hit]:
    """Installs of stages that are kept, with a cache that nothing takes out of the layer."""
    for stage in dockerfile.kept:
        configured = any(_CONFIGURED.search(text_of(step)) for one in stage.lineage for step in one.steps)
        for step in stage.steps:
            for tool in (_PIP, _UV, _CONDA, _POETRY, _PIPENV):
                found = [one for one in step.installs if _tool_of(one) is tool and _caches(one)]
                keeping = [one for one in found if not _off(one, tool, step)]
                if keeping and not (configured and tool is _PIP) and not _outside(step, tool) and not _emptied(step, tool):
                    yield _kept(step, tool, keeping)


def _caches(install: Install) -> bool:
    return install.action in ("install", "sync", "create", "update", "add") and install.option("--dry-run") is None


def _off(install: Install, tool: _Tool, step: Step) -> bool:
    """Whether an option or a variable says that there is to be no cache.

    For pip any value says so, "0" and "false" too: its no-cache-dir has no opposite.
    """
    if any(install.command.has(option) for option in tool.options):
        return True
    return any(_set(step, name) for name in tool.variables)


def _set(step: Step, name: str) -> bool:
    """A variable of ENV, ARG or the RUN itself that is not empty; pip reads any value, uv those of a yes."""
    inside = [one.value.text for command in step.commands for one in command.assignments if one.name == name]
    value = (inside or [step.variables.get(name, "")])[-1]
    return bool(value) and (name.startswith("PIP") or value.lower() not in ("0", "false", "no", "off", "f", "n"))


def _outside(step: Step, tool: _Tool) -> bool:
    """Whether the cache lies on a mount."""
    place = step.variables.get(tool.path, "")
    targets = [mount.options.get("target", "").rstrip("/") for mount in step.mounts if mount.type in ("cache", "tmpfs")]
    return any(
        tool.folder in target
        or (place and place.startswith(target))
        or ("cache" in target and target.rpartition("/")[2] not in _OTHER_CACHES)
        for target in targets
    )


def _emptied(step: Step, tool: _Tool) -> bool:
    """Whether the same RUN removes it."""
    place = step.variables.get(tool.path, "")
    for command in step.commands:
        words = {word.text for word in command.words}
        if command.program in ("rm", "find") and any(_names_cache(text, tool, place) for text in words):
            return True
        if (tool.name in command.program or command.program in ("mamba", "micromamba")) and set(tool.cleans) <= words:
            return True
    return tool is _UV and re.search(r"\buv cache prune\b", text_of(step)) is not None


def _names_cache(text: str, tool: _Tool, place: str) -> bool:
    if text in ("/root", "/root/", "/root/*"):
        return True
    return ".cache" in text or f"/{tool.folder}" in text or tool.path in text or (bool(place) and text.startswith(place))


def _kept(step: Step, tool: _Tool, installs: list[Install]) -> Hit:
    spots = [word.span for one in installs if (word := next((w for w in one.command.arguments if _is_action(w.text)), None))]
    edits: tuple[Edit, ...] = ()
    if tool in (_PIP, _UV):
        edits = after_word(tool.options[0], [spot for spot in spots if in_place(step, spot)])
    elif tool is _CONDA and not installs[-1].command.inside:
        program = installs[-1].command.words[0]
        name = step.instruction.body.source.text[slice(*program.span)] if in_place(step, program.span) else program.text
        edits = appended(step, f"{name} clean -afy")
    return Hit(
        span=installs[0].command.span,
        message=f"{called(installs[0])} leaves its cache in the layer",
        remedy=_remedy(step, tool),
        fix=Fix(what="keep no cache", edits=edits) if edits else None,
    )


def _remedy(step: Step, tool: _Tool) -> str:
    """Mounts lie in the home of root: another user is told what he can do without one."""
    root = step.user.partition(":")[0] in ("", "root", "0")
    if root or "--mount" not in tool.remedy:
        return tool.remedy
    return f"Write `{tool.name} {tool.options[0]}`" if tool is _POETRY or tool is _PIPENV else tool.remedy.split(", or")[0]


def _is_action(text: str) -> bool:
    return text in ("install", "sync", "add")


CACHE_MOUNT_USELESS = Rule(
    key="cache-mount-useless",
    severity="warning",
    title="A cache mount that stays empty or that nobody reads",
    why="The build downloads everything again each time, as if the mount were not there.",
    remedy="Let the package manager use the mount: no --no-cache-dir, no rm of what it holds, and the path that it uses",
    source="https://docs.docker.com/build/cache/optimize/#use-cache-mounts",
    fix="automatic",
)

Reason = Callable[[Step, Mount], Hit | None]


@CACHE_MOUNT_USELESS.check(Dockerfile)
def useless_mounts(dockerfile: Dockerfile) -> Iterator[Hit]:
    """Cache mounts of RUNs that install; one reason for each RUN."""
    for step in dockerfile.steps("RUN"):
        mounts = [mount for mount in step.mounts if mount.type == "cache" and "$" not in (mount.options.get("target") or "$")]
        hits = (hit for mount in mounts for reason in _REASONS if (hit := reason(step, mount)))
        if first := next(hits, None):
            yield first


def _target(mount: Mount) -> str:
    return mount.options["target"].rstrip("/")


def _switched_off(step: Step, mount: Mount) -> Hit | None:
    """The cache of pip or uv, with every command told not to use one."""
    for tool in (_PIP, _UV):
        mine = [one for one in step.installs if _tool_of(one) is tool and _caches(one)]
        exact = _target(mount).endswith(f"/{tool.folder}") or _target(mount) == step.variables.get(tool.path, "").rstrip("/")
        whole = _target(mount).endswith("/.cache") and len(mine) == len(step.commands)
        if not mine or not (exact or whole) or not all(_off(one, tool, step) for one in mine):
            continue
        words = [
            word for one in mine for word in one.command.arguments if word.text in tool.options and word.text != "--no-index"
        ]
        by_variable = any(_set(step, name) for name in tool.variables)
        edits = () if by_variable else without_words(step, [word.span for word in words])
        said = tool.variables[0] if by_variable else tool.options[0]
        return Hit(
            span=mount.span,
            message=f"{said} keeps {tool.name} from using the cache that is mounted",
            remedy=f"Take {said} out, or the mount",
            fix=Fix(what=f"take {said} out", edits=edits) if edits else None,
        )
    return None


def _swept(step: Step, mount: Mount) -> Hit | None:
    """What the mount holds is removed in the same RUN."""
    for command in step.commands:
        if _sweeps(command, _target(mount)):
            said = " ".join(word.text for word in command.words[:4])
            edits = without(step, command) if _only_sweeps(command, step) else ()
            return Hit(
                span=command.span,
                message=f"{said} empties the cache that is mounted at {_target(mount)}",
                remedy="Take the command out: what lies in a mount is in no layer",
                fix=Fix(what="do not empty the mount", edits=edits) if edits else None,
            )
    return None


def _sweeps(command: Command, target: str) -> bool:
    words = [word.text for word in command.words]
    if command.program == "rm":
        return any(_inside(text, target) for text in words[1:] if not text.startswith("-"))
    if command.program in ("apt-get", "apt"):
        return "clean" in words and _inside("/var/cache/apt/archives", target)
    if command.program.startswith(("pip", "uv")):
        return words[1:3] in (["cache", "purge"], ["cache", "clean"]) and target.endswith(
            (f"/{command.program[:3]}", "/uv", "/.cache")
        )
    return False


def _inside(path: str, target: str) -> bool:
    """Whether removing a path empties the mount: the mount itself, all in it, or a cache that it holds."""
    plain = path.replace("~", "/root", 1).rstrip("/*")
    return plain == target or (
        plain.startswith(f"{target}/") and plain.rpartition("/")[2] in ("lists", "archives", "apt", "pip", "uv")
    )


def _only_sweeps(command: Command, step: Step) -> bool:
    """Whether everything that a command removes lies in mounts."""
    targets = [_target(mount) for mount in step.mounts if mount.type == "cache" and "target" in mount.options]
    paths = [word.text for word in command.arguments if not word.text.startswith("-")]
    return command.program != "rm" or all(any(_inside(path, target) for target in targets) for path in paths)


def _docker_clean(step: Step, mount: Mount) -> Hit | None:
    """Debian's and Ubuntu's images remove downloaded packages after each install, by a file of apt's configuration."""
    stage = step.stage
    archives = _target(mount) in ("/var/cache/apt", "/var/cache/apt/archives", "/var/cache")
    if not archives or not any(one.manager == "apt" for one in step.installs):
        return None
    if stage.facts.distribution not in ("debian", "ubuntu"):
        return None
    if any(re.search(r"docker-clean|Keep-Downloaded|apt\.conf\.d", text_of(one)) for one in stage.all_steps):
        return None
    return Hit(
        span=mount.span,
        message=f"/etc/apt/apt.conf.d/docker-clean of the base removes each package that apt puts into {_target(mount)}",
        remedy="Remove that file before: `RUN rm -f /etc/apt/apt.conf.d/docker-clean`",
    )


def _tilde(step: Step, mount: Mount) -> Hit | None:
    """BuildKit takes ~ for the name of a folder."""
    if not _target(mount).startswith("~"):
        return None
    source = step.instruction.body.source
    start, end = mount.span
    at = source.text.find("~", start, end)
    root = step.user in ("root", "0") or (not step.user and bool(step.stage.facts.distribution) and not step.stage.facts.user)
    return Hit(
        span=mount.span,
        message="~ is no home in a mount: the cache lies in a folder of that name",
        remedy="Write the whole path, such as /root/.cache/pip",
        fix=Fix(what="write the path", edits=(Edit(at, at + 1, "/root"),)) if root and at >= 0 else None,
    )


def _foreign(step: Step, mount: Mount) -> Hit | None:
    """A home that is not the user's, or a mount that belongs to root where another user runs."""
    if not any(_tool_of(one) in (_PIP, _UV) for one in step.installs) or _told(step.variables, _target(mount)):
        return None
    facts = step.stage.facts
    user = step.user.partition(":")[0] or (facts.user if facts.distribution else "?") or "root"
    target = _target(mount)
    if "$" in user or user == "?" or any(command.wrappers for command in step.commands) or "cache" not in target:
        return None
    if user in ("root", "0"):
        moved = "HOME" in step.env and target.startswith("/root/")
        return (
            _elsewhere(mount, "root", f"{step.env.get('HOME', '/root')}/.cache")
            if moved or target.startswith("/home/")
            else None
        )
    if target.startswith("/root/"):
        return _elsewhere(mount, user, "the user's own home")
    if {"uid", "mode"} & set(mount.options):
        return None
    return Hit(
        span=mount.span,
        message=f"the cache at {target} belongs to root, and {user} cannot write into it",
        remedy="Add `uid=` with the user's number to the mount",
    )


def _told(variables: Mapping[str, str], target: str) -> bool:
    """Whether a variable sends a cache to the mount."""
    given = [variables.get(name, "").rstrip("/") for name in ("HOME", "XDG_CACHE_HOME", _PIP.path, _UV.path)]
    return any(value.startswith(("$", target)) or (value and target.startswith(f"{value}/")) for value in given)


def _elsewhere(mount: Mount, user: str, home: str) -> Hit:
    return Hit(
        span=mount.span,
        message=f"{user} does not keep its cache in {_target(mount)}",
        remedy=f"Mount the cache where it is: in {home}",
    )


_REASONS: tuple[Reason, ...] = (_switched_off, _swept, _docker_clean, _tilde, _foreign)
