"""What each format says of the same findings."""

import json
from pathlib import Path

import jsonschema
import pytest

from shipwheel.lint.finding import Finding
from shipwheel.lint.linting import lint
from shipwheel.lint.report.as_json import as_json
from shipwheel.lint.report.github import as_github
from shipwheel.lint.report.sarif import as_sarif
from shipwheel.lint.report.text import as_text
from shipwheel.lint.rule import rules
from support.linting import findings, write

SCHEMA = Path(__file__).parents[4] / ".work" / "tools" / "sarif-schema"
DOCKERFILE = 'FROM python:3.11-slim\nWORKDIR /app\nRUN apt-get update && apt-get install curl\nCMD ["python", "a.py"]\n'


def plain(text: str, **_: object) -> str:
    return text


@pytest.fixture
def found(tmp_path: Path) -> tuple[Finding, ...]:
    return findings(tmp_path, {"Dockerfile": DOCKERFILE})


def test_json_has_these_keys_and_no_others(found: tuple[Finding, ...]) -> None:
    listed = json.loads(json.dumps(as_json(found)))
    keys = ["rule", "severity", "path", "line", "column", "end_line", "end_column", "message", "why", "remedy", "fix"]
    assert listed
    assert all(list(one) == keys for one in listed)
    missing = next(one for one in listed if one["rule"] == "apt-no-y")
    assert (missing["severity"], missing["path"], missing["line"]) == ("error", "Dockerfile", 3)
    (edit,) = missing["fix"]["edits"]
    assert (edit["line"], edit["end_line"], edit["column"]) == (3, 3, edit["end_column"])
    assert edit["text"].strip() == "-y"


@pytest.mark.skipif(not SCHEMA.exists(), reason="tests/engines/tools.sh sarif-schema fetches SARIF's schema")
def test_sarif_validates_against_its_schema(tmp_path: Path) -> None:
    files = {
        "Dockerfile": DOCKERFILE,
        "sub folder/Dockerfile": "FROM ubuntu\nRUN cd /x && VERSION=1\nRUN pip install numpy>=1\n",
        "compose.yaml": "version: '3'\nservices:\n  db:\n    image: postgres\n",
        "empty/Dockerfile": "",
        "main.py": "from fastapi import FastAPI\napp = FastAPI()\n@app.on_event('startup')\ndef f(): pass\n",
    }
    found = findings(tmp_path, files)
    assert {finding.source.name for finding in found} >= files.keys() - {"empty/Dockerfile"}
    validator = jsonschema.Draft4Validator(json.loads(SCHEMA.read_text()), format_checker=jsonschema.FormatChecker())
    validator.validate(json.loads(json.dumps(as_sarif(found))))
    validator.validate(as_sarif(()))
    every = [finding for rule in rules() for finding in (_made(found[0], rule),)]
    validator.validate(json.loads(json.dumps(as_sarif(every))))


def _made(finding: Finding, rule: str) -> Finding:
    one = rules()[rule]
    return Finding(
        rule=rule,
        severity=one.severity,
        source=finding.source,
        span=finding.span,
        message=one.title,
        why=one.why,
        remedy=one.remedy,
        fix=finding.fix,
    )


def test_sarif_fingerprints_stay_when_lines_move(tmp_path: Path) -> None:
    def prints(name: str, text: str) -> set[str]:
        (run,) = json.loads(json.dumps(as_sarif(findings(tmp_path / name, {"Dockerfile": text}))))["runs"]
        return {result["partialFingerprints"]["shipwheel/v1"] for result in run["results"]}

    assert prints("a", DOCKERFILE) == prints("b", "# a comment\n\n" + DOCKERFILE)


def test_github_escapes_what_would_end_a_command(tmp_path: Path) -> None:
    write(tmp_path, {"a,b:100%/Dockerfile": "FROM ubuntu\n"})
    lines = [*as_github(lint([tmp_path], root=tmp_path).findings)]
    assert lines
    assert all(line.startswith(("::error ", "::warning ", "::notice ")) and "\n" not in line for line in lines)
    assert all("file=a%2Cb%3A100%25/Dockerfile,line=1,endLine=1,col=" in line for line in lines)


def test_text_shows_the_line_a_caret_the_reason_and_the_remedy(tmp_path: Path) -> None:
    found = findings(tmp_path, {"Dockerfile": DOCKERFILE}, "apt-no-y")
    head, line, caret, why, remedy, empty = as_text(found, plain)
    assert head.startswith("Dockerfile:3:")
    assert head.endswith("[apt-no-y]")
    assert line == "    3 | RUN apt-get update && apt-get install curl"
    assert caret.index("^") == line.index(DOCKERFILE.splitlines()[2][found[0].span[0] - DOCKERFILE.index("RUN") :])
    assert found[0].why in why
    assert remedy.strip().startswith("→")
    assert empty == ""


def test_text_is_safe_for_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_bytes(b"FROM ubuntu\nRUN\tapt-get install \x1b[31m\xff curl # \xe6\x97\xa5\n")
    text = "\n".join(as_text(lint([tmp_path], root=tmp_path).findings, plain))
    assert text.encode()
    assert not any(one in text for one in "\x1b\t\udcff")


def test_a_long_line_is_cut_around_the_finding(tmp_path: Path) -> None:
    long = "FROM ubuntu:24.04\nRUN " + "true && " * 60 + "apt-get install curl" + " && true" * 60 + "\n"
    _, line, caret, *_ = as_text(findings(tmp_path, {"Dockerfile": long}, "apt-no-y"), plain)
    assert len(line) < 130
    assert line.count("…") == 2
    assert line[caret.index("^") :].startswith("apt-get")


def test_text_says_why_once_and_what_to_write_once_a_file(tmp_path: Path) -> None:
    text = "FROM python:3.12-slim\nRUN apt-get update && apt-get install curl\nRUN apt-get install git\n"
    found = findings(tmp_path, {"a/Dockerfile": text, "b/Dockerfile": text}, "apt-no-y", "apt-no-recommends")
    lines = [*as_text(found, plain)]
    assert [sum(rules()[key].why in line for line in lines) for key in ("apt-no-y", "apt-no-recommends")] == [1, 1]
    assert sum(rules()["apt-no-y"].remedy in line for line in lines) == 2


def test_text_fits_a_terminal(tmp_path: Path) -> None:
    text = "FROM python:3.12-slim\nRUN apt-get update && apt-get install curl git wget ffmpeg libgl1 libglib2.0-0 libsm6\n"
    found = findings(tmp_path, {"Dockerfile": text}, "apt-no-y", "base-no-digest")
    narrow = [line for line in as_text(found, plain, 60) if not line.startswith("Dockerfile:")]
    assert max(map(len, narrow)) <= 60
    assert len(narrow) > 9


def test_a_byte_order_mark_is_not_shown(tmp_path: Path) -> None:
    found = findings(tmp_path, {"Dockerfile": "\ufeffFROM python:3.12-slim\n"}, "base-no-digest")
    _, line, caret, *_ = as_text(found, plain)
    assert line == "    1 | FROM python:3.12-slim"
    assert line[caret.index("^") :] == "python:3.12-slim"


def test_a_secret_below_its_name_is_not_shown(tmp_path: Path) -> None:
    secret = "aB3dE5gH7jK9mN1pQ3sT5vW7yZ"
    text = f"FROM ubuntu:24.04\nENV API_TOKEN=\\\n{secret}\n"
    assert secret not in "\n".join(as_text(findings(tmp_path, {"Dockerfile": text}), plain))
