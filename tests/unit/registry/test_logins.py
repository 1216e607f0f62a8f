"""Who we are where: the keys of docker's and podman's files, helpers of all kinds, and what a login leaves in the file."""

from __future__ import annotations

import base64
import json
import threading
import time
from pathlib import Path

import pytest

from shipwheel.errors import ConfigError
from shipwheel.registry import helpers
from shipwheel.registry.logins import Login, Logins
from support.credentials import add_helper, calls, entry, remember, write_file

HUB = "https://index.docker.io/v1/"


def logins_of(folder: Path, *contents: dict[str, object] | str) -> Logins:
    files = tuple(write_file(folder / f"{number}.json", content) for number, content in enumerate(contents))
    return Logins(files=files or (folder / "config.json",), helpers=str(folder / "bin"))


def who(logins: Logins, registry: str, repository: str = "") -> str:
    found = logins.find(registry, repository)
    return f"{found.user}:{found.password}" if found else ""


@pytest.mark.parametrize(
    ("key", "registry"),
    [
        (HUB, "docker.io"),
        ("docker.io", "docker.io"),
        ("index.docker.io", "docker.io"),
        ("index.docker.io/v1/", "docker.io"),
        ("https://registry-1.docker.io", "docker.io"),
        ("ghcr.io", "ghcr.io"),
        ("ghcr.io/", "ghcr.io"),
        ("GHCR.io", "ghcr.io"),
        ("https://ghcr.io", "ghcr.io"),
        ("http://localhost:5000", "localhost:5000"),
        ("https://registry.example/v1/", "registry.example"),
        ("https://registry.example/v2/team", "registry.example"),
        ("registry.example/v2", "registry.example"),
        ("[::1]:5000", "[::1]:5000"),
    ],
)
def test_a_key_in_any_spelling_is_found(tmp_path: Path, key: str, registry: str) -> None:
    assert who(logins_of(tmp_path, {"auths": {key: entry("ann", "s:3 ß")}}), registry, "team/app") == "ann:s:3 ß"


@pytest.mark.parametrize("registry", ["example", "registry.example:443", "other.registry.example", "docker.io"])
def test_another_host_or_port_is_another_registry(tmp_path: Path, registry: str) -> None:
    assert logins_of(tmp_path, {"auths": {"registry.example": entry("ann", "1")}}).find(registry) is None


def test_dockers_own_spelling_comes_first(tmp_path: Path) -> None:
    auths = {
        "docker.io": entry("podman", "1"),
        HUB: entry("docker", "2"),
        "https://r.example": entry("old", "3"),
        "r.example": entry("new", "4"),
    }
    logins = logins_of(tmp_path, {"auths": auths})
    assert who(logins, "docker.io") == "docker:2"
    assert who(logins, "r.example") == "new:4"


@pytest.mark.parametrize(
    ("repository", "expected"),
    [
        ("team/app/web", "web:1"),
        ("team/app", "app:2"),
        ("team/app/other", "app:2"),
        ("team", "host:3"),
        ("teams/app", "host:3"),
        ("", "host:3"),
    ],
)
def test_podmans_keys_of_repositories_most_specific_first(tmp_path: Path, repository: str, expected: str) -> None:
    auths = {
        "r.example": entry("host", "3"),
        "r.example/team/app": entry("app", "2"),
        "r.example/team/app/web": entry("web", "1"),
    }
    assert who(logins_of(tmp_path, {"auths": auths}), "r.example", repository) == expected


def test_the_first_file_that_knows_a_registry_wins(tmp_path: Path) -> None:
    first = {"auths": {"a.example": entry("first", "1"), "b.example": {}}}
    second = {"auths": {"a.example/team": entry("second", "2"), "b.example": entry("second", "3")}}
    logins = logins_of(tmp_path, first, second)
    assert who(logins, "a.example", "team") == "first:1"
    assert who(logins, "b.example") == "second:3"


def test_absent_and_empty_files_have_nothing(tmp_path: Path) -> None:
    write_file(tmp_path / "empty.json", "")
    files = (tmp_path / "absent" / "config.json", tmp_path / "empty.json")
    assert Logins(files=files).find("ghcr.io") is None
    assert Logins().find("ghcr.io") is None


