"""What runc's state takes and no longer needs: records of images that lost their name, layers that nobody mounts."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from shipwheel.engines.runc.places import ImageRecord, Places
from shipwheel.engines.runc.rootfs import remove_folder

YOUNG = 3600.0
"""Seconds for which an unpacked layer is left alone: whoever unpacked it may not have noted the image yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unneeded:
    """Files of records and folders of layers, and the bytes in the latter."""

    records: tuple[Path, ...]
    layers: tuple[Path, ...]
    size: int


def find_unneeded(home: Path, names: Collection[str]) -> Unneeded:
    """What can go when only the images `names` and the containers that exist are kept."""
    places = Places(home)
    records = [path for path in _files(places.images, "*.json") if unquote(path.stem) not in names]
    keep = set(_diff_ids([path for path in _files(places.images, "*.json") if path not in records]))
    keep |= set(_diff_ids(_files(places.containers, "*/image.json")))
    layers = [path for path in _files(places.unpacked, "*") if path.name not in keep and _age(path) > YOUNG]
    return Unneeded(records=tuple(records), layers=tuple(layers), size=sum(map(_size, layers)))


def remove_unneeded(found: Unneeded) -> None:
    """Remove it; records first, so that a container of one cannot start meanwhile.

    Raises:
        OSError: the system refuses.
    """
    for record in found.records:
        record.unlink(missing_ok=True)
    for layer in found.layers:
        remove_folder(layer)


def _files(folder: Path, pattern: str) -> list[Path]:
    return sorted(folder.glob(pattern)) if folder.is_dir() else []


def _diff_ids(paths: Collection[Path]) -> Iterator[str]:
    for path in paths:
        record = ImageRecord.read(path)
        yield from record.diff_ids if record else ()


def _age(path: Path) -> float:
    return time.time() - path.stat().st_ctime


def _size(folder: Path) -> int:
    return sum(os.lstat(Path(root, name)).st_size for root, _, names in os.walk(folder) for name in names)
