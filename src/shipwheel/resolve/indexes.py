"""`Indexes`: where wheels come from, as uv and the project's own files say it.

In the order of uv: its environment variables, option lines in requirements files, `[tool.uv]` or uv.toml of the project, of the
user, of the system. Where none of them names a default index, pip's `index-url` is taken: companies set it for their mirror.
pip's `extra-index-url` and `find-links` are not: pip mixes all indexes, and whoever registers an internal name on a public one
wins there. uv asks indexes one after the other (`first-index`), so extra ones must be named to uv, in the order that is meant.
"""

from __future__ import annotations

import functools
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit, urlunsplit

from shipwheel.credentials import in_url, origin
from shipwheel.errors import ConfigError, Problem

if TYPE_CHECKING:
    from shipwheel.project.requirements import Requirements

PYPI = "https://pypi.org/simple"
_OPTION = re.compile(
    r"(-i|-f|--index-url|--extra-index-url|--find-links|--no-index)(?:\s*=\s*|\s+|(?<=-[if])|$)(\S*)",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexes:
    """Addresses as configured, so possibly with credentials: never print or keep them as they are.

    `extra` are asked before `default`. `find_links` are folders or pages with wheels. `told` is whether the default has to
    be given to uv, as it comes from pip. `files` are the project's own, in which addresses of files may stand (uv.lock).
    `hints` is a folder that remembers where files were found; it holds no credentials.
    """

    default: str = field(default=PYPI, repr=False)
    extra: tuple[str, ...] = field(default=(), repr=False)
    find_links: tuple[str, ...] = field(default=(), repr=False)
    told: bool = False
    files: tuple[Path, ...] = ()
    hints: Path | None = None

    @property
    def pages(self) -> tuple[str, ...]:
        """The indexes in the order to ask them."""
        return tuple(dict.fromkeys(each for each in (*self.extra, self.default) if each))

    @property
    def credentials(self) -> dict[str, tuple[str, str]]:
        """By origin, for files that an index serves from its own host; for the client."""
        found: dict[str, tuple[str, str]] = {}
        for url in (self.default, *self.extra, *self.find_links):
            if pair := in_url(url):
                found.setdefault(origin(url), pair)
        return found

    def environment(self) -> dict[str, str]:
        """What uv must be told beyond what it reads itself. Not as arguments: those can be seen by every user."""
        return {"UV_DEFAULT_INDEX": self.default} if self.told else {}


@dataclass(frozen=True, slots=True)
class _Found:
    """One place's settings; None where it says nothing about the default."""

    default: str | None = None
    extra: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()


def find_indexes(
    root: Path, env: Mapping[str, str], lines: Iterable[tuple[Path, str]] = (), hints: Path | None = None
) -> Indexes:
    """Collect the indexes for the project in `root`.

    `env` is the environment. `lines` are the logical lines of its requirements files with the folder each stands in
    (`option_lines` makes them). `hints` as in `Indexes`.

    Raises:
        ConfigError: a configuration file that cannot be read.
    """
    places = [_from_env(root, env), _from_lines(root, lines), *(_from_uv_toml(path, env) for path in _uv_files(root, env))]
    default = next((each.default for each in places if each.default is not None), None)
    pip = _pip_index(env) if default is None else None
    chosen = default if default is not None else pip or PYPI
    return Indexes(
        default=chosen,
        extra=tuple(dict.fromkeys(url for each in places for url in each.extra)),
        find_links=tuple(dict.fromkeys(url for each in places for url in each.find_links)),
        told=pip is not None,
        hints=hints,
    )


def project_indexes(root: Path, requirements: Requirements, env: Mapping[str, str], hints: Path | None = None) -> Indexes:
    """`find_indexes` for a project and its requirements, whose files are looked into for addresses of wheels too.

    Raises:
        ConfigError: a configuration file that cannot be read.
    """
    found = find_indexes(root, env, option_lines(root, requirements), hints)
    return replace(found, files=requirements.files)


def option_lines(root: Path, requirements: Requirements) -> Iterator[tuple[Path, str]]:
    """The lines of requirements that hold options, each with the folder that paths in it are relative to."""
    from shipwheel.project.reqfile import logical_lines

    for path in requirements.files if requirements.kind == "requirements" else ():
        lines = logical_lines(path.read_text("utf-8", errors="replace"))
        yield from ((path.parent, text) for _, text in lines if text.startswith("-"))
    yield from ((root, text) for text in requirements.pinned if text.startswith("-"))


def _from_env(root: Path, env: Mapping[str, str]) -> _Found:
    extra = [*env.get("UV_INDEX", "").split(), *env.get("UV_EXTRA_INDEX_URL", "").split()]
    links = re.split(r"[,\s]+", env.get("UV_FIND_LINKS", "")) if env.get("UV_FIND_LINKS") else []
    return _Found(
        env.get("UV_DEFAULT_INDEX") or env.get("UV_INDEX_URL") or ("" if env.get("UV_NO_INDEX") else None),
        tuple(_unnamed(each) for each in extra),
        tuple(_as_url(each, root) for each in links if each),
    )


def _unnamed(index: str) -> str:
    """uv lets `NAME=URL` stand for an index."""
    match = re.fullmatch(r"[A-Za-z0-9._-]+=(\S+)", index)
    return match[1] if match else index


def _from_lines(root: Path, lines: Iterable[tuple[Path, str]]) -> _Found:
    default: str | None = None
    extra: list[str] = []
    links: list[str] = []
    for folder, line in lines:
        for option, value in _OPTION.findall(line) if line.startswith("-") else ():
            if option in ("-i", "--index-url"):
                default = value
            elif option == "--no-index":
                default = default or ""
            elif option == "--extra-index-url":
                extra.append(value)
            else:
                links.append(_as_url(value, folder if (folder / value).exists() else root))
    return _Found(default, tuple(extra), tuple(links))


def _uv_files(root: Path, env: Mapping[str, str]) -> Iterator[Path]:
    """uv.toml hides the project's pyproject.toml (uv, "Configuration files"); the search goes up to the file system's root.

    A user's own that cannot be read is passed over, as uv does: HOME may be somebody else's.
    """
    if env.get("UV_NO_CONFIG"):
        return
    if chosen := env.get("UV_CONFIG_FILE"):
        yield Path(chosen)
        return
    for folder in (root, *root.absolute().parents):
        if (folder / "uv.toml").is_file():
            yield folder / "uv.toml"
            break
        if (folder / "pyproject.toml").is_file() and (folder == root or _uv_table(folder / "pyproject.toml")):
            yield folder / "pyproject.toml"
            break
    home = env.get("XDG_CONFIG_HOME") or (f"{env['HOME']}/.config" if env.get("HOME") else "")
    yield from (path for path in (Path(home) / "uv" / "uv.toml", Path("/etc/uv/uv.toml")) if home and os.access(path, os.R_OK))


def torch_backend(root: Path, env: Mapping[str, str]) -> str:
    """PyTorch's index that uv is told to use, such as cu126, with where that is said; empty: none."""
    if backend := env.get("UV_TORCH_BACKEND"):
        return f"UV_TORCH_BACKEND={backend}"
    found = ((path, _uv_table(path).get("torch-backend")) for path in _uv_files(root, env))
    return next((f"torch-backend={backend} in {path.name}" for path, backend in found if backend), "")


def _uv_table(path: Path) -> Mapping[str, object]:
    """The settings of uv in one file, without those of other tools."""
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist", hint="UV_CONFIG_FILE names it") from None
    except (OSError, ValueError) as error:
        raise ConfigError("uv's configuration cannot be read", [Problem(message=str(error), file=str(path))]) from None
    table = data if path.name != "pyproject.toml" else _table(_table(data.get("tool")).get("uv"))
    pip = _table(table.get("pip"))
    keys = ("index", "index-url", "extra-index-url", "find-links", "no-index", "torch-backend")
    return {key: table.get(key, pip.get(key)) for key in keys if key in table or key in pip}


def _table(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _texts(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []


def _from_uv_toml(path: Path, env: Mapping[str, str]) -> _Found:
    table = _uv_table(path)
    default = str(table["index-url"]) if "index-url" in table else "" if table.get("no-index") else None
    extra = []
    raw = table.get("index")
    for index in (_table(each) for each in raw) if isinstance(raw, list) else ():
        url = _authorised(_as_url(str(index.get("url", "")), path.parent), str(index.get("name", "")), env)
        if index.get("default"):
            default = url
        else:
            extra.append(url)
    links = tuple(_as_url(each, path.parent) for each in _texts(table.get("find-links")))
    return _Found(default, (*extra, *_texts(table.get("extra-index-url"))), links)


def _authorised(url: str, name: str, env: Mapping[str, str]) -> str:
    """With UV_INDEX_NAME_USERNAME and UV_INDEX_NAME_PASSWORD, where they are set."""
    stem = f"UV_INDEX_{re.sub(r'[^A-Za-z0-9]', '_', name).upper()}"
    user, password = env.get(f"{stem}_USERNAME", ""), env.get(f"{stem}_PASSWORD", "")
    return add_credentials(url, (user, password)) if name and (user or password) and not in_url(url) else url


def add_credentials(url: str, pair: tuple[str, str]) -> str:
    """The URL with user and password in it."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(pair[0], safe='')}:{quote(pair[1], safe='')}@{host}"))


def _as_url(place: str, folder: Path) -> str:
    """A path becomes a file URL."""
    return place if re.match(r"[a-z+]+://", place) else (folder / Path(place).expanduser()).absolute().as_uri()


def _pip_index(env: Mapping[str, str]) -> str | None:
    """pip's default index: environment, then configuration files, the nearest last and strongest (pip, "Configuration")."""
    if url := env.get("PIP_INDEX_URL"):
        return url
    home = env.get("HOME", "")
    files = [
        "/etc/pip.conf",
        f"{home}/.pip/pip.conf" if home else "",
        f"{env.get('XDG_CONFIG_HOME') or home + '/.config'}/pip/pip.conf" if home or env.get("XDG_CONFIG_HOME") else "",
        f"{env['VIRTUAL_ENV']}/pip.conf" if env.get("VIRTUAL_ENV") else "",
        env.get("PIP_CONFIG_FILE", ""),
    ]
    import configparser

    parser = configparser.RawConfigParser(strict=False)
    for file in filter(None, files):
        try:
            parser.read(file, "utf-8")
        except (configparser.Error, UnicodeDecodeError) as error:
            raise ConfigError("pip's configuration cannot be read", [Problem(message=str(error), file=file)]) from None
    return parser.get("install", "index-url", fallback="") or parser.get("global", "index-url", fallback="") or None


@functools.lru_cache(maxsize=8)
def urls_in(path: Path) -> Mapping[str, str]:
    """The http(s) addresses of wheels and sdists in a file of the project (uv.lock, requirements), by filename."""
    try:
        text = path.read_text("utf-8", errors="replace")
    except OSError:
        return {}
    found = re.findall(r"""https?://[^\s"'#;\]\[{}]+/([^\s"'#;/]+\.(?:whl|tar\.gz|zip))""", text)
    urls = re.findall(r"""(https?://[^\s"'#;\]\[{}]+/[^\s"'#;/]+\.(?:whl|tar\.gz|zip))""", text)
    return {name.replace("%2B", "+").replace("%2b", "+"): url for name, url in zip(found, urls, strict=True)}
