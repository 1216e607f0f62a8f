"""What a push attaches, with and without a key, of a project, of an image built before, and of one from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from support.registry import Served, registry
from support.ship import Ship

PEM, PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8


@pytest.fixture
def served() -> Iterator[Served]:
    with registry() as running:
        yield running


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "image.key"
    hidden = serialization.BestAvailableEncryption(b"of a test")
    path.write_bytes(ed25519.Ed25519PrivateKey.generate().private_bytes(PEM, PKCS8, hidden))
    return path


def attached(served: Served) -> list[str]:
    """What is there besides the image, in a word each."""
    names = {
        b"application/spdx+json": "spdx",
        b"application/vnd.cyclonedx+json": "cyclonedx",
        b"application/vnd.in-toto+json": "provenance",
    }
    manifests = served.manifests["app"]
    found = [
        word
        for name, (_, data) in manifests.items()
        for mark, word in names.items()
        if name.startswith("sha256:") and mark in data
    ]
    return sorted([*found, *(name.rpartition(".")[2] for name in manifests if name.endswith((".att", ".sig")))])


def test_a_key_signs_and_attests(ship: Ship, project: Path, served: Served, key: Path) -> None:
    signing = ship.having(SHIPWHEEL_SIGN_PASSWORD="of a test")
    ship.build(project, "--no-bytecode", "-t", "app:1")
    said = signing("push", "app:1", f"{served.host}/app:1", "--sign-key", key)
    assert "SBOMs, provenance, signature: attached" in said.err
    assert attached(served) == ["att", "cyclonedx", "provenance", "sig", "spdx"]
    before = served.state()
    assert "there already" in signing("push", "app:1", f"{served.host}/app:1", "--sign-key", key).err
    assert served.state() == before


def test_without_a_key_documents_are_attached_when_asked(ship: Ship, project: Path, served: Served) -> None:
    ship.build(project, "--no-bytecode", "-t", "app:1")
    ship("push", "app:1", f"{served.host}/app:1", "--no-attest")
    assert attached(served) == []
    ship("push", "app:1", f"{served.host}/app:1", "--attest")
    assert attached(served) == ["cyclonedx", "provenance", "spdx"]


def test_an_image_from_elsewhere_is_only_signed(ship: Ship, project: Path, served: Served, key: Path, tmp_path: Path) -> None:
    ship.build(project, "--no-bytecode", "-t", "app:1")
    ship("save", "app:1", tmp_path / "app.tar")
    other = ship.having(SHIPWHEEL_HOME=str(tmp_path / "other"), COSIGN_PASSWORD="of a test")
    other("load", tmp_path / "app.tar")
    said = other("push", "app:1", f"{served.host}/app:1", "--sign-key", key)
    assert "not built here" in said.err
    assert attached(served) == ["sig"]


def test_a_key_that_cannot_be_used_is_said_before_anything_is_sent(
    ship: Ship, project: Path, served: Served, key: Path
) -> None:
    ship.build(project, "--no-bytecode", "-t", "app:1")
    said = ship.fails(2, "push", "app:1", f"{served.host}/app:1", "--sign-key", key)
    assert "no password" in said.error
    assert served.said() == []
