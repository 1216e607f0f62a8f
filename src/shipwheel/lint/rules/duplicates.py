"""Files that lie in two layers, or in one that nobody sees any more."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch

from shipwheel.lint.context.copying import in_context, tidy
from shipwheel.lint.context.folder import BuildContext
from shipwheel.lint.context.running import SYSTEM
from shipwheel.lint.dockerfile.stages import Dockerfile, Stage, Step, in_folder
from shipwheel.lint.edits.chains import text_of, without_words
from shipwheel.lint.finding import Edit, Fix, Hit
from shipwheel.lint.packages.system import installs_of, leaves_lists, names_lists
from shipwheel.lint.rule import Rule
from shipwheel.lint.shell.command import Command
from shipwheel.lint.source import Span
from shipwheel.lint.wording import listed

_HEAVY = re.compile(
    r"\.(?:tar|t?gz|tgz|bz2|xz|zst|zip|7z|whl|deb|rpm|apk|run|bin|iso|exe|jar|so|a|csv|tsv|parquet|npy|npz|h5|hdf5|pkl|pickle|joblib"
    r"|pt|pth|ckpt|onnx|gguf|safetensors|pb|tflite|engine|mp4|wav)$|(?:conda|forge)[^/]*\.sh$",
    re.IGNORECASE,
)
"""Names of what may weigh something, such as conda's installers; other scripts and settings are a few kB."""

_SMALL_BYTES = 1 << 20

_KEY = re.compile(
    r"id_rsa|id_ed25519|netrc|npmrc|pypirc|\.pem$|\.key$|credential|secret|token|\.ssh|(?:^|/)\.env", re.IGNORECASE
)
"""What another rule is about."""

_CACHES = re.compile(r"/var/lib/apt|/var/cache|\.cache|/root/\.(?:npm|conda)|/pkgs\b")
"""What the rules on caches are about."""


def _paths(step: Step, command: Command) -> Iterator[str]:
    """The operands of a command, absolute; relative ones only where the folder is known."""
    moved = any(one.program == "cd" and one.span < command.span for one in step.commands)
    for word in command.arguments:
        path = _from_home(step, word.text)
        if word.known and not path.startswith("-") and (path.startswith("/") or (step.workdir and not moved)):
            yield in_folder(step.workdir, path)


def _from_home(step: Step, path: str) -> str:
    """The path with ~ for the home folder written out."""
    return step.env.get("HOME", "/root") + path[1:] if path.startswith("~/") else path


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")


CHOWN_DUPLICATE_LAYER = Rule(
    key="chown-duplicate-layer",
    severity="warning",
    title="chown or chmod of files of an earlier layer",
    why="A layer holds whole files: whatever changes its owner or mode lies in the image a second time.",
    remedy="Write `COPY --chown=USER:GROUP` or `COPY --chmod=MODE`",
    source="https://docs.docker.com/reference/dockerfile/#copy---chown---chmod",
    fix="automatic",
)


@CHOWN_DUPLICATE_LAYER.check(Dockerfile)
def owners(dockerfile: Dockerfile) -> Iterator[Hit]:
    """RUN chown -R over what an earlier COPY, clone or virtual environment of the same image put there."""
    for stage in dockerfile.kept:
        inherited = [step for one in stage.lineage[:-1] for step in one.steps if not step.onbuild]
        for number, step in enumerate(stage.steps):
            earlier = [*inherited, *stage.steps[:number]]
            for command in step.commands if step.keyword == "RUN" else ():
                if command.program in ("chown", "chmod") and command.has("-R", "--recursive"):
                    yield from _changed(dockerfile.context, step, command, earlier)


def _changed(context: BuildContext, step: Step, command: Command, earlier: Sequence[Step]) -> Iterator[Hit]:
    operands = [word for word in command.arguments if not word.text.startswith("-")]
    if len(operands) < 2:
        return
    targets = [path for path in _paths(step, command) if path != in_folder(step.workdir, operands[0].text)]
    brought = [one for one in earlier for path in _brought(context, one) if any(_within(path, target) for target in targets)]
    if brought:
        edits = _with_owner(step, command, targets, earlier) if command.program == "chown" else ()
        flag = "--chown" if command.program == "chown" else "--chmod"
        yield Hit(
            span=command.span,
            message=f"{command.program} -R writes all below {listed(targets)} into another layer",
            remedy=f"Write {flag} at the COPY" if brought[0].keyword != "RUN" else "Do it in the RUN that makes the files",
            fix=Fix(what="copy with --chown", edits=edits) if edits else None,
        )


def _brought(context: BuildContext, step: Step) -> Iterator[str]:
    """Where a step puts files that weigh something."""
    if step.keyword in ("COPY", "ADD") and step.destination:
        sources = [word.text for word in step.sources]
        if step.copies_from or not all(_is_small(context, source) for source in sources):
            yield step.destination.rstrip("/") or "/"
    for command in step.commands if step.keyword == "RUN" else ():
        words = [word.text for word in command.words]
        makes = "venv" in words or command.program == "virtualenv" or (command.program == "git" and "clone" in words)
        makes = makes or ("-b" in words and "-p" in words and any(word.endswith(".sh") for word in words))  # conda's installer
        if makes and len(words) > 2:
            yield from list(_paths(step, command))[-1:]


