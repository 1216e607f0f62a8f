"""Every rule has its twins: a file where it speaks and one where it is silent."""

import pytest

from shipwheel.lint.rule import rules
from support.linting import all_twins


@pytest.mark.parametrize("key", rules())
def test_every_rule_speaks_and_is_silent(key: str) -> None:
    mine = [twin for twin in all_twins() if twin.rule == key]
    assert any(twin.bad is not None for twin in mine)
    assert any(twin.good is not None for twin in mine)


@pytest.mark.parametrize("key", [key for key, rule in rules().items() if rule.fix == "automatic"])
def test_every_automatic_fix_is_shown(key: str) -> None:
    assert any(twin.fixed is not None for twin in all_twins() if twin.rule == key)
