"""Comments that take findings back."""

from pathlib import Path

import pytest

from shipwheel.lint.linting import Report, Selection, lint
from support.linting import Twin, write

RUN = "RUN apt-get update && \\\n    apt-get install curl\n"


def look(folder: Path, text: str, name: str = "Dockerfile", *rules: str) -> Report:
    write(folder, {name: text})
    return lint([folder], Selection(select=frozenset(rules or ("apt-no-y", "ignore"))), root=folder)


@pytest.mark.parametrize(
    "text",
    [
        f"FROM ubuntu\n# shipwheel: ignore=apt-no-y nobody is asked here\n{RUN}",
        f"FROM ubuntu\n# shipwheel: ignore=pip,apt-no-y both\n# more\n\n{RUN}",
        f"FROM ubuntu\n# shipwheel: ignore=apt all of it\n{RUN}",
        f"# shipwheel: ignore-file=apt-no-y generated\nFROM ubuntu\n{RUN}",
        "FROM ubuntu\nRUN apt-get update && \\\n# shipwheel: ignore=apt-no-y here\n    apt-get install curl\n",
    ],
)
def test_a_comment_takes_a_finding_back(text: str, tmp_path: Path) -> None:
    report = look(tmp_path, text)
    assert [one for one in report.findings if one.rule == "apt-no-y"] == []
    assert report.suppressed == 1


@pytest.mark.parametrize(
    "text",
    [
        f"FROM ubuntu\n# shipwheel: ignore=pip-cache other\n{RUN}",
        f"# shipwheel: ignore=apt-no-y above FROM only\nFROM ubuntu\n{RUN}",
        f"FROM ubuntu\n# shipwheel: ignore=apt-no not the beginning up to a dash? it is\n{RUN}".replace("apt-no ", "apt-n "),
    ],
)
def test_a_comment_is_about_its_rule_and_place_only(text: str, tmp_path: Path) -> None:
    assert [one.rule for one in look(tmp_path, text).findings if one.rule == "apt-no-y"] == ["apt-no-y"]


def test_other_files_have_comments_behind_a_line_too(tmp_path: Path) -> None:
    text = "FROM=1\napt-key add x.gpg  # shipwheel: ignore=apt-key our own machine\napt-key add y.gpg\n"
    report = look(tmp_path, text, "setup.sh", "apt-key", "ignore")
    assert [one.source.position(one.span[0]).line for one in report.findings] == [3]


def test_a_document_has_html_comments_above_its_blocks(tmp_path: Path) -> None:
    block = "```bash\ndocker ps\ndocker scan app\n```\n"
    text = f"# Title\n\n<!-- shipwheel: ignore=docker-scan history -->\n\n{block}\n{block}"
    report = look(tmp_path, text, "README.md", "docker-scan", "ignore")
    assert [one.source.position(one.span[0]).line for one in report.findings] == [12]


TWINS = [
    Twin(
        rule="ignore-unused",
        bad="FROM ubuntu:24.04\n# shipwheel: ignore=apt-no-y,frobnicate reason\nRUN apt-get install -y curl\n",
        good=f"FROM ubuntu:24.04\n# shipwheel: ignore=apt-no-y reason\n{RUN}",
        line=2,
        count=2,
    ),
    Twin(
        rule="ignore-without-reason",
        bad=f"FROM ubuntu:24.04\n# shipwheel: ignore=apt-no-y\n{RUN}",
        good=f"FROM ubuntu:24.04\n# shipwheel: ignore=apt-no-y reason\n{RUN}",
        line=2,
    ),
]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twin(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)
