"""Variables of Hugging Face's libraries under names that they do not, or no longer, read."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shipwheel.lint.context.folder import BuildContext
from shipwheel.lint.dockerfile.stages import Dockerfile, Stage
from shipwheel.lint.files.compose import environment
from shipwheel.lint.files.subjects import Compose, Manifest, Node
from shipwheel.lint.finding import Edit, Fix, Hit
from shipwheel.lint.packages.python import packages_of
from shipwheel.lint.rule import Rule
from shipwheel.lint.source import Source, Span

TRANSFORMERS_CACHE = Rule(
    key="transformers-cache",
    severity="info",
    title="TRANSFORMERS_CACHE is deprecated",
    why="Transformers 5 no longer reads it, and huggingface_hub never did: models are downloaded to two places, or again.",
    remedy="Set HF_HOME to the folder of all caches, or HF_HUB_CACHE to this very folder (HF_HOME=/x puts models in /x/hub)",
    source="https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables",
    fix="automatic",
)

HF_TOKEN_NAME = Rule(
    key="hf-token-name",
    severity="warning",
    title="A token has a name that Hugging Face's libraries do not read",
    why="huggingface_hub reads HF_TOKEN (and still HUGGING_FACE_HUB_TOKEN); under another name downloads of gated models fail.",
    remedy="Name it HF_TOKEN",
    source="https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables",
    fix="automatic",
)

_OLD = "TRANSFORMERS_CACHE"
_NEW = ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE")
_WRONG = re.compile(
    r"HUGGINGFACE_TOKEN|HUGGING_FACE_TOKEN|HUGGINGFACE_HUB_TOKEN|HF_HUB_TOKEN|HUGGINGFACE_ACCESS_TOKEN|HF_ACCESS_TOKEN|HF_AUTH_TOKEN"
    r"|HUGGINGFACE_AUTH_TOKEN|HUGGING_FACE_API_TOKEN|HUGGINGFACE_API_TOKEN|HF_API_TOKEN"
)
"""Not HUGGINGFACEHUB_API_TOKEN (LangChain), HUGGINGFACE_API_KEY (LiteLLM), which other libraries document."""
_READERS = 400
"""Python files of a context that are looked into for a program that reads the name itself."""


@TRANSFORMERS_CACHE.check(Dockerfile)
def transformers_cache(dockerfile: Dockerfile) -> Iterator[Hit]:
    """ENV and ARG."""
    for step in dockerfile.steps("ENV", "ARG"):
        for name, value in step.instruction.pairs:
            if name.text != _OLD or _is_old(step.stage):
                continue
            text = step.expanded(value).text if value else ""
            new, written, edits = _new_place(text, value.span if value else (0, 0), dockerfile.source)
            there = next(
                (other for other in (*_NEW, *(("HF_HOME",) if new == "HF_HOME" else ())) if other in step.stage.env), ""
            )
            alone = dockerfile.source.text.count(_OLD) == 1
            fix = Fix(what=f"set {new}", edits=(Edit(*name.span, new), *edits)) if alone and value and not there else None
            remedy = f"Leave it out: {there} is what counts" if there else f"Set {new}={written}"
            yield Hit(span=name.span, message=f"{_OLD} is set, which is deprecated", remedy=remedy, fix=fix)


def _new_place(text: str, span: Span, source: Source) -> tuple[str, str, tuple[Edit, ...]]:
    """The variable that means the same, its value, and the edits of the value: HF_HOME where the folder is its hub/."""
    written = source.text[slice(*span)]
    if text.rstrip("/").endswith("/hub") and written.rstrip("/\"'").endswith("/hub"):
        end = span[0] + written.rindex("/hub")
        return "HF_HOME", text.rstrip("/").removesuffix("/hub"), (Edit(end, end + len("/hub"), ""),)
    return "HF_HUB_CACHE", text, ()


def _is_old(stage: Stage) -> bool:
    """Whether the stage has a transformers to which the new names mean nothing (before 4.22)."""
    added = packages_of(stage).by_name.get("transformers")
    numbers = re.match(r"(\d+)\.(\d+)", added.requested.version) if added else None
    return numbers is not None and (int(numbers[1]), int(numbers[2])) < (4, 22)


@TRANSFORMERS_CACHE.check(Compose)
def transformers_cache_of_services(compose: Compose) -> Iterator[Hit]:
    """`environment`."""
    for service in compose.services.values():
        yield from _old_cache(compose.source, service)


@TRANSFORMERS_CACHE.check(Manifest)
def transformers_cache_of_containers(manifest: Manifest) -> Iterator[Hit]:
    """`env`."""
    for workload in manifest.workloads:
        for container in workload.containers:
            yield from _old_cache(manifest.source, container)


def _old_cache(source: Source, container: Node) -> Iterator[Hit]:
    variables = dict(environment(container))
    node = variables.get(_OLD)
    span = _name_place(source, _OLD, node) if node else None
    if node and span:
        new = "HF_HUB_CACHE"
        fix = None if any(name in variables for name in _NEW) else Fix(what=f"set {new}", edits=(Edit(*span, new),))
        remedy = f"Set {new}={node.text}, or HF_HOME to the folder of all caches"
        yield Hit(span=span, message=f"{_OLD} is set, which is deprecated", remedy=remedy, fix=fix)


def _name_place(source: Source, name: str, node: Node) -> Span | None:
    """Where a variable's name stands: before its value, in `name:` above it, or as the key."""
    start = max(0, min(node.key_span[0], node.span[0]) - len(name) - 200)
    at = source.text.rfind(name, start, node.span[1])
    return (at, at + len(name)) if at >= 0 else None


