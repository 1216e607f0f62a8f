"""Libraries with GPU code in the layers of an image."""

from __future__ import annotations

import pytest

from shipwheel.errors import IntegrityError
from shipwheel.gpu.image import NOBODY, libraries_of
from shipwheel.oci.blob import Blob, Platform
from shipwheel.oci.image import Image, compose
from shipwheel.oci.layer import MEDIA_TYPE, Layer
from shipwheel.oci.tree import Entry
from support.fatbins import CUBIN, PTX, container, elf_file, entry
from support.trees import CONFIG, foreign, layer

SITE = "opt/venv/lib/python3.11/site-packages"
OLD = elf_file({".nv_fatbin": container(entry(CUBIN, 80))})
NEW = elf_file({".nv_fatbin": container(entry(PTX, 90))})
RECORD = b"alpha_gpu/libalpha.so,sha256=x,1\nalpha_gpu-1.0.dist-info/RECORD,,\n"


def image(*layers: Layer) -> Image:
    return compose(layers, CONFIG, Platform())


def found(*layers: Layer) -> list[tuple[str, str, list[str]]]:
    return [(each.owner, each.path, [code.name for code in each.codes]) for each in libraries_of(image(*layers))]


def test_the_owner_is_the_package_that_recorded_the_file() -> None:
    files = [
        Entry.data(f"{SITE}/alpha_gpu/libalpha.so", OLD),
        Entry.data(f"{SITE}/alpha_gpu-1.0.dist-info/RECORD", RECORD),
        Entry.data("usr/lib/libother.so", NEW),
        Entry.data("usr/lib/libnone.so", elf_file({".text": bytes(8)})),
        Entry.data("usr/share/text", b"no ELF file"),
        Entry.symlink("usr/lib/link.so", "libother.so"),
    ]
    assert found(layer(files)) == [
        ("alpha-gpu", f"{SITE}/alpha_gpu/libalpha.so", ["sm_80"]),
        (NOBODY, "usr/lib/libother.so", ["compute_90"]),
    ]


def test_a_layer_above_replaces_files() -> None:
    upper = layer([Entry.data("usr/lib/libx.so", NEW)])
    assert found(layer([Entry.data("usr/lib/libx.so", OLD)]), upper) == [(NOBODY, "usr/lib/libx.so", ["compute_90"])]
    plain = layer([Entry.data("usr/lib/libx.so", b"now a text")])
    assert found(layer([Entry.data("usr/lib/libx.so", OLD)]), plain) == []


@pytest.mark.parametrize("whiteout", ["usr/lib/.wh.libx.so", "usr/.wh.lib", ".wh.usr", "usr/.wh..wh..opq", "usr/lib"])
def test_a_layer_above_removes_files(whiteout: str) -> None:
    upper = foreign_layer(whiteout)
    assert found(layer([Entry.data("usr/lib/libx.so", OLD)]), upper) == []


@pytest.mark.parametrize("other", ["usr/lib/.wh.liby.so", "usr/lib/libx.so.1", "usr/lib64/.wh..wh..opq"])
def test_other_whiteouts_leave_it(other: str) -> None:
    assert len(found(layer([Entry.data("usr/lib/libx.so", OLD)]), foreign_layer(other))) == 1


def test_large_files_go_through_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shipwheel.native.members._IN_MEMORY", 100)
    assert found(layer([Entry.data("libx.so", OLD)])) == [(NOBODY, "libx.so", ["sm_80"])]


def test_a_library_that_is_not_understood_stays_in_the_list() -> None:
    broken = elf_file({".nv_fatbin": b"something else"})
    (each,) = libraries_of(image(layer([Entry.data("libx.so", broken)])))
    assert "other than containers" in each.problem


def test_a_damaged_layer_is_an_error() -> None:
    good = layer([Entry.data("libx.so", OLD)])
    blob = Blob(descriptor=good.blob.descriptor, open=foreign(good.blob.read()[:-30]).open)
    with pytest.raises(IntegrityError):
        libraries_of(image(Layer(blob=blob, diff_id=good.diff_id, created_by="", unpacked=0)))


def foreign_layer(path: str) -> Layer:
    """One file of a name that Shipwheel's own trees refuse."""
    import gzip
    import io
    import tarfile

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        tar.addfile(tarfile.TarInfo(path))
    blob = foreign(gzip.compress(out.getvalue()), MEDIA_TYPE)
    return Layer(blob=blob, diff_id=blob.digest, created_by="", unpacked=0)
