"""`shipwheel logout`."""

from __future__ import annotations

import click

from shipwheel.cli.context import Context
from shipwheel.cli.registries import logins, registry_name
from shipwheel.errors import UsageError
from shipwheel.oci.reference import DOCKER_HUB


@click.command()
@click.argument("registry", required=False)
@click.option("--all", "everything", is_flag=True, help="Log out of every registry.")
@click.pass_obj
def command(context: Context, registry: str | None, everything: bool) -> None:
    """Forget the login for REGISTRY (HOST[:PORT]; docker.io, unless one is given), where docker keeps it."""
    if registry and everything:
        raise UsageError(f"--all and '{registry}' exclude each other", hint="leave one of them out")
    known = logins(context.env)
    names = known.registries() if everything else (registry_name(registry or DOCKER_HUB),)
    for name in names:
        context.say(f"logged out of {name}" if known.erase(name) else f"there was no login for {name}")
        if left := known.locate(name):
            context.say(f"warning: another login for it is left: {left[1]}", style="yellow")
    if not names:
        context.say("there was no login")
