"""NVIDIA's driver, its device nodes, CDI specifications, and engines that give GPUs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from shipwheel.doctor.cdi import Specification, Specifications, check_cdi, read_specifications
from shipwheel.doctor.driver import Node, Nvidia, check_driver, check_nodes, module_version
from shipwheel.doctor.engines import Engine, docker_of
from shipwheel.doctor.gpu_engines import Toolkit, check_gpu_engines
from shipwheel.gpu.host import MISMATCH, Device, Driver
from support.machine import make_where, only, severities

CLOSED = """\
NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.173.02  Tue Jun 23 08:38:17 UTC 2026
GCC version:  gcc version 14.2.0 (Ubuntu 14.2.0-4ubuntu2~24.04.1)
"""
"""github.com/zzzhouuu/truenas-nvidia-drivers/issues/19: there nvidia-smi says "Driver/library version mismatch, NVML library
version: 580.178"."""

OPEN = """\
NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  555.42.06  Release Build  (abuild@host)  Thu Jul 11 12:00:00 UTC 2024
GCC version:  gcc version 7.5.0 (SUSE Linux)
"""
"""SUSE's documentation of its open NVIDIA driver."""

OPEN_ARM = (
    "NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  540.4.0  Release Build  (buildbrain@mobile-u64-6336-d8000)"
)
"""Jetson Orin with JetPack 6."""

SHORT = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  384.81  Wed Aug 17 22:24:07 PDT 2016"
"""A driver with two numbers (a guide to NVIDIA drivers of its time)."""

H100 = Device(index=0, name="NVIDIA H100 80GB HBM3", uuid="GPU-1", architecture=90, memory=85520809984)
NODES = tuple(Node(path=f"/dev/{name}", usable=True) for name in ("nvidia0", "nvidiactl", "nvidia-uvm", "nvidia-modeset"))
FINE = Nvidia(cards=1, module="535.104.05", nodes=NODES, driver=Driver(version="535.104.05", cuda="12.2", devices=(H100,)))

CDI = """\
---
cdiVersion: 0.4.0
containerEdits:
  deviceNodes:
  - path: /dev/nvidia-uvm
  - path: /dev/nvidiactl
  hooks:
  - args: [nvidia-ctk, hook, update-ldcache, --folder, /usr/lib64]
    hookName: createContainer
    path: /bin/nvidia-ctk
  mounts:
  - containerPath: /usr/lib64/libnvoptix.so.520.61.05
    hostPath: /usr/lib64/libnvoptix.so.520.61.05
    options: [ro, nosuid, nodev, bind]
  - containerPath: /usr/lib64/libcuda.so.520.61.05
    hostPath: /usr/lib64/libcuda.so.520.61.05
    options: [ro, nosuid, nodev, bind]
devices:
- containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
  name: "0"
- containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
  name: all
kind: nvidia.com/gpu
"""
"""github.com/NVIDIA/nvidia-container-toolkit/issues/38, fewer mounts."""

ON_THE_HOST = (
    "/dev/nvidia-uvm", "/dev/nvidiactl", "/dev/nvidia0", "/bin/nvidia-ctk", "/usr/lib64/libnvoptix.so.520.61.05",
    "/usr/lib64/libcuda.so.520.61.05",
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "version"), [(CLOSED, "580.173.02"), (OPEN, "555.42.06"), (OPEN_ARM, "540.4.0"), (SHORT, "384.81"), ("", "")]
)
def test_the_modules_version_is_read(text: str, version: str) -> None:
    assert module_version(text) == version


def test_a_driver_that_works_is_fine() -> None:
    assert severities([*check_driver(FINE), *check_nodes(FINE)]) == []
    assert any("compute capability 9.0, 80 GiB" in found.message for found in check_driver(FINE))


def test_a_machine_without_nvidia_is_fine(tmp_path: Path) -> None:
    nothing = Nvidia.read(make_where(tmp_path), None)
    assert nothing == Nvidia()
    assert severities([*check_driver(nothing), *check_nodes(nothing)]) == []


def test_a_driver_that_was_changed_in_use_is_told_with_both_versions(tmp_path: Path) -> None:
    where = make_where(tmp_path, {"/proc/driver/nvidia/version": CLOSED, "/usr/lib/x86_64-linux-gnu/libcuda.so.580.178.04": ""})
    found = Nvidia.read(where, Driver(code=MISMATCH, problem="RM has detected an NVML/RM version mismatch."))
    told = only(check_driver(found))
    assert told.severity == "error"
    assert told.message.endswith("580.173.02 in the kernel, 580.178.04 in libraries")


