"""What the in-process registry has, how it behaves, what goes wrong there, and what it saw."""

from __future__ import annotations

import json
import re
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256


@dataclass(frozen=True)
class Exchange:
    """One request as the server saw it, the bytes of its body that arrived, and the status of the answer (0: none)."""

    method: str
    path: str
    headers: dict[str, str]
    received: int
    status: int
    client: object = None
    """Its address: the same for what came over one connection."""

    def __str__(self) -> str:
        """`PUT /v2/app/manifests/1.0 201`, digests and upload names shortened."""
        path = re.sub(r"sha256(:|%3A|-)([0-9a-f]{6})[0-9a-f]+", r"sha256\1\2", self.path)
        return f"{self.method} {re.sub(r'uploads/[0-9a-f]+', 'uploads/ID', path)} {self.status}"


@dataclass
class Fault:
    """What goes wrong with requests whose method and path (with query) match these expressions, `times` times.

    `status` answers so, with `headers` and `body`, and does nothing else; `body` alone replaces the right body. `cut` sends
    so many bytes of the answer's body and closes; `cut_upload` takes so many bytes of the request's body and closes;
    `drop` does what was asked and closes without an answer; `stall` waits so many seconds in the middle of the body;
    `drip` waits so many seconds before each 4 KiB of it; `action` runs first.
    """

    method: str = ".*"
    path: str = ".*"
    times: int = 1
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    cut: int = -1
    cut_upload: int = -1
    drop: bool = False
    stall: float = 0.0
    drip: float = 0.0
    action: Callable[[], None] = lambda: None


@dataclass
class Answer:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def refuse(status: int, code: str, message: str = "") -> Answer:
    """As registries word it."""
    body = json.dumps({"errors": [{"code": code, "message": message or code.lower().replace("_", " ")}]}).encode()
    return Answer(status, body, {"Content-Type": "application/json"})


@dataclass
class Served:
    """The registry: what it has, how it behaves, and what it saw.

    `auth`: USER:PASSWORD that it wants; `scheme` Bearer or Basic; `identity` a refresh token that does as well; `anonymous`
    gives tokens for reading to anyone. `token_life` in seconds. `referrers`, `pieces`, `mounts`: whether it can do that.
    `keeps_broken`: whether an upload that broke within a piece can be gone on with, which docker-registry 2.8 cannot.
    `lags`: pieces are answered with 201 and never with a range over so many bytes, as Amazon's does.
    `redirects`: blobs are read from `elsewhere`; `uploads_elsewhere`: they are sent there.
    """

    host: str = ""
    elsewhere: str = ""
    auth: str = ""
    scheme: str = "Bearer"
    identity: str = ""
    anonymous: bool = False
    token_life: float = 300.0
    referrers: bool = True
    pieces: bool = True
    mounts: bool = True
    keeps_broken: bool = True
    lags: int = 0
    redirects: bool = False
    uploads_elsewhere: bool = False
    absolute: bool = False
    piece_least: int = 0
    manifest_limit: int = 4 << 20
    tls: ssl.SSLContext | None = None
    faults: list[Fault] = field(default_factory=list)
    log: list[Exchange] = field(default_factory=list)
    elsewhere_log: list[Exchange] = field(default_factory=list)
    blobs: dict[str, dict[str, bytes]] = field(default_factory=dict)
    manifests: dict[str, dict[str, tuple[str, bytes]]] = field(default_factory=dict)
    uploads: dict[str, bytearray] = field(default_factory=dict)
    tokens: dict[str, tuple[set[str], float]] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def said(self, *methods: str) -> list[str]:
        """The exchanges, in order, as text; of these methods only, where given."""
        return [str(each) for each in self.log if not methods or each.method in methods]

    def received(self) -> int:
        """Bytes of all bodies that were sent to it."""
        return sum(each.received for each in (*self.log, *self.elsewhere_log))

    def forget_log(self) -> None:
        self.log.clear()
        self.elsewhere_log.clear()

    def revoke(self) -> None:
        """No token is good any more."""
        self.tokens.clear()

    def put_blob(self, repository: str, data: bytes) -> str:
        digest = f"sha256:{sha256(data).hexdigest()}"
        self.blobs.setdefault(repository, {})[digest] = data
        return digest

    def put_manifest(self, repository: str, tag: str, media_type: str, data: bytes) -> str:
        digest = f"sha256:{sha256(data).hexdigest()}"
        for name in {tag, digest} - {""}:
            self.manifests.setdefault(repository, {})[name] = (media_type, data)
        return digest

    def state(self) -> tuple[object, ...]:
        """What it has, to compare."""
        return {name: set(blobs) for name, blobs in self.blobs.items()}, {
            name: {key: data for key, (_, data) in each.items()} for name, each in self.manifests.items()
        }

    def take_fault(self, method: str, path: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.times > 0 and re.fullmatch(fault.method, method) and re.search(fault.path, path):
                    fault.times -= 1
                    return fault
        return None
