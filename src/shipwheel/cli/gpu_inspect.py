"""`shipwheel gpu inspect`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import click

from shipwheel.cli.context import Context, emit, human, table
from shipwheel.cli.gpu_subjects import find_libraries
from shipwheel.gpu.architectures import common, totals
from shipwheel.gpu.code import Code, Kind, Library
from shipwheel.gpu.special import essential

_HEADER = ("PACKAGE", "LIBRARY", "SM_", "COMPUTE_ (PTX)", "LTO_", "BYTES")
_KINDS: dict[Kind, str] = {"cubin": "cubins", "ptx": "PTX", "lto": "LTO"}
_SHOWN = 5
"""Architectures whose bytes are summed up for each kind, the largest; --json has all."""


@click.command()
@click.argument("target", metavar="[DIR|NAME|WHEEL]", default=".")
@click.option("--json", "as_json", is_flag=True, help="Print data: every architecture of every library, its entries and bytes.")
@click.pass_obj
def command(context: Context, target: str, as_json: bool) -> None:
    """List the GPU architectures that every library holds code for.

    Of a project's lock, an image of the local store, a wheel or a library; nothing of it is run. SM_ is code that a GPU runs as
    it is: 80 on GPUs of 8.0 and later 8.x, 90a only on 9.0, 100f on the family of 10.0. COMPUTE_ is PTX, which the driver
    compiles for that and any later GPU. LTO_ is what libraries link while they run. BYTES are as they lie in the file, mostly
    compressed.
    """
    libraries = find_libraries(context, target)
    if as_json:
        emit(_data(libraries))
        return
    held = [each for each in libraries if each.codes]
    if held:
        click.echo(table([_row(each) for each in held], _HEADER, right=frozenset({5})))
        click.echo("\n".join(["", *_sums(held), _common(held)]))
    elif not any(each.problem for each in libraries):
        context.say(f"nothing in '{target}' holds code for GPUs")
    for each in libraries:
        if each.problem:
            context.say(f"{each.path} is not understood: {each.problem}", style="yellow")


def _data(libraries: Sequence[Library]) -> dict[str, Any]:
    return {
        "libraries": [
            {"package": each.owner, "path": each.path, "codes": [_code(code) for code in each.codes], "problem": each.problem}
            for each in libraries
        ],
        "totals": [_code(code) for code in totals(libraries)],
        "common": common(essential(libraries)),
    }


def _code(code: Code) -> dict[str, Any]:
    return {"name": code.name, **asdict(code)}


def _row(library: Library) -> tuple[str, ...]:
    """Without the folder that all packages are in."""
    path = library.path.rpartition("site-packages/")[2]
    return (library.owner, path, *(_numbers(library, kind) for kind in _KINDS), human(_size(library.codes)))


def _numbers(library: Library, kind: Kind) -> str:
    """75 80 90 90a."""
    return " ".join(f"{code.architecture}{code.variant}" for code in library.codes if code.kind == kind)


def _sums(libraries: Sequence[Library]) -> Iterator[str]:
    """All together, and a line for each kind of code that is there."""
    sums = totals(libraries)
    yield f"{len(libraries)} {'libraries' if len(libraries) > 1 else 'library'}, {human(_size(sums))} of code"
    for kind, name in _KINDS.items():
        codes = sorted((code for code in sums if code.kind == kind), key=lambda code: -code.size)
        if codes:
            yield f"  {name}, {human(_size(codes))}: {', '.join(_largest(codes))}"


def _largest(codes: Sequence[Code]) -> Iterator[str]:
    shown = len(codes) if len(codes) == _SHOWN + 1 else _SHOWN
    yield from (f"{code.name} {human(code.size)}" for code in codes[:shown])
    if rest := codes[shown:]:
        yield f"{len(rest)} others {human(_size(rest))}"


def _common(libraries: Sequence[Library]) -> str:
    """As the lock has it: libraries for special purposes do not count."""
    return f"in common: {' '.join(common(essential(libraries))) or 'nothing; no GPU runs all of them'}"


def _size(codes: Sequence[Code]) -> int:
    return sum(code.size for code in codes)
