"""`LayerIndex`: layers that someone made before, found by their keys in one repository of a registry.

The entry of a key is an image of that one layer, tagged with the key: every registry takes it, and none collects a tagged
image as garbage. Annotations of its manifest hold what a manifest has no place for: the layer's diffID, its unpacked size,
what it holds, and a signature over all of it. Nothing in an entry is believed before it was checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from shipwheel.errors import IntegrityError, NetworkError, ShipwheelError
from shipwheel.oci.blob import Platform
from shipwheel.oci.copy import copy
from shipwheel.oci.image import RuntimeConfig, compose
from shipwheel.oci.layer import Layer
from shipwheel.registry.layer_entry import Facts, read_entry
from shipwheel.registry.repository import Repository

if TYPE_CHECKING:
    from shipwheel.signing import PrivateKey, PublicKey

AT_ONCE = 16
"""Requests at a time."""

MAX_SENTENCE = 300
"""Characters of what is wrong with an entry."""

_ANYWHERE = Platform("unknown", "unknown")
"""The platform of an entry: a layer by itself is of none."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """PEM files: entries must be signed by the holder of `trusted`, if given; ours are signed with `signing`, if given."""

    trusted: Path | None = None
    signing: Path | None = None
    password: str = ""


@dataclass(slots=True, kw_only=True)
class LayerIndex:
    """The layers in repository `origin` (HOST[:PORT]/PATH); `connect` opens it, `warn` tells people what went wrong.

    An index is a help, never a need: where it fails, `warn` is called once and everything goes on without.
    """

    origin: str
    connect: Callable[[], Repository]
    warn: Callable[[str], object]
    keys: Keys = Keys()
    publishes: bool = True
    reachable: bool = field(default=True, init=False)

    def find(self, keys: Iterable[str]) -> dict[str, Layer]:
        """The layers of these keys that are there, all asked for at once; an entry that is not as it should be is not there.

        Raises:
            UsageError: the trusted key cannot be read.
        """
        keys = tuple(keys)
        if not keys or not self.reachable:
            return {}
        trusted, found, wrong = self._trusted(), {}, {}
        try:
            for key, answer in _at_once(partial(_ask, self.connect(), trusted), keys):
                try:
                    if layer := answer.result():
                        found[key] = layer
                except NetworkError:
                    raise
                except ShipwheelError as error:
                    wrong[key] = _plain(error)
        except NetworkError as error:
            self.reachable = False
            self.warn(f"the layer index is not used: {error}")
        for key, sentence in list(wrong.items())[:1]:
            more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
            self.warn(f"entry {self.origin}:{key}{more} of the layer index is not used: {sentence}")
        return found

    def publish(self, layers: Mapping[str, Layer]) -> dict[str, Layer]:
        """Give the index these layers, by their keys; those that it took, with the index among their origins.

        Where entries must be signed and we have not the key to do it, none is sent: nobody would believe it.

        Raises:
            UsageError: a key cannot be read.
        """
        unsigned = self.keys.trusted and not self.keys.signing
        if not layers or unsigned or not (self.publishes and self.reachable):
            return {}
        if self._is_strange(signing := self._signing()):
            return {}
        taken = {}
        try:
            for key, done in _at_once(partial(_send, self.connect(), signing, layers), layers):
                done.result()
                blob = layers[key].blob
                taken[key] = replace(layers[key], blob=replace(blob, origins=(self.origin, *blob.origins)))
        except ShipwheelError as error:  # whatever it is: who needs the layer itself will say so
            self.publishes = False
            self.warn(f"layers are not published to the layer index: {error}")
        return taken

    def _trusted(self) -> PublicKey | None:
        if not self.keys.trusted:
            return None
        from shipwheel.signing import load_public_key

        return load_public_key(self.keys.trusted)

    def _signing(self) -> PrivateKey | None:
        if not self.keys.signing:
            return None
        from shipwheel.signing import load_private_key

        return load_private_key(self.keys.signing, self.keys.password)

    def _is_strange(self, signing: PrivateKey | None) -> bool:
        """Whether nobody who checks would take what this key signs; an image may well be signed with another one."""
        trusted = self._trusted()
        if trusted is None or signing is None or signing.public_key() == trusted:
            return False
        self.publishes = False
        self.warn(f"layers are not published: '{self.keys.signing}' does not belong to '{self.keys.trusted}'")
        return True


def _ask(repository: Repository, trusted: PublicKey | None, key: str) -> Layer | None:
    """The layer of one key.

    Raises:
        NetworkError: the registry does not answer, or not to us.
        IntegrityError: the entry is not what it should be.
    """
    manifest = repository.manifest(key)
    if manifest is None:
        return None
    facts = read_entry(key, manifest)
    if trusted and not facts.is_signed(trusted):
        raise IntegrityError("it is not signed with the key that layer-index-key names")
    if not repository.offers(facts.descriptor):
        raise IntegrityError(f"the registry lacks its blob {facts.digest}, or has it in another size")
    return Layer(blob=repository.blob(facts.descriptor), diff_id=facts.diff_id, created_by=facts.holds, unpacked=facts.unpacked)


def _send(repository: Repository, signing: PrivateKey | None, layers: Mapping[str, Layer], key: str) -> None:
    layer = layers[key]
    notes = Facts.of(key, layer).notes(signing)
    copy(compose([layer], RuntimeConfig(), _ANYWHERE, notes), repository, key)


def _plain(error: ShipwheelError) -> str:
    """Its sentence without what an entry's author may have put in: no commands to terminals, no novels."""
    return "".join(char if char.isprintable() else "?" for char in error.message)[:MAX_SENTENCE]


def _at_once(action: Callable[[str], T], keys: Iterable[str]) -> Iterator[tuple[str, Future[T]]]:
    """Each key with its answer, in order; leaving early stops what has not begun."""
    with ThreadPoolExecutor(AT_ONCE, "layer-index") as pool:
        futures = {key: pool.submit(action, key) for key in keys}
        try:
            yield from futures.items()
        finally:
            for future in futures.values():
                future.cancel()
