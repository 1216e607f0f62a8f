"""Keys and signatures."""

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from nacl.secret import SecretBox

from shipwheel.errors import UsageError
from shipwheel.signing import PrivateKey, load_private_key, load_public_key, sign, verify

PKCS8, SEC1 = serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL
PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
KEYS = {"ecdsa": ec.generate_private_key(ec.SECP256R1()), "ed25519": ed25519.Ed25519PrivateKey.generate()}


def _plain(key: PrivateKey, form: serialization.PrivateFormat = PKCS8, password: str = "") -> bytes:
    hidden = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
    return key.private_bytes(PEM, form, hidden)


def _public(key: PrivateKey) -> bytes:
    return key.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _cosign(key: PrivateKey, password: str, mark: str = "SIGSTORE", cost: int = 2**10) -> bytes:
    salt = b"s" * 32
    box = SecretBox(Scrypt(salt=salt, length=32, n=cost, r=8, p=1).derive(password.encode()))
    sealed = box.encrypt(key.private_bytes(DER, PKCS8, serialization.NoEncryption()), b"n" * 24)
    text = lambda data: base64.b64encode(data).decode()  # noqa: E731
    value = {
        "kdf": {"name": "scrypt", "params": {"N": cost, "r": 8, "p": 1}, "salt": text(salt)},
        "cipher": {"name": "nacl/secretbox", "nonce": text(sealed.nonce)},
        "ciphertext": text(sealed.ciphertext),
    }
    body = base64.encodebytes(json.dumps(value).encode()).decode()
    return f"-----BEGIN ENCRYPTED {mark} PRIVATE KEY-----\n{body}-----END ENCRYPTED {mark} PRIVATE KEY-----\n".encode()


def _signs(path: Path, password: str, key: PrivateKey) -> bool:
    return verify(key.public_key(), b"data", sign(load_private_key(path, password), b"data"))


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("password", ["", "secret"])
def test_a_key_in_pem_signs_with_or_without_a_password(tmp_path: Path, kind: str, password: str) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(_plain(KEYS[kind], password=password))
    assert _signs(path, password, KEYS[kind])


def test_a_password_that_is_not_needed_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(_plain(KEYS["ecdsa"]))
    assert _signs(path, "secret", KEYS["ecdsa"])


def test_a_key_in_the_older_form_of_openssl_is_read(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(_plain(KEYS["ecdsa"], SEC1))
    assert _signs(path, "", KEYS["ecdsa"])


@pytest.mark.parametrize("mark", ["SIGSTORE", "COSIGN"])
def test_a_key_that_cosign_encrypted_is_read(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "cosign.key"
    path.write_bytes(_cosign(KEYS["ecdsa"], "secret", mark))
    assert _signs(path, "secret", KEYS["ecdsa"])


@pytest.mark.parametrize("data", [_plain(KEYS["ecdsa"], password="secret"), _cosign(KEYS["ecdsa"], "secret")])
@pytest.mark.parametrize(("password", "said"), [("", "no password"), ("wrong", "another password")])
def test_an_encrypted_key_says_what_its_password_lacks(tmp_path: Path, data: bytes, password: str, said: str) -> None:
    path = tmp_path / "key"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=said) as caught:
        load_private_key(path, password)
    assert "COSIGN_PASSWORD" in caught.value.hint


@pytest.mark.parametrize("data", [b"", b"text", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_what_is_no_key_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(data)
    with pytest.raises(UsageError, match="no private key"):
        load_private_key(path)
    with pytest.raises(UsageError, match="no public key"):
        load_public_key(path)


def test_other_kinds_of_keys_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    for key in (rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1())):
        path.write_bytes(key.private_bytes(PEM, PKCS8, serialization.NoEncryption()))
        with pytest.raises(UsageError, match="no private key that is known"):
            load_private_key(path)
        path.write_bytes(key.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
        with pytest.raises(UsageError, match="no public key that is known"):
            load_public_key(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.pem"):
        load_private_key(tmp_path / "nowhere.pem")


@pytest.mark.parametrize("kind", KEYS)
def test_a_signature_is_for_one_key_and_exactly_these_bytes(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "key.pub"
    path.write_bytes(_public(KEYS[kind]))
    public, signature = load_public_key(path), sign(KEYS[kind], b"data")
    assert verify(public, b"data", signature)
    assert not verify(public, b"date", signature)
    assert not verify(public, b"data", signature[:-1] + bytes([signature[-1] ^ 1]))
    assert not verify(public, b"data", b"")
    other = next(key for name, key in KEYS.items() if name != kind)
    assert not verify(other.public_key(), b"data", signature)
