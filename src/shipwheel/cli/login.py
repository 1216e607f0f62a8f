"""`shipwheel login`."""

from __future__ import annotations

import sys
from dataclasses import replace

import click

from shipwheel.cli.context import Context
from shipwheel.cli.registries import access, logins, registry_name
from shipwheel.errors import UsageError
from shipwheel.oci.reference import DOCKER_HUB
from shipwheel.registry.logins import Login, Logins
from shipwheel.registry.registries import Registries


def _never(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        raise UsageError(
            "a password is no argument: everyone on this machine can see those, and the shell keeps them",
            hint="give it on standard input, with --password-stdin, or type it when asked",
        )


@click.command()
@click.argument("registry", default=DOCKER_HUB)
@click.option("-u", "--user", "--username", "user", help="Who logs in. Default: asked for.")
@click.option("--password-stdin", is_flag=True, help="Take the password, or token, from standard input.")
@click.option("-p", "--password", hidden=True, expose_value=False, callback=_never)
@click.pass_obj
def command(context: Context, registry: str, user: str | None, password_stdin: bool) -> None:
    """Log in to REGISTRY (HOST[:PORT]; docker.io, unless one is given).

    The login is tried first, then kept where docker keeps its own: in config.json, or in the helper that is named there.
    """
    name = registry_name(registry)
    login = _read_login(name, user, password_stdin)
    with Registries(replace(access(context.env), logins=Logins(given={name: login}))) as registries:
        registries.check(name)
    known = logins(context.env)
    place = known.store(name, login)
    context.say(f"logged in to {name} as {login.user}; kept in {place}")
    if not place.helper:
        context.say("warning: whoever reads that file has the password; a credential helper would keep it safe", style="yellow")
    used = known.locate(name)
    if used and used[1] != place:
        context.say(f"warning: another login comes before it: {used[1]}", style="yellow")


def _read_login(registry: str, user: str | None, password_stdin: bool) -> Login:
    if password_stdin:
        if not user:
            raise UsageError("--password-stdin needs --user", hint="give the user's name with -u")
        password = sys.stdin.read().removesuffix("\n").removesuffix("\r")
    elif not sys.stdin.isatty():
        raise UsageError(
            "there is no terminal to ask for the password on", hint=f"... | shipwheel login -u USER --password-stdin {registry}"
        )
    else:
        user = user or click.prompt(f"User at {registry}", err=True)
        password = click.prompt("Password", hide_input=True, err=True)
    if not password:
        raise UsageError("the password is empty", hint="is the variable or file that it comes from there?")
    if ":" in user:
        raise UsageError(f"'{user}' is not a user's name: it has a colon", hint="the password goes to --password-stdin")
    return Login(user=user, password=password)
