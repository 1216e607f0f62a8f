"""What a model file says about itself, read without executing any of it; needs the standard library alone.

`python -m shipwheel_serve.pickles PATH` prints it as one JSON object.
"""

from __future__ import annotations

import _compat_pickle
import bz2
import gzip
import io
import json
import lzma
import math
import pickle
import re
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

_SAME_NAME = """
numpy scipy pandas joblib lightgbm xgboost catboost torch onnx onnxruntime skl2onnx skops safetensors mlxtend skorch hdbscan
pynndescent statsmodels
"""
_OTHER_NAME = {"sklearn": "scikit-learn", "imblearn": "imbalanced-learn", "umap": "umap-learn"}
_OTHER_NAME |= {name: name.replace("_", "-") for name in ("category_encoders", "feature_engine", "quantile_forest")}
DISTRIBUTIONS = {name: name for name in _SAME_NAME.split()} | _OTHER_NAME
"""Libraries that models are made with: top module and distribution. Classes of these may stand in a pickle."""

LIBRARIES = ("sklearn", "xgboost", "lightgbm", "catboost", "torch", "onnx")
"""Top modules that name the library of a model; the rest is python."""

_VALUES = """
collections.OrderedDict collections.defaultdict collections.Counter collections.deque copyreg._reconstructor copyreg.__newobj__
_codecs.encode datetime.datetime datetime.date datetime.time datetime.timedelta datetime.timezone decimal.Decimal
fractions.Fraction functools.partial uuid.UUID pathlib.PosixPath pathlib.PurePosixPath types.SimpleNamespace
array.array array._array_reconstructor operator.itemgetter random.Random joblib.numpy_pickle.NumpyArrayWrapper
numpy.random._pickle.__generator_ctor numpy.random._pickle.__bit_generator_ctor numpy.random._pickle.__randomstate_ctor
torch.storage.UntypedStorage torch.storage.TypedStorage
"""
_BUILTINS = "list dict set frozenset tuple int float complex bool str bytes bytearray slice range object"
SAFE = frozenset(_VALUES.split()) | {f"builtins.{name}" for name in _BUILTINS.split()}
"""Names that build values and cannot run anything, though what is around them might."""

_TOOLS = """
joblib catboost.utils xgboost.testing xgboost.spark xgboost.dask lightgbm.dask statsmodels.iolib statsmodels.datasets
numpy.f2py numpy.testing numpy.distutils numpy.ctypeslib numpy.compat numpy._pytesttester numpy.DataSource numpy.memmap
numpy.core.memmap numpy._core.memmap numpy.load numpy.loadtxt numpy.genfromtxt numpy.fromfile numpy.fromregex numpy.save
numpy.savez numpy.savez_compressed numpy.savetxt numpy.lib.npyio numpy.lib._npyio_impl numpy.lib._datasource numpy.lib.format
numpy.lib.utils numpy.lib._utils_impl scipy.io scipy.datasets scipy._lib._testutils scipy._lib._ccallback
scipy.LowLevelCallable pandas.eval pandas.io pandas.core.computation pandas.testing pandas._testing pandas.util
sklearn.datasets sklearn.externals sklearn.conftest sklearn.utils._testing sklearn.utils.fixes
torch.hub torch.load torch.save torch.jit torch.serialization torch.storage torch.package torch.multiprocessing
torch.distributed torch.utils torch.testing torch.classes torch.ops torch.library torch.fx torch.onnx torch.compile
torch.export torch._export torch._inductor torch._dynamo torch._utils_internal
"""
DENIED = frozenset(_TOOLS.split())
"""Parts of the libraries that read and write files, run code or reach the network, whatever they are called with."""

_RUNNERS = ("eval", "exec", "compile", "getattr", "setattr", "query", "open", "system", "popen", "Popen", "load", "loads")
_OPENERS: Mapping[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": gzip.decompress,
    b"BZh": bz2.decompress,
    b"\xfd7zXZ": lzma.decompress,
    b"]\x00": lzma.decompress,
    b"\x78": zlib.decompress,
}
"""What a pickle of joblib may be packed with, by how it begins."""


