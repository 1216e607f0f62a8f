"""Stages of a Dockerfile: what each inherits, and what is known at each step."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from shipwheel.lint.context.folder import BuildContext
from shipwheel.lint.dockerfile.expand import expand
from shipwheel.lint.dockerfile.instructions import Flag, Instruction, Parsed
from shipwheel.lint.dockerfile.running import commands_of
from shipwheel.lint.images.names import ImageFacts, ImageName, facts_of
from shipwheel.lint.packages.installs import Install
from shipwheel.lint.packages.lines import install_of
from shipwheel.lint.shell.command import Command
from shipwheel.lint.source import Source, Span
from shipwheel.lint.word import Word


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A `--mount` of RUN: its options by name ("type", "target", "from", "source" ...), dst and src as target and source."""

    options: Mapping[str, str]
    span: Span

    @property
    def type(self) -> str:
        """bind where none is written."""
        return self.options.get("type", "bind")


_MOUNT_NAMES = {"dst": "target", "destination": "target", "src": "source", "ro": "readonly", "rw": "readwrite"}


@dataclass(frozen=True, kw_only=True)
class Step:
    """An instruction in its stage with what is known before it. What ONBUILD triggers is a step with `onbuild` true."""

    instruction: Instruction
    stage: Stage
    env: Mapping[str, str]
    """ENV so far, inherited ones too."""
    variables: Mapping[str, str]
    """ENV, and defaults of ARG, that can be used here; ENV comes first."""
    workdir: str
    """Absolute; "" where none is set (then it is the base's)."""
    user: str
    """ "" where none is set (then it is the base's)."""
    shell: tuple[str, ...]
    escape: str = "\\"
    onbuild: bool = False

    @property
    def keyword(self) -> str:
        """RUN, COPY ..."""
        return self.instruction.keyword

    @property
    def span(self) -> Span:
        """Of the instruction."""
        return self.instruction.span

    @property
    def flags(self) -> tuple[Flag, ...]:
        """Of the instruction."""
        return self.instruction.flags

    def expanded(self, word: Word) -> Word:
        """A word with variables put in."""
        return expand(word, self.variables, escape=self.escape)

    @cached_property
    def words(self) -> tuple[Word, ...]:
        """The instruction's words with variables put in; those of an exec form are as written, for no shell reads them."""
        literal = self.instruction.json and self.keyword in ("RUN", "CMD", "ENTRYPOINT", "SHELL", "HEALTHCHECK")
        return self.instruction.words if literal else tuple(map(self.expanded, self.instruction.words))

    @cached_property
    def pairs(self) -> tuple[tuple[str, Word], ...]:
        """Names and values of ENV, LABEL and ARG (those with a default), variables put in."""
        return tuple((name.text, self.expanded(value)) for name, value in self.instruction.pairs if value is not None)

    @cached_property
    def commands(self) -> tuple[Command, ...]:
        """What RUN, CMD, ENTRYPOINT or HEALTHCHECK runs: shell form and heredocs through the shell's grammar; JSON form as one
        command, and for ["sh", "-c", "..."] those inside. Empty for PowerShell and cmd, and for heredocs with another `#!`."""
        return commands_of(self.instruction, self.variables, self.shell)

    @cached_property
    def installs(self) -> tuple[Install, ...]:
        """What the commands of a RUN install."""
        if self.keyword != "RUN":
            return ()
        return tuple(install for command in self.commands if (install := install_of(command)))

    @cached_property
    def mounts(self) -> tuple[Mount, ...]:
        """Of a RUN."""
        return tuple(self._mount(flag) for flag in self.flags if flag.name == "mount")

    def _mount(self, flag: Flag) -> Mount:
        value = self.expanded(Word(text=flag.value, span=flag.value_span)).text
        options: dict[str, str] = {}
        for part in value.split(","):
            name, _, text = part.strip().partition("=")
            options[_MOUNT_NAMES.get(name.lower(), name.lower())] = text.strip("\"'")
        return Mount(options=options, span=flag.span)

    @property
    def sources(self) -> tuple[Word, ...]:
        """What COPY or ADD copies; heredocs are not among them."""
        if self.keyword not in ("COPY", "ADD"):
            return ()
        heredocs = {heredoc.name for heredoc in self.instruction.heredocs}
        return tuple(
            word for word in self.words[:-1] if word.text.lstrip("<-").strip("\"'") not in heredocs or "<<" not in word.text
        )

    @property
    def destination(self) -> str:
        """Where COPY or ADD copies to, absolute where `workdir` is known; a folder ends in /."""
        if self.keyword not in ("COPY", "ADD") or not self.words:
            return ""
        text = self.words[-1].text
        folder = text.endswith("/") or text in (".", "..") or text.endswith("/.") or len(self.words) > 2
        return in_folder(self.workdir, text).rstrip("/") + ("/" if folder else "") or "/"

    @property
    def copies_from(self) -> str:
        """The --from of COPY, variables put in; "" for the build's context."""
        flag = self.instruction.flag("from")
        return self.expanded(Word(text=flag.value, span=flag.value_span)).text if flag else ""


