"""poetry.lock and Pipfile.lock, which uv does not read, as requirement lines with hashes and markers, which it does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from shipwheel.errors import Problem, ProjectError
from shipwheel.project.folder import Folder, normalise, read_text, texts
from shipwheel.project.locate import read_toml, table_at

POETRY_LOCK = "poetry.lock"
PIPFILE_LOCK = "Pipfile.lock"

_ALWAYS = 'python_version >= "0"'
_NEVER = 'python_version < "0"'
"""Markers stand for the extras that are, and are not, asked for: what is left of a marker stays as its author wrote it."""

_EXTRA = re.compile(r"""extra == (?:"([^"]*)"|'([^']*)')""")
_MAX_WAYS = 32
"""More ways than this to reach a package, each under another condition, and it is taken without one."""


def poetry_lines(folder: Folder, groups: Iterable[str], extras: Iterable[str]) -> tuple[str, ...]:
    """The packages of poetry.lock that the project's main group, these groups and these extras need.

    Raises:
        ProjectError: a lock that was made by a Poetry too old to tell which package is meant.
    """
    lock = read_toml(read_text(folder.root / POETRY_LOCK, POETRY_LOCK), POETRY_LOCK)
    packages = [package for package in _list(lock.get("package")) if isinstance(package, Mapping)]
    wanted_groups, wanted_extras = {"main", *groups}, {normalise(extra) for extra in extras}
    if packages and all("groups" in package for package in packages):
        chosen = [(package, _marker_of(package, wanted_groups, wanted_extras)) for package in packages]
    else:
        walk = _Walk(packages={}, extras=wanted_extras)
        walk.load(packages)
        walk.start(_poetry_roots(folder, wanted_groups, wanted_extras))
        chosen = [(package, walk.marker(str(package["name"]))) for package in packages]
    hashes = table_at(lock, "metadata", "files")
    lines = [_poetry_line(package, marker, hashes) for package, marker in chosen if marker is not None]
    return (*_poetry_indexes(packages), *sorted(lines))


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _marker_of(package: Mapping[str, object], groups: set[str], extras: set[str]) -> str | None:
    """The condition of a package in a lock of Poetry 2; None where no chosen group has it."""
    chosen = groups & set(texts(package["groups"]))
    if not chosen:
        return None
    markers = package.get("markers", "")
    if isinstance(markers, Mapping):
        ways = [str(markers.get(group, "")) for group in sorted(chosen)]
        text = "" if "" in ways else " or ".join(f"({way})" for way in dict.fromkeys(ways))
    else:
        text = str(markers)
    return _with_extras(text, extras)


def _with_extras(marker: str, extras: set[str]) -> str | None:
    """A marker in which the extras are decided; None where that makes it false as a whole."""
    out = _EXTRA.sub(lambda match: _ALWAYS if normalise(match[1] or match[2]) in extras else _NEVER, marker)
    if out == _ALWAYS:
        return ""
    return None if all(part.strip("() ") == _NEVER for part in out.split(" or ")) and out else out


def _poetry_line(package: Mapping[str, object], marker: str, hashes: Mapping[str, object]) -> str:
    name, version = str(package["name"]), str(package["version"])
    condition = f" ; {marker}" if marker else ""
    source = table_at(package, "source")
    url = str(source.get("url", ""))
    match source.get("type"):
        case "git":
            subdirectory = f"#subdirectory={source['subdirectory']}" if source.get("subdirectory") else ""
            return f"{name} @ git+{url}@{source.get('resolved_reference')}{subdirectory}{condition}"
        case "directory" | "file":
            return f"{name} @ ./{url.removeprefix('./')}{condition}"
        case "url":
            return f"{name} @ {url}{condition}"
    files = _list(package.get("files") or hashes.get(name))
    digests = sorted({str(file["hash"]) for file in files if isinstance(file, Mapping) and "hash" in file})
    return f"{name}=={version}{condition}" + "".join(f" --hash={digest}" for digest in digests)


def _poetry_indexes(packages: Iterable[Mapping[str, object]]) -> Iterator[str]:
    sources = (table_at(package, "source") for package in packages)
    for url in sorted({str(source["url"]) for source in sources if source.get("type") == "legacy"}):
        yield f"--extra-index-url {url}"


def _poetry_roots(folder: Folder, groups: set[str], extras: set[str]) -> Iterator[tuple[str, object]]:
    """The project's own dependencies, as (name, specification in Poetry's form)."""
    table = folder.table("tool", "poetry")
    asked = {
        normalise(name)
        for extra, names in table_at(table, "extras").items()
        if normalise(extra) in extras
        for name in texts(names)
    }
    for name, spec in table_at(table, "dependencies").items():
        optional = isinstance(spec, Mapping) and spec.get("optional")
        if name != "python" and (not optional or normalise(name) in asked):
            yield name, _required(spec)
    for group in groups - {"main"}:
        yield from table_at(table, "group", group, "dependencies").items()
    declared = [*texts(folder.table("project").get("dependencies"))]
    for extra, lines in folder.table("project", "optional-dependencies").items():
        declared += texts(lines) if normalise(extra) in extras else ()
    for line in declared:
        yield from _declared(line)


def _required(spec: object) -> object:
    return {**spec, "optional": False} if isinstance(spec, Mapping) else spec


