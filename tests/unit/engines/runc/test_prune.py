"""What of runc's state can go."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipwheel.engines.runc import prune
from shipwheel.engines.runc.places import ImageRecord, Places


def test_layers_of_named_images_and_of_containers_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = Places(tmp_path)
    for name in "abcd":
        (places.unpacked / name).mkdir(parents=True)
        (places.unpacked / name / "file").write_bytes(b"12345")
    ImageRecord(config={}, diff_ids=("a",)).write(places.image("x/kept:1"))
    ImageRecord(config={}, diff_ids=("a", "b")).write(places.image("gone:1"))
    ImageRecord(config={}, diff_ids=("c",)).write(places.container("runs").path / "image.json")
    assert prune.find_unneeded(tmp_path, {"x/kept:1"}).layers == (), "young layers are left alone"
    monkeypatch.setattr(prune, "YOUNG", -1.0)
    found = prune.find_unneeded(tmp_path, {"x/kept:1"})
    assert [path.name for path in found.layers] == ["b", "d"]
    assert [path.name for path in found.records] == ["gone%3A1.json"]
    assert found.size == 10
    prune.remove_unneeded(found)
    assert sorted(path.name for path in places.unpacked.iterdir()) == ["a", "c"]
    assert prune.find_unneeded(tmp_path / "nothing", set()).size == 0
