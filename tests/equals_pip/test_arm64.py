"""A few wheels for arm64, made here; `arm64.py` does the examples."""

from pathlib import Path

import pytest

from equals_pip.arm64 import compare
from equals_pip.compare import Pip
from support.engines import tool
from support.ship import Ship

REQUIREMENTS = "markupsafe\nnumpy\nidna\n"


@pytest.mark.network
@pytest.mark.slow
def test_an_image_for_arm64_is_what_pip_installs_there_with_bytecode_as_made_there(tmp_path: Path) -> None:
    tool("qemu-aarch64")
    outcome = compare("a few wheels", REQUIREMENTS, Ship.at(tmp_path), Pip.newest(tmp_path / "pip"))
    assert not outcome.differences, str(outcome)
    assert outcome.wheels == 3
    assert outcome.same_bytecode > 500
    assert outcome.emulated >= 200
