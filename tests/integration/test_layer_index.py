"""A layer index in Debian's docker-registry: taken as it is, and kept by its garbage collection."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from shipwheel.oci.reference import Reference
from shipwheel.oci.tree import Entry
from shipwheel.registry.layer_index import LayerIndex
from shipwheel.registry.registries import Registries
from support.engines import PrivateEngine, engine_folder, need, start_registry
from support.images import layer

LAYERS = {f"{number:064x}": layer([Entry.data("a", b"%d" % number)], f"alpha {number}") for number in range(8)}


@pytest.fixture
def own() -> Iterator[tuple[PrivateEngine, str]]:
    """A registry of this test's own, and its HOST:PORT."""
    need("registry", "docker-registry")
    engine, address = start_registry(engine_folder())
    yield engine, address
    engine.stop()


def test_garbage_collection_keeps_the_layers_of_keys(own: tuple[PrivateEngine, str]) -> None:
    engine, address = own
    reference = Reference.parse(f"{address}/team/layers")
    with Registries() as registries:
        repository = registries.repository(reference)
        warned: list[str] = []
        index = LayerIndex(origin=reference.origin, connect=lambda: repository, warn=warned.append)
        repository.write(layer([Entry.data("b", b"of no manifest")]).blob)
        assert index.find(LAYERS) == {}
        assert len(index.publish(LAYERS)) == len(LAYERS)
        config = str(engine.folder / "config.yml")
        said = subprocess.run(["docker-registry", "garbage-collect", config], capture_output=True, text=True, check=True).stdout
        assert said.count("blob eligible for deletion") == 1
        found = index.find(LAYERS)
        assert found.keys() == LAYERS.keys()
        assert [b"".join(found[key].blob.chunks()) for key in LAYERS] == [each.blob.read() for each in LAYERS.values()]
        assert warned == []
