"""Which files of the folder go into the image, and which stay out and why."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from posixpath import dirname, normpath
from typing import TYPE_CHECKING

from shipwheel.errors import Problem, ProjectError
from shipwheel.project.exclusions import (
    DATA,
    DATA_FILE_BYTES,
    DATA_SUFFIXES,
    MARKS,
    MODEL_FOLDERS,
    Exclusion,
    ExclusionTable,
)
from shipwheel.project.ignore import DockerRules, GitRules

if TYPE_CHECKING:
    from shipwheel.project.settings import Settings

EXCLUDE = Exclusion(reason="'exclude' in the settings", names=())
GITIGNORE = Exclusion(reason=".gitignore", names=())
DOCKERIGNORE = Exclusion(reason=".dockerignore", names=())
DEAD_LINK = Exclusion(reason="link to a file that is left out", names=())


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectFile:
    """A file or symlink that goes into the image.

    `path` is relative to the project, with `/`; `mode` is 0o644, or 0o755 where its owner may run it; `size` is in bytes;
    `target` is where a symlink points, as written, and empty for a file.
    """

    path: str
    source: Path
    size: int
    mode: int
    mtime_ns: int
    target: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """What stays out of the image: one path, or all below a top folder that stay out for the same reason.

    `count` is of files and folders; `size` is in bytes, None where a folder was not looked into.
    """

    path: str
    reason: str
    count: int = 1
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectFiles:
    """The outcome of a scan, both sorted by path."""

    files: tuple[ProjectFile, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


def find_files(root: Path, settings: Settings) -> ProjectFiles:
    """Walk the folder and decide about every file.

    Raises:
        ProjectError: something that no image can hold, or that cannot be read; all of it, not the first.
    """
    scan = _Scan(root=str(root), settings=settings)
    scan.walk("", scan.outer_rules(), None)
    scan.check_links()
    if scan.problems:
        problems = sorted(scan.problems, key=lambda problem: problem.file)
        raise ProjectError("the project holds what no image can", problems, hint="remove it, or name it in 'exclude'")
    return ProjectFiles(files=tuple(sorted(scan.files, key=lambda item: item.path)), left_out=tuple(scan.aggregated()))


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8-sig", errors="surrogateescape").splitlines()
    except OSError:
        return []


@dataclass(frozen=True, slots=True)
class _GitFile:
    """A .gitignore: its rules, and what turns a path below the project into one below its own folder."""

    rules: GitRules
    above: str
    below: int

    def verdict(self, path: str, *, folder: bool) -> bool | None:
        return self.rules.verdict(self.above + path[self.below :], folder=folder)


@dataclass(slots=True)
class _Scan:
    root: str
    settings: Settings
    files: list[ProjectFile] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    left: dict[tuple[str, str], list[tuple[str, int | None]]] = field(default_factory=dict)
    table: ExclusionTable = field(default_factory=ExclusionTable)
    docker: DockerRules = field(init=False)
    include: GitRules = field(init=False)
    exclude: GitRules = field(init=False)

    def __post_init__(self) -> None:
        self.docker = DockerRules.parse(_lines(f"{self.root}/.dockerignore"))
        model = self.settings.model
        named = [f"/{_literal(normpath(model))}"] if model and normpath(model) != "." else []
        include = [*self.settings.include, *named]
        self.include = GitRules.parse(include) if include else GitRules()
        self.exclude = GitRules.parse(self.settings.exclude) if self.settings.exclude else GitRules()

    def outer_rules(self) -> tuple[_GitFile, ...]:
        """The .gitignore files above the project, up to the top of its repository, the nearest first."""
        found, above, folder = [], "", Path(self.root)
        while not (folder / ".git").exists():
            if folder == folder.parent:
                return ()
            above, folder = f"{folder.name}/{above}", folder.parent
            if lines := _lines(f"{folder}/.gitignore"):
                found.append(_GitFile(GitRules.parse(lines), above, 0))
        ignored = any(rules.rules.covers(rules.above.rstrip("/"), folder=True) for rules in found)
        return () if ignored else tuple(found)  # who builds an ignored folder means it

    def walk(self, folder: str, rules: tuple[_GitFile, ...], inherited: Exclusion | None) -> None:
        """Decide about everything in one folder; `inherited` is why the folder itself stays out."""
        entries = self.listing(folder)
        names = {entry.name for entry in entries}
        if marks := names & MARKS.keys():
            inherited = MARKS[min(marks)]
            if not self.include.reaches_into(folder, floating=False):
                self.leave(f"{folder}/", inherited, None)
                return
        if ".gitignore" in names:
            own = GitRules.parse(_lines(f"{self.root}/{folder}/.gitignore"))
            rules = (_GitFile(own, "", len(folder) + 1 if folder else 0), *rules)
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir(follow_symlinks=False):
                self.folder(path, rules, inherited)
            else:
                self.file(entry, path, self.reason(path, rules, inherited, folder=False))

    def listing(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(f"{self.root}/{folder}") as found:
                return list(found)
        except OSError as error:
            self.problems.append(Problem(file=folder or ".", message=f"cannot be read: {error.strerror}"))
            return []

    def folder(self, path: str, rules: tuple[_GitFile, ...], inherited: Exclusion | None) -> None:
        reason = self.reason(path, rules, inherited, folder=True)
        if reason is None or reason is DOCKERIGNORE:
            if reason is None or self.docker.keeps_below(path) or self.include.reaches_into(path, floating=True):
                self.walk(path, rules, None)
                return
        elif self.include.reaches_into(path, floating=not reason.guarded):
            self.walk(path, rules, reason)
            return
        self.leave(f"{path}/", reason, None)

    def reason(self, path: str, rules: tuple[_GitFile, ...], inherited: Exclusion | None, *, folder: bool) -> Exclusion | None:
        """Why this path stays out; None where it goes in. The order is: secrets and caches, include, exclude, the rest."""
        name = path[path.rfind("/") + 1 :]
        own = self.table.find(name, folder=folder, top="/" not in path)
        if own and own.unless_package and folder and Path(f"{self.root}/{path}/__init__.py").exists():
            own = None
        guarded = own if own and own.guarded else inherited if inherited and inherited.guarded else None
        if guarded:
            return None if self.include.names(path, folder=folder) else guarded
        if self.include.patterns and self.include.covers(path, folder=folder):
            return None
        if self.exclude.verdict(path, folder=folder):
            return EXCLUDE
        if own or inherited:
            return own or inherited
        if self.docker.patterns and self.docker.leaves_out(path):
            return DOCKERIGNORE
        return GITIGNORE if self.git_ignores(path, rules, folder=folder) else None

    def git_ignores(self, path: str, rules: tuple[_GitFile, ...], *, folder: bool) -> bool:
        if path.partition("/")[0] in MODEL_FOLDERS and (folder or "/" in path):
            return False
        verdicts = (file.verdict(path, folder=folder) for file in rules)
        return bool(next((verdict for verdict in verdicts if verdict is not None), False))

    def file(self, entry: os.DirEntry[str], path: str, reason: Exclusion | None) -> None:
        status = entry.stat(follow_symlinks=False)
        if reason is None and status.st_size >= DATA_FILE_BYTES and Path(path).suffix.lower() in DATA_SUFFIXES:
            reason = None if self.include.covers(path) else DATA
        if reason is not None:
            self.leave(path, reason, status.st_size)
            return
        target = ""
        if stat.S_ISLNK(status.st_mode):
            target = str(Path(entry.path).readlink())
            problem = _link_problem(self.root, path, target)
        else:
            problem = _file_problem(entry, status)
        if problem or not _is_text(path):
            self.problems.append(Problem(file=ascii(path)[1:-1], message=problem or "has a name that is not UTF-8"))
            return
        mode = 0o755 if status.st_mode & stat.S_IXUSR else 0o644
        size = 0 if target else status.st_size
        source = Path(entry.path)
        self.files.append(
            ProjectFile(path=path, source=source, size=size, mode=mode, mtime_ns=status.st_mtime_ns, target=target)
        )

    def leave(self, path: str, reason: Exclusion, size: int | None) -> None:
        top = path.partition("/")[0]
        self.left.setdefault((top, reason.reason), []).append((path, size))

    def check_links(self) -> None:
        """Leave out links whose target stays out: in the image they would point at nothing."""
        if not any(file.target for file in self.files):
            return
        held = {file.path for file in self.files}
        for path in tuple(held):
            held.update(_parents(path))
        dead = {file.path for file in self.files if file.target and _aim(file.path, file.target) not in held}
        for path in dead:
            self.leave(path, DEAD_LINK, 0)
        self.files = [file for file in self.files if file.path not in dead]

    def aggregated(self) -> Iterator[LeftOut]:
        for (top, reason), items in sorted(self.left.items()):
            sizes = [size for _, size in items]
            known = [size for size in sizes if size is not None]
            path = items[0][0] if len(items) == 1 else f"{top}/"
            yield LeftOut(path=path, reason=reason, count=len(items), size=sum(known) if len(known) == len(sizes) else None)


def _literal(path: str) -> str:
    """A path as a pattern that matches it alone."""
    return "".join(f"\\{letter}" if letter in "*?[]\\!# " else letter for letter in path)


def _parents(path: str) -> Iterator[str]:
    while path := dirname(path):
        yield path


def _aim(path: str, target: str) -> str:
    return normpath(f"{dirname(path)}/{target}" if dirname(path) else target)


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _link_problem(root: str, path: str, target: str) -> str:
    where = Path(root, path)
    if target.startswith("/"):
        return f"is a link to the absolute path {target}, which is another in the image"
    if _aim(path, target).split("/")[0] == "..":
        return f"is a link that leaves the project: {target}"
    try:
        real = where.resolve(strict=True)
    except (OSError, RuntimeError):
        return f"is a dangling link: {target}"
    return "" if real.is_relative_to(Path(root).resolve()) else f"is a link that leaves the project: {target}"


def _file_problem(entry: os.DirEntry[str], status: os.stat_result) -> str:
    if not stat.S_ISREG(status.st_mode):
        return f"is a {_KINDS.get(stat.S_IFMT(status.st_mode), 'special file')}"
    readable = status.st_mode & stat.S_IROTH or os.access(entry.path, os.R_OK)
    return "" if readable else "cannot be read: permission denied"


_KINDS = {
    stat.S_IFSOCK: "socket",
    stat.S_IFIFO: "named pipe",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}
