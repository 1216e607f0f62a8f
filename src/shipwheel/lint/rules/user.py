"""As whom a container runs, and what that user cannot read."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator

from shipwheel.lint.context.origins import origin
from shipwheel.lint.context.running import beside
from shipwheel.lint.dockerfile.stages import Dockerfile, Stage, Step
from shipwheel.lint.finding import Hit
from shipwheel.lint.images.names import ImageFacts
from shipwheel.lint.packages.installs import Install
from shipwheel.lint.rule import Rule
from shipwheel.lint.serving.start import Start, is_python, one_of_each, start_of
from shipwheel.lint.shell.command import SHELLS, Command

NO_USER = Rule(
    key="no-user",
    severity="warning",
    title="The container runs as root",
    why="Whoever breaks into the service is root in the container, and one fault of the runtime away from root on the host.",
    remedy="Create a user and switch to it at the end: RUN useradd --create-home --uid 1000 app, then USER app",
    source="https://docs.docker.com/build/building/best-practices/#user",
)

CANNOT_READ = Rule(
    key="user-cannot-read",
    severity="error",
    title="What the container needs lies where its user cannot read",
    why="/root is closed to other users in Debian's and Ubuntu's images: the service stops with `Permission denied`.",
    remedy="Put it outside of /root, such as /opt/venv or /app, and copy with --chown=USER",
    source="https://docs.docker.com/reference/dockerfile/#user",
)

_DROPS = re.compile(r"\b(gosu|su-exec|setpriv|runuser|s6-setuidgid|setuidgid|sudo\s+-u|su\s+-)\b|\bsu\s+\w+\s+-c\b")
_BARE = SHELLS | {"node", "ipython", "irb", "R", "julia"}
_LAMBDA = re.compile(r"(^|/)(aws-)?lambda(/|$|-)")


_SERVICES = "postgres mysql mariadb redis valkey mongo rabbitmq nginx httpd httpd-foreground apache2 sshd cron"
_CHANGES_ITSELF = frozenset(_SERVICES.split())
"""Images and programs that start as root and change to a user of their own (docker-library/docs, each image's page)."""
_TOOLS = frozenset({"pip", "setuptools", "wheel"})


def _is_root(user: str) -> bool:
    return user.partition(":")[0] in ("", "root", "0")


@NO_USER.check(Dockerfile)
def _runs_as_root(file: Dockerfile) -> Iterator[Hit]:
    shipped = [stage for stage in file.shipped if not beside(file, stage)]
    found = [stage for stage in shipped if _is_root(stage.user or stage.facts.user) and not _excused(file, stage)]
    for stage in one_of_each(found):
        user = stage.user or stage.facts.user
        runs = "is not known to set one" if _unknown(stage) else "runs as root"
        no_user = f"no USER is set, and the base {_base(stage)} {runs}"
        yield Hit(span=stage.span, message=f"the last USER is {user}" if stage.last("USER") else no_user)


def _base(stage: Stage) -> str:
    return str(stage.root_image) if stage.root_image else "scratch"


def _unknown(stage: Stage) -> bool:
    return stage.facts == ImageFacts() and stage.lineage[0].base.text != "scratch"


_PUBLIC = re.compile(
    r"(ghcr\.io/|nvcr\.io/|public\.ecr\.aws/|mcr\.microsoft\.com/)?[\w-]+/[\w./-]+"
    r"|[a-z]+-docker\.pkg\.dev/(vertex-ai|deeplearning-platform-release)/.+|gcr\.io/(deeplearning-platform-release|kaggle-[a-z-]+)/.+"
)
"""Registries that anybody reads: their images run as root with few exceptions, those of a company as it likes."""
_WITH_USER = re.compile(
    r"(^|/)(grafana|prom|jenkins|selenium|devcontainers|vscode|rasa|apache|confluentinc|elastic|opensearchproject|kubeflow\w*"
    r"|gitpod|coder|circleci|cimg|rootless|nginxinc|sonarsource|openshift|ubi\d+|dotnet)/|nonroot|rootless|unprivileged|notebook"
    r"|windows|nanoserver"
)
"""Those that are known to have a user of their own, to leave it to a tool, or to have no root."""


def _usually_root(stage: Stage) -> bool:
    image = stage.root_image
    return bool(image and image.known and _PUBLIC.fullmatch(image.repository) and not _WITH_USER.search(str(image)))


def _excused(file: Dockerfile, stage: Stage) -> bool:
    """Whether root is meant or not known: an unknown base, a base image, files alone, who changes the user itself."""
    if ".devcontainer" in file.source.path.parts:
        return True
    if not stage.user and _unknown(stage) and not _usually_root(stage):
        return True
    if _LAMBDA.search(_base(stage)):  # Lambda runs it as a user of its own, whatever USER says
        return True
    start = start_of(file, stage)
    if not stage.user and (_base(stage).partition(":")[0] in _CHANGES_ITSELF or (start and start.program in _CHANGES_ITSELF)):
        return True
    if stage.lineage[0].base.text == "scratch" and start is None:
        return True
    return _drops_privileges(file, stage) or _is_base_image(stage, start)


def _drops_privileges(file: Dockerfile, stage: Stage) -> bool:
    texts = [step.instruction.body.text for step in stage.all_steps if step.keyword in ("RUN", "CMD", "ENTRYPOINT")]
    entrypoint = stage.last("ENTRYPOINT")
    for word in entrypoint.words if entrypoint else ():
        source = file.context.read(path) if (path := origin(file, stage, word.text)) else None
        texts += [source.text] if source else []
    return any(_DROPS.search(text) for text in texts)


def _is_base_image(stage: Stage, start: Start | None) -> bool:
    """Whether it is made for others to build on: no file of the context, no Python package, no command of its own."""
    program = start.program if start else ""
    if program and program not in _BARE and not is_python(program):
        return False
    if start and is_python(program) and any(word.text.endswith(".py") for word in start.arguments):
        return False
    steps = list(stage.all_steps)
    copied = [word.text for step in steps if step.keyword in ("COPY", "ADD") and not step.copies_from for word in step.sources]
    return all("entrypoint" in name for name in copied) and not any(
        map(_adds, (one for step in steps for one in step.installs))
    )


def _adds(install: Install) -> bool:
    """Whether it brings Python packages that are no tools."""
    return install.manager in ("pip", "uv", "conda", "poetry") and (
        not install.packages or any(package.name not in _TOOLS for package in install.packages)
    )


_OPENS = re.compile(r"\b(chmod|chown|setfacl)\b[^&;|]*\s/root\b|(-d|--home|--home-dir)[ =]/root\b")
_VARIABLES = """HF_HOME HF_HUB_CACHE HUGGINGFACE_HUB_CACHE TRANSFORMERS_CACHE TORCH_HOME XDG_CACHE_HOME
SENTENCE_TRANSFORMERS_HOME NLTK_DATA VIRTUAL_ENV UV_PROJECT_ENVIRONMENT UV_PYTHON_INSTALL_DIR HOME"""
_FOLDERS = frozenset(_VARIABLES.split())
"""Variables with a folder in which programs look."""
_DOWNLOADS = {
    re.compile(r"from_pretrained\(|snapshot_download\(|hf_hub_download\(|SentenceTransformer\("): (
        ".cache/huggingface",
        "HF_HOME",
    ),
    re.compile(r"\b(huggingface-cli|hf) download\b"): (".cache/huggingface", "HF_HOME"),
    re.compile(r"\bnltk\.download\(|\bnltk\.downloader\b"): ("nltk_data", "NLTK_DATA"),
    re.compile(r"\bwhisper\.load_model\("): (".cache/whisper", "XDG_CACHE_HOME"),
    re.compile(r"\btorch\.hub\.load\("): (".cache/torch", "TORCH_HOME"),
}
_ELSEWHERE = re.compile(
    r"local[-_]dir|cache[-_](dir|folder)|save_pretrained|download_(dir|root)|\bHOME=|HF_\w+=|\.save\(|--?d(ir)?\b"
)
_INSTALLERS = {"uv": re.compile(r"astral\.sh/uv"), "poetry": re.compile(r"install\.python-poetry\.org")}
_INSTALLED_TO = ("UV_INSTALL_DIR", "XDG_BIN_HOME", "POETRY_HOME", "HOME")


@CANNOT_READ.check(Dockerfile)
def _finds_unreadable(file: Dockerfile) -> Iterator[Hit]:
    for stage in file.shipped:
        user = stage.user.partition(":")[0]
        if _is_root(stage.user) or "$" in user or any(_OPENS.search(step.instruction.body.text) for step in stage.all_steps):
            continue
        seen: set[int] = set()
        for step, message in _unreadable(file, stage, user):
            if step.span[0] not in seen:
                seen.add(step.span[0])
                yield Hit(span=step.span, message=message)


def _unreadable(file: Dockerfile, stage: Stage, user: str) -> Iterator[tuple[Step, str]]:
    if _below_root(stage.workdir) and (step := stage.last("WORKDIR")):
        yield step, f"the container starts in {stage.workdir} as user {user}, who may not enter /root"
    for step in stage.all_steps:
        if step.keyword == "ENV":
            yield from _variables(stage, step, user)
        elif step.keyword == "RUN" and _is_root(step.user or stage.facts.user):
            yield from _made_by_root(file, stage, step, user)
        elif step.keyword in ("COPY", "ADD"):
            yield from _copied(file, stage, step, user)


def _below_root(path: str) -> bool:
    return path == "/root" or path.startswith("/root/")


def _variables(stage: Stage, step: Step, user: str) -> Iterator[tuple[Step, str]]:
    for name, value in step.pairs:
        if name in _FOLDERS and _below_root(value.text) and stage.env.get(name) == value.text:
            yield step, f"{name} is {value.text}, which user {user} cannot read"
        elif name == "PATH" and stage.env.get(name) == value.text:
            entry = next(
                (part for part in value.text.split(":") if _below_root(part) and re.search("venv|conda|mamba", part)), ""
            )
            if entry:
                yield step, f"PATH holds {entry}, which user {user} cannot read"


def _made_by_root(file: Dockerfile, stage: Stage, step: Step, user: str) -> Iterator[tuple[Step, str]]:
    text = step.instruction.body.text + "".join(heredoc.body.text for heredoc in step.instruction.heredocs)
    home = step.env.get("HOME", "/root")
    if not _below_root(home):
        return
    for install in step.installs:
        if reason := _installed_below_root(install, step):
            yield step, f"{reason} as root, into {home}/.local, which user {user} cannot read"
    for command in step.commands:
        if _installs_python(command) and "UV_PYTHON_INSTALL_DIR" not in step.variables:
            yield step, f"uv installs Python into {home}/.local/share/uv/python, which user {user} cannot read"
    for pattern, (folder, variable) in _DOWNLOADS.items():
        if pattern.search(text) and not _ELSEWHERE.search(text) and not _set(step, variable):
            yield step, f"root downloads into {home}/{folder}, where user {user} neither looks nor may read"
    start = start_of(file, stage)
    program = start.command.words[0].text if start and start.command.words else ""
    if (
        program in _INSTALLERS
        and _INSTALLERS[program].search(text)
        and not any(name in text + str(step.env) for name in _INSTALLED_TO)
    ):
        yield step, f"{program} is installed into {home}/.local/bin, and user {user} is to start it"


def _installs_python(command: Command) -> bool:
    words = [word.text for word in command.arguments[:2]]
    return command.program == "uv" and words == ["python", "install"] and not command.has("--install-dir", "-i")


def _set(step: Step, variable: str) -> bool:
    names = {variable, "XDG_CACHE_HOME", "HF_HUB_CACHE", "TRANSFORMERS_CACHE", "SENTENCE_TRANSFORMERS_HOME"}
    return not names.isdisjoint(step.variables)


def _installed_below_root(install: Install, step: Step) -> str:
    if install.manager == "pip" and install.action == "install" and install.option("--user") is not None:
        return "" if "PYTHONUSERBASE" in step.variables else "pip install --user runs"
    return ""


def _copied(file: Dockerfile, stage: Stage, step: Step, user: str) -> Iterator[tuple[Step, str]]:
    owner = step.instruction.flag("chown")
    if _below_root(step.destination.rstrip("/")) and re.search(r"venv|conda|\.local|\.cache", step.destination):
        yield step, f"{step.destination} is copied below /root, which user {user} cannot read"
    if step.copies_from or owner or step.instruction.flag("chmod"):
        return
    for word in step.sources:
        if _closed(file, word.text) and not _opened_later(stage, word.text):
            yield step, f"{word.text} is readable for its owner alone, and COPY without --chown makes that root, not {user}"


def _closed(file: Dockerfile, path: str) -> bool:
    """Whether a file of the context has no bit for others (COPY keeps modes)."""
    if "*" in path or ".." in path or not path.strip("./") or not file.context.exists(path) or file.context.is_folder(path):
        return False
    return not stat.S_IMODE((file.context.root / path.lstrip("/")).stat().st_mode) & (stat.S_IRGRP | stat.S_IROTH)


def _opened_later(stage: Stage, path: str) -> bool:
    """Whether a RUN changes modes or owners; then who may read is not known."""
    return any(
        command.program in ("chmod", "chown") for step in stage.all_steps if step.keyword == "RUN" for command in step.commands
    )