def _is_small(context: BuildContext, source: str) -> bool:
    name = tidy(source)
    if context.exists(name) and not context.is_folder(name):
        return context.size(name) < _SMALL_BYTES
    return not (
        context.is_folder(name)
        or source.endswith("/")
        or "." not in posixpath.basename(name)
        or name == "."
        or _HEAVY.search(name)
    )


def _with_owner(step: Step, command: Command, targets: Sequence[str], earlier: Sequence[Step]) -> tuple[Edit, ...]:
    """--chown at each COPY below the folder, and chown of the folder alone; where nothing else may have put files there.

    The folder itself may be WORKDIR's, so that its owner stays to be set. Without a group COPY takes the user's, and chown
    keeps root.
    """
    operands = [word for word in command.arguments if not word.text.startswith("-")]
    owner, target = operands[0], targets[0]
    copies = [one for one in earlier if one.keyword in ("COPY", "ADD") and _within(one.destination.rstrip("/") or "/", target)]
    plain = re.fullmatch(r"[\w-]+(?::[\w-]*)?", owner.text) and owner.known and not command.inside and not command.wrappers
    recursive = [word.span for word in command.arguments if word.text in ("-R", "--recursive")]
    if not plain or len(targets) > 1 or len(operands) > 2 or not copies or len(recursive) != 1:
        return ()
    if any(one.stage is not step.stage or one.onbuild or one.instruction.flag("chown") for one in copies):
        return ()
    user, colon, group = owner.text.partition(":")
    before = earlier[: next(number for number, one in enumerate(earlier) if one is copies[0])]
    if not all(name.isdecimal() or name == "root" or _made(before, name) for name in (user, group) if name):
        return ()
    others = [text_of(one) for one in earlier if one.keyword == "RUN"] + [text_of(step)[: text_of(step).find("chown")]]
    if any(target in text or "mkdir" in text or "touch" in text for text in others) or _works_in(earlier, target, copies[0]):
        return ()
    taken = f" --chown={user}:{group or 'root'}" if group or not colon else f" --chown={user}"
    ends = [one.instruction.keyword_span[1] for one in copies]
    taken_off = without_words(step, recursive)
    return (*(Edit(end, end, taken) for end in ends), *taken_off) if taken_off else ()


def _made(steps: Sequence[Step], name: str) -> bool:
    """Whether an earlier step makes a user or group of that name."""
    makers = ("useradd", "adduser", "groupadd", "addgroup")
    commands = (command for step in steps for command in step.commands if command.program in makers)
    return any(name in [word.text for word in command.words] for command in commands)


def _works_in(earlier: Sequence[Step], target: str, first: Step) -> bool:
    """Whether a command runs in the folder behind the first COPY that does more than install packages."""
    behind = earlier[next(number for number, one in enumerate(earlier) if one is first) :]
    return any(step.keyword == "RUN" and _within(step.workdir or "/", target) and not _installs_alone(step) for step in behind)


def _installs_alone(step: Step) -> bool:
    """Whether a RUN installs packages of an index, and does nothing else."""
    local = any(package.url and "://" not in package.url for install in step.installs for package in install.packages)
    return not local and len(step.installs) == len(step.commands)


RM_LATER_LAYER = Rule(
    key="rm-later-layer",
    severity="warning",
    title="What an earlier layer holds is removed in a later one",
    why="The image stays as large: the earlier layer is still pulled, and its files can be read.",
    remedy="Remove it in the RUN that makes it, mount it (`RUN --mount=type=bind`), or leave it in an earlier stage",
    source="https://docs.docker.com/build/building/best-practices/#run",
)


@RM_LATER_LAYER.check(Dockerfile)
def removed_late(dockerfile: Dockerfile) -> Iterator[Hit]:
    """rm of what COPY, ADD, curl, wget or git clone of an earlier step made; packages that are purged in a later RUN."""
    brought = _Brought(dockerfile.context)
    for stage in dockerfile.kept:
        for number, step in enumerate(stage.steps):
            if step.keyword == "RUN":
                inherited = [one for above in stage.lineage[:-1] for one in above.steps if not one.onbuild]
                earlier = [*inherited, *stage.steps[:number]]
                yield from _removals(brought, step, earlier)


@dataclass(frozen=True, slots=True)
class _Brought:
    """What steps bring into a context's image; each is asked once."""

    context: BuildContext
    paths: dict[int, tuple[str, ...]] = field(default_factory=dict)

    def by(self, step: Step) -> tuple[str, ...]:
        if id(step) not in self.paths:
            self.paths[id(step)] = tuple(_added(self.context, step))
        return self.paths[id(step)]


