"""`Requirements`: which file of the folder says what Python packages are needed, and what it says.

The order: `requirements` in the settings; a lock file; then one of pyproject.toml, requirements.txt, environment.yml.
Where two are left and neither is known to follow from the other, the user decides.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from shipwheel.errors import Problem, ProjectError
from shipwheel.project.conda import FILE_NAMES as CONDA_FILES
from shipwheel.project.conda import read_environment
from shipwheel.project.folder import Folder, normalise, read_text, texts
from shipwheel.project.locate import read_toml, table_at
from shipwheel.project.lockfiles import PIPFILE_LOCK, POETRY_LOCK, pipfile_lines, pipfile_lock, poetry_lines
from shipwheel.project.reqfile import ReqFile, read_requirements, requirement_names
from shipwheel.project.settings import PYPROJECT

DEVELOPMENT = re.compile(
    r"(?:^|[-_.])(?:dev|develop|development|test|tests|testing|lint|linting|docs?|ci|typing|types|mypy|build|notebooks?|train|training"
    r"|release|benchmarks?|bench|examples?|constraints?|overrides?)(?:[-_.]|$)"
)
"""Words in the names of files and groups for those who work on the project, not for those who run it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """What Python packages the project needs.

    `kind`: requirements, pyproject, uv.lock, pylock, poetry.lock, Pipfile.lock, environment.yml, bundle or none. `files` are
    absolute, the named ones first, then what they include. `pinned` are requirement lines, with hashes and markers, for
    the last four; option lines (`--extra-index-url`) may stand among them, and paths in them are relative to the
    project. `constraints` are versions that are settled, should anything need those packages. `names` are the packages
    known to be asked for (normalised, and `name[extra]`), and where `closed` nothing else will be installed. `python`
    holds specifiers (PEP 440) that the files put on Python. `why` is for the user.
    """

    kind: str = "none"
    files: tuple[Path, ...] = ()
    groups: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    pinned: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()
    closed: bool = False
    python: tuple[str, ...] = ()
    local: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    fingerprint: str = ""
    why: str = ""

    def asks_for(self, name: str) -> bool:
        """Whether this package is known to be asked for."""
        return name in self.names or any(known in self.names for known in _BRINGS.get(name, ()))


