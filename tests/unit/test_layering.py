"""The import direction of the source: a file imports only what stands below it."""

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "shipwheel"

ORDER = [
    "cli",
    "build",
    "verify",
    "environments",
    "examine",
    "supply",
    "attest",
    "lint",
    "generate",
    "doctor",
    "engines",
    "gpu",
    "layers",
    "native",
    "fetch",
    "hashes",
    "resolve",
    "runtime",
    "lock",
    "plan",
    "project",
    "registry",
    "http",
    "credentials",
    "oci",
    "signing",
    "progress",
    "errors",
]

OCI_ORDER = [
    "validate",
    "tarcheck",
    "unpack",
    "load",
    "copy",
    "archive",
    "store",
    "prune",
    "origins",
    "memo",
    "hold",
    "layout",
    "estargz",
    "gunzip",
    "image",
    "layer",
    "tree",
    "reference",
    "blob",
]

SIBLINGS_APART = {"engines": {"docker", "podman", "runc"}, "cli": None}


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("shipwheel"):
            found.add(node.module)
            found |= {
                f"{node.module}.{name.name}"
                for name in node.names
                if (SOURCE / node.module.replace(".", "/")[10:] / f"{name.name}.py").exists()
            }
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names if name.name.startswith("shipwheel")}
    return found


def _part(module: str) -> str:
    pieces = module.split(".")
    return pieces[1] if len(pieces) > 1 else ""


def _modules() -> list[tuple[str, Path]]:
    out = []
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        name = ".".join(["shipwheel", *[part for part in parts if part != "__init__"]])
        out.append((name, path))
    return out


def test_every_file_has_its_place_in_the_order() -> None:
    strangers = {_part(name) for name, _ in _modules()} - set(ORDER) - {""}
    assert not strangers, f"name these in ORDER, and in the docs: {sorted(strangers)}"


def test_imports_point_downwards() -> None:
    wrong = []
    for name, path in _modules():
        here = _part(name)
        if not here:
            continue
        for module in _imports(path):
            there = _part(module)
            if there and there != here and ORDER.index(there) < ORDER.index(here):
                wrong.append(f"{name} imports {module}")
    assert not wrong, wrong


def test_oci_imports_point_downwards_and_know_nothing_of_python_or_ml() -> None:
    wrong = []
    for name, path in _modules():
        if _part(name) != "oci" or name == "shipwheel.oci":
            continue
        here = name.split(".")[2]
        for module in _imports(path):
            if _part(module) not in ("oci", "errors", "progress", ""):
                wrong.append(f"{name} imports {module}")
            pieces = module.split(".")
            inside = _part(module) == "oci" and len(pieces) > 2 and pieces[2] != here
            if inside and OCI_ORDER.index(pieces[2]) < OCI_ORDER.index(here):
                wrong.append(f"{name} imports {module}")
    assert not wrong, wrong


@pytest.mark.parametrize("package", ["src/shipwheel", "serve/src/shipwheel_serve"])
def test_no_files_import_each_other_in_a_circle(package: str) -> None:
    top = SOURCE.parents[1] / package
    modules = {
        ".".join([top.name, *(part for part in path.relative_to(top).with_suffix("").parts if part != "__init__")]): path
        for path in top.rglob("*.py")
    }
    imports = {}
    for name, path in modules.items():
        tree = _tree(path)
        typing = {id(below) for node in ast.walk(tree) if _is_typing(node) for below in ast.walk(node)}
        found = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and id(node) not in typing)
        reached = {
            f"{node.module}.{alias.name}" if f"{node.module}.{alias.name}" in modules else str(node.module)
            for node in found
            for alias in node.names
        }
        imports[name] = (reached & modules.keys()) - {name}
    try:
        tuple(TopologicalSorter(imports).static_order())
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def _is_typing(node: ast.AST) -> bool:
    """Whether it is `if TYPE_CHECKING:`, which no program runs."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def test_verbs_do_not_import_each_other() -> None:
    verbs = {name for name, path in _modules() if _part(name) == "cli" and "\ndef command(" in path.read_text()}
    wrong = [
        f"{name} imports {module}"
        for name, path in _modules()
        if name in verbs
        for module in _imports(path)
        if any(module == verb or module.startswith(f"{verb}.") for verb in verbs - {name})
    ]
    assert len(verbs) > 10
    assert not wrong, wrong


def test_only_the_command_line_reads_the_environment() -> None:
    wrong = []
    for name, path in _modules():
        if _part(name) == "cli":
            continue
        for node in ast.walk(_tree(path)):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id == "os"
                and node.attr in ("environ", "getenv", "getcwd")
            ):
                wrong.append(f"{name}:{node.lineno}")
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "cwd":
                wrong.append(f"{name}:{node.lineno}")
    assert not wrong, wrong
