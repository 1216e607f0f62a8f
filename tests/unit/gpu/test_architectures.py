"""What libraries with GPU code have in common."""

from __future__ import annotations

from shipwheel.gpu.architectures import common, totals
from shipwheel.gpu.code import Code, Library
from shipwheel.gpu.compatibility import parse_codes


def library(codes: str, problem: str = "") -> Library:
    return Library(path=f"lib{len(codes)}.so", owner="x", codes=parse_codes(codes), problem=problem)


def test_common_are_architectures_that_all_run_on() -> None:
    assert common([library("sm_80 sm_90"), library("sm_75 sm_80 sm_86 sm_90")]) == ("sm_80", "sm_86", "sm_90")


def test_a_cubin_serves_later_minor_versions_and_no_other_major() -> None:
    assert common([library("sm_80"), library("sm_89")]) == ("sm_89",)
    assert common([library("sm_80"), library("sm_90")]) == ()


def test_what_one_library_has_as_ptx_only_runs_as_well() -> None:
    assert common([library("sm_80 sm_90"), library("compute_75")]) == ("sm_80", "sm_90")


def test_ptx_of_all_serves_every_gpu_from_the_newest_of_them_on() -> None:
    assert common([library("compute_75 compute_90"), library("sm_70 compute_80")]) == ("compute_80",)


def test_accelerated_code_is_for_its_own_architecture_only() -> None:
    assert common([library("sm_100"), library("sm_100a sm_90a")]) == ("sm_100a",)
    assert common([library("sm_90 compute_90"), library("sm_90a compute_90a")]) == ("sm_90a",)


def test_a_family_serves_its_later_members() -> None:
    assert common([library("sm_100f"), library("sm_103")]) == ("sm_103",)


def test_an_architecture_has_its_new_name() -> None:
    assert common([library("sm_101"), library("sm_110")]) == ("sm_110",)


def test_lto_and_what_was_not_understood_do_not_count() -> None:
    assert common([library("sm_80"), library("lto_75"), library("", problem="broken")]) == ("sm_80",)


def test_nothing_has_nothing_in_common() -> None:
    assert common([]) == ()


def test_totals_are_summed_over_libraries() -> None:
    one = Library(path="a", owner="x", codes=(Code(kind="cubin", architecture=80, count=2, size=10),))
    other = Library(path="b", owner="y", codes=(Code(kind="cubin", architecture=80, size=5), Code(kind="ptx", architecture=90)))
    assert [(code.name, code.count, code.size) for code in totals([one, other])] == [("sm_80", 3, 15), ("compute_90", 1, 0)]
