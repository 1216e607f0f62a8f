"""Logins shared with docker and skopeo, at a registry that wants one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from shipwheel.oci.archive import OciLayout
from shipwheel.oci.copy import copy
from support.credentials import add_helper, entry, log_in, write_file
from support.engines import PrivateEngine, engine_folder, need, start_registry
from support.images import image
from support.ship import Ship

USER, PASSWORD = "ann", "s3cret:ä"
HTPASSWD = "ann:$2b$04$bLh8JyCicki8rvFw4HsEb.Z8baza0rOSxfOYPIPFnmWcBbVIIaZka\n"


@pytest.fixture(scope="module")
def guarded() -> Iterator[str]:
    """HOST:PORT of a registry for one user."""
    need("registry", "docker-registry")
    engine, address = start_registry(engine_folder(), users=HTPASSWD)
    yield address
    engine.stop()


@pytest.fixture
def ship(tmp_path: Path) -> Ship:
    (tmp_path / "user").mkdir()
    return Ship.at(tmp_path)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The file that docker keeps logins in."""
    return tmp_path / "user" / ".docker" / "config.json"


@pytest.fixture
def layout(tmp_path: Path) -> str:
    """A small image, as skopeo names it."""
    copy(image(), OciLayout(tmp_path / "layout"), "app:1")
    return f"oci:{tmp_path}/layout:app:1"


def program(*command: object, text: str = "") -> None:
    if not shutil.which(str(command[0])):
        pytest.skip(f"{command[0]} is absent; tests/engines/install.sh installs it")
    done = subprocess.run([str(word) for word in command], input=text, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_login_that_docker_kept_is_ours(ship: Ship, guarded: str, kept: Path, layout: str) -> None:
    assert ship.fails(5, "copy", layout, f"{guarded}/team/app:1").hint
    program("docker", "--config", kept.parent, "login", "-u", USER, "--password-stdin", guarded, text=PASSWORD)
    ship("copy", layout, f"{guarded}/team/app:1")
    assert ship("pull", f"{guarded}/team/app:1").out


@pytest.mark.parametrize("scope", ["", "/team"])
def test_a_login_that_skopeo_kept_is_ours(ship: Ship, guarded: str, tmp_path: Path, layout: str, scope: str) -> None:
    own = tmp_path / "user" / ".config" / "containers" / "auth.json"
    words = ("--tls-verify=false", "--authfile", own, "-u", USER, "--password-stdin", f"{guarded}{scope}")
    program("skopeo", "login", *words, text=PASSWORD)
    ship("copy", layout, f"{guarded}/team/skopeo:1")


def test_our_login_is_skopeos_and_ends_with_logout(ship: Ship, guarded: str, kept: Path, layout: str) -> None:
    write_file(kept, {"auths": {"other.example": entry("bob", "1")}, "currentContext": "away"})
    said = log_in(ship, guarded, "-u", USER, password=PASSWORD)
    assert said.status == 0, said.err
    assert f"logged in to {guarded} as {USER}; kept in {kept}" in said.err
    assert "warning: " in said.err
    assert kept.stat().st_mode & 0o777 == 0o600
    program("skopeo", "copy", "--authfile", kept, "--dest-tls-verify=false", layout, f"docker://{guarded}/team/ours:1")
    assert ship("logout", guarded).err == f"logged out of {guarded}\n"
    content = json.loads(kept.read_text())
    assert content == {"auths": {"other.example": entry("bob", "1")}, "currentContext": "away"}
    assert ship("logout", guarded).err == f"there was no login for {guarded}\n"


@pytest.mark.docker
def test_our_login_is_dockers(ship: Ship, guarded: str, kept: Path, layout: str, docker_engine: PrivateEngine) -> None:
    assert log_in(ship, guarded, "-u", USER, password=PASSWORD).status == 0
    ship("copy", layout, f"{guarded}/team/docker:1")
    command = ["docker", "--config", str(kept.parent), "pull", f"{guarded}/team/docker:1"]
    environment = {**os.environ, "DOCKER_HOST": docker_engine.environment["DOCKER_HOST"]}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("user", "password"), [(USER, "guess-7"), ("nobody", PASSWORD)])
def test_a_wrong_login_is_refused_and_not_kept(ship: Ship, guarded: str, kept: Path, user: str, password: str) -> None:
    said = log_in(ship, guarded, "-u", user, password=password)
    assert said.status == 5
    assert guarded in said.error
    assert said.hint
    assert password not in said.err
    assert not kept.exists()


def test_a_login_through_a_helper_leaves_no_password_in_the_file(ship: Ship, guarded: str, kept: Path, tmp_path: Path) -> None:
    add_helper(tmp_path / "bin", "keys")
    ship = ship.having(PATH=f"{tmp_path}/bin:{ship.env['PATH']}")
    write_file(kept, {"credsStore": "keys"})
    said = log_in(ship, guarded, "-u", USER, password=PASSWORD)
    assert said.err == f"logged in to {guarded} as {USER}; kept in docker-credential-keys (named in {kept})\n"
    assert json.loads(kept.read_text()) == {"credsStore": "keys", "auths": {guarded: {}}}
    assert ship("logout", "--all").err == f"logged out of {guarded}\n"
    assert ship("logout", "--all").err == "there was no login\n"


def test_a_terminal_is_asked_for_user_and_password_which_is_not_shown(ship: Ship, guarded: str, kept: Path) -> None:
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [*ship.program, "login", guarded],
        env=dict(ship.env),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        shown = ""
        for question, answer in (("User at", USER), ("Password:", PASSWORD)):
            while question not in shown.rpartition("\n")[2]:
                shown += os.read(ours, 1000).decode()
            os.write(ours, f"{answer}\n".encode())
        assert process.wait(60) == 0
    os.close(ours)
    assert json.loads(kept.read_text())["auths"] == {guarded: entry(USER, PASSWORD)}
    assert PASSWORD not in shown
