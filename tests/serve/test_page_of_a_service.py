"""The page of a real service in a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import bundles
from support.browser import CHROMIUM, Page, browser
from support.serving import Serving, serving

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="needs Chromium")]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    bundles.people(folder)
    (folder / "every.py").write_text(bundles.EVERY)
    return folder


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with browser(tmp_path) as started:
        opened = started.page().screen(1100)
        yield opened
        assert opened.errors == []


def visit(page: Page, service: Serving, path: str = "/") -> Page:
    page.go(service.url + path)
    page.wait("document.readyState === 'complete' && document.querySelector('#standing').innerText.length > 12")
    return page


def test_the_page_of_a_service_that_is_ready_takes_a_row_and_shows_its_prediction(page: Page, models: Path) -> None:
    with serving(models, "people") as service:
        service.wait()
        for path in ("/", "/docs/"):
            visit(page, service, path)
            page.wait("document.querySelector('#predict')?.disabled === false")
            for part in ("Ready", "1 of 1 worker ready", "12 golden rows"):
                assert part in page.text("#standing")
            assert page.text("#name") == "people"
            page.fill("#field-0", "180.5")
            page.fill("#field-3", '"Köln"' if page.run("document.querySelector('#field-3').tagName") == "SELECT" else "Köln")
            page.click("#predict")
            page.wait("document.querySelector('#answer .value')")
            row = {"height": 180.5, "children": 0, "colour": "red", "city": "Köln", "joined": "1970-01-01T00:00:00"}
            [wanted] = service.ask("/predict", [row]).json()["predictions"]
            assert json.loads(page.text("#answer .value")) == wanted
            page.fill("#field-1", "1.5")
            page.click("#predict")
            page.wait("document.querySelector('#answer .failed')")
            assert "'children' in row 0 must be a whole number, not 1.5" in page.text("#answer")


def test_other_layouts_are_tried_as_json(page: Page, models: Path) -> None:
    with serving(models, "every:Every") as service:
        service.wait()
        visit(page, service)
        page.wait("document.querySelector('#predict')?.disabled === false")
        page.click("#predict")
        page.wait("document.querySelector('#answer pre, #answer .value, #answer .failed')")
        assert '"int8"' in page.text("#answer")


def test_the_page_of_a_service_that_is_not_ready_says_why_and_when_it_is(page: Page, models: Path) -> None:
    file = models / "people" / "model.skops"
    kept = file.read_bytes()
    file.write_bytes(kept + b" ")
    with serving(models, "people") as service:
        found = service.wait("failed")
        text = visit(page, service).text("#standing")
        assert text.startswith("Not ready")
        assert "model.skops" in found["reasons"][0]
        assert found["reasons"][0] in text
        assert page.run("document.querySelector('#predict').disabled")
    file.write_bytes(kept)
