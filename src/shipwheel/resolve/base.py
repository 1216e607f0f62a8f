"""Which Debian packages the base of an image is made of, and those of the interpreter that compiles its bytecode."""

from __future__ import annotations

import re
from collections.abc import Iterable
from types import MappingProxyType

from shipwheel.errors import DebError, ResolveError
from shipwheel.lock import Deb

SUITES = MappingProxyType({"3.11": "bookworm", "3.13": "trixie"})
"""The Debian release that ships each Python."""

_COMMON = """base-files ca-certificates libbz2-1.0 libc-bin libc6 libexpat1 libffi8 libgcc-s1 liblzma5 libncursesw6
libsqlite3-0 libstdc++6 libtinfo6 libuuid1 media-types netbase readline-common tzdata zlib1g"""

_PACKAGES = MappingProxyType(
    {
        "3.11": f"""{_COMMON} gcc-12-base libcom-err2 libcrypt1 libdb5.3 libgdbm6 libgssapi-krb5-2 libk5crypto3 libkeyutils1
        libkrb5-3 libkrb5support0 libnsl2 libpython3.11-minimal libpython3.11-stdlib libreadline8 libssl3 libtirpc-common
        libtirpc3 python3-distutils python3-gdbm python3-lib2to3 python3.11-minimal python3.11-venv""",
        "3.13": f"""{_COMMON} gcc-14-base libdb5.3t64 libgdbm6t64 libpython3.13-minimal libpython3.13-stdlib libreadline8t64
        libssl3t64 libzstd1 openssl-provider-legacy python3.13-gdbm python3.13-minimal python3.13-venv""",
    }
)
"""The base of each Python, closed under dependencies, so that a lock tells base and system packages apart by name."""

SHELL = ("coreutils", "dash")
"""What the setting `shell` adds."""

DEBIAN_IMAGE = """apt base-files base-passwd bash bsdutils coreutils dash debconf debianutils diffutils dpkg findutils grep
gzip hostname init-system-helpers libc-bin libc6 libgcc-s1 libstdc++6 login login.defs mawk mount ncurses-base ncurses-bin
passwd perl-base sed sqv sysvinit-utils tar tzdata util-linux"""
"""What Debian's smallest images are made of (priority required, and apt), with what they depend on; of any release."""


def base_packages(python: str) -> tuple[str, ...]:
    """Names of the packages of the base for Python `3.11` or `3.13`.

    Raises:
        ResolveError: another Python.
    """
    if python not in _PACKAGES:
        raise ResolveError(
            f"the composed base has no Python {python}",
            hint=f"it has {' and '.join(SUITES)}; set 'python' under [tool.shipwheel] to one of them",
        )
    return tuple(sorted(_PACKAGES[python].split()))


def interpreter_packages(python: str) -> tuple[str, ...]:
    """Names of the packages that run `python3.X -I -S`; what else they depend on is not loaded for compiling."""
    return tuple(sorted((f"python{python}-minimal", f"libpython{python}-minimal", "libc6", "libexpat1", "zlib1g")))


def interpreter_identity(debs: Iterable[Deb]) -> str:
    """Name and version of the interpreter's package, the same on every architecture: a rebuild (+b1) does not count."""
    for deb in debs:
        if re.fullmatch(r"python3\.\d+-minimal", deb.name):
            return f"{deb.name} {re.sub(r'[+]b[0-9]+$', '', deb.version)}"
    raise DebError("the lock names no Python interpreter to compile bytecode with", hint="run 'shipwheel lock --upgrade'")