def test_given_logins_and_text_come_before_files(tmp_path: Path) -> None:
    file = write_file(tmp_path / "config.json", {"auths": {"a.example": entry("file", "1"), "b.example": entry("file", "1")}})
    text = json.dumps({"auths": {"a.example": entry("text", "2"), "docker.io": entry("text", "2")}})
    logins = Logins(files=(file,), text=text, given={"docker.io": Login(user="given", password="3")})
    assert [who(logins, name) for name in ("index.docker.io", "a.example", "b.example")] == ["given:3", "text:2", "file:1"]


def test_user_password_and_identity_token_written_out(tmp_path: Path) -> None:
    auths = {
        "plain.example": {"username": "ann", "password": "secret"},
        "token.example": {"auth": base64.b64encode(b"ann:").decode(), "identitytoken": "refresh"},
        "padded.example": {"auth": base64.b64encode(b"ann:secret\0\0").decode()},
    }
    logins = logins_of(tmp_path, {"auths": auths})
    assert logins.find("plain.example") == Login(user="ann", password="secret")
    assert logins.find("token.example") == Login(user="ann", identity_token="refresh")
    assert logins.find("padded.example") == Login(user="ann", password="secret")


@pytest.mark.parametrize("content", ["{", "[]", '{"auths": []}', '{"credHelpers": "ecr-login"}', "\udcff"])
def test_a_malformed_file_is_one_error_with_its_path(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError, match=str(path)):
        Logins(files=(path,)).find("ghcr.io")


@pytest.mark.parametrize(
    "wrong",
    [
        {"auth": "c2VjcmV0"},
        {"auth": "hunter2!"},
        {"auth": 7},
        {"auth": "//8="},
        "hunter2",
        {"username": "ann", "password": ["hunter2"]},
    ],
)
def test_a_malformed_entry_is_an_error_where_it_is_needed_and_shows_no_secret(tmp_path: Path, wrong: object) -> None:
    logins = logins_of(tmp_path, {"auths": {"ghcr.io": wrong, "r.example": entry("ann", "1")}})
    assert who(logins, "r.example") == "ann:1"
    with pytest.raises(ConfigError, match=r'auths\["ghcr.io"\]') as caught:
        logins.find("ghcr.io")
    assert "hunter2" not in str(caught.value)


def test_secrets_are_not_in_what_is_printed(tmp_path: Path) -> None:
    login = Login(user="ann", password="hunter2", identity_token="hunter3")
    logins = Logins(given={"a": login}, text=json.dumps({"auths": {"b": {"username": "u", "password": "hunter4"}}}))
    logins.find("b")
    assert "hunter" not in f"{login!r} {logins!r}"


def test_a_helper_for_the_registry_comes_before_all_else_in_the_file(tmp_path: Path) -> None:
    cloud, common = add_helper(tmp_path / "bin", "cloud"), add_helper(tmp_path / "bin", "common")
    remember(cloud, "r.example", "cloud", "1")
    remember(common, "r.example", "common", "2")
    remember(common, "s.example", "common", "3")
    remember(common, HUB, "hub", "4")
    auths = {"r.example": entry("file", "5"), "r.example/team": entry("file", "6"), "t.example": entry("file", "7")}
    logins = logins_of(tmp_path, {"auths": auths, "credHelpers": {"r.example": "cloud"}, "credsStore": "common"})
    found = [
        who(logins, *name) for name in (("r.example", "team"), ("s.example",), ("docker.io",), ("t.example",), ("u.example",))
    ]
    assert found == ["cloud:1", "common:3", "hub:4", "file:7", ""]
    assert calls(common) == ["get s.example", f"get {HUB}", "get t.example", "get u.example"]


def test_a_helper_is_asked_for_a_registry_as_its_file_spells_it(tmp_path: Path) -> None:
    remember(add_helper(tmp_path / "bin", "pod"), "docker.io", "ann", "1")
    assert who(logins_of(tmp_path, {"credHelpers": {"docker.io": "pod"}}), "docker.io") == "ann:1"


def test_an_empty_helper_takes_a_registry_from_the_common_one(tmp_path: Path) -> None:
    content = {"auths": {"r.example": entry("ann", "1")}, "credHelpers": {"r.example": ""}, "credsStore": "absent"}
    logins = logins_of(tmp_path, content)
    assert who(logins, "r.example") == "ann:1"
    assert logins.store("r.example", Login(user="bob", password="2")).helper == ""
    assert who(logins, "r.example") == "bob:2"


