"""`shipwheel init`."""

from __future__ import annotations

from pathlib import Path

import click

from shipwheel.cli.context import Context, folder
from shipwheel.cli.decisions import say_decisions
from shipwheel.errors import ConfigError, ProjectError
from shipwheel.project.init import append_section, place_of_settings, section_text, write_settings
from shipwheel.project.load import load_project

NAMES = ("Dockerfile", "Containerfile", "docker/Dockerfile")
"""Where a Dockerfile lies that is not named."""


@click.command()
@click.argument("directory", metavar="[DIR]", default=".")
@click.option(
    "--from-dockerfile",
    "dockerfile",
    metavar="[PATH]",
    is_flag=False,
    flag_value="",
    help="Take the settings from a Dockerfile, DIR/Dockerfile where none is named, and list what has no counterpart.",
)
@click.pass_obj
def command(context: Context, directory: str, dockerfile: str | None) -> None:
    """Write [tool.shipwheel] from what the folder shows, and say why; never changes settings that are there."""
    root = folder(directory)
    if dockerfile is not None:
        _carry(context, root, dockerfile)
        return
    project, path = write_settings(root)
    say_decisions(context, project)
    context.say(f"wrote {path}")


def _carry(context: Context, root: Path, dockerfile: str) -> None:
    from shipwheel.lint.carry.settings import carry_over

    found = carry_over(_dockerfile(root, dockerfile), root.absolute())
    place = place_of_settings(root)
    append_section(place, section_text((one.key, one.value, one.why) for one in found.settings))
    for setting in found.settings:
        context.say(f"  {setting.key:<16} {setting.why}")
    if found.left:
        context.say("does not carry over:")
    for left in found.left:
        context.say(f"  line {left.line}: {left.what}  ({left.why})")
    context.say(f"wrote {place}")
    try:
        load_project(root)
    except (ConfigError, ProjectError) as error:
        context.say(f"before the first build: {error.message}{f'; {error.hint}' if error.hint else ''}")


def _dockerfile(root: Path, named: str) -> Path:
    """The Dockerfile: the one that is named, that of a folder that is named, or the project's."""
    path = Path(named) if named else root
    if path.is_dir():
        return next((path / name for name in NAMES if (path / name).is_file()), path / NAMES[0])
    return path
