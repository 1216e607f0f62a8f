"""Words of login and logout, and what they refuse."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from support.credentials import add_helper, entry, log_in, write_file
from support.registry import Fault, Served, registry
from support.ship import Ship


@pytest.fixture
def ship(tmp_path: Path) -> Ship:
    return Ship.at(tmp_path).inside_this_process()


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The file that docker keeps logins in."""
    return tmp_path / "user" / ".docker" / "config.json"


@pytest.mark.parametrize("words", [("-p", "hunter2"), ("-phunter2",), ("--password", "hunter2"), ("--password=hunter2",)])
def test_a_password_is_no_argument_and_the_hint_says_what_to_do(ship: Ship, words: tuple[str, ...]) -> None:
    said = ship.fails(2, "login", "ghcr.io", "-u", "ann", *words)
    assert "a password is no argument" in said.error
    assert "--password-stdin" in said.hint
    assert "hunter2" not in said.err


def test_help_does_not_offer_passwords_as_arguments(ship: Ship) -> None:
    assert "--password " not in ship("login", "--help").out


@pytest.mark.parametrize(
    ("words", "text", "error", "hint"),
    [
        (("ghcr.io", "-u", "ann"), "", "there is no terminal", "--password-stdin ghcr.io"),
        (("ghcr.io", "--password-stdin"), "1", "--password-stdin needs --user", "-u"),
        (("ghcr.io", "-u", "ann", "--password-stdin"), "\n", "the password is empty", "is the variable"),
        (("ghcr.io", "-u", "ann:1", "--password-stdin"), "1", "'ann:1' is not a user's name", "--password-stdin"),
        (("ghcr.io/team", "-u", "ann", "--password-stdin"), "1", "'ghcr.io/team' is not a registry", "ghcr.io"),
    ],
)
def test_words_that_mean_nothing(ship: Ship, words: tuple[str, ...], text: str, error: str, hint: str) -> None:
    command = [*ship.program, "login", *words]
    done = subprocess.run(command, input=text, env=dict(ship.env), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert f"error: {error}" in done.stderr
    assert hint in done.stderr


@pytest.mark.parametrize("scheme", ["Basic", "Bearer"])
def test_a_login_is_tried_with_passwords_and_with_tokens_before_it_is_kept(ship: Ship, kept: Path, scheme: str) -> None:
    with registry(Served(auth="ann:hunter2", scheme=scheme)) as served:
        refused = log_in(ship, served.host, "-u", "ann", password="guess-7")
        assert (refused.status, kept.exists()) == (5, False)
        assert "the user or the password is wrong" in refused.hint
        assert "guess-7" not in refused.err
        assert log_in(ship, served.host, "-u", "ann", password="hunter2").status == 0
        known = {"auths": {served.host: entry("ann", "hunter2")}}
        assert json.loads(kept.read_text()) == known
        assert log_in(ship, served.host, "-u", "ann", password="guess-7").status == 5
        assert json.loads(kept.read_text()) == known


def test_a_registry_that_cannot_be_asked_keeps_no_login(ship: Ship, kept: Path) -> None:
    with registry(Served(auth="ann:hunter2")) as served:
        served.faults.append(Fault(status=403, times=99))
        assert log_in(ship, served.host, "-u", "ann", password="hunter2").status == 5
    assert not kept.exists()


def test_a_web_server_is_told_from_a_registry(ship: Ship, kept: Path) -> None:
    with registry(Served(auth="ann:hunter2", scheme="Basic")) as served:
        served.faults.append(Fault(status=200, body=b"<html>welcome</html>", headers={"Content-Type": "text/html"}, times=99))
        said = log_in(ship, served.host, "-u", "ann", password="hunter2")
        assert (said.status, kept.exists()) == (5, False)
        assert "answered with a page" in said.error
        pulled = ship.fails(7, "pull", f"{served.host}/app:1")
        assert said.hint == pulled.hint


def test_an_address_is_as_good_as_a_name(ship: Ship, kept: Path) -> None:
    with registry(Served(auth="ann:hunter2")) as served:
        assert log_in(ship, f"http://{served.host}/v2/", "-u", "ann", password="hunter2").status == 0
        assert list(json.loads(kept.read_text())["auths"]) == [served.host]


def test_a_login_that_another_one_hides_is_told(ship: Ship, tmp_path: Path) -> None:
    with registry(Served(auth="ann:hunter2")) as served:
        text = json.dumps({"auths": {served.host: entry("ci", "1")}})
        said = log_in(ship.having(DOCKER_AUTH_CONFIG=text), served.host, "-u", "ann", password="hunter2")
    assert said.status == 0
    assert "warning: another login comes before it: DOCKER_AUTH_CONFIG" in said.err


def test_logout_forgets_docker_hub_where_no_registry_is_given(ship: Ship, kept: Path) -> None:
    write_file(kept, {"auths": {"https://index.docker.io/v1/": entry("ann", "1"), "ghcr.io": entry("ann", "2")}})
    assert ship("logout").err == "logged out of docker.io\n"
    assert json.loads(kept.read_text()) == {"auths": {"ghcr.io": entry("ann", "2")}}


def test_logout_of_all(ship: Ship, kept: Path) -> None:
    write_file(kept, {"auths": {"docker.io/team": entry("ann", "1"), "ghcr.io": entry("ann", "2")}, "proxies": {}})
    assert ship("logout", "--all").err == "logged out of docker.io/team\nlogged out of ghcr.io\n"
    assert json.loads(kept.read_text()) == {"auths": {}, "proxies": {}}


def test_logout_names_a_login_that_is_left_elsewhere(ship: Ship, kept: Path, tmp_path: Path) -> None:
    write_file(kept, {"auths": {"ghcr.io": entry("ann", "1")}})
    other = write_file(tmp_path / "user" / ".config" / "containers" / "auth.json", {"auths": {"ghcr.io": entry("ann", "2")}})
    assert ship("logout", "ghcr.io").err == f"logged out of ghcr.io\nwarning: another login for it is left: {other}\n"


def test_logout_where_nothing_is_leaves_no_file(ship: Ship, kept: Path) -> None:
    assert ship("logout", "ghcr.io").err == "there was no login for ghcr.io\n"
    assert ship("logout", "--all").err == "there was no login\n"
    assert not kept.exists()


def test_logout_of_one_and_all_exclude_each_other(ship: Ship) -> None:
    assert "exclude each other" in ship.fails(2, "logout", "ghcr.io", "--all").error


def test_a_helper_that_fails_is_told_by_name(ship: Ship, kept: Path, tmp_path: Path) -> None:
    add_helper(tmp_path / "bin", "bad", "echo broken; exit 1")
    write_file(kept, {"credsStore": "bad"})
    said = ship.having(PATH=str(tmp_path / "bin")).fails(2, "logout", "ghcr.io")
    assert "docker-credential-bad" in said.error
