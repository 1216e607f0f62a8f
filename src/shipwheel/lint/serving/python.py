"""What a Python file that is run does: which server it starts, with which address."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from shipwheel.lint.source import Source

_SERVING = """aiohttp bentoml bottle chainlit dash falcon fastapi flask gradio hypercorn kserve litestar mlserver nicegui quart
ray.serve robyn sanic starlette streamlit tornado uvicorn waitress"""
FRAMEWORKS = frozenset(_SERVING.split())
"""Modules with which a file answers HTTP requests."""

ALL = "0.0.0.0"
HOME = "127.0.0.1"

_LIBRARIES: dict[str, tuple[str, str, int]] = {
    "uvicorn": ("host", HOME, 8000),
    "flask": ("host", HOME, 5000),
    "quart": ("host", HOME, 5000),
    "dash": ("host", HOME, 8050),
    "bottle": ("host", HOME, 8080),
    "sanic": ("host", HOME, 8000),
    "gradio": ("server_name", HOME, 7860),
    "aiohttp": ("host", ALL, 8080),
    "waitress": ("host", ALL, 8080),
}
"""The argument with the address, and what stands for it and the port by default; each from the library's own reference."""

_DEVELOPS = frozenset({"flask", "dash", "quart"})
"""Their `run` is a server for development, as their documentation says."""


@dataclass(frozen=True, kw_only=True)
class Launch:
    """A call that serves. `host` and `port` None: decided at run time. `given`: the address stands in the call."""

    library: str
    line: int
    host: str | None
    port: int | None
    given: bool
    reload: bool
    debug: bool

    @property
    def develops(self) -> bool:
        """Whether it is a server for development."""
        return self.reload or self.debug or self.library in _DEVELOPS


@dataclass(frozen=True, kw_only=True)
class PythonStart:
    """`modules` are what it imports, in full; `launch` the last call that serves, None where there is none."""

    modules: frozenset[str]
    launch: Launch | None

    @property
    def serves(self) -> bool:
        """Whether it answers requests: it calls what does, or imports a framework for it."""
        names = {name for module in self.modules for name in (module, module.partition(".")[0])}
        return self.launch is not None or not names.isdisjoint(FRAMEWORKS)


@lru_cache(maxsize=128)
def python_start(source: Source, *, as_main: bool = True) -> PythonStart | None:
    """What a file does when it is run, or imported for one of its functions; None where it is no Python that can be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source.data)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    modules = frozenset(imported(tree))
    run = [statement for statement in tree.body if as_main or not _only_as_main(statement)]
    calls = [node for statement in run for node in ast.walk(statement) if isinstance(node, ast.Call)]
    launches = [found for call in calls if (found := _launch(call, modules))]
    return PythonStart(modules=modules, launch=max(launches, key=lambda launch: launch.line, default=None))


def _only_as_main(statement: ast.stmt) -> bool:
    """Whether it is `if __name__ == "__main__":`."""
    test = statement.test if isinstance(statement, ast.If) else None
    return isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"


def imported(tree: ast.AST) -> Iterator[str]:
    """The modules that a file imports, wherever it does."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def _launch(call: ast.Call, modules: frozenset[str]) -> Launch | None:
    library = _library(call, modules)
    if not library:
        return None
    name, host, port = _LIBRARIES[library]
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    if None in given:  # **options
        return Launch(library=library, line=call.lineno, host=None, port=None, given=False, reload=False, debug=False)
    named = {key: _constant(value) for key, value in given.items()}
    address = named.get(name, host)
    if library in ("flask", "quart") and name not in given and call.args:
        address = _constant(call.args[0])
    number = named.get("server_port" if library == "gradio" else "port", port)
    return Launch(
        library=library,
        line=call.lineno,
        host=address if isinstance(address, str) else None,
        port=number if isinstance(number, int) else None,
        given=name in given,
        reload=named.get("reload") is True or named.get("use_reloader") is True,
        debug=named.get("debug") is True and library in _DEVELOPS,
    )


def _constant(node: ast.expr) -> Any:
    return node.value if isinstance(node, ast.Constant) else None


def _library(call: ast.Call, modules: frozenset[str]) -> str:
    """Which library's server a call starts, "" for another call."""
    function = call.func
    if isinstance(function, ast.Name):
        return "waitress" if function.id == "serve" and "waitress.serve" in modules else ""
    if not isinstance(function, ast.Attribute):
        return ""
    owner = function.value.id if isinstance(function.value, ast.Name) else ""
    tops = {module.partition(".")[0] for module in modules}
    if function.attr in ("run", "Config") and owner == "uvicorn":
        return "uvicorn"
    if function.attr == "launch" and "gradio" in tops:
        return "gradio"
    if function.attr in ("run", "run_server") and owner in ("app", "application", "server", "api"):
        return next((name for name in ("dash", "flask", "quart", "sanic", "bottle") if name in tops), "")
    if function.attr == "run_app" and "aiohttp" in tops:
        return "aiohttp"
    return "waitress" if function.attr == "serve" and owner == "waitress" else ""
