"""Docker, Podman and runc."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipwheel.doctor.engines import (
    Engine,
    ForRunc,
    check_docker,
    check_engine,
    check_podman,
    check_runc,
    docker_absent,
    docker_of,
    podman_of,
    read_docker,
    read_podman,
    read_runc,
    working,
)
from shipwheel.doctor.kernel import Kernel
from shipwheel.doctor.namespaces import Namespaces
from shipwheel.errors import EngineAbsentError
from support.engines import PrivateEngine, docker_engine
from support.machine import make_where, only, severities

__all__ = ["docker_engine"]

CLASSIC = {
    "ServerVersion": "26.1.5+dfsg1",
    "Driver": "overlay2",
    "DriverStatus": [["Backing Filesystem", "extfs"], ["Supports d_type", "true"], ["Native Overlay Diff", "true"]],
    "DockerRootDir": "/var/lib/docker",
    "Runtimes": {"io.containerd.runc.v2": {"path": "runc"}, "runc": {"path": "runc"}},
    "CDISpecDirs": [],
}
"""GET /info of Debian's Docker 26.1.5, in part."""

TWO_GPUS = {
    "ServerVersion": "29.4.3",
    "Driver": "overlayfs",
    "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]],
    "DockerRootDir": "/var/lib/docker",
    "Runtimes": {"io.containerd.runc.v2": {}, "nvidia": {}, "runc": {}},
    "CDISpecDirs": ["/etc/cdi", "/var/run/cdi"],
    "DiscoveredDevices": [
        {"Source": "cdi", "ID": "management.nvidia.com/gpu=all"},
        {"Source": "cdi", "ID": "nvidia.com/gpu=0"},
        {"Source": "cdi", "ID": "nvidia.com/gpu=all"},
    ],
}
"""`docker info --format '{{json .}}'` of a machine with two GPUs, in part; the store as Docker 29 has it."""

RUNC = "runc version 1.1.5+ds1\ncommit: 1.1.5+ds1-1+deb12u1\nspec: 1.0.2-dev\ngo: go1.19.8\nlibseccomp: 2.5.4"
"""Debian 12."""

PODMAN = '{"host": {"arch": "amd64", "cgroupVersion": "v1"}, "store": {"graphRoot": "/var/lib/containers/storage"}, '
PODMAN += '"version": {"APIVersion": "4.3.1", "Version": "4.3.1"}}'
"""Debian 12, in part."""


def for_runc(
    *,
    root: bool = False,
    release: str = "6.1.0",
    namespaces: Namespaces | None = None,
    fuse: bool = False,
    outbound: bool = True,
) -> ForRunc:
    kernel = Kernel(system="Linux", release=release, machine="x86_64")
    return ForRunc(root=root, kernel=kernel, namespaces=namespaces or Namespaces(), fuse=fuse, outbound=outbound)


def test_docker_tells_its_version_store_runtimes_and_devices() -> None:
    classic, containerd = docker_of(CLASSIC), docker_of(TWO_GPUS)
    assert (classic.numbers, classic.store, classic.cdi, classic.folder) == (
        (26, 1, 5),
        "classic",
        False,
        Path("/var/lib/docker"),
    )
    assert (containerd.store, containerd.cdi) == ("containerd", True)
    assert "nvidia" in containerd.runtimes
    assert containerd.devices[1:] == ("nvidia.com/gpu=0", "nvidia.com/gpu=all")
    assert severities([*check_docker(classic), *check_docker(containerd)]) == []


def test_a_docker_elsewhere_has_no_folder_here() -> None:
    assert docker_of(CLASSIC, local=False).folder is None


def test_docker_that_is_not_installed_is_no_finding_of_its_own() -> None:
    assert severities(check_docker(Engine(kind="docker", problem="no Docker engine answers"))) == []


def test_docker_from_before_version_2_of_control_groups_is_told() -> None:
    assert "19.03.15" in only(check_docker(docker_of({"ServerVersion": "19.03.15"}))).message


def test_a_docker_that_is_not_where_it_should_be_is_told(tmp_path: Path) -> None:
    told = only(check_docker(read_docker(make_where(tmp_path, DOCKER_HOST=f"unix://{tmp_path}/no.sock"))))
    assert "no such file or directory" in told.message
    assert "DOCKER_HOST" in told.remedy


