"""`Folder`: the project's folder with its pyproject.toml and settings read, from which every finding starts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shipwheel.errors import ConfigError, Problem, ProjectError
from shipwheel.project.locate import read_toml, table_at
from shipwheel.project.settings import OWN_FILE, PYPROJECT, Settings, section_path, settings_from


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """`root` is absolute; `pyproject` is the parsed pyproject.toml, empty where there is none; `settings_file` the file
    that holds the settings, empty where none does."""

    root: Path
    settings: Settings = field(default_factory=Settings)
    settings_file: str = ""
    pyproject: Mapping[str, object] = field(default_factory=dict)

    @property
    def is_package(self) -> bool:
        """Whether the project itself can be built and installed (PEP 517, PEP 621 or Poetry's table)."""
        named = bool(self.table("project")) or bool(self.table("tool", "poetry").get("name"))
        return bool(self.table("build-system")) and named

    def table(self, *keys: str) -> Mapping[str, object]:
        """A table of pyproject.toml."""
        return table_at(self.pyproject, *keys)

    def has(self, name: str) -> bool:
        """Whether this file exists."""
        return (self.root / name).is_file()


def read_folder(root: Path) -> Folder:
    """Read pyproject.toml and shipwheel.toml.

    Raises:
        ProjectError: not a folder.
        ConfigError: not TOML, mistakes in the settings, or settings in both files.
    """
    if not root.is_dir():
        raise ProjectError(f"'{root}' is not a folder", hint="name the folder of the project")
    texts = {name: read_text(root / name, name) for name in (PYPROJECT, OWN_FILE) if (root / name).is_file()}
    parsed = {name: read_toml(text, name) for name, text in texts.items()}
    tables = {name: table_at(parsed[name], *section_path(name)) for name in parsed}
    _check_section(parsed.get(PYPROJECT, {}))
    holding = [name for name, table in tables.items() if table]
    if len(holding) > 1:
        raise ConfigError(
            "the settings stand in two files",
            [Problem(file=PYPROJECT, path="tool.shipwheel", message="settings"), Problem(file=OWN_FILE, message="settings")],
            hint="keep one of the two",
        )
    file = holding[0] if holding else ""
    settings = settings_from(tables[file], texts[file], file) if file else Settings()
    return Folder(root=root, settings=settings, settings_file=file, pyproject=parsed.get(PYPROJECT, {}))


def _check_section(pyproject: Mapping[str, object]) -> None:
    section = table_at(pyproject, "tool").get("shipwheel", {})
    if not isinstance(section, Mapping):
        raise ConfigError(
            "mistakes in the settings", [Problem(file=PYPROJECT, path="tool.shipwheel", message="must be a table")]
        )


def read_text(path: Path, file: str) -> str:
    """A text file of the project, which must be UTF-8; `file` is how an error calls it.

    Raises:
        ProjectError: it cannot be read, or is in another encoding.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        hint = "save it as UTF-8 (PowerShell's > writes UTF-16)"
        raise ProjectError(f"{file} is not UTF-8", [Problem(file=file, message="is in another encoding")], hint=hint) from None
    except OSError as error:
        raise ProjectError(f"{file} cannot be read: {error.strerror}") from None


def normalise(name: str) -> str:
    """A package's name as all spellings of it compare (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def texts(value: object) -> tuple[str, ...]:
    """The strings of a list in a TOML or JSON document, nothing else."""
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()
