"""What Python source files say about how to run them, found by parsing; nothing is imported or executed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

FRAMEWORKS = {
    ("fastapi", "FastAPI"): "fastapi",
    ("starlette.applications", "Starlette"): "starlette",
    ("flask", "Flask"): "flask",
    ("django.core.wsgi", "get_wsgi_application"): "django",
    ("django.core.asgi", "get_asgi_application"): "django-asgi",
}
"""What makes an app object, by module and name, and how we call the kind of app."""

_HINTS = re.compile(
    rb"FastAPI|Starlette|Flask|get_[aw]sgi_application|streamlit|gradio|__main__|create_app|make_app|build_app|get_app"
)
"""A file without any of these words is not parsed: in a large project, parsing is most of the time."""

MAX_SOURCE_BYTES = 2 << 20
"""Larger ones are data that happens to be Python."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """What one file offers.

    `apps`: (kind, name) of app objects at module level. `factories`: (kind, name) of functions without required
    arguments that return an app. `calls`: (name, function) of names that a call of a function of the project makes.
    `imports`: absolute module names. `parses` is False for a file that this Python cannot parse.
    """

    path: str
    apps: tuple[tuple[str, str], ...] = ()
    factories: tuple[tuple[str, str], ...] = ()
    calls: tuple[tuple[str, str], ...] = ()
    imported: dict[str, str] = field(default_factory=dict)
    imports: frozenset[str] = frozenset()
    has_main: bool = False
    launches_gradio: bool = False
    is_streamlit: bool = False
    parses: bool = True

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.rpartition("/")[2]


def read_sources(files: Iterable[tuple[str, Path, int]]) -> list[SourceFile]:
    """Read these Python files: (path in the project, where it lies, bytes)."""
    found = []
    for path, source, size in files:
        if size <= MAX_SOURCE_BYTES:
            data = source.read_bytes()
            found.append(read_source(path, data) if _HINTS.search(data) else SourceFile(path=path))
    return _with_called_factories(found)


def read_source(path: str, data: bytes) -> SourceFile:
    """What one file offers, by itself."""
    try:
        tree = ast.parse(data)
    except (SyntaxError, ValueError):
        return SourceFile(path=path, parses=False)
    module = _Module(tree)
    imports = frozenset(module.imports)
    return SourceFile(
        path=path,
        apps=tuple(module.apps()),
        factories=tuple(module.factories()),
        calls=tuple(module.calls()),
        imported=module.names,
        imports=imports,
        has_main=module.has_main(),
        launches_gradio=_top(imports, "gradio") and module.calls_method("launch"),
        is_streamlit=_top(imports, "streamlit") and module.uses(module.aliases("streamlit")),
    )


def _top(imports: Iterable[str], package: str) -> bool:
    return any(name.partition(".")[0] == package for name in imports)


def _with_called_factories(files: list[SourceFile]) -> list[SourceFile]:
    """Add the apps that a module makes by calling a factory of another module of the project."""
    from dataclasses import replace

    made = {(_stem(file.path), name): kind for file in files for kind, name in file.factories}
    out = []
    for file in files:
        found = []
        for name, function in file.calls:
            module, _, origin = file.imported.get(function, "").rpartition(".")
            kind = made.get((module.rpartition(".")[2], origin or function))
            if kind and all(name != known for _, known in file.apps):
                found.append((kind, name))
        out.append(replace(file, apps=(*file.apps, *found)) if found else file)
    return out


def _stem(path: str) -> str:
    """The last part of a module's name: the file's, or the folder's for a package."""
    parts = path.removesuffix(".py").split("/")
    return parts[-2] if parts[-1] == "__init__" and len(parts) > 1 else parts[-1]


