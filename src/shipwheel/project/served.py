"""`Served`: the model that the runtime serves: a bundle, a model file, or a class of the project.

A bundle is a folder with a bundle.json, which says what the model is, where it was trained, and the hash of every file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from posixpath import basename, dirname, normpath
from urllib.parse import unquote, urlsplit

from shipwheel.errors import ConfigError, Problem, ProjectError
from shipwheel.project.folder import Folder, normalise
from shipwheel.project.ignore import DockerRules, GitRules
from shipwheel.project.locate import table_at
from shipwheel.project.requirements import Requirements
from shipwheel.project.settings import ServeSettings, Settings, section_path

BUNDLE_FILE = "bundle.json"
BUNDLE_FORMAT = 1
ARGV = ("python", "-m", "shipwheel_serve")
PORT = 8080
"""Where the runtime listens by default, as KServe's and Vertex AI's containers do."""

OWN_FILE = "shipwheel.json"
"""What the build writes for the runtime, at the top of the project's files."""

FORMATS = {
    **{".skops": "skops", ".pkl": "pickle", ".pickle": "pickle", ".joblib": "pickle", ".ubj": "xgboost", ".cbm": "catboost"},
    **{".onnx": "onnx", ".pt": "torch", ".pt2": "torch", ".pth": "torch", ".json": "xgboost", ".txt": "lightgbm"},
}
"""What the runtime loads without a bundle, by the file's suffix."""

_SIGNS = {".json": re.compile(rb'\s*\{\s*"(?:learner|version|Config)"'), ".txt": re.compile(rb"tree\r?\n")}
"""How a model begins where its suffix says little."""

