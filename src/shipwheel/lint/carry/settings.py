"""Reads a Dockerfile into settings of Shipwheel: what carries over, with its line, and what does not, with its reason."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from shipwheel.errors import ShipwheelError, UsageError
from shipwheel.lint.carry.command import carried_command
from shipwheel.lint.carry.extras import OPTIONS, chosen_parts
from shipwheel.lint.carry.steps import Left, left_of, printable
from shipwheel.lint.context.folder import BuildContext
from shipwheel.lint.dockerfile.load import load_dockerfile
from shipwheel.lint.dockerfile.parse import parse
from shipwheel.lint.dockerfile.stages import Dockerfile, Stage, Step
from shipwheel.lint.packages.installs import Install, Requested
from shipwheel.lint.packages.python import context_path
from shipwheel.lint.packages.system_python import added_pythons, system_python
from shipwheel.lint.secrets import judged, leaks, redacted, secret_name
from shipwheel.lint.tables import table
from shipwheel.lint.workspace import Workspace
from shipwheel.project.init import Value
from shipwheel.project.python import DEBIAN_PYTHONS
from shipwheel.project.rules import COMPOSED, base_name, debian_package, env_name, user_number

_SURROGATE = re.compile(r"\\ud[89a-f]|[\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """A setting as it goes below [tool.shipwheel], and why it has this value."""

    key: str
    value: Value
    why: str


@dataclass(slots=True, kw_only=True)
class Carry:
    """`settings` in the order in which they are written; `left` what does not carry over, in the order of lines."""

    settings: list[Carried] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)

    def take(self, key: str, value: Value, why: str) -> None:
        """A setting; one that is no text of Unicode cannot be written into TOML."""
        if not _SURROGATE.search(str(value)):
            self.settings.append(Carried(key=key, value=value, why=printable(why)))

    def leave(self, line: int, what: str, why: str) -> None:
        """What stays behind."""
        self.left.append(Left(line=line, what=printable(what), why=printable(why)))


def carry_over(path: Path, root: Path) -> Carry:
    """What a Dockerfile says in terms of a project in `root`, which counts as the context of the build.

    Raises:
        UsageError: the file is not there, cannot be read, or is no Dockerfile.
    """
    workspace = Workspace(root=root)
    source = workspace.read(path)
    if source is None:
        raise UsageError(f"there is no Dockerfile {path}", hint="name it: --from-dockerfile PATH")
    parsed = parse(source)
    if parsed.faults:
        line = source.position(parsed.faults[0].span[0]).line
        raise UsageError(f"{path}, line {line}: {parsed.faults[0].message}", hint="`docker build` refuses it, too")
    dockerfile = load_dockerfile(parsed, BuildContext(root=root, workspace=workspace))
    if dockerfile.final is None:
        raise UsageError(f"{path} has no FROM", hint="name a Dockerfile: --from-dockerfile PATH")
    return _Reader(dockerfile, dockerfile.final).read()


@dataclass(slots=True)
class _Reader:
    dockerfile: Dockerfile
    stage: Stage
    carry: Carry = field(default_factory=Carry)

    def read(self) -> Carry:
        self._base()
        self._requirements()
        self._system_packages()
        self._command()
        self._port()
        self._env()
        self._user()
        used = {carried.key for carried in self.carry.settings}
        self.carry.left.extend(left_of(self.dockerfile, self.stage, copied=self._copied(), has_command="command" in used))
        self.carry.left = sorted(dict.fromkeys(self.carry.left), key=lambda left: left.line)
        return self.carry

    def _line(self, step: Step | Stage) -> int:
        return self.dockerfile.source.position(step.span[0]).line

    def _from(self, step: Step | Stage, text: str = "") -> str:
        keyword = step.keyword if isinstance(step, Step) else "FROM"
        return f"line {self._line(step)}, {keyword}{' ' if text else ''}{text}"

    def _copied(self) -> tuple[Stage, ...]:
        """Other stages from which the image takes files."""
        names = [step.copies_from for step in self.stage.all_steps if step.keyword in ("COPY", "ADD") and step.copies_from]
        found = {
            stage.index: stage for name in names if (stage := self.dockerfile.stage(name)) and stage not in self.stage.lineage
        }
        return tuple(found.values())

    def _all_steps(self) -> Iterator[Step]:
        """Of the image and of the stages that it copies from."""
        for stage in self._copied():
            yield from stage.all_steps
        yield from self.stage.all_steps

    def _base(self) -> None:
        bottom, python = self.stage.lineage[0], self._python()
        image, refusal = bottom.base.text, self._refusal(bottom)
        if not refusal:
            self.carry.take("base", image, self._from(bottom))
        elif python and python not in DEBIAN_PYTHONS and _minor(python) >= OLDEST:
            why = f"{self._from(bottom, image)}, {refusal}; the base composed from Debian packages has no Python {python}"
            self.carry.take("base", f"python:{python}-slim-bookworm", why)
        else:
            self.carry.take("base", COMPOSED, f"{self._from(bottom, image)}, {refusal}")
        if python and (not refusal or _minor(python) >= OLDEST):
            self.carry.take("python", python, "the Python of the Dockerfile's image")
        if refusal and bottom.facts.cuda:
            self.carry.take("accelerator", "cuda", f"{self._from(bottom, image)}; the wheels bring CUDA's libraries")

    def _refusal(self, bottom: Stage) -> str:
        """Why Shipwheel cannot put its layers on a base: that takes a Python, glibc, and a tag or digest; "" where it can."""
        facts, image = bottom.facts, bottom.image
        if image is None or not image.known or not bottom.base.known:
            return "which is no image that can be named"
        if facts.distribution == "alpine":
            return "whose musl takes no wheels made for glibc"
        try:
            base_name(bottom.base.text)
        except (ValueError, ShipwheelError):
            return "which has neither tag nor digest"
        if facts.has_python or (facts.has_python is None and self._finds_python(bottom)):
            return ""
        return "which has no Python" if facts.has_python is False else "of which nothing says that it has a Python"

    def _finds_python(self, bottom: Stage) -> bool:
        """Whether the steps use a Python that none of them installed."""
        installs = [install for step in self.stage.all_steps for install in step.installs]
        brought = any(package.name.startswith(("python", "conda")) for install in installs for package in install.packages)
        uses = any(install.manager in ("pip", "uv") for install in installs)
        return uses and not brought and not bottom.facts.distribution

    def _python(self) -> str:
        added = added_pythons(self.stage)
        found = added[-1] if added else system_python(self.stage) or self.stage.facts.python
        match = re.match(r"3\.\d+", found)
        return match[0] if match else ""

    def _requirements(self) -> None:
        files: dict[str, Step] = {}
        for step in self._all_steps():
            for install in step.installs:
                if install.manager not in ("pip", "uv", "poetry", "pipenv", "conda"):
                    continue
                for path in _requirement_files(step, install, self.dockerfile.context):
                    files.setdefault(path, step)
                named = [package.name or redacted(package.url) for package in install.packages if not _is_project(package)]
                if named and install.manager in ("pip", "uv", "conda") and not set(named) <= _TOOLS:
                    names = ", ".join(name for name in named if name not in _TOOLS)
                    self.carry.leave(self._line(step), f"{install.manager} install of {names}", "put it into the requirements")
        single = [path for path in files if not path.endswith(".txt")]
        chosen = single[:1] or list(files)
        if chosen:
            self.carry.take("requirements", chosen, self._from(files[chosen[0]]))
        if single:
            self._parts(files[single[0]])
        for path in set(files) - set(chosen):
            self.carry.leave(self._line(files[path]), path, f"{chosen[0]} is the one file that is read")

    def _parts(self, step: Step) -> None:
        """Extras and groups of the project."""
        for setting in OPTIONS:
            if parts := {part for install in step.installs for part in chosen_parts(install, setting)}:
                self.carry.take(setting, sorted(parts), self._from(step))

    def _system_packages(self) -> None:
        taken: dict[str, Step] = {}
        tools: dict[str, Step] = {}
        for step in self.stage.all_steps:
            for install in step.installs:
                if install.manager == "apt" and install.action == "install":
                    for package in install.packages:
                        self._package(package.name, step, taken, tools)
                elif install.manager in ("apk", "dnf") and install.packages and install.action == "install":
                    names = ", ".join(package.name for package in install.packages)
                    self.carry.leave(
                        self._line(step), f"{install.manager} packages {names}", "name the Debian packages that have them"
                    )
        for line in dict.fromkeys(map(self._line, tools.values())):
            names = ", ".join(name for name, step in tools.items() if self._line(step) == line)
            self.carry.leave(line, f"apt packages {names}", "tools of the build; add what the service runs to system-packages")
        if taken:
            lines = ", ".join(str(line) for line in dict.fromkeys(self._line(step) for step in taken.values()))
            self.carry.take(
                "system-packages", sorted(taken), f"line {lines}, apt; Shipwheel finds what the wheels need by itself"
            )

    def _package(self, name: str, step: Step, taken: dict[str, Step], tools: dict[str, Step]) -> None:
        entry = table("apt_renamed.toml").get(name, {})
        name = str(entry["instead"]) if entry.get("same") else name
        if _BY_HAND.fullmatch(name):
            tools.setdefault(name, step)
        elif _is_runtime_package(name):
            taken.setdefault(name, step)

    def _command(self) -> None:
        found = carried_command(self.dockerfile, self.stage)
        if found is None:
            return
        if found.words:
            self.carry.take("command", list(found.words), f"line {found.line}, {found.keyword}")
        if found.shell:
            self.carry.take("shell", True, "the command is run by a shell")
        for what, why in found.left:
            self.carry.leave(found.line, what, why)

    def _port(self) -> None:
        exposed = [(step, word.text) for step in self.stage.all_steps if step.keyword == "EXPOSE" for word in step.words]
        ports = [(step, text.removesuffix("/tcp")) for step, text in exposed if re.fullmatch(r"\d+(/tcp)?", text)]
        ports = [(step, text) for step, text in ports if 1 <= int(text) <= 65535]
        if ports:
            self.carry.take("port", int(ports[-1][1]), self._from(ports[-1][0]))
        for step, text in exposed:
            if not ports or text.removesuffix("/tcp") != ports[-1][1]:
                self.carry.leave(self._line(step), f"EXPOSE {text}", "one port is the service's; publish others with run.ports")

    def _env(self) -> None:
        values: dict[str, tuple[str, Step]] = {}
        for step in self.stage.all_steps:
            for name, value in step.pairs if step.keyword == "ENV" else ():
                values.pop(name, None)
                if (secret_name(name) and judged(value.text) != "nothing") or leaks(value.text):
                    self.carry.leave(self._line(step), f"ENV {name}", "a secret; give it when the container starts")
                elif _PATHS.fullmatch(name):
                    self.carry.leave(self._line(step), f"ENV {name}", "Shipwheel sets the paths of its own layout")
                elif not _OF_BUILD.match(name) and _fits(name) and "\0" not in value.text and value.known:
                    values[name] = (value.text, step)
        if values:
            lines = ", ".join(str(line) for line in dict.fromkeys(self._line(step) for _, step in values.values()))
            self.carry.take("env", {name: value for name, (value, _) in values.items()}, f"line {lines}, ENV")

    def _user(self) -> None:
        step = self.stage.last("USER")
        name = step.words[0].text.partition(":")[0] if step and step.words else ""
        number = name if name.isdecimal() else _number_of(name, self.stage.all_steps)
        if step and number.isdecimal():
            try:
                self.carry.take("user", user_number(int(number)), self._from(step, name if name != number else ""))
            except ValueError:
                return
        elif step and name in ("root", "0"):
            self.carry.leave(
                self._line(step), f"USER {name}", "the command runs as user 1000; set user = 0 where it must be root"
            )


OLDEST = 8
"""The oldest Python 3 whose official image still lies on Debian bookworm."""

_TOOLS = frozenset(
    ("pip", "setuptools", "wheel", "uv", "poetry", "pipenv", "pip-tools", "virtualenv", "build", "poetry-core", "conda")
)
_PATHS = re.compile(r"PATH|PYTHONPATH|VIRTUAL_ENV|LD_LIBRARY_PATH|CONDA_\w+|CUDA_HOME|PYTHONHOME|HOME")
_OF_BUILD = re.compile(
    r"DEBIAN_FRONTEND|DEBCONF_|PIP_|UV_|POETRY_|PDM_|PIPENV_|NVIDIA_(?:VISIBLE|DRIVER)|PYTHON_(?:VERSION|PIP)|GPG_KEY|TZ$|LC_|LANGUAGE"
)
"""Variables that only the build reads, or that Shipwheel sets itself."""
_BY_WHEELS = re.compile(
    r"libgomp1|lib(?:open)?blas\S*|liblapack\S*|libatlas\S*|libgfortran\d*|libcudnn\S*|libnccl\S*|libcublas\S*|cuda-\S+|nvidia-\S+|libstdc\+\+6"
)
_OF_SYSTEM = re.compile(
    r"python\S*|pip|ca-certificates|locales|apt-utils|apt-transport-https|software-properties-common|gnupg\d?|lsb-release|dirmngr|tini"
    r"|dumb-init|tzdata|sudo|bash|dash|gosu|procps|zsh|openssl|libc6|debconf\S*"
)
_BY_HAND = re.compile(
    r"vim\S*|nano|less|htop|tmux|screen|tree|unzip|zip|wget|curl|git|git-lfs|openssh\S*|rsync|netcat\S*|net-tools|strace|gdb"
)


def _is_runtime_package(name: str) -> bool:
    """Whether a Debian package is worth carrying: no compiler or header, nothing that wheels or the base bring."""
    build = table("tools.toml")["build"]
    if name in build["names"] or any(re.fullmatch(pattern, name) for pattern in (*build["patterns"], *build["headers"])):
        return False
    try:
        debian_package(name)
    except ValueError:
        return False
    return not _BY_WHEELS.fullmatch(name) and not _OF_SYSTEM.fullmatch(name)


def _fits(name: str) -> bool:
    """Whether the settings take such a name."""
    try:
        env_name(name)
    except ValueError:
        return False
    return True


def _minor(python: str) -> int:
    return int(python.partition(".")[2])


def _requirement_files(step: Step, install: Install, context: BuildContext) -> Iterator[str]:
    """Files of the project that say what this installs."""
    for word in install.files:
        if path := context_path(step, word.text) or _beside(context, word.text):
            yield path
    project = install.action == "sync" or install.manager in ("poetry", "pipenv")
    local = any(package.url and "://" not in package.url for package in install.packages)
    names = ("uv.lock", "poetry.lock", "Pipfile.lock", "pyproject.toml") if project else ("pyproject.toml",) if local else ()
    found = next((name for name in names if context.exists(name)), "")
    if found and not install.files:
        yield found


def _is_project(package: Requested) -> bool:
    """Whether it is a folder, which holds the project or comes with another step."""
    return bool(package.url) and "://" not in package.url and not package.url.endswith((".whl", ".gz", ".zip"))


def _beside(context: BuildContext, text: str) -> str:
    """A file of that name in the project, where no COPY tells."""
    name = posixpath.basename(text)
    return name if "$" not in text and context.exists(name) and not context.is_folder(name) else ""


def _number_of(name: str, steps: Iterable[Step]) -> str:
    """The number that useradd or adduser gives to a name."""
    for step in steps:
        for command in step.commands if step.keyword == "RUN" else ():
            texts = [word.text for word in command.arguments]
            if command.program in ("useradd", "adduser") and name in texts:
                for option, value in pairwise(texts):
                    if option in ("-u", "--uid"):
                        return value
                return next((text.partition("=")[2] for text in texts if text.startswith("--uid=")), "")
    return ""