@HF_TOKEN_NAME.check(Dockerfile)
def hf_token_name(dockerfile: Dockerfile) -> Iterator[Hit]:
    """ENV, and variables that a RUN exports or gives to a command; not what the file itself uses by that name."""
    for name, span in _names_set(dockerfile):
        if _is_used(dockerfile, name) or _is_read_by_code(dockerfile.context, name) or "HF_TOKEN" in _words(dockerfile.source):
            continue
        yield Hit(span=span, message=f"{name} is no name that huggingface_hub reads", fix=_renamed(dockerfile, name))


def _names_set(dockerfile: Dockerfile) -> Iterator[tuple[str, Span]]:
    for step in dockerfile.steps("ENV", "ARG", "RUN"):
        for name, _ in step.instruction.pairs:
            if _WRONG.fullmatch(name.text):
                yield name.text, name.span
        for command in step.commands if step.keyword == "RUN" else ():
            for assignment in command.assignments:
                if _WRONG.fullmatch(assignment.name):
                    yield assignment.name, (assignment.span[0], assignment.span[0] + len(assignment.name))
        for mount in step.mounts if step.keyword == "RUN" else ():
            if _WRONG.fullmatch(mount.options.get("env", "")):
                yield mount.options["env"], mount.span


def _words(source: Source) -> set[str]:
    return set(re.findall(r"\w+", source.text))


def _is_used(dockerfile: Dockerfile, name: str) -> bool:
    """Whether something other than an assignment of the same name reads it: --token $NAME, os.environ["NAME"]."""
    for match in re.finditer(rf"\b{name}\b", dockerfile.source.text):
        before = dockerfile.source.text[max(0, match.start() - 2) : match.start()]
        if "$" in before and not _is_own_value(dockerfile.source.text, match.start(), name):
            return True
        if before[-1:] in ("'", '"'):
            return True
    return False


def _is_own_value(text: str, at: int, name: str) -> bool:
    """`NAME=$NAME`, `ENV NAME ${NAME}`."""
    return re.search(rf"\b{name}(?:=|[ \t]+)[\"']?\$\{{?$", text[max(0, at - len(name) - 8) : at]) is not None


def _is_read_by_code(context: BuildContext, name: str) -> bool:
    """Whether a Python file or shell script of the context names it."""
    files = [file for file in context.files() if file.endswith((".py", ".sh", ".ipynb"))]
    sources = (context.read(file) for file in files[:_READERS])
    return any(source is not None and name in source.text for source in sources)


def _renamed(dockerfile: Dockerfile, name: str) -> Fix | None:
    """The name everywhere in the instructions; nothing where an ARG has it, for those who build give it by that name."""
    text, comments = dockerfile.source.text, dockerfile.parsed.comments
    if any(
        step.keyword == "ARG" and any(each.text == name for each, _ in step.instruction.pairs) for step in dockerfile.steps()
    ):
        return None
    places = [match.span() for match in re.finditer(rf"\b{name}\b", text)]
    outside = [span for span in places if not any(start <= span[0] < end for start, end in comments)]
    if any(text[start - 1 : start] == "/" or text[end : end + 1] in (".", "/") for start, end in outside):
        return None
    return Fix(what="name it HF_TOKEN", edits=tuple(Edit(start, end, "HF_TOKEN") for start, end in outside))


@HF_TOKEN_NAME.check(Compose)
def hf_token_name_of_services(compose: Compose) -> Iterator[Hit]:
    """`environment`, of services whose image is pulled: an app's own code may read any name."""
    for service in compose.services.values():
        if not service.get("build"):
            yield from _wrong_name(compose.source, service)


@HF_TOKEN_NAME.check(Manifest)
def hf_token_name_of_containers(manifest: Manifest) -> Iterator[Hit]:
    """`env`, of images that are known to download models."""
    for workload in manifest.workloads:
        for container in workload.containers:
            yield from _wrong_name(manifest.source, container)


_SERVERS = re.compile(r"vllm|text-generation-inference|text-embeddings-inference|sglang|huggingface|lmdeploy|tritonserver")
"""Images whose names of variables are known."""


def _wrong_name(source: Source, container: Node) -> Iterator[Hit]:
    image = container.get("image")
    names = [found.text for item in _listed(container) if (found := item.get("name"))]
    for name in dict.fromkeys([*dict(environment(container)), *names]):
        if not _WRONG.fullmatch(name) or not image or not _SERVERS.search(image.text) or "HF_TOKEN" in names:
            continue
        at = re.search(rf"\b{name}\b", source.text[container.span[0] :])
        if at:
            span = (container.span[0] + at.start(), container.span[0] + at.end())
            fix = Fix(what="name it HF_TOKEN", edits=(Edit(*span, "HF_TOKEN"),))
            yield Hit(span=span, message=f"{name} is no name that huggingface_hub reads", fix=fix)


def _listed(container: Node) -> tuple[Node, ...]:
    node = container.get("env")
    return tuple(node.value) if node and isinstance(node.value, list) else ()
