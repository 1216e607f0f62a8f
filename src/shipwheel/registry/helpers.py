"""`Helper`: one of the programs docker-credential-NAME that keep logins in a keychain or fetch them from a cloud.

The protocol is docker's: the verb is the argument, a server's name or JSON comes on stdin, JSON or a message goes to
stdout (https://github.com/docker/docker-credential-helpers).
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from shipwheel.credentials import redact_text
from shipwheel.errors import ConfigError

SECONDS = 60.0
"""A helper may ask its user to unlock a keychain, or a cloud for a token; not for ever."""

TOKEN_USER = "<token>"
"""The user name that says: the secret is an identity token."""

_NONE = "credentials not found"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LONGEST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Helper:
    """A helper by the name that a login file gives it; `path` is where programs are looked for, `named_in` that file."""

    name: str
    path: str
    named_in: str

    @property
    def program(self) -> str:
        """docker-credential-NAME."""
        return f"docker-credential-{self.name}"

    def get(self, server: str) -> tuple[str, str] | None:
        """User and secret for a server; None where the helper has none."""
        answer = self._ask("get", server)
        if answer is None:
            return None
        content = self._object(answer)
        user, secret = content.get("Username"), content.get("Secret")
        if not isinstance(user, str) or not isinstance(secret, str):
            raise self._failed("get", "gave no Username and Secret")
        return (user, secret) if secret else None

    def store(self, server: str, user: str, secret: str) -> None:
        """Keep user and secret for a server."""
        self._ask("store", json.dumps({"ServerURL": server, "Username": user, "Secret": secret}), secret)

    def erase(self, server: str) -> None:
        """Forget a server; one that it does not know is fine."""
        self._ask("erase", server)

    def list(self) -> Mapping[str, str]:
        """The user of each server that the helper knows."""
        return {str(server): str(user) for server, user in self._object(self._ask("list", "") or "{}").items()}

    def _ask(self, verb: str, text: str, secret: str = "") -> str | None:
        """What the helper answers; None for its word that it has nothing.

        Raises:
            ConfigError: the program is absent, fails, or does not end.
        """
        try:
            done = subprocess.run([self._found(), verb], input=text.encode(), capture_output=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise self._failed(verb, f"did not end within {SECONDS:g} seconds") from None
        except OSError as error:
            raise self._failed(verb, f"cannot be run: {error.strerror}") from None
        answer = done.stdout.decode(errors="replace").strip()
        if done.returncode == 0:
            return answer
        said = answer or done.stderr.decode(errors="replace").strip()
        if _NONE in said.lower():
            return None
        raise self._failed(verb, f"ended with status {done.returncode}{_quoted(said, secret)}")

    def _found(self) -> str:
        program = shutil.which(self.program, path=self.path) if _NAME.fullmatch(self.name) else None
        if program is None:
            raise ConfigError(
                f"{self.program}, which {self.named_in} names for logins, is not there",
                hint="install it, or take its name out of credsStore or credHelpers in that file",
            )
        return program

    def _object(self, answer: str) -> dict[str, object]:
        try:
            content = json.loads(answer)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise self._failed("", "did not answer with a JSON object")
        return content

    def _failed(self, verb: str, why: str) -> ConfigError:
        call = f"{self.program} {verb}".strip()
        return ConfigError(f"{call}, which {self.named_in} names for logins, {why}", hint=f"try it: {self.program} list")


def _quoted(said: str, secret: str) -> str:
    """The first line of a failed helper's message, unless it may hold what is secret."""
    line = redact_text(said.partition("\n")[0])[:_LONGEST]
    return "" if not line or line.startswith(("{", "[")) or (secret and secret in said) else f": {line}"
