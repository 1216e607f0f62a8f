"""A push that ends at any request, in any way, and is repeated ends the same and sends only what was missing."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from shipwheel.errors import NetworkError
from shipwheel.http import Limits
from shipwheel.oci.copy import copy
from shipwheel.oci.image import Image, Index, compose_index
from shipwheel.oci.reference import Reference
from shipwheel.registry.registries import Access, Registries
from support.registry import Fault, Served, registry
from support.trees import image

ONCE = Limits(connect=2, stall=2, attempts=1)
INDEX = compose_index([image("a", "b"), image("a", "c", platform="linux/arm64")])


def _push(served: Served, what: Image | Index) -> bool:
    with Registries(Access(limits=ONCE)) as registries:
        repository = registries.repository(Reference.parse(f"{served.host}/app"))
        repository.expect("1.0")
        try:
            copy(what, repository, "1.0")
        except NetworkError:
            return False
        return True


def _expected() -> tuple[object, ...]:
    with registry() as served:
        assert _push(served, INDEX)
        return served.state()


EXPECTED = _expected()
KINDS = {"reset": {"cut_upload": 0}, "half": {"cut_upload": 150}, "unheard": {"drop": True}, "busy": {"status": 503}}


@settings(max_examples=15)
@given(at=st.lists(st.integers(0, 25), min_size=1, max_size=3), kind=st.sampled_from(sorted(KINDS)))
@example(at=[0], kind="unheard")
def test_a_push_interrupted_anywhere_ends_the_same(at: list[int], kind: str) -> None:
    with registry() as served:
        for number in at:
            _interrupt(served, number, kind)
            _push(served, INDEX)
        served.faults.clear()
        there = {digest for blobs in served.blobs.values() for digest in blobs}
        served.forget_log()
        assert _push(served, INDEX)
        assert served.state() == EXPECTED
        blobs = {str(blob.digest): blob.size for each in INDEX.images for blob in each.blobs}
        sent = sum(each.received for each in served.log if "/blobs/" in each.path)
        assert sent == sum(size for digest, size in blobs.items() if digest not in there)


def _interrupt(served: Served, number: int, kind: str) -> None:
    """The request of this number goes wrong."""
    served.faults = [Fault(path="/v2/.", times=number), Fault(path="/v2/.", **KINDS[kind])]  # type: ignore[arg-type]