def _declared(line: str) -> Iterator[tuple[str, object]]:
    from packaging.requirements import Requirement

    requirement = Requirement(line)
    yield requirement.name, {"extras": sorted(requirement.extras), "markers": str(requirement.marker or "")}


@dataclass(slots=True)
class _Walk:
    """What the roots reach in a lock of Poetry 1, which does not say which group needs a package."""

    packages: dict[str, Mapping[str, object]]
    extras: set[str]
    ways: dict[str, set[frozenset[str]]] = field(default_factory=dict)

    def load(self, packages: Iterable[Mapping[str, object]]) -> None:
        for package in packages:
            name = normalise(str(package["name"]))
            if name in self.packages:
                problem = Problem(file=POETRY_LOCK, message=f"holds several versions of {name}")
                hint = "lock again with Poetry 2, whose lock says when each is meant: poetry lock"
                raise ProjectError("poetry.lock leaves open which package is meant", [problem], hint=hint)
            self.packages[name] = package

    def start(self, roots: Iterable[tuple[str, object]]) -> None:
        pending = [(name, one, frozenset[str](), self.extras) for name, spec in roots for one in _each(spec)]
        while pending:
            name, spec, above, active = pending.pop()
            marker = _with_extras(str(spec.get("markers", "")), active)
            if marker is None or (spec.get("optional") and "extra ==" not in str(spec.get("markers", ""))):
                continue
            way = above | {marker} if marker else above
            extras = {normalise(extra) for extra in texts(spec.get("extras"))}
            key = normalise(name)
            if key in self.packages and (self.reached(key, way) or extras):
                below = table_at(self.packages[key], "dependencies")
                pending += [
                    (child, one, way, extras) for child, item in below.items() for one in _each(item) if self.open(child, way)
                ]

    def open(self, name: str, way: frozenset[str]) -> bool:
        return not any(known <= way for known in self.ways.get(normalise(name), ()))

    def reached(self, name: str, way: frozenset[str]) -> bool:
        if not self.open(name, way):
            return False
        known = self.ways.setdefault(name, set())
        known.add(way if len(known) < _MAX_WAYS else frozenset())
        return True

    def marker(self, name: str) -> str | None:
        ways = self.ways.get(normalise(name))
        if ways is None:
            return None
        if frozenset() in ways:
            return ""
        return " or ".join(sorted("(" + " and ".join(f"({part})" for part in sorted(way)) + ")" for way in ways))


def _each(spec: object) -> Iterator[Mapping[str, object]]:
    for item in spec if isinstance(spec, list) else [spec]:
        yield item if isinstance(item, Mapping) else {}


def pipfile_lines(folder: Folder, groups: Iterable[str]) -> tuple[str, ...]:
    """The packages of Pipfile.lock's `default` category and of these others.

    Raises:
        ProjectError: not a Pipfile.lock, or a category that it has not.
    """
    lock = pipfile_lock(folder)
    lines = list(_pipfile_indexes(lock))
    for group in ("default", *groups):
        if group not in lock:
            raise ProjectError(f"Pipfile.lock has no category '{group}'", hint="groups in the settings name its categories")
        section = table_at(lock, group)
        lines += sorted(_pipfile_line(name, section[name]) for name in section)
    return tuple(dict.fromkeys(lines))


def pipfile_lock(folder: Folder) -> Mapping[str, object]:
    """The parsed Pipfile.lock."""
    try:
        lock = json.loads(read_text(folder.root / PIPFILE_LOCK, PIPFILE_LOCK))
    except json.JSONDecodeError as error:
        problem = Problem(file=PIPFILE_LOCK, line=error.lineno, message=error.msg)
        raise ProjectError("Pipfile.lock is not JSON", [problem], hint="pipenv lock") from None
    return lock if isinstance(lock, Mapping) else {}


def _pipfile_indexes(lock: Mapping[str, object]) -> Iterator[str]:
    urls = [
        str(source.get("url", "")) for source in _list(table_at(lock, "_meta").get("sources")) if isinstance(source, Mapping)
    ]
    for url in urls:
        if "://pypi.org/" not in url and "://pypi.python.org/" not in url:
            yield f"--extra-index-url {url}"


def _pipfile_line(name: str, value: object) -> str:
    spec = value if isinstance(value, Mapping) else {"version": str(value)}
    extras = ",".join(texts(spec.get("extras")))
    named = f"{name}[{extras}]" if extras else name
    condition = f" ; {spec['markers']}" if spec.get("markers") else ""
    if "git" in spec:
        subdirectory = f"#subdirectory={spec['subdirectory']}" if spec.get("subdirectory") else ""
        return f"{named} @ git+{spec['git']}@{spec.get('ref', 'HEAD')}{subdirectory}{condition}"
    if place := spec.get("file") or spec.get("path"):
        path = str(place)
        if path in (".", "./"):
            return "-e ." if spec.get("editable") else "."
        return f"{named} @ {path if '://' in path or path.startswith(('.', '/')) else './' + path}{condition}"
    version = str(spec.get("version", ""))
    digests = "".join(f" --hash={digest}" for digest in sorted(texts(spec.get("hashes"))))
    return f"{named}{'' if version == '*' else version}{condition}{digests}"
