"""Files with secrets in them that a COPY takes into the image."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase

from shipwheel.lint.context.folder import BuildContext
from shipwheel.lint.dockerfile.stages import Dockerfile, Step
from shipwheel.lint.finding import Hit
from shipwheel.lint.rule import Rule
from shipwheel.lint.rules.secret_commands import login_of, setting_of
from shipwheel.lint.secrets import judged, leaks, secret_name
from shipwheel.lint.word import Word
from shipwheel.lint.wording import listed

ENV_FILE_COPIED = Rule(
    key="env-file-copied",
    severity="error",
    title="A .env file is copied into the image",
    why="Its keys and passwords are in the image then, for everyone who pulls it.",
    remedy="Put `.env` and `.env.*` into .dockerignore, and give it at start: `docker run --env-file .env`",
    source="https://docs.docker.com/build/concepts/context/#dockerignore-files",
)

KEY_FILE_COPIED = Rule(
    key="key-file-copied",
    severity="error",
    title="A file with a key or a login is copied into the image",
    why="Everyone who has the image can take the key out of it, even if a later step removes the file.",
    remedy="Mount it for the command that needs it: `RUN --mount=type=secret,id=key,target=PATH`, or `--mount=type=ssh`",
    source="https://docs.docker.com/build/building/secrets/",
)

SECRET_DELETED_LATE = Rule(
    key="secret-deleted-late",
    severity="error",
    title="A secret is removed in a later step than the one that brought it",
    why="A layer is never changed by a later one: the file is still in the image, and anyone can take it out.",
    remedy="Mount it instead of copying it: `RUN --mount=type=secret,id=key,target=PATH ...`; nothing is left to remove",
    source="https://docs.docker.com/build/building/secrets/",
)

_ENV = re.compile(r"\.env(?:\.[\w.-]+)?|[\w-]+\.env|\.env\*|\.env\.\*|\.envrc")
_ENV_SAMPLE = re.compile(r"sample|example|template|dist|tmpl|tpl|default|schema|ci$|test", re.IGNORECASE)
_KEY = re.compile(
    r"id_(?:rsa|dsa|ecdsa|ed25519)(?:_\w+)?|[\w.-]*(?:private|priv)[\w.-]*\.(?:pem|key)|[\w.-]+\.(?:p12|pfx|jks|keystore|ppk)|\.netrc|_netrc"
    r"|\.pypirc|\.git-credentials|kaggle\.json|(?:gcp|gcloud|google|firebase|aws)?[-_.]?credentials?(?:\.json|\.ya?ml|\.csv|\.ini)?"
    r"|(?:[\w-]+[-_])?service[-_]?(?:account(?:[-_]?key)?[\w-]*|key)\.json|[\w-]*client[-_]secret[\w.-]*\.json"
    r"|(?:gcp|gcs|google|sa|gcloud)[-_](?:key|sa|creds)[\w-]*\.json|(?:hf|huggingface|wandb|api|access)?[-_.]?(?:token|api_?keys?|secrets?)\.(?:txt|json|ya?ml|toml)"
    r"|[a-z][a-z0-9-]{4,29}-[0-9a-f]{12}\.json|\.boto|\.dockercfg|\.s3cfg|\.vault-token|\.?htpasswd",
    re.IGNORECASE,
)
"""Also the name that Google Cloud gives to the key of a service account: PROJECT-12 hexadecimal digits.json."""
_PERHAPS_KEY = re.compile(r"[\w.-]+\.(?:pem|key)|\.npmrc|pip\.conf|\.yarnrc(?:\.yml)?|\.condarc|rclone\.conf", re.IGNORECASE)
"""Files that hold a secret only now and then: to be looked into."""
_OF_CERTIFICATE = re.compile(
    r"[\w.-]*(?:cert|server|client|tls|ssl|https|localhost|nginx|domain)[\w.-]*\.key|(?!.*pub)(?:[\w.-]+[-_.])?key\.pem",
    re.IGNORECASE,
)
"""Of those, what holds one in nearly every project."""
_KEY_FOLDERS = frozenset((".ssh", ".aws", ".gnupg", ".kaggle", ".azure", ".gcloud", "gcloud", ".docker"))
_CODE = re.compile(r"\.(?:pub|crt|cer|example|sample|template|dist|tmpl|enc|gpg|age|sops)$", re.IGNORECASE)
_OF_EXAMPLES = re.compile(r"(?:^|/)(?:tests?|fixtures?|examples?|samples?|docs?|charts?|k8s|kubernetes|manifests|templates)/")
"""Folders whose keys are made up, or only named."""
_PRIVATE = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_ASSIGNMENT = re.compile(r"^\s*(?:export\s+)?([A-Za-z_]\w*)\s*[=:]\s*(.*?)\s*$", re.MULTILINE)


@ENV_FILE_COPIED.check(Dockerfile)
def env_file_copied(dockerfile: Dockerfile) -> Iterator[Hit]:
    """.env by its name, or with the whole folder where it is there and not ignored."""
    yield from _copied(dockerfile, _is_env, "")


@KEY_FILE_COPIED.check(Dockerfile)
def key_file_copied(dockerfile: Dockerfile) -> Iterator[Hit]:
    """Keys and logins, likewise; also the file that a variable names from which Google's libraries read theirs."""
    places = (stage.env.get("GOOGLE_APPLICATION_CREDENTIALS", "") for stage in dockerfile.stages)
    named = {posixpath.basename(place) for place in places} - {""}

    def holds(context: BuildContext, path: str) -> bool:
        return posixpath.basename(path) in named or _is_key(context, path)

    yield from _copied(dockerfile, holds, ", a key or a login,")