_BRINGS = {
    "uvicorn": ("fastapi[standard]", "fastapi[all]", "gradio", "mlflow", "bentoml", "litserve"),
    "gunicorn": ("mlflow", "flask[gunicorn]"),
}
"""Servers that come with another package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    kind: str
    names: tuple[str, ...]
    why: str
    packages: frozenset[str] = frozenset()
    follows: bool = field(default=False)
    """Made from the loose requirements beside it: compiled, or every version pinned."""

    @property
    def text(self) -> str:
        return f"{', '.join(self.names)}"


def find_requirements(folder: Folder) -> Requirements:
    """Find and read what names the packages. The fingerprint is left empty: Python's version is part of it.

    Raises:
        ProjectError: several files could be meant, or the one that is meant is not there or cannot be used.
    """
    candidate = _explicit(folder) if folder.settings.requirements else _found(folder)
    if candidate is None:
        _refuse_groups(folder, "no requirements")
        _refuse_unchosen(folder)
        return Requirements(why="no file names any package")
    return _read(folder, candidate)


def _explicit(folder: Folder) -> _Candidate:
    names = folder.settings.requirements
    where = folder.settings_file
    missing = [name for name in names if not folder.has(name)]
    if missing:
        problems = [Problem(file=where, path="requirements", message=f"'{name}' does not exist") for name in missing]
        raise ProjectError("requirements that are not there", problems)
    kinds = {_kind_of(name) for name in names}
    if len(kinds) > 1 or (len(names) > 1 and kinds != {"requirements"}):
        problem = Problem(file=where, path="requirements", message="names files of several kinds, or several locks")
        raise ProjectError("only requirements files go together", [problem], hint="name one of them")
    return _Candidate(kind=kinds.pop(), names=names, why="'requirements' in the settings")


def _kind_of(name: str) -> str:
    base = name.rpartition("/")[2]
    if base in (PYPROJECT, "uv.lock", POETRY_LOCK, PIPFILE_LOCK):
        return "pyproject" if base == PYPROJECT else base
    if re.fullmatch(r"pylock(?:\.[^.]+)?\.toml", base):
        return "pylock"
    return "environment.yml" if base.endswith((".yml", ".yaml")) else "requirements"


def _found(folder: Folder) -> _Candidate | None:
    candidates = list(_locks(folder)) or list(_loose(folder))
    candidates = _without_implied(candidates)
    if len(candidates) > 1:
        problems = [Problem(file=candidate.text, message=candidate.why) for candidate in candidates]
        first = ", ".join(f'"{name}"' for name in candidates[0].names)
        raise ProjectError(
            "several files name packages, and nothing says which is meant",
            problems,
            hint=f"set one under [tool.shipwheel], for example requirements = [{first}]",
        )
    return candidates[0] if candidates else None


def _locks(folder: Folder) -> Iterator[_Candidate]:
    if folder.has("uv.lock"):
        yield _Candidate(kind="uv.lock", names=("uv.lock",), why="uv's lock file")
    if folder.has("pylock.toml"):
        yield _Candidate(kind="pylock", names=("pylock.toml",), why="a lock file (PEP 751)")
    poetry = folder.table("tool", "poetry") or "poetry" in str(folder.table("build-system").get("build-backend", ""))
    if folder.has(POETRY_LOCK) and poetry:
        yield _Candidate(kind=POETRY_LOCK, names=(POETRY_LOCK,), why="Poetry's lock file")
    if folder.has(PIPFILE_LOCK):
        yield _Candidate(kind=PIPFILE_LOCK, names=(PIPFILE_LOCK,), why="Pipenv's lock file")


def _loose(folder: Folder) -> Iterator[_Candidate]:
    if needs := tuple(_pyproject_lines(folder)):
        names = frozenset(name for line in needs for name in requirement_names(line))
        yield _Candidate(kind="pyproject", names=(PYPROJECT,), why="the project's dependencies", packages=names)
    elif {name for name in folder.table("tool", "poetry", "dependencies") if name != "python"}:
        raise ProjectError("pyproject.toml has Poetry's dependencies and no lock file", hint="run: poetry lock")
    files = _requirements_files(folder)
    if files:
        read = read_requirements(folder.root, files)
        why = "compiled from looser requirements" if read.compiled else "requirements for pip"
        yield _Candidate(
            kind="requirements", names=files, why=why, packages=_plain(read.names), follows=read.compiled or read.pinned
        )
    for name in CONDA_FILES:
        if folder.has(name):
            packages = _plain(_conda_names(folder, name))
            yield _Candidate(kind="environment.yml", names=(name,), why="conda's environment", packages=packages)
    if folder.has("Pipfile") and not files and not needs:
        raise ProjectError("the folder has a Pipfile and no Pipfile.lock", hint="run: pipenv lock")


def _plain(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name for name in names if "[" not in name)


def _conda_names(folder: Folder, name: str) -> Iterator[str]:
    """The names in an environment.yml, only compared: what pip cannot install matters when the file is chosen."""
    for line in read_text(folder.root / name, name).splitlines():
        if match := re.match(r"\s*-\s+([\w./-]+::)?([A-Za-z][\w.-]*)(?![\w:/])", line):
            yield normalise(match[2])


def _without_implied(candidates: list[_Candidate]) -> list[_Candidate]:
    """Without candidates that name nothing which a better one does not name too."""
    by_kind = {candidate.kind: candidate for candidate in candidates}
    pyproject, loose, conda = (by_kind.get(kind) for kind in ("pyproject", "requirements", "environment.yml"))
    dropped = []
    if pyproject and loose and loose.follows and _plain(pyproject.packages) <= loose.packages:
        dropped.append(pyproject)
    better = [candidate for candidate in (pyproject, loose) if candidate]
    if conda and any(_python_packages(conda) <= _plain(candidate.packages) for candidate in better):
        dropped.append(conda)
    return [candidate for candidate in candidates if candidate not in dropped]


def _python_packages(conda: _Candidate) -> frozenset[str]:
    from shipwheel.project.conda import INTERPRETER, RENAMED

    return frozenset(normalise(RENAMED.get(name, name)) for name in conda.packages - INTERPRETER - {"defaults", "conda-forge"})


def _pyproject_lines(folder: Folder) -> Iterator[str]:
    """The requirement lines of pyproject.toml that are asked for: dependencies, chosen groups and extras."""
    project = folder.table("project")
    yield from texts(project.get("dependencies"))
    if "dependencies" in texts(project.get("dynamic")) and not folder.has("requirements.txt"):
        yield "-e ."
    for extra in folder.settings.extras:
        yield from _of_extra(folder, extra)
    for group in folder.settings.groups:
        yield from _of_group(folder, group, ())


def _of_extra(folder: Folder, extra: str) -> Iterator[str]:
    for name, lines in folder.table("project", "optional-dependencies").items():
        if normalise(name) == normalise(extra):
            yield from texts(lines)


def _of_group(folder: Folder, group: str, above: tuple[str, ...]) -> Iterator[str]:
    """PEP 735: a group's lines, with the groups that it includes."""
    for name, items in folder.table("dependency-groups").items():
        if normalise(name) != normalise(group) or name in above or not isinstance(items, list):
            continue
        for item in items:
            if isinstance(item, str):
                yield item
            elif isinstance(item, dict):
                yield from _of_group(folder, str(item.get("include-group", "")), (*above, name))


