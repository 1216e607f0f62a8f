"""`shipwheel lint` as it is typed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from shipwheel.cli.main import run
from support.linting import write

BAD = "FROM python:3.11-slim\nRUN apt-get update && apt-get install curl\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lint(*words: str) -> int:
    return run(["lint", *words])


def listed(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, object]]:
    lint(*words, "--format", "json")
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return found


def test_findings_go_to_stdout_and_the_summary_to_stderr(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, {"Dockerfile": BAD})
    assert lint("--select", "apt-no-y") == 1
    out, err = capsys.readouterr()
    assert out.startswith("Dockerfile:2:")
    assert err == "1 finding (1 error) in 1 file; --fix mends 1 of them\n"


def test_nothing_found_is_status_zero(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, {"Dockerfile": BAD})
    assert lint("--select", "apt-key") == 0
    assert capsys.readouterr() == ("", "1 file: nothing found\n")


def test_a_folder_without_anything_to_look_at_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert lint() == 0
    assert "nothing to look at" in capsys.readouterr().err


@pytest.mark.parametrize(("level", "status"), [("error", 0), ("warning", 0), ("info", 1), ("never", 0)])
def test_fail_on_is_a_least_severity(folder: Path, level: str, status: int) -> None:
    write(folder, {"Dockerfile": "FROM python:3.11.9-slim-bookworm\n"})
    assert lint("--select", "base-no-digest", "--fail-on", level) == status


def test_fix_writes_and_says_what(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, {"Dockerfile": BAD})
    (folder / "Dockerfile").chmod(0o640)
    assert lint("--select", "apt-no-y", "--fix") == 0
    assert (folder / "Dockerfile").read_text() == BAD.replace("install", "install -y")
    assert (folder / "Dockerfile").stat().st_mode & 0o777 == 0o640
    assert "mended in 1 file: apt-no-y\n" in capsys.readouterr().err
    assert lint("--select", "apt-no-y", "--fix") == 0
    assert "nothing to mend" in capsys.readouterr().err


def test_a_link_stays_a_link(folder: Path) -> None:
    write(folder, {"real/Dockerfile": BAD})
    (folder / "Dockerfile").symlink_to("real/Dockerfile")
    lint("--select", "apt-no-y", "--fix", "Dockerfile")
    assert (folder / "Dockerfile").is_symlink()
    assert "install -y" in (folder / "real/Dockerfile").read_text()


def test_diff_shows_and_changes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, {"Dockerfile": BAD})
    assert lint("--select", "apt-no-y", "--diff") == 1
    out = capsys.readouterr().out
    assert out.startswith("--- a/Dockerfile\n+++ b/Dockerfile\n")
    assert "\n+RUN apt-get update && apt-get install -y curl\n" in out
    assert (folder / "Dockerfile").read_text() == BAD


def test_output_takes_the_findings(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, {"Dockerfile": BAD})
    assert lint("--format", "sarif", "-o", "found.sarif") == 1
    assert capsys.readouterr().out == ""
    assert json.loads((folder / "found.sarif").read_text())["version"] == "2.1.0"


def test_names_of_rules_are_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert lint("--select", "apt-no-yes,frobnicate") == 2
    err = capsys.readouterr().err
    assert "apt-no-yes; did you mean apt-no-y?" in err
    assert "frobnicate" in err


def test_a_path_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert lint("gone") == 2
    assert "gone" in capsys.readouterr().err


def test_explain_says_what_a_rule_is_about(capsys: pytest.CaptureFixture[str]) -> None:
    assert lint("--explain", "apt-no-y") == 0
    assert capsys.readouterr().out.startswith("apt-no-y (error)\n")
    assert lint("--explain", "all") == 0
    assert "\napt-no-y " in capsys.readouterr().out
    assert lint("--explain", "apt-no-yy") == 2
    assert "did you mean apt-no-y?" in capsys.readouterr().err


def test_settings_select_ignore_and_exclude(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = '[tool.shipwheel.lint]\nselect = ["apt"]\nignore = ["apt-cache"]\nexclude = ["old/"]\nfail-on = "never"\n'
    paths = '[tool.shipwheel.lint.paths]\n"docs/" = ["apt-no-y"]\n'
    write(folder, {"pyproject.toml": settings + paths, "Dockerfile": BAD, "old/Dockerfile": BAD, "docs/Dockerfile": BAD})
    found = listed(capsys)
    assert {one["rule"] for one in found} == {"apt-no-y", "apt-no-recommends"}
    assert {one["path"] for one in found if one["rule"] == "apt-no-y"} == {"Dockerfile"}
    assert lint() == 0
    assert lint("--fail-on", "error") == 1
    capsys.readouterr()
    assert {one["rule"] for one in listed(capsys, "--select", "apt-cache")} == {"apt-cache"}


def test_settings_are_those_above_the_path(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, {"a/shipwheel.toml": '[lint]\nselect = ["apt-no-y"]\nexclude = ["b/c/"]\n', "a/b/Dockerfile": BAD})
    write(folder, {"a/b/c/Dockerfile": BAD})
    assert [one["path"] for one in listed(capsys, "a/b")] == ["a/b/Dockerfile"]


@pytest.mark.parametrize("paths", [("a/Dockerfile", "b/Dockerfile"), ("b/Dockerfile", "a/Dockerfile"), ("a", "b"), ()])
def test_several_paths_have_the_settings_above_them_all(
    folder: Path, capsys: pytest.CaptureFixture[str], paths: tuple[str, ...]
) -> None:
    write(
        folder, {"pyproject.toml": '[tool.shipwheel.lint]\nselect = ["apt-no-y"]\n', "a/Dockerfile": BAD, "b/Dockerfile": BAD}
    )
    write(folder, {"a/shipwheel.toml": '[lint]\nselect = ["apt-cache"]\n'})
    assert [(one["path"], one["rule"]) for one in listed(capsys, *paths)] == [
        ("a/Dockerfile", "apt-no-y"),
        ("b/Dockerfile", "apt-no-y"),
    ]


def test_mistakes_in_the_settings_are_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, {"pyproject.toml": '[tool.shipwheel.lint]\nselct = ["apt"]\n'})
    assert lint() == 2
    assert "did you mean 'select'?" in capsys.readouterr().err
    write(folder, {"pyproject.toml": '[tool.shipwheel.lint]\nignore = ["apt-no-yy"]\n'})
    assert lint() == 2
    assert "did you mean apt-no-y?" in capsys.readouterr().err


def test_git_ignored_files_are_looked_at_only_by_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, {".gitignore": "build/\n", "build/Dockerfile": BAD, "Dockerfile": BAD, ".venv/Dockerfile": BAD})
    assert {one["path"] for one in listed(capsys, "--select", "apt-no-y")} == {"Dockerfile"}
    assert {one["path"] for one in listed(capsys, "build/Dockerfile", "--select", "apt-no-y")} == {"build/Dockerfile"}


def test_any_name_will_do_for_a_dockerfile_that_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, {"image": "# syntax=docker/dockerfile:1\nARG A=1\n" + BAD})
    assert [one["path"] for one in listed(capsys, "image", "--select", "apt-no-y")] == ["image"]


def test_no_secret_is_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = "hf_" + "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dE3f"
    write(folder, {"Dockerfile": f'FROM ubuntu\nENV HF_TOKEN="{secret}"\nRUN apt-get install curl && X={secret} && true\n'})
    for form in ("text", "json", "sarif", "github"):
        assert lint("--format", form) == 1
        assert secret not in "".join(capsys.readouterr())
    lint("--diff")
    assert secret not in capsys.readouterr().out


def test_a_diff_with_secrets_says_that_it_cannot_be_applied(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = "hf_" + "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dE3f"
    write(folder, {"Dockerfile": f"FROM python:3.12-slim\nENV HF_TOKEN={secret}\nRUN apt-get update && apt-get install git\n"})
    lint("--diff", "--select", "apt-no-y")
    assert "git apply refuses it" in capsys.readouterr().err
    write(folder, {"Dockerfile": BAD})
    lint("--diff", "--select", "apt-no-y")
    assert "git apply" not in capsys.readouterr().err


def test_a_file_that_cannot_be_read_is_no_clean_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(folder / "Dockerfile")
    (folder / "b").mkdir()
    (folder / "b/Dockerfile").symlink_to("gone")
    assert lint("Dockerfile") == 2
    assert capsys.readouterr().err.startswith("error: cannot read Dockerfile\n")
    assert lint() == 0
    assert capsys.readouterr().err.startswith("cannot read Dockerfile and b/Dockerfile\nnothing to look at")


def test_an_output_that_cannot_be_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, {"Dockerfile": BAD})
    assert lint("-o", "gone/found.txt") == 2
    assert capsys.readouterr().err.endswith("error: cannot write gone/found.txt: No such file or directory\n")


def test_what_cannot_be_mended_is_said_and_the_rest_mended(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The superuser may write everywhere: the folder is gone when the file is to be written."""
    write(folder, {"a/Dockerfile": BAD, "b/Dockerfile": BAD})
    from shipwheel.lint.edits import mending

    def mend_and_remove(*given: object, **more: object) -> mending.Mended:
        mended = mend(*given, **more)
        shutil.rmtree(folder / "a")
        return mended

    mend: Callable[..., mending.Mended] = mending.mend
    monkeypatch.setattr(mending, "mend", mend_and_remove)
    assert lint("--fix", "--select", "apt-no-y") == 2
    assert "  a/Dockerfile: No such file or directory\n" in capsys.readouterr().err
    assert "install -y" in (folder / "b/Dockerfile").read_text()


