"""Clients that others wrote, against real services."""

from __future__ import annotations

import asyncio
import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
import yaml
from tritonclient.utils import InferenceServerException

from support import bundles
from support.serving import Serving, serving

KINDS = {
    **{"bool": np.bool_, "float16": np.float16, "float32": np.float32, "float64": np.float64, "string": np.object_},
    **{f"{sign}int{bits}": np.dtype(f"{sign}int{bits}").type for sign in ("", "u") for bits in (8, 16, 32, 64)},
}


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Serving]]:
    """A service of each model, all started at the same time."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "every.py").write_text(bundles.EVERY)
    bundles.iris(folder)
    bundles.people(folder)
    models = {"iris": "iris", "people": "people", "Every": "every:Every", "Wide": "every:Wide"}
    with ExitStack() as stack:
        found = {
            name: stack.enter_context(serving(folder, model, {"SHIPWHEEL_DRAIN_DELAY_S": "0"}))
            for name, model in models.items()
        }
        for service in found.values():
            service.wait()
        yield found


@pytest.fixture
def iris(services: dict[str, Serving]) -> Iterator[Any]:
    with client(services["iris"]) as found:
        yield found


def client(service: Serving) -> Any:
    return triton.InferenceServerClient(f"127.0.0.1:{service.port}", concurrency=4)


def given_tensor(name: str, kind: str, array: np.ndarray, *, binary: bool = True) -> Any:
    tensor = triton.InferInput(name, list(array.shape), kind)
    tensor.set_data_from_numpy(array, binary_data=binary)
    return tensor


def flowers(rows: int = 3, *, binary: bool = True) -> Any:
    array = np.array([[5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5], [5.9, 2.8, 4.3, 1.3]] * rows)[:rows]
    return given_tensor("input", "FP64", array, binary=binary)


def refused(call: Any, *args: Any, **kwargs: Any) -> tuple[str, str]:
    """Status and sentence."""
    with pytest.raises(InferenceServerException) as caught:
        call(*args, **kwargs)
    return caught.value.status(), caught.value.message()


def test_a_client_learns_about_server_and_model(iris: Any) -> None:
    assert iris.is_server_live()
    assert iris.is_server_ready()
    assert iris.is_model_ready("iris")
    assert iris.is_model_ready("iris", "1")
    assert not iris.is_model_ready("iris", "2")
    assert not iris.is_model_ready("wine")
    server = iris.get_server_metadata()
    assert server["name"] == "shipwheel-serve"
    assert "binary_tensor_data" in server["extensions"]
    model = iris.get_model_metadata("iris")
    assert model["inputs"] == [{"name": "input", "datatype": "FP64", "shape": [-1, 4]}]
    assert model["outputs"] == [
        {"name": "species", "datatype": "BYTES", "shape": [-1]},
        {"name": "probability", "datatype": "FP64", "shape": [-1, 3]},
    ]
    assert iris.get_model_metadata("iris", "1") == model
    config = iris.get_model_config("iris", "1")
    assert config["input"] == [{"name": "input", "data_type": "TYPE_FP64", "dims": [-1, 4]}]
    assert [each["data_type"] for each in config["output"]] == ["TYPE_STRING", "TYPE_FP64"]
    assert iris.get_model_repository_index() == [{"name": "iris", "version": "1", "state": "READY", "reason": ""}]


def test_a_model_is_loaded_already_and_stays(iris: Any) -> None:
    iris.load_model("iris")
    assert refused(iris.unload_model, "iris") == (
        "400",
        "this service has one model, which stays loaded: stop the service instead",
    )
    assert iris.is_model_ready("iris")
    wrong = ("404", "this service has the model 'iris', version 1")
    assert refused(iris.load_model, "wine") == wrong
    assert refused(iris.get_model_metadata, "wine") == wrong
    assert refused(iris.get_model_config, "iris", "7") == wrong
    assert refused(iris.infer, "iris", [flowers()], model_version="7") == wrong


def test_statistics_count_predictions(iris: Any) -> None:
    def count() -> tuple[int, int]:
        (stats,) = iris.get_inference_statistics("iris")["model_stats"]
        assert iris.get_inference_statistics()["model_stats"] == [stats]
        return stats["inference_stats"]["success"]["count"], stats["inference_stats"]["fail"]["count"]

    right, wrong = count()
    iris.infer("iris", [flowers()])
    refused(iris.infer, "iris", [])
    assert count() == (right + 1, wrong + 1)


@pytest.mark.parametrize(("sent", "wanted"), list(product([True, False], repeat=2)))
def test_tensors_as_bytes_and_as_json_both_ways(sent: bool, wanted: bool, iris: Any) -> None:
    outputs = [triton.InferRequestedOutput(name, binary_data=wanted) for name in ("probability", "species")]
    result = iris.infer("iris", [flowers(binary=sent)], outputs=outputs, request_id="ab-1")
    answer = result.get_response()
    assert (answer["id"], answer["model_name"], answer["model_version"]) == ("ab-1", "iris", "1")
    assert [each["name"] for each in answer["outputs"]] == ["probability", "species"]
    assert all(("parameters" in each) is wanted for each in answer["outputs"])
    species, probability = result.as_numpy("species"), result.as_numpy("probability")
    assert [each if isinstance(each, str) else each.decode() for each in species] == ["setosa", "virginica", "versicolor"]
    assert probability.shape == (3, 3)
    np.testing.assert_allclose(probability.sum(1), 1)
    assert list(probability.argmax(1)) == [0, 2, 1]


def test_outputs_that_nobody_names_all_come_as_bytes(iris: Any) -> None:
    result = iris.infer("iris", [flowers(1)])
    assert [each["name"] for each in result.get_response()["outputs"]] == ["species", "probability"]
    assert result.as_numpy("species").tolist() == [b"setosa"]
    assert result.as_numpy("probability").shape == (1, 3)
    only = iris.infer("iris", [flowers(1)], outputs=[triton.InferRequestedOutput("species")])
    assert only.as_numpy("probability") is None


@pytest.mark.parametrize("how", ["gzip", "deflate"])
def test_compressed_requests(how: str, iris: Any) -> None:
    plain = iris.infer("iris", [flowers()]).as_numpy("probability")
    for binary in (True, False):
        result = iris.infer(
            "iris", [flowers(binary=binary)], request_compression_algorithm=how, response_compression_algorithm=how
        )
        np.testing.assert_array_equal(result.as_numpy("probability"), plain)


def test_many_requests_at_the_same_time(iris: Any) -> None:
    waiting = [iris.async_infer("iris", [flowers(1 + at % 5)], request_id=str(at)) for at in range(40)]
    for at, each in enumerate(waiting):
        result = each.get_result()
        assert result.get_response()["id"] == str(at)
        assert result.as_numpy("probability").shape == (1 + at % 5, 3)


def test_the_client_for_asyncio(services: dict[str, Serving]) -> None:
    async def ask() -> None:
        async with triton_aio.InferenceServerClient(f"127.0.0.1:{services['iris'].port}") as found:
            assert await found.is_server_ready()
            calls = [found.infer("iris", [flowers()], request_compression_algorithm="gzip", priority=1) for _ in range(10)]
            for result in await asyncio.gather(*calls):
                assert result.as_numpy("probability").shape == (3, 3)
            with pytest.raises(InferenceServerException, match="this service has the model 'iris'"):
                await found.infer("wine", [flowers()])

    asyncio.run(ask())


def test_what_does_not_fit_is_refused_with_a_sentence(iris: Any) -> None:
    def infer(name: str, kind: str, array: np.ndarray, *, binary: bool) -> tuple[str, str]:
        return refused(iris.infer, "iris", [given_tensor(name, kind, array, binary=binary)])

    for binary in (True, False):
        assert infer("input", "FP64", np.zeros((2, 3)), binary=binary) == (
            "400",
            "'input' must have shape [rows, 4], not [2, 3]",
        )
        status, text = infer("input", "FP32", np.zeros((2, 4), np.float32), binary=binary)
        assert (status, text) == ("400", "'input' has datatype FP32, the model takes FP64")
        assert infer("x", "FP64", np.zeros((2, 4)), binary=binary) == (
            "400",
            "the input 'x' is unknown: the model takes input",
        )
    assert refused(iris.infer, "iris", []) == ("400", "the input 'input' is missing: the model takes input")
    status, text = refused(iris.infer, "iris", [flowers()], outputs=[triton.InferRequestedOutput("label")])
    assert (status, text) == ("400", "the output 'label' is unknown: the model gives species, probability")
    few = triton.InferInput("input", [5, 4], "FP64")
    few._raw_data = bytes(96)  # what a client that miscounts would send
    few._parameters["binary_data_size"] = 96
    assert refused(iris.infer, "iris", [few])[0] == "400"
    shared = triton.InferInput("input", [1, 4], "FP64")
    shared.set_shared_memory("region", 32)
    status, text = refused(iris.infer, "iris", [shared])
    assert (status, text) == ("400", "'input' has neither data nor binary_data_size: shared memory is not supported")


@pytest.mark.parametrize("binary", [True, False])
def test_a_frame_takes_a_tensor_for_each_column(binary: bool, services: dict[str, Serving]) -> None:
    rows: dict[str, tuple[str, Any]] = {
        "height": ("FP64", np.array([170.5, 180.0])),
        "children": ("INT64", np.array([1, 2])),
        "colour": ("BYTES", np.array(["red", "green"], object)),
        "city": ("BYTES", np.array(["Köln", "Paris"], object)),
        "joined": ("BYTES", np.array(["2020-05-31", "2021-01-01T12:00:00"], object)),
    }
    with client(services["people"]) as people:
        for shape in ([2], [2, 1]):
            tensors = [given_tensor(name, kind, values.reshape(shape), binary=binary) for name, (kind, values) in rows.items()]
            got = people.infer("people", tensors, model_version="2").as_numpy("output")
            records = [
                {name: values[at] if kind == "BYTES" else values[at].item() for name, (kind, values) in rows.items()}
                for at in range(2)
            ]
            assert got.tolist() == services["people"].ask("/predict", records).json()["predictions"]
        blue = given_tensor("colour", "BYTES", np.array([b"red", b"blue"], object), binary=binary)
        tensors = [blue if each.name() == "colour" else each for each in tensors]
        assert refused(people.infer, "people", tensors) == (
            "400",
            "'colour' in row 1 must be one of red, green, not the text \"blue\"",
        )


@pytest.mark.parametrize(("sent", "wanted"), list(product([True, False], repeat=2)))
def test_every_datatype_there_and_back(sent: bool, wanted: bool, services: dict[str, Serving]) -> None:
    arrays = {name: np.array([[0, 1], [1, 0], [1, 1]]).astype(kind) for name, kind in KINDS.items()}
    arrays["string"] = np.array([["", "a"], ["ü€", "\n\0"], ["x" * 300, "1"]], object)
    arrays["float64"][0, 0], arrays["uint64"][0, 0], arrays["int64"][0, 0] = 0.1, 2**64 - 1, -(2**63)
    brain = triton.InferInput("bfloat16", [3, 2], "BF16")  # for which the client wants a package of its own
    brain._raw_data = np.array([[0.5, 1.25], [-2.0, 3.0], [0.0, -0.0]], "<f4").view("<u2")[:, 1::2].tobytes()
    brain._parameters["binary_data_size"] = 12
    with client(services["Every"]) as every:
        inputs = [given_tensor(name, _kind(name), array, binary=sent) for name, array in arrays.items()]
        outputs = [triton.InferRequestedOutput(name, binary_data=wanted) for name in arrays]
        outputs.append(triton.InferRequestedOutput("bfloat16", binary_data=False))
        result = every.infer("Every", [*inputs, brain], outputs=outputs)
    for name, array in arrays.items():
        got = result.as_numpy(name)
        if name == "string" and wanted:
            got = np.array([each.decode() for each in got.flat], object).reshape(got.shape)
        np.testing.assert_array_equal(got, array, strict=name != "string")
    assert result.get_output("bfloat16")["data"] == [0.5, 1.25, -2.0, 3.0, 0.0, -0.0]


def _kind(name: str) -> str:
    return {"string": "BYTES"}.get(name, name.upper().replace("FLOAT", "FP"))


def test_large_tensors(services: dict[str, Serving]) -> None:
    array = np.random.default_rng(1).normal(size=(2048, 1024)).astype(np.float32)
    assert array.nbytes == 8 << 20
    with client(services["Wide"]) as wide:
        result = wide.infer("Wide", [given_tensor("input", "FP32", array)])
        np.testing.assert_array_equal(result.as_numpy("output"), -array)


# schemathesis: whatever a document allows and does not allow is asked, and each answer must be one that the document has

HERE = Path(__file__).parent

SCHEMATHESIS = """
seed = 20240531
continue-on-failure = true
phases.stateful.enabled = false
generation.max-examples = 30
generation.database = "none"
"""

OURS = """
[[operations]]
include-path-regex = "/infer$"  # JSON Schema cannot say that data has as many values as shape
checks.positive_data_acceptance.enabled = false

