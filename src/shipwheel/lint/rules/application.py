"""The Python of a service: what a request must not do."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from shipwheel.lint.dockerfile.stages import Dockerfile
from shipwheel.lint.files.subjects import Compose, PythonFile, Script
from shipwheel.lint.finding import Edit, Fix, Hit
from shipwheel.lint.packages.python import packages_of
from shipwheel.lint.rule import Rule
from shipwheel.lint.serving.routes import Function, Routes, dotted, route_path, routes_of
from shipwheel.lint.source import Source, Span

LOAD = Rule(
    key="model-load-in-handler",
    severity="warning",
    title="A request loads the model",
    why="Every request waits for seconds of disk and CPU, and concurrent ones hold several copies in memory.",
    remedy="Load it once, in the lifespan of the application or at import, and keep it",
    source="https://fastapi.tiangolo.com/advanced/events/",
)

BLOCKS = Rule(
    key="sync-predict-in-async",
    severity="warning",
    title="An async handler that blocks the event loop",
    why="While it computes, the process answers nobody, health checks included.",
    remedy="Write def instead of async def, so that a thread runs it, or: await asyncio.to_thread(model.predict, x)",
    source="https://fastapi.tiangolo.com/async/",
)

ON_EVENT = Rule(
    key="on-event-deprecated",
    severity="info",
    title="on_event instead of a lifespan",
    why="FastAPI and Starlette have deprecated on_event; with a lifespan given, its handlers are not called at all.",
    remedy="Write an async context manager, given as FastAPI(lifespan=...)",
    source="https://fastapi.tiangolo.com/advanced/events/#alternative-events-deprecated",
)

WORKER = Rule(
    key="uvicorn-workers-deprecated",
    severity="info",
    title="uvicorn.workers.UvicornWorker",
    why="Uvicorn has deprecated the module, and a later version will be without it.",
    remedy="Install uvicorn-worker and use uvicorn_worker.UvicornWorker, or: uvicorn --workers N",
    source="https://www.uvicorn.org/deployment/#gunicorn",
    fix="automatic",
)

_LOADS = re.compile(
    r"(?:^|\.)(?:torch\.(?:jit\.|hub\.)?load|joblib\.load|(?:cloud)?pickle\.load|dill\.load|from_pretrained|load_model|spacy\.load"
    r"|load_from_checkpoint|InferenceSession|SentenceTransformer|CrossEncoder|WhisperModel|YOLO|load_learner|Llama)$"
)
_PIPELINE = re.compile(r"(?:^|transformers\.)pipeline$")
_ON_PURPOSE = re.compile(r"load|init|warm|start|switch|train|setup|admin|update|swap|deploy", re.IGNORECASE)
"""Routes that are there to load a model."""

_COMPUTES = re.compile(r"\.(?:predict|predict_proba|predict_on_batch|decision_function|transcribe)$")
_GENERATES = re.compile(
    r"(?:model|pipe|pipeline|llm|net|network|encoder|embedder)\.(?:generate|encode|forward)$", re.IGNORECASE
)
_SLEEPS = re.compile(r"^(?:time\.sleep|requests\.(?:get|post|put|patch|delete|head|request))$")
_MAKES = re.compile(r"(?:from_pretrained|load_model|torch\.(?:jit\.|hub\.)?load|pipeline|YOLO|\.eval|\.to)$")


@LOAD.check(PythonFile)
def _loads(file: PythonFile) -> Iterator[Hit]:
    routes = routes_of(file.tree)
    pipelines = "transformers" in file.source.text
    for route in routes.routes:
        if _ON_PURPOSE.search(f"{route.name} {route_path(route)}"):
            continue
        for call in routes.calls(route):
            if not call.guarded and (_LOADS.search(call.name) or (pipelines and _PIPELINE.search(call.name))):
                yield Hit(span=file.span(call.seen_from), message=f"{route.name} calls {call.name} at every request")
                break


@BLOCKS.check(PythonFile)
def _blocks(file: PythonFile) -> Iterator[Hit]:
    routes = routes_of(file.tree)
    models = _models(file.tree)
    for route in routes.routes:
        if isinstance(route, ast.AsyncFunctionDef):
            yield from _blocking(file, routes, route, models)


def _blocking(file: PythonFile, routes: Routes, route: Function, models: frozenset[str]) -> Iterator[Hit]:
    """The first call of a route that blocks; one finding a route is enough."""
    for call in routes.calls(route):
        computes = _COMPUTES.search(call.name) or _GENERATES.search(call.name) or call.name in models
        if not (call.awaited or call.threaded) and (computes or _SLEEPS.search(call.name)):
            yield Hit(
                span=file.span(call.seen_from),
                message=f"async {route.name} calls {call.name}, which blocks all other requests",
                remedy="" if computes else "Await asyncio.sleep, or an asynchronous client such as httpx.AsyncClient",
            )
            return


def _models(tree: ast.Module) -> frozenset[str]:
    """Names that are called to compute: assigned from something that loads or makes a model."""
    return frozenset(
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and _MAKES.search(dotted(node.value.func))
        for target in node.targets
        if isinstance(target, ast.Name) and re.search(r"model|net|pipe|classif|generator|detect", target.id, re.IGNORECASE)
    )


@ON_EVENT.check(PythonFile)
def _on_event(file: PythonFile) -> Iterator[Hit]:
    for function in (node for node in ast.walk(file.tree) if isinstance(node, Function)):
        for decorator in function.decorator_list:
            if isinstance(decorator, ast.Call) and dotted(decorator.func).endswith(".on_event"):
                yield Hit(span=file.span(decorator), message=f"{function.name} is registered with on_event")


_WORKER = re.compile(r"\buvicorn\.workers\.(UvicornWorker|UvicornH11Worker)\b")


@WORKER.check(Dockerfile)
def _worker_in_image(dockerfile: Dockerfile) -> Iterator[Hit]:
    """The fix is safe only where the package of the new name is installed."""
    for stage in dockerfile.shipped:
        steps = [step for step in stage.all_steps if step.keyword in ("CMD", "ENTRYPOINT", "ENV", "RUN")]
        installed = "uvicorn-worker" in packages_of(stage).by_name if steps else False
        for step in steps:
            yield from _workers(dockerfile.source, step.span, mends=installed)


@WORKER.check(PythonFile)
def _worker_in_python(file: PythonFile) -> Iterator[Hit]:
    yield from _workers(file.source, (0, len(file.source.text)), mends=False)


@WORKER.check(Compose)
def _worker_in_compose(compose: Compose) -> Iterator[Hit]:
    yield from _workers(compose.source, (0, len(compose.source.text)), mends=False)


@WORKER.check(Script)
def _worker_in_script(script: Script) -> Iterator[Hit]:
    yield from _workers(script.source, (0, len(script.source.text)), mends=False)


def _workers(source: Source, span: Span, *, mends: bool) -> Iterator[Hit]:
    for match in _WORKER.finditer(source.text, *span):
        if source.text[source.text.rfind("\n", 0, match.start()) + 1 : match.start()].lstrip().startswith("#"):
            continue
        edit = Edit(*match.span(), f"uvicorn_worker.{match[1]}")
        fix = Fix(what="name the worker of uvicorn-worker", edits=(edit,)) if mends else None
        yield Hit(span=match.span(), message=f"{match[0]} is deprecated", fix=fix)