def _requirements_files(folder: Folder) -> tuple[str, ...]:
    """The requirements file of the folder by its name; several where no name says that it is the one.

    Raises:
        ProjectError: several, and none includes the others.
    """
    if folder.has("requirements.txt"):
        return ("requirements.txt",)
    for pattern in ("requirements[-_.]*.txt", "requirements/*.txt", "requirements.in"):
        names = sorted(path.relative_to(folder.root).as_posix() for path in folder.root.glob(pattern) if path.is_file())
        names = [name for name in names if not DEVELOPMENT.search(name.rpartition("/")[2].removesuffix(".txt").lower())]
        names = _not_included(folder.root, names)
        if len(names) > 1:
            problems = [Problem(file=name, message="requirements for pip") for name in names]
            hint = f'set one under [tool.shipwheel], for example requirements = ["{names[0]}"]'
            raise ProjectError("several requirements files, and nothing says which is meant", problems, hint=hint)
        if names:
            return tuple(names)
    return ()


def _not_included(root: Path, names: list[str]) -> list[str]:
    if len(names) < 2:
        return names
    included = {path for name in names for path in read_requirements(root, [name]).paths[1:]}
    return [name for name in names if root / name not in included]


def _read(folder: Folder, candidate: _Candidate) -> Requirements:
    """Read the chosen file."""
    settings = folder.settings
    _check_groups(folder, candidate)
    files = tuple(folder.root / name for name in candidate.names)
    local: tuple[str, ...] = ()
    pinned: tuple[str, ...] = ()
    python: tuple[str, ...] = ()
    closed = candidate.kind in ("uv.lock", "pylock", POETRY_LOCK, PIPFILE_LOCK)
    match candidate.kind:
        case "requirements":
            read: ReqFile = read_requirements(folder.root, candidate.names)
            files, names, local, closed = read.paths, read.names, read.local, read.compiled
        case "pyproject":
            names = frozenset(name for line in _pyproject_lines(folder) for name in requirement_names(line))
        case "uv.lock" | "pylock":
            names, python = _lock_facts(files[0], candidate.text)
        case "poetry.lock":
            pinned, python = poetry_lines(folder, settings.groups, settings.extras), _poetry_python(files[0])
            names = _names(pinned)
        case "Pipfile.lock":
            pinned, python = pipfile_lines(folder, settings.groups), _pipfile_python(folder)
            names = _names(pinned)
        case _:
            environment = read_environment(folder.root, candidate.names[0])
            files, pinned, names = environment.paths, environment.pinned, _names(environment.pinned)
            python = (environment.python,) if environment.python else ()
    return Requirements(
        kind=candidate.kind,
        files=files,
        groups=settings.groups,
        extras=settings.extras,
        pinned=pinned,
        names=names,
        closed=closed and not local,
        python=python,
        local=local,
        why=candidate.why,
    )


