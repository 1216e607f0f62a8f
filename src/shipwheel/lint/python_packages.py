"""Which Python packages a stage has, as far as its files say."""

from __future__ import annotations

from dataclasses import dataclass

from shipwheel.lint.dockerfile.stages import Stage, Step
from shipwheel.lint.installs import Requested


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """A package with the step that installs it (inside `step.installs`) and the index options of that command or file.

    `file` is the requirements file's name, "" for the command line; `requested.span` is then a place in that file."""

    requested: Requested
    step: Step
    options: tuple[str, ...] = ()
    file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packages:
    """`by_name` by normalised name. `complete` is False where something installs what cannot be read here (a requirements file
    that is not there, `pip install .`, conda's environment): then a package that is not listed may still be there."""

    by_name: dict[str, Added]
    complete: bool


def packages_of(stage: Stage) -> Packages:
    """Of its lineage, of pip, uv, conda, poetry and pyproject.toml or uv.lock of the context; those of venvs copied from other stages too."""
    raise NotImplementedError
