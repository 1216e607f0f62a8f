"""torch (torch.export, TorchScript, weights with their class) and ONNX."""

from __future__ import annotations

import copy
import inspect
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from shipwheel_serve.errors import ModelError
from shipwheel_serve.formats.loaded import Ask, Loaded, Write
from shipwheel_serve.formats.trust import Trust
from shipwheel_serve.schema import ANY, Field

_ONNX_TYPES = {"float": "float32", "double": "float64"}


def live(model: Any, kind: str = "", described: Any = None) -> Loaded:
    """A module of torch in evaluation mode: from a file on the GPU if there is one; in memory (no `kind`) a copy on the CPU."""
    import torch

    device = torch.device("cuda" if kind and torch.cuda.is_available() else "cpu")
    if isinstance(model, torch.export.ExportedProgram):
        source, described, model = model, _exported_inputs(model), model.module()
    else:
        source = model = (model if kind else copy.deepcopy(model)).eval()
    model.to(device)
    low = next((each.dtype for each in model.parameters() if each.dtype in (torch.bfloat16, torch.float16)), None)

    def tensor(array: Any) -> Any:
        made = torch.from_numpy(np.require(array, requirements=["C", "W"])).to(device)
        return made.to(low) if low is not None and made.is_floating_point() else made

    def ask(method: str) -> Ask:
        own = getattr(model, method, None) if not isinstance(model, torch.fx.GraphModule) else None
        call = own if callable(own) else model
        named = _names(call)

        def predict(value: Any) -> Any:
            with torch.inference_mode():
                if not isinstance(value, Mapping):
                    return call(tensor(value))
                made = {name: tensor(array) for name, array in value.items()}
                return call(**made) if not named or set(made) <= named else call(*made.values())

        return predict

    return Loaded(library="torch", format=kind, object=source, ask=ask, described=described or _module_inputs(model))


def _names(call: Any) -> set[str]:
    """The parameters of forward; none where they are hidden, as those of an exported program are."""
    try:
        parameters = inspect.signature(getattr(call, "forward", call)).parameters.values()
    except (TypeError, ValueError):
        return set()
    return {each.name for each in parameters if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)}


def writers(model: Any) -> list[tuple[str, Write]]:
    """torch.export, TorchScript, then weights beside the name of their class."""
    import torch

    if isinstance(model, torch.export.ExportedProgram):
        return [("export", lambda folder, _: _write_program(model, folder))]
    script = ("torchscript", lambda folder, _: _write_script(model, folder))
    if isinstance(model, torch.jit.ScriptModule):
        return [script]
    export = ("export", lambda folder, sample: _write_export(model, folder, sample))
    return [export, script, ("safetensors", lambda folder, _: _write_weights(model, folder))]


def _write_program(program: Any, folder: Path) -> Mapping[str, Any]:
    import torch

    torch.export.save(program, folder / "model.pt2")
    return {"format": "export", "path": "model.pt2"}


def _write_export(model: Any, folder: Path, sample: Any) -> Mapping[str, Any]:
    """Any number of rows; sizes of the other axes stay as they are in the sample."""
    import torch

    rows = torch.export.Dim("rows")
    tensors = {name: torch.from_numpy(np.array(each)) for name, each in _named(sample).items()}
    if isinstance(sample, Mapping) and set(tensors) <= _names(model):
        shapes: Any = {name: {0: rows} for name in tensors}
        return _write_program(torch.export.export(model, (), tensors, dynamic_shapes=shapes), folder)
    arguments = tuple(tensors.values())
    return _write_program(torch.export.export(model, arguments, dynamic_shapes=tuple({0: rows} for _ in arguments)), folder)


def _write_script(model: Any, folder: Path) -> Mapping[str, Any]:
    """Compiled, never traced: a trace keeps the numbers of the sample where the code looked at them."""
    import torch

    torch.jit.save(model if isinstance(model, torch.jit.ScriptModule) else torch.jit.script(model), folder / "model.pt")
    return {"format": "torchscript", "path": "model.pt"}


def _named(sample: Any) -> Mapping[str, Any]:
    return sample if isinstance(sample, Mapping) else {"input": sample}


def _write_weights(model: Any, folder: Path) -> Mapping[str, Any]:
    from safetensors.torch import save_model

    save_model(model, str(folder / "model.safetensors"))
    made = type(model)
    return {"format": "safetensors", "path": "model.safetensors", "class": f"{made.__module__}:{made.__qualname__}"}


def read_export(path: Path, table: Mapping[str, Any], _trust: Trust) -> Loaded:
    """A program of torch.export."""
    import torch

    return live(torch.export.load(path), table["format"])


def read_script(path: Path, table: Mapping[str, Any], _trust: Trust) -> Loaded:
    """A program of TorchScript."""
    import torch

    return live(torch.jit.load(path, map_location="cpu"), table["format"])


def read_weights(path: Path, table: Mapping[str, Any], trust: Trust) -> Loaded:
    """A state dict, into a fresh object of the class that `table` names."""
    from shipwheel_serve.formats.python import find_class

    if "class" not in table:
        hint = f'say which class they are for: model = "net.py:Net" and {path.name} beside it'
        raise ModelError(f"{path.name} holds only weights", hint=hint)
    trust.check([table["class"].replace(":", ".")], path.name)
    module = find_class(table["class"], trust.settings.root)()
    load_weights(module, path)
    return live(module, table["format"])


