"""One sentence on why a container died."""

from __future__ import annotations

from typing import Any

import pytest

from shipwheel.engines.death import died, refused
from shipwheel.engines.engine import State


def sentence(log: str = "", **changes: Any) -> str:
    state = State(name="app", image="app:1", running=False, **{"exit_code": 1, **changes})
    return died(state, log).message.removeprefix("container 'app' died: ")


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("Traceback\nModuleNotFoundError: No module named 'a.b'", "the module 'a.b' is missing in the image"),
        (
            "ImportError: libgomp.so.1: cannot open shared object file: No such file or directory",
            "the shared library 'libgomp.so.1' is missing in the image",
        ),
        (
            "ERROR: [Errno 98] error while attempting to bind on address ('0.0.0.0', 8000): [errno 98] address already in use",
            "port 8000 is taken",
        ),
        ("OSError: [Errno 98] Address already in use", "a port is taken"),
        (
            "OSError: [Errno 30] Read-only file system: '/app/cache'",
            "it may not write '/app/cache': the file system is read-only",
        ),
        ("PermissionError: [Errno 13] Permission denied: '/data/x'", "it may not touch '/data/x': permission denied"),
        (
            "exec /opt/venv/bin/uvicorn: exec format error",
            "'/opt/venv/bin/uvicorn' is for another processor than this machine's",
        ),
        ("FileNotFoundError: [Errno 2] No such file or directory: '/bin/sh'", "it calls a shell, and the image has none"),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'ffmpeg'", "'ffmpeg' is missing in the image"),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'data.csv'", "exit code 1"),
        (
            "CUDARuntimeError: cudaErrorInsufficientDriver: CUDA driver version is insufficient for CUDA runtime version",
            "CUDA finds no GPU, or a driver that is too old",
        ),
        ("RuntimeError: Found no NVIDIA driver on your system.", "CUDA finds no GPU, or a driver that is too old"),
        (
            "ImportError: libcuda.so.1: cannot open shared object file: No such file or directory",
            "CUDA finds no GPU, or a driver that is too old",
        ),
        ("AssertionError: Torch not compiled with CUDA enabled", "its torch is a build for the CPU"),
        (
            "RuntimeError: CUDA error: no kernel image is available for execution on the device",
            "a library has no code for this GPU",
        ),
        ("something else", "exit code 1"),
        ("ModuleNotFoundError: No module named 'old'\n" + "later\n" * 30, "exit code 1"),
    ],
)
def test_the_log_tells(log: str, expected: str) -> None:
    assert sentence(log) == expected


def test_what_the_engine_knows_comes_first() -> None:
    assert sentence("ModuleNotFoundError: No module named 'x'", out_of_memory=True) == "killed for memory"
    assert "most likely for memory (its limit is 64 MiB)" in sentence(exit_code=137, memory=64 << 20)
    assert sentence(exit_code=137) == "ended by SIGKILL (exit code 137)"
    assert sentence(exit_code=143) == "ended by SIGTERM (exit code 143)"
    assert sentence(exit_code=200) == "exit code 200"
    assert sentence(exit_code=127, error="something odd") == "something odd"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "driver failed programming external connectivity on endpoint x (1a): Bind for 0.0.0.0:8000 failed: "
            "port is already allocated",
            "port 8000 is taken",
        ),
        ("Error starting userland proxy: listen tcp4 0.0.0.0:8000: bind: address already in use", "port 8000 is taken"),
        ("rootlessport listen tcp 0.0.0.0:8000: bind: address already in use", "port 8000 is taken"),
        ("cannot listen on the TCP port: listen tcp4 :8000: bind: address already in use", "port 8000 is taken"),
        (
            'runc create failed: unable to start container process: exec: "nope": executable file not found in $PATH: unknown',
            "the command 'nope' is not in the image",
        ),
        ('exec: \\"/x/nope\\": stat /x/nope: no such file or directory', "the command '/x/nope' is not in the image"),
        (
            "crun: executable file `nope` not found in $PATH: No such file or directory",
            "the command 'nope' is not in the image",
        ),
        ('exec: "/app/run.sh": permission denied: unknown', "the command '/app/run.sh' is not executable"),
    ],
)
def test_each_engines_words_for_a_start_that_failed(message: str, expected: str) -> None:
    error = refused("app", message)
    assert error is not None
    assert error.message == f"container 'app' did not start: {expected}"
    assert error.hint


def test_unknown_words_are_left_to_the_engine() -> None:
    assert refused("app", "no space left on device") is None


def test_the_error_carries_what_a_script_needs() -> None:
    error = died(State(name="app", image="app:1", running=False, exit_code=3), "a\nb\n")
    assert (error.fields["exit_code"], error.fields["log"], error.exit_status) == (3, "a\nb\n", 8)


HOOK = (
    "OCI runtime create failed: container_linux.go:380: starting container process caused: process_linux.go:545: container "
    "init caused: Running hook #0:: error running hook: exit status 1, stdout: , stderr: nvidia-container-cli: "
)
"""As Docker frames what NVIDIA's hook says: github.com/NVIDIA/nvidia-docker, issues 1442 and 1629."""


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        # Docker 26.1 without the toolkit, with a CDI specification of other devices, Podman 4.3 and 5.4: seen in tests here.
        ('could not select device driver "" with capabilities: [[gpu]]', "the engine knows no way to GPUs"),
        (
            "CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=7",
            "the machine offers no GPU 'nvidia.com/gpu=7'",
        ),
        ("setting up CDI devices: unresolvable CDI devices nvidia.com/gpu=7", "the machine offers no GPU 'nvidia.com/gpu=7'"),
        # moby 28.4 and later, daemon/devices_nvidia_linux.go
        ("failed to discover GPU vendor from CDI: no known GPU vendor found", "the engine knows no way to GPUs"),
        (
            HOOK
            + "requirement error: unsatisfied condition: cuda>=11.0, please update your driver to a newer version, or use an "
            "earlier cuda container: unknown.",
            "the image needs cuda>=11.0, and the machine's driver does not offer it",
        ),
        (
            HOOK + "initialization error: nvml error: driver not loaded: unknown.",
            "the NVIDIA driver is not there, or not loaded",
        ),
        (HOOK + "device error: 3: unknown device: unknown.", "the machine offers no GPU '3'"),
        # github.com/dynamia-ai/hami-docs and others, of a toolkit or driver that moved
        (
            'failed to inject devices: failed to stat CDI host device "/dev/nvidia-modeset": no such file or directory',
            "'/dev/nvidia-modeset' is not on the machine, where it should be taken from",
        ),
        (
            "error running createContainer hook #0: fork/exec /usr/bin/nvidia-ctk: no such file or directory",
            "'/usr/bin/nvidia-ctk' is not on the machine, where it should be taken from",
        ),
        (
            'error mounting "/usr/lib/libcuda.so.575" to rootfs at "/usr/lib/libcuda.so.575": stat /usr/lib/libcuda.so.575: '
            "no such file or directory",
            "'/usr/lib/libcuda.so.575' is not on the machine, where it should be taken from",
        ),
    ],
)
def test_what_engines_say_of_gpus(message: str, expected: str) -> None:
    error = refused("app", message)
    assert error is not None
    assert error.message == f"container 'app' did not start: {expected}"
    assert error.hint
