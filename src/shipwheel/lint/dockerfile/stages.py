"""Stages of a Dockerfile: what each inherits, and what is known at each step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from shipwheel.lint.dockerfile.instructions import Flag, Instruction, Parsed
from shipwheel.lint.images import ImageFacts, ImageName
from shipwheel.lint.installs import Install
from shipwheel.lint.shell import Command
from shipwheel.lint.source import Source, Span
from shipwheel.lint.word import Word
from shipwheel.lint.workspace import BuildContext


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A `--mount` of RUN: its options by name ("type", "target", "id", "from", "source" ...), as written, dst and src as target and source."""

    options: Mapping[str, str]
    span: Span

    @property
    def type(self) -> str:
        """bind where none is written."""
        return self.options.get("type", "bind")


@dataclass(frozen=True, kw_only=True)
class Step:
    """An instruction in its stage with what is known before it. That of an ONBUILD counts as a step with `onbuild` true."""

    instruction: Instruction
    stage: Stage
    env: Mapping[str, str]
    """ENV so far, inherited ones too."""
    variables: Mapping[str, str]
    """ENV and ARG defaults that can be used here, ENV first."""
    workdir: str
    """"" where none is set (the base's, or /)."""
    user: str
    """"" where none is set (the base's)."""
    shell: tuple[str, ...]
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

    @cached_property
    def words(self) -> tuple[Word, ...]:
        """The instruction's words with variables put in."""
        raise NotImplementedError

    @cached_property
    def pairs(self) -> tuple[tuple[str, Word], ...]:
        """Names and values of ENV, LABEL and ARG (those with a default), variables put in."""
        raise NotImplementedError

    @cached_property
    def commands(self) -> tuple[Command, ...]:
        """What RUN, CMD, ENTRYPOINT or HEALTHCHECK runs: shell form and heredocs through the shell's grammar; JSON form as one
        command, and for ["sh", "-c", "..."] those inside. Empty for PowerShell and cmd, and for heredocs with another `#!`."""
        raise NotImplementedError

    @cached_property
    def installs(self) -> tuple[Install, ...]:
        """What the commands of a RUN install."""
        raise NotImplementedError

    @cached_property
    def mounts(self) -> tuple[Mount, ...]:
        """Of a RUN."""
        raise NotImplementedError

    @property
    def sources(self) -> tuple[Word, ...]:
        """What COPY or ADD copies (heredocs left out)."""
        raise NotImplementedError

    @property
    def destination(self) -> str:
        """Where COPY or ADD copies to, made absolute by `workdir` where that is known; a folder ends in /."""
        raise NotImplementedError

    @property
    def copies_from(self) -> str:
        """The --from of COPY, variables put in; "" for the build's context."""
        raise NotImplementedError


@dataclass(kw_only=True)
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

    @cached_property
    def lineage(self) -> tuple[Stage, ...]:
        """The stages that it is built on, the first one first, itself last."""
        raise NotImplementedError

    @property
    def all_steps(self) -> Iterator[Step]:
        """The steps of its lineage in order: everything that ends up in it."""
        raise NotImplementedError

    @property
    def root_image(self) -> ImageName | None:
        """The image at the bottom of its lineage."""
        raise NotImplementedError

    @property
    def facts(self) -> ImageFacts:
        """What is known of that image; all empty for none."""
        raise NotImplementedError

    @property
    def env(self) -> Mapping[str, str]:
        """ENV at its end."""
        raise NotImplementedError

    @property
    def user(self) -> str:
        """USER at its end; "" where none was set."""
        raise NotImplementedError

    def last(self, keyword: str) -> Step | None:
        """The step of that keyword that counts, of its lineage: the last CMD, ENTRYPOINT, HEALTHCHECK, USER ..."""
        raise NotImplementedError


@dataclass(kw_only=True)
class Dockerfile:
    """A Dockerfile with its stages and its context."""

    parsed: Parsed
    context: BuildContext
    stages: tuple[Stage, ...] = ()

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
        """Stages that people build and run: the last one, and others that nothing uses and that end in CMD or ENTRYPOINT or are
        named as a target by a compose file or script of the workspace."""
        raise NotImplementedError

    def stage(self, name: str) -> Stage | None:
        """By name (any case) or number."""
        raise NotImplementedError

    def steps(self, *keywords: str) -> Iterator[Step]:
        """Of all stages, those with one of these keywords, or all."""
        raise NotImplementedError

    def used(self, stage: Stage) -> bool:
        """Whether another stage is built on it, copies from it or mounts it, or it is the last."""
        raise NotImplementedError


def load(parsed: Parsed, context: BuildContext) -> Dockerfile:
    """The stages of what was parsed."""
    raise NotImplementedError
