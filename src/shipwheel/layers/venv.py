"""The virtual environment of every image: where it lies, its few files of its own, its schemes (PEP 405, sysconfig "venv")."""

from __future__ import annotations

from dataclasses import dataclass

from shipwheel.oci.tree import Entry, Tree

ROOT = "opt/venv"
"""Below the image's root, without a leading slash."""

INTERPRETER = f"/{ROOT}/bin/python"
"""What the shebang of every script names."""


@dataclass(frozen=True, slots=True)
class Schemes:
    """Where a wheel's files go for one Python version such as `3.11` (binary distribution format, "Spread")."""

    python: str

    @property
    def site_packages(self) -> str:
        """purelib and platlib are one folder in a virtual environment."""
        return f"{ROOT}/lib/python{self.python}/site-packages"

    @property
    def scripts(self) -> str:
        """For console scripts and `.data/scripts`."""
        return f"{ROOT}/bin"

    def of(self, scheme: str, distribution: str) -> str | None:
        """The folder for a `.data/SCHEME` folder, None for one that the specification does not know."""
        return {
            "purelib": self.site_packages,
            "platlib": self.site_packages,
            "scripts": self.scripts,
            "data": ROOT,
            "headers": f"{ROOT}/include/site/python{self.python}/{distribution}",
        }.get(scheme)


def venv_tree(python: str, base_python: str) -> Tree:
    """What `python -m venv --without-pip` makes, without what only a shell needs; `base_python` is the base's interpreter."""
    home = base_python.rpartition("/")[0]
    config = f"home = {home}\ninclude-system-site-packages = false\nversion = {python}\nexecutable = {base_python}\n"
    return Tree.of(
        [
            Entry.data(f"{ROOT}/pyvenv.cfg", config.encode()),
            Entry.symlink(f"{ROOT}/bin/python", base_python),
            Entry.symlink(f"{ROOT}/bin/python3", "python"),
            Entry.symlink(f"{ROOT}/bin/python{python}", "python"),
            Entry.symlink(f"{ROOT}/lib64", "lib"),
            Entry.directory(Schemes(python).site_packages),
        ],
        origin="the virtual environment",
    )
