"""torch (torch.export, TorchScript, weights with their class) and ONNX."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from shipwheel_serve import pickles
from shipwheel_serve.errors import ModelError
from shipwheel_serve.formats.classes import find_class
from shipwheel_serve.formats.loaded import Ask, Described, Loaded, Table, class_of
from shipwheel_serve.formats.trust import Trust
from shipwheel_serve.schema import ANY, Field

_ONNX_TYPES = {"tensor(float)": "float32", "tensor(double)": "float64"}


def live(model: Any, kind: str = "") -> Loaded:
    """A module of torch in evaluation mode: from a file on the GPU if there is one; in memory (no `kind`) a copy on the CPU."""
    import torch

    device = torch.device("cuda" if kind and torch.cuda.is_available() else "cpu")
    if isinstance(model, torch.export.ExportedProgram):
        source, described, model = model, _exported_inputs(model), model.module()
    else:
        source = model = (model if kind else copy.deepcopy(model)).eval()
        described = _module_inputs(model)
    model.to(device)
    low = next((each.dtype for each in model.parameters() if each.dtype in (torch.bfloat16, torch.float16)), None)

    def tensor(array: Any) -> Any:
        made = torch.from_numpy(np.require(array, requirements=["C", "W"])).to(device)
        return made.to(low) if low is not None and made.is_floating_point() else made

    def ask(method: str) -> Ask:
        own = getattr(model, method, None) if not isinstance(model, torch.fx.GraphModule) else None
        call = own if callable(own) else model

        def predict(value: Any) -> Any:
            with torch.inference_mode():
                if isinstance(value, Mapping):
                    return call(**{name: tensor(array) for name, array in value.items()})
                return call(tensor(value))

        return predict

    return Loaded(library="torch", format=kind, object=source, ask=ask, described=described)


def write_export(model: Any, path: Path, sample: Any) -> None:
    """A program of torch.export for any number of rows; sizes of the other axes stay as they are in the sample."""
    import torch

    if isinstance(model, torch.export.ExportedProgram):
        torch.export.save(model, path)
        return
    rows = torch.export.Dim("rows")
    if isinstance(sample, Mapping):
        inputs = {name: torch.from_numpy(np.array(each)) for name, each in sample.items()}
        program = torch.export.export(model, (), inputs, dynamic_shapes={name: {0: rows} for name in inputs})
    else:
        program = torch.export.export(model, (torch.from_numpy(np.array(sample)),), dynamic_shapes=({0: rows},))
    torch.export.save(program, path)


def write_script(model: Any, path: Path, _sample: Any) -> None:
    """TorchScript, compiled, never traced: a trace keeps the numbers of the sample where the code looked at them."""
    import torch

    torch.jit.save(model if isinstance(model, torch.jit.ScriptModule) else torch.jit.script(model), path)


def write_weights(model: Any, path: Path, _sample: Any) -> Table:
    """Weights, beside the name of their class."""
    from safetensors.torch import save_model

    save_model(model, str(path))
    return class_of(model)


def read_program(path: Path, table: Table, _trust: Trust) -> Loaded:
    """A program of torch.export or of TorchScript."""
    import torch

    exported = table["format"] == "export"
    return live(torch.export.load(path) if exported else torch.jit.load(path, map_location="cpu"), table["format"])


def read_weights(path: Path, table: Table, trust: Trust) -> Loaded:
    """A state dict, into a fresh object of the class that `table` names."""

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


def read_torch(path: Path, table: Table, trust: Trust) -> Loaded:
    """What torch.save wrote: weights alone, or a whole module, which is a pickle."""
    import torch

    names = pickles.scan(path)
    whole = any(name.startswith(("torch.nn.modules", "torch.fx")) for name in names)
    if not whole and {name.split(".")[0] for name in names} <= {"torch", "collections"}:
        return read_weights(path, table, trust)
    trust.scan(path)
    return live(torch.load(path, map_location="cpu", weights_only=False), table["format"])


def _module_inputs(model: Any) -> Described:
    """The first linear layer knows how many features there are; other modules take any shape."""
    first = next((each for each in model.modules() if not list(each.children())), None)
    count = getattr(first, "in_features", None)
    return "array", (Field(name="input", dtype="float32", shape=(ANY, count) if isinstance(count, int) else None),), ()


def _exported_inputs(program: Any) -> Described:
    names = program.graph_signature.user_inputs
    values = [node.meta["val"] for node in program.graph.nodes if node.op == "placeholder" and node.name in names]
    labels = names if len(names) > 1 else ["input"]
    kinds = zip(labels, values, strict=True)
    fields = tuple(_field(name, str(value.dtype).removeprefix("torch."), value.shape) for name, value in kinds)
    return "array" if len(fields) == 1 else "tensors", fields, ()


def _field(name: str, dtype: str, shape: Any) -> Field:
    """An input by what a program says; a size that is no number is free, and so is the first."""
    sizes = (size if isinstance(size, int) and size > 0 else ANY for size in shape[1:])
    return Field(name=name, dtype=dtype, shape=(ANY, *sizes))


def live_onnx(model: Any, kind: str = "") -> Loaded:
    """An ONNX model (a path, bytes or a ModelProto) in a session of onnxruntime, on the GPU if there is one."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "0").split(",")[0] or 0)  # set for us by limits.py
    source = model.SerializeToString() if hasattr(model, "SerializeToString") else model
    source = str(source) if isinstance(source, Path) else source
    session = onnxruntime.InferenceSession(source, options, providers=onnxruntime.get_available_providers())
    inputs = [_field(each.name, _ONNX_TYPES.get(each.type, each.type[7:-1]), each.shape) for each in session.get_inputs()]
    outputs = [each.name for each in session.get_outputs()]

    def ask(method: str) -> Ask:
        if method != "predict" and method not in outputs:
            raise ModelError(f"the ONNX model has no output '{method}'", hint=f"it has {', '.join(outputs)}")
        wanted = outputs if method == "predict" else [method]

        def predict(value: Any) -> Any:
            made = session.run(wanted, _feed(inputs, value))
            named = {name: _unzipped(each) for name, each in zip(wanted, made, strict=True)}
            return named if len(named) > 1 else named[wanted[0]]

        return predict

    described: Described = ("array" if len(inputs) == 1 else "tensors", tuple(inputs), ())
    return Loaded(library="onnx", format=kind, object=model, ask=ask, described=described)


