"""NVIDIA's own view of the GPU code in a file: what cuobjdump (PyPI: nvidia-cuda-cuobjdump) prints, as counts."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

Codes = Counter[str]
"""How often each of sm_90a, compute_90, lto_75 is there."""

_PREFIXES = {"elf": "sm", "ptx": "compute", "nvvm": "lto"}
_HEADING = re.compile(r"^Fatbin (\w+) code:\n=+\narch = sm_(\w+)$", re.MULTILINE)
_LISTED = re.compile(r"\.sm_(\w+)\.(cubin|ptx)$", re.MULTILINE)
_CONTAINER = struct.Struct("<IHHQ")
_ENTRY = struct.Struct("<HHIQ")
_BEGINS = struct.pack("<IHH", 0xBA55ED50, 1, _CONTAINER.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cuobjdump:
    """The program."""

    program: Path

    @classmethod
    def fetched(cls, folder: Path) -> Cuobjdump:
        """Out of its wheel, which pip brings."""
        command = [sys.executable, "-m", "pip", "download", "-qq", "--no-deps", "-d", str(folder), "nvidia-cuda-cuobjdump"]
        subprocess.run(command, check=True)
        with zipfile.ZipFile(next(folder.glob("nvidia_cuda_cuobjdump-*.whl"))) as wheel:
            member = next(name for name in wheel.namelist() if name.endswith("/bin/cuobjdump"))
            program = Path(wheel.extract(member, folder))
        program.chmod(0o755)
        return cls(program=program)

    def dump(self, path: Path) -> Codes:
        """All entries with their variants, by the headings of a dump of everything.

        It stops at a cubin that it cannot read; then it is given every entry of the containers apart, and names each.
        """
        done = self._run("-all", path)
        if "Invalid ELF" in done.stderr:
            return self.dump_apart(_entries(path.read_bytes()))
        return self._headings(done.stdout)

    def dump_apart(self, files: Iterator[bytes]) -> Codes:
        """The same of the contents of several files."""
        codes = Counter[str]()
        for each in files:
            with tempfile.NamedTemporaryFile(suffix=".fatbin") as file:
                file.write(each)
                file.flush()
                codes += self._headings(self._run("-all", Path(file.name)).stdout)
        return codes

    def listed(self, path: Path) -> tuple[Codes, float]:
        """What --list-elf and --list-ptx print, and the seconds for both. In these lists sm_100f is called sm_100."""
        begun = time.perf_counter()
        texts = [self._run("-all", path, option).stdout for option in ("--list-elf", "--list-ptx")]
        seconds = time.perf_counter() - begun
        found = (match for text in texts for match in _LISTED.finditer(text))
        return Counter(f"{'sm' if match[2] == 'cubin' else 'compute'}_{match[1]}" for match in found), seconds

    def _run(self, option: str, path: Path, *more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.program, option, *more, path], capture_output=True, text=True, errors="replace", check=False
        )

    def _headings(self, text: str) -> Codes:
        return Counter(f"{_PREFIXES[kind]}_{architecture}" for kind, architecture in _HEADING.findall(text))


def containers(data: bytes) -> Iterator[bytes]:
    """Every container in some bytes, found by its first eight alone."""
    at = 0
    while (at := data.find(_BEGINS, at)) >= 0:
        end = at + _CONTAINER.size + _CONTAINER.unpack_from(data, at)[3]
        yield data[at:end]
        at = end


def _entries(data: bytes) -> Iterator[bytes]:
    """Every entry in a container of its own."""
    for container in containers(data):
        at = _CONTAINER.size
        while at < len(container):
            _, _, header, size = _ENTRY.unpack_from(container, at)
            entry = container[at : at + header + size]
            yield _BEGINS + struct.pack("<Q", len(entry)) + entry
            at += len(entry)
