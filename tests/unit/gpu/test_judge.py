"""Whether a device runs the whole, and which libraries keep it from that."""

from __future__ import annotations

from dataclasses import replace

from shipwheel.gpu.code import Library
from shipwheel.gpu.compatibility import Host, parse_codes
from shipwheel.gpu.judge import judge
from shipwheel.lock import Accelerator

CUDA_126 = Accelerator(kind="cuda", version="12.6", driver="525.60.13")


def library(name: str, codes: str) -> Library:
    return Library(path=f"lib/{name}", owner=name, codes=parse_codes(codes))


def test_a_device_that_runs_every_library_natively_runs_the_whole_so() -> None:
    found = judge(CUDA_126, [library("a", "sm_80"), library("b", "sm_86 sm_89")], Host(architecture=89, driver="560.28.03"))
    assert (found.whole.ok, found.whole.way, found.exceptions) == (True, "native", ())


def test_one_library_without_code_is_named_and_the_whole_does_not_run() -> None:
    torch, flash = library("torch", "sm_75 sm_80"), library("flash-attn", "sm_80 sm_90")
    found = judge(CUDA_126, [torch, flash], Host(architecture=75))
    assert not found.whole.ok
    assert found.whole.reason == "1 of 2 libraries have no code for it"
    assert [each.path for each, _ in found.exceptions] == ["lib/flash-attn"]


def test_a_library_that_is_compiled_at_the_start_is_named() -> None:
    found = judge(CUDA_126, [library("a", "sm_80 sm_90"), library("b", "compute_80")], Host(architecture=90))
    assert (found.whole.ok, found.whole.way) == (True, "jit")
    assert found.whole.reason == "the driver compiles 1 of 2 libraries at the first start"
    assert [each.path for each, _ in found.exceptions] == ["lib/b"]


def test_where_all_libraries_are_alike_none_is_an_exception() -> None:
    found = judge(CUDA_126, [library("a", "sm_80"), library("b", "sm_80 sm_90")], Host(architecture=120))
    assert found.whole.reason == "2 of 2 libraries have no code for it"
    assert found.exceptions == ()
    assert all(verdict.way == "no" for _, verdict in found.libraries)


def test_a_driver_that_is_too_old_is_the_reason_for_all() -> None:
    found = judge(CUDA_126, [library("a", "sm_80")], Host(architecture=80, driver="470.82.01"))
    assert "525.60.13" in found.whole.reason
    assert found.exceptions == ()


def test_a_library_without_code_comes_before_a_driver_that_is_too_old() -> None:
    torch, flash = library("torch", "sm_75 sm_80"), library("flash-attn", "sm_80 sm_90")
    found = judge(replace(CUDA_126, version="13.0"), [torch, flash], Host(architecture=75, driver="550.54.15"))
    assert found.whole.reason == "1 of 2 libraries have no code for it"
    assert found.whole.remedy.startswith(
        "look for a version or a build of it with code for sm_75; and install driver 580.65.06"
    )
    assert [each.path for each, _ in found.exceptions] == ["lib/flash-attn"]


def test_libraries_whose_ptx_is_too_new_for_the_driver_do_hold_code() -> None:
    plain, newer = library("a", "sm_90"), library("b", "compute_80")
    one = judge(CUDA_126, [plain, newer], Host(architecture=90, driver="535.104.05")).whole
    assert (one.ok, one.reason) == (False, "1 of 2 libraries have only PTX, which is too new for the driver")
    both = judge(CUDA_126, [newer, newer], Host(architecture=90, driver="535.104.05")).whole
    assert "compiles PTX up to CUDA 12.2" in both.reason


def test_the_driver_counts_without_any_code_too() -> None:
    assert not judge(CUDA_126, [], Host(architecture=80, driver="470.82.01")).whole.ok
    assert judge(None, [], Host(architecture=80, driver="470.82.01")).whole.ok


def test_libraries_with_a_special_purpose_keep_nothing_else_from_running() -> None:
    torch, storage = library("libtorch_cuda.so", "sm_100"), library("libcufile.so.0", "sm_90 compute_90")
    found = judge(replace(CUDA_126, version="13.2"), [torch, storage], Host(architecture=103, driver="580.65.06"))
    assert (found.whole.ok, found.whole.way, found.whole.reason) == (True, "native", "but for GPUDirect Storage")
    assert [each.path for each, _ in found.exceptions] == ["lib/libcufile.so.0"]
    assert not judge(CUDA_126, [storage], Host(architecture=80)).whole.ok  # by itself it counts


def test_the_worst_libraries_come_first() -> None:
    held = [library("a", "sm_90"), library("b", "compute_80"), library("c", "sm_80")]
    found = judge(CUDA_126, held, Host(architecture=90))
    assert [(each.path, verdict.way) for each, verdict in found.exceptions] == [("lib/c", "no"), ("lib/b", "jit")]


def test_libraries_for_linking_are_passed_over() -> None:
    found = judge(CUDA_126, [library("cufft", "lto_75"), library("a", "sm_80")], Host(architecture=80))
    assert [each.path for each, _ in found.libraries] == ["lib/a"]
    assert found.whole.way == "native"


def test_a_way_for_exact_architectures_keeps_a_packages_others_from_nothing() -> None:
    """vLLM brings FlashAttention 3 for sm_90a beside code for all."""
    plain = Library(path="vllm/_C.so", owner="vllm", codes=parse_codes("sm_80 sm_90 sm_100"))
    exact = Library(path="vllm/_fa3.so", owner="vllm", codes=parse_codes("sm_90a"))
    alone = Library(path="other/_c.so", owner="other", codes=parse_codes("sm_90a"))
    found = judge(CUDA_126, [plain, exact], Host(architecture=80))
    assert (found.whole.way, found.whole.reason) == ("native", "but for _fa3.so")
    assert judge(CUDA_126, [plain, exact, alone], Host(architecture=80)).whole.way == "no"
    assert judge(CUDA_126, [exact], Host(architecture=80)).whole.way == "no"
