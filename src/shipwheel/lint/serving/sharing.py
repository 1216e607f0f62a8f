"""What shares memory between processes: training with torch, and servers that split a model over GPUs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from shipwheel.lint.images.names import ImageName, facts_of

_LAUNCHERS = frozenset({"torchrun", "accelerate", "deepspeed", "torch.distributed.launch", "torch.distributed.run"})
_INTERPRETER = re.compile(r"(?:\S*/)?(?:python[\d.]*|uv|poetry|pipenv|conda|bash|sh|run)")
_SCRIPT = re.compile(r"(?:^|[/_.-])(?:re|pre)?(?:train|finetune|fine_tune|fine-tune)(?:ing|er)?(?:[_.-][^/]*)?$")
_WORKERS = re.compile(r"--(?:num[_-]workers|dataloader[_-]num[_-]workers|nproc[_-]per[_-]node)(?:=|$)")
_SERVERS = re.compile(r"(?:^|/)(?:vllm-openai|vllm|sglang|text-generation-inference|lmdeploy|tensorrt-llm/release)$")
_OTHERS = re.compile(r"tensorflow|keras|sklearn|scikit|xgboost|lightgbm")
_NAMED = re.compile(r"(?:^|[/_.-])(?:py)?torch(?:$|[/_.-])")


def trains(words: Sequence[str]) -> bool:
    """Whether a command trains: a launcher of torch, a train.py, a module of that name, options for workers that load."""
    if words[1:2] == ["-c"] and len(words) > 2 and words[0].rpartition("/")[2] in ("sh", "bash"):
        return any(trains(part.split()) for part in re.split(r"&&|;|\|\||\n", words[2]))
    if any(word.rpartition("/")[2] in _LAUNCHERS for word in words[:6]) or any(map(_WORKERS.match, words)):
        return True
    if not words or not _INTERPRETER.fullmatch(words[0]) or "-c" in words[:3]:
        return False
    ran = next((word for word in words[1:] if not word.startswith("-") and not _INTERPRETER.fullmatch(word)), "")
    return _SCRIPT.search(ran.lower()) is not None


def has_torch(image: ImageName) -> bool:
    """Whether an image has PyTorch to train with, by what is known of it or by its name."""
    if re.search("torchserve|manylinux", image.repository):
        return False
    if facts_of(image).framework:
        return facts_of(image).framework == "pytorch"
    return bool(_NAMED.search(image.repository)) and not needs_none(image)


def splits_model(image: ImageName) -> bool:
    """Whether an image serves large models with NCCL, whose processes talk through /dev/shm."""
    return bool(_SERVERS.search(image.repository))


def needs_none(image: ImageName) -> bool:
    """Whether an image is made for a framework whose workers are threads: TensorFlow, JAX, scikit-learn and their kin."""
    framework = facts_of(image).framework
    return framework not in ("", "pytorch") or (not framework and bool(_OTHERS.search(image.repository.lower())))