[[operations]]
include-path-regex = "/unload$"  # always refused
checks.positive_data_acceptance.enabled = false
"""

PROTOCOL = """
[checks]  # nothing is known of the model, so that what the document allows may still be refused
positive_data_acceptance.enabled = false
negative_data_rejection.enabled = false
"""


def conforms(document: str | Path, config: str, service: Serving, folder: Path) -> None:
    (folder / "schemathesis.toml").write_text(SCHEMATHESIS + config)
    program = Path(sys.executable).parent / "schemathesis"
    command = [program, "run", document, "--url", service.url, "--no-color"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not [line for line in service.lines if line.get("level") == "error"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["iris", "people", "Every"])
def test_our_own_document_says_what_happens(name: str, services: dict[str, Serving], tmp_path: Path) -> None:
    service = services[name]
    conforms(f"{service.url}/openapi.json", OURS, service, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["iris", "people"])
def test_the_open_inference_protocol_as_others_describe_it(name: str, services: dict[str, Serving], tmp_path: Path) -> None:
    document: Any = yaml.safe_load((HERE / "oip.yaml").read_text())
    service, parts = services[name], document["components"]
    schemas = parts["schemas"]
    body = service.ask("/openapi.json").json()["paths"][f"/v2/models/{name}/infer"]["post"]["requestBody"]
    example = body["content"]["application/json"]["example"]
    names = [each["name"] for each in example["inputs"]]
    parts["parameters"]["model_name"]["schema"] = {"enum": [name, "nobody", "a b", "ü"]}  # chance would never find it
    parts["parameters"]["model_version"]["schema"] = {"enum": ["1", "2", "01", "-"]}
    schemas["Request"]["example"] = example
    schemas["Input"] = copy.deepcopy(schemas["Tensor"])
    schemas["Input"]["properties"]["name"] = {"enum": [*names, "other"]}
    schemas["Request"]["properties"]["inputs"]["items"] = {"$ref": "#/components/schemas/Input"}
    (tmp_path / "oip.json").write_text(json.dumps(document))
    conforms(tmp_path / "oip.json", PROTOCOL, service, tmp_path)
