"""The page in a real browser: what it says of a service, and that one can ask the model with it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import shipwheel_serve
from shipwheel_serve import oip, openapi
from shipwheel_serve.schema import Field, Schema
from support.browser import CHROMIUM, Browser, Page, browser

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="needs Chromium")]

HTML = Path(shipwheel_serve.__file__).parent / "page.html"

READY = {
    "ready": True,
    "state": "ready",
    "reasons": [],
    "notes": [],
    "golden": "passed",
    "max_error": 1.1920929e-07,
    "rows": 32,
    "mismatches": [],
    "model": {"name": "wine", "version": "3", "library": "scikit-learn", "format": "skops"},
    "workers": {"ready": 2},
}

FAILED = {
    **READY,
    "ready": False,
    "state": "failed",
    "golden": "failed",
    "max_error": 0.25,
    "reasons": ["golden answers differ: column 'output' by up to 0.25", "feature 'days' differs by up to 1e9"],
    "notes": ["pandas is 2.0.3, training had 1.5.3"],
    "mismatches": [
        {"package": "pandas", "trained": "1.5.3", "here": "2.0.3"},
        {"package": "holidays", "trained": "0.57", "here": ""},
    ],
    "workers": {"failed": 2},
}

SAMPLE = [{"alcohol": 12.5, "grapes": 3, "colour": "white", "bottled": "2020-02-13T00:00:00", "organic": True}] * 2

FRAME = Schema(
    layout="frame",
    inputs=(
        Field(name="alcohol", dtype="float64"),
        Field(name="grapes", dtype="int64", nullable=True),
        Field(name="colour", dtype="category", categories=("red", "white", "it's <b>ros\u00e9</b>")),
        Field(name="bottled", dtype="datetime64[ns]"),
        Field(name="organic", dtype="bool"),
    ),
    outputs=(Field(name="output", dtype="float64"),),
)
ARRAY = Schema(layout="array", inputs=(Field(name="input", dtype="float32", shape=(-1, 2)),))


@dataclass
class Canned:
    """A server of the page: a schema is really described, the rest is canned; `got` are the bodies of /predict."""

    ready: tuple[int, Any] = (200, READY)
    schema: Schema | None = FRAME
    sample: bytes = json.dumps(SAMPLE).encode()
    predict: tuple[int, Any] = (200, {"predictions": [5.25]})
    got: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, path: str, body: str) -> tuple[int, Any]:
        if path == "/predict":
            self.got.append(body)
            return self.predict
        table: dict[str, tuple[int, Any]] = {
            "/ready": self.ready,
            "/openapi.json": (200, openapi.document("wine", "3", self.schema, self.sample)),
            "/v2/models/wine": (503, {"error": "loading"}),
        }
        if self.schema:
            table["/v2/models/wine"] = (200, oip.model_metadata("wine", "3", self.schema, "scikit-learn"))
        if path not in table:
            self.others.append(path)
        return table.get(path, (404, {"error": "nothing"}))


@pytest.fixture
def service() -> Iterator[Canned]:
    canned = Canned()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/":
                self.say(200, "text/html; charset=utf-8", HTML.read_bytes())
                return
            status, value = canned.answer(self.path, self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
            self.say(status, "application/json", json.dumps(value).encode())

        do_POST = do_GET  # noqa: N815

        def say(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            for name, value in (("Content-Type", kind), ("Content-Length", str(len(body))), ("X-Request-ID", "ab12-7")):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        canned.url = f"http://127.0.0.1:{server.server_port}/"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield canned
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("browser")) as started:
        yield started


@pytest.fixture
def visit(chromium: Browser, service: Canned) -> Iterator[Callable[..., Page]]:
    pages: list[Page] = []

    def open_page(width: int = 1100, *, dark: bool = False) -> Page:
        page = chromium.page().screen(width, dark=dark).go(service.url)
        pages.append(page)
        page.wait("document.readyState === 'complete' && document.querySelector('#name').textContent === 'wine'")
        return page

    yield open_page
    for page in pages:
        assert page.errors == []
        page.ask("Page.close")
    assert service.others == []


def built(page: Page) -> Page:
    page.wait("document.querySelector('#predict')?.disabled === false")
    return page


def test_a_service_that_is_ready_says_what_it_is_and_why_it_can_be_trusted(visit: Callable[..., Page]) -> None:
    page = built(visit())
    text = page.text("header") + page.text("#standing")
    for part in ("wine", "version 3", "scikit-learn", "skops", "Ready", "2 of 2 workers", "32 golden rows", "1.2e-7"):
        assert part in text
    assert page.run("document.title") == "wine"


def test_a_service_that_is_not_ready_says_why(visit: Callable[..., Page], service: Canned) -> None:
    service.ready = (503, FAILED)
    page = visit()
    text = page.text("#standing")
    assert text.startswith("Not ready")
    for part in (
        *FAILED["reasons"],
        *FAILED["notes"],
        "0 of 2 workers",
        "32 golden rows compared: the answers are not",
        "0.25",
    ):
        assert part in text
    rows = page.run("[...document.querySelectorAll('#standing tbody tr')].map(r => [...r.children].map(c => c.innerText))")
    assert rows == [["pandas", "1.5.3", "2.0.3"], ["holidays", "0.57", "absent"]]


def test_a_service_without_golden_answers_never_looks_checked(visit: Callable[..., Page], service: Canned) -> None:
    service.ready = (200, {**READY, "golden": "absent", "rows": 0})
    assert "nothing says that the model answers as it did in training" in visit().text("#standing")
    service.ready = (200, {**READY, "golden": "absent", "rows": 0, "notes": ["the model has no golden answers"]})
    assert visit().text("#standing").count("golden") == 1


def test_readiness_is_looked_at_again_and_the_form_comes_with_the_model(visit: Callable[..., Page], service: Canned) -> None:
    service.ready, service.schema = (503, {**READY, "ready": False, "state": "loading", "golden": ""}), None
    page = visit()
    assert "Loading the model" in page.text("#standing")
    assert page.run("document.querySelector('#predict').disabled")
    service.ready, service.schema = (200, READY), FRAME
    page.wait("document.querySelector('#standing').innerText.startsWith('Ready')")
    assert built(page).run("document.querySelector('#field-0').value") == "12.5"


def test_a_frame_is_a_form_filled_with_the_sample(visit: Callable[..., Page], service: Canned) -> None:
    page = built(visit())
    shown = page.run(
        "[...document.querySelectorAll('#fields input, #fields select')].map(e => [e.labels[0].innerText, e.value])"
    )
    assert shown == [
        ["alcohol number", "12.5"],
        ["grapes integer or null", "3"],
        ["colour", '"white"'],
        ["bottled ISO 8601", "2020-02-13T00:00:00.000000000"],
        ["organic boolean", "true"],
    ]
    page.click("#predict")
    page.wait("document.querySelector('#answer .value')")
    assert json.loads(service.got[0]) == [{**SAMPLE[0], "bottled": "2020-02-13T00:00:00.000000000"}]
    answer = page.text("#answer")
    assert answer.startswith("5.25")
    assert "ms" in answer
    assert "ab12-7" in answer


def test_what_is_typed_is_what_is_asked(visit: Callable[..., Page], service: Canned) -> None:
    page = built(visit())
    page.fill("#field-0", "-1.50e3")
    page.fill("#field-1", "9007199254740993")
    page.fill("#field-2", json.dumps("it's <b>rosé</b>", ensure_ascii=False))
    page.run("document.querySelector('#field-0').focus()")
    page.press("Enter", 13)
    page.wait("document.querySelector('#answer .value')")
    assert '"alcohol": -1.50e3, "grapes": 9007199254740993' in service.got[0]
    assert json.loads(service.got[0])[0]["colour"] == "it's <b>rosé</b>"
    command = page.text("#curl")
    assert command.startswith(f"curl {service.url}predict")
    assert r"it'\''s <b>" in command


def test_an_empty_field_is_null_and_text_where_a_number_belongs_is_the_servers_to_refuse(
    visit: Callable[..., Page], service: Canned
) -> None:
    service.predict = (400, {"error": "row 0, alcohol: 'much' is no number"})
    page = built(visit())
    page.fill("#field-0", "much")
    page.fill("#field-1", "")
    page.click("#predict")
    page.wait("document.querySelector('#answer .failed')")
    assert json.loads(service.got[0])[0]["alcohol"] == "much"
    assert json.loads(service.got[0])[0]["grapes"] is None
    assert "row 0, alcohol: 'much' is no number" in page.text("#answer")
    assert "400" in page.text("#answer")


def test_other_layouts_are_a_box_of_json(visit: Callable[..., Page], service: Canned) -> None:
    service.schema, service.sample = ARRAY, b'{"inputs": [[0.5, 1.5]]}'
    service.predict = (200, {"predictions": [[0.25, 0.75]]})
    page = built(visit())
    assert "[0.5, 1.5]" in page.run("document.querySelector('#json').value")
    page.fill("#json", '{"inputs": [[1, 2]]}')
    assert """-d '{"inputs":[[1,2]]}'""" in page.text("#curl")
    page.click("#predict")
    page.wait("document.querySelector('#answer pre')")
    assert service.got == ['{"inputs": [[1, 2]]}']
    assert json.loads(page.text("#answer pre")) == {"predictions": [[0.25, 0.75]]}
    assert "rows \u00d7 2" in page.text("#inputs")


def test_the_schema_is_a_table(visit: Callable[..., Page]) -> None:
    page = built(visit())
    rows = page.run("[...document.querySelectorAll('#inputs tbody tr')].map(r => [...r.children].map(c => c.innerText))")
    assert rows[0] == ["alcohol", "FP64", "rows", ""]
    assert rows[1] == ["grapes", "INT64", "rows", "may be null"]
    assert rows[2] == ["colour", "BYTES", "rows", "red, white, it's <b>rosé</b>"]
    assert "output" in page.text("#outputs")


@pytest.mark.parametrize("dark", [False, True])
def test_a_narrow_screen_needs_no_sideways_scrolling(dark: bool, visit: Callable[..., Page], service: Canned) -> None:
    service.ready = (503, FAILED)
    page = built(visit(360, dark=dark))
    assert page.run("document.documentElement.scrollWidth") == 360
    background = page.run("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(20, 24, 27)") is dark


def test_every_control_has_a_name_and_can_be_reached_by_keys(visit: Callable[..., Page]) -> None:
    page = built(visit())
    page.ask("Accessibility.enable")
    nodes = page.ask("Accessibility.getFullAXTree")["nodes"]
    controls = [each for each in nodes if each.get("role", {}).get("value") in ("textbox", "combobox", "button", "link")]
    assert len(controls) >= 10
    assert all(each["name"]["value"] for each in controls)
    page.run("document.querySelector('#field-4').focus()")
    page.press("Tab", 9)
    assert page.run("document.activeElement.id") == "predict"