def _feed(inputs: list[Field], value: Any) -> dict[str, Any]:
    """By the names of the model: an array is the only input, columns of a frame are inputs of one column each."""
    if hasattr(value, "columns"):
        several = len(inputs) > 1 or list(value.columns) == [inputs[0].name]
        value = {str(name): column.to_numpy() for name, column in value.items()} if several else value.to_numpy()
    given = value if isinstance(value, Mapping) else {inputs[0].name: value}
    if len(inputs) == len(given) == 1:
        given = dict(zip([inputs[0].name], given.values(), strict=True))
    feed = dict[str, Any]()
    for field in inputs:
        if field.name not in given:
            raise ModelError(f"the ONNX model wants an input '{field.name}'", hint=f"there are {', '.join(given)}")
        array = np.asarray(given[field.name]).astype(field.held, copy=False)
        feed[field.name] = array[:, None] if array.ndim == 1 and len(field.shape or ()) == 2 else array
    return feed


def _unzipped(value: Any) -> Any:
    """Probabilities as a list of {class: number}, which is what skl2onnx makes of them, as one array."""
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        return np.array([list(each.values()) for each in value])
    return value


def write_onnx(model: Any, path: Path, _sample: Any) -> None:
    """An .onnx file."""
    path.write_bytes(model.SerializeToString() if hasattr(model, "SerializeToString") else Path(model).read_bytes())


def read_onnx(path: Path, table: Table, _trust: Trust) -> Loaded:
    """An .onnx file."""
    return live_onnx(path, table["format"])