class UnreadableError(ValueError):
    """Bytes that are no pickle, or one that hides what it does."""


_Unpickler: Any = pickle._Unpickler  # the one in Python


class _Thing:
    """Stands for whatever a pickle would make; keeps its state and does nothing."""

    path = ""

    def __init__(self, *args: Any, **_named: Any) -> None:
        self.args, self.state = args, dict[str, Any]()

    def __call__(self, *_args: Any, **_named: Any) -> _Thing:
        return _Thing()

    def _ignore(self, *_args: Any) -> None:
        """Contents are not kept."""

    append = extend = add = update = __setitem__ = _ignore


class _Reader(_Unpickler):  # type: ignore[misc]
    """Walks the operations of a pickle with stand-ins for every class and function, and notes their names.

    Python's own reader in Python; every way out of it (globals, extension codes, foreign objects) is replaced. A name that is
    computed while unpickling cannot be known without doing so, and is refused.
    """

    dispatch = dict(_Unpickler.dispatch)

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file, encoding="latin1")
        self.file, self.names, self.versions, self.made = file, set[str](), dict[str, str](), None

    def find_class(self, module: str, name: str) -> Any:
        if type(module) is not str or type(name) is not str:
            raise UnreadableError("it computes the name of what it imports")
        if self.proto < 3:
            module, name = _compat_pickle.NAME_MAPPING.get((module, name), (module, name))
            module = _compat_pickle.IMPORT_MAPPING.get(module, module)
        self.names.add(f"{module}.{name}")
        return type("_Global", (_Thing,), {"path": f"{module}.{name}"})

    def persistent_load(self, pid: Any) -> Any:
        return _Thing()

    def get_extension(self, code: int) -> None:
        raise UnreadableError(f"it uses extension code {code}")

    def load_build(self) -> None:
        state, made = self.stack.pop(), self.stack[-1]
        if isinstance(made, _Thing):
            parts = state if isinstance(state, tuple) else (state,)
            made.state = {str(key): value for part in parts if isinstance(part, dict) for key, value in part.items()}
            made.state[""] = state
            self._note_version(made)
            if made.path == "joblib.numpy_pickle.NumpyArrayWrapper":
                self._skip_array(made.state)

    dispatch[pickle.BUILD[0]] = load_build

    def _note_version(self, made: _Thing) -> None:
        version = made.state.get("_sklearn_version")
        if isinstance(version, str) and made.path.startswith("sklearn."):
            self.versions["scikit-learn"] = version
        if made.path.startswith("xgboost."):
            self.versions |= _xgboost(_bytes(made.state.get("handle")))
        if made.path.startswith(("catboost.", "_catboost.")):
            self.versions |= _catboost(_bytes(made.state.get("__model")))

    def _skip_array(self, state: Mapping[str, Any]) -> None:
        """joblib writes an array's bytes right behind the pickled description of the array, or a pickle of its objects."""
        size, objects = _item(state.get("dtype"))
        if objects:
            nested = _Reader(self.file)
            nested.load()
            self.names |= nested.names
            return
        if state.get("numpy_array_alignment_bytes") is not None:
            self.file.read(self.file.read(1)[0])
        left = size * math.prod(state["shape"])
        while left:
            got = len(self.file.read(min(left, 1 << 24)))
            if not got:
                raise UnreadableError("it ends within an array")
            left -= got


def _bytes(value: Any) -> bytes:
    """Of bytes or a bytearray, which protocols below 5 make of bytes."""
    value = value.args[0] if isinstance(value, _Thing) and value.path == "builtins.bytearray" and value.args else value
    return bytes(value) if isinstance(value, (bytes, bytearray)) else b""


def _item(dtype: Any) -> tuple[int, bool]:
    """Bytes of one item of a stand-in for numpy's dtype, and whether it holds Python objects."""
    code = dtype.args[0] if isinstance(dtype, _Thing) and dtype.path == "numpy.dtype" and dtype.args else ""
    found = re.fullmatch(r"[<>=|]?([biufcmMOSUV])(\d+)", code if isinstance(code, str) else "")
    if found is None:
        raise UnreadableError("it has an array of an unknown type")
    state = dtype.state.get("")
    fields = state[4] if isinstance(state, tuple) and len(state) > 4 and isinstance(state[4], dict) else {}
    objects = found[1] == "O" or any(_item(each[0])[1] for each in fields.values())
    return int(found[2]) * (4 if found[1] == "U" else 1), objects


