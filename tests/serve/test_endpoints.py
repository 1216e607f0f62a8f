"""Every path of the service, asked as its users do: probes, people with curl, SageMaker, Vertex, KServe, proxies."""

from __future__ import annotations

import gzip
import importlib.util
import json
import shutil
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest

from shipwheel_serve import bundle
from support.serving import Serving, serving

MODELS = '''
import time
from pathlib import Path
from shipwheel_serve.schema import Field, Schema

FACTOR = 2.0


class Sums:
    """Doubles the sum of two columns."""

    row_wise = True
    schema = Schema(layout="array", inputs=(Field(name="input", dtype="float64", shape=(-1, 2)),), columns=("a", "b"))

    def predict(self, x):
        return x.sum(1) * FACTOR


class Late(Sums):
    def load(self):
        while not Path("go").exists():
            time.sleep(0.01)


class Broken(Sums):
    def load(self):
        raise OSError("weights.bin is cut off")


class Kept(Sums):
    def save(self, folder):
        (folder / "weights").write_text("none")

    def load(self, folder):
        (folder / "weights").read_text()
'''
NO_WAIT = {"SHIPWHEEL_DRAIN_DELAY_S": "0"}
LIMIT = 20_000
Answer = tuple[int, dict[str, str], bytes]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """Two workers."""
    folder = tmp_path_factory.mktemp("sums")
    (folder / "sums.py").write_text(MODELS)
    env = {**NO_WAIT, "SHIPWHEEL_WORKERS": "2", "SHIPWHEEL_MAX_PAYLOAD_SIZE": str(LIMIT)}
    with serving(folder, "sums:Sums", env) as found:
        found.wait()
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sums.py").write_text(MODELS)
    return tmp_path


