"""What stays out of an image unless `include` says otherwise: one table, with a reason for each line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import translate

DATA_FILE_BYTES = 1 << 20
"""From this size on a table is a data set; a smaller one is likely a list of labels that the service reads."""

DATA_SUFFIXES = frozenset(
    (
        *(".csv", ".tsv", ".parquet", ".feather", ".arrow", ".orc", ".avro", ".jsonl", ".ndjson"),
        *(".tfrecord", ".tfrecords", ".recordio", ".lmdb", ".mdb", ".mat", ".sas7bdat"),
    )
)
MODEL_SUFFIXES = frozenset(
    (
        *(".joblib", ".pkl", ".pickle", ".onnx", ".safetensors", ".pt", ".pth", ".pte", ".bin"),
        *(".gguf", ".ggml", ".h5", ".keras", ".tflite", ".pb", ".cbm", ".ubj", ".bst"),
        *(".model", ".skops", ".pmml", ".mlmodel", ".engine", ".plan", ".torchscript", ".npz"),
    )
)
"""File formats of models."""

MODEL_FOLDERS = ("model", "models")
"""Folders at the top that hold models, which git is often told to ignore and the image needs."""

KEPT = frozenset((".env.example", ".env.sample", ".env.template", ".env.dist", ".env.defaults"))
"""Names that look like secrets and are there to be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """Names that stay out, and why.

    A name is an exact one or a glob; `/` at its end means folders only, `/` at its start the top of the project only.
    `guarded`: a pattern of `include` must name the thing itself; the name of a folder around it does not bring it back.
    `unless_package`: a folder with an `__init__.py` is code, whatever its name.
    """

    reason: str
    names: tuple[str, ...]
    guarded: bool = False
    unless_package: bool = False


SECRETS = "may hold secrets"
VENV = Exclusion(reason="virtual environment", names=(), guarded=True)
CACHE = Exclusion(reason="cache", names=(), guarded=True)
LAYOUT = Exclusion(reason="image layout", names=(), guarded=True)

MARKS = {"pyvenv.cfg": VENV, "conda-meta": VENV, "CACHEDIR.TAG": CACHE, "oci-layout": LAYOUT}
"""Folders are told by what lies in them, too: caches by the tag of bford.info/cachedir, images by OCI's own file."""

DATA = Exclusion(reason="data", names=("/data/", "/datasets/", "/dataset/"), unless_package=True)

EXCLUSIONS = (
    Exclusion(
        reason=SECRETS,
        guarded=True,
        names=(
            *(".env", ".env.*", ".envrc", "*.key", "*.pem", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx"),
            *("id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", ".netrc", "_netrc", ".pypirc", ".npmrc", ".htpasswd"),
            *(".git-credentials", "credentials", "credentials*.json", "client_secret*.json", "service-account*.json"),
            *("service_account*.json", "kaggle.json", "secrets.toml", "secrets.yaml", "secrets.yml", "secrets.json"),
            *(".aws/", ".ssh/", ".gnupg/", ".kube/", ".docker/", ".azure/", ".gcloud/"),
        ),
    ),
    Exclusion(reason="version control", guarded=True, names=(".git", ".hg", ".svn", ".bzr", ".jj", "_darcs")),
    Exclusion(reason="virtual environment", guarded=True, names=(".venv/", ".direnv/", ".pixi/", "node_modules/")),
    Exclusion(
        reason="cache",
        guarded=True,
        names=(
            *("__pycache__/", "*.pyc", "*.pyo", ".pytest_cache/", ".mypy_cache/", ".ruff_cache/", ".ipynb_checkpoints/"),
            *(".cache/", ".tox/", ".nox/", ".hypothesis/", ".coverage", ".coverage.*", "htmlcov/", ".eggs/", ".dvc/"),
            *(".DS_Store", "Thumbs.db", "*.swp", "*~", ".pyre/", ".pytype/", ".uv-cache/"),
        ),
    ),
    Exclusion(reason="made by a build", names=("*.egg-info/", "/build/", "/dist/"), unless_package=True),
    Exclusion(
        reason="editor and CI files", names=(".idea/", ".vscode/", ".github/", ".gitlab/", ".circleci/", ".devcontainer/")
    ),
    DATA,
    Exclusion(
        reason="training output",
        unless_package=True,
        names=(
            *("checkpoints/", "*.ckpt", "lightning_logs/", "wandb/", "mlruns/", "mlartifacts/", "mlflow.db"),
            *("/runs/", "/outputs/", "/logs/", "*.log", "events.out.tfevents.*", ".neptune/", ".aim/", "catboost_info/"),
        ),
    ),
    Exclusion(reason="notebook", names=("*.ipynb",)),
    Exclusion(
        reason="container files",
        names=(
            *("Dockerfile", "Dockerfile.*", "*.Dockerfile", "*.dockerfile", "Containerfile", ".dockerignore", "*.dockerignore"),
            *(
                "docker-compose*.yml",
                "docker-compose*.yaml",
                "compose*.yml",
                "compose*.yaml",
                "/shipwheel.toml",
                "/shipwheel.lock",
            ),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class _Named:
    exclusion: Exclusion
    folders_only: bool
    top_only: bool


class ExclusionTable:
    """The table as look-ups, because a scan asks it about every file."""

    __slots__ = ("_exact", "_globs", "_pattern", "_suffixes")

    def __init__(self, exclusions: Iterable[Exclusion] = EXCLUSIONS) -> None:
        self._exact: dict[str, _Named] = {}
        self._suffixes: dict[str, _Named] = {}
        self._globs: list[_Named] = []
        globs = []
        for exclusion in exclusions:
            for text in exclusion.names:
                name = text.strip("/")
                named = _Named(exclusion, folders_only=text.endswith("/"), top_only=text.startswith("/"))
                if not set(name) & set("*?["):
                    self._exact[name] = named
                elif re.fullmatch(r"\*\.[^.*?\[]+", name):
                    self._suffixes[name[1:]] = named
                else:
                    globs.append(f"({translate(name)})")
                    self._globs.append(named)
        self._pattern = re.compile("|".join(globs))

    def find(self, name: str, *, folder: bool, top: bool) -> Exclusion | None:
        """The line of the table that leaves this name out."""
        if name in KEPT:
            return None
        named = self._exact.get(name) or self._suffixes.get(name[name.rfind(".") :] if "." in name else "")
        if named is None and (match := self._pattern.match(name)):
            named = self._globs[(match.lastindex or 1) - 1]
        if named is None or (named.folders_only and not folder) or (named.top_only and not top):
            return None
        return named.exclusion