def load_weights(module: Any, path: Path) -> None:
    """Fill a module with the tensors of a safetensors file or of a state dict; no code of the file is run."""
    import torch

    if path.suffix == ".safetensors":
        from safetensors.torch import load_model

        load_model(module, str(path))
        return
    state = torch.load(path, map_location="cpu", weights_only=True)
    module.load_state_dict(state.get("state_dict", state))


def read_torch(path: Path, table: Mapping[str, Any], trust: Trust) -> Loaded:
    """What torch.save wrote: weights alone, or a whole module, which is a pickle."""
    import torch

    from shipwheel_serve import pickles

    tops = {name.split(".")[0] for name in pickles.scan(path)}
    if not any(name.startswith(("torch.nn.modules", "torch.fx")) for name in pickles.scan(path)) and tops <= {
        "torch",
        "collections",
    }:
        return read_weights(path, table, trust)
    trust.scan(path)
    return live(torch.load(path, map_location="cpu", weights_only=False), table["format"])


def _module_inputs(model: Any) -> tuple[str, tuple[Field, ...], tuple[str, ...]]:
    """The first linear layer knows how many features there are; other modules take any shape."""
    first = next((each for each in model.modules() if not list(each.children())), None)
    count = getattr(first, "in_features", None)
    return "array", (Field(name="input", dtype="float32", shape=(ANY, count) if isinstance(count, int) else None),), ()


def _exported_inputs(program: Any) -> tuple[str, tuple[Field, ...], tuple[str, ...]]:
    wanted = program.graph_signature.user_inputs
    values = {node.name: node.meta["val"] for node in program.graph.nodes if node.op == "placeholder" and node.name in wanted}
    fields = tuple(
        Field(
            name=name if len(values) > 1 else "input",
            dtype=str(value.dtype).removeprefix("torch."),
            shape=(ANY, *(size if isinstance(size, int) else ANY for size in value.shape[1:])),
        )
        for name, value in values.items()
    )
    return "array" if len(fields) == 1 else "tensors", fields, ()


def live_onnx(model: Any, kind: str = "") -> Loaded:
    """An ONNX model (a path, bytes or a ModelProto) in a session of onnxruntime, on the GPU if there is one."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "0").split(",")[0] or 0)  # set for us by limits.py
    source = model.SerializeToString() if hasattr(model, "SerializeToString") else model
    source = str(source) if isinstance(source, Path) else source
    session = onnxruntime.InferenceSession(source, options, providers=onnxruntime.get_available_providers())
    inputs, outputs = session.get_inputs(), [each.name for each in session.get_outputs()]

    def ask(method: str) -> Ask:
        if method != "predict" and method not in outputs:
            raise ModelError(f"the ONNX model has no output '{method}'", hint=f"it has {', '.join(outputs)}")
        wanted = outputs if method == "predict" else [method]

        def predict(value: Any) -> Any:
            made = session.run(wanted, _feed(inputs, value))
            named = {name: _unzipped(each) for name, each in zip(wanted, made, strict=True)}
            return named if len(named) > 1 else named[wanted[0]]

        return predict

    described = ("array" if len(inputs) == 1 else "tensors", tuple(_onnx_field(each) for each in inputs), ())
    return Loaded(library="onnx", format=kind, object=model, ask=ask, described=described)


def _onnx_field(given: Any) -> Field:
    kind = given.type.removeprefix("tensor(").rstrip(")")
    shape = tuple(size if isinstance(size, int) and size > 0 else ANY for size in given.shape)
    return Field(name=given.name, dtype=_ONNX_TYPES.get(kind, kind), shape=(ANY, *shape[1:]))


def _feed(inputs: Any, value: Any) -> dict[str, Any]:
    """By the names of the model: an array is the only input, columns of a frame are inputs of one column each."""
    if hasattr(value, "columns"):
        several = len(inputs) > 1 or (value.shape[1] == 1 and value.columns[0] == inputs[0].name)
        value = {str(name): column.to_numpy() for name, column in value.items()} if several else value.to_numpy()
    if not isinstance(value, Mapping):
        value = {inputs[0].name: value}
    elif len(inputs) == len(value) == 1:
        value = {inputs[0].name: next(iter(value.values()))}
    feed = dict[str, Any]()
    for each in inputs:
        if each.name not in value:
            raise ModelError(f"the ONNX model wants an input '{each.name}'", hint=f"there are {', '.join(value)}")
        array, field = np.asarray(value[each.name]), _onnx_field(each)
        array = array.astype(field.held) if array.dtype != field.held else array
        feed[each.name] = array[:, None] if array.ndim == 1 and len(field.shape or ()) == 2 else array
    return feed


def _unzipped(value: Any) -> Any:
    """Probabilities as a list of {class: number}, which is what skl2onnx makes of them, as one array."""
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        return np.array([list(each.values()) for each in value])
    return value


def writers_onnx(model: Any) -> list[tuple[str, Write]]:
    """One file."""

    def write(folder: Path, _sample: Any) -> Mapping[str, Any]:
        data = model.SerializeToString() if hasattr(model, "SerializeToString") else Path(model).read_bytes()
        (folder / "model.onnx").write_bytes(data)
        return {"format": "onnx", "path": "model.onnx"}

    return [("onnx", write)]


def read_onnx(path: Path, table: Mapping[str, Any], _trust: Trust) -> Loaded:
    """An .onnx file."""
    return live_onnx(path, table["format"])
