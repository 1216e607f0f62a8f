from __future__ import annotations

from typing import Any

import jsonschema_rs
import numpy as np
import orjson
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from shipwheel_serve import codec, oip, openapi
from shipwheel_serve.schema import Field, Schema

SCHEMAS = {
    "matrix": Schema(layout="array", inputs=(Field(name="input", dtype="float32", shape=(-1, 3)),)),
    "texts": Schema(layout="array", inputs=(Field(name="input", dtype="string"),)),
    "frame": Schema(
        layout="frame",
        inputs=(
            Field(name="age", dtype="float64", nullable=True),
            Field(name="count", dtype="int8"),
            Field(name="kind", dtype="category", categories=("red", "blue"), nullable=True),
            Field(name="day", dtype="datetime64[ns]"),
            Field(name="zoned", dtype="datetime64[us]", pandas="datetime64[us, UTC]"),
            Field(name="span", dtype="timedelta64[s]"),
            Field(name="note", dtype="string"),
            Field(name="flag", dtype="bool"),
        ),
        outputs=(Field(name="label", dtype="string"), Field(name="score", dtype="float64", shape=(-1, 2))),
    ),
    "tensors": Schema(
        layout="tensors",
        inputs=(Field(name="a", dtype="bfloat16", shape=(-1, 2, 2)), Field(name="b", dtype="uint64")),
        outputs=(Field(name="output", dtype="float32", shape=(-1, 2)),),
    ),
}


def document(schema: Schema | None, name: str = "wine") -> dict[str, Any]:
    sample = codec.sample(schema) if schema else b""
    table: dict[str, Any] = orjson.loads(orjson.dumps(openapi.document(name, "1", schema, sample)))
    return table


def posted(table: dict[str, Any], path: str) -> dict[str, Any]:
    media: dict[str, Any] = table["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    return media


@pytest.mark.parametrize("schema", [*SCHEMAS.values(), None], ids=[*SCHEMAS, "unknown"])
def test_schemathesis_reads_every_operation(schema: Schema | None) -> None:
    loaded = schemathesis.openapi.from_dict(document(schema))
    assert all(found.ok() for found in loaded.get_all_operations())
    assert len(list(loaded.get_all_operations())) == sum(len(each) for each in document(schema)["paths"].values())


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_examples_fit_their_schema_and_are_taken(schema: Schema) -> None:
    table = document(schema)
    for path, decode in (
        ("/predict", lambda body: codec.decode(body, schema)),
        ("/v1/models/wine:predict", lambda body: codec.decode(body, schema)),
        ("/v2/models/wine/infer", lambda body: oip.decode_infer(body, None, schema).arrays),
    ):
        media = posted(table, path)
        jsonschema_rs.validator_for(media["schema"]).validate(media["example"])
        assert list(decode(orjson.dumps(media["example"]))) == [each.name for each in schema.inputs]


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_whatever_the_document_allows_is_taken(schema: Schema) -> None:
    operation = schemathesis.openapi.from_dict(document(schema))["/predict"]["POST"]

    @settings(max_examples=25, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck), database=None)
    @given(operation.as_strategy())
    def check(case: Any) -> None:
        codec.decode(orjson.dumps(case.body), schema)

    check()


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_answers_fit_the_document(schema: Schema) -> None:
    row = codec.decode(codec.sample(schema), schema)
    outputs = {each.name: np.zeros([1, *(each.shape or ())[1:]]) for each in schema.outputs} or {"output": np.zeros(1)}
    outputs |= {name: np.array(["x"], object) for name in outputs if name == "label"}
    answers = document(schema)["paths"]["/predict"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema_rs.validator_for(answers).validate(orjson.loads(codec.encode(outputs, schema)))
    body, _ = oip.encode_infer(oip.InferRequest(arrays=row), outputs, schema, "wine", "1")
    infer = document(schema)["paths"]["/v2/models/wine/infer"]["post"]["responses"]["200"]["content"]["application/json"]
    jsonschema_rs.validator_for(infer["schema"]).validate(orjson.loads(body))


def test_the_models_own_schema_is_there() -> None:
    rows = posted(document(SCHEMAS["frame"]), "/predict")["schema"]["anyOf"][0]["items"]
    assert rows["additionalProperties"] is False
    assert rows["properties"]["kind"] == {"enum": ["red", "blue", None]}
    assert rows["properties"]["count"] == {"type": "integer", "minimum": -128, "maximum": 127}
    assert rows["properties"]["age"]["type"] == ["number", "null"]
    matrix = posted(document(SCHEMAS["matrix"]), "/predict")["schema"]["anyOf"][0]["items"]
    assert (matrix["minItems"], matrix["maxItems"]) == (3, 3)


@pytest.mark.parametrize(
    "path",
    [
        *("/predict", "/invocations", "/health", "/ready", "/startupz", "/livez", "/readyz", "/healthz", "/ping", "/metrics"),
        *("/openapi.json", "/v2", "/v2/health/live", "/v2/health/ready", "/v2/repository/index"),
        *("/v2/models/wine", "/v2/models/wine/ready", "/v2/models/wine/infer", "/v2/models/wine/config"),
        *("/v2/models/wine/stats", "/v2/models/wine/versions/1", "/v2/models/wine/versions/1/infer"),
        *("/v2/repository/models/wine/load", "/v2/repository/models/wine/unload"),
        *("/v1/models/wine", "/v1/models/wine:predict"),
    ],
)
def test_every_path_is_there(path: str) -> None:
    for schema in (SCHEMAS["frame"], None):
        for operation in document(schema)["paths"][path].values():
            assert operation["responses"]
            for status, response in operation["responses"].items():
                if int(status) >= 400 and "$ref" in response["content"]["application/json"]["schema"]:
                    assert response["content"]["application/json"]["schema"]["$ref"] == "#/components/schemas/Error"


def test_predictions_tell_every_status() -> None:
    paths = document(SCHEMAS["frame"])["paths"]
    assert set(paths["/predict"]["post"]["responses"]) == {"200", "400", "413", "429", "500", "503", "504"}
    assert set(paths["/v2/models/wine/infer"]["post"]["responses"]) == {"200", "400", "404", "413", "429", "500", "503", "504"}


def test_a_name_is_quoted_in_paths_and_operations_have_ids_of_their_own() -> None:
    table = document(SCHEMAS["matrix"], "my {model}")
    assert "/v2/models/my%20%7Bmodel%7D/infer" in table["paths"]
    ids = [operation["operationId"] for methods in table["paths"].values() for operation in methods.values()]
    assert len(ids) == len(set(ids))


def test_a_sample_that_does_not_fit_gives_no_example() -> None:
    assert "example" not in posted(openapi.document("wine", "1", SCHEMAS["matrix"], b"[[1]]"), "/predict")
