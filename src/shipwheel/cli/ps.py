"""`shipwheel ps`."""

from __future__ import annotations

import click

from shipwheel.cli.context import Context, emit, table
from shipwheel.cli.engines import engine_option, surroundings
from shipwheel.engines.engine import State
from shipwheel.engines.find import present_engines


@click.command()
@click.option("-a", "--all", "every", is_flag=True, help="Ended ones too.")
@click.option("--json", "as_json", is_flag=True, help="Print data instead of a table.")
@engine_option
@click.pass_obj
def command(context: Context, every: bool, as_json: bool, engine: str | None) -> None:
    """List containers that Shipwheel started."""
    with present_engines(engine, surroundings(context)) as engines:
        states = [(found.kind, container.state()) for found in engines for container in found.containers()]
    rows = [(kind, state) for kind, state in states if state.running or every]
    if as_json:
        emit([_data(kind, state) for kind, state in rows])
        return
    header = ("NAME", "IMAGE", "ENGINE", "STATUS", "PORTS")
    click.echo(table([(state.name, state.image, kind, _status(state), _ports(state)) for kind, state in rows], header))


def _data(kind: str, state: State) -> dict[str, object]:
    return {
        "name": state.name,
        "image": state.image,
        "engine": kind,
        "running": state.running,
        "exit_code": state.exit_code,
        "created": state.created,
        "gpus": state.gpus,
        "ports": [{"host": port.host, "container": port.container, "ip": port.ip} for port in state.ports],
    }


def _status(state: State) -> str:
    if state.running:
        return "running"
    return "killed for memory" if state.out_of_memory else f"ended ({state.exit_code})"


def _ports(state: State) -> str:
    return ", ".join(str(port) for port in state.ports if state.running)
