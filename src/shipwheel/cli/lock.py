"""`shipwheel lock`."""

from __future__ import annotations

from pathlib import Path

import click

from shipwheel.cli.context import Context, folder
from shipwheel.cli.locking import make_lock
from shipwheel.cli.workshop import this_machine, wanted_platforms
from shipwheel.errors import LockError, UsageError
from shipwheel.hashes import Hashes
from shipwheel.lock import FILE_NAME, Lock, explain, read_lock
from shipwheel.project import load_project
from shipwheel.resolve.fingerprint import current_lock
from shipwheel.resolve.model import check_model
from shipwheel.resolve.request import Upgrade


@click.command()
@click.argument("words", nargs=-1, metavar="[DIR] [NAME...]")
@click.option("--platform", "platforms", multiple=True, metavar="P", help="Lock for this platform too; repeat for several.")
@click.option("--upgrade", is_flag=True, help="Choose the newest versions: of the packages NAME, or of everything.")
@click.option("--check", is_flag=True, help="Only say whether the lock fits the project; status 3 if not.")
@click.option("--explain", "explained", metavar="PACKAGE", help="Only say why a Debian package is in the lock.")
@click.pass_obj
def command(
    context: Context, /, words: tuple[str, ...], platforms: tuple[str, ...], explained: str | None, **only: bool
) -> None:
    """Choose exact versions of everything in the image and write shipwheel.lock.

    Versions that a lock holds already stay where they still fit; --upgrade moves them.
    """
    upgrade, check = only["upgrade"], only["check"]
    _by_itself(explain=explained, check=check, upgrade=upgrade, platform=platforms)
    directory, names = _split(words, upgrade)
    project = load_project(folder(directory))
    path = project.root / FILE_NAME
    if explained:
        click.echo("\n".join(explain(read_lock(path), explained)))
        return
    if check:
        lock = current_lock(project)
        check_model(project, lock, Hashes(context.home / "hashes").sha256)
        context.say(f"{FILE_NAME} fits the project")
        return
    previous = _previous(path, context)
    asked = wanted_platforms(platforms, project)
    kept = tuple(each.platform for each in previous.platforms) if previous else ()
    make_lock(
        context,
        project,
        tuple(dict.fromkeys((*kept, *asked))) or (this_machine(),),
        previous=previous,
        upgrade=Upgrade(all=upgrade and not names, names=frozenset(names)),
    )


def _by_itself(**flags: object) -> None:
    """--explain and --check read the lock as it is, whole."""
    given = [f"--{name}" for name, value in flags.items() if value]
    if len(given) > 1 and given[0] in ("--explain", "--check"):
        raise UsageError(f"{given[0]} and {given[1]} exclude each other", hint=f"{given[0]} reads the lock as it is")


def _split(words: tuple[str, ...], upgrade: bool) -> tuple[str, tuple[str, ...]]:
    """The first word is DIR if there is such a folder; all others are names, which only --upgrade takes."""
    directory, names = (words[0], words[1:]) if words and (not upgrade or Path(words[0]).is_dir()) else (".", words)
    if names and not upgrade:
        raise UsageError(f"'{names[0]}' is one word too many", hint=f"to move a package: shipwheel lock --upgrade {names[0]}")
    return directory, names


def _previous(path: Path, context: Context) -> Lock | None:
    """The lock to keep versions from; one that cannot be read is made anew, and that is said."""
    if not path.exists():
        return None
    try:
        return read_lock(path)
    except LockError as error:
        context.say(f"{error.message}\n  choosing all versions anew", style="yellow")
        return None
