"""The reasons why what lint says of official examples is right; benchmarks/lint_official.py runs over checkouts of them."""

import re
import tomllib
from pathlib import Path

from shipwheel.lint.rule import rules

KNOWN = tomllib.loads(Path(__file__).with_name("official.toml").read_text())


def test_each_finding_is_of_a_rule_that_costs_something_and_has_a_reason() -> None:
    for name, repository in KNOWN.items():
        assert re.fullmatch(r"[\w.-]+/[\w.-]+", name)
        assert re.fullmatch(r"[0-9a-f]{40}", repository.pop("commit"))
        for key, found in repository.items():
            assert rules()[key].severity in ("error", "warning")
            assert found["count"] >= len(found["paths"]) > 0
            assert found["reason"].endswith(".")