def _copied(dockerfile: Dockerfile, holds: Callable[[BuildContext, str], bool], what: str) -> Iterator[Hit]:
    for step in dockerfile.steps("COPY", "ADD"):
        if step.copies_from:
            continue
        for source in step.sources:
            if found := _secrets_in(dockerfile.context, source, holds):
                by = "" if found == [posixpath.normpath(source.text.lstrip("/"))] else f" with {source.text}"
                yield Hit(span=source.span, message=f"{step.keyword} takes {listed(found)}{what} into the image{by}")
                break


def _secrets_in(context: BuildContext, source: Word, holds: Callable[[BuildContext, str], bool]) -> list[str]:
    """The files with secrets that a source of COPY takes, by its own name or by what lies below it."""
    if not source.known or "://" in source.text:
        return []
    path = posixpath.normpath(source.text.lstrip("/") or ".")
    if context.is_folder(path):
        below = [name for name in context.files(path) if not _OF_EXAMPLES.search(name) and holds(context, name)]
        return below or ([path] if posixpath.basename(path) in _KEY_FOLDERS else [])
    if not context.left_out(path) and holds(context, path):
        return [path]
    if "*" in path:
        return [
            name for name in context.files(posixpath.dirname(path) or ".") if fnmatchcase(name, path) and holds(context, name)
        ]
    return []


def _is_env(context: BuildContext, path: str) -> bool:
    name = posixpath.basename(path)
    if not _ENV.fullmatch(name) or _ENV_SAMPLE.search(name):
        return False
    text = _text(context, path)
    return text is None or _has_secrets(text)


def _is_key(context: BuildContext, path: str) -> bool:
    name = posixpath.basename(path)
    if _CODE.search(name):
        return False
    if _KEY.fullmatch(name) or (
        posixpath.basename(posixpath.dirname(path)) in _KEY_FOLDERS and name in ("config.json", "credentials")
    ):
        return name != "config.json" or "auth" in (_text(context, path) or "")
    if name in _KEY_FOLDERS and not context.exists(path):
        return True
    if not _PERHAPS_KEY.fullmatch(name):
        return False
    text = _text(context, path)
    if text is None:
        return not context.exists(path) and _OF_CERTIFICATE.fullmatch(name) is not None
    return _PRIVATE.search(text) is not None or bool(leaks(text)) or _has_secrets(text)


def _text(context: BuildContext, path: str) -> str | None:
    source = context.read(path)
    return source.text if source else None


def _has_secrets(text: str) -> bool:
    """Whether a file of NAME=value lines holds a secret."""
    return any(
        (secret_name(name.lstrip("_")) and judged(value) in ("secret", "weak")) or leaks(value)
        for name, value in _ASSIGNMENT.findall(text)
    )


@SECRET_DELETED_LATE.check(Dockerfile)
def secret_deleted_late(dockerfile: Dockerfile) -> Iterator[Hit]:
    """RUN that removes what an earlier COPY, or a login in an earlier RUN, brought."""
    for stage in dockerfile.stages:
        brought: list[str] = []
        for step in stage.steps:
            if step.keyword == "RUN":
                for command in step.commands:
                    if command.program in ("rm", "shred") and (name := _removed([w.text for w in command.arguments], brought)):
                        yield Hit(span=command.span, message=f"{name} is removed, but stays in the layer of an earlier step")
                        break
            brought += _brought(dockerfile.context, step)


def _removed(words: list[str], brought: list[str]) -> str:
    for word in words:
        name = posixpath.basename(word.rstrip("/*"))
        if name in brought:
            return name
    return ""


def _brought(context: BuildContext, step: Step) -> list[str]:
    """Names under which a step leaves secrets."""
    if step.keyword in ("COPY", "ADD") and not step.copies_from:
        own = [word.text for word in step.sources if word.known]
        names = [
            path for path in own if _is_env(context, path) or _is_key(context, path) or path.rstrip("/").endswith("id_rsa.pub")
        ]
        renamed = [step.destination] if names and len(own) == 1 else []
        return [posixpath.basename(path.rstrip("/")) for path in (*names, *renamed)]
    if step.keyword == "RUN":
        found = [login_of(command) or setting_of(command) for command in step.commands]
        return [posixpath.basename(file) for file, _ in filter(None, found)]
    return []
