"""Which GPU a name means."""

from __future__ import annotations

import pytest

from shipwheel.errors import UsageError
from shipwheel.gpu.devices import find_device


@pytest.mark.parametrize(
    ("text", "architecture"),
    [
        ("sm_89", 89), ("compute_89", 89), ("8.9", 89), ("89", 89), ("SM89", 89), ("sm-90a", 90), ("12.0", 120),
        ("10.3", 103), ("sm_101", 110), ("T4", 75), ("Tesla T4", 75), ("v100", 70), ("Tesla V100-SXM2-16GB", 70),
        ("Tesla V100-DGXS-32GB", 70), ("P100", 60), ("P4", 61), ("Tesla P100-PCIE-16GB", 60), ("A100", 80),
        ("NVIDIA A100-SXM4-80GB", 80), ("a100 80gb pcie", 80), ("NVIDIA A100-PCIE-40GB", 80),
        ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", 80), ("A30", 80), ("A10", 86), ("A10G", 86), ("NVIDIA A40", 86),
        ("A16", 86), ("NVIDIA RTX A6000", 86), ("rtx-a6000", 86), ("L4", 89), ("NVIDIA L40S", 89), ("L40", 89),
        ("RTX 4090", 89), ("rtx4090", 89), ("4090", 89), ("NVIDIA GeForce RTX 4090", 89), ("RTX 4090 D", 89),
        ("RTX4070Ti", 89), ("NVIDIA GeForce RTX 4080 Laptop GPU", 89), ("RTX 4070 Ti SUPER", 89),
        ("NVIDIA RTX 6000 Ada Generation", 89), ("H100", 90), ("NVIDIA H100 80GB HBM3", 90), ("NVIDIA H100 PCIe", 90),
        ("NVIDIA H100 NVL", 90), ("H200", 90), ("H800", 90), ("H20", 90), ("NVIDIA GH200 480GB", 90), ("B200", 100),
        ("GB200", 100), ("B100", 100), ("B300", 103), ("GB300", 103), ("NVIDIA GeForce RTX 5090", 120),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", 120), ("RTX PRO 6000", 120),
        ("NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition", 120), ("GB10", 121), ("NVIDIA GB10", 121),
        ("DGX Spark", 121), ("Jetson AGX Orin", 87), ("Orin", 87), ("Orin (nvgpu)", 87), ("Jetson Orin Nano", 87),
        ("Jetson Xavier NX", 72), ("Thor", 110), ("NVIDIA Thor", 110), ("Jetson T5000", 110), ("GTX 1080", 61),
        ("GeForce GTX 1080 Ti", 61), ("1080", 61), ("GTX 750 Ti", 50), ("NVIDIA TITAN X (Pascal)", 61),
        ("GeForce GTX TITAN X", 52), ("Quadro RTX 6000", 75), ("RTX 2080 Ti", 75), ("NVIDIA GeForce RTX 3090", 86),
        ("Rubin", 107), ("RTX A1000", 86),
    ],
)  # fmt: skip
def test_a_name_is_an_architecture(text: str, architecture: int) -> None:
    assert find_device(text).architecture == architecture


def test_a_product_is_called_as_nvidia_does() -> None:
    assert find_device("geforce rtx4090").name == "RTX 4090"
    assert find_device("8.9").name == "sm_89"


@pytest.mark.parametrize(
    ("market", "names"),
    [
        ("data centre", "M60, P4, P100, V100, T4, T4G, A2, A10G, A100, A800, L4, L40S, H100, GH200, B200, GB300, Rubin"),
        ("professional RTX", "RTX A2000, RTX A6000, RTX 4000 Ada, RTX 6000 Ada, Quadro RTX 6000, RTX PRO 6000"),
        ("other", "GTX 1080, GTX 750, TITAN RTX, TITAN V, RTX 2080, RTX 3050, RTX 4090, RTX 5090"),
        ("other", "Quadro K2200, Quadro P4000, Quadro GV100, T400, T1000, Jetson Orin, Jetson T4000"),
        ("", "sm_80, 8.9, GB10, DGX Spark"),
    ],
)
def test_whom_a_product_is_for(market: str, names: str) -> None:
    assert {name: find_device(name).market for name in names.split(", ")} == dict.fromkeys(names.split(", "), market)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("A1001", "A100"),
        ("RTX 4095", "RTX 4090"),
        ("sm_88x", "sm_89"),
        ("L5", "L4"),
        ("sm_85", "sm_89"),
        ("Radeon", "AMD's"),
        ("MI300X", "AMD's"),
    ],
)
def test_an_unknown_name_is_answered_with_near_ones(text: str, hint: str) -> None:
    with pytest.raises(UsageError, match="is no GPU that is known here") as error:
        find_device(text)
    assert hint in error.value.hint


@pytest.mark.parametrize("text", ["", "sm_85", "99", "8.5", "GPU", "--"])
def test_what_names_nothing_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        find_device(text)
