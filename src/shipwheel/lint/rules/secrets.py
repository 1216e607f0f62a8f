"""Secrets in variables: ENV, ARG, build arguments, compose files, manifests and workflows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from shipwheel.lint.dockerfile.stages import Dockerfile, Step
from shipwheel.lint.files.compose import environment
from shipwheel.lint.files.subjects import Compose, Manifest, Node, Script, Workflow
from shipwheel.lint.files.yaml import pairs, walk
from shipwheel.lint.finding import Hit
from shipwheel.lint.rule import Rule
from shipwheel.lint.secrets import generated, judged, leaks, secret_name
from shipwheel.lint.shell.docker import PROGRAMS, docker_call
from shipwheel.lint.source import Source, Span
from shipwheel.lint.word import Word
from shipwheel.lint.wording import listed

SECRET_ENV = Rule(
    key="secret-env",
    severity="error",
    title="A secret is in a variable of the image, or of a file that many can read",
    why="Everyone who has the image or the repository can read it, and a later image or commit does not take it back.",
    remedy="Leave it out and give it when the container starts: `docker run -e NAME`, a secret of compose or Kubernetes",
    source="https://docs.docker.com/reference/build-checks/secrets-used-in-arg-or-env/",
)

SECRET_ARG = Rule(
    key="secret-arg",
    severity="error",
    title="A build argument holds a secret",
    why="Build arguments stand in the image's history and in its provenance, for everyone who has the image.",
    remedy="Mount it instead: `RUN --mount=type=secret,id=NAME,env=NAME`, and build with `--secret id=NAME,env=NAME`",
    source="https://docs.docker.com/build/building/secrets/",
)

BUILD_ARG_SECRET = Rule(
    key="build-arg-secret",
    severity="error",
    title="A secret is given to a build as an argument",
    why="Build arguments stand in the image's history and in its provenance, for everyone who has the image.",
    remedy="Give it as a secret: `--secret id=NAME,env=NAME`, and read it with `RUN --mount=type=secret,id=NAME,env=NAME`",
    source="https://docs.docker.com/build/building/secrets/",
)

_WORKFLOW_SECRET = re.compile(r"\$\{\{\s*secrets\.(\w+)\s*\}\}")
_BAKED = re.compile(r"^[\w*.-]*\.args\.")
_VARIABLE = re.compile(r"\$\{?(\w+)\}?")


@SECRET_ENV.check(Dockerfile)
def secret_env(dockerfile: Dockerfile) -> Iterator[Hit]:
    """Variables that hold a secret in their text, or a build argument that is one."""
    for step in dockerfile.steps("ENV"):
        found = [(name, kind) for name, value in step.instruction.pairs if (kind := _kept(step, name.text, value))]
        if found:
            names = listed(name.text for name, _ in found)
            yield Hit(span=found[0][0].span, message=f"ENV keeps {names} in the image{_tail([kind for _, kind in found])}")


def _kept(step: Step, name: str, value: Word | None) -> str:
    """What a variable of that name and value keeps in the image: "secret", "placeholder", "argument", or "" for nothing."""
    if value is None:
        return ""
    text = step.expanded(value).text
    if leaks(text):
        return "secret"
    if not secret_name(name):
        return ""
    kind = judged(text)
    if kind == "reference":
        named = _VARIABLE.fullmatch(text)
        return "argument" if named and _is_argument(step, named[1]) else ""
    return {"nothing": "", "placeholder": "placeholder"}.get(kind, "secret")


def _is_argument(step: Step, name: str) -> bool:
    """Whether an ARG of the stage before this step declares it."""
    before = (other for other in step.stage.all_steps if other.keyword == "ARG" and other.span < step.span)
    return any(name == declared.text for other in before for declared, _ in other.instruction.pairs)


def _tail(kinds: list[str]) -> str:
    if "secret" in kinds:
        return ""
    return ", from a build argument" if "argument" in kinds else "; a placeholder now, and the place where the real one ends up"


@SECRET_ENV.check(Compose)
def secret_env_of_services(compose: Compose) -> Iterator[Hit]:
    """Services that have a secret written down; the common passwords of local databases are let be."""
    for name, service in compose.services.items():
        yield from _written(compose.source, f"service {name}", environment(service), generated)


@SECRET_ENV.check(Manifest)
def secret_env_of_containers(manifest: Manifest) -> Iterator[Hit]:
    """Containers that have a secret written down instead of a reference to a Secret."""
    for workload in manifest.workloads:
        for container in workload.containers:
            variables = environment(container)
            yield from _written(manifest.source, f"{workload.kind} {workload.name}", variables, bool)


@SECRET_ENV.check(Workflow)
def secret_env_of_jobs(workflow: Workflow) -> Iterator[Hit]:
    """Variables of a workflow, at any level, that hold what a program made."""
    for node in walk(workflow.root):
        if variables := pairs(node.get("env")) or pairs(node.get("variables")):
            yield from _written(workflow.source, "the workflow", variables, generated)


def _written(source: Source, where: str, variables: Iterable[tuple[str, Node]], counts: Callable[[str], bool]) -> Iterator[Hit]:
    found = [(name, node) for name, node in variables if _is_written(name, node.text, counts) and _is_here(source, name, node)]
    if found:
        names = listed(name for name, _ in found)
        node = found[0][1]
        yield Hit(span=_name_span(source, found[0][0], node), message=f"{where} has {names} written down")


def _is_written(name: str, value: str, counts: Callable[[str], bool]) -> bool:
    if any(counts(value[start:end]) for start, end in leaks(value)):
        return True
    return secret_name(name) and judged(value) == "secret" and counts(value)


def _is_here(source: Source, name: str, node: Node) -> bool:
    """Whether the value stands in this file; what a service extends may stand in another."""
    start, end = node.span
    return node.text[:8].split("\n")[0] in source.text[start:end]


def _name_span(source: Source, name: str, node: Node) -> Span:
    """The place of the name, so that nothing points at the value."""
    start, end = node.span
    if source.text[start:end].lstrip("\"'").startswith(f"{name}="):
        at = source.text.index(name, start)
        return at, at + len(name)
    start, end = node.key_span
    if source.text[start:end].strip("\"'") == name:
        return start, end
    at = source.text.rfind(name, 0, start)
    return (at, at + len(name)) if at >= 0 else (start, end)


@SECRET_ARG.check(Dockerfile)
def secret_arg(dockerfile: Dockerfile) -> Iterator[Hit]:
    """Build arguments with the name of a secret, or with one as their default; each name once in a file."""
    said: set[str] = set()
    for instruction in dockerfile.parsed.instructions:
        pairs_ = instruction.pairs if instruction.keyword == "ARG" else ()
        found = [name for name, value in pairs_ if secret_name(name.text) or (value and leaks(value.text))]
        fresh = [name for name in found if name.text not in said]
        said.update(name.text for name in found)
        if fresh:
            yield Hit(
                span=fresh[0].span, message=f"ARG takes {listed(name.text for name in fresh)}, which stays in the history"
            )


@BUILD_ARG_SECRET.check(Script)
def build_arg_secret(script: Script) -> Iterator[Hit]:
    """--build-arg with a secret."""
    for command in script.commands:
        if command.program not in PROGRAMS and command.program not in ("buildah", "buildctl"):
            continue
        call = docker_call(command)
        if call and "build" not in call.verb:
            continue
        given = [word for word in _arguments_of(command.arguments) if _is_secret_argument(word.text)]
        if given:
            names = listed(_argument_name(word.text) for word in given)
            yield Hit(span=_prefix(given[0], script.source), message=f"--build-arg gives {names} to the build")


def _arguments_of(words: tuple[Word, ...]) -> Iterator[Word]:
    for before, word in zip((None, *words), words, strict=False):
        if word.text.startswith(("--build-arg=", "build-arg:")) or (before and before.text == "--build-arg"):
            yield word


def _argument_name(text: str) -> str:
    return text.removeprefix("--build-arg=").removeprefix("build-arg:").partition("=")[0]


def _is_secret_argument(text: str) -> bool:
    name, _, value = text.removeprefix("--build-arg=").removeprefix("build-arg:").partition("=")
    return secret_name(name) or _names_secret(value) or bool(leaks(value))


def _names_secret(value: str) -> bool:
    found = _WORKFLOW_SECRET.search(value)
    return found is not None and secret_name(found[1])


def _prefix(word: Word, source: Source) -> Span:
    """The word up to its =, so that nothing points at the value."""
    start, end = word.span
    option = "--build-arg=" if source.text.startswith("--build-arg=", start) else ""
    at = source.text.find("=", start + len(option), end)
    return start, at if at > 0 else end


@BUILD_ARG_SECRET.check(Compose)
def build_args_of_services(compose: Compose) -> Iterator[Hit]:
    """`args` of `build`."""
    for name, service in compose.services.items():
        args = service.get("build", "args")
        found = [(each, node) for each, node in _args(args) if secret_name(each) and _is_named_here(compose.source, each, node)]
        if found:
            names = listed(each for each, _ in found)
            span = _name_span(compose.source, found[0][0], found[0][1])
            yield Hit(span=span, message=f"service {name} gives {names} to its build")


def _args(node: Node | None) -> Iterator[tuple[str, Node]]:
    yield from pairs(node)
    for item in node.value if node and isinstance(node.value, list) else ():
        yield item.text.partition("=")[0], item


def _is_named_here(source: Source, name: str, node: Node) -> bool:
    start, end = min(node.key_span[0], node.span[0]), max(node.key_span[1], node.span[1])
    return name in source.text[start:end]


@BUILD_ARG_SECRET.check(Workflow)
def build_args_of_steps(workflow: Workflow) -> Iterator[Hit]:
    """`build-args` of docker/build-push-action and its kin, `set` of docker/bake-action."""
    for node in walk(workflow.root):
        args = node.get("build-args") or node.get("build_args") or node.get("with", "set")
        if args is None or not isinstance(args.value, str):
            continue
        lines = [_BAKED.sub("", line.strip()) for line in re.split(r"[\n,]", args.text) if "=" in line]
        found = [line.partition("=")[0] for line in lines if _is_secret_argument(line)]
        if found:
            yield Hit(span=args.key_span, message=f"{listed(found)} goes to the build as an argument")
