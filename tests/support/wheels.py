"""Small real wheels and sdists for tests; `from support.wheels import make_wheel`."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import re
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

_EPOCH = (1980, 1, 1, 0, 0, 0)


def make_wheel(
    folder: Path,
    name: str,
    version: str,
    files: Mapping[str, str | bytes] | None = None,
    *,
    tag: str = "py3-none-any",
    requires: Iterable[str] = (),
    metadata: str = "",
    entry_points: str = "",
    executable: Iterable[str] = (),
    compression: int = zipfile.ZIP_DEFLATED,
    extra_members: Iterable[tuple[str, bytes]] = (),
    record: str | None = None,
) -> Path:
    """Write NAME-VERSION-TAG.whl into `folder` and return its path; the same arguments give the same bytes.

    `files` maps archive names to contents; without any, a package with one module is made. `metadata` is extra header
    lines, `executable` names files with mode 0755. `extra_members` are written after all else and not recorded (for
    broken wheels); `record` replaces the true RECORD.
    """
    stem = re.sub(r"[-_.]+", "_", name)
    info = f"{stem}-{version}.dist-info"
    contents = {key: _bytes(value) for key, value in (files or {f"{stem}/__init__.py": f'__version__ = "{version}"\n'}).items()}
    contents[f"{info}/METADATA"] = _metadata(name, version, requires, metadata).encode()
    pure = "true" if tag.endswith("-none-any") else "false"
    tags = "".join(f"Tag: {each}\n" for each in _expand(tag))
    contents[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: {pure}\n{tags}".encode()
    if entry_points:
        contents[f"{info}/entry_points.txt"] = entry_points.encode()
    lines = [_record_line(key, value) for key, value in contents.items()]
    contents[f"{info}/RECORD"] = ("\n".join([*lines, f"{info}/RECORD,,", ""]) if record is None else record).encode()

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for key, value in [*contents.items(), *extra_members]:
            member = zipfile.ZipInfo(key, _EPOCH)
            member.compress_type = compression
            member.external_attr = (0o100755 if key in set(executable) else 0o100644) << 16
            archive.writestr(member, value)
    return path


def make_sdist(folder: Path, name: str, version: str, files: Mapping[str, str | bytes]) -> Path:
    """Write NAME-VERSION.tar.gz with these files below NAME-VERSION/ and a PKG-INFO."""
    stem = f"{re.sub(r'[-_.]+', '_', name)}-{version}"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for key, value in {"PKG-INFO": _metadata(name, version, (), ""), **files}.items():
            member = tarfile.TarInfo(f"{stem}/{key}")
            member.size = len(_bytes(value))
            archive.addfile(member, io.BytesIO(_bytes(value)))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}.tar.gz"
    path.write_bytes(gzip.compress(buffer.getvalue(), mtime=0))
    return path


def sha256_of(path: Path) -> str:
    """The hexadecimal sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


BACKEND = '''"""A PEP 517 build backend without dependencies: packs every module beside pyproject.toml into a pure wheel."""
import base64, hashlib, os, tomllib, zipfile

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    with open("pyproject.toml", "rb") as stream:
        project = tomllib.load(stream)["project"]
    name, version = project["name"].replace("-", "_"), project["version"]
    info = f"{name}-{version}.dist-info"
    modules = [each for each in sorted(os.listdir(".")) if each.endswith(".py") and each != "backend.py"]
    contents = {each: open(each, "rb").read() for each in modules}
    requires = "".join(f"Requires-Dist: {each}\\n" for each in project.get("dependencies", ()))
    contents[f"{info}/METADATA"] = f"Metadata-Version: 2.1\\nName: {project['name']}\\nVersion: {version}\\n{requires}".encode()
    tag = project.get("description") or "py3-none-any"
    contents[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\\nGenerator: tests\\nRoot-Is-Purelib: true\\nTag: {tag}\\n".encode()
    record = ""
    for key, value in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(value).digest()).rstrip(b"=").decode()
        record += f"{key},sha256={digest},{len(value)}\\n"
    contents[f"{info}/RECORD"] = (record + f"{info}/RECORD,,\\n").encode()
    filename = f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(os.path.join(wheel_directory, filename), "w") as archive:
        for key, value in contents.items():
            archive.writestr(zipfile.ZipInfo(key), value)
    return filename
'''


def make_project(folder: Path, name: str, version: str, *, dependencies: Iterable[str] = (), tag: str = "") -> Path:
    """A folder that PEP 517 builds offline: pyproject.toml, its own backend and one module; `tag` forces the wheel's tag."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "backend.py").write_text(BACKEND)
    (folder / f"{name.replace('-', '_')}.py").write_text(f'VERSION = "{version}"\n')
    listed = ", ".join(f'"{each}"' for each in dependencies)
    described = f'description = "{tag}"\n' if tag else ""
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "{name}"\nversion = "{version}"\n{described}dependencies = [{listed}]\n'
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    return folder


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _metadata(name: str, version: str, requires: Iterable[str], extra: str) -> str:
    lines = "".join(f"Requires-Dist: {each}\n" for each in requires)
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{lines}{extra}"


def _record_line(path: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{path},sha256={digest},{len(data)}"


def _expand(tag: str) -> list[str]:
    pythons, abis, platforms = (part.split(".") for part in tag.split("-")[-3:])
    return [f"{python}-{abi}-{platform}" for python in pythons for abi in abis for platform in platforms]
