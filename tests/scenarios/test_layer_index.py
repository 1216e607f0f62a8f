"""Layers that one machine makes and another takes: with a registry in process, and without a wheel fetched twice."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from shipwheel.oci.image import Image
from shipwheel.oci.store import Store
from shipwheel.oci.tree import Entry
from support.images import layer
from support.index import FileServer
from support.registry import Fault, Served, registry
from support.ship import Ship
from support.wheels import make_wheel

LAYERS = "team/layers"
PLAIN = "--no-bytecode"


@pytest.fixture
def served() -> Iterator[Served]:
    with registry() as running:
        yield running


@pytest.fixture
def sharing(project: Path, served: Served) -> Path:
    """The locked project, with an index."""
    (project / "shipwheel.toml").write_text(f'layer-index = "{served.host}/{LAYERS}"\n')
    return project


@pytest.fixture
def other(ship: Ship, tmp_path: Path) -> Ship:
    """Another machine, with nothing."""
    return ship.having(SHIPWHEEL_HOME=str(tmp_path / "other"))


def whence(data: dict) -> dict[str, str]:  # type: ignore[type-arg]
    """By what a layer holds: where it came from."""
    said = {(True, False): "reused", (False, True): "shared", (False, False): "new"}
    return {each["created_by"]: said[each["reused"], each["shared"]] for each in data["layers"]}


def keys(served: Served) -> list[str]:
    return [name for name in served.manifests[LAYERS] if not name.startswith("sha256:")]


def test_the_second_machine_fetches_nothing_and_gets_the_same_digest(
    ship: Ship, other: Ship, sharing: Path, served: Served, server: FileServer
) -> None:
    first = ship.build(sharing, PLAIN)
    assert set(whence(first).values()) == {"new"}
    server.requests.clear()
    served.forget_log()
    second = other("build", sharing, PLAIN, "--json").json
    assert second["digest"] == first["digest"]
    assert {what for what, came in whence(second).items() if came == "new"} == {"code"}
    assert server.requests == []
    assert not [line for line in served.said() if "/blobs/" in line and not line.startswith("HEAD")]
    assert served.said("POST", "PUT", "PATCH") == []
    assert "shared" in other("build", sharing, PLAIN, "--json", "-t", "again").out


def test_the_project_itself_is_not_shared(ship: Ship, sharing: Path, served: Served) -> None:
    (sharing / "model.joblib").write_bytes(b"weights")
    data = ship.build(sharing, PLAIN)
    own = {each["digest"] for each in data["layers"] if each["created_by"] in ("code", "model")}
    assert len(own) == 2
    assert own.isdisjoint(served.blobs[LAYERS])
    assert len(keys(served)) == len(data["layers"]) - 2


def test_an_unchanged_build_asks_nobody(ship: Ship, other: Ship, sharing: Path, served: Served) -> None:
    for machine in (ship, other):
        machine("build", sharing, PLAIN)
        served.forget_log()
        machine("build", sharing, PLAIN)
        assert served.log == []


def test_what_was_made_before_there_was_an_index_is_published(ship: Ship, project: Path, served: Served) -> None:
    first = ship.build(project, PLAIN)
    (project / "shipwheel.toml").write_text(f'layer-index = "{served.host}/{LAYERS}"\n')
    assert ship.build(project, PLAIN)["digest"] == first["digest"]
    assert len(keys(served)) == len(first["layers"]) - 1


def test_layers_that_are_not_here_are_brought_for_an_archive(ship: Ship, other: Ship, sharing: Path, tmp_path: Path) -> None:
    ship.build(sharing, PLAIN)
    data = other.build(sharing, PLAIN, "--to", f"oci:{tmp_path / 'out'}")
    blobs = tmp_path / "out" / "blobs" / "sha256"
    assert {each["digest"].removeprefix("sha256:") for each in data["layers"]} <= {path.name for path in blobs.iterdir()}


def test_a_push_to_the_same_registry_sends_the_code_alone(ship: Ship, other: Ship, sharing: Path, served: Served) -> None:
    ship.build(sharing, PLAIN)
    other("build", sharing, PLAIN)
    served.forget_log()
    (name,) = Store(other.home).names()
    other("push", name, f"{served.host}/team/app:1")
    image = other.image(name)
    assert isinstance(image, Image)
    sent = image.layers[-1].blob.size + image.config.size + image.manifest.size
    assert served.received() <= sent + 2000
    assert len([line for line in served.said("POST") if "mount=" in line and line.endswith("201")]) == len(image.layers) - 1


@pytest.mark.parametrize(
    ("env", "published"),
    [
        ({"GITHUB_EVENT_NAME": "pull_request"}, False),
        ({"GITHUB_EVENT_NAME": "push"}, True),
        ({"CI_MERGE_REQUEST_IID": "5"}, False),
        ({"SHIPWHEEL_LAYER_INDEX_PUBLISH": "0"}, False),
    ],
)
def test_pull_requests_take_but_do_not_give(
    ship: Ship, sharing: Path, served: Served, env: dict[str, str], published: bool
) -> None:
    ship.having(**env).build(sharing, PLAIN)
    assert bool(served.manifests) == published


def test_the_index_can_be_left_alone(ship: Ship, sharing: Path, served: Served) -> None:
    ship.build(sharing, PLAIN, "--no-layer-index")
    assert served.log == []


def test_an_index_that_is_down_does_not_stop_a_build(ship: Ship, sharing: Path, served: Served) -> None:
    served.faults.append(Fault(status=403, times=10_000))
    said = ship("build", sharing, PLAIN)
    assert said.err.count("warning: ") == 1
    assert "the layer index is not used" in said.err


def test_an_index_that_cannot_be_reached_is_not_waited_for(ship: Ship, project: Path) -> None:
    asked = 0
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            nonlocal asked
            with suppress(OSError):
                while True:
                    listener.accept()[0].close()
                    asked += 1

        thread = threading.Thread(target=hang_up)
        thread.start()
        (project / "shipwheel.toml").write_text(f'layer-index = "127.0.0.1:{listener.getsockname()[1]}/{LAYERS}"\n')
        said = ship("build", project, PLAIN)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert said.err.count("warning: ") == 1
    assert asked <= 2  # with TLS, and without as this is loopback; once each


# --verify-index


def poison(ship: Ship, served: Served) -> str:
    """Put other bytes, well packed, under the key of alpha; the digest of the right ones."""
    bad = layer([Entry.data("opt/venv/lib/evil.py", b"import os\n")])
    served.put_blob(LAYERS, bad.blob.read())
    for key in keys(served):
        media_type, data = served.manifests[LAYERS][key]
        value = json.loads(data)
        notes = value["annotations"]
        if notes["dev.shipwheel.layer.holds"].startswith("alpha"):
            notes |= {"dev.shipwheel.layer.diff-id": str(bad.diff_id), "dev.shipwheel.layer.unpacked": str(bad.unpacked)}
            right = value["layers"][0]["digest"]
            value["layers"] = [bad.blob.descriptor.as_json()]
            served.put_manifest(LAYERS, key, media_type, json.dumps(value).encode())
            return str(right)
    raise AssertionError("alpha was not published")


def test_a_layer_that_its_files_do_not_make_is_found(ship: Ship, other: Ship, sharing: Path, served: Served) -> None:
    first = ship.build(sharing, PLAIN)
    right = poison(ship, served)
    said = other.fails(6, "build", sharing, PLAIN, "--verify-index", "all")
    assert "alpha 1.0" in said.error
    assert right in said.error
    assert f"{served.host}/{LAYERS}" in said.error
    assert other.build(sharing, PLAIN, "--no-layer-index")["digest"] == first["digest"]


def test_a_sound_index_passes_and_a_sample_is_a_sample(
    ship: Ship, other: Ship, sharing: Path, server: FileServer, tmp_path: Path
) -> None:
    first = ship.build(sharing, PLAIN)
    assert other.build(sharing, PLAIN, "--verify-index", "all")["digest"] == first["digest"]
    third = ship.having(SHIPWHEEL_HOME=str(tmp_path / "third"))
    said = third("build", sharing, PLAIN, "--verify-index", "1", "--json")
    assert re.search(r"made 1 of \d+ layers of the layer index again: they are the same", said.err)
    data = said.json
    assert data["digest"] == first["digest"]
    assert sum(1 for each in data["layers"] if (third.home / "oci/blobs/sha256" / each["digest"][7:]).exists()) in (1, 2)


def test_what_was_taken_before_can_be_checked_later(ship: Ship, other: Ship, sharing: Path, served: Served) -> None:
    ship.build(sharing, PLAIN)
    poison(ship, served)
    other("build", sharing, PLAIN)
    assert "alpha 1.0" in other.fails(6, "build", sharing, PLAIN, "--verify-index", "all").error


def test_only_signed_layers_are_taken_where_a_key_is_named(
    ship: Ship, other: Ship, sharing: Path, served: Served, server: FileServer, tmp_path: Path
) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    pem, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    private = tmp_path / "layers.key"
    private.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    (sharing / "layers.pub").write_bytes(key.public_key().public_bytes(pem, form))
    settings = (sharing / "shipwheel.toml").read_text()
    ship.build(sharing, PLAIN)
    (sharing / "shipwheel.toml").write_text(f'{settings}layer-index-key = "layers.pub"\n')
    said = other("build", sharing, PLAIN, "--json", "--sign-key", private)
    assert "shared" not in whence(said.json).values()
    assert "not signed with the key" in said.err
    server.requests.clear()
    third = ship.having(SHIPWHEEL_HOME=str(tmp_path / "third"))
    said = third("build", sharing, PLAIN, "--json")
    assert said.json["digest"] == third("build", sharing, PLAIN, "--json", "--no-layer-index").json["digest"]
    assert set(whence(said.json).values()) == {"new", "shared"}
    assert server.requests == []


def test_wheels_made_here_from_source_are_not_shared(ship: Ship, served: Served, sharing: Path, shelf: Path) -> None:
    from shipwheel.layers.python import Part, PythonLayers

    made = [Part(name=name, version="1", sha256=name * 64, size=10, built_here=name == "a") for name in "ab"]
    layers = PythonLayers(python="3.11", interpreter="/usr/bin/python3.11", identity="").recipes(made)
    assert {recipe.created_by: recipe.shared for recipe in layers if recipe.files} == {"a 1": False, "b 1": True}


def test_a_wheel_that_is_added_is_the_only_one_made(
    ship: Ship, other: Ship, sharing: Path, shelf: Path, server: FileServer, mirror: object
) -> None:
    from support.cargo import Mirror

    assert isinstance(mirror, Mirror)
    ship.build(sharing, PLAIN)
    (sharing / "requirements.txt").write_text("alpha\nbeta\ngamma\n")
    wheels = [make_wheel(shelf, "alpha", "1.0"), make_wheel(shelf, "beta", "2.0"), make_wheel(shelf, "gamma", "3.0")]
    mirror.lock(sharing, wheels)
    server.requests.clear()
    data = other("build", sharing, PLAIN, "--json").json
    fetched = {path for path in server.paths() if path.startswith("/files/")}
    assert fetched == {"/files/gamma-3.0-py3-none-any.whl"}
    assert {what for what, came in whence(data).items() if came == "new"} == {"gamma 3.0", "code"}


def test_a_home_that_counts_on_layers_that_were_removed_can_be_mended(
    ship: Ship, other: Ship, sharing: Path, served: Served
) -> None:
    first = ship.build(sharing, PLAIN)
    other("build", sharing, PLAIN)
    served.manifests.clear()
    served.blobs.clear()
    (name,) = Store(other.home).names()
    other("rmi", name)
    other("prune", "--all")
    data = other("build", sharing, PLAIN, "--json").json
    assert data["digest"] == first["digest"]
    assert set(whence(data).values()) == {"new"}
    other("push", name, f"{served.host}/team/app:1")
