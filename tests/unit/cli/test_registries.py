"""From the environment and the files of docker and podman to how registries are reached."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from shipwheel.cli.registries import access, logins, registry_name
from shipwheel.errors import ConfigError, UsageError
from shipwheel.oci.archive import OciLayout
from shipwheel.oci.copy import copy
from support.credentials import entry, write_file
from support.registry import Served, registry
from support.ship import Ship
from support.trees import image


def env_of(folder: Path, **more: str) -> dict[str, str]:
    return {"HOME": str(folder / "home"), "PATH": str(folder / "bin"), **more}


def test_docker_comes_first_and_podman_after_it(tmp_path: Path) -> None:
    home, user = tmp_path / "home", os.getuid()
    docker, running = home / ".docker/config.json", Path(f"/run/containers/{user}/auth.json")
    assert logins(env_of(tmp_path)).files == (docker, running, home / ".config/containers/auth.json")


def test_variables_that_name_files_come_first(tmp_path: Path) -> None:
    env = env_of(
        tmp_path, DOCKER_CONFIG="/d", REGISTRY_AUTH_FILE="/r/a.json", XDG_RUNTIME_DIR="/run/user/7", XDG_CONFIG_HOME="/c"
    )
    names = ("/r/a.json", "/d/config.json", "/run/user/7/containers/auth.json", "/c/containers/auth.json")
    assert logins(env).files == tuple(Path(name) for name in names)
    assert logins(env).helpers == str(tmp_path / "bin")


def test_the_login_in_a_variable_of_ci(tmp_path: Path) -> None:
    text = json.dumps({"auths": {"registry.example": entry("ci", "1")}})
    write_file(tmp_path / "home/.docker/config.json", {"auths": {"registry.example": entry("file", "2")}})
    known = logins(env_of(tmp_path, DOCKER_AUTH_CONFIG=text))
    found = known.locate("registry.example")
    assert found
    assert (found[0].user, str(found[1])) == ("ci", "DOCKER_AUTH_CONFIG")
    with pytest.raises(ConfigError, match="DOCKER_AUTH_CONFIG"):
        logins(env_of(tmp_path, DOCKER_AUTH_CONFIG="{")).find("registry.example")


def test_nothing_configured_is_nothing_but_places_of_certificates(tmp_path: Path) -> None:
    found = access(env_of(tmp_path), system=tmp_path / "etc")
    assert (found.insecure, found.mirrors) == (frozenset(), {})
    assert [path.relative_to(tmp_path).as_posix() for path in found.certificates] == [
        "home/.config/containers/certs.d",
        "home/.docker/certs.d",
        "home/.config/docker/certs.d",
        "etc/containers/certs.d",
        "etc/docker/certs.d",
    ]


def test_own_variables(tmp_path: Path) -> None:
    env = env_of(
        tmp_path,
        SHIPWHEEL_INSECURE_REGISTRIES="registry.lan:5000, Other.LAN ,",
        SHIPWHEEL_REGISTRY_MIRRORS="docker.io=https://a.example, ghcr.io=b.example:8443/ghcr/,index.docker.io = http://c.example:80/,",
    )
    found = access(env, system=tmp_path)
    assert found.insecure == {"registry.lan:5000", "other.lan"}
    assert found.mirrors == {"docker.io": ("a.example", "http://c.example:80"), "ghcr.io": ("b.example:8443/ghcr",)}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SHIPWHEEL_INSECURE_REGISTRIES", "registry.lan/team", "'registry.lan/team' is not a registry"),
        ("SHIPWHEEL_INSECURE_REGISTRIES", "10.0.0.0/8", "'10.0.0.0/8' is not a registry"),
        ("SHIPWHEEL_INSECURE_REGISTRIES", "a b", "'a b' is not a registry"),
        ("SHIPWHEEL_REGISTRY_MIRRORS", "https://mirror.example", "'https://mirror.example'"),
        ("SHIPWHEEL_REGISTRY_MIRRORS", "docker.io=", "'' is not a registry"),
        ("SHIPWHEEL_REGISTRY_MIRRORS", "=mirror.example", "'' is not a registry"),
        ("SHIPWHEEL_REGISTRY_MIRRORS", "docker.io=ftp://mirror.example", "is not a registry"),
        ("SHIPWHEEL_REGISTRY_MIRRORS", "docker.io=/hub", "'' is not a registry"),
    ],
)
def test_variables_that_mean_nothing_are_named(tmp_path: Path, name: str, value: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        access(env_of(tmp_path, **{name: value}), system=tmp_path)
    assert name in caught.value.message
    assert said in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ghcr.io", "ghcr.io"),
        ("https://ghcr.io/", "ghcr.io"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
        ("localhost:5000", "localhost:5000"),
        ("[::1]:5000", "[::1]:5000"),
        ("Registry.Example", "registry.example"),
        ("registry.example/v2/", "registry.example"),
    ],
)
def test_names_of_registries(text: str, name: str) -> None:
    assert registry_name(text) == name


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("ghcr.io/team/app", "HOST or HOST:PORT: ghcr.io"),
        ("https://ann:hunter2@ghcr.io", "ghcr.io"),
        ("", "ghcr.io"),
        ("a_b!", "ghcr.io"),
        ("host:port", "localhost:5000"),
    ],
)
def test_what_is_no_registry_has_a_hint(text: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        registry_name(text)
    assert hint in caught.value.hint
    assert "hunter2" not in caught.value.message


def test_dockers_daemon_json_counts_and_the_users_own_comes_first(tmp_path: Path) -> None:
    system = {
        "registry-mirrors": ["https://mirror.example/", "http://plain.example:5000"],
        "insecure-registries": ["r.lan:5000", "10.0.0.0/8", 7],
    }
    write_file(tmp_path / "etc/docker/daemon.json", system)
    found = access(
        env_of(tmp_path, SHIPWHEEL_REGISTRY_MIRRORS="docker.io=own.example,docker.io=mirror.example"), system=tmp_path / "etc"
    )
    assert found.mirrors == {"docker.io": ("own.example", "mirror.example", "http://plain.example:5000")}
    assert found.insecure == {"r.lan:5000"}
    write_file(tmp_path / "home/.config/docker/daemon.json", {"insecure-registries": ["s.lan"]})
    assert access(env_of(tmp_path), system=tmp_path / "etc").insecure == {"s.lan"}


REGISTRIES = """
unqualified-search-registries = ["quay.io"]

