"""Files and scripts from the network that nobody checks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from shipwheel.lint.dockerfile.stages import Dockerfile, Step
from shipwheel.lint.files.subjects import Script
from shipwheel.lint.finding import Hit
from shipwheel.lint.packages.image_scripts import runs_in_a_build
from shipwheel.lint.rule import Rule
from shipwheel.lint.shell.command import Command
from shipwheel.lint.shell.fetching import Fetch, fetches, runs_code, runs_fetched

CURL_PIPE_SH = Rule(
    key="curl-pipe-sh",
    severity="warning",
    title="A script from the network that runs unseen",
    why="Who controls the address, or the way to it, runs code in the build, and a download that breaks off runs by half.",
    remedy="Download a fixed version to a file, check it with sha256sum -c, then run it; or install a package",
    source="https://docs.docker.com/build/building/best-practices/#using-pipes",
)

DOWNLOAD_UNVERIFIED = Rule(
    key="download-unverified",
    severity="warning",
    title="A download without a checksum",
    why="What the address gives can change or be exchanged, and the build would not notice.",
    remedy="Check it in the same RUN: echo 'SHA256  FILE' | sha256sum -c -; for ADD write ADD --checksum=sha256:...",
    source="https://docs.docker.com/reference/dockerfile/#add---checksum",
)

_CHECKS = re.compile(r"(?:sha\d+|md5|b2|shake)(?:sum)?|shasum|gpgv?2?|openssl|cosign|minisign|signify|rhash|slsa-verifier")
_ARTEFACT = re.compile(
    r"\.(?:tar|tgz|tbz2?|txz|tar\.\w+|gz|bz2|xz|zst|zip|7z|whl|deb|rpm|apk|jar|war|exe|run|bin|appimage|so(?:\.[\d.]+)?|sh|bash|py|pl"
    r"|conda|egg|pt|pth|ckpt|onnx|safetensors|h5|hdf5|pb|tflite|pkl|pickle|joblib|gguf|ggml|engine|weights|caffemodel|model|npz)$",
    re.IGNORECASE,
)
_NO_ARTEFACT = re.compile(
    r"\.(?:gpg|asc|key|pub|pem|crt|list|repo|sources|pin|sha\d+(?:sum)?|sig|minisig)$|/(?:KEY|gpg|GPG-KEY[^/]*)$"
)
_KEYRING = re.compile(r"cuda-keyring|keyring[^/]*\.deb$")
_RELEASE = re.compile(r"/releases/(?:latest/)?download/|/archive/|/tarball/|/zipball/|release/.*/bin/")
_BINARY = re.compile(r"(?:^|/)s?bin/[^/]+$")
_HUB = re.compile(r"https?://(?:huggingface\.co|hf-mirror\.com|api\.github\.com)/")
"""Hubs of models, which have rules of their own, and an address that is asked for news only."""

_UNPACKS = frozenset(("tar", "bsdtar", "unzip", "gunzip", "gzip", "xz", "zstd", "cpio", "bunzip2", "dpkg", "rpm"))


def _is_run(fetch: Fetch) -> bool:
    """Whether a shell or interpreter in the pipe behind it runs it."""
    return any(runs_code(command) for command in fetch.piped)


@CURL_PIPE_SH.check(Dockerfile)
def curl_pipe_sh(dockerfile: Dockerfile) -> Iterator[Hit]:
    """`curl | sh`, `bash <(curl)`, `sh -c "$(curl)"`."""
    for step in dockerfile.steps("RUN"):
        yield from _piped(step.commands)


@CURL_PIPE_SH.check(Script)
def curl_pipe_sh_in_scripts(script: Script) -> Iterator[Hit]:
    """In scripts that a Dockerfile runs."""
    if runs_in_a_build(script):
        yield from _piped(script.commands)


def _piped(commands: Sequence[Command]) -> Iterator[Hit]:
    for fetch in fetches(commands):
        if _is_run(fetch):
            program = next(command.program for command in fetch.piped if runs_code(command))
            yield Hit(span=fetch.command.span, message=f"what {_shown(fetch)} gives goes straight into {program}")
    for command in commands:
        word = runs_fetched(command)
        if word:
            yield Hit(span=word.span, message=f"{command.program} runs what a download gives")


@DOWNLOAD_UNVERIFIED.check(Dockerfile)
def download_unverified(dockerfile: Dockerfile) -> Iterator[Hit]:
    """curl and wget in RUN; ADD of an address."""
    for step in dockerfile.steps("RUN", "ADD"):
        if step.keyword == "ADD":
            yield from _added(step)
        else:
            yield from _unchecked(step.commands)


@DOWNLOAD_UNVERIFIED.check(Script)
def download_unverified_in_scripts(script: Script) -> Iterator[Hit]:
    """In scripts that a Dockerfile runs."""
    if runs_in_a_build(script):
        yield from _unchecked(script.commands)


def _unchecked(commands: Sequence[Command]) -> Iterator[Hit]:
    if any(_is_check(command) for command in commands):
        return
    for fetch in fetches(commands):
        if _is_artefact(fetch, commands) and not _is_run(fetch) and "substitution" not in fetch.command.inside:
            yield Hit(span=fetch.command.span, message=f"nothing checks what {_shown(fetch)} gives")


def _is_check(command: Command) -> bool:
    if not _CHECKS.fullmatch(command.program):
        return False
    return not command.program.startswith("gpg") or command.has("--verify", "--decrypt") or command.program.startswith("gpgv")


def _shown(fetch: Fetch) -> str:
    """The address without a query, which may hold a token, and without a password."""
    return re.sub(r"//[^/@]*@", "//", fetch.url.text.partition("?")[0])


def _added(step: Step) -> Iterator[Hit]:
    for word in step.sources:
        text = word.text.partition("?")[0]
        if (
            not re.match(r"https?://", text)
            or step.instruction.flag("checksum")
            or _NO_ARTEFACT.search(text)
            or _HUB.match(text)
        ):
            continue
        if not re.search(r"\.git(?:#.*)?$", text):
            yield Hit(span=word.span, message=f"nothing checks what ADD gets from {re.sub('//[^/@]*@', '//', text)}")


def _is_artefact(fetch: Fetch, commands: Sequence[Command]) -> bool:
    """An archive, a binary, a script, weights: what is run or loaded later. Not the keys and lists of package repositories."""
    url = fetch.url.text.partition("?")[0].partition("#")[0]
    if _NO_ARTEFACT.search(url) or _NO_ARTEFACT.search(fetch.output) or _KEYRING.search(url) or _HUB.match(url):
        return False
    if fetch.piped:
        return any(command.program in _UNPACKS for command in fetch.piped)
    if _ARTEFACT.search(url) or _ARTEFACT.search(fetch.output) or _BINARY.search(fetch.output) or _RELEASE.search(url):
        return True
    return bool(fetch.output) and any(
        command.program == "chmod" and any(word.text == fetch.output for word in command.arguments) for command in commands
    )
