"""Envelopes: what is signed is the type and the payload, as the protocol writes them."""

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from shipwheel.attest.dsse import is_sealed_by, seal
from shipwheel.signing import verify

KEY, OTHER = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))


def test_the_signature_is_of_type_and_payload_with_their_lengths() -> None:
    value = json.loads(seal(b'{"a":1}', KEY))
    signed = b'DSSEv1 28 application/vnd.in-toto+json 7 {"a":1}'
    assert base64.b64decode(value["payload"]) == b'{"a":1}'
    assert verify(KEY.public_key(), signed, base64.b64decode(value["signatures"][0]["sig"]))


def test_an_envelope_is_of_the_key_that_sealed_it() -> None:
    assert is_sealed_by(seal(b"{}", KEY), KEY.public_key())
    assert not is_sealed_by(seal(b"{}", OTHER), KEY.public_key())


def test_another_payload_is_not_sealed() -> None:
    value = json.loads(seal(b"{}", KEY))
    changed = {**value, "payload": base64.b64encode(b"[]").decode()}
    assert not is_sealed_by(json.dumps(changed).encode(), KEY.public_key())


def test_sealing_again_gives_the_same_bytes() -> None:
    assert seal(b"{}", KEY) == seal(b"{}", KEY)


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"payload": 3, "signatures": []}', b'{"payload": "", "signatures": [{}]}', b"\xff"]
)
def test_what_is_no_envelope_is_nobody_s(data: bytes) -> None:
    assert not is_sealed_by(data, KEY.public_key())
