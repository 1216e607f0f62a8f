"""`shipwheel lock`."""

from __future__ import annotations

import click

from shipwheel.cli.context import Context, folder
from shipwheel.cli.workshop import this_machine
from shipwheel.errors import StaleLockError
from shipwheel.lock import FILE_NAME, Lock, check_fresh, read_lock
from shipwheel.oci.blob import Platform
from shipwheel.project import load_project


@click.command()
@click.argument("directory", default=".", metavar="[DIR]")
@click.option("--platform", "platforms", multiple=True, metavar="P", help="Lock for this platform too; repeat for several.")
@click.option("--upgrade", "upgrade_all", is_flag=True, help="Choose the newest versions that the requirements allow.")
@click.option("--upgrade-package", "names", multiple=True, metavar="NAME", help="Choose anew for NAME only.")
@click.option("--check", is_flag=True, help="Only say whether the lock fits the project; status 3 if not.")
@click.pass_obj
def command(context: Context, directory: str, platforms: tuple[str, ...], upgrade_all: bool, names: tuple[str, ...], check: bool) -> None:
    """Choose exact versions of everything in the image and write shipwheel.lock.

    Versions that a lock holds already stay where they still fit.
    """