def test_certificates_that_are_not_there_are_told(tmp_path: Path) -> None:
    where = make_where(tmp_path, DOCKER_HOST="tcp://127.0.0.1:1", DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=f"{tmp_path}/none")
    assert only(check_docker(read_docker(where))).remedy.startswith("correct DOCKER_CERT_PATH")


@pytest.mark.parametrize(
    ("programs", "cause", "remedy"),
    [
        (("docker", "dockerd"), "no such file or directory", "sudo systemctl start docker"),
        (("docker",), "permission denied", "sudo usermod -aG docker ada"),
        (("docker",), "connection refused", "start Docker, or set DOCKER_HOST"),
    ],
)
def test_why_docker_does_not_answer_decides_what_to_do(
    tmp_path: Path, programs: tuple[str, ...], cause: str, remedy: str
) -> None:
    message = f"no Docker engine answers at unix:///var/run/docker.sock: {cause}"
    fault = EngineAbsentError(message, hint="start Docker, or set DOCKER_HOST; '--engine runc' needs no engine at all")
    told = only(check_docker(docker_absent(fault, make_where(tmp_path, programs=dict.fromkeys(programs, "")))))
    assert told.message == message
    assert told.remedy.startswith(remedy)


def test_podman_is_asked_for_json(tmp_path: Path) -> None:
    found = read_podman(make_where(tmp_path, programs={"podman": f"echo '{PODMAN}'"}))
    assert (found.version, found.folder) == ("4.3.1", Path("/var/lib/containers/storage"))
    assert severities(check_podman(found)) == []
    (tmp_path / "none").mkdir()
    assert severities(check_podman(read_podman(make_where(tmp_path / "none")))) == []


def test_a_podman_that_fails_is_told_in_its_own_words(tmp_path: Path) -> None:
    said = "Error: cannot set up namespace using newuidmap: exit status 1"
    script = f"echo 'time=now level=warning' >&2; echo '{said}' >&2; exit 125"
    told = only(check_podman(read_podman(make_where(tmp_path, programs={"podman": script}))))
    assert told.message.endswith(said)
    assert only(check_podman(podman_of("WARN[0000] no json"))).severity == "warning"


def test_runc_is_asked_for_its_version(tmp_path: Path) -> None:
    found = read_runc(make_where(tmp_path, programs={"runc": f"echo '{RUNC}'"}))
    assert found.version == "1.1.5+ds1"
    assert severities(check_runc(found, for_runc())) == []
    assert severities(check_runc(Engine(kind="runc"), for_runc())) == []


def test_a_runc_that_does_not_run_is_told(tmp_path: Path) -> None:
    found = read_runc(make_where(tmp_path, programs={"runc": "echo 'exec format error' >&2; exit 126"}))
    assert "exec format error" in only(check_runc(found, for_runc(root=True))).message


@pytest.mark.parametrize(
    ("needs", "words"),
    [
        (for_runc(namespaces=Namespaces(most=0)), "no user namespaces"),
        (for_runc(namespaces=Namespaces(apparmor=1)), "no user namespaces"),
        (for_runc(release="5.10.0-28-amd64"), "mounts no overlays"),
    ],
)
def test_what_keeps_runc_from_users_is_told_and_does_not_keep_it_from_root(needs: ForRunc, words: str) -> None:
    runc = Engine(kind="runc", present=True, version="1.1.5")
    assert words in only(check_runc(runc, needs)).message
    assert working([runc], needs) == ()
    assert only(check_engine([runc], needs)).severity == "error"
    as_root = for_runc(root=True, release=needs.kernel.release, namespaces=needs.namespaces)
    assert severities([*check_runc(runc, as_root), *check_engine([runc], as_root)]) == []


def test_fuse_overlayfs_helps_an_old_kernel_and_a_missing_way_out_is_a_note() -> None:
    runc = Engine(kind="runc", present=True, version="1.1.5")
    assert severities(check_runc(runc, for_runc(release="5.10.0", fuse=True))) == []
    assert only(check_runc(runc, for_runc(outbound=False))).severity == "note"


@pytest.mark.docker
def test_a_real_docker_answers(tmp_path: Path, docker_engine: PrivateEngine) -> None:
    found = read_docker(make_where(tmp_path, **docker_engine.environment))
    assert found.version
    assert found.local
    assert found.folder
    assert "runc" in found.runtimes
