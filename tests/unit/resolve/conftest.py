"""An index of small wheels, and requests against it that touch nothing outside the test's folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shipwheel.http import Client, Limits
from shipwheel.oci.blob import Platform
from shipwheel.project.requirements import Requirements
from shipwheel.resolve.indexes import find_indexes, option_lines
from shipwheel.resolve.request import WheelRequest
from shipwheel.resolve.target import Target
from support.index import FileServer, serve
from support.wheels import make_sdist, make_wheel

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheels and sdists on the index."""
    folder = tmp_path_factory.mktemp("shelf")
    for version in ("1.0", "1.1", "2.0"):
        make_wheel(folder, "alpha", version, requires=["beta>=1", 'gamma; extra == "more"'], metadata="Provides-Extra: more\n")
    for version in ("1.0", "1.5"):
        make_wheel(folder, "beta", version)
    make_wheel(folder, "gamma", "3.0")
    make_wheel(folder, "windows_only_dep", "1.0")
    for tag in (
        "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64",
        "cp311-cp311-manylinux_2_28_x86_64",
        "cp311-cp311-manylinux_2_39_x86_64",
        "cp311-cp311-musllinux_1_2_x86_64",
        "cp311-cp311-manylinux_2_17_aarch64",
        "cp312-cp312-manylinux_2_28_x86_64",
        "cp39-abi3-manylinux_2_28_x86_64",
        "py3-none-any",
    ):
        make_wheel(folder, "native", "1.0", tag=tag)
    make_wheel(folder, "only_amd", "1.0", tag="cp311-cp311-manylinux_2_28_x86_64")
    make_sdist(folder, "only_amd", "1.0", _setup("only-amd", "1.0"))
    make_wheel(folder, "only_amd_too", "1.0", tag="cp311-cp311-manylinux_2_28_x86_64")
    make_sdist(folder, "only_amd_too", "1.0", _setup("only-amd-too", "1.0"))
    make_sdist(folder, "just_source", "1.0", _setup("just-source", "1.0"))
    return folder


def _setup(name: str, version: str) -> dict[str, str]:
    from support.wheels import BACKEND

    return {
        "pyproject.toml": f'[project]\nname = "{name}"\nversion = "{version}"\n'
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": BACKEND,
        f"{name.replace('-', '_')}.py": "X = 1\n",
    }


@pytest.fixture
def index(shelf: Path) -> Iterator[FileServer]:
    with serve(FileServer(shelf)) as server:
        yield server


@pytest.fixture
def client() -> Iterator[Client]:
    with Client(limits=Limits(connect=2, stall=5, attempts=2, backoff=0.01)) as made:
        yield made


@pytest.fixture(scope="session")
def uv_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("uv-cache")


@pytest.fixture
def env(uv_cache: Path, tmp_path: Path) -> dict[str, str]:
    """No configuration of the machine's user; its interpreters are found."""
    path = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
    kept = {key: os.environ[key] for key in ("SSL_CERT_FILE", "GIT_SSL_CAINFO") if key in os.environ}
    return {**path, **kept, "HOME": str(tmp_path / "home"), "UV_CACHE_DIR": str(uv_cache), "UV_HTTP_RETRIES": "0"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The project's folder."""
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


Ask = Callable[..., WheelRequest]


@pytest.fixture
def ask(root: Path, env: dict[str, str], index: FileServer, tmp_path: Path) -> Ask:
    """Make a request: `ask("line", ...)` for a requirements.txt, or `ask(requirements=...)`."""

    def make(*lines: str, requirements: Requirements | None = None, **changes: object) -> WheelRequest:
        if requirements is None:
            (root / "requirements.txt").write_text("".join(f"{line}\n" for line in lines))
            requirements = Requirements(kind="requirements", files=(root / "requirements.txt",))
        set_env = {**env, "UV_DEFAULT_INDEX": index.simple}
        request = WheelRequest(
            root=root,
            requirements=requirements,
            target=Target(python="3.11", platform=AMD64, glibc=36),
            host=AMD64,
            indexes=replace(
                find_indexes(root, set_env, option_lines(root, requirements), tmp_path / "hints"), files=requirements.files
            ),
            env=set_env,
        )
        return replace(request, **changes)  # type: ignore[arg-type]

    return make
