"""`copy`: what is sent, in which order, and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from shipwheel.oci.archive import OciLayout
from shipwheel.oci.blob import Blob, Descriptor
from shipwheel.oci.copy import copy
from shipwheel.oci.image import Image, Index, compose_index
from shipwheel.oci.store import Store
from support.trees import image


@dataclass
class Diary:
    """A target that writes down what it is asked."""

    known: frozenset[str] = frozenset()
    events: list[str] = field(default_factory=list)

    def has(self, descriptor: Descriptor) -> bool:
        return descriptor.digest.hex in self.known

    def write(self, blob: Blob) -> None:
        list(blob.chunks())
        self.events.append(blob.digest.hex)

    def tag(self, name: str, image: Image | Index) -> None:
        self.events.append(name)


@dataclass
class Bars:
    """Progress that remembers."""

    told: dict[str, list[int]] = field(default_factory=dict)
    open: int = 0

    def start(self, name: str, total: int) -> Bar:
        self.open += 1
        self.told[name] = [total]
        return Bar(self, name)


@dataclass
class Bar:
    bars: Bars
    name: str

    def advance(self, amount: int) -> None:
        self.bars.told[self.name].append(amount)

    def done(self) -> None:
        self.bars.open -= 1


def test_sends_layers_lowest_first_then_the_config_then_the_name() -> None:
    given, target = image("a", "b"), Diary()
    copy(given, target, "app:1.0")
    assert target.events == [*(blob.digest.hex for blob in given.blobs), "app:1.0"]


def test_sends_only_what_the_target_lacks() -> None:
    given = image("a", "b")
    target = Diary(known=frozenset({given.layers[0].blob.digest.hex}))
    copy(given, target, "app:1.0")
    assert target.events == [given.layers[1].blob.digest.hex, given.config.digest.hex, "app:1.0"]


def test_sends_what_platforms_share_once() -> None:
    given, target = compose_index([image("a"), image("a", platform="linux/arm64")]), Diary()
    copy(given, target, "app:1.0")
    assert len(target.events) == 1 + 2 + 1


def test_names_nothing_when_a_blob_fails() -> None:
    class Failing(Diary):
        def write(self, blob: Blob) -> None:
            raise OSError("the line is dead")

    for workers in (1, 3):
        target = Failing()
        with pytest.raises(OSError, match="dead"):
            copy(image("a", "b"), target, "app:1.0", workers=workers)
        assert target.events == []


def test_several_workers_send_the_same(tmp_path: Path) -> None:
    given = image(*"abcdefgh")
    copy(given, Store(tmp_path), "app:1.0", workers=4)
    assert Store(tmp_path).resolve("app:1.0").manifest.digest == given.manifest.digest


def test_tells_of_every_byte_once_and_closes_its_bars() -> None:
    given, bars = image("a", "b"), Bars()
    copy(given, Diary(), "app:1.0", progress=bars)
    assert list(bars.told) == ["a", "b", "config"]
    assert all(told[0] == sum(told[1:]) for told in bars.told.values())
    assert bars.open == 0


def test_links_blobs_from_the_store_into_a_layout_on_the_same_disk(tmp_path: Path) -> None:
    given, store, layout = image("a"), Store(tmp_path / "store"), OciLayout(tmp_path / "layout")
    copy(given, store, "app:1.0")
    copy(store.resolve("app:1.0"), layout, "app:1.0", progress=Bars())
    blob = given.layers[0].blob
    assert layout.path(blob.digest).stat().st_nlink == 2
    assert layout.path(blob.digest).read_bytes() == blob.read()


def test_a_layout_keeps_its_other_names(tmp_path: Path) -> None:
    layout = OciLayout(tmp_path / "layout")
    for name in ("a:1", "b:1", "a:1"):
        copy(image(name[0]), layout, name)
    assert layout.names() == ("a:1", "b:1")
    layout.untag("b:1")
    assert layout.names() == ("a:1",)
