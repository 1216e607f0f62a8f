"""Images of NVIDIA that are gone, that apt no longer trusts, and libraries of theirs that no program may load."""

from __future__ import annotations

import re
from collections.abc import Iterator

from packaging.version import InvalidVersion, Version

from shipwheel.lint.dockerfile.stages import Dockerfile, Stage, Step
from shipwheel.lint.finding import Hit
from shipwheel.lint.images.names import ImageName, facts_of
from shipwheel.lint.rule import Rule
from shipwheel.lint.tables import table

TABLE = "cuda_images.toml"

_CUDA = ("nvidia/cuda", "nvcr.io/nvidia/cuda")
_TAG = re.compile(r"(?P<version>\d+\.\d+(?:\.\d+)?)(?:-|$)")
_NEW_KEY = r"3bf863cc|cuda-keyring|A4B469963BF863CC|no-check-gpg|allow-unauthenticated|allow-insecure|\[trusted="
_TRUSTED = re.compile(_NEW_KEY, re.IGNORECASE)
_MENDED = re.compile(
    rf"{_NEW_KEY}|del(?:ete)?\W+7fa2af80|(?:cuda|nvidia)[\w*.-]*\.list|sources\.list\.d/?(?:\*|[\s\"']|$)|find\b.*sources\.list",
    re.IGNORECASE,
)
"""The new key, or NVIDIA's lists taken away."""
_OLD_KEY = re.compile(r"/compute/cuda/repos/\S*7fa2af80\.pub", re.IGNORECASE)
_STUBS = re.compile(r"/stubs/?(?::|$)")

CUDA_TAG_RETIRED = Rule(
    key="cuda-tag-retired",
    severity="warning",
    title="An image of a CUDA release whose support has ended",
    why="NVIDIA deletes such tags six months after their end, and then the build stops with `manifest unknown`.",
    remedy="Take the last patch release of a supported CUDA, and keep a copy of the image in a registry of your own",
    source="https://gitlab.com/nvidia/container-images/cuda/-/blob/master/doc/support-policy.md",
    dated=TABLE,
)

CUDA_GPG_KEY_ROTATED = Rule(
    key="cuda-gpg-key-rotated",
    severity="error",
    title="apt-get update on an image with NVIDIA's old key",
    why="NVIDIA replaced the key of its repositories on 27 April 2022; apt-get update fails with NO_PUBKEY A4B469963BF863CC.",
    remedy="Take a newer image, or remove /etc/apt/sources.list.d/cuda.list and nvidia-ml.list before apt-get update",
    source="https://developer.nvidia.com/blog/updating-the-cuda-linux-gpg-repository-key/",
    dated=TABLE,
)

CUDA_STUBS_IN_LD_PATH = Rule(
    key="cuda-stubs-in-ld-path",
    severity="warning",
    title="CUDA's stubs on the path of the loader",
    why="The stub of libcuda is there to link against; a program that loads it instead of the driver finds no GPU.",
    remedy="Set LIBRARY_PATH, or -L, for the build alone, and leave stubs out of LD_LIBRARY_PATH",
    source="https://docs.nvidia.com/cuda/cuda-runtime-api/group__CUDART__TYPES.html (cudaErrorStubLibrary)",
)


@CUDA_TAG_RETIRED.check(Dockerfile)
def _retired(dockerfile: Dockerfile) -> Iterator[Hit]:
    for stage in dockerfile.stages:
        reason = _ended(stage.image) if stage.image and stage.image.known else ""
        if reason and (stage.name or dockerfile.used(stage)):
            yield Hit(span=stage.base.span, message=f"{stage.image}: {reason}")