@pytest.mark.parametrize(("variable", "colours"), [("NO_COLOR", False), ("FORCE_COLOR", True)])
def test_colours_are_as_the_environment_says(
    folder: Path, variable: str, colours: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, {"Dockerfile": BAD})
    monkeypatch.setenv(variable, "1")
    lint("--select", "apt-no-y")
    assert ("\x1b[" in capsys.readouterr().out) is colours


def test_json_of_names_that_are_no_text(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / os.fsdecode(b"caf\xe9.Dockerfile")).write_text(BAD)
    (found,) = listed(capsys, "--select", "apt-no-y")
    assert found["path"] == "caf?.Dockerfile"


def test_files_that_the_settings_exclude_are_counted_where_nothing_is_left(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, {"Dockerfile": BAD, "shipwheel.toml": '[lint]\nexclude = ["Dockerfile"]\n'})
    assert lint() == 0
    assert capsys.readouterr().err == "nothing to look at: the settings exclude 1 file\n"


@pytest.mark.parametrize("comment", ["# shipwheel:ignore=apt-no-y x", "#shipwheel: ignore = apt-no-y x"])
def test_blanks_in_a_comment_do_not_matter(folder: Path, comment: str, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, {"Dockerfile": BAD.replace("RUN", f"{comment}\nRUN")})
    assert lint("--select", "apt-no-y,ignore") == 0
    assert "1 taken back" in capsys.readouterr().err
