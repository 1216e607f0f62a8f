"""Model files of every library: which one it is, how it is loaded, written and asked.

trust.py     what a file may import
loaded.py    `Loaded`: an object and how it is asked
scikit.py    scikit-learn and pickles
trees.py     LightGBM, XGBoost, CatBoost
tensors.py   torch and ONNX
python.py    MODULE:CLASS
"""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from shipwheel_serve import environment, pickles, values
from shipwheel_serve.errors import ModelError
from shipwheel_serve.formats import python, scikit, tensors, trees
from shipwheel_serve.formats.classes import importable
from shipwheel_serve.formats.loaded import Loaded, Table, without_pandas
from shipwheel_serve.formats.trust import Trust
from shipwheel_serve.hashing import sha256
from shipwheel_serve.model import Environment, Model, Predict
from shipwheel_serve.pickles import inspect
from shipwheel_serve.schema import Arrays, Field, Schema, assemble, describe, outputs_of
from shipwheel_serve.settings import Settings

__all__ = ["Loaded", "Trust", "answering", "asking", "heard", "inspect", "library_of", "live", "load_file", "read"]

Read = Callable[[Path, Table, Trust], Loaded]
Write = Callable[[Any, Path, Any], Table | None]
"""Writes a model, given a few rows as it takes them; gives what else the "model" table of bundle.json has to say."""


class Format(NamedTuple):
    """How a format is read; of one that bundles are written in its file, how, and what it is read with besides its library."""

    read: Read
    file: str = ""
    write: Write | None = None
    needs: tuple[str, ...] = ()


def _read_pickle(path: Path, table: Table, trust: Trust) -> Loaded:
    """A pickle, of joblib too; what it holds says which library it is."""
    return live(trust.unpickle(path), table["format"])


FORMATS = {
    "skops": Format(scikit.read_skops, "model.skops", scikit.write_skops, ("skops",)),
    "pickle": Format(_read_pickle, "model.pkl", scikit.write_pickle),
    "joblib": Format(_read_pickle),
    "text": Format(trees.read_lightgbm, "model.txt", trees.write_lightgbm),
    "ubj": Format(trees.read_xgboost, "model.ubj", trees.write_xgboost),
    "json": Format(trees.read_xgboost),
    "cbm": Format(trees.read_catboost, "model.cbm", trees.write_catboost),
    "export": Format(tensors.read_program, "model.pt2", tensors.write_export),
    "torchscript": Format(tensors.read_program, "model.pt", tensors.write_script),
    "safetensors": Format(tensors.read_weights, "model.safetensors", tensors.write_weights, ("safetensors",)),
    "torch": Format(tensors.read_torch),
    "onnx": Format(tensors.read_onnx, "model.onnx", tensors.write_onnx, ("onnxruntime",)),
    "object": Format(python.read_object, "model", python.write_object),
}
"""By the format of bundle.json, which is also what `inspect` finds."""

WRITTEN = {
    "scikit-learn": ("skops", "pickle"),
    "lightgbm": ("text", "pickle"),
    "xgboost": ("ubj", "pickle"),
    "catboost": ("cbm", "pickle"),
    "torch": ("export", "torchscript", "safetensors"),
    "onnx": ("onnx",),
    "python": ("object", "pickle"),
}
"""What bundles of a library are written in, the safest first."""

TREES = ("lightgbm", "xgboost", "catboost")


def load_file(path: Path, settings: Settings, name: str = "") -> Model:
    """A model file of any library, or MODULE:CLASS as the last part of `path`, without a bundle.

    Its inputs are what the model itself says; its outputs what a row of zeros gives, and unknown where that fails.

    Raises:
        ModelError: the file is absent, unknown or not as pinned, or a pickle that nothing vouches for.
    """
    spec = settings.model if ":" in settings.model else path.name if ":" in path.name else ""
    about: Mapping[str, Any] = {}
    with heard() as said:
        if spec:
            loaded = python.load_class(spec, settings.root, path if path.exists() else settings.root)
        else:
            loaded, about = _load_bare(path, settings)
    schema = getattr(loaded.object, "schema", None)
    if not isinstance(schema, Schema):
        anything = ("array", (Field(name="input", dtype="float64", shape=None),), ())
        layout, fields, columns = without_pandas(loaded.described) or anything
        schema = Schema(layout=layout, inputs=fields, columns=columns)
    predict = answering(loaded, schema, {"output": "predict"})
    model = Model(
        name=name or settings.name or (spec.rpartition(":")[2] if spec else path.stem),
        version="1",
        library=loaded.library,
        format=loaded.format,
        schema=schema if schema.outputs else replace(schema, outputs=_outputs(predict, schema)),
        predict=predict,
        trained=Environment(packages=about["versions"]) if about.get("versions") else None,
    )
    return with_warnings(model, said, settings)


def _load_bare(path: Path, settings: Settings) -> tuple[Loaded, Mapping[str, Any]]:
    if path.is_dir() and len(inside := [each for each in path.iterdir() if not each.name.startswith(".")]) == 1:
        [path] = inside  # what is mounted may be a folder around the file
    if not path.is_file():
        raise ModelError(f"there is no model at {path}", hint="`model` in the settings is relative to the project")
    check_pin(path, settings)
    try:
        about = inspect(path)
    except pickles.UnreadableError as error:
        raise ModelError(f"{path.name} is no model file that is known: {error}", hint="see the list of formats") from None
    importable(settings.root / "src", settings.root)
    trust = Trust(settings=settings, vouched=bool(settings.sha256) or settings.allow_pickle)
    return read(about, path, trust), about


