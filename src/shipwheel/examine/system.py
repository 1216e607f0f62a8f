"""`system_packages`: the Debian packages that bring what wheels need of the system."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatch
from posixpath import basename

from shipwheel.gpu.bringing import how_to_bring, is_of_cuda
from shipwheel.native.contents import load_contents
from shipwheel.native.elf import Elf
from shipwheel.native.known import Known, known_needs
from shipwheel.native.loader import Missing, missing
from shipwheel.native.packages import choose_packages
from shipwheel.resolve.base import DEBIAN_IMAGE
from shipwheel.resolve.needs import Chosen
from shipwheel.resolve.target import MACHINES

STANDARD = frozenset(
    {"libc.so.6", "libdl.so.2", "libgcc_s.so.1", "libm.so.6", "libpthread.so.0", "libresolv.so.2", "librt.so.1"}
    | {"libstdc++.so.6", "libutil.so.1", "libz.so.1"}
)
"""Libraries that every base has: for a project whose wheels need no others no index of Debian's files is asked for."""

Owners = Mapping[str, Sequence[Elf]]


def known_of(chosen: Chosen, owners: Owners) -> Mapping[str, Known]:
    """What each package opens or calls without saying so in its files, and which of its files it does without."""
    return {each.name: _known(chosen, each.name, each.version, owners) for each in chosen.locked.packages}


def counted(owners: Owners, known: Mapping[str, Known]) -> Owners:
    """Without files that a package does without where their libraries are not there."""
    return {owner: _counted(elves, known[owner].optional if owner in known else ()) for owner, elves in owners.items()}


def lacking(chosen: Chosen, owners: Owners, present: frozenset[str] = STANDARD) -> list[Missing]:
    """What the native files of `owners` need and neither these nor `present` bring."""
    machine = MACHINES[chosen.locked.platform.architecture]
    return [each for each in missing(owners, present, machine=machine) if not each.optional]


def system_packages(
    chosen: Chosen, owners: Owners, known: Mapping[str, Known], short: Sequence[Missing], say: Callable[[str], object]
) -> Mapping[str, str]:
    """Debian packages to add to those that are locked, each with its reason; `say` takes what no package can bring.

    `owners` are the native files of every package that count, `short` is what they lack beside every base.
    """
    asked = [needs for needs in known.values() if needs.libraries or needs.programs]
    short = [each for each in short if not is_of_cuda(each.name)]
    if not (asked or short):
        return {}
    if not chosen.suite:
        for reason in (*(each.reason for each in short), *map(_reason, asked)):
            say(f"  {reason}: whether the base has it cannot be seen from here")
        return {}
    contents = load_contents(chosen.debian, chosen.suite, chosen.locked.platform.architecture)
    have = [*(deb.name for deb in chosen.locked.debs), *(DEBIAN_IMAGE.split() if chosen.locked.base else ())]
    wanted = lacking(chosen, owners, contents.libraries(have) | STANDARD)
    found = choose_packages([each for each in wanted if not is_of_cuda(each.name)], asked, contents, have)
    for text in found.unresolved:
        say(f"  {text}")
    return found.packages


def without_cuda(short: Sequence[Missing]) -> str:
    """Which packages need libraries of CUDA that no package brings, with what to require, in lines; empty where none does.

    On a GPU such a package does not start, or takes the processor without a word.
    """
    found: dict[str, list[str]] = {}
    for each in short:
        if is_of_cuda(each.name) and not each.elsewhere:
            found.setdefault(each.owner, []).append(each.name)
    return "\n".join(
        f"{owner} needs {', '.join(names)} of CUDA, which no package brings: {how_to_bring(owner, names)}"
        for owner, names in sorted(found.items())
    )


def _known(chosen: Chosen, name: str, version: str, owners: Owners) -> Known:
    names = frozenset(_names(owners.get(name, ())))
    beside = {each.name for each in chosen.locked.packages}
    return known_needs(name, version, names, direct=chosen.project.requirements.asks_for(name), beside=beside)


def _names(elves: Sequence[Elf]) -> Iterator[str]:
    for elf in elves:
        yield from (elf.soname, basename(elf.path))


def _counted(elves: Sequence[Elf], optional: Sequence[str]) -> tuple[Elf, ...]:
    def shown(elf: Elf) -> str:
        return elf.path.rpartition("/site-packages/")[2]

    return tuple(elf for elf in elves if not any(fnmatch(shown(elf), pattern) for pattern in optional))


def _reason(needs: Known) -> str:
    return f"{', '.join((*needs.libraries, *needs.programs))}, {needs.why}"