[[registry]]
prefix = "docker.io"
location = "internal.example/hub"
[[registry.mirror]]
location = "mirror.example"
[[registry.mirror]]
location = "plain.lan:5000"
insecure = true
[[registry.mirror]]
location = "path.example/hub"
[[registry.mirror]]
location = "digests.example"
pull-from-mirror = "digest-only"

[[registry]]
location = "r.lan:5000"
insecure = true

[[registry]]
prefix = "ghcr.io/team"
insecure = true

[[registry]]
prefix = "*.example.com"
insecure = true

[[registry]]
location = "quay.io"
mirror-by-digest-only = true
[[registry.mirror]]
location = "mirror.example"
"""


def test_podmans_registries_conf_counts_for_whole_registries(tmp_path: Path) -> None:
    write_file(tmp_path / "etc/containers/registries.conf", REGISTRIES)
    found = access(env_of(tmp_path), system=tmp_path / "etc")
    assert found.mirrors == {"docker.io": ("mirror.example", "plain.lan:5000", "path.example/hub")}
    assert found.insecure == {"plain.lan:5000", "r.lan:5000"}


def test_the_users_registries_conf_replaces_the_systems_and_drop_ins_replace_its_tables(tmp_path: Path) -> None:
    write_file(tmp_path / "etc/containers/registries.conf", REGISTRIES)
    write_file(tmp_path / "home/.config/containers/registries.conf", '[[registry]]\nlocation="a.lan"\ninsecure=true\n')
    write_file(tmp_path / "etc/containers/registries.conf.d/1.conf", '[[registry]]\nlocation="b.lan"\ninsecure=true\n')
    write_file(tmp_path / "home/.config/containers/registries.conf.d/1.conf", '[[registry]]\nlocation="b.lan"\n')
    assert access(env_of(tmp_path), system=tmp_path / "etc").insecure == {"a.lan"}
    chosen = write_file(tmp_path / "chosen.conf", '[[registry]]\nlocation="c.lan"\ninsecure=true\n')
    assert access(env_of(tmp_path, CONTAINERS_REGISTRIES_CONF=str(chosen)), system=tmp_path / "etc").insecure == {"c.lan"}


@pytest.mark.parametrize(
    ("name", "text"),
    [("docker/daemon.json", "{"), ("containers/registries.conf", "[["), ("containers/registries.conf.d/1.conf", "= 1")],
)
def test_a_malformed_file_of_an_engine_is_named(tmp_path: Path, name: str, text: str) -> None:
    path = write_file(tmp_path / "etc" / name, text)
    with pytest.raises(ConfigError, match=str(path)):
        access(env_of(tmp_path), system=tmp_path / "etc")


@pytest.mark.parametrize("text", ["[]", '{"registry-mirrors": "x", "insecure-registries": {}}', "{}"])
def test_a_file_of_an_engine_that_says_nothing_known_is_nothing(tmp_path: Path, text: str) -> None:
    write_file(tmp_path / "etc/docker/daemon.json", text)
    assert access(env_of(tmp_path), system=tmp_path / "etc").mirrors == {}


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Served]:
    """A registry that has docker.io/library/app:1, as a mirror does."""
    with registry() as served:
        copy(image("a"), OciLayout(tmp_path / "layout"), "app:1")
        Ship.at(tmp_path).inside_this_process()("copy", f"oci:{tmp_path}/layout:app:1", f"{served.host}/library/app:1")
        yield served


def test_an_image_comes_from_the_mirror_that_a_variable_names(tmp_path: Path, hub: Served) -> None:
    ship = Ship.at(tmp_path, SHIPWHEEL_REGISTRY_MIRRORS=f"docker.io=http://{hub.host}").inside_this_process()
    assert ship("pull", "app:1").out.startswith("app:1  sha256:")


def test_an_image_comes_from_the_mirror_that_docker_has(tmp_path: Path, hub: Served) -> None:
    write_file(tmp_path / "user/.config/docker/daemon.json", {"registry-mirrors": [f"http://{hub.host}"]})
    assert Ship.at(tmp_path).inside_this_process()("pull", "docker.io/library/app:1").out.startswith("docker.io/library/app:1")


def test_a_variable_that_means_nothing_ends_with_2(tmp_path: Path) -> None:
    ship = Ship.at(tmp_path, SHIPWHEEL_INSECURE_REGISTRIES="a/b").inside_this_process()
    assert "SHIPWHEEL_INSECURE_REGISTRIES" in ship.fails(2, "pull", "ghcr.io/team/app:1").error