_BUNDLES = ("model/bundle.json", "models/bundle.json", "models/*/bundle.json")
_PLACES = ("*", "model/*", "models/*", "models/*/*", "artifacts/*")
_CLASS = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_HINT = 'name it under [tool.shipwheel], for example model = "{}"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """Where a model was trained, as far as it says: Python (3.11.7), and packages with their versions."""

    python: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What is served.

    `kind` is bundle, file or class. `model` is its path relative to the project (`.` is the project itself), or
    MODULE:CLASS. `format` is the bundle's, or that of `FORMATS`. `files` are the names of what it consists of, within the
    bundle, bundle.json first; none where the model is not on this machine. `listed` is what a bundle says of its files:
    sha256 (hex) and size.
    """

    kind: str
    model: str
    format: str = ""
    library: str = ""
    files: tuple[str, ...] = ()
    listed: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    trained: Trained = Trained()

    @property
    def folder(self) -> str:
        """The folder of a bundle, relative to the project; empty for the project itself, and where it is no bundle."""
        return self.model if self.kind == "bundle" and self.model != "." else ""

    def path(self, name: str) -> str:
        """One of its files, relative to the project."""
        return self.model if self.kind == "file" else f"{self.folder}/{name}" if self.folder else name

    @property
    def paths(self) -> frozenset[str]:
        """All of them."""
        return frozenset(map(self.path, self.files))

    def holds(self, path: str) -> bool:
        """Whether a file of the project belongs to the model: what its folder holds, unless that is the project itself."""
        return path in self.paths or (bool(self.folder) and path.startswith(f"{self.folder}/"))

    def __str__(self) -> str:
        what = ", ".join(text for text in (self.format, _version(self.library, self.trained)) if text)
        return f"{self.kind} ({what})" if what else self.kind


def _version(library: str, trained: Trained) -> str:
    return f"{library} {trained.packages.get(library, '')}".strip()


def wants_runtime(folder: Folder) -> bool:
    """Whether the settings say that the runtime serves, whatever else there is: a table of its own, or a class for it."""
    return folder.settings.serve is not None or is_class(folder.settings.model)


def delivery_of(settings: Settings) -> str:
    """bake, download or mount."""
    return settings.serve.delivery if settings.serve else "bake"


def check_delivery(folder: Folder, served: Served) -> None:
    """That the settings of delivery go together.

    Raises:
        ConfigError: they do not.
    """
    serve, problem = folder.settings.serve or ServeSettings(), ""
    if serve.delivery == "download" and not serve.source:
        problem = "'download' needs a source"
    elif serve.source and serve.delivery != "download":
        problem = f"'{serve.delivery}' never asks the source; set delivery = \"download\", or leave the source out"
    elif serve.delivery != "bake" and served.kind == "class":
        problem = f"a class is part of the image; '{serve.delivery}' is for bundles and model files"
    if problem:
        where = (*section_path(folder.settings_file), "serve", "delivery")
        raise ConfigError(
            f"mistakes in the settings of {folder.settings_file}",
            [Problem(file=folder.settings_file, path=".".join(where), message=problem)],
            hint="correct these lines",
        )


def is_class(model: str | None) -> bool:
    """Whether this names a class, MODULE:CLASS, and no path."""
    return bool(model and _CLASS.fullmatch(model))


def wanted_model(folder: Folder) -> Served:
    """What the settings want served, or what there is, be it a bundle or a file.

    Raises:
        ProjectError: nothing, or several.
    """
    if is_class(folder.settings.model):
        return Served(kind="class", model=str(folder.settings.model), library="python")
    found = find_bundle(folder) or find_model_file(folder) or _elsewhere(folder)
    if found is None:
        raise ProjectError(
            "there is no model to serve: no bundle.json, no model file",
            hint=f"save one, or {_HINT.format('artifacts/churn.skops')}",
        )
    return found


def _elsewhere(folder: Folder) -> Served | None:
    """A model that is not on this machine, and that its source, or a mount, brings."""
    serve = folder.settings.serve or ServeSettings()
    if serve.delivery == "bake":
        return None
    there = basename(unquote(urlsplit(serve.source or "").path).rstrip("/"))
    model = folder.settings.model or (there if Path(there).suffix in FORMATS else "model")
    suffix = Path(model).suffix
    return Served(kind="file" if suffix in FORMATS else "bundle", model=normpath(model), format=FORMATS.get(suffix, ""))


def find_bundle(folder: Folder) -> Served | None:
    """The bundle that the settings name; else the one in model/, models/*, or the project itself.

    Raises:
        ProjectError: several, or one that cannot be read or is not whole.
    """
    named = folder.settings.model
    if named:
        return None if is_class(named) else read_bundle(folder, _real(folder, named))
    names = [BUNDLE_FILE, *_found(folder, _BUNDLES)]
    names = list(_wanted(folder, (name for name in names if (folder.root / name).is_file())))
    places = dict.fromkeys(_real(folder, dirname(name) or ".") for name in names)
    found = [bundle for place in places if (bundle := read_bundle(folder, place))]
    if len(found) > 1:
        raise _several("bundles", (bundle.path(BUNDLE_FILE) for bundle in found), found[0].model)
    return found[0] if found else None


def read_bundle(folder: Folder, place: str) -> Served | None:
    """The bundle in this folder of the project; None where there is none.

    Raises:
        ProjectError: it cannot be read, is of a newer format, or lacks files that have to go into the image.
    """
    path = folder.root / place / BUNDLE_FILE
    if not path.is_file():
        return None
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ProjectError(f"{place}/{BUNDLE_FILE} cannot be read: {error.strerror}") from None
    served = parse_bundle(data, place)
    if served and delivery_of(folder.settings) == "bake":
        absent = [name for name in served.files if not (folder.root / place / name).is_file()]
        if absent:
            problems = [Problem(file=served.path(name), message="is missing") for name in absent]
            raise ProjectError(f"the bundle {place} is not whole", problems, hint="save it again")
    return served


def parse_bundle(data: bytes, place: str) -> Served | None:
    """A bundle by the bytes of its bundle.json; None where that is a file of another tool.

    Raises:
        ProjectError: it is of a newer format, or malformed.
    """
    try:
        bundle = json.loads(data)
    except ValueError:
        bundle = None
    if not isinstance(bundle, dict) or "model" not in bundle or "format" not in bundle:
        return None
    name = normpath(f"{place}/{BUNDLE_FILE}")
    if bundle["format"] != BUNDLE_FORMAT:
        raise ProjectError(
            f"{name} has format {bundle['format']}, this shipwheel knows {BUNDLE_FORMAT}", hint="install a newer shipwheel"
        )
    listed = {key: (str(item.get("sha256")), int(item.get("size", -1))) for key, item in table_at(bundle, "files").items()}  # type: ignore[attr-defined]
    wrong = [Problem(file=name, path="files", message=f"'{key}' leads out of it") for key in listed if _escapes(key)]
    if wrong or not listed:
        raise ProjectError(
            f"{name} lists no file" if not wrong else f"{name} is malformed", wrong, hint="save the bundle again"
        )
    trained = table_at(bundle, "environment")
    packages = {normalise(str(key)): str(version) for key, version in table_at(trained, "packages").items()}
    return Served(
        kind="bundle",
        model=normpath(place),
        format=str(table_at(bundle, "model").get("format", "")),
        library=str(bundle.get("library", "")),
        files=(BUNDLE_FILE, *sorted(listed)),
        listed=listed,
        trained=Trained(python=str(trained.get("python", "")), packages=packages),
    )


def _escapes(name: str) -> bool:
    return name.startswith("/") or "\\" in name or ".." in name.split("/") or name in ("", BUNDLE_FILE)


def find_model_file(folder: Folder) -> Served | None:
    """The model file that the settings name, also by its folder; else the one at the top or in a folder for models.

    Raises:
        ProjectError: several.
    """
    named = folder.settings.model
    if named and is_class(named):
        return None
    if named and (folder.root / named).is_file():
        paths = [_real(folder, named)]
    else:
        paths = _found(folder, (f"{normpath(named)}/*",) if named else _PLACES)
        paths = paths if named else list(_wanted(folder, (path for path in paths if Path(path).suffix in FORMATS)))
    models = list(dict.fromkeys(_real(folder, path) for path in paths if _is_model(folder.root / path)))
    if len(models) > 1:
        raise _several("model files", models, models[0])
    if not models:
        return None
    return Served(kind="file", model=models[0], format=FORMATS[Path(models[0]).suffix], files=(basename(models[0]),))


def _real(folder: Folder, path: str) -> str:
    """Where a path leads through links, such as models/current; what leaves the project stays as it is."""
    real, root = (folder.root / path).resolve(), folder.root.resolve()
    return real.relative_to(root).as_posix() if real.is_relative_to(root) else normpath(path)


def _found(folder: Folder, patterns: Iterable[str]) -> list[str]:
    """Paths below the project that match, sorted."""
    return sorted({path.relative_to(folder.root).as_posix() for each in patterns for path in folder.root.glob(each)})


def _is_model(path: Path) -> bool:
    sign = _SIGNS.get(path.suffix)
    if path.suffix not in FORMATS or path.name.startswith(".") or not path.is_file():
        return False
    if sign is None:
        return True
    with path.open("rb") as stream:
        return bool(sign.match(stream.read(200)))


def _wanted(folder: Folder, paths: Iterable[str]) -> Iterator[str]:
    """Without what the user excludes; git's ignoring counts for nothing, as that is usual for models."""
    exclude = GitRules.parse(folder.settings.exclude) if folder.settings.exclude else None
    ignored = folder.root / ".dockerignore"
    docker = DockerRules.parse(ignored.read_text("utf-8", "replace").splitlines()) if ignored.is_file() else None
    for path in paths:
        if not ((exclude and exclude.covers(path, folder=False)) or (docker and docker.leaves_out(path))):
            yield path


def _several(what: str, paths: Iterable[str], first: str) -> ProjectError:
    problems = [Problem(file=path, message="may be it") for path in paths]
    return ProjectError(f"several {what}, and nothing says which is to be served", problems, hint=_HINT.format(first))


def requirements_of(served: Served, requirements: Requirements, folder: Folder) -> Requirements:
    """The project's requirements; where it has none, the packages that a baked bundle was trained with.

    Raises:
        ProjectError: nothing says which packages the model needs.
    """
    if requirements.kind != "none" or folder.is_package or served.kind == "class" or served.format == "onnx":
        return requirements
    packages = {name: version for name, version in served.trained.packages.items() if name != "shipwheel-serve"}
    if not packages or delivery_of(folder.settings) != "bake":  # a model that comes later may not be here at the next build
        raise ProjectError(
            f"nothing says which packages the model {served.model} needs",
            hint="name them in requirements.txt, for example scikit-learn==1.7.2",
        )
    return replace(
        requirements,
        kind="bundle",
        pinned=tuple(f"{name}=={version.partition('+')[0]}" for name, version in sorted(packages.items())),
        names=frozenset(packages),
        why=f"no file names any package: those of training, as {served.path(BUNDLE_FILE)} says",
    )