def read(table: Mapping[str, Any], path: Path, trust: Trust) -> Loaded:
    """The object in a file or folder, by the "model" table of bundle.json.

    Raises:
        ModelError: the format is unknown, or its library is not installed.
    """
    if table["format"] not in FORMATS:
        raise ModelError(f"the format '{table['format']}' is unknown", hint=f"known are {', '.join(FORMATS)}")
    try:
        return FORMATS[table["format"]].read(path, table, trust)
    except ModuleNotFoundError as error:
        hint = "add it to the requirements"
        raise ModelError(f"{path.name} needs {error.name}, which is not installed", hint=hint) from error


def library_of(model: Any) -> str:
    """Which library an object in memory belongs to: python if none of those that are known."""
    if isinstance(model, (str, Path)) or type(model).__name__ == "ModelProto":
        return "onnx"
    tops = [each.__module__.split(".")[0] for each in type(model).__mro__]
    sklearn = "scikit-learn" if {"sklearn", "imblearn", "skorch"} & set(tops) else "python"
    return next((top for top in (*TREES, "torch") if top in tops), sklearn)


def live(model: Any, kind: str = "") -> Loaded:
    """An object in memory, and how it is asked."""
    library = library_of(model)
    if library == "onnx":
        return tensors.live_onnx(model, kind)
    if library == "torch":
        return tensors.live(model, kind)
    return trees.live(model, library, kind) if library in TREES else scikit.live(model, library, kind)


def formats_for(model: Any) -> tuple[str, ...]:
    """What an object can be written in, the safest first; `object` only where it has both `save` and `load`."""
    library = library_of(model)
    own = callable(getattr(model, "save", None)) and callable(getattr(model, "load", None))
    return ("object",) if library == "python" and own else tuple(each for each in WRITTEN[library] if each != "object")


def names_in(path: Path, kind: str) -> Iterable[str]:
    """What a file of this format uses, and a service will ask leave for."""
    if kind == "skops":
        import skops.io

        return skops.io.get_untrusted_types(file=path)  # type: ignore[no-any-return]
    return pickles.scan(path) if kind == "pickle" else ()


def asking(loaded: Loaded, methods: Mapping[str, str]) -> Callable[[Any], Arrays]:
    """Asks the model by the names of its answers: a value as it takes it in, arrays out."""
    calls = {label: loaded.ask(method) for label, method in methods.items()}
    if len(calls) == 1:
        [(label, call)] = calls.items()
        return lambda value: outputs_of(call(value), (label,))

    def ask(value: Any) -> Arrays:
        answers = dict[str, np.ndarray]()
        for label, call in calls.items():
            made = outputs_of(call(value), (label,))
            answers |= made if len(made) == 1 and label in made else {f"{label}_{name}": each for name, each in made.items()}
        return answers

    return ask


def answering(loaded: Loaded, schema: Schema, methods: Mapping[str, str]) -> Predict:
    """Asks the model: the arrays of a request in, its answers by name out."""
    ask = asking(loaded, methods)
    return lambda arrays: ask(assemble(schema, arrays))


def featuring(loaded: Loaded, schema: Schema) -> Predict | None:
    """The intermediate features of a request, by column."""
    call = loaded.features
    return (lambda arrays: outputs_of(call(assemble(schema, arrays)), ("feature",))) if call else None


@contextmanager
def heard() -> Iterator[list[str]]:
    """What libraries warn about within, each once; not what will change in some later version of them.

    XGBoost before 2 prints its warnings; all that is printed goes to stderr, for stdout is data.
    """
    said, printed = list[str](), io.StringIO()
    with warnings.catch_warnings(record=True) as caught, redirect_stdout(printed):
        warnings.simplefilter("always")
        try:
            yield said
        finally:
            sys.stderr.write(printed.getvalue())
    ignored = (DeprecationWarning, PendingDeprecationWarning, FutureWarning, ImportWarning, ResourceWarning)
    texts = [str(each.message) for each in caught if not issubclass(each.category, ignored)]
    _, mark, rest = printed.getvalue().partition("WARNING")  # it goes on over several lines
    texts += [mark + rest] if mark else []
    said += dict.fromkeys(" ".join(text.split()) for text in texts)


def with_warnings(model: Model, said: list[str], settings: Settings) -> Model:
    """`model` with what was heard; under a strict environment that refuses it, unless the environment itself does.

    Raises:
        ModelError: the warnings.
    """
    if said and settings.environment == "strict" and not environment.compare(model.trained, settings, has_golden=False)[1]:
        hint = "environment = strict makes an error of it"
        raise ModelError(f"the model's library warns while it loads: {'; '.join(said)}", hint=hint)
    return replace(model, warnings=tuple(said))


def check_pin(path: Path, settings: Settings) -> None:
    """Whether a file is the one that the settings pin, if they pin any.

    Raises:
        ModelError: it is another.
    """
    if settings.sha256 and (found := sha256(path)) != settings.sha256:
        raise ModelError(f"{path.name} is not the one that is pinned: its sha256 is {found}", hint="write the lock again")


def _outputs(predict: Predict, schema: Schema) -> tuple[Field, ...]:
    """Learnt from one row of zeros and empty texts; none if the model does not take that."""
    try:
        zeros = {each.name: values.zeros(each) for each in schema.inputs}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return describe(predict(zeros))[1]
    except Exception:  # noqa: BLE001 - it is only a guess at a row that the model takes
        return ()
