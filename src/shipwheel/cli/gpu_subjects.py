"""`find_libraries`: the libraries with code for GPUs in what `shipwheel gpu` is asked about."""

from __future__ import annotations

import mmap
import re
import shlex
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from shipwheel.cli.context import Context, local_name
from shipwheel.cli.workshop import open_workshop, this_machine
from shipwheel.errors import StoreError, UsageError
from shipwheel.examine.facts import FactsFolder
from shipwheel.gpu.code import Library
from shipwheel.gpu.devices import find_device
from shipwheel.gpu.fatbin import read_library
from shipwheel.gpu.image import libraries_of
from shipwheel.hashes import Hashes
from shipwheel.native.elf import MAGIC
from shipwheel.oci.blob import Platform
from shipwheel.oci.image import images_of
from shipwheel.project import Project, load_project
from shipwheel.resolve.fingerprint import current_lock

T = TypeVar("T")

_FORMS = "give a project's folder, a wheel, a library, or an image of 'shipwheel images'"
_FILE = re.compile(r"\.whl$|\.so(?:\.\d+)*$|^[./]")
"""What can only be meant as a path."""
_ANY_PYTHON = "3"
"""A wheel by itself is installed nowhere; its paths get this version."""


def find_libraries(context: Context, target: str) -> list[Library]:
    """The libraries of a project's lock, an image of the local store, a wheel or a library, for this machine where it can be.

    Of a lock, wheels that are not here are fetched; of an image, layers that only a registry has.

    Raises:
        UsageError: nothing of the kind.
        LockError: the project has no lock, or not one that fits it.
        NetworkError, IntegrityError: what is needed cannot be fetched, or is not what was promised.
    """
    path = Path(target)
    if path.is_dir():
        return _of_project(context, load_project(path, needs_command=False))
    if path.is_file():
        return _of_file(context, path)
    if _FILE.search(target):
        raise UsageError(f"'{target}' does not exist", hint=_FORMS)
    return _of_image(context, target)


def as_device(target: str) -> str:
    """How `gpu check` is asked about a GPU that stands where a project or an image does; empty where that is no GPU."""
    with suppress(UsageError):
        find_device(target)
        return f"shipwheel gpu check --device {shlex.quote(target)}"
    return ""


def _of_project(context: Context, project: Project) -> list[Library]:
    """As `lock` reads them, and remembers."""
    from shipwheel.examine import Reader

    lock = current_lock(project)
    locked = _for_this_machine({each.platform: each for each in lock.platforms})
    with open_workshop(context, project) as shop:
        reader = Reader(reach=shop.reach(), home=shop.home, progress=shop.progress)
        facts = reader.read(replace(project, python=lock.python), locked)
    return [library for each in facts.values() for library in each.libraries]


def _of_file(context: Context, path: Path) -> list[Library]:
    if path.suffix == ".whl":
        owner, sha256 = path.name.split("-")[0].replace("_", "-").lower(), Hashes(context.home / "hashes").sha256(path)
        return list(FactsFolder(context.home / "downloads" / "facts").of(sha256, path, owner, _ANY_PYTHON).libraries)
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise UsageError(f"'{path}' is no wheel and no library", hint=_FORMS)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return [read_library(data, path.name, "")]


def _of_image(context: Context, name: str) -> list[Library]:
    try:
        found = context.store.resolve(local_name(name))
    except (StoreError, UsageError) as error:
        is_gpu = f"'{name}' is a GPU: {as_device(name)}" if as_device(name) else ""
        raise UsageError(error.message, hint=is_gpu or _FORMS) from None
    image = _for_this_machine({each.platform: each for each in images_of(found)})
    context.store.bring((layer.blob for layer in image.layers), context.progress())
    return libraries_of(image)


def _for_this_machine(each: Mapping[Platform, T]) -> T:
    return each.get(this_machine(), next(iter(each.values())))
