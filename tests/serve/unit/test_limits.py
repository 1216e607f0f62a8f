"""CPU limits of every kind of cgroup, thread counts, GPUs and workers."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipwheel_serve import limits
from shipwheel_serve.settings import Settings


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return root


CPU = "sys/fs/cgroup/cpu,cpuacct"

CASES = {
    "v2": ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "150000 100000"}, 1.5),
    "v2 without a limit": ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "max 100000"}, 16),
    "v2, own cgroup without, parent with one": (
        {
            "proc/self/cgroup": "0::/pod/app",
            "sys/fs/cgroup/pod/app/cpu.max": "max 100000",
            "sys/fs/cgroup/pod/cpu.max": "200000 100000",
        },
        2,
    ),
    "v2, the smallest of nested ones": (
        {
            "proc/self/cgroup": "0::/a/b",
            "sys/fs/cgroup/a/cpu.max": "400000 100000",
            "sys/fs/cgroup/a/b/cpu.max": "50000 100000",
        },
        0.5,
    ),
    "v2, another container's limit is not ours": (
        {"proc/self/cgroup": "0::/a", "sys/fs/cgroup/b/cpu.max": "50000 100000"},
        16,
    ),
    "v2, the host's path in a container": (
        {"proc/self/cgroup": "0::/docker/abc", "sys/fs/cgroup/cpu.max": "300000 100000"},
        3,
    ),
    "v1": (
        {"proc/self/cgroup": "4:cpu,cpuacct:/", f"{CPU}/cpu.cfs_quota_us": "250000", f"{CPU}/cpu.cfs_period_us": "100000"},
        2.5,
    ),
    "v1 without a limit": (
        {"proc/self/cgroup": "4:cpu,cpuacct:/", f"{CPU}/cpu.cfs_quota_us": "-1", f"{CPU}/cpu.cfs_period_us": "100000"},
        16,
    ),
    "v1, the host's path in a container": (
        {
            "proc/self/cgroup": "4:cpu,cpuacct:/docker/a",
            f"{CPU}/cpu.cfs_quota_us": "50000",
            f"{CPU}/cpu.cfs_period_us": "50000",
        },
        1,
    ),
    "v1, nested": (
        {
            "proc/self/cgroup": "3:cpu:/kube/pod",
            "sys/fs/cgroup/cpu/kube/cpu.cfs_quota_us": "700000",
            "sys/fs/cgroup/cpu/kube/cpu.cfs_period_us": "100000",
        },
        7,
    ),
    "v1, mounted by the other order of names": (
        {"proc/self/cgroup": "4:cpuacct,cpu:/", f"{CPU}/cpu.cfs_quota_us": "300000", f"{CPU}/cpu.cfs_period_us": "100000"},
        3,
    ),
    "hybrid: v2 for processes, v1 for the limit": (
        {
            "proc/self/cgroup": "9:memory:/x\n4:cpu,cpuacct:/x\n0::/x",
            "sys/fs/cgroup/unified/x/cgroup.procs": "",
            f"{CPU}/x/cpu.cfs_quota_us": "120000",
            f"{CPU}/x/cpu.cfs_period_us": "100000",
        },
        1.2,
    ),
    "no cgroups at all": ({}, 16),
    "nonsense": ({"proc/self/cgroup": "?", "sys/fs/cgroup/cpu.max": "many few"}, 16),
}


@pytest.mark.parametrize("case", CASES)
def test_the_cpu_limit_is_the_smallest_quota_on_the_way_up(case: str, tmp_path: Path) -> None:
    files, expected = CASES[case]
    assert limits.cpu_limit(tree(tmp_path, files), affinity=16) == expected


def test_affinity_limits_as_well(tmp_path: Path) -> None:
    root = tree(tmp_path, {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "400000 100000"})
    assert limits.cpu_limit(root, affinity=2) == 2
    assert limits.cpu_limit() >= 0.01  # this machine's own


@pytest.mark.parametrize(
    ("quota", "workers", "threads"),
    [("150000", 1, "1"), ("50000", 1, "1"), ("800000", 2, "4"), ("800000", 3, "2"), ("100000", 4, "1")],
)
def test_threads_are_the_workers_share_of_whole_cpus(
    quota: str, workers: int, threads: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(16))
    root = tree(tmp_path, {"sys/fs/cgroup/cpu.max": f"{quota} 100000"})
    found = limits.thread_environment(Settings(), {}, workers, root)
    assert set(found.values()) == {threads}
    assert {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"} <= set(found)


def test_what_the_user_set_stays(tmp_path: Path) -> None:
    found = limits.thread_environment(Settings(), {"MKL_NUM_THREADS": "3"}, 1, tmp_path)
    assert "MKL_NUM_THREADS" not in found
    assert "OMP_NUM_THREADS" in found


def test_the_users_omp_num_threads_counts_for_all(tmp_path: Path) -> None:
    found = limits.thread_environment(Settings(), {"OMP_NUM_THREADS": "5"}, 1, tmp_path)
    assert "OMP_NUM_THREADS" not in found
    assert found["OPENBLAS_NUM_THREADS"] == "5"


def test_the_setting_decides_over_the_limit(tmp_path: Path) -> None:
    assert limits.thread_environment(Settings(threads=7), {}, 4, tmp_path)["OMP_NUM_THREADS"] == "7"


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("0", ["0"]),
        ("2, 0", ["2", "0"]),
        ("", []),
        ("-1", []),
        ("0,-1,1", ["0"]),
        ("NoDevFiles", []),
        ("GPU-6a0c,MIG-33f1", ["GPU-6a0c", "MIG-33f1"]),
    ],
)
def test_cuda_visible_devices_is_read_as_cuda_reads_it(visible: str, expected: list[str]) -> None:
    assert limits.gpu_ids({"CUDA_VISIBLE_DEVICES": visible}) == expected


def test_one_worker_a_gpu_else_one() -> None:
    two, none = (limits.gpu_ids({"CUDA_VISIBLE_DEVICES": given}) for given in ("0,1", ""))
    assert limits.worker_count(Settings(), two) == 2
    assert limits.worker_count(Settings(), none) == 1
    assert limits.worker_count(Settings(workers=3), two) == 3