def _ended(image: ImageName) -> str:
    if image.repository not in _CUDA:
        return ""
    found = _TAG.match(image.tag)
    if not found:
        gone = image.tag in ("latest", "devel", "runtime", "base") or not (image.tag or image.digest)
        return "there is no such tag since January 2021" if gone else ""
    version, ended = found["version"], table(TABLE)["retired"]
    major = int(version.partition(".")[0])
    if major in ended["majors"]:
        return f"support of CUDA {major} images has ended"
    if version.count(".") == 1:
        return f"there is no tag without a patch release, such as {ended['last'].get(version, version + '.1')}"
    system = next((name for name in ended["systems"] if image.tag.endswith(name)), "")
    return f"images on {system} are no longer made" if system else ""


@CUDA_GPG_KEY_ROTATED.check(Dockerfile)
def _old_key(dockerfile: Dockerfile) -> Iterator[Hit]:
    for stage in dockerfile.stages:
        if stage.image is None or not stage.image.known or not _has_old_key(stage.image):
            continue
        for step in stage.steps:
            if _MENDED.search(step.instruction.body.text):
                break
            update = next((one for one in step.installs if one.manager == "apt" and one.action == "update"), None)
            if update:
                yield Hit(span=update.command.span, message=f"{stage.image} has the key that NVIDIA withdrew on 27 April 2022")
                break


def _has_old_key(image: ImageName) -> bool:
    keys, facts = table(TABLE)["keys"], facts_of(image)
    if image.repository in _CUDA and facts.cuda:
        return Version(facts.cuda) < Version(keys["first"]) and facts.cuda not in keys["rebuilt"]
    try:
        version = Version(facts.framework_version)
    except InvalidVersion:
        return False
    if image.repository == "pytorch/pytorch":
        return facts.flavour == "devel" and version < Version(keys["pytorch"])
    if image.repository == "tensorflow/tensorflow" and facts.gpu:
        return version < Version(keys["tensorflow_first"]) and str(version) not in keys["tensorflow"]
    return False


@CUDA_GPG_KEY_ROTATED.check(Dockerfile)
def _fetches_old_key(dockerfile: Dockerfile) -> Iterator[Hit]:
    """The old key for the repository that is signed with the new one, where no image brings it already."""
    for stage in dockerfile.stages:
        if stage.root_image and _has_old_key(stage.root_image):
            continue
        if any(_TRUSTED.search(step.instruction.body.text) for step in stage.all_steps):
            continue
        words = (word for step in stage.steps for command in step.commands for word in command.words)
        if fetched := next((word for word in words if _OLD_KEY.search(word.text)), None):
            yield Hit(span=fetched.span, message="this is the key that NVIDIA withdrew on 27 April 2022")


@CUDA_STUBS_IN_LD_PATH.check(Dockerfile)
def _stubs(dockerfile: Dockerfile) -> Iterator[Hit]:
    for stage in dockerfile.kept:
        for step in stage.steps:
            if step.onbuild:
                continue
            if step.keyword == "ENV" and _STUBS.search(_loader_path(step)) and not _left_again(dockerfile, stage):
                yield Hit(span=step.span, message="LD_LIBRARY_PATH of the image holds CUDA's stubs")
            elif step.keyword == "RUN":
                yield from _configured(step)


def _loader_path(step: Step) -> str:
    """What stands in LD_LIBRARY_PATH by this step."""
    return next((value.text for name, value in step.pairs if name == "LD_LIBRARY_PATH"), "")


def _left_again(dockerfile: Dockerfile, stage: Stage) -> bool:
    """Whether the path is set anew, without the stubs, in each image that is shipped."""
    ends = [shipped.env.get("LD_LIBRARY_PATH", "") for shipped in dockerfile.shipped if stage in shipped.lineage]
    return not any(_STUBS.search(end) for end in ends)


def _configured(step: Step) -> Iterator[Hit]:
    """echo /usr/local/cuda/lib64/stubs > /etc/ld.so.conf.d/..."""
    for command in step.commands:
        targets = [redirect.target.text for redirect in command.redirects if redirect.target]
        if any("ld.so.conf" in target for target in targets) and any(_STUBS.search(word.text) for word in command.words):
            yield Hit(span=command.span, message="the loader is told to look into CUDA's stubs")