def test_a_helpers_identity_token(tmp_path: Path) -> None:
    remember(add_helper(tmp_path / "bin", "acr"), "r.example", "<token>", "refresh")
    assert logins_of(tmp_path, {"credsStore": "acr"}).find("r.example") == Login(user="", identity_token="refresh")


def test_a_helper_without_the_login_leaves_the_next_file_its_turn(tmp_path: Path) -> None:
    add_helper(tmp_path / "bin", "empty")
    logins = logins_of(tmp_path, {"credHelpers": {"r.example": "empty"}}, {"auths": {"r.example": entry("ann", "1")}})
    assert who(logins, "r.example") == "ann:1"


def test_files_are_read_and_helpers_asked_once_whatever_the_threads(tmp_path: Path) -> None:
    program = add_helper(tmp_path / "bin", "slow")
    remember(program, "r.example", "ann", "1")
    logins = logins_of(tmp_path, {"credsStore": "slow"})
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(who(logins, "r.example"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    write_file(tmp_path / "0.json", "{")
    assert found == ["ann:1"] * 8
    assert who(logins, "r.example") == "ann:1"
    assert calls(program) == ["get r.example"]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'no such profile'; exit 1", "docker-credential-bad get, .* ended with status 1: no such profile"),
        ("echo 'not signed in' >&2; exit 2", "status 2: not signed in"),
        ('echo \'{"Secret": "hunter2"}\'; exit 1', "status 1$"),
        ("echo hunter2", "did not answer with a JSON object"),
        ("echo '[\"hunter2\"]'", "did not answer with a JSON object"),
        ('echo \'{"Secret": "hunter2"}\'', "gave no Username and Secret"),
        ("sleep 30", r"did not end within 0\.2 seconds"),
    ],
)
def test_a_helper_that_fails_is_named_and_its_secrets_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    if "sleep" in script:
        monkeypatch.setattr(helpers, "SECONDS", 0.2)
    add_helper(tmp_path / "bin", "bad", f"exec {script}" if "sleep" in script else script)
    started = time.monotonic()
    with pytest.raises(ConfigError, match=said) as caught:
        logins_of(tmp_path, {"credsStore": "bad"}).find("r.example")
    assert time.monotonic() - started < 10
    assert "hunter2" not in f"{caught.value}{caught.value.hint}"
    assert "docker-credential-bad" in caught.value.message
    assert str(tmp_path / "0.json") in caught.value.message


@pytest.mark.parametrize("name", ["absent", "../evil", "-x"])
def test_a_helper_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    add_helper(tmp_path, "evil")
    with pytest.raises(ConfigError, match=r"docker-credential-.* is not there") as caught:
        logins_of(tmp_path, {"credHelpers": {"r.example": name}}).find("r.example")
    assert "credHelpers" in caught.value.hint


def test_storing_keeps_everything_else_in_the_file(tmp_path: Path) -> None:
    before = {"HttpHeaders": {"X": "y"}, "auths": {"a.example": entry("a", "1")}, "psFormat": "ä", "plugins": {"b": {"c": 1}}}
    logins = logins_of(tmp_path, before)
    place = logins.store("r.example", Login(user="ann", password="secret"))
    path = tmp_path / "0.json"
    assert (place.file, place.helper) == (str(path), "")
    assert json.loads(path.read_text()) == {
        **before,
        "auths": {"a.example": entry("a", "1"), "r.example": entry("ann", "secret")},
    }
    assert path.stat().st_mode & 0o777 == 0o600
    assert [child.name for child in tmp_path.iterdir()] == ["0.json"]
    assert who(logins, "r.example") == "ann:secret"


