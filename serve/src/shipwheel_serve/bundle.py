"""Bundles: a folder with a model, its schema, golden answers and the environment of training, described by bundle.json.

from shipwheel_serve import bundle
bundle.save("model/", model, inputs=X_sample)
"""

from __future__ import annotations

import json
import os
import pickle
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from shipwheel_serve import codec, environment, formats, golden, pickles
from shipwheel_serve.errors import ModelError, ServeError
from shipwheel_serve.formats.classes import importable
from shipwheel_serve.hashing import sha256
from shipwheel_serve.model import Environment, Golden, Model
from shipwheel_serve.schema import Arrays, Schema, assemble, describe, rows, to_arrays
from shipwheel_serve.settings import Settings

FILE = "bundle.json"
FORMAT = 1
WIDEST = 2000
"""Feature columns that are kept at most; more (texts as word counts) would make bundles large."""

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
    features: bool = True,
    name: str = "",
    version: str = "",
    packages: Iterable[str] = (),
) -> Path:
    """Write `model` as a bundle into `folder`, in its library's safest format, and read it again to see that it answers alike.

    `inputs` are rows as the model gets them (DataFrame, ndarray, tensor, dict of arrays): they give the schema, and at
    most `rows` of them, evenly spread, become golden; golden=False keeps them out of the bundle. `method` is what is
    called, or several by the names of their answers: {"label": "predict", "probability": "predict_proba"}. `tolerance`
    is (relative, absolute) by output or feature. `features`: what all steps of a pipeline but the last give, or the
    model's own `features`, is golden too. `packages` are more distributions that the model needs.

    Raises:
        ModelError: the model cannot be written, or answers otherwise once it is read again; `folder` is as it was before.
    """
    target = Path(folder)
    strange = target.is_dir() and any(target.iterdir()) and not _is_bundle(target)
    if strange or target.is_symlink() or target.is_file():
        raise ModelError(f"{target} is there, and is no bundle", hint="name an empty or new folder, or an older bundle")
    draft = _ask(formats.live(model), inputs, {"output": method} if isinstance(method, str) else dict(method), rows)
    about = draft.table | {"name": name or target.resolve().name, "version": version or "1"}
    bodies = {each: body for each, body in draft.bodies.items() if golden and (features or each != "features")}
    if bodies:
        about["golden"] = {each: GOLDEN[each] for each in bodies}
        about["golden"] |= {"rows": len(next(iter(draft.sample.values()))), "tolerance": dict(tolerance or {})}
    draft = replace(draft, table=about, bodies=bodies, tolerance=tolerance or {}, names=_globals(model), needed=tuple(packages))
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.resolve().parent) as scratch:
        _replace(target, _write(Path(scratch), draft))
    return target


def load(folder: Path, settings: Settings) -> Model:
    """The model of a bundle, once every file is what bundle.json says.

    Raises:
        ModelError: a file is not as described, bundle.json not as pinned, or the model cannot be loaded.
    """
    table = _read_table(folder, settings)
    return _load(folder, table, formats.Trust(settings=settings, vouched=True, recorded=table.get("globals")))


def _is_bundle(folder: Path) -> bool:
    return (folder / FILE).is_file()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """A bundle in the making: what bundle.json says before the model is written, the golden files, what it is proved with."""

    model: Any = field(repr=False)
    inputs: Any = field(repr=False)
    table: dict[str, Any]
    bodies: Mapping[str, bytes]
    schema: Schema
    sample: Arrays
    answers: Arrays
    tolerance: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    needed: tuple[str, ...] = ()


