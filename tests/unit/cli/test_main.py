"""How every command line ends: its status, and the same two lines for every error."""

from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Callable

import click
import pytest

from shipwheel.cli import main
from shipwheel.cli.main import VERBS, run
from shipwheel.errors import LockError, NetworkError, ShipwheelError


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], int]:
    """Run a command that ends with an error."""

    def end(error: BaseException) -> int:
        @click.command()
        def command() -> None:
            raise error

        monkeypatch.setattr(main, "cli", command)
        return run([])

    return end


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (ShipwheelError("it broke", hint="mend it"), 1, "error: it broke\nhint: mend it\n"),
        (LockError("no lock"), 3, "error: no lock\n"),
        (NetworkError("no net", hint="plug it in"), 5, "error: no net\nhint: plug it in\n"),
        (KeyboardInterrupt(), 130, "\nerror: stopped\n"),
    ],
)
def test_errors_have_a_status_and_two_lines(
    ends: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str], error: BaseException, status: int, text: str
) -> None:
    assert ends(error) == status
    assert capsys.readouterr() == ("", text)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_faults_of_the_system_have_a_hint(
    ends: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str], number: int
) -> None:
    assert ends(OSError(number, "It says", "/a/file")) == 1
    text = capsys.readouterr().err
    assert text.startswith("error: It says: /a/file\nhint: ")


def test_faults_of_our_own_are_not_hidden(ends: Callable[[BaseException], int]) -> None:
    with pytest.raises(ValueError, match="a bug"):
        ends(ValueError("a bug"))


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(capsys: pytest.CaptureFixture[str], verb: str) -> None:
    assert run([verb, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: shipwheel {verb} ")


def test_an_unknown_verb_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["biuld"]) == 2
    assert "build" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["build", "--jobs", "many"], ["build", "--nonsense"], ["inspect"], ["--nonsense"]])
def test_wrong_words_end_with_2(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert run(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")


IMPORTED = """
import sys
from shipwheel.cli.main import run
run(["--help"])
print([name for name in sys.modules if "httpx" in name or name.endswith("cli.build")])
"""


def test_help_imports_no_verb() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")


def test_output_that_nobody_reads_ends_quietly() -> None:
    line = f'"{sys.executable}" -c "from shipwheel.cli.main import main; main()" --help | true'
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    assert done.stderr == ""
