"""What Prometheus reads: names and labels, and that several workers' values add up, whichever of them die."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import REGISTRY, values
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from shipwheel_serve.metrics import Metrics
from shipwheel_serve.model import Mismatch, Model, Report
from shipwheel_serve.schema import Schema


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    monkeypatch.setattr(values, "ValueClass", values.MutexValue)
    return


def read(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return parse(metrics.render()[0].decode())


def parse(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(text)
    return {(each.name, tuple(sorted(each.labels.items()))): each.value for family in families for each in family.samples}


def model() -> Model:
    return Model(
        name="wine", version="2", library="scikit-learn", format="skops", schema=Schema(layout="array", inputs=()), predict=dict
    )


def one_request(metrics: Metrics) -> None:
    metrics.active(1)
    metrics.queue(1)
    metrics.batch(3)
    for phase in ("queue", "preprocess", "predict", "postprocess"):
        metrics.phase(phase, 0.0004)
    metrics.infer("success")
    metrics.active(-1)
    metrics.request("POST", "/predict", 200, 0.0007)


def test_names_labels_and_values_of_everything() -> None:
    metrics = Metrics()
    metrics.loaded(model(), 1.5)
    one_request(metrics)
    metrics.rejected("queue_full")
    metrics.ready(True)
    metrics.golden(Report(state="ready", golden="passed", max_error=2e-7))
    metrics.mismatches([Mismatch(package="pandas", trained="1.5.3", here="2.0.3")])
    found = read(metrics)
    http = (("http_request_method", "POST"), ("http_response_status_code", "200"), ("http_route", "/predict"))
    name = (("model", "wine"), ("version", "2"))
    expected = {
        ("http_server_request_duration_seconds_count", http): 1,
        ("http_server_request_duration_seconds_sum", http): 0.0007,
        ("http_server_active_requests", ()): 0,
        ("model_infer_requests_total", (name[0], ("status", "success"), name[1])): 1,
        ("model_infer_duration_seconds_count", (("phase", "predict"),)): 1,
        ("model_infer_duration_seconds_sum", (("phase", "queue"),)): 0.0004,
        ("model_batch_size_sum", ()): 3,
        ("model_queue_depth", ()): 1,
        ("model_requests_rejected_total", (("reason", "queue_full"),)): 1,
        ("model_ready", ()): 1,
        ("model_load_duration_seconds", ()): 1.5,
        ("model_golden_max_abs_error", ()): 2e-7,
        ("model_golden_checks_total", (("result", "passed"),)): 1,
        ("model_env_mismatch", (("package", "pandas"),)): 1,
        ("model_info", (("library", "scikit-learn"), *name)): 1,
    }
    assert {key: found.get(key) for key in expected} == expected


@pytest.mark.parametrize(
    ("seconds", "first"), [(0.0, "0.0005"), (0.0005, "0.0005"), (0.00051, "0.001"), (60.0, "60.0"), (61.0, "+Inf")]
)
def test_an_observation_lies_in_every_bucket_from_its_own_upwards(seconds: float, first: str) -> None:
    metrics = Metrics()
    metrics.phase("predict", seconds)
    counts = [
        (dict(labels)["le"], value)
        for (name, labels), value in read(metrics).items()
        if name == "model_infer_duration_seconds_bucket" and ("phase", "predict") in labels
    ]
    assert len(counts) == 17
    assert next(bound for bound, value in counts if value) == first
    assert counts[-1] == ("+Inf", 1)


def test_without_golden_answers_there_is_no_error_and_nothing_passed() -> None:
    metrics = Metrics()
    metrics.golden(Report(state="ready", golden="absent"))
    found = read(metrics)
    assert found[("model_golden_checks_total", (("result", "absent"),))] == 1
    assert not [name for name, _ in found if name == "model_golden_max_abs_error"]


def test_methods_that_a_caller_made_up_share_one_label() -> None:
    metrics = Metrics()
    for method in ("BREW", "PROPFIND"):
        metrics.request(method, "other", 405, 0.1)
    (labels,) = {labels for name, labels in read(metrics) if name == "http_server_request_duration_seconds_count"}
    assert dict(labels)["http_request_method"] == "_OTHER"


def test_process_metrics_and_those_of_the_users_code_are_there() -> None:
    from prometheus_client import Counter

    own = Counter("my_own_things", "of the user's model")
    try:
        own.inc(4)
        found = read(Metrics())
        assert found["my_own_things_total", ()] == 4
        assert found["process_resident_memory_bytes", ()] > 1 << 20
    finally:
        REGISTRY.unregister(own)


def test_openmetrics_for_who_asks_for_it() -> None:
    metrics = Metrics()
    one_request(metrics)
    body, kind = metrics.render("application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert kind.startswith("application/openmetrics-text")
    assert list(parse_openmetrics(body.decode()))
    assert metrics.render("*/*")[1].startswith("text/plain")


def test_without_a_gpu_its_metrics_are_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    import pynvml

    monkeypatch.setattr(pynvml, "nvmlInit", _no_driver)
    assert b"gpu_" not in Metrics().render()[0]


def test_a_gpu_shows_what_nvml_says_and_leaves_out_what_it_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    import pynvml

    def no_power(_: Any) -> int:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)

    answers = {
        "nvmlInit": lambda: None,
        "nvmlDeviceGetCount": lambda: 1,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetUUID": lambda _: "GPU-1",
        "nvmlDeviceGetUtilizationRates": lambda _: SimpleNamespace(gpu=37),
        "nvmlDeviceGetMemoryInfo": lambda _: SimpleNamespace(used=5, total=8),
        "nvmlDeviceGetPowerUsage": no_power,
    }
    for name, answer in answers.items():
        monkeypatch.setattr(pynvml, name, answer)
    found = {name: value for (name, labels), value in read(Metrics()).items() if ("uuid", "GPU-1") in labels}
    assert found == {"gpu_utilization_ratio": 0.37, "gpu_memory_used_bytes": 5, "gpu_memory_total_bytes": 8}


def _no_driver() -> None:
    import pynvml

    raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)


# several processes


WORKER = """
import sys
from pathlib import Path
from shipwheel_serve.metrics import Metrics
from shipwheel_serve.model import Report
slot, requests, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
metrics = Metrics(slot, folder)
{setup}
for _ in range(requests):
    metrics.phase("predict", 0.02)
    metrics.request("POST", "/predict", 200, 0.03)
    metrics.infer("success")
