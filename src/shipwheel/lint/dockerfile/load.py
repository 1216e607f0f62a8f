"""Follows the instructions of a Dockerfile and notes what is known at each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shipwheel.lint.context.folder import BuildContext
from shipwheel.lint.dockerfile.expand import expand
from shipwheel.lint.dockerfile.instructions import Instruction, Parsed
from shipwheel.lint.dockerfile.stages import Dockerfile, Stage, Step, in_folder
from shipwheel.lint.images.names import parse_image
from shipwheel.lint.word import Word


def load_dockerfile(parsed: Parsed, context: BuildContext) -> Dockerfile:
    """The stages of what was parsed."""
    walk = _Walk(escape=parsed.escape)
    for instruction in parsed.instructions:
        walk.take(instruction)
    walk.end()
    return Dockerfile(parsed=parsed, context=context, stages=tuple(walk.stages))


@dataclass
class _Walk:
    escape: str
    arguments: dict[str, str] = field(default_factory=dict)
    """ARG before the first FROM, with their defaults."""
    stages: list[Stage] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    def take(self, instruction: Instruction) -> None:
        if instruction.keyword == "FROM" and instruction.words:
            self.end()
            self.begin(instruction)
        elif self.stages:
            self.step(self.stages[-1], instruction)
        elif instruction.keyword == "ARG":
            self.arguments = _known(self.arguments, self.values(instruction, self.arguments))

    def values(self, instruction: Instruction, variables: Mapping[str, str]) -> dict[str, Word]:
        """What ENV or ARG set. Those of one ENV see what was before it (Dockerfile reference, "Environment replacement")."""
        return {
            name.text: expand(value, variables, escape=self.escape) for name, value in instruction.pairs if value is not None
        }

    def end(self) -> None:
        """The stage before is complete."""
        if self.stages:
            self.stages[-1].steps = tuple(self.steps)
        self.steps = []

    def begin(self, instruction: Instruction) -> None:
        """FROM: a new stage on an image or an earlier stage (Dockerfile reference, "FROM")."""
        base = expand(instruction.words[0], self.arguments, escape=self.escape)
        words = [word.text for word in instruction.words]
        name = words[2] if len(words) > 2 and words[1].upper() == "AS" else ""
        parent = next(
            (stage for stage in reversed(self.stages) if stage.name and stage.name.lower() == base.text.lower()), None
        )
        flag = instruction.flag("platform")
        platform = expand(Word(text=flag.value, span=flag.value_span), self.arguments, escape=self.escape).text if flag else ""
        nothing = parent is not None or base.text.lower() == "scratch" or base.text.startswith("$") or not base.text
        stage = Stage(
            index=len(self.stages),
            name=name,
            instruction=instruction,
            base=base,
            image=None if nothing else parse_image(base.text, known=base.known),
            platform=platform or (parent.platform if parent else ""),
            parent=parent,
            env=parent.env if parent else {},
            variables=parent.variables if parent else {},
        )
        if parent:
            stage.workdir, stage.user, stage.shell = parent.workdir, parent.user, parent.shell
        self.stages.append(stage)

    def step(self, stage: Stage, instruction: Instruction) -> None:
        """Note what is known, then what the instruction changes."""
        onbuild = instruction.keyword == "ONBUILD" and instruction.inner is not None
        step = Step(
            instruction=instruction.inner if onbuild and instruction.inner else instruction,
            stage=stage,
            env=stage.env,
            variables=stage.variables,
            workdir=stage.workdir,
            user=stage.user,
            shell=stage.shell,
            escape=self.escape,
            onbuild=onbuild,
        )
        self.steps.append(step)
        if not onbuild:
            self.change(stage, step)

    def change(self, stage: Stage, step: Step) -> None:
        words = step.words
        if step.keyword == "ENV":
            values = self.values(step.instruction, stage.variables)
            stage.env = {**stage.env, **{name: word.text for name, word in values.items()}}
            stage.variables = _known(stage.variables, values)
        elif step.keyword == "ARG":
            values = {
                name: word for name, word in self.values(step.instruction, stage.variables).items() if name not in stage.env
            }
            asked = {name.text for name, default in step.instruction.pairs if default is None} - stage.env.keys()
            given = {name: value for name, value in self.arguments.items() if name in asked}
            stage.variables = {**_known(stage.variables, values), **given}
        elif step.keyword == "WORKDIR" and words:
            path = words[0].text
            stage.workdir = in_folder(stage.workdir, path) if path.startswith("/") or stage.workdir else ""
        elif step.keyword == "USER" and words:
            stage.user = words[0].text
        elif step.keyword == "SHELL" and words:
            stage.shell = tuple(word.text for word in words)


def _known(variables: Mapping[str, str], values: Mapping[str, Word]) -> dict[str, str]:
    """The variables with these values; one whose value is not known is no longer known itself."""
    kept = {name: value for name, value in variables.items() if name not in values}
    return kept | {name: word.text for name, word in values.items() if word.known}
