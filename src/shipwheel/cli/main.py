"""The entry point: finds the verb, imports only that one's file, and prints every error the same way."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Mapping, Sequence

import click

from shipwheel import __version__
from shipwheel.cli.context import Context
from shipwheel.cli.lazy import LazyGroup
from shipwheel.errors import ShipwheelError

VERBS = {
    "init": "Write [tool.shipwheel] from what the folder shows.",
    "lock": "Choose exact versions and write shipwheel.lock.",
    "build": "Make an image of a project.",
    "run": "Run a project or an image.",
    "serve": "Serve a model on this machine, without a container.",
    "ps": "List containers that Shipwheel started.",
    "logs": "Print what a container wrote.",
    "exec": "Run a command inside a container.",
    "stop": "Stop a container.",
    "rm": "Remove a container.",
    "images": "List images in the local store.",
    "inspect": "Show an image: layers, config, digest.",
    "gpu": "Show which GPUs an image has code for.",
    "sbom": "List what an image is made of.",
    "rmi": "Remove an image's name from the local store.",
    "save": "Write an image of the store to a file.",
    "load": "Read an image from a file into the store.",
    "push": "Give an image to a registry.",
    "pull": "Bring an image from a registry into the store.",
    "copy": "Copy an image from one place to another.",
    "login": "Log in to a registry.",
    "logout": "Forget the login for a registry.",
    "df": "Show what the local store takes.",
    "prune": "Remove what nothing in the store needs.",
    "lint": "Find what is wrong in Dockerfiles and the files around them.",
    "doctor": "Check this machine, and whether it can run an image.",
}
"""Every verb and its one line; the text here is what `--help` shows without importing the verb."""


STOPPED = 130
"""The status after Ctrl-C: 128 and the number of SIGINT, as shells have it."""


@click.group(
    cls=LazyGroup,
    lines=VERBS,
    modules="shipwheel.cli.",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="In a project's folder: 'shipwheel run' locks, builds and runs it. 'shipwheel COMMAND --help' says more.",
)
@click.version_option(__version__, prog_name="shipwheel")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@click.pass_context
def cli(ctx: click.Context, quiet: bool) -> None:
    """Containers for machine learning: from a project folder to a running, reproducible service."""
    ctx.obj = Context.from_environment(os.environ, quiet=quiet)
    ctx.call_on_close(ctx.obj.close)
    ctx.color = _colour(os.environ)


def _colour(env: Mapping[str, str]) -> bool | None:
    """Never with NO_COLOR (no-color.org), always with FORCE_COLOR, else on a terminal."""
    return False if env.get("NO_COLOR") else True if env.get("FORCE_COLOR") else None


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command line and exit with its status."""
    status = run(arguments)
    if status == STOPPED:  # at once: threads that still wait for bytes would hold a usual exit up
        sys.stdout.flush()
        os._exit(status)
    sys.exit(status)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; every error becomes `error:` and `hint:` lines and a status (see `errors`)."""
    try:
        return int(cli.main(args=arguments, prog_name="shipwheel", standalone_mode=False) or 0)
    except ShipwheelError as error:
        return _report(error.message, error.hint, error.exit_status)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        return _report(error.format_message().removesuffix("."), _how_to_call(error), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        return _report("stopped", "", STOPPED)
    except OSError as error:
        if error.errno not in _SYSTEM_FAULTS:
            raise
        return _report(f"{error.strerror}: {error.filename or 'while writing'}", _SYSTEM_FAULTS[error.errno], 1)


_SYSTEM_FAULTS = {
    errno.ENOSPC: "free some space, or set SHIPWHEEL_HOME to a larger disk; 'shipwheel prune' removes what nothing needs",
    errno.EDQUOT: "your quota on that disk is used up; SHIPWHEEL_HOME can name another place",
    errno.EROFS: "that place cannot be written to; set SHIPWHEEL_HOME to one that can",
    errno.EACCES: "check the owner and mode of that path",
    errno.EMFILE: "raise the limit of open files: ulimit -n 4096",
}


def _how_to_call(error: click.ClickException) -> str:
    """Where the words and flags of this command are explained."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context and isinstance(error, click.NoSuchOption) and error.option_name in ("-q", "--quiet"):
        return f"it stands before the command: shipwheel {error.option_name} {context.info_name}"
    return f"'{context.command_path} --help' explains them" if context else ""


def _report(message: str, hint: str, status: int) -> int:
    colour = _colour(os.environ)
    click.secho("error: ", fg="red", bold=True, nl=False, err=True, color=colour)
    click.echo(message, err=True)
    if hint:
        click.secho("hint: ", fg="cyan", bold=True, nl=False, err=True, color=colour)
        click.echo(hint, err=True)
    return status
