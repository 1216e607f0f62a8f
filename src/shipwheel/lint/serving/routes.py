"""Functions of a Python file that answer requests, and what a request makes them call."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

Function = ast.FunctionDef | ast.AsyncFunctionDef

_VERBS = frozenset({"get", "post", "put", "patch", "delete", "head", "options", "route", "api_route", "websocket", "view"})
_CACHES = frozenset({"cache", "lru_cache", "cached", "cached_property", "ttl_cache", "singleton", "cache_resource"})
DEPTH = 3
"""How far calls within the file are followed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call that a request leads to. `name` is dotted, as written; `awaited`: its result is. `guarded`: it stands below a test
    such as `if model is None`. `threaded`: a dependency makes it that is no coroutine, so that FastAPI runs it in a thread.
    `node` is the call itself, `seen_from` that in the route where a helper makes it."""

    name: str
    node: ast.Call
    seen_from: ast.Call
    awaited: bool
    guarded: bool
    threaded: bool = False


@dataclass(frozen=True, kw_only=True)
class Routes:
    """The routes of a file, and its other functions by name."""

    routes: tuple[Function, ...]
    functions: dict[str, Function] = field(default_factory=dict)

    def calls(self, route: Function) -> Iterator[Call]:
        """What a route calls, through functions of the file too, as far as they run in the same thread and are not cached."""
        yield from self._calls(route, None, frozenset({route.name}))
        for default in (*route.args.defaults, *(one for one in route.args.kw_defaults if one)):
            if isinstance(default, ast.Call) and dotted(default.func).endswith("Depends") and default.args:
                helper = self.functions.get(dotted(default.args[0]))
                if helper and not is_cached(helper):
                    threaded = isinstance(helper, ast.FunctionDef)
                    for call in self._calls(helper, default, frozenset({route.name, helper.name})):
                        yield replace(call, threaded=threaded)

    def _calls(self, function: Function, seen_from: ast.Call | None, path: frozenset[str]) -> Iterator[Call]:
        for call in _own_calls(function):
            shown = seen_from or call.node
            yield replace(call, seen_from=shown)
            helper = self.functions.get(call.name)
            if helper and not call.guarded and helper.name not in path and len(path) <= DEPTH and not is_cached(helper):
                yield from self._calls(helper, shown, path | {helper.name})


def routes_of(tree: ast.Module) -> Routes:
    """Functions that a framework's decorator makes routes: `@app.post("/predict")`, `@bp.route(...)` and the like."""
    functions = {node.name: node for node in tree.body if isinstance(node, Function)}
    found = [node for node in ast.walk(tree) if isinstance(node, Function) and any(map(_is_route, node.decorator_list))]
    return Routes(routes=tuple(found), functions=functions)


def route_path(route: Function) -> str:
    """The path in its decorator, "" where it is not written there."""
    for decorator in route.decorator_list:
        if isinstance(decorator, ast.Call) and decorator.args and isinstance(decorator.args[0], ast.Constant):
            return str(decorator.args[0].value)
    return ""


def _is_route(decorator: ast.expr) -> bool:
    if not (isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Attribute) and decorator.func.attr in _VERBS):
        return False
    first = decorator.args[0] if decorator.args else next((one.value for one in decorator.keywords if one.arg == "path"), None)
    return isinstance(first, ast.Constant) and isinstance(first.value, str) and (first.value == "" or first.value[0] == "/")


def is_cached(function: Function) -> bool:
    """Whether it runs its body only once: a cache decorates it, or it keeps what it made in a global or an attribute."""
    names = {dotted(one.func if isinstance(one, ast.Call) else one).rpartition(".")[2] for one in function.decorator_list}
    return bool(names & _CACHES) or any(isinstance(node, ast.Global) for node in ast.walk(function))


def dotted(node: ast.AST) -> str:
    """`a.b.c` of such an expression; a call or index on the way is left out: `a().b` is a.b."""
    parts: list[str] = []
    while True:
        if isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        elif isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, ast.Subscript):
            node = node.value
        else:
            break
    return ".".join([node.id, *reversed(parts)] if isinstance(node, ast.Name) else list(reversed(parts)))


def _own_calls(function: Function) -> Iterator[Call]:
    """Calls in a function's own body, not in the functions and lambdas that it defines, for those run elsewhere."""
    stack: list[tuple[ast.AST, bool, bool]] = [(node, False, False) for node in reversed(function.body)]
    while stack:
        node, awaited, guarded = stack.pop()
        if isinstance(node, Function | ast.Lambda | ast.ClassDef):
            continue
        if isinstance(node, ast.Call):
            yield Call(name=dotted(node.func), node=node, seen_from=node, awaited=awaited, guarded=guarded)
        children = reversed([*ast.iter_child_nodes(node)])
        stack += [(child, _awaits(node, child), guarded or _guards(node, child)) for child in children]


def _awaits(node: ast.AST, child: ast.AST) -> bool:
    if isinstance(node, ast.Await):
        return True
    if isinstance(node, ast.AsyncFor) or (isinstance(node, ast.comprehension) and node.is_async):
        return child is node.iter
    return False


_MISSING = re.compile(r"\b(?:is None|not |not in)\b|== None")


def _guards(node: ast.AST, child: ast.AST) -> bool:
    """Whether the child runs only where something is not there yet: `if model is None`, `if name not in cache`."""
    if isinstance(node, ast.Try):
        return child in node.handlers
    return isinstance(node, ast.If) and child is not node.test and bool(_MISSING.search(ast.unparse(node.test)))