def _read(source: Path | bytes) -> _Reader:
    """Walk a pickle: plain, of joblib (compressed or not), or torch's."""
    data = source if isinstance(source, bytes) else source.read_bytes()
    try:
        if data[:2] == b"PK":
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                [name] = [each for each in archive.namelist() if each.endswith("data.pkl")]  # two could be told apart by nobody
                data = archive.read(name)
        for magic, opener in _OPENERS.items():
            data = opener(data) if data.startswith(magic) else data
        reader = _Reader(io.BytesIO(data))
        reader.made = reader.load()
    except UnreadableError:
        raise
    except Exception as error:  # noqa: BLE001 - hostile bytes fail in any way; all mean the same
        raise UnreadableError(f"it is no pickle that can be read: {error!r}") from None
    return reader


def scan(source: Path | bytes) -> frozenset[str]:
    """Every module.name that unpickling would import: pickles of any protocol, joblib's (compressed too), torch's.

    Raises:
        UnreadableError: no pickle, or one whose imports are only known once it runs.
    """
    return frozenset(_read(source).names)


def refused(names: Iterable[str], allowed: Iterable[str] = (), own: Iterable[str] = ()) -> list[str]:
    """Those of `names` that a pickle may not use, sorted.

    `allowed` are names, or module.*; `own` top modules of the project itself.
    """
    tops, allowed = set(own), tuple(allowed)
    return sorted(name for name in set(names) if not is_named(name, allowed) and not _is_harmless(name, tops))


def is_named(name: str, allowed: Iterable[str]) -> bool:
    """Whether a name is SAFE, or among `allowed`: names, or module.*"""
    return name in SAFE or any(name == each or (each.endswith(".*") and name.startswith(each[:-1])) for each in allowed)


_ORDINARY = {"random", "statistics", "calendar", "datetime", "decimal", "numbers", "array", "select", "signal", "string"}
"""Names of Python's modules that parts of libraries have too."""


def _is_harmless(name: str, own: set[str]) -> bool:
    """Of the project itself, or of a library outside its DENIED parts."""
    top, *rest = name.split(".")
    if sys.stdlib_module_names & set(rest) - _ORDINARY:
        return False  # sklearn.x.os.system: by way of a module that the library happens to import
    if top in own:
        return True
    denied = any(name == each or name.startswith(f"{each}.") for each in DENIED)
    return top in DISTRIBUTIONS and rest[-1] not in _RUNNERS and not denied


def inspect(path: Path) -> dict[str, Any]:
    """Library, format, recorded versions and needed distributions of a model file or bundle; nothing is executed.

    Raises:
        UnreadableError: no model file that is known.
    """
    if path.is_dir():
        table = json.loads((path / "bundle.json").read_text("utf-8"))
        versions = table["environment"]["packages"]
        return _about(table["library"], table["model"]["format"], versions, versions)
    with path.open("rb") as file:
        head = file.read(4096)
    if head[:2] == b"PK":
        return _inspect_zip(path)
    if head.startswith(b"CBM1"):
        return _about("catboost", "cbm", _catboost(path.read_bytes()), ("catboost", "numpy"))
    if head.startswith((b"tree\n", b"tree\r\n")):
        return _about("lightgbm", "text", {}, ("lightgbm", "numpy"))
    if head.startswith((b"binf", b"{L")) or (head[:1] == b"{" and b"learner" in head):
        kind = "json" if re.match(rb'\{\s*"', head) else "ubj"
        return _about("xgboost", kind, _xgboost(path.read_bytes()), ("xgboost", "numpy"))
    if path.suffix == ".safetensors" or re.match(rb".{8}\{\"", head, re.DOTALL):
        return _about("torch", "safetensors", {}, ("torch", "safetensors"))
    if path.suffix == ".onnx":
        return _about("onnx", "onnx", _onnx(head), ("onnxruntime", "numpy"))
    return _inspect_pickle(path, "joblib" if head.startswith(tuple(_OPENERS)) else "pickle")