def _ask(live: formats.Loaded, inputs: Any, methods: Mapping[str, str], most: int) -> _Draft:
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
    if layout == "frame" and (reasons := _differences(answers, formats.asking(live, methods)(inputs.iloc[at]), schema)):
        hint = "use plain column types"
        raise ModelError(f"the model answers otherwise when its inputs come out of a request: {reasons[0]}", hint=hint)
    bodies = {"request": request, "response": codec.encode(answers, schema)}
    features = formats.featuring(live, schema)
    if features and 0 < len(made := features(sample)) <= WIDEST:
        bodies["features"] = golden.to_json(made)
    table: dict[str, Any] = {
        "format": FORMAT,
        "name": "",
        "version": "",
        "library": formats.library_of(live.object),
        "model": {"methods": methods},
        "schema": schema.to_json(),
        "golden": None,
        "row_wise": _is_row_wise(predict, sample, answers, schema),
    }
    return _Draft(model=live.object, inputs=inputs, table=table, bodies=bodies, schema=schema, sample=sample, answers=answers)


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
    """What the model is made of, by what its pickle would import; its class alone if it cannot be pickled."""
    try:
        names = pickles.scan(pickle.dumps(model, pickle.HIGHEST_PROTOCOL))
    except Exception:  # noqa: BLE001 - whatever cannot be pickled says so in its own way
        names = frozenset({f"{type(model).__module__}.{type(model).__qualname__}"})
    if mine := sorted(name for name in names if name.startswith("__main__.")):
        hint = "move it to a module that the service has too"
        raise ModelError(f"the model uses {', '.join(mine)}, which only this script has", hint=hint)
    return names


def _write(scratch: Path, draft: _Draft) -> Path:
    """The first format that can be written, and answers as the model in memory does once it is read again."""
    problems = list[str]()
    for kind in formats.formats_for(draft.model):
        folder = scratch / kind
        folder.mkdir()
        try:
            _describe(folder, draft, kind)
            _prove(folder, draft)
        except Exception as error:  # noqa: BLE001 - the next format may do; all reasons are told if none does
            problems.append(f"{kind}: {error.message if isinstance(error, ServeError) else f'{type(error).__name__}: {error}'}")
            continue
        _say(folder / formats.FORMATS[kind].file, kind, problems)
        return folder
    raise ModelError(f"the model cannot be saved: {'; '.join(problems)}", hint="nothing was written")


def _say(path: Path, kind: str, problems: list[str]) -> None:
    """Pickle is the last resort: say why; and what the settings will have to allow."""
    names = formats.names_in(path, kind)
    refused = pickles.refused(names, own=filter(environment.is_own, {name.split(".")[0] for name in names}))
    why = f" ({'; '.join(problems)})" if problems else ""
    said = [f"the model is saved as a pickle, which can run code when it is loaded{why}"] if kind == "pickle" else []
    said += [f"the service needs allow_globals = {json.dumps(refused)}"] if refused else []
    if said:
        warnings.warn("; ".join(said), stacklevel=4)


