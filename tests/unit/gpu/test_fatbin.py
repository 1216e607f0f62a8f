"""Containers of GPU code in ELF files: what is read, and what is refused."""

from __future__ import annotations

import mmap
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipwheel.gpu.fatbin import read_codes, read_entries, read_library
from support.fatbins import ACCELERATED, CUBIN, FAMILY, LTO, LZ4, PTX, ZSTD, container, cubin, elf_file, entry


def names(data: bytes) -> list[str]:
    return [code.name for code in read_codes(data)]


def problem(data: bytes) -> str:
    library = read_library(data, "lib/libx.so", "x")
    assert not library.codes
    return library.problem


def fatbin(*containers: bytes) -> bytes:
    return elf_file({".nv_fatbin": b"".join(containers)})


def test_entries_of_all_containers_are_summed_up_by_kind_architecture_and_variant() -> None:
    one = container(entry(CUBIN, 80), entry(CUBIN, 90), entry(PTX, 90), entry(LTO, 90))
    two = container(entry(CUBIN, 80, b"x" * 100), entry(CUBIN, 90, flags=ACCELERATED))
    codes = read_codes(fatbin(one, two))
    assert [(code.name, code.count, code.size) for code in codes] == [
        ("sm_80", 2, 64 + 104),
        ("sm_90", 1, 64),
        ("sm_90a", 1, 64),
        ("lto_90", 1, 64),
        ("compute_90", 1, 64),
    ]


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        (0, "sm_100"),
        (ZSTD, "sm_100"),
        (LZ4, "sm_100"),
        (ACCELERATED | ZSTD | 1 << 24, "sm_100a"),
        (FAMILY | 1 << 24, "sm_100f"),
        (ACCELERATED | FAMILY, "sm_100a"),
    ],
)
def test_variants_are_flags_of_an_entry_however_it_is_compressed(flags: int, name: str) -> None:
    assert names(fatbin(container(entry(CUBIN, 100, flags=flags)))) == [name]


def test_variants_of_ptx() -> None:
    data = fatbin(container(entry(PTX, 90, flags=ACCELERATED), entry(PTX, 100, flags=FAMILY)))
    assert names(data) == ["compute_90a", "compute_100f"]


@pytest.mark.parametrize("header", [64, 72, 112, 144])
def test_headers_of_any_length(header: int) -> None:
    assert names(fatbin(container(entry(CUBIN, 75, header=header), entry(PTX, 75)))) == ["sm_75", "compute_75"]


def test_emptied_containers_and_the_zeros_behind_them_hold_nothing() -> None:
    assert names(fatbin(container(), bytes(8), container(entry(PTX, 80)), container(), bytes(300_000))) == ["compute_80"]


def test_a_file_without_gpu_code_holds_none() -> None:
    assert read_codes(elf_file({".text": b"\x50\xed\x55\xba" * 100})) == ()


def test_what_looks_like_a_container_elsewhere_is_none() -> None:
    decoy = container(entry(CUBIN, 80))
    assert read_codes(elf_file({".text": decoy, ".rodata": decoy, ".data": cubin(80)})) == ()


@pytest.mark.parametrize("section", [".cask_resource", ".ldata", ".lrodata"])
def test_containers_among_other_data_are_found(section: str) -> None:
    decoys = b"\x50\xed\x55\xba" + bytes(12) + b"\x50\xed\x55\xba\x01\0\x11\0" + bytes(16)
    at_odd_place = b"\1\2\3\4" + container(entry(CUBIN, 70)) + bytes(4)
    data = elf_file({section: decoys + container(entry(LTO, 75)) + at_odd_place + container(entry(CUBIN, 90))})
    assert names(data) == ["sm_90", "lto_75"]


def test_cubins_without_a_container_are_found() -> None:
    old, new = cubin(80, abi=7), cubin(90, accelerated=True)
    data = elf_file(
        {".ldata": b"at\0odd\0" + old + b"\x7fELF\x02\x01\x01" + bytes(34) + container(entry(PTX, 70)) + new + b"end"}
    )
    assert [(code.name, code.size) for code in read_codes(data)] == [
        ("sm_80", len(old)),
        ("sm_90a", len(new)),
        ("compute_70", 64),
    ]


