"""The runtime beside a project's packages: which versions, from where, and what happens when they exclude each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shipwheel.errors import ResolveError
from shipwheel.http import Client
from shipwheel.lock import PlatformLock, Wheel
from shipwheel.oci.blob import Platform
from shipwheel.project.requirements import Requirements
from shipwheel.resolve.request import Upgrade, WheelRequest
from shipwheel.resolve.wheels import resolve_wheels
from shipwheel.runtime import NAME, runtime_wheel
from support.index import FileServer, serve
from support.models import stock_runtime
from support.wheels import make_wheel, sha256_of

AMD64 = Platform("linux", "amd64")
Ask = Callable[..., WheelRequest]
NEEDS = {"httptools", "numpy", "nvidia-ml-py", "orjson", "prometheus-client", "uvicorn", "uvloop"}


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    folder = tmp_path / "shelf"
    stock_runtime(folder)
    for version in ("1.0", "1.5", "2.0"):
        make_wheel(folder, "alpha", version)
    return folder


@pytest.fixture
def index(shelf: Path) -> Iterator[FileServer]:
    with serve(FileServer(shelf)) as server:
        yield server


def versions(wheels: tuple[Wheel, ...]) -> dict[str, str]:
    return {wheel.name: wheel.version for wheel in wheels}


def test_the_runtime_and_what_it_needs_come_on_top(ask: Ask, client: Client) -> None:
    wheels, built = resolve_wheels(ask("alpha<2", extras=("skops",)), client)
    assert versions(wheels)["alpha"] == "1.5"
    assert {each.name for each in wheels} == {"alpha", "skops", NAME, *NEEDS}
    assert built == ()
    (runtime,) = [each for each in wheels if each.name == NAME]
    carried = runtime_wheel()
    assert runtime == Wheel(
        name=NAME,
        version=carried.version,
        filename=carried.filename,
        sha256=carried.sha256,
        size=carried.size,
        source="shipwheel",
    )


def test_no_index_is_asked_for_the_runtime(ask: Ask, client: Client, index: FileServer) -> None:
    resolve_wheels(ask("alpha", extras=()), client)
    assert not [path for path in index.paths() if NAME in path]


def test_a_newer_one_on_an_index_is_not_taken(ask: Ask, client: Client, shelf: Path) -> None:
    make_wheel(shelf, NAME, "9999.0")
    wheels, _ = resolve_wheels(ask("alpha", extras=()), client)
    assert versions(wheels)[NAME] == runtime_wheel().version


def test_packages_of_the_project_stay_as_they_are(ask: Ask, client: Client) -> None:
    assert versions(resolve_wheels(ask("numpy<2", extras=()), client)[0])["numpy"] == "1.26.4"
    assert versions(resolve_wheels(ask("alpha", extras=()), client)[0])["numpy"] == "2.1.0"


def test_a_conflict_names_both(ask: Ask, client: Client, shelf: Path) -> None:
    make_wheel(shelf, "orjson", "1.0")
    with pytest.raises(ResolveError, match=r"(?s)the runtime, shipwheel-serve, cannot be added to linux/amd64.*orjson==1\.0"):
        resolve_wheels(ask("orjson==1.0", extras=()), client)


def test_a_project_may_name_the_runtime_itself(ask: Ask, client: Client, shelf: Path) -> None:
    make_wheel(shelf, NAME, "9999.0")
    wheels, _ = resolve_wheels(ask(f"{NAME}[skops]>=0.1"), client)
    assert {each.name: each.source for each in wheels}[NAME] == "shipwheel"
    assert "skops" in versions(wheels)
    assert len(resolve_wheels(ask(f"{NAME}>=0.1", extras=()), client)[0]) == len(NEEDS) + 1
    with pytest.raises(ResolveError, match="shipwheel-serve"):
        resolve_wheels(ask(f"{NAME}==9999.0"), client)


def test_hashes_in_the_requirements_are_for_the_projects_own_packages(ask: Ask, client: Client, shelf: Path) -> None:
    good = sha256_of(shelf / "alpha-1.0-py3-none-any.whl")
    wheels, _ = resolve_wheels(ask(f"alpha==1.0 --hash=sha256:{good}", extras=()), client)
    assert versions(wheels).keys() == {"alpha", NAME, *NEEDS}
    with pytest.raises(ResolveError, match=r"alpha 1\.0"):
        resolve_wheels(ask(f"alpha==1.0 --hash=sha256:{'0' * 64}", extras=()), client)


def test_without_requirements_of_its_own_the_runtime_is_all(ask: Ask, client: Client) -> None:
    wheels, _ = resolve_wheels(ask(requirements=Requirements(), extras=()), client)
    assert {each.name for each in wheels} == {NAME, *NEEDS}


def test_places_that_the_requirements_name_are_asked_for_the_runtimes_needs_too(
    ask: Ask, client: Client, shelf: Path, root: Path
) -> None:
    (shelf / "orjson-9999.0-py3-none-any.whl").rename(root / "orjson-9999.0-py3-none-any.whl")
    wheels, _ = resolve_wheels(ask("--find-links .", "alpha", extras=()), client)
    assert {each.name: each.source for each in wheels}["orjson"] == "find-links"


def locked(**packages: str) -> PlatformLock:
    wheels = (
        Wheel(name=name, version=version, filename=f"{name}-{version}-py3-none-any.whl", sha256="0" * 64, size=1)
        for name, version in packages.items()
    )
    return PlatformLock(platform=AMD64, wheels=tuple(wheels))


@pytest.mark.parametrize(
    ("changes", "alpha"),
    [
        ({}, "1.5"),  # training's, where nothing else is known
        ({"previous": locked(alpha="1.0")}, "1.5"),  # trained anew since that lock
        ({"previous": locked(alpha="1.0"), "retrained": False}, "1.0"),
        ({"previous": locked(numpy="1.26.4"), "retrained": False}, "1.5"),
        ({"upgrade": Upgrade(all=True)}, "1.5"),  # an upgrade of everything leaves what the model needs
        ({"upgrade": Upgrade(names=frozenset({"alpha"}))}, "2.0"),
        ({"trained": {"alpha": "1.5+cpu"}}, "1.5"),
        ({"trained": {"alpha": "7.7"}}, "2.0"),  # there is none
    ],
)
def test_versions_of_training_are_preferred(ask: Ask, client: Client, changes: dict[str, object], alpha: str) -> None:
    request = ask("alpha", **{"extras": (), "trained": {"alpha": "1.5"}, **changes})
    assert versions(resolve_wheels(request, client)[0])["alpha"] == alpha


def test_requirements_come_before_training(ask: Ask, client: Client) -> None:
    request = ask("alpha>=2", extras=(), trained={"alpha": "1.5", "numpy": "1.26.4"})
    found = versions(resolve_wheels(request, client)[0])
    assert (found["alpha"], found["numpy"]) == ("2.0", "1.26.4")


def test_the_users_own_constraints_hold(ask: Ask, client: Client, tmp_path: Path) -> None:
    (tmp_path / "limits.txt").write_text("alpha<2\n")
    request = ask("alpha")
    request = replace(request, env={**request.env, "UV_CONSTRAINT": str(tmp_path / "limits.txt")})
    assert versions(resolve_wheels(request, client)[0]) == {"alpha": "1.5"}


def test_a_projects_own_build_of_onnxruntime_is_the_only_one(ask: Ask, client: Client, shelf: Path) -> None:
    for name in ("onnxruntime", "onnxruntime-gpu"):
        make_wheel(shelf, name, "1.22")
    onnx = [each for each in versions(resolve_wheels(ask("onnxruntime-gpu", extras=("onnx",)), client)[0]) if "onnx" in each]
    assert onnx == ["onnxruntime-gpu"]
    assert "onnxruntime" in versions(resolve_wheels(ask("alpha", extras=("onnx",)), client)[0])
