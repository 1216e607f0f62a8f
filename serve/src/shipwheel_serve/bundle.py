"""Bundles: a folder with a model, its schema, golden answers and the environment of training, described by bundle.json.

from shipwheel_serve import bundle
bundle.save("model/", model, inputs=X_sample)
"""

from __future__ import annotations

import importlib
import json
import os
import pickle
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from shipwheel_serve import codec, environment, formats, golden, pickles
from shipwheel_serve.errors import ModelError, ServeError
from shipwheel_serve.model import Environment, Golden, Model
from shipwheel_serve.schema import Arrays, Schema, assemble, describe, rows, to_arrays
from shipwheel_serve.settings import Settings

FILE = "bundle.json"
FORMAT = 1
GOLDEN = {name: f"golden/{name}.json" for name in ("request", "response", "features")}


def save(  # noqa: PLR0913 - what a user may say about a model, all of it by name
    folder: str | os.PathLike[str],
    model: Any,
    *,
    inputs: Any,
    method: str | Mapping[str, str] = "predict",
    rows: int = 32,
    golden: bool = True,
    tolerance: Mapping[str, tuple[float, float]] | None = None,
    features: Callable[[Any], Any] | bool | None = None,
    name: str = "",
    version: str = "",
    packages: Iterable[str] = (),
) -> Path:
    """Write `model` as a bundle into `folder`, in its library's safest format, and read it again to see that it answers alike.

    `inputs` are rows as the model gets them (DataFrame, ndarray, tensor, dict of arrays): they give the schema, and at
    most `rows` of them, evenly spread, become golden; golden=False keeps them out of the bundle. `method` is what is
    called, or several by the names of their answers: {"label": "predict", "probability": "predict_proba"}. `tolerance`
    is (relative, absolute) by output or feature. `features` is a function of a module that makes the intermediate
    features, which are golden too; default: what all steps of a pipeline but the last give, or the model's own
    `features`; False: none. `packages` are more distributions that the model needs.

    Raises:
        ModelError: the model cannot be written, or answers otherwise once it is read again; `folder` is as it was before.
    """
    target = Path(folder)
    _replaceable(target)
    methods = {"output": method} if isinstance(method, str) else dict(method)
    live = formats.live(model)
    asked = _ask(live, inputs, methods, rows, features)
    draft = _Draft(
        asked=asked,
        name=name or target.resolve().name,
        version=version or "1",
        methods=methods,
        golden=golden,
        tolerance=tolerance or {},
        names=_globals(model),
        needed=tuple(packages),
        inputs=inputs,
        feature_spec=_spec(features),
    )
    with _beside(target) as made:
        _write(made, live.object, draft)
    return target


