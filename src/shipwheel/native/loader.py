"""`missing`: which libraries the dynamic loader would not find (ld.so(8), "DESCRIPTION")."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from shipwheel.native.elf import Elf
from shipwheel.native.search import Environment, File

_OWN = re.compile(r"ld-linux[-.].*|linux-(vdso|gate)\.so.*|ld64\.so\..*")
"""The loader itself, and what the kernel maps into every process."""

_OF_THE_DRIVER = re.compile(
    r"libcuda\.so.*|libcudadebugger\.so.*|libnvidia-.*|libnvcuvid\.so.*|libnvoptix\.so.*|lib(GLX|EGL)_nvidia\.so.*"
    r"|libnv(rm|sci)[a-z_]*\.so.*|libdxcore\.so|libvdpau_nvidia\.so.*"
)
"""What comes with the GPU's driver: the host mounts it, and one of another version in the image would break (NVIDIA Container
Toolkit, "driver capabilities"; libdxcore is WSL's, libnvrm and libnvsci those of Jetson)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A library that nothing in the environment brings: `name` is what a loader looks for (libGL.so.1).

    `needed_by` are the paths of the files that ask for it, `owner` is the package (or `the project`) of the first of them.
    `optional`: only files ask for it that the package works without, such as tests and plugins: no reason to add anything.
    `elsewhere` are packages that bring the library where the loader does not look for it: it is found only if one of them is
    imported first, so the system's is wanted if it has one, and none is no fault.
    """

    name: str
    owner: str
    needed_by: tuple[str, ...]
    optional: bool = False
    elsewhere: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """libGL.so.1, needed by cv2/cv2.abi3.so of opencv-python."""
        file = self.needed_by[0].rpartition("/site-packages/")[2] + " of " if self.needed_by else ""
        return f"{self.name}, needed by {file}{self.owner}"


def missing(owners: Mapping[str, Sequence[Elf]], present: Iterable[str] = (), *, machine: str = "") -> tuple[Missing, ...]:
    """What files of `owners` (a package's name to its files) need and neither they nor `present` (sonames of the system) bring.

    `machine` is that of the image (x86_64): files for others, and those for musl, are left out. Sorted by name. A library
    without a version in its name (libtorch.so) that another package has is not missing: it is private to these two, and
    whoever needs it imports that package first.
    """
    environment = Environment(owners, machine)
    unmet = {file: names for file in environment.files if (names := _unmet(file, environment, frozenset(present)))}
    matter = environment.necessary()
    found = []
    for name in sorted(set[str]().union(*unmet.values())):
        asking = [file for file in environment.files if name in unmet.get(file, ())]
        important = [file for file in asking if file.place in matter]
        found.append(
            Missing(
                name=name,
                owner=(important or asking)[0].owner,
                needed_by=tuple(file.elf.path for file in important or asking),
                optional=not important,
                elsewhere=tuple(sorted({file.owner for file in environment.called(name)})),
            )
        )
    return tuple(found)


def _unmet(file: File, environment: Environment, present: frozenset[str]) -> frozenset[str]:
    return frozenset(
        name
        for name in file.elf.needed
        if not (name in present or _OWN.fullmatch(name) or _OF_THE_DRIVER.fullmatch(name) or environment.found(file, name))
        and not (name.endswith(".so") and environment.called(name))
    )
