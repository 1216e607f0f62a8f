"""From wheels that were chosen to the Debian packages, the C library and the GPU that they need."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from shipwheel.errors import ResolveError
from shipwheel.examine import Reader, examine
from shipwheel.http import Client, Limits
from shipwheel.lock import BaseImage, Built, Deb, PlatformLock
from shipwheel.progress import SILENT
from shipwheel.project import load_project
from shipwheel.resolve.debian import DebianArchives, IndexSource
from shipwheel.resolve.indexes import Indexes
from shipwheel.resolve.needs import Chosen, Needs
from shipwheel.resolve.project import Reach
from support import fatbins
from support.cargo import AMD64, locked_wheel, make_script
from support.debian import NOW, Mirror, SignedArchive, serve_mirror
from support.elves import library
from support.wheels import make_wheel

NATIVE = "cp311-cp311-manylinux_2_17_x86_64"
CONTENTS = """\
usr/bin/dot                                             graphics/graphviz
usr/bin/ffmpeg                                          video/ffmpeg
usr/lib/x86_64-linux-gnu/libGL.so.1                     libs/libgl1
usr/lib/x86_64-linux-gnu/libmagic.so.1                  libs/libmagic1
usr/lib/x86_64-linux-gnu/libpng16.so.16                 libs/libpng16-16
"""
CUDA = fatbins.elf_file({".nv_fatbin": fatbins.container(fatbins.entry(fatbins.CUBIN, 80), fatbins.entry(fatbins.PTX, 90))})


@dataclass
class Bench:
    """A project, wheels on a shelf, a Debian mirror, and what was said."""

    folder: Path
    mirror: Mirror
    archive: SignedArchive
    client: Client
    said: list[str] = field(default_factory=list)
    wheels: list[Path] = field(default_factory=list)

    def wheel(self, name: str, files: Mapping[str, str | bytes] | None = None, tag: str = NATIVE) -> None:
        """Put a wheel on the shelf."""
        self.wheels.append(make_wheel(self.folder / "shelf", name, "1.0", files, tag=tag))

    def chosen(self, *debs: str, base: BaseImage | None = None, built: tuple[Built, ...] = ()) -> Chosen:
        """All wheels of the shelf, locked, on bookworm."""
        have = tuple(Deb(name=each, version="1", architecture="amd64", filename="f", sha256="0" * 64, size=1) for each in debs)
        wheels = tuple(map(locked_wheel, self.wheels))
        project = load_project(make_script(self.folder / "project", *(wheel.name for wheel in wheels)))
        source = IndexSource(
            archives=DebianArchives(main=f"{self.mirror.url}/debian", security=f"{self.mirror.url}/debian-security"),
            fetcher=self.client,
            cache=self.folder / "home" / "downloads" / "debian",
            keyring=self.archive.keyring,
            now=NOW,
        )
        locked = PlatformLock(platform=AMD64, base=base, debs=have, wheels=wheels, built=built)
        suite = base.distribution if base else "bookworm"
        return Chosen(project=project, locked=locked, suite=suite, glibc=36, distribution=suite, debian=source)

    def examine(self, chosen: Chosen) -> Needs:
        """With everything at hand."""
        home = self.folder / "home"
        reach = Reach(
            client=self.client,
            archives=chosen.debian.archives,
            indexes=Indexes(default=f"{self.mirror.url}/none", find_links=((self.folder / "shelf").as_uri(),)),
            cache=home / "downloads",
            host=AMD64,
            env={"PATH": os.environ["PATH"]},
            say=self.said.append,
        )
        return examine(Reader(reach=reach, home=home, progress=SILENT), chosen)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    (tmp_path / "mirror").mkdir()
    limits = Limits(connect=2, stall=5, attempts=1, backoff=0.01)
    with serve_mirror(tmp_path / "mirror") as mirror, Client(limits=limits) as client:
        archive = SignedArchive(mirror.folder)
        archive.publish("bookworm")
        archive.write("debian", "bookworm", contents={"amd64": CONTENTS, "all": ""})
        yield Bench(folder=tmp_path, mirror=mirror, archive=archive, client=client)


def test_a_library_of_the_system_is_added_with_its_reason(bench: Bench) -> None:
    bench.wheel("vision", {"vision/_core.so": library(needed=["libGL.so.1", "libc.so.6"])})
    assert bench.examine(bench.chosen()) == Needs(packages={"libgl1": "libGL.so.1, needed by vision/_core.so of vision"})
    assert bench.said == []


def test_what_a_locked_package_brings_is_not_added(bench: Bench) -> None:
    bench.wheel("vision", {"vision/_core.so": library(needed=["libGL.so.1"])})
    assert bench.examine(bench.chosen("libgl1")) == Needs()


def test_no_index_of_files_is_asked_for_where_the_base_has_it_all(bench: Bench) -> None:
    bench.wheel("numbers", {"numbers/_core.so": library(needed=["libstdc++.so.6", "libm.so.6", "libc.so.6"])})
    assert bench.examine(bench.chosen()) == Needs()
    assert not [path for path in bench.mirror.paths if "Contents" in path]


def test_what_nothing_brings_is_said(bench: Bench) -> None:
    bench.wheel("odd", {"odd/_core.so": library(needed=["libnowhere.so.7"])})
    assert bench.examine(bench.chosen()) == Needs()
    assert bench.said == ["  libnowhere.so.7, needed by odd/_core.so of odd, is in no Debian package"]


def test_what_a_package_opens_without_saying_so(bench: Bench) -> None:
    bench.wheel("python-magic", tag="py3-none-any")
    (package, reason), *more = bench.examine(bench.chosen()).packages.items()
    assert (package, more) == ("libmagic1", [])
    assert reason.startswith("libmagic.so.1, opened by ")


def test_a_file_that_its_package_does_without_neither_needs_nor_brings_anything(bench: Bench) -> None:
    """Open3D's own libGL is for who renders on the processor; its module takes the system's."""
    files = {"open3d/pybind.so": library(needed=["libGL.so.1"]), "open3d/libGL.so.1": library(needed=["libnowhere.so.7"])}
    bench.wheel("open3d", files)
    assert set(bench.examine(bench.chosen()).packages) == {"libgl1"}
    assert bench.said == []


def test_a_newer_c_library_than_the_bases_is_an_error(bench: Bench) -> None:
    bench.wheel("fresh", {"fresh/_core.so": library(versions={"libc.so.6": "GLIBC_2.99"})})
    with pytest.raises(ResolveError, match=r"fresh 1\.0 needs glibc 2\.99 \(fresh/_core\.so\), and the base has 2\.36"):
        bench.examine(bench.chosen())


def test_code_for_gpus_of_a_package_for_cuda(bench: Bench) -> None:
    bench.wheel("cupy-cuda12x", {"cupy/_core.so": CUDA})
    found = bench.examine(bench.chosen()).accelerator
    assert found is not None
    assert (found.kind, found.version, found.driver) == ("cuda", "12", "525.60.13")
    assert found.architectures.split() == ["sm_80", "compute_90"]


LACKING = "fast needs libcublas.so.12 of CUDA, which no package brings: require nvidia-cublas-cu12"


def test_libraries_of_cuda_that_nothing_brings_are_said(bench: Bench) -> None:
    bench.wheel("fast", {"fast/_core.so": library(needed=["libcublas.so.12"])})
    assert bench.examine(bench.chosen()).packages == {}
    assert bench.said == [f"  {LACKING}"]


def test_they_are_an_error_where_the_project_is_for_cuda(bench: Bench) -> None:
    bench.wheel("fast", {"fast/_core.so": library(needed=["libcublas.so.12"])})
    chosen = bench.chosen()
    settings = replace(chosen.project.settings, accelerator="cuda")
    with pytest.raises(ResolveError, match=LACKING):
        bench.examine(replace(chosen, project=replace(chosen.project, settings=settings)))


def test_libraries_of_cuda_in_another_wheel_are_enough(bench: Bench) -> None:
    bench.wheel("fast", {"fast/_core.so": library(needed=["libcublas.so.12"])})
    bench.wheel("nvidia-cublas-cu12", {"nvidia/cublas/lib/libcublas.so.12": library(soname="libcublas.so.12")})
    bench.examine(bench.chosen())
    assert bench.said == []


def test_the_projects_own_files_count(bench: Bench) -> None:
    folder = make_script(bench.folder / "project")
    (folder / "own.so").write_bytes(library(needed=["libpng16.so.16"]))
    assert bench.examine(bench.chosen()).packages == {"libpng16-16": "libpng16.so.16, needed by own.so of the project"}


def test_code_for_gpus_in_the_projects_own_files_counts(bench: Bench) -> None:
    bench.wheel("cupy-cuda12x", {"cupy/_core.so": CUDA})
    folder = make_script(bench.folder / "project")
    (folder / "own.so").write_bytes(fatbins.elf_file({".nv_fatbin": fatbins.container(fatbins.entry(fatbins.PTX, 100))}))
    found = bench.examine(bench.chosen()).accelerator
    assert found is not None
    assert found.architectures == "compute_100"


def test_on_a_base_that_is_not_debians_it_is_only_said(bench: Bench) -> None:
    bench.wheel("vision", {"vision/_core.so": library(needed=["libGL.so.1"])})
    chosen = replace(bench.chosen(), suite="", distribution="ubuntu-22.04")
    assert bench.examine(chosen) == Needs()
    (line,) = bench.said
    assert line == "  libGL.so.1, needed by vision/_core.so of vision: whether the base has it cannot be seen from here"


def test_a_source_that_cannot_be_built_here_is_said(bench: Bench) -> None:
    (bench.folder / "project" / "ext").mkdir(parents=True)
    (bench.folder / "project" / "ext" / "core.c").write_text("")
    built = (Built(name="ext", version="0", kind="path", path="ext"),)
    assert bench.examine(bench.chosen(built=built)) == Needs()
    assert "ext cannot be built here" in bench.said[0]


def test_a_pure_folder_is_not_built_only_to_be_read(bench: Bench) -> None:
    (bench.folder / "project" / "plain").mkdir(parents=True)
    (bench.folder / "project" / "plain" / "plain.py").write_text("")
    built = (Built(name="plain", version="0", kind="path", path="plain"),)
    assert bench.examine(bench.chosen(built=built)) == Needs()
    assert bench.said == []
