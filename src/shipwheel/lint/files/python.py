"""Reads the Python of a service, without running it."""

from __future__ import annotations

import ast
import re
import warnings

from shipwheel.lint.files.subjects import PythonFile
from shipwheel.lint.source import Source
from shipwheel.lint.workspace import Workspace

_SERVES = re.compile(
    r"^[ \t]*(?:from|import)[ \t]+(?:fastapi|starlette|flask|quart|litestar|sanic|aiohttp|tornado|bottle|falcon|robyn)\b"
    r"|UvicornWorker",
    re.MULTILINE,
)


def load_python(source: Source, workspace: Workspace) -> PythonFile | None:
    """A file that imports a web framework, or configures gunicorn; None for any other, and for one that is no Python 3."""
    if not _SERVES.search(source.text):
        return None
    tree = parse_python(source)
    return PythonFile(source=source, workspace=workspace, tree=tree) if tree else None


def parse_python(source: Source) -> ast.Module | None:
    """Its syntax tree; None where it is no Python 3, or nested deeper than Python itself takes."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source.text.removeprefix("\ufeff"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
