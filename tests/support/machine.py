"""A machine for `shipwheel doctor`: a root folder with the files that a test names, programs that say what it says."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from shipwheel.doctor.finding import Finding
from shipwheel.doctor.where import Where


def make_where(
    folder: Path, files: Mapping[str, str] | None = None, programs: Mapping[str, str] | None = None, uid: int = 1000, **env: str
) -> Where:
    """`files` by absolute path, `programs` by name: shell scripts, the only ones on PATH. The user is called ada."""
    root, bin_folder = folder / "root", folder / "bin"
    root.mkdir(exist_ok=True)
    bin_folder.mkdir(exist_ok=True)
    for name, text in (files or {}).items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name, script in (programs or {}).items():
        path = bin_folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    own = {"PATH": str(bin_folder), "HOME": str(folder)}
    return Where(home=folder / "home", env={**own, **env}, uid=uid, user="ada", root=root)


def severities(findings: Iterable[Finding]) -> list[str]:
    """`error check` for each, of what is not fine."""
    return [f"{found.severity} {found.check}" for found in findings if found.severity != "ok"]


def only(findings: Iterable[Finding]) -> Finding:
    """The one finding that is not fine."""
    (found,) = (each for each in findings if each.severity != "ok")
    assert found.remedy or found.severity == "note"
    assert "\n" not in f"{found.message}{found.remedy}"
    return found


NVML = r"""
#include <string.h>
#include <unistd.h>
typedef struct { unsigned long long total, free, used; } memory_t;
int nvmlInitWithFlags(unsigned flags) { if (HANG) sleep(60); return INIT; }
int nvmlShutdown(void) { return 0; }
int nvmlSystemGetDriverVersion(char *out, unsigned size) { strncpy(out, DRIVER, size); return 0; }
int nvmlSystemGetCudaDriverVersion_v2(int *out) { *out = CUDA; return 0; }
int nvmlDeviceGetCount_v2(unsigned *out) { *out = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **out) {
  if (index == LOST) return 15;
  *out = (void *)(long)(index + 1);
  return 0;
}
int nvmlDeviceGetCudaComputeCapability(void *device, int *major, int *minor) {
  *major = ARCH / 10;
  *minor = ARCH % 10;
  return 0;
}
int nvmlDeviceGetMemoryInfo(void *device, memory_t *out) { out->total = 85520809984ull; return 0; }
int nvmlDeviceGetMigMode(void *device, unsigned *current, unsigned *pending) {
  *current = device == (void *)2;
  return ARCH < 80 ? 3 : 0;
}
int nvmlDeviceGetUUID(void *device, char *out, unsigned size) { strncpy(out, "GPU-8836a272", size); return 0; }
int nvmlDeviceGetName(void *device, char *out, unsigned size) { strncpy(out, NAME, size); return 0; }
"""
"""A libnvidia-ml.so.1 with two GPUs, by the signatures of NVIDIA's NVML API reference."""


def make_nvml(folder: Path, **values: object) -> Path:
    """Compile it into `folder`, for LD_LIBRARY_PATH: `driver`, `cuda` (12020), `arch` (90), `name`, `init` (a status)..."""
    chosen = {
        "driver": "535.104.05",
        "cuda": 12020,
        "arch": 90,
        "name": "NVIDIA H100 80GB HBM3",
        "init": 0,
        "lost": 9,
        "hang": 0,
    }
    chosen.update(values)
    texts = {key: f'"{value}"' if isinstance(value, str) else value for key, value in chosen.items()}
    defines = [f"-D{key.upper()}={value}" for key, value in texts.items()]
    folder.mkdir(parents=True, exist_ok=True)
    output = folder / "libnvidia-ml.so.1"
    subprocess.run(["gcc", "-shared", "-fPIC", "-w", "-x", "c", "-o", output, *defines, "-"], input=NVML.encode(), check=True)
    return folder
