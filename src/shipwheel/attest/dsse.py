"""Statements of in-toto, and the envelopes of DSSE that they are signed in (secure-systems-lab/dsse, protocol 1.0)."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from shipwheel.oci.blob import Digest
from shipwheel.oci.image import canonical_json
from shipwheel.signing import PrivateKey, PublicKey, sign, verify

PAYLOAD_TYPE = "application/vnd.in-toto+json"
MEDIA_TYPE = "application/vnd.dsse.envelope.v1+json"


def statement(name: str, digest: Digest, predicate_type: str, predicate: Mapping[str, Any]) -> bytes:
    """That the predicate holds of the image of this name and digest (in-toto Statement v1)."""
    return canonical_json(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": name, "digest": {"sha256": digest.hex}}],
            "predicateType": predicate_type,
            "predicate": predicate,
        }
    )


def seal(payload: bytes, key: PrivateKey) -> bytes:
    """A signed envelope around a statement."""
    signature = {"keyid": "", "sig": _text(sign(key, _authenticated(payload)))}
    return canonical_json({"payloadType": PAYLOAD_TYPE, "payload": _text(payload), "signatures": [signature]})


def is_sealed_by(envelope: bytes, key: PublicKey) -> bool:
    """Whether this is an envelope that the key's holder signed."""
    try:
        value = json.loads(envelope)
        payload = base64.b64decode(value["payload"])
        signatures = [base64.b64decode(each["sig"]) for each in value["signatures"]]
    except (ValueError, KeyError, TypeError):
        return False
    return any(verify(key, _authenticated(payload), signature) for signature in signatures)


def _authenticated(payload: bytes) -> bytes:
    """What is signed: type and payload, each with its length (PAE), so that neither can be taken for the other."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
