"""Log lines on stderr, one JSON object each (or text for a terminal): ours, those of libraries, and Python's warnings."""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from datetime import datetime, timezone
from types import TracebackType
from typing import Any

from shipwheel_serve.settings import Settings

_LOGGER = logging.getLogger("shipwheel")
_LEVELS = {name: getattr(logging, name.upper()) for name in ("debug", "info", "warning", "error", "critical")}
_CREDENTIALS = re.compile(r"(://)[^\s/?#\"'\\<>]*@")
_QUERY = re.compile(r"(://[^\s?#\"'\\<>]*\?)[^\s#\"'\\<>]+")


def setup(settings: Settings, worker: int | None = None) -> None:
    """Send every log line of this process to stderr, in the settings' format, with the worker's number where it has one."""
    handler = logging.StreamHandler(sys.stderr)
    fields: dict[str, Any] = {} if worker is None else {"worker": worker}
    handler.setFormatter(_Text(fields) if settings.log_format == "text" else _Json(fields))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)


def log(level: str, message: str, error: BaseException | None = None, **fields: Any) -> None:
    """One line; `level` is debug to critical; `error` brings its traceback; fields that are None are left out."""
    number = _LEVELS[level]
    if _LOGGER.isEnabledFor(number):
        _LOGGER.log(number, "%s", message, exc_info=error, extra={"fields": fields})


def redact(text: str) -> str:
    """The text with neither user and password nor queries in its URLs: signatures and tokens stand in both."""
    if "://" not in text:
        return text
    return _QUERY.sub(r"\1***", _CREDENTIALS.sub(r"\1***@", text))


class _Json(logging.Formatter):
    def __init__(self, fields: dict[str, Any]) -> None:
        super().__init__()
        self._fields = fields

    def format(self, record: logging.LogRecord) -> str:
        level, message, fields = _parts(record)
        now = datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds")
        line = {"time": now.replace("+00:00", "Z"), "level": level, "message": message, **self._fields, **fields}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return redact(json.dumps(line, default=str))


class _Text(_Json):
    def format(self, record: logging.LogRecord) -> str:
        level, message, fields = _parts(record)
        now = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
        mark = "" if level == "info" else f"{level}: "
        line = f"{now} {mark}{message}" + "".join(f" {key}={value}" for key, value in {**self._fields, **fields}.items())
        return redact(f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line)


def _parts(record: logging.LogRecord) -> tuple[str, str, dict[str, Any]]:
    """Level, message and fields; a library's name is a field, a warning is one line."""
    fields = {key: value for key, value in getattr(record, "fields", {}).items() if value is not None}
    message = record.getMessage()
    if record.name == "py.warnings":
        message = message.strip().partition("\n")[0]
    elif record.name != _LOGGER.name:
        fields = {"logger": record.name, **fields}
    return record.levelname.lower(), message, fields


def _uncaught(kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None) -> None:
    if error is not None and issubclass(kind, Exception):
        log("critical", f"{kind.__name__}: {error}", error.with_traceback(traceback))