def _removals(brought: _Brought, step: Step, earlier: Sequence[Step]) -> Iterator[Hit]:
    for command in step.commands:
        if command.program == "rm":
            paths = list(_paths(step, command))
            names = [one for path in paths for other in earlier for one in brought.by(other) if _removes(path, one)]
            names += [path for path in paths if any(_part(brought.context, one, path) for one in earlier)]
            if any(map(_installs_python, earlier)) and not _installs_python(step):
                names += [path for path in paths if "-packages/" in path]
            if any(map(names_lists, paths)) and not installs_of(step, "apt", "update") and any(map(leaves_lists, earlier)):
                names.append("the lists of apt-get update")
            if names:
                message = f"removed here, but still in the layer that brought it: {listed(names)}"
                yield Hit(span=command.span, message=message)
        elif command.program in ("apt-get", "apt") and {"remove", "purge", "autoremove"} & {
            word.text for word in command.words
        }:
            yield from _purged(command, earlier)


def _installs_python(step: Step) -> bool:
    return any(install.manager not in SYSTEM for install in step.installs)


def _removes(path: str, added: str) -> bool:
    if _KEY.search(added) or _CACHES.search(path) or path in ("/", ".", "/*"):
        return False
    pattern = path.rstrip("/")
    return _within(added, pattern) or fnmatch(added, pattern)


def _part(context: BuildContext, step: Step, path: str) -> bool:
    """Whether a COPY of a folder brought this as a part of it, and it is there and weighs something."""
    source = in_context(step, path) if step.keyword in ("COPY", "ADD") and not context.alone else ""
    weighs = context.is_folder(source) or context.size(source) >= _SMALL_BYTES
    return bool(source) and source != tidy(step.words[0].text) and weighs and not context.left_out(source)


def _purged(command: Command, earlier: Sequence[Step]) -> Iterator[Hit]:
    there = {
        package.name
        for step in earlier
        for install in step.installs
        if install.manager == "apt" and install.action == "install"
        for package in install.packages
    }
    names = [word.text for word in command.arguments if word.text in there]
    if names:
        message = f"removed here, but still in the layer that installed it: {listed(names)}"
        yield Hit(span=command.span, message=message, remedy="Install, use and remove it in one RUN, or in a stage of its own")


def _added(context: BuildContext, step: Step) -> Iterator[str]:
    if step.keyword in ("COPY", "ADD"):
        yield from _copied(context, step)
    for command in step.commands if step.keyword == "RUN" else ():
        yield from _fetched(step, command)


def _copied(context: BuildContext, step: Step) -> Iterator[str]:
    target = step.destination
    for word in (word for word in step.sources if word.known):
        name = posixpath.basename(tidy(word.text))
        folder = name == "." or word.text.endswith("/") or context.is_folder(word.text) or "." not in name
        if folder:
            yield target.rstrip("/")
        elif not _is_small(context, word.text) or step.copies_from:
            yield posixpath.join(target, name) if target.endswith("/") else target


def _fetched(step: Step, command: Command) -> Iterator[str]:
    """The file that curl or wget writes, or the folder of a clone, when the same RUN keeps it."""
    words = [word.text for word in command.arguments]
    found = ""
    if command.program in ("curl", "wget"):
        options = ("-o", "--output") if command.program == "curl" else ("-O", "--output-document")
        value = next((words[at + 1] for at, word in enumerate(words[:-1]) if word in options), "")
        url = next((word for word in words if "://" in word), "")
        plain = command.program == "wget" or "-O" in words or "--remote-name" in words
        name = value or (posixpath.basename(url.partition("?")[0]) if plain else "")
        name = _from_home(step, name)
        found = name if name and name != "-" and (_HEAVY.search(name) or "." not in name) and "$" not in name else ""
    moved = any(one.program == "cd" for one in step.commands)
    if not found or (moved and not found.startswith("/")) or not (found.startswith("/") or step.workdir):
        return
    path = in_folder(step.workdir, found)
    gone = (one for one in step.commands if one.program in ("rm", "mv") and one.span > command.span)
    if not any(_removes(other, path) or other == path for one in gone for other in _paths(step, one)):
        yield path


TOO_MANY_RUN = Rule(
    key="too-many-run",
    severity="info",
    title="Many RUNs in a row",
    why="Each is a layer with its own metadata; what belongs together is cached and cleaned up together in one.",
    remedy="Join them with && or a heredoc",
    source="https://docs.docker.com/build/building/best-practices/#run",
    off=True,
)

_ROW = 4
"""RUNs in a row above which they are told."""


@TOO_MANY_RUN.check(Dockerfile)
def in_a_row(dockerfile: Dockerfile) -> Iterator[Hit]:
    """More than four RUNs without another instruction between them."""
    for stage in dockerfile.kept:
        for first, count in _rows(stage):
            if count > _ROW:
                yield Hit(span=first, message=f"{count} RUNs stand in a row")


def _rows(stage: Stage) -> Iterator[tuple[Span, int]]:
    """Where each row of RUNs begins, and how long it is."""
    row: list[Step] = []
    for step in (*stage.steps, None):
        if step is not None and step.keyword == "RUN":
            row.append(step)
        elif row:
            yield row[0].span, len(row)
            row = []