def _about(library: str, kind: str, versions: Mapping[str, str], packages: Iterable[str]) -> dict[str, Any]:
    return {"library": library, "format": kind, "versions": dict(versions), "packages": sorted({*packages, *versions})}


def _distributions(tops: Iterable[str]) -> set[str]:
    return {DISTRIBUTIONS[top] for top in tops if top in DISTRIBUTIONS}


def _inspect_pickle(path: Path, kind: str) -> dict[str, Any]:
    reader = _read(path)
    tops = {name.split(".")[0] for name in reader.names}
    top = getattr(reader.made, "path", "").split(".")[0]
    library = DISTRIBUTIONS[top] if top in LIBRARIES else "torch" if kind == "torch" else "python"
    kind = "joblib" if kind == "pickle" and "joblib" in tops else kind
    return _about(library, kind, reader.versions, _distributions({*tops, kind}))


def _inspect_zip(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if "schema.json" in names:
            return _skops(archive.read("schema.json").decode())
        if any(name.endswith(("serialized_exported_program.json", "archive_format")) for name in names):
            text = b"".join(archive.read(name) for name in names if name.endswith(".json"))
            return _about("torch", "export", _version("torch", rb'"torch_version":\s*"([^"]+)"', text), ("torch",))
        if any("/code/" in name or name.endswith("constants.pkl") for name in names):
            return _about("torch", "torchscript", {}, ("torch",))
    return _inspect_pickle(path, "torch")


def _skops(text: str) -> dict[str, Any]:
    data = text.encode()
    versions = _version("scikit-learn", rb'"_sklearn_version":\s*\{[^{}]*?"content":\s*"\\"([^"\\]+)', data)
    versions |= _version("skops", rb'"_skops_version":\s*"([^"]+)"', data)
    tops = {each.split(".")[0] for each in re.findall(r'"__module__":\s*"([^"]+)"', text)}
    return _about("scikit-learn", "skops", versions, _distributions({*tops, "skops"}))


def _version(distribution: str, pattern: bytes, data: bytes) -> dict[str, str]:
    """The first group of `pattern`, where it is found."""
    found = re.search(pattern, data, re.DOTALL)
    return {distribution: found[1].decode()} if found else {}


def _xgboost(data: bytes) -> dict[str, str]:
    """The last "version" of a booster: [2,1,0] in JSON; in UBJSON three int8, each with its type."""
    if found := re.findall(rb'"version"\s*:\s*\[\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)', data):
        return {"xgboost": ".".join(part.decode() for part in found[-1])}
    found = re.findall(rb"version\[#L\0{7}\x03i(.)i(.)i(.)", data, re.DOTALL)
    return {"xgboost": ".".join(str(part[0]) for part in found[-1])} if found else {}


def _catboost(data: bytes) -> dict[str, str]:
    return _version("catboost", rb"(?:tags/|Branch: |v)v?(\d+\.\d+\.\d+)", data)


def _onnx(head: bytes) -> dict[str, str]:
    """Producer and its version: fields 2 and 3 of ModelProto, texts with their length before them."""
    found = re.match(rb"\x08.\x12.(pytorch|skl2onnx|OnnxMLTools)\x1a(.)", head, re.DOTALL)
    if not found:
        return {}
    name = {b"pytorch": "torch", b"skl2onnx": "skl2onnx", b"OnnxMLTools": "onnxmltools"}[found[1]]
    return {name: head[found.end() :][: found[2][0]].decode("utf-8", "replace")}


if __name__ == "__main__":
    try:
        answer, status = json.dumps(inspect(Path(sys.argv[1]))), 0
    except (UnreadableError, OSError, ValueError, KeyError, IndexError) as error:
        answer, status = json.dumps({"error": str(error)}), 1
    print(answer)  # noqa: T201 - the answer of a command
    raise SystemExit(status)
