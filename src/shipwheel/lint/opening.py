"""From paths to a workspace: which files lint reads, what each is, and which folder is a Dockerfile's context."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Literal

from shipwheel.errors import UsageError
from shipwheel.lint.context.folder import BuildContext
from shipwheel.lint.dockerfile.instructions import Parsed
from shipwheel.lint.dockerfile.load import load_dockerfile
from shipwheel.lint.dockerfile.parse import parse
from shipwheel.lint.files.ignore import load_ignore
from shipwheel.lint.files.subjects import Compose, IgnoreFile
from shipwheel.lint.source import Source
from shipwheel.lint.workspace import CLOSED, Subject, Workspace
from shipwheel.project.ignore import GitRules

Kind = Literal[
    "", "dockerfile", "ignore", "requirements", "compose", "workflow", "yaml", "shell", "document", "makefile", "python"
]

NAMES: tuple[tuple[Kind, tuple[str, ...]], ...] = (
    ("ignore", (".dockerignore", ".containerignore", "*.dockerignore")),
    ("", ("*.j2", "*.jinja", "*.jinja2", "*.tmpl", "*.template", "*.tpl", "*.erb", "*.in", "*.orig", "*.rej")),
    (
        "dockerfile",
        ("dockerfile", "dockerfile.*", "dockerfile-*", "dockerfile_*", "*.dockerfile", "*-dockerfile", "*_dockerfile"),
    ),
    ("dockerfile", ("containerfile", "containerfile.*", "*.containerfile")),
    ("requirements", ("requirements*.txt", "*requirements.txt", "requirements*.in", "constraints*.txt")),
    ("compose", ("docker-compose*.yml", "docker-compose*.yaml", "compose*.yml", "compose*.yaml")),
    ("workflow", ("*.gitlab-ci.yml", "*.gitlab-ci.yaml", "action.yml", "action.yaml", "azure-pipelines*.yml", ".travis.yml")),
    ("workflow", ("bitbucket-pipelines.yml", "buildspec*.yml", ".drone.yml", ".woodpecker.yml", ".woodpecker.yaml")),
    ("yaml", ("*.yml", "*.yaml")),
    ("shell", ("*.sh", "*.bash")),
    ("document", ("*.md", "*.markdown", "*.rst")),
    ("makefile", ("makefile", "gnumakefile", "*.mk", "makefile.*")),
    ("python", ("*.py",)),
)
"""What a file is by its name (in lower case), the first that fits; "" for templates, which are no such file yet."""

OTHERS: dict[str, Kind] = {
    **{".py": "python", ".md": "document", ".sh": "shell", ".yml": "yaml", ".yaml": "yaml"},
    **{".json": "", ".txt": "", ".html": ""},
}
"""What Dockerfile.py and the like are."""

_FIRST = re.compile(r"\s*(?:#[^\n]*\n\s*)*(?:ARG[ \t]+\w+(?:=\S*)?\s+(?:#[^\n]*\n\s*)*)*FROM[ \t]+\S+", re.IGNORECASE)
"""How a Dockerfile of any name begins."""


def kind_of(path: Path, source: Source | None = None) -> Kind:
    """What a file is: by its name; one of another name by how it begins, where its `source` is given."""
    name = path.name.lower()
    kind = next((kind for kind, patterns in NAMES if any(fnmatch(name, pattern) for pattern in patterns)), None)
    if kind == "yaml" and path.parent.name == "workflows" and path.parent.parent.name == ".github":
        return "workflow"
    if kind == "yaml" and path.parent.name == ".circleci":
        return "workflow"
    if kind == "dockerfile" and path.suffix.lower() in OTHERS:
        return OTHERS[path.suffix.lower()]
    if kind == "requirements" and path.suffix == ".in":
        return ""
    if kind is None and path.parent.name == "requirements" and path.suffix == ".txt":
        return "requirements"
    if kind is None and source and _FIRST.match(source.text):
        return "dockerfile"
    if kind is None and source and re.match(r"#!.*\b(ba|da|z|k)?sh\b", source.text):
        return "shell"
    return kind or ""


def open_workspace(
    paths: Iterable[Path], *, root: Path | None = None, sources: Mapping[Path, Source] | None = None
) -> Workspace:
    """Read these files, and all below these folders that lint knows; git's ignored files are left out, unless they are named.

    `sources` stand for the files of their paths, whatever those hold.

    Raises:
        UsageError: a path that is not there, or cannot be read.
    """
    given = list(paths)
    if missing := [str(path) for path in given if not path.exists()]:
        raise UsageError(f"there is no {' and no '.join(missing)}")
    opening = _Opening(Workspace(root=(root or Path()).absolute(), sources=dict(sources or {})))
    unread = opening.workspace.unread
    for path in given:
        if path.is_dir():
            opening.folders.append(path.absolute())
            for found in walk(path.absolute(), unread):
                opening.add(found, named=False)
        else:
            opening.add(path.absolute(), named=True)
            if path.absolute() in unread:
                raise UsageError(f"cannot read {path}", hint="it is no regular file, or larger than 4 MB")
    opening.finish()
    return opening.workspace


def walk(top: Path, unread: list[Path]) -> Iterator[Path]:
    """Files below a folder that git does not ignore, in order; folders such as .git and .venv are not entered.

    Folders that cannot be opened are added to `unread`.
    """
    rules: dict[Path, list[tuple[Path, GitRules]]] = {top: []}
    for above, folders, names in os.walk(top, onerror=lambda error: unread.append(Path(error.filename))):
        folder = Path(above)
        mine = rules.pop(folder, [])
        if ".gitignore" in names:
            mine = [*mine, (folder, GitRules.parse(_lines(folder / ".gitignore")))]
        folders[:] = sorted(name for name in folders if name not in CLOSED and not _ignored(mine, folder / name, folder=True))
        rules.update({folder / name: mine for name in folders})
        yield from (folder / name for name in sorted(names) if kind_of(folder / name) and not _ignored(mine, folder / name))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig", errors="surrogateescape").splitlines()
    except OSError:
        return []


def _ignored(rules: list[tuple[Path, GitRules]], path: Path, *, folder: bool = False) -> bool:
    """Whether git ignores a path: the nearest .gitignore that says something decides."""
    verdicts = (one.verdict(path.relative_to(above).as_posix(), folder=folder) for above, one in reversed(rules))
    return bool(next((verdict for verdict in verdicts if verdict is not None), False))


@dataclass
class _Opening:
    workspace: Workspace
    folders: list[Path] = field(default_factory=list)
    seen: set[Path] = field(default_factory=set)
    dockerfiles: list[Parsed] = field(default_factory=list)

    def add(self, path: Path, *, named: bool) -> None:
        """Read a file and add what it holds. Dockerfiles wait for `finish`, because compose files say what their context is."""
        if path in self.seen:
            return
        self.seen.add(path)
        source = self.workspace.read(path)
        if source is None:
            self.workspace.unread.append(path)
            return
        kind = kind_of(path, source if named else None)
        if kind == "dockerfile":
            self.dockerfiles.append(parse(source))
        elif kind:
            loaded = _load(kind, source, self.workspace)
            self.workspace.subjects += [subject for subject in loaded if subject is not None]

    def finish(self) -> None:
        builds = _builds(self.workspace)
        for parsed in self.dockerfiles:
            self.workspace.subjects.append(load_dockerfile(parsed, self.context(parsed, builds)))

    def context(self, parsed: Parsed, builds: dict[Path, tuple[Path, frozenset[str]]]) -> BuildContext:
        path = parsed.source.path
        root, targets = builds.get(path, (None, frozenset[str]()))
        root = root or _context_root(parsed, [path.parent, *_above(path.parent, self.folders)])
        ignore = _ignore_file(path, root, self.workspace)
        return BuildContext(root=root, workspace=self.workspace, alone=_alone(root), ignore=ignore, targets=targets)


def _above(folder: Path, tops: list[Path]) -> Iterator[Path]:
    """The folders above one that may be its context: up to the top of the repository, or to the folder that is linted."""
    here = folder
    while here not in tops and not (here / ".git").exists() and here != here.parent and len(here.parts) > 2:
        here = here.parent
        yield here


def _context_root(parsed: Parsed, candidates: list[Path]) -> Path:
    """The folder that holds most of what COPY and ADD name; the Dockerfile's own in doubt."""
    named = {
        word.text.lstrip("/")
        for instruction in parsed.instructions
        if instruction.keyword in ("COPY", "ADD") and not instruction.flag("from")
        for word in instruction.words[:-1]
        if not re.search(r"://|[$*?\[<]|^\.?/?$", word.text)
    }
    return max(candidates, key=lambda folder: sum(os.path.lexists(folder / name) for name in named if "\0" not in name))


