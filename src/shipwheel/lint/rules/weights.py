"""Models, data and outputs of training in images, and models that are downloaded without a revision."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

from shipwheel.lint.context.folder import BuildContext
from shipwheel.lint.dockerfile.instructions import Heredoc
from shipwheel.lint.dockerfile.stages import Dockerfile, Stage, Step
from shipwheel.lint.finding import Hit
from shipwheel.lint.packages.python import context_path
from shipwheel.lint.rule import Rule
from shipwheel.lint.shell.command import Command
from shipwheel.lint.shell.datahub import fetched_data
from shipwheel.lint.shell.modelhub import HEAVY, WEIGHTS, Fetch, fetch_of_url, fetches, in_python
from shipwheel.lint.word import Word
from shipwheel.lint.wording import listed

MODEL_BAKED = Rule(
    key="model-baked",
    severity="warning",
    title="A model of over 100 MB is part of the image",
    why="Every build, push and pull moves the weights again, and a new model needs a new image.",
    remedy="Mount it as a volume, or download it at start to one, pinned by revision; or give it a layer of its own, the last",
    source="https://docs.docker.com/build/building/best-practices/#decouple-applications",
)

DATA_BAKED = Rule(
    key="data-baked",
    severity="warning",
    title="Data is part of the image",
    why="Data makes the image large, changes without the code, and is often not meant for everyone who may pull the image.",
    remedy="Put the folder into .dockerignore, and mount it: `docker run -v ./data:/data:ro`; or read it from object storage",
    source="https://docs.docker.com/build/concepts/context/#dockerignore-files",
)

OUTPUTS_BAKED = Rule(
    key="outputs-baked",
    severity="warning",
    title="Outputs of training or notebooks are part of the image",
    why="Runs, logs, checkpoints and notebooks grow with every experiment and are not needed to run the service.",
    remedy="Put the folder into .dockerignore, and mount it where it is read or written: `docker run -v ./mlruns:/mlruns`",
    source="https://docs.docker.com/build/concepts/context/#dockerignore-files",
)

MODEL_DOWNLOAD_UNPINNED = Rule(
    key="model-download-unpinned",
    severity="warning",
    title="A model is downloaded without a revision",
    why="The branch moves: the same Dockerfile gives another model tomorrow, or code that nobody has looked at.",
    remedy='Name the commit: `--revision COMMIT`, `revision="COMMIT"`, /resolve/COMMIT/ in an address',
    source="https://huggingface.co/docs/huggingface_hub/guides/download",
)

MODEL_BYTES = 100 * 10**6
"""What a layer may hold without anyone waiting for it."""
DATA_BYTES = 10 * 10**6
"""More than fixtures of tests have."""

_MODEL_FOLDERS = re.compile(
    r"models|weights|pretrained(?:_models|_weights)?|model_(?:weights|repository|dir)|(?:saved|trained)_models"
    r"|model[-_]store|hf_cache|huggingface"
)
_MODEL_PLACES = re.compile(r"^/(?:opt/ml/model|models?|weights|mnt/models|model-store|home/model-server/model-store)(?:/|$)")
_DATA_FOLDERS = re.compile(
    r"data(?:/(?:raw|processed|external|interim|train|test|images))?|datasets?|(?:train|training|raw)_data"
)
_DATA = re.compile(
    r"\.(?:csv|tsv|parquet|feather|arrow|npy|npz|tfrecords?|h5|hdf5|lmdb|jsonl|pkl|pickle|zip|tar|gz|jpe?g|png|wav|mp4|xlsx|db|sqlite)$",
    re.I,
)
_TABLES = re.compile(r"\.(?:parquet|feather|arrow|tfrecords?|hdf5|lmdb)$", re.I)
"""Data whatever its size, where that is not known."""
_OUTPUTS = re.compile(
    r"mlruns|mlartifacts|wandb|runs|logs|lightning_logs|tb_logs|tensorboard_logs|checkpoints|outputs?|multirun"
)
_CODE_FOLDERS = re.compile(r"(?:^|/)(?:src|app|lib|api|backend|server|package|services?|core)(?:/|$)")
_JUPYTER = re.compile(r"jupyter|notebook-|/notebook\b|ipykernel|voila|papermill|marimo", re.I)
_DOWNLOADER = re.compile(r"(?:download|fetch|preload|prefetch|warm|cache|get|load|pull)[\w-]*\.py$|builder\.py$")
_OF_MODELS = re.compile(
    r"(?:download|fetch|preload|prefetch|pull|get|warm|cache)[\w-]*(?:model|weight|checkpoint)[\w-]*\.(?:py|sh)$"
)
_LIGHT = re.compile(r"spacy|nltk|tokenizer|config|tiny|small|mini|\bbase", re.I)
_POINTER = re.compile(r"version https://git-lfs[^\n]*\noid [^\n]*\nsize (\d+)")
_DVC = re.compile(r"^\s*-?\s*size: (\d+)", re.MULTILINE)


@MODEL_BAKED.check(Dockerfile)
def model_baked(dockerfile: Dockerfile) -> Iterator[Hit]:
    """COPY of weights, by size or by name, and RUN that downloads a large model."""
    for step in dockerfile.steps("COPY", "ADD"):
        if _stays(dockerfile, step.stage) and not step.copies_from:
            yield from _copied_models(dockerfile, step)
    for step in dockerfile.steps("RUN", "ADD"):
        large = [fetch for fetch in _of_step(step) if fetch.large]
        if large and _stays(dockerfile, step.stage) and not _is_mounted(step):
            names = listed(fetch.what for fetch in large)
            yield Hit(span=large[0].span, message=f"{step.keyword} downloads {names} into the image")


def _stays(dockerfile: Dockerfile, stage: Stage) -> bool:
    return dockerfile.used(stage) or stage in dockerfile.shipped


def _copied_models(dockerfile: Dockerfile, step: Step) -> Iterator[Hit]:
    absent = [word for word in step.sources if word.known and not _files(dockerfile.context, word)]
    named = [word for word in absent if _is_model(dockerfile.context, word.text, step.destination)]
    if named:
        yield Hit(span=named[0].span, message=f"{step.keyword} puts {listed(word.text for word in named)} into the image")
        return
    for word in step.sources:
        size, files = _weights(dockerfile.context, word)
        if size > MODEL_BYTES:
            names = listed(posixpath.basename(file) for file in files)
            yield Hit(span=word.span, message=f"{step.keyword} puts {size // 10**6} MB of weights into the image: {names}")
            return


def _is_model(context: BuildContext, text: str, destination: str) -> bool:
    """Whether something that is not on disk (git and DVC leave weights out) is a large model, by its name."""
    path = _path(text)
    if context.exists(path) or "://" in text or context.left_out(path):
        return False
    if HEAVY.search(path) or (
        path.endswith((".pt", ".pth", ".onnx")) and not re.search(r"yolo\w*[ns]\.pt$|tiny|small", path, re.I)
    ):
        return True
    if _CODE_FOLDERS.search(path) or "." in posixpath.basename(path):
        return False
    folder, name = posixpath.split(path)
    named = _MODEL_FOLDERS.fullmatch(name) or _MODEL_FOLDERS.fullmatch(folder)
    return named is not None or _MODEL_PLACES.match(destination) is not None


def _weights(context: BuildContext, source: Word) -> tuple[int, list[str]]:
    """How many bytes of weights a source of COPY takes, and the largest files first."""
    sizes = {file: _size(context, file) for file in _files(context, source) if WEIGHTS.search(file) or file.endswith(".dvc")}
    named = {file: size for file, size in sizes.items() if not file.endswith(".dvc") or WEIGHTS.search(file[:-4])}
    return sum(named.values()), sorted((file for file in named if named[file]), key=lambda file: -named[file])


def _files(context: BuildContext, source: Word) -> list[str]:
    """The files that a source takes from the context."""
    path = _path(source.text)
    if "://" in source.text or not source.known:
        return []
    if context.is_folder(path):
        return list(context.files(path))
    if "*" in path or "?" in path:
        below = context.files(posixpath.dirname(path.partition("*")[0]) or ".")
        return [file for file in below if fnmatchcase(file, path)]
    return [path] if context.exists(path) and not context.left_out(path) else []


def _path(text: str) -> str:
    return posixpath.normpath(text.lstrip("/") or ".")


def _size(context: BuildContext, file: str) -> int:
    """Bytes of a file; of a pointer of Git LFS or DVC those of what it stands for."""
    size = context.size(file)
    if size > 1024:
        return size
    found = context.read(file)
    pointer = found and (_POINTER.match(found.text) or (file.endswith(".dvc") and _DVC.search(found.text)))
    return int(pointer[1]) if pointer else size


def _is_mounted(step: Step) -> bool:
    """Whether a cache mount takes what the step downloads."""
    targets = [mount.options.get("target", "") for mount in step.mounts if mount.type in ("cache", "tmpfs")]
    return any(re.search(r"hugging|hf|model|\.cache/?$|ollama|whisper|torch", target) for target in targets)


def _of_step(step: Step) -> Iterator[Fetch]:
    if step.keyword == "ADD":
        yield from filter(None, map(fetch_of_url, step.sources))
        return
    for command in step.commands:
        yield from fetches(command)
        yield from _of_script(step, command)
    for heredoc in _run_heredocs(step):
        if re.search(r"import |snapshot_download", heredoc.body.text):
            yield from in_python(heredoc.body.text, heredoc.body.span(0, len(heredoc.body.text.split("\n")[0])))


def _run_heredocs(step: Step) -> list[Heredoc]:
    """Those that are not written to a file."""
    heredocs = step.instruction.heredocs
    takers = [command for command in step.commands if any(one.operator.startswith("<<") for one in command.redirects)]
    if len(takers) != len(heredocs) or step.instruction.body.text.lstrip().startswith("<<"):
        return list(heredocs)
    return [heredoc for heredoc, taker in zip(heredocs, takers, strict=True) if taker.program not in ("cat", "tee", "dd")]


def _of_script(step: Step, command: Command) -> Iterator[Fetch]:
    """What a Python file downloads whose name says that it does; of a script that is not at hand by the name alone."""
    dockerfile = step.stage.dockerfile
    if dockerfile is None:
        return
    light = "then" in command.inside or any(_LIGHT.search(word.text) for word in command.words)
    runs = command.program.startswith("python") or command.program in ("sh", "bash")
    words = command.arguments if runs else command.words[:1]
    for word in (word for word in words if word.text.endswith((".py", ".sh"))):
        source = dockerfile.context.read(context_path(step, word.text) or "\0")
        if source and _DOWNLOADER.search(word.text):
            yield from in_python(source.text, command.span)
        elif not source and not light and _OF_MODELS.search(word.text):
            yield Fetch(what=f"what {posixpath.basename(word.text)} fetches", span=command.span, large=True)


@DATA_BAKED.check(Dockerfile)
def data_baked(dockerfile: Dockerfile) -> Iterator[Hit]:
    """COPY of data: a folder or a table by its name, where it is not on disk, else more than 10 MB of it."""
    for step, word in _context_sources(dockerfile):
        path = _path(word.text)
        folder = path.removesuffix("/*")
        if not dockerfile.context.exists(folder):
            what = "the folder " if _DATA_FOLDERS.fullmatch(folder) else ""
            if not dockerfile.context.left_out(folder) and (what or _TABLES.search(folder)):
                yield Hit(span=word.span, message=f"{step.keyword} puts {what}{word.text} into the image")
        elif path != ".":
            sizes = {file: _size(dockerfile.context, file) for file in _files(dockerfile.context, word) if _DATA.search(file)}
            if (total := sum(sizes.values())) > DATA_BYTES:
                yield Hit(
                    span=word.span, message=f"{step.keyword} puts {total // 10**6} MB of data into the image: {word.text}"
                )


@DATA_BAKED.check(Dockerfile)
def data_pulled(dockerfile: Dockerfile) -> Iterator[Hit]:
    """RUN that downloads data, as far as names say; what a model is, is none."""
    for step in dockerfile.steps("RUN"):
        for command in step.commands if _stays(dockerfile, step.stage) else ():
            if "then" not in command.inside and (what := fetched_data(command)):
                yield Hit(span=command.span, message=f"{command.program} puts {what} into the image")


def _context_sources(dockerfile: Dockerfile) -> Iterator[tuple[Step, Word]]:
    """What the stages that stay take from the context."""
    for step in dockerfile.steps("COPY", "ADD"):
        if not step.copies_from and _stays(dockerfile, step.stage):
            yield from ((step, word) for word in step.sources if word.known and "://" not in word.text)


@OUTPUTS_BAKED.check(Dockerfile)
def outputs_baked(dockerfile: Dockerfile) -> Iterator[Hit]:
    """COPY of folders of outputs and of notebooks, where it is no image for notebooks."""
    for step, word in _context_sources(dockerfile):
        path = _path(word.text)
        name = posixpath.basename(path.removesuffix("/*"))
        notebook = name == "notebooks" or path.endswith(".ipynb")
        if not (notebook or _OUTPUTS.fullmatch(name)) or _CODE_FOLDERS.search(posixpath.dirname(path)):
            continue
        if name == "checkpoints" and _is_model(dockerfile.context, word.text, step.destination):
            continue
        if dockerfile.context.left_out(path) or dockerfile.context.exists(f"{path}/__init__.py"):
            continue
        if notebook and _for_notebooks(dockerfile):
            continue
        yield Hit(span=word.span, message=f"{step.keyword} puts {word.text} into the image")


def _for_notebooks(dockerfile: Dockerfile) -> bool:
    """Whether notebooks are what the image is for: it has Jupyter or its kin, or works in their folder."""
    if _JUPYTER.search(dockerfile.source.text):
        return True
    return any(
        "notebooks" in step.instruction.body.text for step in dockerfile.steps("WORKDIR", "CMD", "ENTRYPOINT", "RUN", "VOLUME")
    )


@MODEL_DOWNLOAD_UNPINNED.check(Dockerfile)
def model_download_unpinned(dockerfile: Dockerfile) -> Iterator[Hit]:
    """RUN and ADD that download a model at whatever revision a branch has."""
    for step in dockerfile.steps("RUN", "ADD"):
        if _checked(step) or _checked_out(step):
            continue
        loose = [fetch for fetch in _of_step(step) if fetch.pinned is False]
        if loose:
            names = listed(fetch.what for fetch in loose)
            yield Hit(
                span=loose[0].span,
                message=f"{step.keyword} downloads {names} without a revision",
                remedy=f"Name what you tested: {loose[0].revision}",
            )


def _checked_out(step: Step) -> bool:
    """Whether the step moves a clone to a commit."""
    return any(command.program == "git" and command.has("checkout", "reset", "switch") for command in step.commands)


def _checked(step: Step) -> bool:
    """Whether the step compares a checksum of what it downloads."""
    if step.instruction.flag("checksum"):
        return True
    return any(command.program in ("sha256sum", "sha512sum", "md5sum", "b2sum", "shasum") for command in step.commands)