def _describe(folder: Path, draft: _Draft, kind: str) -> None:
    """The model's own file, the golden ones, and bundle.json around them."""
    made, table = formats.FORMATS[kind], dict(draft.table)
    assert made.write
    with formats.heard():
        more = made.write(draft.model, folder / made.file, assemble(draft.schema, draft.sample)) or {}
    table["model"] = {"format": kind, "path": made.file, **more, **table["model"]}
    table["environment"] = asdict(environment.record(draft.model, draft.inputs, (*draft.needed, *made.needs), draft.names))
    if kind == "pickle":
        table["globals"] = sorted(pickles.scan(folder / made.file))
    for name, body in draft.bodies.items():
        (folder / GOLDEN[name]).parent.mkdir(exist_ok=True)
        (folder / GOLDEN[name]).write_bytes(body)
    table["files"] = {
        name: {"sha256": sha256(folder / name), "size": (folder / name).stat().st_size} for name in _names_below(folder)
    }
    (folder / FILE).write_text(json.dumps(table, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _names_below(folder: Path, part: str = "") -> list[str]:
    """Files of a folder, or of a part of it, by their paths in it; a part that is a file is the only one."""
    below = [folder / part, *(folder / part).rglob("*")]
    return sorted(each.relative_to(folder).as_posix() for each in below if each.is_file())


def _prove(folder: Path, draft: _Draft) -> None:
    """Read the bundle as a service would, and ask it the golden rows; also backwards, and one alone.

    Raises:
        ModelError: it answers otherwise.
    """
    table = _read_table(folder, Settings())
    names = (*draft.names, *(table.get("globals") or ()), table["model"].get("class", "").replace(":", "."))
    trust = formats.Trust(settings=Settings(allow_globals=names, root=Path.cwd()), vouched=True)  # it is in memory already
    before = list(sys.path)
    try:
        model = _load(folder, table, trust)
    finally:
        sys.path[:] = before  # a service may change it, a training script is somebody's own
    reasons: tuple[str, ...] = ()
    orders = [slice(None), slice(None, None, -1), slice(1)] if table["row_wise"] else [slice(None)]
    for order in orders:  # a format may have kept the sample's order, or how many rows it has
        answers = model.predict({name: array[order].copy() for name, array in draft.sample.items()})
        codec.encode(answers, model.schema)
        trained = {name: array[order] for name, array in draft.answers.items()}
        reasons += _differences(trained, answers, model.schema, draft.tolerance)
    if model.golden:
        made = model.features(draft.sample) if model.features else None
        wanted = golden.expected(model.golden, model.schema)
        reasons += golden.compare(model.golden, wanted, model.predict(draft.sample), made, model.schema).reasons
    if reasons:
        raise ModelError(f"read again, it answers otherwise: {reasons[0]}", hint="the format does not hold all of this model")


def _read_table(folder: Path, settings: Settings) -> Mapping[str, Any]:
    """bundle.json, and every file as it says.

    Raises:
        ModelError: it is not as pinned, of another format, or some file differs.
    """
    path = folder / FILE
    if not _is_bundle(folder):
        raise ModelError(f"{folder} is no bundle: it has no {FILE}", hint="write one with shipwheel_serve.bundle.save")
    formats.check_pin(path, settings)
    try:
        table: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if (found := table["format"]) != FORMAT:
            raise ModelError(f"{FILE} has format {found}, this runtime knows {FORMAT}", hint="use a newer shipwheel-serve")
        files = table["files"]
        wrong = [reason for name, about in files.items() if (reason := _wrong(folder, name, about))]
        used = [table["model"]["path"], *(each for key, each in (table["golden"] or {}).items() if key in GOLDEN)]
        wrong += [f"{name} is not among its files" for name in used if not _is_listed(folder, name, files)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path} cannot be read: {error!r}", hint="write the bundle again") from None
    if wrong:
        raise ModelError(f"the bundle is not as it was saved: {'; '.join(wrong)}", hint="copy all of it again")
    return table


def _wrong(folder: Path, name: str, about: Mapping[str, Any]) -> str:
    path = folder / name
    if not _is_inside(folder, name):
        return f"{name} leads out of the bundle"
    if not path.is_file():
        return f"{name} is missing"
    if path.stat().st_size != about["size"]:
        return f"{name} has {path.stat().st_size} bytes instead of {about['size']}"
    return "" if sha256(path) == about["sha256"] else f"{name} has another sha256"


def _is_inside(folder: Path, name: str) -> bool:
    return "\\" not in name and (folder / name).resolve().is_relative_to(folder.resolve())


def _is_listed(folder: Path, name: str, files: Mapping[str, Any]) -> bool:
    """Whether it is one of the files, or a folder of them alone."""
    return name in files or (
        _is_inside(folder, name) and (folder / name).is_dir() and set(_names_below(folder, name)) <= set(files)
    )


def _load(folder: Path, table: Mapping[str, Any], trust: formats.Trust) -> Model:
    about, settings = table["model"], trust.settings
    schema = Schema.from_json(table["schema"])
    importable(settings.root / "src", settings.root)
    with formats.heard() as said:
        loaded = formats.read(about, folder / about["path"], trust)
    model = Model(
        name=settings.name or table["name"],
        version=table["version"],
        library=table["library"],
        format=about["format"],
        schema=schema,
        predict=formats.answering(loaded, schema, about["methods"]),
        features=formats.featuring(loaded, schema),
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


def _replace(target: Path, made: Path) -> None:
    """The files of a bundle instead of those of the one that `target` holds; others, such as a README, stay.

    bundle.json comes last: a service that starts meanwhile sees hashes that do not match.
    """
    if _is_bundle(target):
        for name in json.loads((target / FILE).read_text("utf-8")).get("files", {}):
            if _is_inside(target, name):
                (target / name).unlink(missing_ok=True)
    for name in sorted(_names_below(made), key=FILE.__eq__):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).replace(target / name)