class _Module:
    """A parsed module, asked one question a method."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.names: dict[str, str] = {}
        self.imports: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                self.imports.update(alias.name for alias in node.names)
                self.names.update({alias.asname or alias.name.partition(".")[0]: _origin(alias) for alias in node.names})
            elif isinstance(node, ast.ImportFrom):
                module = node.module or ""
                if not node.level:
                    self.imports.update((module, *(f"{module}.{alias.name}" for alias in node.names)))
                else:
                    self.imports.update(f".{alias.name}" if not module else f".{module}" for alias in node.names)
                self.names.update({alias.asname or alias.name: f"{module}.{alias.name}" for alias in node.names})

    def dotted(self, node: ast.expr | None) -> str:
        """The full name of what an expression names, through the imports."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            return f"{self.dotted(node.value)}.{node.attr}"
        return str(node.value) if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""

    def kind(self, node: ast.expr | None) -> str:
        """The framework whose app this name makes, or annotates."""
        dotted = self.dotted(node)
        module, _, name = dotted.rpartition(".")
        for (package, maker), kind in FRAMEWORKS.items():
            if name == maker and (module == package or module == package.partition(".")[0] or dotted == maker):
                return kind
        return ""

    def assignments(self) -> Iterator[tuple[str, ast.expr, ast.expr | None]]:
        """Names bound at module level: (name, value, annotation)."""
        for node in _module_level(self.tree.body):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        yield target.id, node.value, None
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
                yield node.target.id, node.value, node.annotation

    def apps(self) -> Iterator[tuple[str, str]]:
        factories = {name: kind for kind, name in self.factories(any_arguments=True)}
        mounted = set(self.mounted())
        seen = set()
        for name, value, annotation in self.assignments():
            function = value.func if isinstance(value, ast.Call) else None
            called = factories.get(function.id, "") if isinstance(function, ast.Name) else ""
            kind = self.kind(annotation) or (self.kind(function) if function else "") or called
            if kind and name not in seen and name not in mounted:
                seen.add(name)
                yield kind, name

    def mounted(self) -> Iterator[str]:
        """Apps that stand below another one: `app.mount("/api", api)`."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "mount":
                yield from (item.id for item in (*node.args, *(k.value for k in node.keywords)) if isinstance(item, ast.Name))

    def factories(self, *, any_arguments: bool = False) -> Iterator[tuple[str, str]]:
        for node in self.tree.body:
            if isinstance(node, ast.FunctionDef) and (any_arguments or not _required_arguments(node)):
                kind = self.kind(node.returns) or self.returned(node)
                if kind:
                    yield kind, node.name

    def returned(self, function: ast.FunctionDef) -> str:
        """The kind of app that a function makes and returns."""
        made: dict[str, str] = {}
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and (kind := self.kind(node.value.func)):
                made.update({target.id: kind for target in node.targets if isinstance(target, ast.Name)})
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and isinstance(node.value, ast.Call):
                made[node.target.id] = self.kind(node.value.func)
        for node in ast.walk(function):
            if isinstance(node, ast.Return):
                if isinstance(node.value, ast.Name) and made.get(node.value.id):
                    return made[node.value.id]
                if isinstance(node.value, ast.Call) and (kind := self.kind(node.value.func)):
                    return kind
        return ""

    def calls(self) -> Iterator[tuple[str, str]]:
        for name, value, _ in self.assignments():
            if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in self.names:
                yield name, value.func.id

    def has_main(self) -> bool:
        """Whether it says `if __name__ == "__main__":`."""
        tests = (node.test for node in self.tree.body if isinstance(node, ast.If))
        return any(
            isinstance(test, ast.Compare) and "__name__" in ast.dump(test) and "__main__" in ast.dump(test) for test in tests
        )

    def calls_method(self, name: str) -> bool:
        nodes = ast.walk(self.tree)
        return any(
            isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == name for node in nodes
        )

    def aliases(self, package: str) -> set[str]:
        """The names by which a package, or what was imported from it, is known here."""
        return {name for name, origin in self.names.items() if origin.partition(".")[0] == package}

    def uses(self, names: set[str]) -> bool:
        """Whether something called is one of these names, or an attribute of one."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                target = node.func
                while isinstance(target, ast.Attribute):
                    target = target.value
                if isinstance(target, ast.Name) and target.id in names:
                    return True
        return False


def _origin(alias: ast.alias) -> str:
    return alias.name if alias.asname else alias.name.partition(".")[0]


def _required_arguments(function: ast.FunctionDef) -> bool:
    arguments = function.args
    positional = len(arguments.posonlyargs) + len(arguments.args) - len(arguments.defaults)
    return positional > 0 or any(default is None for default in arguments.kw_defaults)


def _module_level(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run on import, those inside `if`, `try` and `with` too."""
    for node in body:
        yield node
        if isinstance(node, ast.If) and "__main__" not in ast.dump(node.test):
            yield from _module_level([*node.body, *node.orelse])
        elif isinstance(node, ast.Try):
            handlers = [statement for handler in node.handlers for statement in handler.body]
            yield from _module_level([*node.body, *handlers, *node.orelse, *node.finalbody])
        elif isinstance(node, ast.With):
            yield from _module_level(node.body)
