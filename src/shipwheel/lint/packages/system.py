"""Commands of a distribution's package manager in a RUN: what they do, where, and what they leave."""

from __future__ import annotations

import re

from shipwheel.lint.dockerfile.stages import Step
from shipwheel.lint.packages.installs import Install
from shipwheel.lint.source import Span

_LISTS = re.compile(r"(?<![\w.-])apt/lists(?!/?\{[^*]*\}$)|apt/[list]*\*|/var/lib/apt/?$|/var/lib/(?:apt/)?(?:\{|\*)")
_CLEANER = re.compile(r"clean", re.IGNORECASE)

_HARMLESS = frozenset(
    (
        *("apt-get", "apt", "apt-cache", "add-apt-repository", "apt-add-repository"),
        *("rm", "echo", "set", "export", "sed", "mkdir", "cp", "mv", "ln", "cat", "tee", "true", ""),
    )
)
"""Programs that need no package lists; with apt's other actions beside update."""


def installs_of(step: Step, manager: str, *actions: str) -> list[Install]:
    """Those of one manager, of all actions or of these."""
    return [one for one in step.installs if one.manager == manager and (not actions or one.action in actions)]


def off_layer(step: Step, *targets: str) -> bool:
    """Whether one of these folders, or one above it, is a mount that no layer keeps."""
    found = [mount.options.get("target", "").rstrip("/") for mount in step.mounts if mount.type in ("cache", "tmpfs")]
    return any(target == path or target.startswith(f"{path}/") for target in targets for path in found if path)


def sudo(install: Install) -> str:
    """What stands before a command that is to run as this one does."""
    return "sudo " if any(word.text == "sudo" for word in install.command.wrappers) else ""


def action_span(install: Install) -> Span:
    """The place of the subcommand, such as install."""
    names = {"install": ("install", "add", "reinstall", "localinstall"), "group": ("groupinstall",)}.get(install.action, ())
    word = next((one for one in install.command.arguments if one.text in names), None)
    return (word or install.command.words[-1]).span if install.action in ("install", "group") else verb_span(install)


def verb_span(install: Install) -> Span:
    """The first argument that is no option."""
    return next((one.span for one in install.command.arguments if not one.text.startswith("-")), install.command.span)


def lists_removed(step: Step, update: Install) -> bool:
    """Whether something behind the last update removes them, or is a script that says it cleans."""
    for command in step.commands:
        if command.span[0] <= update.command.span[0]:
            continue
        texts = [word.text for word in command.words]
        if command.program in ("rm", "find") and any(_LISTS.search(text) for text in texts):
            return True
        if command.program in ("apt-get", "apt") and {"distclean", "dist-clean"} & set(texts):
            return True
        if texts and _CLEANER.search(texts[0]):
            return True
    return False


def only_updates(step: Step) -> bool:
    """Whether a RUN fetches lists and does nothing that needs them."""
    if step.keyword != "RUN" or not installs_of(step, "apt", "update") or off_layer(step, "/var/lib/apt/lists"):
        return False
    if {one.action for one in step.installs} != {"update"} or lists_removed(step, installs_of(step, "apt", "update")[-1]):
        return False
    return all(command.program in _HARMLESS and not command.inside for command in step.commands)


def needs_lists(step: Step) -> bool:
    """Whether a RUN installs before it updates, if it does: from lists of an earlier layer."""
    first = next((one for one in installs_of(step, "apt", "install", "update", "build-dep")), None)
    return first is not None and first.action != "update" and not first.command.has("--update")


def leaves_lists(step: Step) -> list[Install]:
    """The commands of a RUN that fetch package lists, where these stay in the layer."""
    updates = [one for one in installs_of(step, "apt") if one.action == "update" or one.command.has("--update")]
    stay = updates and not off_layer(step, "/var/lib/apt/lists") and not lists_removed(step, updates[-1])
    return updates if stay else []


def removes_lists(step: Step) -> bool:
    """Whether no package lists lie there behind a RUN that removes them, those of earlier layers neither."""
    if updates := installs_of(step, "apt", "update"):
        return lists_removed(step, updates[-1])
    named = (word.text for command in step.commands if command.program == "rm" for word in command.arguments)
    return not off_layer(step, "/var/lib/apt/lists") and any(map(names_lists, named))


def names_lists(path: str) -> bool:
    """Whether removing a path removes the package lists."""
    return _LISTS.search(path) is not None