print("up", flush=True)
for line in sys.stdin:
    if line == "scrape\\n":
        text = metrics.render()[0].decode()
        print(len(text.splitlines()), text, sep="\\n", end="", flush=True)
"""


class Worker:
    """A real process with `Metrics` of a slot."""

    def __init__(self, slot: int, requests: int, folder: Path, setup: str = "") -> None:
        code = WORKER.replace("{setup}", setup)
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, str(slot), str(requests), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def up(self) -> Worker:
        assert self.process.stdout
        assert self.process.stdout.readline() == "up\n"
        return self

    def scrape(self) -> dict[Any, float]:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("scrape\n")
        self.process.stdin.flush()
        count = int(self.process.stdout.readline())
        return parse("".join(self.process.stdout.readline() for _ in range(count)))

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                stream.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Any]:
    workers: list[Worker] = []

    def make(slot: int, requests: int, setup: str = "") -> Worker:
        workers.append(Worker(slot, requests, tmp_path, setup))
        return workers[-1]

    yield make
    for each in workers:
        each.end()


PREDICT = ("model_infer_duration_seconds_count", (("phase", "predict"),))
BUCKET = ("model_infer_duration_seconds_bucket", (("le", "0.025"), ("phase", "predict")))


def test_counts_of_two_workers_add_up_whoever_is_asked(start: Any) -> None:
    first, second = start(0, 3), start(1, 4)
    first.up()
    second.up()
    for worker in (first, second):
        found = worker.scrape()
        assert (found[PREDICT], found[BUCKET]) == (7, 7)
        assert found["model_infer_duration_seconds_sum", (("phase", "predict"),)] == pytest.approx(0.14)
        assert not [labels for _, labels in found if "pid" in dict(labels)]


def test_a_replaced_worker_goes_on_counting_and_its_gauges_do_not_linger(start: Any, tmp_path: Path) -> None:
    busy = "metrics.active(1); metrics.active(1); metrics.queue(5); metrics.ready(True)"
    first, second = start(0, 3, busy), start(1, 4, busy)
    first.up()
    second.up()
    found = first.scrape()
    assert (found["http_server_active_requests", ()], found["model_queue_depth", ()], found["model_ready", ()]) == (4, 10, 1)
    second.end()
    files = sorted(tmp_path.iterdir())
    for _ in range(2):
        second = start(1, 10).up()
        found = second.scrape()
        assert (found["http_server_active_requests", ()], found["model_queue_depth", ()]) == (2, 5)
        assert found["model_ready", ()] == 0  # the new one is not ready yet
        second.end()
    assert first.scrape()[PREDICT] == 3 + 4 + 10 + 10
    assert sorted(tmp_path.iterdir()) == files


def test_gauges_of_workers_come_together_as_they_mean(start: Any) -> None:
    first = start(0, 0, "metrics.ready(True); metrics.golden(Report(state='ready', golden='passed', max_error=1e-7))")
    second = start(1, 0, "metrics.ready(True); metrics.golden(Report(state='failed', golden='failed', max_error=0.5))")
    first.up()
    second.up()
    found = first.scrape()
    assert found["model_ready", ()] == 1
    assert found["model_golden_max_abs_error", ()] == 0.5
    assert found["model_golden_checks_total", (("result", "failed"),)] == 1


def test_the_users_own_metrics_add_up_as_well(start: Any) -> None:
    setup = "from prometheus_client import Counter; Counter('mine', 'of the user').inc()"
    first, second = start(0, 0, setup), start(1, 0, setup)
    first.up()
    second.up()
    assert first.scrape()["mine_total", ()] == 2


def test_a_single_worker_honours_the_users_folder(tmp_path: Path) -> None:
    code = "from shipwheel_serve.metrics import Metrics; m = Metrics(); m.phase('predict', 1.0); print(m.render()[0].decode())"
    command = [sys.executable, "-c", code]
    env = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PATH": ""}
    out = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
    assert parse(out)[PREDICT] == 1
    assert {path.name for path in tmp_path.iterdir()} >= {"histogram_0.db", "gauge_livesum_0.db"}


def test_scrapes_while_workers_come_and_go_never_fail(start: Any) -> None:
    first = start(0, 1).up()
    others = [start(slot, 1) for slot in (1, 2, 3, 4)]
    began = time.monotonic()
    while time.monotonic() - began < 0.7:  # they come up, are killed one by one, and their successors come up
        assert first.scrape()[PREDICT] >= 1
        if others and time.monotonic() - began > 0.3:
            others.pop().end()
            start(len(others) + 1, 1)
