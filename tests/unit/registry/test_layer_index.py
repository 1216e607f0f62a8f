"""A layer index in a registry: what is found, what is published, and what is made of poisoned entries and of failures."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from shipwheel.errors import UsageError
from shipwheel.oci.image import MANIFEST_TYPE
from shipwheel.oci.layer import Layer
from shipwheel.oci.reference import Reference
from shipwheel.oci.tree import Entry
from shipwheel.oci.validate import validate
from shipwheel.registry.layer_index import Keys, LayerIndex
from shipwheel.registry.registries import Registries
from shipwheel.registry.repository import Repository
from support.images import layer
from support.registry import Fault, Served

Connect = Callable[..., Repository]

REPOSITORY = "team/layers"
LAYERS = {f"{number:064x}": layer([Entry.data("a", b"%d" % number)], f"alpha {number}") for number in range(8)}
ONE = next(iter(LAYERS))
PASSWORD = "secret"


@dataclass
class Someone:
    """A machine with an index, and what it was warned of."""

    index: LayerIndex
    warned: list[str] = field(default_factory=list)


@pytest.fixture
def machine(served: Served, connect: Connect) -> Callable[..., Someone]:
    def made(keys: Keys | None = None, **changes: Any) -> Someone:
        warned: list[str] = []
        index = LayerIndex(
            origin=f"{served.host}/{REPOSITORY}",
            connect=lambda: connect(REPOSITORY),
            warn=warned.append,
            keys=keys or Keys(),
            **changes,
        )
        return Someone(index=index, warned=warned)

    return made


@dataclass(frozen=True)
class Pair:
    private: Path
    public: Path


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pair, Pair]:
    """Two keys, the first with a password."""
    folder, made = tmp_path_factory.mktemp("keys"), []
    for name, hidden in (
        ("ours", serialization.BestAvailableEncryption(PASSWORD.encode())),
        ("theirs", serialization.NoEncryption()),
    ):
        key = ec.generate_private_key(ec.SECP256R1())
        pem, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        pair = Pair(folder / name, folder / f"{name}.pub")
        pair.private.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, hidden))
        pair.public.write_bytes(key.public_key().public_bytes(pem, form))
        made.append(pair)
    return made[0], made[1]


def facts(layers: dict[str, Layer]) -> dict[str, tuple[object, ...]]:
    return {key: (each.blob.descriptor, each.diff_id, each.unpacked, each.created_by) for key, each in layers.items()}


def test_what_one_machine_publishes_another_finds(machine: Callable[..., Someone], served: Served) -> None:
    taken = machine().index.publish(LAYERS)
    assert {each.blob.origins for each in taken.values()} == {(f"{served.host}/{REPOSITORY}",)}
    served.forget_log()
    other = machine()
    found = other.index.find([*LAYERS, "f" * 64])
    assert facts(found) == facts(LAYERS)
    assert {each.blob.origins for each in found.values()} == {(f"{served.host}/{REPOSITORY}",)}
    assert [b"".join(found[key].blob.chunks()) for key in LAYERS] == [each.blob.read() for each in LAYERS.values()]
    assert len([line for line in served.said("GET") if "/manifests/" in line]) == len(LAYERS) + 1
    assert other.warned == []


def test_an_entry_is_an_image_that_any_tool_reads(machine: Callable[..., Someone], connect: Connect) -> None:
    machine().index.publish(LAYERS)
    image = connect(REPOSITORY).resolve(ONE)
    validate(image)


def test_to_find_nothing_is_sent_and_no_layer_is_read(machine: Callable[..., Someone], served: Served) -> None:
    machine().index.publish(LAYERS)
    served.forget_log()
    machine().index.find(LAYERS)
    assert served.said("POST", "PUT", "PATCH", "DELETE") == []
    assert not [line for line in served.said("GET") if "/blobs/" in line]


def test_no_keys_ask_nothing(machine: Callable[..., Someone], served: Served) -> None:
    someone = machine()
    assert someone.index.find([]) == {}
    assert someone.index.publish({}) == {}
    assert served.log == []


def test_who_may_only_read_finds_and_is_told_once_that_he_publishes_nothing(
    machine: Callable[..., Someone], served: Served
) -> None:
    machine().index.publish(LAYERS)
    served.auth, served.anonymous = "ann:secret", True
    reader = machine()
    more = {"e" * 64: layer([Entry.data("b", b"new")], "beta 1")}
    with Registries() as nobody:
        reader.index.connect = lambda: nobody.repository(Reference.parse(f"{served.host}/{REPOSITORY}"))
        assert facts(reader.index.find(LAYERS)) == facts(LAYERS)
        assert reader.index.publish(more) == {}
        assert reader.index.publish(more) == {}
    assert len(reader.warned) == 1
    assert "not published" in reader.warned[0]


@pytest.mark.parametrize("fault", [Fault(status=403), Fault(status=503), Fault(status=500), Fault(cut=0), Fault(drop=True)])
def test_an_index_that_fails_is_one_warning(machine: Callable[..., Someone], served: Served, fault: Fault) -> None:
    machine().index.publish(LAYERS)
    served.faults.append(replace(fault, path="/v2/team/layers/", times=10_000))
    someone = machine()
    assert someone.index.find(LAYERS) == {}
    assert someone.index.find(LAYERS) == {}
    assert someone.index.publish(LAYERS) == {}
    assert len(someone.warned) == 1
    assert someone.warned[0].startswith("the layer index is not used: ")


def test_an_index_that_fails_now_and_then_is_used(machine: Callable[..., Someone], served: Served) -> None:
    machine().index.publish(LAYERS)
    served.faults.append(Fault(path="/manifests/", status=503, times=2))
    someone = machine()
    assert facts(someone.index.find(LAYERS)) == facts(LAYERS)
    assert someone.warned == []


def test_a_repository_that_is_not_there_yet_has_nothing(machine: Callable[..., Someone]) -> None:
    someone = machine()
    assert someone.index.find(LAYERS) == {}
    assert someone.warned == []


def test_whoever_publishes_nothing_sends_nothing(machine: Callable[..., Someone], served: Served) -> None:
    assert machine(publishes=False).index.publish(LAYERS) == {}
    assert served.log == []


# poison


def rewrite(served: Served, key: str, change: Callable[[dict[str, Any]], object], media_type: str = MANIFEST_TYPE) -> None:
    """Put another manifest under a key."""
    _, data = served.manifests[REPOSITORY][key]
    value = json.loads(data)
    change(value)
    served.put_manifest(REPOSITORY, key, media_type, json.dumps(value).encode())


def of_layer(**changes: object) -> Callable[[dict[str, Any]], object]:
    return lambda entry: entry["layers"][0].update(changes)


POISON: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "another size": (of_layer(size=LAYERS[ONE].blob.size - 1), "another size"),
    "a blob that is not there": (of_layer(digest="sha256:" + "0" * 64), "lacks its blob"),
    "another digest of another form": (of_layer(digest="md5:0"), "not a sha256 digest"),
    "another kind of layer": (of_layer(mediaType="text/plain"), "its layer is of type"),
    "huge": (of_layer(size=1 << 50), "sizes"),
    "the entry of another key": (
        lambda entry: entry["annotations"].update({"dev.shipwheel.layer.key": "1" * 64}),
        "another key",
    ),
    "no entry at all": (lambda entry: entry.pop("annotations"), "malformed"),
    "an image and an index": (lambda entry: entry.update(manifests=[]), "contradicts itself"),
    "schema 1": (lambda entry: entry.update(schemaVersion=1), "schema 1"),
}


@pytest.mark.parametrize("case", POISON)
def test_a_poisoned_entry_is_not_there_and_is_named(machine: Callable[..., Someone], served: Served, case: str) -> None:
    machine().index.publish(LAYERS)
    change, reason = POISON[case]
    rewrite(served, ONE, change)
    someone = machine()
    found = someone.index.find(LAYERS)
    assert facts(found) == facts({key: each for key, each in LAYERS.items() if key != ONE})
    (warning,) = someone.warned
    assert f"{REPOSITORY}:{ONE}" in warning
    assert reason in warning


def test_an_entry_cannot_write_on_the_terminal(machine: Callable[..., Someone], served: Served) -> None:
    machine().index.publish(LAYERS)
    rewrite(served, ONE, of_layer(digest="\x1b[2J" + "x" * 5000))
    someone = machine()
    someone.index.find(LAYERS)
    (warning,) = someone.warned
    assert warning.isprintable()
    assert len(warning) < 600


@pytest.mark.parametrize("data", [b"", b"null", b"[" * 100_000, b" " * (5 << 20)], ids=["empty", "null", "deep", "huge"])
def test_a_manifest_that_is_none_is_not_there(machine: Callable[..., Someone], served: Served, data: bytes) -> None:
    machine().index.publish(LAYERS)
    served.put_manifest(REPOSITORY, ONE, MANIFEST_TYPE, data)
    someone = machine()
    assert set(someone.index.find(LAYERS)) == set(LAYERS) - {ONE}
    (warning,) = someone.warned
    assert ONE in warning


# keys


def test_only_what_the_trusted_key_signed_is_taken(
    machine: Callable[..., Someone], served: Served, pairs: tuple[Pair, Pair]
) -> None:
    ours, theirs = pairs
    third, second, first = sorted(LAYERS)[:3]
    machine(Keys(trusted=ours.public, signing=ours.private, password=PASSWORD)).index.publish({first: LAYERS[first]})
    machine(Keys(signing=theirs.private)).index.publish({second: LAYERS[second]})
    machine().index.publish({third: LAYERS[third]})
    someone = machine(Keys(trusted=ours.public))
    assert set(someone.index.find(LAYERS)) == {first}
    (warning,) = someone.warned
    assert warning.partition(f"{REPOSITORY}:")[2][:64] in (third, second)
    assert "(and 1 more)" in warning
    assert "layer-index-key" in warning


def test_a_signed_entry_whose_facts_were_changed_is_not_there(
    machine: Callable[..., Someone], served: Served, pairs: tuple[Pair, Pair]
) -> None:
    keys = Keys(trusted=pairs[0].public, signing=pairs[0].private, password=PASSWORD)
    machine(keys).index.publish(LAYERS)
    diff_id = {"dev.shipwheel.layer.diff-id": "sha256:" + "0" * 64}
    rewrite(served, ONE, lambda entry: entry["annotations"].update(diff_id))
    other = sorted(LAYERS)[5]
    replayed = json.loads(served.manifests[REPOSITORY][sorted(LAYERS)[6]][1])
    rewrite(served, other, lambda entry: entry.update(replayed))
    someone = machine(keys)
    assert set(someone.index.find(LAYERS)) == set(LAYERS) - {ONE, other}
    assert "(and 1 more)" in someone.warned[0]


def test_who_cannot_sign_publishes_nothing_that_nobody_would_take(
    machine: Callable[..., Someone], served: Served, pairs: tuple[Pair, Pair]
) -> None:
    someone = machine(Keys(trusted=pairs[0].public))
    assert someone.index.publish(LAYERS) == {}
    assert served.log == []
    assert someone.warned == []


def test_what_nobody_would_take_is_not_published(
    machine: Callable[..., Someone], served: Served, pairs: tuple[Pair, Pair]
) -> None:
    someone = machine(Keys(trusted=pairs[0].public, signing=pairs[1].private))
    assert someone.index.publish(LAYERS) == {}
    assert someone.index.publish(LAYERS) == {}
    (warning,) = someone.warned
    assert "does not belong to" in warning
    assert served.manifests == {}


def test_a_signing_key_without_its_password_is_an_error(machine: Callable[..., Someone], pairs: tuple[Pair, Pair]) -> None:
    with pytest.raises(UsageError, match="encrypted"):
        machine(Keys(signing=pairs[0].private)).index.publish(LAYERS)


def test_a_trusted_key_that_is_not_there_is_an_error(machine: Callable[..., Someone], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"absent\.pub"):
        machine(Keys(trusted=tmp_path / "absent.pub")).index.find(LAYERS)
