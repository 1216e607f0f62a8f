"""Command lines of pip that say something else than was meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain

from shipwheel.lint.dockerfile.stages import Dockerfile
from shipwheel.lint.edits.written import exchanged, taken_out
from shipwheel.lint.files.subjects import RequirementsFile, Script
from shipwheel.lint.finding import Edit, Fix, Hit
from shipwheel.lint.packages.image_scripts import shell_parts
from shipwheel.lint.packages.installs import Install, Requested
from shipwheel.lint.packages.lines import install_of
from shipwheel.lint.rule import Rule
from shipwheel.lint.shell.command import Command, Redirect
from shipwheel.lint.source import Source, Span
from shipwheel.lint.tables import table
from shipwheel.lint.word import Word
from shipwheel.lint.wording import listed
from shipwheel.project.folder import normalise

PIP_SPECIFIER_REDIRECT = Rule(
    key="pip-specifier-redirect",
    severity="error",
    title="A version behind > or < without quotes",
    why="The shell takes > as a redirect: any version is installed, and what pip says goes to a file called =1.0.",
    remedy='Quote the requirement: "NAME>=1.0"',
    source="https://pip.pypa.io/en/stable/cli/pip_install/#requirement-specifiers",
    fix="automatic",
)

_VERSION = re.compile(r"=|\d+(?:\.\d+)*(?:[.,!=<>~*\w]*)$")


def _commands(subject: Script | Dockerfile) -> Iterator[Command]:
    return chain.from_iterable(shell_parts(subject))


def _installs(subject: Script | Dockerfile) -> Iterator[Install]:
    return (install for command in _commands(subject) if (install := install_of(command)))


@PIP_SPECIFIER_REDIRECT.check(Script, Dockerfile)
def pip_specifier_redirect(subject: Script | Dockerfile) -> Iterator[Hit]:
    """In scripts, CI and documents too: it is wrong everywhere."""
    for install in _installs(subject):
        if install.manager not in ("pip", "uv", "conda", "poetry", "pipenv"):
            continue
        spans = list(_specifiers(subject.source, install.command))
        if spans:
            written = [subject.source.text[slice(*span)] for span in spans]
            message = f"the shell reads {listed(written)} as a redirect into a file"
            quoted = tuple(edit for start, end in spans for edit in (Edit(start, start, '"'), Edit(end, end, '"')))
            fix = Fix(what="quote the requirement", edits=quoted) if "sh -c" not in install.command.inside else None
            yield Hit(span=spans[0], message=message, fix=fix)


def _specifiers(source: Source, command: Command) -> Iterator[Span]:
    """Words with the redirects that stand close behind them."""
    redirects = [one for one in command.redirects if one.operator in (">", "<") and one.target]
    for word in command.arguments:
        if word.text.startswith("-") or word.quoted or not word.text[:1].isalnum():
            continue
        end = word.span[1]
        for redirect in redirects:
            if redirect.span[0] == end and _is_version(source, redirect):
                end = redirect.span[1]
        if end > word.span[1]:
            yield word.span[0], end


def _is_version(source: Source, redirect: Redirect) -> bool:
    """`>=1.0`, `<2` without a blank in them."""
    return bool(_VERSION.match(source.text[redirect.span[0] + 1 : redirect.span[1]]))


PIP_WRONG_NAME = Rule(
    key="pip-wrong-name",
    severity="error",
    title="A name that the package index has for something else, or for nothing",
    why="The build fails, or installs an empty or foreign package under that name.",
    remedy="Write the name that the project has on the package index",
    source="https://pypi.org/project/sklearn/",
    fix="automatic",
    dated="pip_names.toml",
)


def _wrong(packages: Iterable[Requested]) -> list[tuple[Requested, dict[str, str]]]:
    names = table("pip_names.toml")
    return [(one, names[one.name]) for one in packages if one.name in names and not one.url and _concerns(one, names[one.name])]


def _concerns(one: Requested, entry: dict[str, str]) -> bool:
    """Whether the version that is asked for is among those that are wrong."""
    since = entry.get("since")
    return not since or not one.specifier or (bool(one.version) and _numbers(one.version) >= _numbers(since))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _wrong_name(source: Source, packages: Iterable[Requested]) -> Iterator[Hit]:
    for one, entry in _wrong(packages):
        instead = entry.get("instead", "")
        remedy = f"Write {instead}" if instead else entry["remedy"]
        yield Hit(span=one.span, message=f"{one.name} {entry['is']}", remedy=remedy, fix=_renamed(source, one, instead))


def _renamed(source: Source, one: Requested, instead: str) -> Fix | None:
    raw = source.text[slice(*one.span)]
    match = re.search(r"[A-Za-z0-9][\w.-]*", raw)
    if not instead or not match or normalise(match[0]) != one.name or one.extras or one.specifier.startswith("==0.0"):
        return None
    return Fix(what=f"write {instead}", edits=exchanged(source, (one.span[0], one.span[0] + match.end()), match[0], instead))


@PIP_WRONG_NAME.check(Dockerfile)
def pip_wrong_name(dockerfile: Dockerfile) -> Iterator[Hit]:
    """On command lines of RUN."""
    for install in _installs(dockerfile):
        if install.manager in ("pip", "uv", "poetry", "pipenv"):
            yield from _wrong_name(dockerfile.source, install.packages)


@PIP_WRONG_NAME.check(Script)
def pip_wrong_name_in_scripts(script: Script) -> Iterator[Hit]:
    """On command lines elsewhere: a name is wrong everywhere."""
    for install in _installs(script):
        if install.manager in ("pip", "uv"):
            yield from _wrong_name(script.source, install.packages)


@PIP_WRONG_NAME.check(RequirementsFile)
def pip_wrong_name_in_files(file: RequirementsFile) -> Iterator[Hit]:
    """In requirements files, even those that tools wrote from wrong input."""
    yield from _wrong_name(file.source, file.packages)


PIP_TRUSTED_HOST = Rule(
    key="pip-trusted-host",
    severity="warning",
    title="pip told not to check who answers",
    why="With --trusted-host anyone between the build and the host can put other code into the image.",
    remedy="Remove --trusted-host; for an index of your own install its certificate and name it with --cert",
    source="https://pip.pypa.io/en/stable/cli/pip/#cmdoption-trusted-host",
    fix="automatic",
)

_PUBLIC = frozenset(
    ("pypi.org", "pypi.python.org", "files.pythonhosted.org", "download.pytorch.org", "pypi.nvidia.com", "pypi.io")
)
"""Hosts with a certificate that every image trusts."""

_HERE = re.compile(r"(?:localhost|127\.|host\.docker\.internal|172\.17\.|\[?::1)")


@PIP_TRUSTED_HOST.check(Dockerfile)
def pip_trusted_host(dockerfile: Dockerfile) -> Iterator[Hit]:
    """--trusted-host of a command, PIP_TRUSTED_HOST of the environment."""
    for command in _commands(dockerfile):
        if install_of(command) is None and "pip" not in [word.text for word in command.words[:3]]:
            continue
        found = [pair for pair in _trusted(command) if not _HERE.match(pair[0])]
        if found:
            edits = tuple(edit for host, words in found if host in _PUBLIC for edit in taken_out(dockerfile.source, words))
            fix = (
                Fix(what="remove --trusted-host", edits=edits) if edits and all(host in _PUBLIC for host, _ in found) else None
            )
            yield Hit(span=found[0][1][0].span, message=_unchecked(host for host, _ in found), fix=fix)
    for step in dockerfile.steps("ENV"):
        for name, value in step.pairs:
            if name == "PIP_TRUSTED_HOST" and not _HERE.match(value.text):
                yield Hit(span=value.span, message=_unchecked(value.text.split()))


def _unchecked(hosts: Iterable[str]) -> str:
    return f"pip does not check the certificate of {listed(hosts)}"


def _trusted(command: Command) -> Iterator[tuple[str, list[Word]]]:
    """Hosts, each with the words that name it."""
    words = command.arguments
    for number, word in enumerate(words):
        if word.text == "--trusted-host" and number + 1 < len(words):
            yield words[number + 1].text, [word, words[number + 1]]
        elif word.text.startswith("--trusted-host="):
            yield word.text.partition("=")[2], [word]
        elif word.text.endswith("global.trusted-host") and number + 1 < len(words) and "config" in str(words[0]):
            yield words[number + 1].text, [words[number + 1], word]


@PIP_TRUSTED_HOST.check(RequirementsFile)
def pip_trusted_host_in_files(file: RequirementsFile) -> Iterator[Hit]:
    """As an option line of a requirements file."""
    for name, value, span in file.options:
        if name == "--trusted-host" and not _HERE.match(value):
            edits = (Edit(*span, ""),) if value in _PUBLIC else ()
            fix = Fix(what="remove --trusted-host", edits=edits) if edits else None
            yield Hit(span=span, message=_unchecked([value]), fix=fix)
