"""Log lines: JSON or text, of everything that speaks, and never a secret."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from shipwheel_serve import logs
from shipwheel_serve.settings import Settings


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, hooks = root.handlers[:], root.level, (sys.excepthook, threading.excepthook)
    yield
    root.handlers[:], root.level = handlers, level
    sys.excepthook, threading.excepthook = hooks
    logging.captureWarnings(False)


def lines(capsys: pytest.CaptureFixture[str]) -> list[Any]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_is_an_object_with_time_level_message_and_fields(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup(Settings(), 3)
    logs.log("warning", "100% sure", request_id="ab-1", rows=4, absent=None)
    (line,) = lines(capsys)
    assert datetime.fromisoformat(line.pop("time").replace("Z", "+00:00")).utcoffset() is not None
    assert line == {"level": "warning", "message": "100% sure", "worker": 3, "request_id": "ab-1", "rows": 4}


def test_time_is_utc_to_the_millisecond(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup(Settings(), None)
    logs.log("info", "x")
    (line,) = lines(capsys)
    assert len(line["time"]) == len("2024-01-01T00:00:00.000Z")
    assert "worker" not in line


def test_an_error_brings_its_traceback_in_one_field_of_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup(Settings(), 0)
    try:
        raise ValueError("two\nlines")
    except ValueError as error:
        logs.log("error", "a request failed", error, request_id="x")
    (line,) = lines(capsys)
    assert line["message"] == "a request failed"
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("ValueError: two\nlines")


def test_an_error_that_is_none_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup(Settings(), 0)
    logs.log("error", "refused", None)
    assert "exception" not in lines(capsys)[0]


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("s3://AKIA:hunter2@bucket/model", "s3://***@bucket/model"),
        ("https://user:hunter2@host/x", "https://***@host/x"),
        ("https://user:hunt@er2hunter2@host/x", "https://***@host/x"),
        ("https://host/m.skops?X-Amz-Signature=hunter2&a=b", "https://host/m.skops?***"),
        ("got 403 for 'https://host/m?sig=hunter2' twice", "got 403 for 'https://host/m?***' twice"),
        ("https://host/a?t=hunter2#there and mail to me@there.org?", "me@there.org?"),
    ],
)
def test_secrets_of_urls_are_left_out(form: str, text: str, kept: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup(Settings(log_format=form), 0)
    try:
        raise OSError(text)
    except OSError as error:
        logs.log("error", text, error, source=text)
    out = capsys.readouterr().err
    assert "hunter2" not in out
    assert out.count(kept) == 3


def test_other_urls_stay_as_they_are() -> None:
    text = "see http://127.0.0.1:8080/predict and mail@x.org, a@b://c/d, ok?"
    assert logs.redact(text) == text


def test_warnings_and_other_libraries_come_in_the_same_format(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup(Settings(), 1)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("Trying to unpickle estimator", UserWarning, stacklevel=1)
        logging.captureWarnings(False)
    logging.getLogger("uvicorn.error").warning("Invalid %s received", "HTTP request")
    warning, uvicorn = lines(capsys)
    assert (warning["level"], warning["worker"]) == ("warning", 1)
    assert warning["message"].endswith("UserWarning: Trying to unpickle estimator")
    assert uvicorn["message"] == "Invalid HTTP request received"
    assert uvicorn["logger"] == "uvicorn.error"


def test_values_that_json_does_not_know_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    import numpy as np

    logs.setup(Settings(), None)
    logs.log("info", "x", path=Settings().root, number=np.float32(0.5), names={1: "a"}, bad="\udc80")
    (line,) = lines(capsys)
    assert (line["path"], line["number"], line["names"]) == (".", "0.5", {"1": "a"})


def test_text_is_a_line_for_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup(Settings(log_format="text"), 0)
    logs.log("info", "ready: wine 1", golden="passed")
    logs.log("error", "it failed")
    first, second = capsys.readouterr().err.splitlines()
    assert first[8:] == " ready: wine 1 worker=0 golden=passed"
    assert second[8:] == " error: it failed worker=0"


def test_debug_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup(Settings(), 0)
    logs.log("debug", "x")
    assert not capsys.readouterr().err


def test_uncaught_errors_of_process_and_threads_are_log_lines() -> None:
    code = (
        "import threading; from shipwheel_serve import logs, settings; logs.setup(settings.Settings(), 2)\n"
        "def f(): raise KeyError('in a thread')\n"
        "t = threading.Thread(target=f); t.start(); t.join(); 1/0"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, env=dict(os.environ))
    first, second = (json.loads(line) for line in done.stderr.splitlines())
    assert first["message"] == "KeyError: 'in a thread'"
    assert second["message"] == "ZeroDivisionError: division by zero"
    assert second["level"] == "critical"
    assert "1/0" in second["exception"] or "<string>" in second["exception"]
