"""Devices that CUDA_VISIBLE_DEVICES names, against those that a container gets."""

from __future__ import annotations

import re


def beyond(visible: str, given: int | None) -> str:
    """The first index of CUDA_VISIBLE_DEVICES that a container with that many GPUs does not have; "" for none.

    In a container GPUs are numbered from 0, whichever of the host's they are (NVIDIA Container Toolkit). Indexes behind -1 do
    not count (CUDA programming guide, "Environment Variables"); UUIDs are not judged.
    """
    indexes = [part.strip() for part in visible.split(",")]
    if given is None or not all(re.fullmatch(r"\d+", index) for index in indexes):
        return ""
    return next((index for index in indexes if int(index) >= given), "")


def devices_given(text: str) -> int | None:
    """How many GPUs `--gpus` gives: of `2`, `device=1,3`, `"device=0"`; None for all and for what is not known."""
    plain = text.strip("\"' ")
    if re.fullmatch(r"\d+", plain):
        return int(plain)
    found = re.fullmatch(r"(?:driver=\w+,)?[\"']?device=([\w,-]+?)[\"']?", plain)
    if found:
        return len(found[1].split(","))
    count = re.search(r"(?:^|,)count=(\d+)", plain)
    return int(count[1]) if count else None
