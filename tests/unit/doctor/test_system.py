"""Kernel, user namespaces, their ids, control groups."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipwheel.doctor.cgroups import Cgroups, check_cgroups, layout
from shipwheel.doctor.kernel import Kernel, check_kernel
from shipwheel.doctor.namespaces import Namespaces, check_namespaces
from shipwheel.doctor.subids import SubIds, check_subids, count
from support.machine import make_where, only, severities

SYSCTL = "/proc/sys/kernel"

V2 = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nodev,noexec,relatime,nsdelegate,memory_recursiveprot 0 0"
"""Debian 12 (/proc/self/mounts)."""

HYBRID = """\
tmpfs /sys/fs/cgroup tmpfs rw,relatime,mode=755 0 0
cgroup /sys/fs/cgroup/cpu cgroup rw,relatime,cpu 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0"""
"""The machine that this was written on."""


def kernel(release: str, machine: str = "x86_64", system: str = "Linux") -> Kernel:
    return Kernel(system=system, release=release, machine=machine)


def test_a_kernel_of_today_is_fine() -> None:
    assert severities(check_kernel(kernel("6.8.0-45-generic"))) == []
    assert kernel("6.8.0-45-generic").version == (6, 8)
    assert str(kernel("6.8.0", "aarch64").platform) == "linux/arm64"


def test_users_mount_overlays_from_5_11_on() -> None:
    assert kernel("5.11.0").mounts_for_users
    assert not kernel("5.10.102.1-microsoft-standard-WSL2").mounts_for_users


def test_a_processor_that_images_are_not_made_for_is_an_error() -> None:
    assert "'riscv64'" in only(check_kernel(kernel("6.8.0", "riscv64"))).message


def test_another_system_is_worth_a_note_and_an_ancient_one_a_warning() -> None:
    assert only(check_kernel(kernel("23.1.0", "arm64", "Darwin"))).severity == "note"
    assert only(check_kernel(kernel("2.6.32-754.el6.x86_64"))).severity == "warning"


def test_namespaces_are_read_from_proc(tmp_path: Path) -> None:
    files = {"/proc/sys/user/max_user_namespaces": "31402\n", f"{SYSCTL}/unprivileged_userns_clone": "1\n"}
    found = Namespaces.read(make_where(tmp_path, files))
    assert found == Namespaces(most=31402, clone=1, apparmor=None)
    assert severities(check_namespaces(found)) == []


@pytest.mark.parametrize("found", [Namespaces(most=0), Namespaces(most=31402, clone=0)])
def test_namespaces_that_are_switched_off_name_the_switch(found: Namespaces) -> None:
    told = only(check_namespaces(found))
    assert told.remedy.startswith("sudo sysctl ")
    assert found.barred


def test_ubuntus_apparmor_is_told_from_namespaces_that_are_off(tmp_path: Path) -> None:
    """Ubuntu 24.04's default: discourse.ubuntu.com/t/37626, github.com/NVIDIA/OpenShell/issues/1895."""
    files = {"/proc/sys/user/max_user_namespaces": "127235", f"{SYSCTL}/apparmor_restrict_unprivileged_userns": "1"}
    found = Namespaces.read(make_where(tmp_path, files))
    assert found.confined
    assert not found.barred
    assert "apparmor_restrict_unprivileged_userns=0" in only(check_namespaces(found)).remedy


def test_subids_go_by_name_or_number_and_add_up(tmp_path: Path) -> None:
    assert count("root:1000000:65536\nada:100000:65536\n1000:200000:10\n", ("ada", "1000")) == 65546
    assert count("# a comment\nada:x:y\n\n", ("ada",)) == 0
    where = make_where(
        tmp_path,
        {"/etc/subuid": "ada:100000:65536\n", "/etc/subgid": "ada:100000:65536\n"},
        {"newuidmap": "", "newgidmap": ""},
    )
    assert severities(check_subids(SubIds.read(where), "ada")) == []


def test_absent_subids_and_their_programs_are_told(tmp_path: Path) -> None:
    found = SubIds.read(make_where(tmp_path, {"/etc/subuid": "ada:100000:65536\n"}))
    ids, programs = check_subids(found, "ada")
    assert ids.message.startswith("you have fewer than 65536 ids in /etc/subgid:")
    assert ids.remedy.endswith("ada, then 'podman system migrate'")
    assert programs.message.startswith("newuidmap and newgidmap")


@pytest.mark.parametrize(
    ("mounts", "kind"),
    [(V2, "v2"), (HYBRID, "hybrid"), (HYBRID.rpartition("\n")[0], "v1"), ("proc /proc proc rw 0 0", "none"), ("", "none")],
)
def test_the_layout_of_control_groups_is_seen_in_mounts(mounts: str, kind: str) -> None:
    assert layout(mounts) == kind


def test_what_systemd_delegates_is_compared_with_what_limits_need(tmp_path: Path) -> None:
    """Ubuntu 20.04 delegates two, 22.04 five (rootlesscontaine.rs, "cgroup v2")."""
    name = "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/cgroup.controllers"
    few = Cgroups.read(make_where(tmp_path, {"/proc/self/mounts": V2, name: "memory pids\n"}))
    assert only(check_cgroups(few, root=False)).message.startswith("cpu: not given to you")
    all_of_them = Cgroups.read(make_where(tmp_path, {"/proc/self/mounts": V2, name: "cpuset cpu io memory pids\n"}))
    assert severities(check_cgroups(all_of_them, root=False)) == []
    assert severities(check_cgroups(few, root=True)) == []


@pytest.mark.parametrize(
    ("kind", "root", "severity"),
    [("v1", False, "warning"), ("hybrid", False, "warning"), ("hybrid", True, "note"), ("none", True, "warning")],
)
def test_other_layouts_are_told(kind: str, root: bool, severity: str) -> None:
    assert only(check_cgroups(Cgroups(layout=kind), root=root)).severity == severity


def test_version_1_is_fine_for_root() -> None:
    assert severities(check_cgroups(Cgroups(layout="v1"), root=True)) == []