def test_a_card_without_a_driver_is_told(tmp_path: Path) -> None:
    """Vendor and class of an A100 (pci.ids: 10de, 3D controller); the other is an Intel network card."""
    card, other = "/sys/bus/pci/devices/0000:17:00.0", "/sys/bus/pci/devices/0000:00:1f.6"
    files = {
        f"{card}/vendor": "0x10de\n",
        f"{card}/class": "0x030200\n",
        f"{other}/vendor": "0x8086\n",
        f"{other}/class": "0x020000\n",
    }
    found = Nvidia.read(make_where(tmp_path, files), None)
    assert found.cards == 1
    assert only(check_driver(found)).remedy == "install NVIDIA's driver"


@pytest.mark.parametrize(
    ("found", "severity", "words"),
    [
        (Nvidia(cards=1, driver=Driver(code=9, problem="Driver Not Loaded")), "error", "modprobe nvidia"),
        (Nvidia(driver=Driver(code=9, problem="Driver Not Loaded")), "warning", "modprobe nvidia"),
        (Nvidia(module="535.104.05", driver=Driver(code=4, problem="Insufficient Permissions")), "error", "nvidia-smi"),
        (Nvidia(module="535.104.05"), "error", "whole driver"),
        (Nvidia(cards=1, module="535.104.05", asked=False), "error", "Xid"),
        (Nvidia(driver=Driver(version="535.104.05", cuda="12.2")), "warning", "nvidia-smi"),
        (Nvidia(driver=Driver(version="535.104.05", cuda="12.2", faults=("GPU 0: GPU is lost",))), "error", "Xid"),
    ],
)
def test_what_is_wrong_with_a_driver_is_told(found: Nvidia, severity: str, words: str) -> None:
    told = only(check_driver(found))
    assert told.severity == severity
    assert words in told.remedy


def test_mig_mode_is_a_note() -> None:
    driver = Driver(version="535.104.05", cuda="12.2", devices=(replace(H100, mig=True),))
    assert only(check_driver(replace(FINE, driver=driver))).severity == "note"


def test_nodes_are_looked_at_and_folders_among_them_are_not(tmp_path: Path) -> None:
    where = make_where(tmp_path, {"/dev/nvidia0": "", "/dev/nvidia-caps/nvidia-cap1": ""})
    assert Nvidia.read(where, None).nodes == (Node(path="/dev/nvidia0", usable=True),)


@pytest.mark.parametrize(
    ("nodes", "check"),
    [
        (NODES[:1] + NODES[2:], "error device-nodes"),
        (NODES[:2], "warning device-nodes"),
        ((replace(NODES[0], usable=False), *NODES[1:]), "error device-nodes"),
    ],
)
def test_nodes_that_cuda_needs_are_missed(nodes: tuple[Node, ...], check: str) -> None:
    assert severities(check_nodes(replace(FINE, nodes=nodes))) == [check]


def test_a_node_that_only_displays_need_may_be_closed() -> None:
    assert severities(check_nodes(replace(FINE, nodes=(*NODES[:3], replace(NODES[3], usable=False))))) == []


def test_a_specification_of_the_driver_that_runs_is_fine(tmp_path: Path) -> None:
    found = read_specifications(make_where(tmp_path, {"/etc/cdi/nvidia.yaml": CDI, **dict.fromkeys(ON_THE_HOST, "")}))
    assert found.files == (
        Specification(path="/etc/cdi/nvidia.yaml", devices=("nvidia.com/gpu=0", "nvidia.com/gpu=all"), drivers=("520.61.05",)),
    )
    assert severities(check_cdi(found, "520.61.05")) == []


def test_a_specification_of_another_driver_is_stale(tmp_path: Path) -> None:
    found = read_specifications(make_where(tmp_path, {"/var/run/cdi/nvidia.yaml": CDI, **dict.fromkeys(ON_THE_HOST, "")}))
    told = only(check_cdi(found, "535.104.05"))
    assert "is of driver 520.61.05, but 535.104.05 runs" in told.message
    assert told.remedy == "sudo nvidia-ctk cdi generate --output=/var/run/cdi/nvidia.yaml"


def test_a_specification_that_names_what_is_gone_is_stale_too(tmp_path: Path) -> None:
    found = read_specifications(make_where(tmp_path, {"/etc/cdi/nvidia.yaml": CDI, **dict.fromkeys(ON_THE_HOST[:4], "")}))
    assert "libnvoptix.so.520.61.05 and 1 more" in only(check_cdi(found, "")).message


@pytest.mark.parametrize("text", ["kind: [", "kind: nvidia.com/gpu", "[]"])
def test_a_specification_that_cannot_be_read_is_told_without_this_machines_root(tmp_path: Path, text: str) -> None:
    found = read_specifications(make_where(tmp_path, {"/etc/cdi/nvidia.yaml": text}))
    assert only(check_cdi(found, "")).message.startswith("a CDI specification cannot be used: /etc/cdi/nvidia.yaml: ")


def test_devices_of_others_are_left_alone(tmp_path: Path) -> None:
    found = read_specifications(make_where(tmp_path, {"/etc/cdi/vendor.json": CDI.replace("nvidia.com/gpu", "vendor.com/net")}))
    assert found.files == ()
    assert severities(check_cdi(found, "535.104.05")) == []