@pytest.mark.parametrize("abi", [7, 8])
@pytest.mark.parametrize("accelerated", [False, True])
def test_a_cubin_file_is_its_own_code(abi: int, accelerated: bool) -> None:
    assert names(cubin(90, accelerated=accelerated, abi=abi)) == ["sm_90a" if accelerated else "sm_90"]


def test_the_bit_of_variants_means_something_else_on_architectures_without() -> None:
    assert names(cubin(60, accelerated=True, abi=7)) == ["sm_60"]  # libcupti 12 has such: e_flags 0x3c0d3c


def test_cubins_without_instructions_are_no_code() -> None:
    """cuFFTW has one of sm_75 and nothing else, and runs everywhere."""
    data = fatbin(container(entry(CUBIN, 75, cubin(75, kernels=False)), entry(CUBIN, 80, cubin(80))))
    assert names(data) == ["sm_80"]
    assert [each.empty for each in read_entries(data)] == [True, False]


def test_relocatable_code_counts_as_well() -> None:
    data = elf_file({".nv_fatbin": container(entry(CUBIN, 80)), "__nv_relfatbin": container(entry(PTX, 90))})
    assert names(data) == ["sm_80", "compute_90"]


GOOD = container(entry(CUBIN, 80), entry(PTX, 80))


@pytest.mark.parametrize(
    ("section", "words"),
    [
        (GOOD[:-8], "reach behind the section"),
        (GOOD + b"\x50\xed\x55\xba\x01\0", "cut off"),
        (GOOD + b"something", "other than containers"),
        (b"\x50\xed\x55\xba\x02\0" + GOOD[6:], "version 2"),
        (GOOD[:8] + (60).to_bytes(8, "little") + GOOD[16:], "odd"),
        (GOOD[:8] + (160).to_bytes(8, "little") + GOOD[16:], "last entry is cut off"),
        (GOOD[:24] + (1 << 40).to_bytes(8, "little") + GOOD[32:], "reaches behind it"),
        (GOOD[:20] + (8).to_bytes(4, "little") + GOOD[24:], "is none"),
        (container(entry(128, 100)), "kind 128"),
        (container(entry(CUBIN, 9)), "architecture 9,"),
    ],
)
def test_what_is_not_understood_is_a_problem_and_no_table(section: bytes, words: str) -> None:
    assert words in problem(elf_file({".nv_fatbin": section}))


def test_a_broken_container_among_other_data_is_a_problem_too() -> None:
    assert "reach behind" in problem(elf_file({".lrodata": b"any" * 8 + GOOD[:-8]}))


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"no ELF file" * 10, cubin(80)[:100], b"\x7fELF\x01\x01" + bytes(60)])
def test_what_is_no_elf_file_is_a_problem(data: bytes) -> None:
    assert "ELF" in problem(data)


def test_a_cubin_of_an_unknown_abi_is_a_problem() -> None:
    assert "ABI version 9" in problem(cubin(80, abi=9))


def test_code_for_amd_is_said_to_be_so() -> None:
    assert "AMD" in problem(elf_file({".hip_fatbin": b"__CLANG_OFFLOAD_BUNDLE__"}))


def test_files_are_read_through_a_map(tmp_path: Path) -> None:
    path = tmp_path / "libx.so"
    path.write_bytes(elf_file({".nv_fatbin": GOOD, ".ldata": GOOD}))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        assert [code.count for code in read_codes(data)] == [2, 2]


WHOLE = elf_file(
    {
        ".nv_fatbin": GOOD + bytes(16) + container(entry(CUBIN, 75, cubin(75, kernels=False))),
        ".ldata": b"data" + cubin(90, abi=7) + bytes(20) + GOOD + cubin(100, accelerated=True),
    }
)


@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=6), st.integers(0, 200))
def test_damage_never_raises_anything_but_a_problem(changes: list[tuple[int, int]], cut: int) -> None:
    damaged = bytearray(WHOLE)
    for at, value in changes:
        damaged[at] = value
    library = read_library(bytes(damaged[: len(damaged) - cut if cut < 100 else None]), "libx.so", "x")
    assert not (library.codes and library.problem)


@given(st.integers(0, 2**32))
def test_noise_behind_a_proper_header_is_refused_or_read(seed: int) -> None:
    noise = random.Random(seed).randbytes(400)
    library = read_library(elf_file({".nv_fatbin": GOOD[:16] + noise, ".ldata": noise}), "libx.so", "x")
    assert library.problem
