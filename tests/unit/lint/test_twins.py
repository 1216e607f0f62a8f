"""Every rule has its twins: a file where it speaks and one where it is silent."""

import importlib.util
from pathlib import Path

import pytest

from shipwheel.lint.rule import rules
from support.linting import Twin

TESTS = Path(__file__).parent / "rules"


def all_twins() -> list[Twin]:
    """The TWINS of each file of tests/unit/lint/rules/."""
    found: list[Twin] = []
    for path in sorted(TESTS.glob("test_*.py")):
        spec = importlib.util.spec_from_file_location(f"twins_{path.stem}", path)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found += getattr(module, "TWINS", [])
    return found


@pytest.mark.parametrize("key", rules())
def test_every_rule_speaks_and_is_silent(key: str) -> None:
    mine = [twin for twin in all_twins() if twin.rule == key]
    assert any(twin.bad is not None for twin in mine)
    assert any(twin.good is not None for twin in mine)


@pytest.mark.parametrize("key", [key for key, rule in rules().items() if rule.fix == "automatic"])
def test_every_automatic_fix_is_shown(key: str) -> None:
    assert any(twin.fixed is not None for twin in all_twins() if twin.rule == key)
