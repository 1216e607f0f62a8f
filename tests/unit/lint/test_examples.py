"""Images made as the guides say: no rule may find an error or a warning in them, and little that is information."""

from pathlib import Path

import pytest

from shipwheel.lint.linting import Selection, lint
from shipwheel.lint.rule import rules

EXAMPLES = Path(__file__).with_name("examples")
ALL = Selection(select=frozenset(rules()))

ALLOWED = {
    ("airflow", "requirements-no-hashes"): "Airflow comes with the base, and its version is held in the same command",
    (
        "training",
        "requirements-no-hashes",
    ): "torch comes with the base: no hash of a wheel, and --require-hashes takes all or none",
}
"""Information that is right, by example and rule, with the reason to leave it so."""


@pytest.mark.parametrize("folder", sorted(EXAMPLES.iterdir()), ids=lambda folder: folder.name)
def test_good_files_are_left_alone(folder: Path) -> None:
    report = lint([folder], ALL, root=folder)
    found = [one for one in report.findings if (folder.name, one.rule) not in ALLOWED]
    assert [f"{one.source.name}: {one.rule}: {one.message}" for one in found] == []
    assert report.suppressed == 0
    assert report.files


def test_allowed_information_is_still_found() -> None:
    found = {
        (folder.name, one.rule, one.severity)
        for folder in EXAMPLES.iterdir()
        for one in lint([folder], ALL, root=folder).findings
    }
    assert found == {(*key, "info") for key in ALLOWED}
