"""Keys and signatures: ECDSA P-256 with SHA-256 and Ed25519, in PEM files, as cosign and openssl write them.

Nothing that an unchanged build needs imports this file at its top: the library below takes its time.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from shipwheel.errors import UsageError

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

KINDS = "an ECDSA P-256 or Ed25519 key in PEM, such as 'cosign generate-key-pair' or 'openssl genpkey' makes"

_COSIGN = (b"ENCRYPTED SIGSTORE PRIVATE KEY", b"ENCRYPTED COSIGN PRIVATE KEY")
_ALGORITHM = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
_MAX_SCRYPT = 1 << 20
"""scrypt's N that is computed at most: 1 GiB of memory; cosign writes 2**15 or 2**16."""


def load_private_key(path: Path, password: str = "") -> PrivateKey:
    """The key in a PEM file: PKCS#8 or SEC 1, encrypted or not, or encrypted as cosign does it.

    Raises:
        UsageError: no such file, a wrong or missing password, or no key of these kinds.
    """
    data, secret = _read(path), password.encode()
    try:
        if any(mark in data for mark in _COSIGN):
            key = serialization.load_der_private_key(_decrypt(data, secret), None)
        else:
            key = serialization.load_pem_private_key(data, secret if b"ENCRYPTED" in data else None)
    except (ValueError, TypeError, KeyError, AttributeError, UnsupportedAlgorithm):
        if b"ENCRYPTED" in data:
            raise _wrong_password(path, password) from None
        raise _no_key(path, "private") from None
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key
    raise _no_key(path, "private")


def load_public_key(path: Path) -> PublicKey:
    """The key in a PEM file (SubjectPublicKeyInfo).

    Raises:
        UsageError: no such file, or no public key of these kinds.
    """
    try:
        key = serialization.load_pem_public_key(_read(path))
    except (ValueError, UnsupportedAlgorithm):
        raise _no_key(path, "public") from None
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key
    raise _no_key(path, "public")


def sign(key: PrivateKey, data: bytes) -> bytes:
    """The signature: ASN.1 DER for ECDSA (the same each time), 64 bytes for Ed25519."""
    return key.sign(data) if isinstance(key, ed25519.Ed25519PrivateKey) else key.sign(data, _ALGORITHM)


def verify(key: PublicKey, data: bytes, signature: bytes) -> bool:
    """Whether the holder of the private key signed exactly this."""
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, data)
        else:
            key.verify(signature, data, _ALGORITHM)
    except InvalidSignature:
        return False
    return True


def _decrypt(pem: bytes, password: bytes) -> bytes:
    """The PKCS#8 key in cosign's own envelope: scrypt, then NaCl's secretbox, in JSON.

    Raises:
        ValueError, KeyError, TypeError: malformed, or another password.
    """
    from nacl.exceptions import CryptoError
    from nacl.secret import SecretBox

    value = json.loads(base64.b64decode(b"".join(line for line in pem.splitlines() if b"-----" not in line)))
    kdf, cipher = value["kdf"], value["cipher"]
    cost = kdf["params"]
    if cost["N"] > _MAX_SCRYPT:
        raise ValueError("scrypt with so much memory that no cosign wrote it")
    scrypt = Scrypt(salt=base64.b64decode(kdf["salt"]), length=SecretBox.KEY_SIZE, n=cost["N"], r=cost["r"], p=cost["p"])
    try:
        return SecretBox(scrypt.derive(password)).decrypt(
            base64.b64decode(value["ciphertext"]), base64.b64decode(cipher["nonce"])
        )
    except CryptoError as error:
        raise ValueError("another password") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"key '{path}' cannot be read: {error.strerror}", hint=f"give the file of {KINDS}") from None


def _no_key(path: Path, kind: str) -> UsageError:
    return UsageError(f"'{path}' is no {kind} key that is known", hint=f"give {KINDS}")


def _wrong_password(path: Path, password: str) -> UsageError:
    hint = "set SHIPWHEEL_SIGN_PASSWORD or COSIGN_PASSWORD" + (" to the right one" if password else "")
    return UsageError(f"key '{path}' is encrypted, and {'another' if password else 'no'} password was given", hint=hint)
