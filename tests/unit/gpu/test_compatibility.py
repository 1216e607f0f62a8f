"""Driver x CUDA x architectures x device -> verdict, each row as a page of NVIDIA's has it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from shipwheel.gpu.code import Code
from shipwheel.gpu.compatibility import (
    GpuNeeds,
    Host,
    check,
    first_driver,
    minimum_driver,
    newest_cuda,
    own_driver,
    parse_codes,
    way,
)
from shipwheel.gpu.devices import find_device
from shipwheel.gpu.tables import parse_version, tables
from shipwheel.lock import Accelerator

DOCS = "docs.nvidia.com"
BINARY = f"{DOCS}/cuda/cuda-c-programming-guide, 6.1.2 Binary Compatibility"
TEGRA = f"{DOCS}/cuda/cuda-c-programming-guide, 6.1.2 Binary Compatibility, note on Tegra"
PTX = f"{DOCS}/cuda/cuda-c-programming-guide, 6.1.3 PTX Compatibility"
ADA = f"{DOCS}/cuda/ada-compatibility-guide, 1.2 Application Compatibility"
HOPPER = f"{DOCS}/cuda/hopper-compatibility-guide, 1.2 Application Compatibility"
BLACKWELL = f"{DOCS}/cuda/archive/13.0.0/blackwell-compatibility-guide, 1.2 Application Compatibility"
FAMILIES = f"{DOCS}/cuda/cuda-programming-guide/05-appendices/compute-capabilities.html, 5.1 (13.4)"
ISA = f"{DOCS}/cuda/parallel-thread-execution, PTX Release History"
RENAMED = f"{DOCS}/cuda/parallel-thread-execution, Changes in PTX ISA Version 9.0, notes"
F_TARGETS = f"{DOCS}/cuda/parallel-thread-execution, Changes in PTX ISA Version 8.8"
MINOR = f"{DOCS}/deploy/cuda-compatibility/minor-version-compatibility.html, table 1"
MINOR_10 = f"{DOCS}/deploy/cuda-compatibility/minor-version-compatibility.html, CUDA 10.x"
MINOR_PTX = f"{DOCS}/deploy/cuda-compatibility/minor-version-compatibility.html, Application Considerations"
MINOR_T4 = f"{DOCS}/deploy/cuda-compatibility/minor-version-compatibility.html, deviceQuery on T4"
FORWARD = f"{DOCS}/deploy/cuda-compatibility/forward-compatibility.html, Use the Right Package"
NOTES = f"{DOCS}/cuda/cuda-toolkit-release-notes, 2.2 CUDA Driver"
NOTES_13 = f"{DOCS}/cuda/archive/13.2.1/cuda-toolkit-release-notes, 2.6.2 Deprecated Architectures"
MATRIX = f"{DOCS}/datacenter/tesla/drivers/cuda-toolkit-driver-and-architecture-matrix.html"
MIGRATION = "forums.developer.nvidia.com/t/321330, Software Migration Guide for NVIDIA Blackwell RTX GPUs"

TORCH_126 = "sm_50 sm_60 sm_70 sm_75 sm_80 sm_86 sm_90"
TORCH_128 = "sm_75 sm_80 sm_86 sm_90 sm_100 sm_120 compute_120"
TORCH_130 = "sm_75 sm_80 sm_86 sm_90 sm_100 sm_120 compute_120"


@dataclass(frozen=True, slots=True)
class Row:
    """`why` stands in the reason; `way` is native, jit or no."""

    cuda: str
    holds: str
    device: str
    driver: str
    way: str
    why: str
    source: str


ROWS = [
    # Cubins: same major, minor of the device at least that of the code
    Row("12.6", "sm_80", "sm_80", "560.28.03", "native", "", BINARY),
    Row("12.6", "sm_80", "sm_86", "560.28.03", "native", "", BLACKWELL),
    Row("12.6", "sm_86", "sm_80", "560.28.03", "no", "sm_86", BLACKWELL),
    Row("12.6", "sm_86", "sm_89", "560.28.03", "native", "", ADA),
    Row("12.6", "sm_89", "sm_86", "560.28.03", "no", "sm_89", ADA),
    Row("12.6", "sm_80 sm_86 sm_89", "sm_90", "560.28.03", "no", "sm_90", ADA),
    Row("12.6", "sm_80", "sm_90", "560.28.03", "no", "sm_80", HOPPER),
    Row("12.8", "sm_90", "sm_100", "570.26", "no", "sm_90", BINARY),
    Row("12.8", "sm_100", "sm_120", "570.26", "no", "sm_100", BINARY),
    Row("12.6", "sm_70", "sm_75", "560.28.03", "native", "", BINARY),
    Row("12.6", "sm_50", "sm_52", "560.28.03", "native", "", BINARY),
    Row("12.6", "sm_60", "sm_61", "560.28.03", "native", "", BINARY),
    Row("12.9", "sm_100", "sm_103", "575.51.03", "native", "", BINARY),
    Row("12.9", "sm_120", "sm_121", "575.51.03", "native", "", BINARY),
    Row("12.9", "sm_121", "sm_120", "575.51.03", "no", "sm_121", BINARY),
    # PTX: its capability and any later one
    Row("12.6", "compute_80", "sm_90", "560.28.03", "jit", "", PTX),
    Row("12.8", "compute_90", "sm_100", "570.26", "jit", "", BLACKWELL),
    Row("12.8", "compute_90", "sm_120", "570.26", "jit", "", BLACKWELL),
    Row("12.8", "compute_90", "sm_89", "570.26", "no", "compute_90", PTX),
    Row("12.6", "compute_50", "sm_86", "560.28.03", "jit", "", PTX),
    Row("12.6", "sm_80 compute_80", "sm_80", "560.28.03", "native", "", BLACKWELL),
    Row("12.6", "sm_80 compute_80", "sm_90", "560.28.03", "jit", "", HOPPER),
    # "a": exactly that architecture; "f": its family
    Row("12.6", "sm_90a", "sm_90", "560.28.03", "native", "", FAMILIES),
    Row("12.8", "sm_90a compute_90a", "sm_100", "570.26", "no", "compute_90a", FAMILIES),
    Row("12.9", "sm_100a", "sm_103", "575.51.03", "no", "sm_100a", FAMILIES),
    Row("12.9", "sm_120a", "sm_121", "575.51.03", "no", "sm_120a", FAMILIES),
    Row("12.8", "compute_100a", "sm_100", "570.26", "jit", "", FAMILIES),
    Row("12.9", "compute_100a", "sm_103", "575.51.03", "no", "compute_100a", FAMILIES),
    Row("12.9", "sm_100f", "sm_100", "575.51.03", "native", "", FAMILIES),
    Row("12.9", "sm_100f", "sm_103", "575.51.03", "native", "", FAMILIES),
    Row("13.4", "sm_100f", "sm_107", "615.31", "native", "", FAMILIES),
    Row("12.9", "sm_103f", "sm_100", "575.51.03", "no", "sm_103f", FAMILIES),
    Row("13.4", "sm_103f", "sm_107", "615.31", "native", "", FAMILIES),
    Row("13.0", "sm_100f", "sm_110", "580.65.06", "no", "sm_100f", FAMILIES),
    Row("12.9", "sm_100f", "sm_120", "575.51.03", "no", "sm_100f", FAMILIES),
    Row("12.9", "sm_120f", "sm_121", "575.51.03", "native", "", FAMILIES),
    Row("12.9", "sm_121f", "sm_120", "575.51.03", "no", "sm_121f", FAMILIES),
    Row("13.0", "sm_110f", "sm_110", "580.65.06", "native", "", FAMILIES),
    Row("12.9", "compute_100f", "sm_103", "575.51.03", "jit", "", F_TARGETS),
    Row("12.9", "compute_100f", "sm_120", "575.51.03", "no", "compute_100f", F_TARGETS),
    # Jetsons
    Row("12.6", "sm_80", "sm_87", "540.4.0", "no", "sm_80", TEGRA),
    Row("12.6", "sm_87", "sm_87", "540.4.0", "native", "", TEGRA),
    Row("12.6", "sm_87", "sm_89", "560.28.03", "no", "sm_87", TEGRA),
    Row("12.6", "sm_70", "sm_72", "", "no", "sm_70", TEGRA),
    Row("12.6", "compute_80", "sm_87", "540.4.0", "jit", "", PTX),
    Row("12.9", "sm_101", "sm_110", "580.65.06", "native", "", RENAMED),
    # The driver's minimum is that of the CUDA's major version
    Row("12.6", TORCH_126, "sm_80", "525.60.13", "native", "12.0", MINOR),
    Row("12.6", TORCH_126, "sm_80", "525.60.12", "no", "525.60.13", MINOR),
    Row("12.6", TORCH_126, "sm_80", "520.61.05", "no", "525.60.13", MINOR),
    Row("11.8", "sm_80", "sm_80", "450.80.02", "native", "11.0", NOTES),
    Row("11.8", "sm_80", "sm_80", "450.51.06", "no", "450.80.02", NOTES),
    Row("13.4", "sm_75", "sm_75", "580.65.06", "native", "13.0", MINOR_T4),
    Row("13.0", TORCH_130, "sm_80", "575.57.08", "no", "580.65.06", MINOR),
    Row("13.0", TORCH_130, "sm_80", "550.54.15", "no", "580.65.06", MINOR),
    Row("12.8", TORCH_128, "sm_90", "535.104.05", "native", "12.2", MINOR),
    Row("10.2", "sm_75", "sm_75", "440.33", "native", "", MINOR_10),
    Row("10.2", "sm_75", "sm_75", "418.39", "no", "440.33", MINOR_10),
    # Newer drivers run older CUDAs
    Row("11.8", "sm_80", "sm_80", "580.65.06", "native", "", NOTES),
    Row("12.1", "sm_80", "sm_80", "595.45.04", "native", "", NOTES),
    Row("10.2", "sm_75", "sm_75", "590.44.01", "native", "", NOTES),
    # PTX is outside minor-version compatibility
    Row("12.8", "compute_80", "sm_90", "535.104.05", "no", "12.2", MINOR_PTX),
    Row("12.2", "compute_80", "sm_90", "535.104.05", "jit", "", MINOR_PTX),
    Row("12.1", "compute_80", "sm_90", "535.104.05", "jit", "", MINOR_PTX),
    Row("13.1", "sm_100 compute_100", "sm_103", "580.95.05", "native", "13.0", MINOR),
    Row("13.1", "compute_100", "sm_103", "580.95.05", "no", "PTX", MINOR_PTX),
    Row("12.9", "compute_120", "sm_120", "570.124.06", "no", "12.8", ISA),
    # Which drivers know a device
    Row("12.8", TORCH_128, "sm_120", "570.26", "native", "", MIGRATION),
    Row("12.8", TORCH_128, "sm_120", "565.57.01", "no", "R570", MIGRATION),
    Row("12.8", TORCH_128, "sm_100", "550.54.15", "no", "R570", MATRIX),
    Row("12.6", "sm_90", "sm_90", "515.43.04", "no", "R520", ISA),
    Row("13.0", "sm_110", "sm_110", "575.51.03", "no", "R580", ISA),
    Row("13.4", "sm_107", "sm_107", "610.43.02", "no", "R615", ISA),
    Row("12.6", TORCH_126, "sm_61", "580.65.06", "native", "", MATRIX),
    Row("12.6", TORCH_126, "sm_61", "590.44.01", "no", "R580", MATRIX),
    Row("12.6", TORCH_126, "sm_70", "595.45.04", "no", "R580", MATRIX),
    Row("12.6", TORCH_126, "sm_52", "590.48.01", "no", "R580", MATRIX),
    Row("11.4", "sm_37", "sm_37", "470.82.01", "native", "", MATRIX),
    Row("11.4", "sm_37", "sm_37", "510.39.01", "no", "R470", MATRIX),
    # What CUDA 13 dropped, and what older ones do not know
    Row("13.0", TORCH_130, "sm_70", "580.65.06", "no", "sm_75", NOTES_13),
    Row("13.0", TORCH_130, "sm_61", "580.65.06", "no", "sm_75", NOTES_13),
    Row("12.6", TORCH_126, "sm_120", "580.65.06", "no", "sm_90", MATRIX),
    Row("12.6", TORCH_126, "sm_89", "550.54.14", "native", "", ADA),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.cuda}-{row.holds}-on-{row.device}-{row.driver}".replace(" ", "+"))
def test_the_verdict_is_that_of_nvidias_page(row: Row) -> None:
    host = Host(architecture=find_device(row.device).architecture, driver=row.driver)
    verdict = check(GpuNeeds(cuda=row.cuda, codes=parse_codes(row.holds)), host)
    assert (verdict.way, verdict.ok) == (row.way, row.way != "no"), verdict
    assert row.why in verdict.reason
    assert bool(verdict.remedy) == (row.way != "native")


def test_the_table_is_large_and_says_where_each_row_is_from() -> None:
    assert len(ROWS) >= 60
    assert len({(row.cuda, row.holds, row.device, row.driver) for row in ROWS}) == len(ROWS)
    assert all(("nvidia.com" in row.source and ", " in row.source) or row.source == MATRIX for row in ROWS)


@pytest.mark.parametrize(
    ("cuda", "holds", "device", "driver", "remedy"),
    [
        ("13.0", TORCH_130, 80, "550.54.15", "install driver 580.65.06 or newer, or lock it with CUDA 12 (any 12.x)"),
        ("13.0", TORCH_130, 120, "570.26", "install driver 580.65.06 or newer, or lock it with CUDA 12.8 or a newer 12.x"),
        ("13.0", TORCH_130, 75, "440.33", "install driver 580.65.06 or newer, or lock it with CUDA 10.2"),
        ("11.8", TORCH_126, 75, "450.51.06", "install driver 450.80.02 or newer, or lock it with CUDA 10.2"),
        ("12.6", TORCH_126, 120, "580.65.06", "lock it with CUDA 12.8 or newer"),
        ("13.0", TORCH_130, 70, "580.65.06", "lock it with CUDA 12, the last for sm_70"),
        ("12.6", TORCH_126, 61, "590.44.01", "install driver R580"),
        ("12.6", TORCH_126, 90, "515.43.04", "install driver 525.60.13 or newer"),
        ("12.8", TORCH_128, 120, "550.54.15", "install driver R570 or newer"),
        ("12.8", "compute_80", 90, "535.104.05", "install driver 570.26 or newer"),
        ("13.5", "compute_80", 90, "580.65.06", "install a driver of CUDA 13.5 or newer"),
        ("12.6", "sm_86", 80, "560.28.03", "with code for sm_80"),
    ],
)  # fmt: skip
def test_a_refusal_says_what_to_do(cuda: str, holds: str, device: int, driver: str, remedy: str) -> None:
    verdict = check(GpuNeeds(cuda=cuda, codes=parse_codes(holds)), Host(architecture=device, driver=driver))
    assert not verdict.ok
    assert remedy in verdict.remedy


@pytest.mark.parametrize(
    ("device", "driver", "remedy"),
    [
        ("A100", "535.104.05", ", or add NVIDIA's cuda-compat-13-0"),
        ("RTX A6000", "535.104.05", ", or add NVIDIA's cuda-compat-13-0, which works on some professional RTX only"),
        (
            "sm_80",
            "535.104.05",
            ", or add NVIDIA's cuda-compat-13-0, which works on GPUs for data centres and some professional RTX only",
        ),
        ("RTX 4090", "535.104.05", ""),
        ("GTX 1660", "535.104.05", ""),
        ("A100", "550.54.15", ""),  # a branch that has reached its end
    ],
)
def test_forward_compatibility_is_for_some_gpus_and_branches(device: str, driver: str, remedy: str) -> None:
    found = find_device(device)
    host = Host(architecture=found.architecture, driver=driver, market=found.market)
    refused = check(GpuNeeds(cuda="13.0", codes=parse_codes(TORCH_130)), host)
    assert refused.remedy == f"install driver 580.65.06 or newer, or lock it with CUDA 12 (any 12.x){remedy}", FORWARD
    too_new = check(GpuNeeds(cuda="12.9", codes=parse_codes("compute_50")), host)
    assert too_new.remedy == f"install driver 575.51.03 or newer{remedy.replace('13-0', '12-9')}", FORWARD


@pytest.mark.parametrize(
    ("cuda", "holds", "device", "driver", "remedy"),
    [
        ("13.0", TORCH_130, 61, "550.54.15", "lock it with CUDA 12, the last for sm_61"),
        ("13.0", TORCH_130, 70, "535.104.05", "lock it with CUDA 12, the last for sm_70"),
        (
            "13.0",
            TORCH_130,
            70,
            "470.82.01",
            "lock it with CUDA 12, the last for sm_70"
            "; and install driver 525.60.13 or newer, or lock it with CUDA 11 (any 11.x)",
        ),
        ("13.0", TORCH_130, 70, "595.45.04", "lock it with CUDA 12, the last for sm_70; and install driver R580"),
        (
            "12.6",
            TORCH_126,
            120,
            "550.54.15",
            "lock it with CUDA 12.8 or newer, the first that knows sm_120; and install driver R570 or newer",
        ),
    ],
)
def test_where_there_is_no_code_a_driver_alone_is_no_remedy(
    cuda: str, holds: str, device: int, driver: str, remedy: str
) -> None:
    verdict = check(GpuNeeds(cuda=cuda, codes=parse_codes(holds)), Host(architecture=device, driver=driver))
    assert verdict.reason == f"it holds {holds}, none of which sm_{device} runs"
    assert (verdict.ok, verdict.lacks_code, verdict.remedy) == (False, True, remedy)


def test_what_holds_no_code_gets_no_verdict() -> None:
    verdict = check(GpuNeeds(cuda="12"), Host(architecture=61))
    assert (verdict.ok, verdict.way, verdict.reason) == (True, "unknown", "it holds no code for GPUs by which to judge")
    assert "; driver 550.54.15 is new enough" in check(GpuNeeds(cuda="12"), Host(architecture=61, driver="550.54.15")).reason
    assert check(GpuNeeds(cuda="12"), Host(architecture=61, driver="470.82.01")).way == "no"


def test_without_a_driver_only_the_code_decides() -> None:
    assert check(GpuNeeds(cuda="13.0", codes=parse_codes("compute_80")), Host(architecture=90)).way == "jit"
    assert check(GpuNeeds(cuda="13.0", codes=parse_codes("sm_80")), Host(architecture=90)).way == "no"


def test_a_driver_or_an_architecture_that_is_newer_than_the_tables_is_taken_for_able() -> None:
    assert check(GpuNeeds(cuda="13.5", codes=parse_codes("compute_90")), Host(architecture=107, driver="620.10")).way == "jit"
    assert check(GpuNeeds(cuda="13.5", codes=parse_codes("sm_130")), Host(architecture=130, driver="620.10")).way == "native"


def test_lto_ir_alone_is_no_code_that_a_device_runs() -> None:
    lto = Code(kind="lto", architecture=75)
    assert way([lto], 90) == "no"
    assert check(GpuNeeds(cuda="12.6", codes=(lto,)), Host(architecture=90, driver="560.28.03")).ok


def test_rocm_runs_on_no_gpu_of_nvidia() -> None:
    verdict = check(GpuNeeds.of(Accelerator(kind="rocm", version="6.2")), Host(architecture=90, driver="580.65.06"))
    assert not verdict.ok
    assert "ROCm 6.2" in verdict.reason


def test_a_lock_says_what_is_needed() -> None:
    accelerator = Accelerator(kind="cuda", version="12.6", driver="525.60.13", architectures="sm_80 sm_90a compute_90")
    needs = GpuNeeds.of(accelerator)
    assert needs.cuda == "12.6"
    assert " ".join(code.name for code in needs.codes) == accelerator.architectures


@pytest.mark.parametrize(
    ("cuda", "minimum", "own"),
    [
        ("12.6", "525.60.13", "560.28.03"), ("12", "525.60.13", ""), ("13.2", "580.65.06", "595.45.04"),
        ("11.8", "450.80.02", "520.61.05"), ("10.2", "440.33", "440.33"), ("13.9", "580.65.06", ""), ("", "", ""),
    ],
)  # fmt: skip
def test_the_drivers_of_a_cuda(cuda: str, minimum: str, own: str) -> None:
    assert (minimum_driver(cuda), own_driver(cuda)) == (minimum, own)


@pytest.mark.parametrize(
    ("driver", "cuda"),
    [
        ("535.104.05", "12.2"), ("470.82.01", "11.4"), ("550.54.15", "12.4"), ("580.65.06", "13.0"), ("565.57.01", "12.7"),
        ("615.31", "13.4"), ("620.1", ""), ("", ""), ("300.0", ""),
    ],
)  # fmt: skip
def test_the_newest_cuda_of_a_driver(driver: str, cuda: str) -> None:
    assert newest_cuda(driver) == cuda


def test_the_first_driver_of_an_architecture() -> None:
    assert [first_driver(each) for each in (75, 80, 86, 90, 120, 103, 107, 999)] == [
        "410", "450", "455", "520", "570", "575", "615", "",
    ]  # fmt: skip


def test_the_tables_are_in_order() -> None:
    known = list(tables().releases.items())
    assert known == sorted(known, key=lambda row: parse_version(row[0]))
    assert known == sorted(known, key=lambda row: parse_version(row[1]))
    assert all(own_driver(each.first) for number, each in tables().architectures.items() if number >= 70)


def test_words_that_are_no_code_are_left_out() -> None:
    assert parse_codes("sm_80 gfx90a sm_1 compute_90a lto_75") == (
        Code(kind="cubin", architecture=80), Code(kind="ptx", architecture=90, variant="a"), Code(kind="lto", architecture=75),
    )  # fmt: skip