def _alone(root: Path) -> bool:
    """Whether the folder holds nothing but container files."""
    with os.scandir(root) as entries:
        return all(kind_of(Path(entry.name)) in ("dockerfile", "ignore") and not entry.is_dir() for entry in entries)


def _ignore_file(path: Path, root: Path, workspace: Workspace) -> IgnoreFile | None:
    """The one that a build takes: NAME.dockerignore beside the Dockerfile, else that at the top of the context."""
    for candidate in (path.with_name(f"{path.name}.dockerignore"), root / ".containerignore", root / ".dockerignore"):
        if source := workspace.read(candidate):
            return load_ignore(source, workspace)
    return None


def _builds(workspace: Workspace) -> dict[Path, tuple[Path, frozenset[str]]]:
    """Dockerfiles that compose files build: each with its context and targets."""
    from shipwheel.lint.files.compose import builds

    found: dict[Path, tuple[Path, frozenset[str]]] = {}
    for build in (build for compose in workspace.all(Compose) for build in builds(compose)):
        root, targets = found.get(build.dockerfile, (build.context, frozenset[str]()))
        if build.context.is_dir():
            found[build.dockerfile] = root, targets | ({build.target} - {""})
    return found


def _load(kind: Kind, source: Source, workspace: Workspace) -> Iterator[Subject | None]:
    """What a file of a kind holds. The readers are imported when there is something to read: YAML alone takes 20 ms."""
    if kind == "ignore":
        yield load_ignore(source, workspace)
    elif kind == "requirements":
        from shipwheel.lint.files.requirements import load_requirements

        yield load_requirements(source, workspace)
    elif kind == "python":
        from shipwheel.lint.files.python import load_python

        yield load_python(source, workspace)
    elif kind in ("compose", "yaml"):
        from shipwheel.lint.files.compose import load_compose
        from shipwheel.lint.files.manifest import load_manifest

        yield load_compose(source, workspace) or load_manifest(source, workspace)
    elif kind in ("shell", "workflow", "document", "makefile"):
        from shipwheel.lint.files.scripts import load_script, load_workflow

        if kind == "workflow":
            yield load_workflow(source, workspace)
        yield load_script(source, workspace, kind)
