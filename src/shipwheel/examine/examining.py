"""`examine`: from chosen wheels to the Debian packages that they need, and to what they need of a GPU."""

from __future__ import annotations

from collections.abc import Callable

from shipwheel.errors import ResolveError
from shipwheel.examine.reader import Reader
from shipwheel.examine.system import counted, known_of, lacking, system_packages, without_cuda
from shipwheel.gpu.cuda import needs_of
from shipwheel.native.versions import newer_versions, too_new
from shipwheel.resolve.needs import Chosen, Needs
from shipwheel.resolve.target import MACHINES


def examine(reader: Reader, chosen: Chosen) -> Needs:
    """What the wheels of one platform need.

    Raises:
        ResolveError: a wheel is made for a newer C library than the base has, or lacks libraries of CUDA and is to have a GPU.
        WheelError, NetworkError, IntegrityError: as `Reader.read`.
    """
    facts = reader.read(chosen.project, chosen.locked)
    all_files = {owner: each.elves for owner, each in facts.items() if each.elves}
    known = known_of(chosen, all_files)
    owners = counted(all_files, known)
    versions = {each.name: each.version for each in chosen.locked.packages}
    machine = MACHINES[chosen.locked.platform.architecture]
    if newer := newer_versions(owners, chosen.glibc, chosen.distribution, machine=machine):
        raise too_new(newer, versions, {each.name for each in chosen.locked.built})
    short = lacking(chosen, owners)
    if text := without_cuda(short):
        _tell_or_refuse(chosen, text, reader.reach.say)
    packages = system_packages(chosen, owners, known, short, reader.reach.say)
    libraries = [library for each in facts.values() for library in each.libraries]
    sonames = {elf.soname for elves in owners.values() for elf in elves if elf.soname}
    return Needs(packages=packages, accelerator=needs_of(versions.items(), libraries, sonames))


def _tell_or_refuse(chosen: Chosen, text: str, say: Callable[[str], object]) -> None:
    """An error where the project says that it is for CUDA; a base from a registry may have CUDA's libraries."""
    if chosen.project.settings.accelerator == "cuda" and not chosen.locked.base:
        raise ResolveError(text, hint="on a GPU it would not start, or take the processor without a word")
    for line in text.splitlines():
        say(f"  {line}{' (the base may have them)' if chosen.locked.base else ''}")