def test_storing_makes_the_file_and_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "new" / ".docker" / "config.json"
    Logins(files=(path,)).store("docker.io", Login(user="ann", password="secret"))
    assert json.loads(path.read_text()) == {"auths": {HUB: entry("ann", "secret")}}
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_storing_replaces_every_spelling_but_no_repositorys_login(tmp_path: Path) -> None:
    auths = {"docker.io": entry("old", "1"), "index.docker.io": entry("old", "2"), "docker.io/team": entry("team", "3")}
    logins = logins_of(tmp_path, {"auths": auths})
    logins.store("docker.io", Login(user="ann", identity_token="refresh"))
    kept = json.loads((tmp_path / "0.json").read_text())["auths"]
    assert kept == {"docker.io/team": entry("team", "3"), HUB: {**entry("ann", ""), "identitytoken": "refresh"}}
    assert logins.find("docker.io") == Login(user="ann", identity_token="refresh")


def test_storing_writes_through_a_link(tmp_path: Path) -> None:
    write_file(tmp_path / "dotfiles" / "docker.json", {})
    link = tmp_path / "config.json"
    link.symlink_to(tmp_path / "dotfiles" / "docker.json")
    Logins(files=(link,)).store("r.example", Login(user="ann", password="1"))
    assert link.is_symlink()
    assert "r.example" in (tmp_path / "dotfiles" / "docker.json").read_text()


def test_storing_and_erasing_through_a_helper(tmp_path: Path) -> None:
    program = add_helper(tmp_path / "bin", "keys")
    logins = logins_of(tmp_path, {"auths": {"https://r.example": entry("old", "1")}, "credsStore": "keys"})
    place = logins.store("r.example", Login(user="ann", password="secret"))
    path = tmp_path / "0.json"
    assert place.helper == "docker-credential-keys"
    assert json.loads(path.read_text()) == {"auths": {"r.example": {}}, "credsStore": "keys"}
    assert who(logins, "r.example") == "ann:secret"
    assert logins.registries() == ("r.example",)
    assert logins.erase("r.example")
    assert json.loads(path.read_text()) == {"auths": {}, "credsStore": "keys"}
    assert logins.find("r.example") is None
    assert not logins.erase("r.example")
    assert "store r.example" in calls(program)


def test_an_identity_token_is_stored_as_helpers_know_it(tmp_path: Path) -> None:
    program = add_helper(tmp_path / "bin", "keys")
    logins_of(tmp_path, {"credHelpers": {"r.example": "keys"}}).store("r.example", Login(user="ann", identity_token="refresh"))
    assert json.loads(program.with_suffix(".json").read_text())["r.example"]["Username"] == "<token>"


def test_a_helper_that_cannot_store_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    add_helper(tmp_path / "bin", "bad", 'read line; echo "cannot keep $line"; exit 1')
    logins = logins_of(tmp_path, {"credsStore": "bad"})
    with pytest.raises(ConfigError, match="docker-credential-bad store") as caught:
        logins.store("r.example", Login(user="ann", password="hunter2"))
    assert "hunter2" not in str(caught.value)
    assert json.loads((tmp_path / "0.json").read_text()) == {"credsStore": "bad"}


def test_erasing_removes_every_spelling_and_nothing_else(tmp_path: Path) -> None:
    auths = {
        HUB: entry("ann", "1"),
        "docker.io": entry("ann", "2"),
        "docker.io/team": entry("team", "3"),
        "r.example": entry("r", "4"),
    }
    logins = logins_of(tmp_path, {"auths": auths, "detachKeys": "ctrl-e"})
    assert logins.registries() == ("docker.io", "docker.io/team", "r.example")
    assert logins.erase("docker.io")
    kept = {"docker.io/team": entry("team", "3"), "r.example": entry("r", "4")}
    assert json.loads((tmp_path / "0.json").read_text()) == {"auths": kept, "detachKeys": "ctrl-e"}
    assert not logins.erase("docker.io")


def test_a_malformed_file_is_never_overwritten(tmp_path: Path) -> None:
    logins = logins_of(tmp_path, '{"auths": ')
    with pytest.raises(ConfigError, match=r"0\.json"):
        logins.store("r.example", Login(user="ann", password="1"))
    assert (tmp_path / "0.json").read_text() == '{"auths": '


def test_null_sections_are_as_absent_ones(tmp_path: Path) -> None:
    logins = logins_of(tmp_path, '{"auths": null, "credHelpers": null, "credsStore": null}')
    assert logins.find("r.example") is None
    logins.store("r.example", Login(user="ann", password="1"))
    assert who(logins, "r.example") == "ann:1"