def _names(lines: Iterable[str]) -> frozenset[str]:
    return frozenset(name for line in lines for name in requirement_names(line))


def _lock_facts(path: Path, file: str) -> tuple[frozenset[str], tuple[str, ...]]:
    """The names and `requires-python` of uv.lock or pylock.toml, without parsing all of it."""
    text = read_text(path, file)
    names = frozenset(normalise(name) for name in re.findall(r'^name = "([^"]+)"', text, re.MULTILINE))
    python = re.search(r'^requires-python = "([^"]+)"', text.partition("\n[[package")[0], re.MULTILINE)
    return names, (python[1],) if python else ()


def _poetry_python(path: Path) -> tuple[str, ...]:
    lock = read_toml(read_text(path, POETRY_LOCK), POETRY_LOCK)
    text = str(table_at(lock, "metadata").get("python-versions", ""))
    return (poetry_specifier(text),) if poetry_specifier(text) else ()


def poetry_specifier(text: str) -> str:
    """A version constraint of Poetry on Python (`^3.11`, `~3.11`, `>=3.10,<4`) in the form of PEP 440; empty for a union."""
    if "|" in text or text.strip() in ("", "*"):
        return ""
    return ",".join(_caret(part.strip()) for part in text.split(",") if part.strip())


def _caret(part: str) -> str:
    match = re.fullmatch(r"(\^|~)?\s*(\d+(?:\.\d+)*)(\.\*)?", part)
    if not match:
        return part.replace(" ", "")
    numbers = [int(number) for number in match[2].split(".")]
    if match[1] == "^":
        return f">={match[2]},<{numbers[0] + 1}"
    if match[1] == "~":
        return f">={match[2]},<{numbers[0]}.{numbers[1] + 1}" if len(numbers) > 1 else f">={match[2]},<{numbers[0] + 1}"
    return f"=={match[2]}.*" if match[3] or len(numbers) < 3 else f"=={match[2]}"


def _pipfile_python(folder: Folder) -> tuple[str, ...]:
    requires = table_at(pipfile_lock(folder), "_meta", "requires")
    version = requires.get("python_version")
    return (f"=={version}.*",) if version else ()


def _check_groups(folder: Folder, candidate: _Candidate) -> None:
    """Groups and extras of the settings must exist where the chosen file has such things."""
    if candidate.kind in ("requirements", "environment.yml"):
        _refuse_groups(folder, candidate.text)
        return
    if candidate.kind == PIPFILE_LOCK:
        return
    poetry = folder.table("tool", "poetry")
    known = {
        "groups": [*folder.table("dependency-groups"), *table_at(poetry, "group")],
        "extras": [*folder.table("project", "optional-dependencies"), *table_at(poetry, "extras")],
    }
    problems = []
    for what, names in known.items():
        for name in getattr(folder.settings, what):
            if normalise(name) not in {normalise(other) for other in names}:
                near = difflib.get_close_matches(name, names, n=1)
                tip = f"; did you mean '{near[0]}'?" if near else f"; it has {', '.join(names) or 'none'}"
                problems.append(Problem(file=folder.settings_file, path=what, message=f"pyproject.toml has no '{name}'{tip}"))
    if problems:
        raise ProjectError("groups or extras that the project does not have", problems)


def _refuse_unchosen(folder: Folder) -> None:
    """Packages that stand only in groups, of which none was chosen."""
    groups = [name for name in folder.table("dependency-groups") if not DEVELOPMENT.search(name.lower())]
    if groups:
        raise ProjectError(
            f"pyproject.toml names packages only in dependency groups: {', '.join(groups)}",
            hint=f'choose some under [tool.shipwheel], for example groups = ["{groups[0]}"]',
        )


def _refuse_groups(folder: Folder, what: str) -> None:
    named = [key for key in ("groups", "extras") if getattr(folder.settings, key)]
    if named:
        problems = [Problem(file=folder.settings_file, path=key, message=f"means nothing with {what}") for key in named]
        raise ProjectError("groups and extras are of a pyproject.toml or its lock", problems)
