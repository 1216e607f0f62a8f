"""Which Python the program python3 is in a stage."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shipwheel.lint.dockerfile.stages import Stage, Step
from shipwheel.lint.packages.installs import Install
from shipwheel.lint.tables import table

_VERSIONED = re.compile(r"python(\d+\.\d+)(?:-[a-z-]+)?")
OWN_PYTHON = re.compile(
    r"(?:python|pytorch/pytorch|continuumio/\w+|condaforge/\w+|mambaorg/micromamba|pypy|.*/library/python)$"
)
"""Images whose Python lies outside /usr/bin, so that the distribution's is a second one."""


def distribution_python(stage: Stage) -> str:
    """The version of the distribution's package python3; "" where unknown."""
    if _chosen(stage):
        return ""
    facts = stage.facts
    releases = table("pythons.toml")["system"].get(facts.distribution, {})
    return str(releases.get(facts.release, ""))


def _chosen(stage: Stage) -> bool:
    """Whether the build chooses among stages, as in `FROM base-$VARIANT`: then the default says nothing of the others."""
    return any(one.parent is not None and "$" in one.instruction.words[0].text for one in stage.lineage)


def has_own_python(stage: Stage) -> bool:
    """Whether the image has a Python of its own beside the distribution's."""
    image = stage.root_image if not _chosen(stage) else None
    return image is not None and bool(OWN_PYTHON.match(image.repository))


def system_python(stage: Stage) -> str:
    """What python3 starts when nothing in the Dockerfile changes it."""
    return stage.facts.python if has_own_python(stage) else distribution_python(stage)


def added_pythons(stage: Stage) -> list[str]:
    """Versions that apt installs beside the distribution's own, in their order."""
    own = distribution_python(stage)
    found = [
        match[1] for _, install in apt_installs(stage) for one in install.packages if (match := _VERSIONED.fullmatch(one.name))
    ]
    return [version for version in dict.fromkeys(found) if version != own]


def apt_installs(stage: Stage) -> Iterator[tuple[Step, Install]]:
    """What apt installs in its lineage."""
    for step in stage.all_steps:
        for install in step.installs:
            if install.manager == "apt" and install.action == "install":
                yield step, install