def talk(service: Serving, *sent: bytes, heads: bool = False) -> list[Answer]:
    """Requests on one connection, written without waiting; an answer for each."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
        connection.sendall(b"".join(sent))
        with connection.makefile("rb") as stream:
            return [read(stream, head=heads) for _ in sent]


def read(stream: BinaryIO, *, head: bool = False) -> Answer:
    status = int(stream.readline().split()[1])
    lines = [line.decode("latin-1") for line in iter(stream.readline, b"\r\n")]
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return status, headers, b"" if head else stream.read(int(headers["content-length"]))


def request(path: str, body: bytes = b"", method: str = "POST", **headers: str) -> bytes:
    named = {
        "host": "x",
        "content-length": str(len(body)),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items() if value)
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


# paths


@pytest.mark.parametrize("path", ["/health", "/healthz", "/livez", "/v2/health/live"])
def test_the_process_lives(path: str, service: Serving) -> None:
    answer = service.ask(path)
    assert (answer.status, answer.json()) == (200, {"live": True})


@pytest.mark.parametrize("path", ["/ready", "/readyz", "/ping", "/v2/health/ready", "/v2/models/Sums/ready"])
def test_readiness_says_what_was_found(path: str, service: Serving) -> None:
    answer = service.ask(path)
    found = answer.json()
    assert (answer.status, found["ready"], found["state"], found["workers"]) == (200, True, "ready", {"ready": 2})
    assert found["golden"] == "absent"
    assert found["notes"] == ["the model has no golden answers: nothing says that it answers as in training"]
    assert found["model"]["name"] == "Sums"


@pytest.mark.parametrize(
    "path",
    [
        *("/startupz", "/", "/docs", "/metrics", "/openapi.json", "/v2", "/v2/models/Sums", "/v2/models/Sums/versions/1"),
        *("/v2/models/Sums/config", "/v2/models/Sums/stats", "/v2/models/stats", "/v1/models", "/v1/models/Sums", "/health"),
    ],
)
def test_get_and_head_and_a_slash_at_the_end(path: str, service: Serving) -> None:
    plain = service.ask(path)
    assert plain.status == 200
    assert service.ask(f"{path}/").status == 200
    assert service.ask(f"{path}?at=1").status == 200
    heads = talk(service, *[request(path, method="HEAD")] * 2, heads=True)  # a body would be taken for the second head
    for status, headers, _ in heads:
        assert (status, headers["content-type"]) == (200, plain.headers["content-type"])
        assert int(headers["content-length"]) > 0


@pytest.mark.parametrize(
    "path",
    [
        *("/nothing", "/v2/models/other", "/v2/models/Sums/versions/2", "/v2/models/Sums/versions", "/v2/models/Sums/x"),
        *("/v2/models/Sums/versions/1/ready/x", "/v2/models//ready", "/v2/models/a%2Fb", "/v2/repository", "/../etc", "/v1/x"),
    ],
)
def test_what_is_not_there(path: str, service: Serving) -> None:
    answer = service.ask(path)
    assert answer.status == 404
    assert list(answer.json()) == ["error"]


def test_a_method_that_a_path_does_not_take(service: Serving) -> None:
    asked = [
        (request("/predict", method="GET"), "POST"),
        (request("/v2/models/Sums/infer", method="DELETE"), "POST"),
        (request("/health", b"{}"), "GET, HEAD"),
        (request("/ready", method="OPTIONS"), "GET, HEAD"),
        (request("/v2/models/Sums", b"{}", method="PUT"), "GET, HEAD"),
    ]
    for (sent, allowed), (status, headers, body) in zip(asked, talk(service, *(each for each, _ in asked)), strict=True):
        assert (sent, status, headers["allow"]) == (sent, 405, allowed)
        assert list(json.loads(body)) == ["error"]


# predictions

ROWS = [[1.0, 2.0], [3.0, 4.5]]
SUMS = {"predictions": [6.0, 15.0]}


@pytest.mark.parametrize("path", ["/predict", "/invocations", "/v1/models/Sums:predict"])
@pytest.mark.parametrize(
    "body",
    [
        [{"a": 1, "b": 2}, {"b": 4.5, "a": 3}],
        {"instances": ROWS},
        {"columns": {"b": [2, 4.5], "a": [1, 3]}},
        {"inputs": ROWS},
        {"inputs": {"input": ROWS}},
        {"dataframe_split": {"columns": ["b", "a"], "index": [7, 8], "data": [[2, 1], [4.5, 3]]}},
        {"dataframe_records": [{"a": 1, "b": 2}, {"a": 3, "b": 4.5}]},
        ROWS,
    ],
    ids=str,
)
def test_json_in_every_form(path: str, body: Any, service: Serving) -> None:
    answer = service.ask(path, body)
    assert (answer.status, answer.json()) == (200, SUMS)
    assert answer.headers["content-type"] == "application/json"


def test_csv_with_and_without_a_header(service: Serving) -> None:
    for text in (b"b,a\n2,1\n4.5,3\n", b"1,2\r\n3,4.5"):
        answer = service.ask("/invocations", text, Content_Type="text/csv; charset=utf-8")
        assert (answer.status, answer.json()) == (200, SUMS)


def test_a_wrong_request_is_told_where(service: Serving) -> None:
    answer = service.ask("/predict", [{"a": 1, "b": "two"}])
    assert (answer.status, answer.json()) == (400, {"error": "'b' in row 0 must be a number, not the text \"two\""})
    for body in (b"", b"{", b"\xff", b"[]", b"null", b"3", b'"a"', b"[" * 1000, b"[[1e999,1]]"):
        answer = service.ask("/predict", body)
        assert (body, answer.status, list(answer.json())) == (body, 400, ["error"])


def test_request_ids_are_given_back_or_made(service: Serving) -> None:
    assert service.ask("/health", X_Request_ID="abc-1").headers["x-request-id"] == "abc-1"
    assert service.ask("/nothing", X_Request_ID="abc-2").headers["x-request-id"] == "abc-2"
    assert len(service.ask("/health", X_Request_ID="x" * 1000).headers["x-request-id"]) == 128
    made = {service.ask("/predict", ROWS).headers["x-request-id"] for _ in range(20)}
    assert len(made) == 20
    odd = talk(service, request("/health", method="GET", X_Request_ID="a\tb"))[0][1]["x-request-id"]
    assert "\t" not in odd


# connections


def test_requests_one_after_the_other_on_a_connection_that_stays(service: Serving) -> None:
    bodies = [json.dumps([[at, 1]]).encode() for at in range(50)]
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection, connection.makefile("rb") as stream:
        for at, body in enumerate(bodies):
            connection.sendall(request("/predict", body))
            assert json.loads(read(stream)[2]) == {"predictions": [2.0 * (at + 1)]}
    together = talk(service, *(request("/predict", body) for body in bodies))  # pipelined
    assert [json.loads(body)["predictions"] for _, _, body in together] == [[2.0 * (at + 1)] for at in range(50)]


def test_a_body_in_chunks(service: Serving) -> None:
    body = json.dumps(ROWS).encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:3], body[3:4], body[4:])) + b"0\r\n\r\n"
    head = request("/predict", transfer_encoding="chunked", content_length="")
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection, connection.makefile("rb") as stream:
        for part in (head, *(chunks[at : at + 7] for at in range(0, len(chunks), 7))):
            connection.sendall(part)
            time.sleep(0.005)
        status, _, answer = read(stream)
        assert (status, json.loads(answer)) == (200, SUMS)
        connection.sendall(request("/predict", body))
        assert read(stream)[0] == 200


def test_compressed_bodies(service: Serving) -> None:
    body = json.dumps(ROWS).encode()
    for encoding, packed in (("gzip", gzip.compress(body)), ("GZIP", gzip.compress(body)), ("deflate", zlib.compress(body))):
        assert service.ask("/predict", packed, Content_Encoding=encoding).json() == SUMS
    assert service.ask("/predict", body, Content_Encoding="identity").json() == SUMS
    for encoding, wrong in (("gzip", body), ("gzip", gzip.compress(body)[:-9]), ("br", body), ("deflate", b"")):
        answer = service.ask("/predict", wrong, Content_Encoding=encoding)
        assert (answer.status, list(answer.json())) == (400, ["error"])
    bomb = gzip.compress(bytes(1_000_000))
    assert len(bomb) < LIMIT
    assert service.ask("/predict", bomb, Content_Encoding="gzip").status == 413


def test_a_body_over_the_limit_is_refused_before_all_of_it_has_come(service: Serving) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection, connection.makefile("rb") as stream:
        connection.sendall(request("/predict", content_length=str(LIMIT + 1), expect="100-continue"))
        assert read(stream)[0] == 413
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection, connection.makefile("rb") as stream:
        connection.sendall(request("/predict", transfer_encoding="chunked", content_length=""))
        for _ in range(21):
            connection.sendall(b"3e8\r\n" + b" " * 1000 + b"\r\n")
        status, _, body = read(stream)  # while more could follow
        assert (status, json.loads(body)) == (413, {"error": f"the body is over {LIMIT} bytes"})
    assert service.ask("/predict", b" " * (LIMIT - 13) + b"[[1.0,2.0]]").status == 200


# metrics


def test_metrics_of_two_workers_add_up_whoever_answers(service: Serving) -> None:
    def counts(text: str) -> dict[str, float]:
        lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in lines}

    route = 'http_request_method="POST",http_response_status_code="{}",http_route="/predict"'
    names = {
        f"http_server_request_duration_seconds_count{{{route.format(200)}}}": 30,
        f"http_server_request_duration_seconds_count{{{route.format(400)}}}": 10,
        'model_infer_requests_total{model="Sums",status="success",version="1"}': 30,
        'model_infer_requests_total{model="Sums",status="fail",version="1"}': 10,
    }
    before = counts(service.ask("/metrics").body.decode())
    for at in range(40):
        assert service.ask("/predict", ROWS if at % 4 else [["x", 1]]).status == (200 if at % 4 else 400)
    for _ in range(8):
        now = counts(service.ask("/metrics").body.decode())
        assert {name: now[name] - before.get(name, 0) for name in names} == names
        assert now["model_ready"] == 1
        assert now["http_server_active_requests"] == 1  # this one
    answer = service.ask("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.body.endswith(b"# EOF\n")
    now = counts(answer.body.decode())
    assert {name: now[name] - before.get(name, 0) for name in names} == names
    assert service.ask("/metrics").headers["content-type"].startswith("text/plain")


def test_a_service_leaves_nothing_in_the_folder_for_temporary_files(folder: Path, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with serving(folder, "sums:Sums", {"SHIPWHEEL_WORKERS": "2", "TMPDIR": str(temporary)}) as service:
        service.wait()
        assert service.stop() == 0
    assert not list(temporary.iterdir())


# not ready


def test_while_the_model_loads_nothing_but_predictions_is_refused(folder: Path) -> None:
    with serving(folder, "sums:Late", NO_WAIT) as late:
        deadline = time.monotonic() + 30
        while (found := late.ask("/ready")).json()["state"] == "starting":
            assert time.monotonic() < deadline
        assert (found.status, found.json()["state"], found.json()["reasons"]) == (
            503,
            "loading",
            ["loading: 0 of 1 workers are ready"],
        )
        for path in ("/health", "/v2", "/metrics", "/openapi.json", "/", "/v2/models/stats", "/v1/models"):
            assert late.ask(path).status == 200
        assert late.ask("/startupz").status == 503
        name = late.ask("/v1/models").json()["models"][0]
        for path in ("/predict", "/invocations", f"/v2/models/{name}/infer", f"/v1/models/{name}:predict"):
            answer = late.ask(path, ROWS)
            assert (path, answer.status, answer.headers["retry-after"]) == (path, 503, "1")
            assert answer.json() == {"error": "the model is not ready yet (loading)"}
        for path in (f"/v2/models/{name}", f"/v2/models/{name}/ready", f"/v1/models/{name}"):
            assert late.ask(path).status == 503
        assert b"\nmodel_ready 0.0" in late.ask("/metrics").body
        (folder / "go").touch()
        late.wait()
        assert late.ask("/predict", ROWS).json() == SUMS
        assert late.ask("/startupz").status == 200


def test_a_model_that_cannot_be_loaded_says_why_and_the_process_lives(folder: Path) -> None:
    with serving(folder, "sums:Broken", NO_WAIT) as broken:
        found = broken.wait("failed")
        why = "the model cannot be loaded: OSError: weights.bin is cut off"
        assert found["reasons"] == [why]
        assert broken.ask("/ready").status == 503
        assert broken.ask("/health").status == 200
        assert broken.ask("/startupz").status == 200
        answer = broken.ask("/predict", ROWS)
        assert (answer.status, answer.json()) == (503, {"error": why})
        assert [line["level"] for line in broken.lines if line["message"] == why] == ["error"]


@pytest.fixture
def changed(folder: Path) -> Path:
    """A bundle, and code that gives other answers since."""
    spec = importlib.util.spec_from_file_location("sums", folder / "sums.py")
    assert spec
    assert spec.loader
    module = sys.modules["sums"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    bundle.save(folder / "kept", module.Kept(), inputs=np.array(ROWS), name="kept")
    del sys.modules["sums"]
    (folder / "sums.py").write_text(MODELS.replace("FACTOR = 2.0", "FACTOR = 2.5"))
    shutil.rmtree(folder / "__pycache__", ignore_errors=True)  # of the same second and size, so Python would take it
    return folder


def test_golden_answers_that_differ(changed: Path) -> None:
    with serving(changed, "kept", NO_WAIT) as strict:
        found = strict.wait("failed")
        assert (found["golden"], found["rows"], found["max_error"]) == ("failed", 2, 3.75)
        [reason] = found["reasons"]
        assert "'output'" in reason
        assert "3.75" in reason
        refused = strict.ask("/predict", ROWS)
        assert (refused.status, refused.json()) == (503, {"error": reason})
    with serving(changed, "kept", {**NO_WAIT, "SHIPWHEEL_GOLDEN": "warn"}) as warned:
        found = warned.wait()
        assert (found["golden"], found["reasons"]) == ("failed", [])
        assert reason in found["notes"]
        assert warned.ask("/predict", ROWS).json() == {"predictions": [7.5, 18.75]}


# settings


def test_names_that_vertex_and_others_use(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    env = {
        **NO_WAIT,
        "PORT": str(port),
        "SHIPWHEEL_MODEL": "sums:Sums",
        "AIP_HEALTH_ROUTE": "/v1/endpoints/7/deployedModels/9",
        "AIP_PREDICT_ROUTE": "/v1/endpoints/7/deployedModels/9:predict/",
    }
    with serving(folder, "", env, arguments=["--host", "127.0.0.1"]) as vertex:
        assert vertex.port == port
        vertex.wait()
        assert vertex.ask(env["AIP_HEALTH_ROUTE"]).json()["ready"]
        assert vertex.ask(env["AIP_PREDICT_ROUTE"], {"instances": ROWS}).json() == SUMS
        assert vertex.ask("/predict", ROWS).json() == SUMS


def test_a_mounted_model(changed: Path, tmp_path: Path) -> None:
    mounted = tmp_path / "mnt" / "models"
    mounted.parent.mkdir()
    (changed / "kept").rename(mounted)
    (changed / "sums.py").write_text(MODELS)
    (changed / "shipwheel.json").write_text(
        json.dumps({"format": 1, "model": "kept", "delivery": "mount", "mount": str(mounted), "workers": 2})
    )
    with serving(changed, "", NO_WAIT) as service:
        found = service.wait()
        assert (found["golden"], found["workers"], found["model"]["name"]) == ("passed", {"ready": 2}, "kept")
        assert service.ask("/v2/models/kept/ready").status == 200


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "shipwheel_serve", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert not done.stdout
    return done.returncode, done.stderr


def test_all_mistakes_of_the_settings_are_told_at_once(folder: Path) -> None:
    table = {"model": 3, "port": "eighty", "golden": "maybe", "modle": "x", "workers": -1, "allow_globals": "all"}
    (folder / "shipwheel.json").write_text(json.dumps(table))
    status, text = run(folder)
    assert status == 1
    assert text.startswith("error: ")
    assert "\nhint: " in text
    for name in table:
        assert name in text
    (folder / "shipwheel.json").write_text("{")
    assert run(folder)[0] == 1


def test_a_port_that_is_taken(folder: Path, service: Serving) -> None:
    status, text = run(folder, "--model", "sums:Sums", "--host", "127.0.0.1", "--port", str(service.port))
    assert status == 1
    assert text.startswith(f"error: cannot listen on 127.0.0.1:{service.port}: Address already in use")
    assert text.endswith("\nhint: choose another port\n")


def test_a_caller_that_leaves_within_the_body_is_not_predicted_for(tmp_path: Path) -> None:
    (tmp_path / "first.py").write_text("class First:\n    def predict(self, rows):\n        return rows[:, 0]\n")
    refused = 'http_response_status_code="400",http_route="/predict"} 1.0'
    with serving(tmp_path, "first:First") as service:
        service.wait()
        with socket.create_connection(("127.0.0.1", service.port)) as connection:
            connection.sendall(b'POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{"inputs": [[1, 2]]}')
            time.sleep(0.1)
        deadline = time.monotonic() + 10
        while refused not in (metrics := service.ask("/metrics").body.decode()):
            assert time.monotonic() < deadline, metrics
            time.sleep(0.02)
        assert 'status="success"' not in metrics