GENERATED = Specifications(files=(Specification(path="/etc/cdi/nvidia.yaml", devices=("nvidia.com/gpu=all",)),))
NONE = Specifications()


@pytest.mark.parametrize(
    ("engine", "specifications", "toolkit"),
    [
        (docker_of({"ServerVersion": "24.0.7", "Runtimes": {"nvidia": {}}}), NONE, Toolkit(ctk=True)),
        (docker_of({"ServerVersion": "24.0.7", "Runtimes": {"runc": {}}}), NONE, Toolkit(ctk=True, hook=True)),
        (docker_of({"ServerVersion": "28.2.0", "CDISpecDirs": ["/etc/cdi"]}), GENERATED, Toolkit()),
        (
            docker_of({"ServerVersion": "29.0.0", "DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=0"}]}),
            NONE,
            Toolkit(),
        ),
        (docker_of({"ServerVersion": "24.0.7"}, local=False), NONE, Toolkit()),
        (Engine(kind="podman", version="4.3.1", cdi=True), GENERATED, Toolkit()),
        (Engine(kind="runc", version="1.1.5", cdi=True), GENERATED, Toolkit()),
    ],
)
def test_engines_that_give_gpus_are_fine(engine: Engine, specifications: Specifications, toolkit: Toolkit) -> None:
    assert severities(check_gpu_engines([engine], specifications, toolkit)) == []


@pytest.mark.parametrize(
    ("engine", "specifications", "toolkit", "remedy"),
    [
        (
            docker_of({"ServerVersion": "24.0.7"}),
            GENERATED,
            Toolkit(ctk=True),
            "sudo nvidia-ctk runtime configure --runtime=docker;",
        ),
        (docker_of({"ServerVersion": "24.0.7"}), NONE, Toolkit(), "install nvidia-container-toolkit"),
        (
            docker_of({"ServerVersion": "26.1.5+dfsg1", "CDISpecDirs": []}),
            GENERATED,
            Toolkit(ctk=True),
            '{"features": {"cdi": true}}',
        ),
        (
            docker_of({"ServerVersion": "28.2.2", "CDISpecDirs": ["/etc/cdi"]}),
            NONE,
            Toolkit(ctk=True),
            "nvidia-ctk cdi generate",
        ),
        (Engine(kind="podman", version="4.0.2", cdi=True), GENERATED, Toolkit(ctk=True), "Podman 4.1"),
        (Engine(kind="podman", version="5.4.0", cdi=True), NONE, Toolkit(ctk=True), "sudo nvidia-ctk cdi generate"),
        (Engine(kind="runc", version="1.1.5", cdi=True), NONE, Toolkit(), "install nvidia-container-toolkit"),
    ],
)
def test_engines_that_give_no_gpu_are_told_with_what_to_do(
    engine: Engine, specifications: Specifications, toolkit: Toolkit, remedy: str
) -> None:
    told = only(check_gpu_engines([engine], specifications, toolkit))
    assert told.severity == "warning"
    assert remedy in told.remedy


ROOTLESS = {
    "ServerVersion": "26.1.5",
    "Runtimes": {"nvidia": {}},
    "SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless"],
}

CONFIG = """\
disable-require = false
#swarm-resource = "DOCKER_RESOURCE_GPU"
[nvidia-container-cli]
no-cgroups = true
environment = []
load-kmods = true
"""
"""/etc/nvidia-container-runtime/config.toml of a machine with rootless Docker (gist.github.com/tom-doerr, in part)."""


def test_the_hook_leaves_control_groups_alone_in_rootless_docker_only(tmp_path: Path) -> None:
    without, rootless, rootful = Toolkit(), docker_of(ROOTLESS), docker_of({**ROOTLESS, "SecurityOptions": []})
    toolkit = Toolkit.read(make_where(tmp_path, {"/etc/nvidia-container-runtime/config.toml": CONFIG}))
    assert severities(check_gpu_engines([rootless], NONE, toolkit)) == []
    assert severities(check_gpu_engines([rootful], NONE, without)) == []
    assert "no-cgroups=true" in only(check_gpu_engines([rootless], NONE, without)).remedy
    assert "no-cgroups=false" in only(check_gpu_engines([rootful], NONE, toolkit)).remedy


def test_a_broken_setting_of_the_toolkit_counts_for_nothing(tmp_path: Path) -> None:
    assert Toolkit.read(make_where(tmp_path, {"/etc/nvidia-container-runtime/config.toml": "["})) == Toolkit()


def test_the_toolkits_programs_are_looked_for(tmp_path: Path) -> None:
    assert Toolkit.read(make_where(tmp_path)) == Toolkit()
    assert Toolkit.read(make_where(tmp_path, programs={"nvidia-ctk": ""})) == Toolkit(ctk=True)
