"""What the container runs: the command of the settings, or the app, model or script that the folder holds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from shipwheel.errors import Problem, ProjectError
from shipwheel.project.files import ProjectFile
from shipwheel.project.folder import Folder
from shipwheel.project.requirements import Requirements
from shipwheel.project.served import ARGV, PORT, Served, find_bundle, find_model_file, wanted_model, wants_runtime
from shipwheel.project.sources import SourceFile, read_sources

APP_PORT = 8000
STREAMLIT_PORT = 8501
GRADIO_PORT = 7860
"""The ports on which these listen by default, which is where their users look."""

_HINT = 'set the command under [tool.shipwheel], for example command = "python main.py"'

NEVER = re.compile(r"(?:^|/)(?:setup|conftest|noxfile|tasks|fabfile|test_[^/]*|[^/]*_test)\.py$|(?:^|/)tests?/")
SECONDARY = re.compile(
    r"(?:^|/)(?:[^/]*[_-])?(?:train|training|finetune|fine_tune|fit|evaluate|eval|preprocess|prepare|download|export|convert|benchmark"
    r"|bench|plot|explore|example|demo_?data|make_dataset|build_model)(?:[_-][^/]*)?\.py$"
    r"|(?:^|/)(?:scripts|examples?|docs|notebooks|benchmarks|tools|experiments|training|migrations)/"
)
"""Files that run before there is something to serve, or beside it: the command only where there is nothing better."""

SCRIPT_NAMES = ("main.py", "app.py", "serve.py", "server.py", "__main__.py", "run.py", "api.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What runs in the container, from the project's folder; `python_path` are folders of the project for PYTHONPATH.

    `served` is the model where the command is the runtime.
    """

    argv: tuple[str, ...]
    port: int | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    python_path: tuple[str, ...] = ()
    served: Served | None = None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How Python imports a file: the folder that must be on its path (empty: the project's own) and the module's name."""

    base: str
    module: str

    @property
    def python_path(self) -> tuple[str, ...]:
        """As a command wants it."""
        return (self.base,) if self.base else ()


def find_command(folder: Folder, requirements: Requirements, files: Iterable[ProjectFile]) -> Command:
    """The settings' command, or what the folder offers: web app, then Gradio or Streamlit, then a model, then a script.

    A bundle comes before every script; a model file by itself only before those that train it.

    Raises:
        ProjectError: nothing to run, several candidates, or an app whose server is not among the requirements.
    """
    python = [file for file in files if file.path.endswith(".py") and not file.target]
    paths = frozenset(file.path for file in python)
    if folder.settings.command:
        argv = folder.settings.command
        why = f"'command' in {folder.settings_file}"
        port = folder.settings.port or port_of(argv)
        return Command(argv=argv, port=port, python_path=_path_of_command(argv, paths), why=why)
    sources = read_sources((file.path, file.source, file.size) for file in python if not NEVER.search(file.path))
    finder = _Finder(folder=folder, requirements=requirements, sources=sources, paths=paths)
    if wants_runtime(folder):
        return finder.runtime(wanted_model(folder), "the settings say that the runtime serves")
    apps = (finder.web_app, finder.factory, finder.gradio, finder.streamlit)
    for find in (*apps, finder.bundle, finder.model_file, finder.entry_point, finder.script):
        if command := find():
            return command
    broken = [Problem(file=source.path, message="cannot be parsed as Python") for source in sources if not source.parses]
    likely = [Problem(file=source.path, message="may be it") for source in sources if "/" not in source.path and source.parses]
    raise ProjectError("nothing to run was found: no app object, no script", broken or likely, hint=_HINT)


def port_of(argv: Iterable[str]) -> int | None:
    """The port in a command, where a usual flag gives it."""
    text = " ".join(argv)
    match = re.search(r"(?:--(?:server[.-])?port[ =]|(?:--bind|-b|--listen)[ =]\S*:|-p )(\d{1,5})(?= |$)", text)
    return int(match[1]) if match else None


def place_of(path: str, paths: frozenset[str], imports: Iterable[str] = ()) -> Place:
    """The import name of a file: above its packages, below `src`, and where its own imports expect it."""
    parts = path.removesuffix(".py").split("/")
    names = parts[:-1] if parts[-1] == "__init__" else parts
    tops = {name.partition(".")[0] for name in imports}
    base = len(parts) - 1
    while base and "/".join((*parts[:base], "__init__.py")) in paths:
        base -= 1
    folders = parts[:base]
    if folders and parts[0] in tops and parts[0] != "src":
        folders = []  # it imports by a name that starts at the top
    elif folders and folders[0] == "src":
        folders = [] if "src" in tops else ["src"]
    elif folders and base == len(parts) - 1 and not _imports_sibling(folders, tops, paths):
        folders = []
    return Place(base="/".join(folders), module=".".join(names[len(folders) :]))


def _imports_sibling(folders: list[str], tops: set[str], paths: frozenset[str]) -> bool:
    """Whether a file imports, by its bare name, a module that lies beside it and not at the top."""
    beside = {top for top in tops if _module_at("/".join(folders), top, paths)}
    return any(not _module_at("", top, paths) for top in beside)


def _module_at(base: str, module: str, paths: frozenset[str]) -> str:
    """The file of a module below a folder; empty where it is not there."""
    start = f"{base}/" if base else ""
    name = start + module.replace(".", "/")
    return next((path for path in (f"{name}.py", f"{name}/__init__.py") if path in paths), "")


def _path_of_command(argv: tuple[str, ...], paths: frozenset[str]) -> tuple[str, ...]:
    """The folders that must be on Python's path for a command that names a module (`pkg.app:app`, `-m pkg`)."""
    modules = [match[1] for word in argv if (match := re.fullmatch(r"([A-Za-z_][\w.]*):[A-Za-z_][\w.]*(?:\(.*\))?", word))]
    modules += [following for flag, following in pairwise(argv) if flag == "-m"]
    folders = sorted({path.rpartition("/")[0] for path in paths}, key=lambda folder: (folder.count("/"), folder))
    for module in modules:
        bases = [base for base in ("", "src", *folders) if _module_at(base, module, paths)]
        if bases:
            return (bases[0],) if bases[0] else ()
    scripts = [word for word in argv if word in paths]
    if scripts and _needs_top(scripts[0], paths):
        return (".",)
    return ("src",) if any(path.startswith("src/") for path in paths) and "src/__init__.py" not in paths else ()


def _needs_top(script: str, paths: frozenset[str]) -> bool:
    """A script in a folder has that folder on its path; packages at the top of the project need the project's, too."""
    return "/" in script and any(path.count("/") == 1 and path.endswith("/__init__.py") for path in paths)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    source: SourceFile
    kind: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finder:
    folder: Folder
    requirements: Requirements
    sources: list[SourceFile]
    paths: frozenset[str]

    def web_app(self) -> Command | None:
        offers = [_Offer(source=source, kind=kind, name=name) for source in self.sources for kind, name in source.apps]
        offers = self.best(self.one_django(offers))
        if not offers:
            return None
        if len(offers) > 1:
            raise _several("apps", [(offer.source.path, f"{offer.name} ({_title(offer.kind)})") for offer in offers])
        source, kind, name = offers[0].source, offers[0].kind, offers[0].name
        place = place_of(source.path, self.paths, source.imports)
        return self.served(kind, f"{place.module}:{name}", place, f"{_title(kind)} app '{name}' in {source.path}")

    def factory(self) -> Command | None:
        offers = [_Offer(source=source, kind=kind, name=name) for source in self.sources for kind, name in source.factories]
        offers = self.best([offer for offer in offers if offer.name.endswith("app")])
        if not offers:
            return None
        if len(offers) > 1:
            raise _several("app factories", [(offer.source.path, f"{offer.name}()") for offer in offers])
        source, kind, name = offers[0].source, offers[0].kind, offers[0].name
        place = place_of(source.path, self.paths, source.imports)
        why = f"{_title(kind)} app made by {name}() in {source.path}"
        target = f"{place.module}:{name}" + ("()" if kind in ("flask", "django") else "")
        command = self.served(kind, target, place, why)
        extra = ("--factory",) if command.argv[0] == "uvicorn" else ()
        return Command(argv=(*command.argv, *extra), port=command.port, python_path=command.python_path, why=why)

    def one_django(self, offers: list[_Offer]) -> list[_Offer]:
        """Django's template has both wsgi.py and asgi.py; the server among the requirements says which is meant."""
        kinds = {offer.kind for offer in offers}
        if not {"django", "django-asgi"} <= kinds:
            return offers
        wsgi = self.requirements.asks_for("gunicorn") or not self.requirements.asks_for("uvicorn")
        return [offer for offer in offers if offer.kind != ("django-asgi" if wsgi else "django")]

    def best(self, offers: list[_Offer]) -> list[_Offer]:
        """The offers of the best rank: not those beside the service, and not those that another offer's file imports."""
        chosen = [offer for offer in offers if not SECONDARY.search(offer.source.path)] or offers
        files = {offer.source.path for offer in chosen}
        imported = {path for offer in chosen for path in self.imported_by(offer.source) if path in files}
        return [offer for offer in chosen if offer.source.path not in imported] or chosen

    def imported_by(self, source: SourceFile) -> Iterator[str]:
        """The project's files that a file imports by name."""
        folder = source.path.rpartition("/")[0]
        for name in source.imports:
            for base in dict.fromkeys(("", "src", folder)):
                found = _module_at(base, name.lstrip("."), self.paths)
                if found and found != source.path:
                    yield found

    def served(self, kind: str, target: str, place: Place, why: str) -> Command:
        """The command of the server that the requirements have for this kind of app."""
        port = self.folder.settings.port or APP_PORT
        listen = ("--host", "0.0.0.0", "--port", str(port))
        asynchronous = kind in ("fastapi", "starlette", "django-asgi")
        servers = {
            "uvicorn": ("uvicorn", target, *listen),
            "hypercorn": ("hypercorn", target, "--bind", f"0.0.0.0:{port}"),
            "gunicorn": ("gunicorn", target, "--bind", f"0.0.0.0:{port}"),
            "waitress": ("waitress-serve", *listen, target),
        }
        usable = ("uvicorn", "hypercorn") if asynchronous else ("gunicorn", "waitress")
        server = next((name for name in usable if self.requirements.asks_for(name)), "")
        if server:
            return Command(argv=servers[server], port=port, python_path=place.python_path, why=why)
        if kind == "flask":
            argv = ("flask", "--app", target, "run", *listen)
            note = "; Flask's development server, add gunicorn for a better one"
            return Command(argv=argv, port=port, python_path=place.python_path, why=why + note)
        file = self.requirements.files[0].name if self.requirements.files else "requirements.txt"
        raise ProjectError(
            f"{why} needs a server, and {usable[0]} is not among the requirements",
            hint=f"add {usable[0]} to {file}, or set a command under [tool.shipwheel]",
        )

    def gradio(self) -> Command | None:
        source = self.only("Gradio scripts", [source for source in self.sources if source.launches_gradio])
        if not source:
            return None
        port = self.folder.settings.port or GRADIO_PORT
        env = {"GRADIO_SERVER_NAME": "0.0.0.0", "GRADIO_SERVER_PORT": str(port)}
        return self.python_script(source, f"{source.path} launches a Gradio interface", port=port, env=env)

    def streamlit(self) -> Command | None:
        offered = [source for source in self.sources if source.is_streamlit and "/pages/" not in f"/{source.path}"]
        source = self.only("Streamlit scripts", offered, first=("streamlit_app.py", "Home.py", "home.py"))
        if not source:
            return None
        port = self.folder.settings.port or STREAMLIT_PORT
        flags = ("--server.address", "0.0.0.0", "--server.port", str(port), "--server.headless", "true")
        return Command(
            argv=("streamlit", "run", source.path, *flags),
            port=port,
            python_path=self.script_path(source),
            why=f"{source.path} is a Streamlit script",
        )

    def bundle(self) -> Command | None:
        served = find_bundle(self.folder)
        return self.runtime(served, f"the runtime serves the bundle {served.model}; there is no app") if served else None

    def model_file(self) -> Command | None:
        """A model by itself says less than a script that is there to be run, and more than one that trains it."""
        entry = self.entry_point()
        if any(not SECONDARY.search(source.path) for source in self.runnable()):
            return None
        if entry and not SECONDARY.search(f"{entry.argv[0]}.py"):
            return None
        served = find_model_file(self.folder)
        why = f"the runtime serves {served.model}; there is no app, and no script but for training" if served else ""
        return self.runtime(served, why) if served else None

    def runtime(self, served: Served, why: str) -> Command:
        path = _path_of_command((served.model,), self.paths)
        return Command(argv=ARGV, port=self.folder.settings.port or PORT, python_path=path, served=served, why=why)

    def runnable(self) -> Iterator[SourceFile]:
        """Every file that `script` could choose."""
        for source in self.sources:
            named = "/" not in source.path and source.name in SCRIPT_NAMES
            if named or source.has_main or source.name == "__main__.py" or len(self.sources) == 1:
                yield source

    def entry_point(self) -> Command | None:
        scripts = self.folder.table("project", "scripts")
        if len(scripts) != 1 or not self.folder.is_package:
            return None
        name = next(iter(scripts))
        return Command(argv=(name,), port=self.folder.settings.port, why="the one entry of [project.scripts]")

    def script(self) -> Command | None:
        top = [source for source in self.sources if "/" not in source.path and source.name in SCRIPT_NAMES]
        guarded = [source for source in self.sources if source.has_main or source.name == "__main__.py"]
        named = [source for source in guarded if source.name in SCRIPT_NAMES]
        alone = self.sources if len(self.sources) == 1 else []
        source = None
        for offered in (top, named, guarded, alone):
            if source := self.only("scripts", offered):
                break
        if not source:
            return None
        if source.name == "__main__.py" and "/" in source.path:
            place = place_of(source.path, self.paths, source.imports)
            package = place.module.removesuffix(".__main__")
            argv = ("python", "-m", package)
            return Command(argv=argv, port=self.folder.settings.port, python_path=place.python_path, why=source.path)
        return self.python_script(source, f"{source.path} is the script", port=self.folder.settings.port, env={})

    def only(self, what: str, sources: list[SourceFile], first: tuple[str, ...] = ()) -> SourceFile | None:
        """The one file among these; None where there is none.

        Raises:
            ProjectError: several.
        """
        best = [offer.source for offer in self.best([_Offer(source=source) for source in sources])]
        top = [source for source in best if "/" not in source.path]
        best = [source for source in best if source.name in first] or top or best
        if len(best) > 1:
            best = [source for source in best if source.has_main and what == "scripts"] or best
        if len(best) > 1:
            raise _several(what, [(source.path, "") for source in best])
        return best[0] if best else None

    def python_script(self, source: SourceFile, why: str, *, port: int | None, env: Mapping[str, str]) -> Command:
        return Command(argv=("python", source.path), port=port, env=env, python_path=self.script_path(source), why=why)

    def script_path(self, source: SourceFile) -> tuple[str, ...]:
        """Python puts a script's own folder on its path; the top of the project or `src` may be needed too."""
        folder = source.path.rpartition("/")[0]
        tops = {name.partition(".")[0] for name in source.imports}
        absent = [top for top in tops if not _module_at(folder, top, self.paths)]
        needed = {"src": "src", "": "."}
        return tuple(
            shown for base, shown in needed.items() if base != folder and any(_holds(base, top, self.paths) for top in absent)
        )


def _holds(base: str, module: str, paths: frozenset[str]) -> bool:
    """Whether a module, or a folder of modules without an `__init__.py`, lies below a folder."""
    start = f"{base}/{module}/" if base else f"{module}/"
    return bool(_module_at(base, module, paths)) or any(path.startswith(start) for path in paths)


def _title(kind: str) -> str:
    return {"fastapi": "FastAPI", "django-asgi": "Django"}.get(kind, kind.capitalize())


def _several(what: str, found: Iterable[tuple[str, str]]) -> ProjectError:
    problems = [Problem(file=path, message=text) for path, text in found]
    return ProjectError(f"several {what}, and nothing says which is meant", problems, hint=_HINT)