def in_folder(folder: str, path: str) -> str:
    """A path seen from a working directory; as written, but tidy, where that is not known."""
    return posixpath.normpath(posixpath.join(folder, path)) if path else folder


@dataclass(kw_only=True, eq=False)
class Stage:
    """One FROM with what follows. `parent` is the stage it is built on, None for an image."""

    index: int
    name: str
    instruction: Instruction
    base: Word
    """The word behind FROM, variables put in."""
    image: ImageName | None
    """None for a stage of this file, for scratch, and where a variable without a default stands there."""
    platform: str
    parent: Stage | None
    steps: tuple[Step, ...] = ()
    env: Mapping[str, str]
    """ENV at its end."""
    variables: Mapping[str, str]
    workdir: str = ""
    user: str = ""
    """USER at its end; "" where none was set."""
    shell: tuple[str, ...] = ("/bin/sh", "-c")
    dockerfile: Dockerfile | None = field(default=None, repr=False)
    """The file that it is a stage of."""

    @property
    def span(self) -> Span:
        """Of its FROM."""
        return self.instruction.span

    @cached_property
    def lineage(self) -> tuple[Stage, ...]:
        """The stages that it is built on, the first one first, itself last."""
        return (*(self.parent.lineage if self.parent else ()), self)

    @property
    def all_steps(self) -> Iterator[Step]:
        """The steps of its lineage in order: everything that ends up in it. ONBUILD's belong to those who build on it."""
        return (step for stage in self.lineage for step in stage.steps if not step.onbuild)

    @property
    def root_image(self) -> ImageName | None:
        """The image at the bottom of its lineage."""
        return self.lineage[0].image

    @cached_property
    def facts(self) -> ImageFacts:
        """What is known of that image; all empty for none."""
        return facts_of(self.root_image) if self.root_image else ImageFacts()

    def last(self, keyword: str) -> Step | None:
        """The step of that keyword that counts: the last CMD, HEALTHCHECK, USER ... of its lineage.

        An ENTRYPOINT resets the CMD of the stages (and the image) below it, but not of its own stage.
        """
        for stage in reversed(self.lineage):
            own = [step for step in stage.steps if not step.onbuild]
            found = next((step for step in reversed(own) if step.keyword == keyword), None)
            if found or (keyword == "CMD" and any(step.keyword == "ENTRYPOINT" for step in own)):
                return found
        return None


@dataclass(kw_only=True, eq=False)
class Dockerfile:
    """A Dockerfile with its stages and its context."""

    parsed: Parsed
    context: BuildContext
    stages: tuple[Stage, ...] = ()

    def __post_init__(self) -> None:
        for stage in self.stages:
            stage.dockerfile = self

    @property
    def source(self) -> Source:
        """The file."""
        return self.parsed.source

    @property
    def final(self) -> Stage | None:
        """The last stage; None where there is none."""
        return self.stages[-1] if self.stages else None

    @cached_property
    def shipped(self) -> tuple[Stage, ...]:
        """Stages that people build and run: the last one, those that a compose file names as target, and those that nothing
        else in the file uses and that start something."""
        return tuple(
            stage
            for stage in self.stages
            if stage is self.final
            or stage.name.lower() in self.context.targets
            or (not self.used(stage) and (stage.last("CMD") or stage.last("ENTRYPOINT")))
        )

    @cached_property
    def kept(self) -> tuple[Stage, ...]:
        """Stages whose layers end up in an image that is shipped: the shipped ones and what they are built on."""
        return tuple({stage.index: stage for shipped in self.shipped for stage in shipped.lineage}.values())

    def stage(self, name: str) -> Stage | None:
        """By name (any case) or number."""
        if name.isdecimal():
            return self.stages[int(name)] if int(name) < len(self.stages) else None
        return self._by_name.get(name.lower())

    @cached_property
    def _by_name(self) -> dict[str, Stage]:
        """The first stage of each name, in small letters."""
        return {stage.name.lower(): stage for stage in reversed(self.stages) if stage.name}

    def steps(self, *keywords: str) -> Iterator[Step]:
        """Of all stages, those with one of these keywords, or all; what ONBUILD triggers too."""
        return (step for stage in self.stages for step in stage.steps if not keywords or step.keyword in keywords)

    @cached_property
    def _uses(self) -> frozenset[int]:
        """Stages that others are built on, copy from or mount."""
        names = [step.copies_from for step in self.steps("COPY", "ADD")]
        names += [mount.options.get("from", "") for step in self.steps("RUN") for mount in step.mounts]
        found = [stage.parent for stage in self.stages] + [self.stage(name) for name in names if name]
        return frozenset(stage.index for stage in found if stage)

    def used(self, stage: Stage) -> bool:
        """Whether another stage is built on it, copies from it or mounts it, or it is the last."""
        return stage is self.final or stage.index in self._uses