def load(folder: Path, settings: Settings) -> Model:
    """The model of a bundle, once every file is what bundle.json says.

    Raises:
        ModelError: a file is not as described, bundle.json not as pinned, or the model cannot be loaded.
    """
    table = _read_table(folder, settings.sha256)
    recorded = table.get("globals")
    trust = formats.Trust(settings=settings, vouched=True, recorded=None if recorded is None else frozenset(recorded))
    return _load(folder, table, trust)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What the model in memory makes of the golden rows."""

    schema: Schema
    request: bytes
    answers: Arrays
    features: Arrays
    row_wise: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """What is to be saved, besides the model itself."""

    asked: _Asked
    name: str
    version: str
    methods: Mapping[str, str]
    golden: bool
    tolerance: Mapping[str, tuple[float, float]]
    names: frozenset[str]
    needed: tuple[str, ...]
    inputs: Any = field(repr=False)
    feature_spec: str


def _ask(live: formats.Loaded, inputs: Any, methods: Mapping[str, str], most: int, features: Any) -> _Asked:
    layout, fields, columns = describe(inputs)
    if layout == "array" and live.described and len(live.described[2]) == (fields[0].shape or (0, 0))[-1]:
        columns = live.described[2]
    schema = Schema(layout=layout, inputs=fields, columns=columns)
    arrays = to_arrays(inputs, fields)
    count = rows(arrays)
    if not count:
        raise ModelError("`inputs` has no rows", hint="give some rows as the model gets them; they are its golden inputs")
    at = np.unique(np.linspace(0, count - 1, min(max(most, 1), count)).astype(int))
    request = codec.columns_request({name: array[at] for name, array in arrays.items()}, schema)
    sample = codec.decode(request, schema)
    predict = formats.answering(live, schema, methods)
    answers = predict(sample)
    for name, array in answers.items():
        if len(array) != len(at):
            raise ModelError(f"'{name}' has {len(array)} rows for {len(at)} rows of input", hint="a model answers every row")
    schema = replace(schema, outputs=describe(answers)[1])
    if layout == "frame":
        reasons = _differences(answers, formats.asking(live, methods)(inputs.iloc[at]), schema)
        if reasons:
            raise ModelError(
                f"the model answers otherwise when its inputs come out of a request: {reasons[0]}",
                hint="use plain column types",
            )
    made = formats.featuring(_features(live, features), schema)
    return _Asked(
        schema=schema,
        request=request,
        answers=answers,
        features=made(sample) if made else {},
        row_wise=_is_row_wise(predict, sample, answers, schema),
    )


def _spec(features: Any) -> str:
    """What bundle.json says about features: MODULE:FUNCTION, none, or nothing."""
    if not callable(features):
        return "none" if features is False else ""
    if features.__module__ == "__main__":
        raise ModelError(f"`features` is {features.__qualname__}, which only this script has", hint="move it to a module")
    return f"{features.__module__}:{features.__qualname__}"


def _features(live: formats.Loaded, given: Any) -> Any:
    if given is False or given == "none":
        return None
    if given and isinstance(given, str):
        module, _, name = given.partition(":")
        return getattr(importlib.import_module(module), name)
    return given if callable(given) else live.features


def _is_row_wise(predict: Callable[[Arrays], Arrays], sample: Arrays, answers: Arrays, schema: Schema) -> bool:
    """Whether each row alone gets the answer that it gets among the others."""
    try:
        alone = [predict({name: array[at : at + 1] for name, array in sample.items()}) for at in range(rows(sample))]
        joined = {name: np.concatenate([each[name] for each in alone]) for name in answers}
    except Exception:  # noqa: BLE001 - a model that takes no single row, or gives other shapes: not by rows
        return False
    return not _differences(answers, joined, schema)


def _differences(wanted: Arrays, got: Arrays, schema: Schema, tolerance: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    nothing = Golden(request=b"", response=b"", tolerance=tolerance or {})
    return golden.compare(nothing, wanted, got, None, schema).reasons


def _globals(model: Any) -> frozenset[str]:
    """What the model is made of, by what its pickle would import; nothing if it cannot be pickled."""
    try:
        names = pickles.scan(pickle.dumps(model, pickle.HIGHEST_PROTOCOL))
    except Exception:  # noqa: BLE001 - whatever cannot be pickled says so in its own way
        made = type(model)
        names = frozenset({f"{made.__module__}.{made.__qualname__}"})
    if mine := sorted(name for name in names if name.startswith("__main__.")):
        raise ModelError(
            f"the model uses {', '.join(mine)}, which only this script has", hint="move it to a module that the service has too"
        )
    return names


def _write(folder: Path, model: Any, draft: _Draft) -> None:
    """The first format that can be written, and answers as the model in memory does once it is read again."""
    problems = list[str]()
    for kind, write in formats.writers(model):
        shutil.rmtree(folder)
        folder.mkdir()
        try:
            with formats.heard():
                table = write(folder, _sample(draft))
            _describe(folder, model, draft, table)
            _prove(folder, draft)
        except Exception as error:  # noqa: BLE001 - the next format may do; all reasons are told if none does
            problems.append(f"{kind}: {error.message if isinstance(error, ServeError) else f'{type(error).__name__}: {error}'}")
            continue
        _say(folder / table["path"], kind, draft, problems)
        return
    raise ModelError(f"the model cannot be saved: {'; '.join(problems)}", hint="nothing was written")


def _say(path: Path, kind: str, draft: _Draft, problems: list[str]) -> None:
    """Pickle is the last resort: say why; and what the settings will have to allow."""
    spec = draft.feature_spec.replace(":", ".")
    names = formats.scikit.names_in(path, kind) | ({spec} - {"", "none"})
    tops = {name.split(".")[0] for name in names}
    refused = pickles.refused(names, own=[top for top in tops if environment.is_own(top)])
    why = f" ({'; '.join(problems)})" if problems else ""
    said = [f"the model is saved as a pickle, which can run code when it is loaded{why}"] if kind == "pickle" else []
    said += [f"the service needs allow_globals = {json.dumps(refused)}"] if refused else []
    if said:
        warnings.warn("; ".join(said), stacklevel=4)


def _sample(draft: _Draft) -> Any:
    return assemble(draft.asked.schema, codec.decode(draft.asked.request, draft.asked.schema))


def _describe(folder: Path, model: Any, draft: _Draft, written: Mapping[str, Any]) -> None:
    """bundle.json and the golden files, around the model's own file."""
    asked = draft.asked
    if draft.golden:
        (folder / "golden").mkdir()
        (folder / GOLDEN["request"]).write_bytes(asked.request)
        (folder / GOLDEN["response"]).write_bytes(codec.encode(asked.answers, asked.schema))
        if asked.features:
            (folder / GOLDEN["features"]).write_bytes(golden.to_json(asked.features))
    about = {each: path for each, path in GOLDEN.items() if (folder / path).is_file()}
    needed = (*draft.needed, *formats.NEEDS.get(written["format"], ()))
    trained = environment.record(model, draft.inputs, needed, draft.names)
    table: dict[str, Any] = {
        "format": FORMAT,
        "name": draft.name,
        "version": draft.version,
        "library": formats.library_of(model),
        "model": {**written, "methods": dict(draft.methods)},
        "schema": asked.schema.to_json(),
        "golden": {**about, "rows": len(next(iter(asked.answers.values()))), "tolerance": dict(draft.tolerance)}
        if about
        else None,
        "environment": asdict(trained),
        "row_wise": asked.row_wise,
    }
    if draft.feature_spec:
        table["model"]["features"] = draft.feature_spec
    if written["format"] == "pickle":
        table["globals"] = sorted(pickles.scan(folder / written["path"]))
    files = sorted(each for each in folder.rglob("*") if each.is_file())
    table["files"] = {
        each.relative_to(folder).as_posix(): {"sha256": formats.sha256(each), "size": each.stat().st_size} for each in files
    }
    (folder / FILE).write_text(json.dumps(table, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _prove(folder: Path, draft: _Draft) -> None:
    """Read the bundle as a service would, and ask it the golden rows.

    Raises:
        ModelError: it answers otherwise.
    """
    everything = tuple(draft.names)  # of an object that is in memory already
    table = _read_table(folder, "")
    specs = [table["model"].get("class", ""), draft.feature_spec]
    also = (*(table.get("globals") or ()), *(each.replace(":", ".") for each in specs))
    trust = formats.Trust(settings=Settings(allow_globals=everything + also, root=Path.cwd()), vouched=True)
    before = list(sys.path)
    try:
        model = _load(folder, table, trust)
    finally:
        sys.path[:] = before  # a service may change it, a training script is somebody's own
    sample = codec.decode(draft.asked.request, model.schema)
    answers = model.predict(sample)
    codec.encode(answers, model.schema)
    reasons = _differences(draft.asked.answers, answers, model.schema, draft.tolerance)
    if draft.asked.row_wise and not reasons:  # a format may have kept the sample's order, or how many rows it has
        for order in (slice(None, None, -1), slice(1)):
            got = model.predict({name: array[order].copy() for name, array in sample.items()})
            wanted = {name: array[order] for name, array in draft.asked.answers.items()}
            reasons += _differences(wanted, got, model.schema, draft.tolerance)
    if model.golden:
        made = model.features(sample) if model.features else None
        reasons += golden.compare(
            model.golden, golden.expected(model.golden, model.schema), answers, made, model.schema
        ).reasons
    if reasons:
        raise ModelError(f"read again, it answers otherwise: {reasons[0]}", hint="the format does not hold all of this model")


def _read_table(folder: Path, pinned: str) -> Mapping[str, Any]:
    """bundle.json, and every file as it says.

    Raises:
        ModelError: it is not as pinned, of another format, or some file differs.
    """
    path = folder / FILE
    if not path.is_file():
        raise ModelError(f"{folder} is no bundle: it has no {FILE}", hint="write one with shipwheel_serve.bundle.save")
    if pinned and (found := formats.sha256(path)) != pinned:
        raise ModelError(f"{FILE} is not the one that is pinned: its sha256 is {found}", hint="write the lock again")
    try:
        table = json.loads(path.read_text("utf-8"))
        if table["format"] != FORMAT:
            raise ModelError(
                f"{FILE} has format {table['format']}, this runtime knows {FORMAT}", hint="use a newer shipwheel-serve"
            )
        wrong = [reason for name, about in table["files"].items() if (reason := _wrong(folder, name, about))]
        used = [table["model"]["path"], *(each for key, each in (table["golden"] or {}).items() if key in GOLDEN)]
        inside = [name for name in used if name not in table["files"]]
        wrong += [f"{each} is not among its files" for each in inside if not _is_covered(folder, each, table["files"])]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path} cannot be read: {error!r}", hint="write the bundle again") from None
    if wrong:
        raise ModelError(f"the bundle is not as it was saved: {'; '.join(wrong)}", hint="copy all of it again")
    return dict(table)


def _wrong(folder: Path, name: str, about: Mapping[str, Any]) -> str:
    pure, path = PurePosixPath(name), folder / name
    if pure.is_absolute() or ".." in pure.parts or "\\" in name or not path.resolve().is_relative_to(folder.resolve()):
        return f"{name} leads out of the bundle"
    if not path.is_file():
        return f"{name} is missing"
    if path.stat().st_size != about["size"]:
        return f"{name} has {path.stat().st_size} bytes instead of {about['size']}"
    return "" if formats.sha256(path) == about["sha256"] else f"{name} has another sha256"


def _is_covered(folder: Path, name: str, files: Mapping[str, Any]) -> bool:
    """A folder of an object: all that lies in it is among the files."""
    if ".." in PurePosixPath(name).parts or PurePosixPath(name).is_absolute() or not (folder / name).is_dir():
        return False
    return all(each.relative_to(folder).as_posix() in files for each in (folder / name).rglob("*") if each.is_file())


def _load(folder: Path, table: Mapping[str, Any], trust: formats.Trust) -> Model:
    about, settings = table["model"], trust.settings
    schema = Schema.from_json(table["schema"])
    formats.python.importable(settings.root)
    with formats.heard() as said:
        loaded = formats.read(about, folder / about["path"], trust)
        if ":" in (spec := about.get("features", "")):
            replace(trust, recorded=None).check([spec.replace(":", ".")], FILE)
        features = _features(loaded, spec)
    model = Model(
        name=settings.name or table["name"],
        version=table["version"],
        library=table["library"],
        format=about["format"],
        schema=schema,
        predict=formats.answering(loaded, schema, about["methods"]),
        features=formats.featuring(features, schema),
        row_wise=table.get("row_wise"),
        golden=_golden(folder, table["golden"]) if table["golden"] else None,
        trained=Environment(**table["environment"]),
    )
    return formats.with_warnings(model, said, settings)


def _golden(folder: Path, about: Mapping[str, Any]) -> Golden:
    return Golden(
        request=(folder / about["request"]).read_bytes(),
        response=(folder / about["response"]).read_bytes(),
        features=golden.from_json((folder / about["features"]).read_bytes()) if "features" in about else {},
        tolerance={name: (float(pair[0]), float(pair[1])) for name, pair in about["tolerance"].items()},
    )


def _replaceable(target: Path) -> None:
    """A folder that is no bundle is never replaced.

    Raises:
        ModelError: it is one, with files.
    """
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise ModelError(f"{target} is no folder", hint="name another folder for the bundle")
    if target.is_dir() and any(target.iterdir()) and not (target / FILE).is_file():
        raise ModelError(f"{target} has files that are no bundle", hint="name an empty or new folder, or an older bundle")


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A new folder beside `target`, which takes its place at the end, and vanishes if that is not reached."""
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.resolve().parent))
    try:
        made = scratch / "new"
        made.mkdir()
        yield made
        _keep_foreign(target, made)
        if target.is_dir():
            target.rename(scratch / "old")
        try:
            made.rename(target)
        except OSError:
            if (scratch / "old").is_dir():
                (scratch / "old").rename(target)
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _keep_foreign(old: Path, new: Path) -> None:
    """Files beside a bundle that it does not know, such as a README, stay."""
    if not (old / FILE).is_file():
        return
    known = {FILE, *json.loads((old / FILE).read_text("utf-8")).get("files", {})}
    for path in old.rglob("*"):
        name = path.relative_to(old)
        if path.is_file() and name.as_posix() not in known and not (new / name).exists():
            (new / name.parent).mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, new / name)
