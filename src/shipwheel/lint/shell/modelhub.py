"""What commands download of models: from Hugging Face, Ollama, torch.hub, or plain addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from shipwheel.lint.shell.command import Command
from shipwheel.lint.shell.stores import STORES, copied_from_store
from shipwheel.lint.source import Span
from shipwheel.lint.word import Word

WEIGHTS = re.compile(
    r"\.(?:safetensors|gguf|ggml|ckpt|pth|pt|onnx|engine|nemo|mar|tflite|caffemodel|pdparams|bin|h5|keras|model|torchscript)$",
    re.I,
)
"""Suffixes of files that may hold weights; .bin, .h5 and .model hold other things, too."""

HEAVY = re.compile(
    r"\.(?:safetensors|gguf|ckpt|nemo)$|(?:pytorch_model|diffusion_pytorch_model|tf_model|model-\d+-of-\d+)[\w.-]*\.(?:bin|h5)$",
    re.I,
)
"""Files that hardly anyone makes for less than 100 MB."""

_CHECKPOINT = re.compile(
    r"\.(?:pth?|onnx|weights)$|(?:models?|weights|checkpoints?|pretrained)[\w.-]*\.(?:tar(?:\.\w+)?|tgz|zip|7z)$", re.I
)
_LIGHT_CHECKPOINT = re.compile(
    r"yolo\w*[nsm]\b|resnet(?:18|34)|efficientnet|densenet(?:121|169|-\d)|shufflenet|squeezenet|googlenet|mobilenet|lpips|u2netp|esrgan"
    r"|parsenet|craft|crnn|landmark|silero|vad\b|tiny|mini|nano|small|vocab|stats|embed",
    re.I,
)
"""Checkpoints of less than 100 MB, by the network that they are of."""

_FETCHERS = re.compile(r"^(?:gdown|wget|curl|aria2c)$|download|fetch", re.I)
"""Programs that write what they download to where they are told."""

_WEIGHTS_FOLDER = re.compile(r"(?:^|[_-])(?:models?|weights|checkpoints?|pretrained)$", re.I)
"""Folders of a store that hold weights."""

_WITH_VALUE = ("-r", "--remote", "-j", "--jobs")
"""Options of dvc pull that take the next word."""

_SMALL = re.compile(
    r"tiny|mini-?lm|nano|yolo(?:v?\d+)[ns]\b|small|bert-(?:mini|small)|silero|mobilenet|punkt|en_core_web_sm", re.I
)
_HUB_FILE = re.compile(
    r"https?://(?:hf\.co|huggingface\.co|hf-mirror\.com)/(?:datasets/|spaces/)?[\w.${}-]+/[\w.${}-]+/(?:resolve|raw|blob)/([^/\s]+)/(\S+)"
)
_FLOATING = ("main", "master", "HEAD")

_CALL = re.compile(
    r"\b(?P<name>[\w.]*?(?:from_pretrained|snapshot_download|hf_hub_download|load_dataset|SentenceTransformer|CrossEncoder"
    r"|WhisperModel|hub\.load|load_model|(?<!\w)pipeline))\((?P<arguments>[^()]*(?:\([^()]*\)[^()]*)*)\)"
)
_LITERAL = re.compile(r"""(?:^|[(,=]\s*)\s*["']([\w.-]+(?:/[\w.-]+)?(?::[\w.-]+)?)["']""")
_LIGHT = re.compile(r"Tokenizer|Processor|Config|FeatureExtractor")
_LARGE_PIPELINE = re.compile(r"_(?:lg|trf)(?:-\d|$)")
"""spaCy's pipelines with vectors for all words or a transformer: 400 MB and more."""
_MODEL_OF = re.compile(r"""\bmodel\s*=\s*["']([\w./-]+)["']""")
_OTHER_KIND = re.compile(r"""repo_type\s*=\s*["'](?:dataset|space)""")
_PYTHON = re.compile(r"python[\d.]*|uv|poetry|conda|pixi|ipython")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """A model that a command downloads. `pinned`: to a revision or tag, None where not known; `large`: over 100 MB, as
    far as the name says."""

    what: str
    span: Span
    pinned: bool | None = None
    large: bool = False
    revision: str = "--revision COMMIT"
    """What pins it."""


def heavy(file: str) -> bool:
    """Whether a file holds over 100 MB of weights, as far as its name says."""
    name = file.rpartition("/")[2]
    return bool(HEAVY.search(name) or (_CHECKPOINT.search(name) and not _LIGHT_CHECKPOINT.search(name)))


def fetches(command: Command) -> Iterator[Fetch]:
    """What a command downloads."""
    found = list(_told(command))
    yield from found or _saved(command)


def _saved(command: Command) -> Iterator[Fetch]:
    """Weights by the name that they are given, where the address does not say what it is."""
    if _FETCHERS.search(command.program):
        named = (word for word in command.arguments if "://" not in word.text and heavy(word.text))
        yield from (Fetch(what=word.text.rpartition("/")[2], span=word.span, large=True) for word in named)


def _told(command: Command) -> Iterator[Fetch]:
    words = command.arguments
    texts = [word.text for word in words]
    if command.program in ("huggingface-cli", "hf") and texts[:1] == ["download"]:
        yield from _hub_cli(command, words[1:])
    elif command.program == "ollama" and texts[:1] == ["pull"]:
        yield from (_ollama(command, word) for word in words[1:2])
    elif command.program in ("wget", "curl", "aria2c", *STORES):
        found = list(filter(None, (fetch_of_url(word) for word in words)))
        yield from found or _folder_of_store(command)
    elif command.program in ("git", "git-lfs") and "clone" in texts:
        tagged = command.has("-b", "--branch", "--revision")
        clones = [word for word in words if re.match(r"https?://(?:hf\.co|huggingface\.co)/(?!spaces/|datasets/)", word.text)]
        yield from (_cloned(word, tagged=tagged) for word in clones)
    elif command.program == "modelscope" and texts[:1] == ["download"]:
        names = [word for option, word in pairwise(words) if option.text == "--model"]
        pinned = command.has("--revision")
        yield from (Fetch(what=word.text, span=word.span, pinned=pinned, large=not _SMALL.search(word.text)) for word in names)
    elif "spacy" in (command.program, *texts[1:2]) and "download" in texts:
        yield from (Fetch(what=word.text, span=word.span, large=True) for word in words if _LARGE_PIPELINE.search(word.text))
    elif command.program == "dvc":
        targets = (word for word in pulled_by_dvc(command) or () if names_model(word.text))
        yield from (Fetch(what=word.text.removesuffix(".dvc"), span=word.span, large=True) for word in targets)
    elif _PYTHON.fullmatch(command.program):
        yield from (found for word in words if "(" in word.text for found in in_python(word.text, word.span))


def pulled_by_dvc(command: Command) -> list[Word] | None:
    """The targets of `dvc pull`, none of which means all; None for other commands."""
    words = [word for word in command.arguments if word.text not in ("-v", "-q", "--verbose", "--quiet")]
    if command.program != "dvc" or [word.text for word in words[:1]] != ["pull"]:
        return None
    return [word for before, word in pairwise(words) if not word.text.startswith("-") and before.text not in _WITH_VALUE]


def names_model(target: str) -> bool:
    """Whether a target of DVC is a model by its name."""
    name = target.removesuffix(".dvc").rstrip("/").rpartition("/")[2]
    return heavy(name) or WEIGHTS.search(name) is not None or _WEIGHTS_FOLDER.search(name) is not None


def _folder_of_store(command: Command) -> Iterator[Fetch]:
    """`aws s3 sync s3://bucket/weights/ /m`: what is copied from a store, by the name of its folder."""
    for word in copied_from_store(command)[:1]:
        name = word.text.rstrip("/*").rpartition("/")[2]
        if _WEIGHTS_FOLDER.search(name) and not _SMALL.search(word.text):
            yield Fetch(what=name, span=word.span, large=True)


def _hub_cli(command: Command, words: tuple[Word, ...]) -> Iterator[Fetch]:
    name = next((word for word in words if not word.text.startswith("-")), None)
    if name is None:
        return
    pinned = command.has("--revision")
    unsure = not pinned and any(not word.known and word is not name for word in words)
    files = [word.text for word in words if not word.text.startswith("-") and word is not name and "." in word.text]
    only_small = bool(files) and not any(WEIGHTS.search(file) or "*" in file for file in files)
    local_dataset = any(word.text in ("dataset", "space") for word in words)
    yield Fetch(
        what=name.text,
        span=command.span,
        pinned=None if unsure else pinned,
        large=not only_small and not local_dataset and not _SMALL.search(name.text),
    )


def _ollama(command: Command, word: Word) -> Fetch:
    name, _, tag = word.text.rpartition(":")
    pinned = bool(name) and tag != "latest"
    return Fetch(what=word.text, span=command.span, pinned=pinned if word.known else None, large=True, revision="a tag")


def _cloned(word: Word, *, tagged: bool) -> Fetch:
    return Fetch(
        what=word.text.rpartition(".co/")[2],
        span=word.span,
        pinned=None if tagged or not word.known else False,
        large=not _SMALL.search(word.text),
        revision="git checkout COMMIT behind the clone",
    )


def fetch_of_url(word: Word) -> Fetch | None:
    """What an address downloads, if it is a model."""
    text = word.text
    found = _HUB_FILE.search(text)
    file = text.partition("?")[0]
    if not found:
        named = "://" in text and heavy(file)
        return Fetch(what=file.rpartition("/")[2], span=word.span, large=not _SMALL.search(file)) if named else None
    file = found[2].partition("?")[0]
    return Fetch(
        what=file.rpartition("/")[2],
        span=word.span,
        pinned=None if "$" in found[1] else found[1] not in _FLOATING,
        large=heavy(file) and not _SMALL.search(text),
        revision="/resolve/COMMIT/ instead of /resolve/main/",
    )


def in_python(text: str, span: Span) -> Iterator[Fetch]:
    """What a Python program downloads whose whole text is known, at the place of that text."""
    for match in _CALL.finditer(text):
        kind = match["name"].rpartition(".")[2]
        name = (kind == "pipeline" and _MODEL_OF.search(match["arguments"])) or _LITERAL.search(match["arguments"])
        if kind == "snapshot_download" and _OTHER_KIND.search(match["arguments"]):
            continue
        if kind == "snapshot_download" and not name:
            yield _repository(match["arguments"], span)
            continue
        foreign = match["name"].partition(".")[0] not in ("pipeline", "transformers") if kind == "pipeline" else False
        if not name or foreign or name[1].startswith(".") or (kind == "load_model" and "whisper" not in text):
            continue
        yield _called(match["name"], kind, name[1], match["arguments"], span)


def _repository(arguments: str, span: Span) -> Fetch:
    """A whole repository of Hugging Face whose name is a variable; patterns may leave the weights out."""
    return Fetch(
        what="a repository (snapshot_download)",
        span=span,
        pinned="revision" in arguments,
        large="_patterns" not in arguments,
        revision='revision="COMMIT"',
    )


def _called(whole: str, kind: str, name: str, arguments: str, span: Span) -> Fetch:
    light = (
        kind == "load_dataset" or (kind == "from_pretrained" and _LIGHT.search(whole) is not None) or kind == "hf_hub_download"
    )
    hub = kind == "load" or whole.endswith("hub.load")
    if hub:
        pinned: bool | None = ":" in name if "/" in name and "source" not in arguments else None
    elif kind in ("load_model", "load_dataset") or (kind == "WhisperModel" and "/" not in name):
        pinned = None
    else:
        pinned = "revision" in arguments
    large = not light and not hub and not _SMALL.search(name) and not (kind == "load_model" and name == "base")
    return Fetch(
        what=name, span=span, pinned=pinned, large=large, revision="a tag (`owner/repo:v1.0`)" if hub else 'revision="COMMIT"'
    )
