"""Words and flags that no command has are errors like all others."""

from __future__ import annotations

import pytest

from shipwheel.cli.main import run


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        (["bulid"], "there is no command 'bulid'", "did you mean 'build'?"),
        (["frobnicate"], "there is no command 'frobnicate'", "'shipwheel --help' lists them"),
        (["logs"], "Missing argument 'NAME'", "'shipwheel logs --help' explains them"),
        (["build", "--estargz", "--single-member"], "--single-member and --estargz exclude each other", "eStargz has many"),
        (["lock", "--explain", "libc6", "--upgrade"], "--explain and --upgrade exclude each other", "--explain reads the lock"),
        (
            ["lock", "--check", "--platform", "linux/arm64"],
            "--check and --platform exclude each other",
            "--check reads the lock",
        ),
        (["gpu", "inspect", "gone.whl"], "'gone.whl' does not exist", "give a project's folder"),
        (["gpu", "check", "./gone", "--device", "T4"], "'./gone' does not exist", "give a project's folder"),
        (["gpu", "check", "T4"], "Missing option '--device'", "shipwheel gpu check --device T4"),
        (["gpu", "check"], "Missing option '--device'", "say which GPU, such as --device T4"),
        (
            ["gpu", "check", "T4", "--device", "L4"],
            "'T4' is not an image name",
            "'T4' is a GPU: shipwheel gpu check --device T4",
        ),
        (["run", "nowhere", "--gpus", "rubbish"], "--gpus: 'rubbish' selects no GPUs", "write all, none"),
        (["run", "nowhere", "--shm-size", "much"], "--shm-size 'much' is not a size", "write a number"),
        (["run", "nowhere", "-p", "http"], "-p 'http' is not a port", "write HOST:CONTAINER"),
        (["push", "-q", "app:1"], "No such option '-q'", "it stands before the command: shipwheel -q push"),
        (["prune", "--everything"], "No such option '--everything'", "'shipwheel prune --help' explains them"),
    ],
)
def test_a_slip_of_the_keyboard(words: list[str], error: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {error}")
    assert f"hint: {hint}" in said


def test_no_words_at_all_show_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 2
    assert "Commands:" in capsys.readouterr().err
