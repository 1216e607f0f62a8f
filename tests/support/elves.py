"""Small real shared libraries and programs, made by gcc; `from support.elves import make_library`."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from shipwheel.native.elf import Elf, read_elf


def make_library(
    path: Path,
    *,
    soname: str = "",
    needed: Iterable[str] = (),
    rpath: str = "",
    runpath: str = "",
    versions: Mapping[str, str] | None = None,
    program: bool = False,
    sections: Iterable[str] = (),
) -> Path:
    """Compile a library (or a `program`) to `path`.

    `needed` are DT_NEEDED names, none of which has to exist; `versions` are such names with a symbol version that is asked of
    each (`{"libc.so.6": "GLIBC_2.99"}`), `sections` are empty sections to add.
    """
    wanted = tuple(sorted((versions or {}).items()))
    data = _compiled(soname, tuple(needed), rpath, runpath, wanted, program, tuple(sections))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(0o755)
    return path


def library(**options: object) -> bytes:
    """The bytes of what `make_library` makes."""
    with tempfile.TemporaryDirectory() as folder:
        return make_library(Path(folder) / "library", **options).read_bytes()  # type: ignore[arg-type]


def elf_at(path: Path, root: Path) -> Elf:
    """What a file below `root` says, named relative to that."""
    elf = read_elf(path.read_bytes(), path.relative_to(root).as_posix())
    assert elf is not None
    return elf


@cache
def _compiled(
    soname: str,
    needed: tuple[str, ...],
    rpath: str,
    runpath: str,
    versions: tuple[tuple[str, str], ...],
    program: bool,
    sections: tuple[str, ...],
) -> bytes:
    with tempfile.TemporaryDirectory(prefix="elves-") as name:
        folder = Path(name)
        stubs = [_stub(folder, each, dict(versions).get(each, "")) for each in dict.fromkeys((*needed, *dict(versions)))]
        calls = "".join(
            f"void {_symbol(library)}(void); void use_{_symbol(library)}(void) {{ {_symbol(library)}(); }}\n"
            for library, _ in versions
        )
        extra = "".join(f'__asm__(".section {section},\\"a\\"\\n.quad 0\\n.previous\\n");\n' for section in sections)
        main = "void _start(void) { }\n" if program else ""
        (folder / "source.c").write_text(f"{calls}{extra}{main}int answer(void) {{ return 42; }}\n")
        flags = ["-pie"] if program else ["-shared"]
        flags += [f"-Wl,-soname,{soname}"] if soname else []
        flags += [f"-Wl,--disable-new-dtags,-rpath,{rpath}"] if rpath else []
        flags += [f"-Wl,--enable-new-dtags,-rpath,{runpath}"] if runpath else []
        out = folder / "out"
        _gcc("-fPIC", *flags, "-o", str(out), str(folder / "source.c"), "-Wl,--no-as-needed", *map(str, stubs))
        return out.read_bytes()


def _stub(folder: Path, name: str, version: str) -> Path:
    """A library to link against that calls itself `name`, with a symbol of that version."""
    path = folder / f"stub-{name.replace('/', '_')}"
    source = path.with_suffix(".c")
    source.write_text(f"void {_symbol(name)}(void) {{ }}\n")
    flags = [f"-Wl,-soname,{name}"]
    if version:
        path.with_suffix(".map").write_text(f"{version} {{ global: *; }};\n")
        flags.append(f"-Wl,--version-script={path.with_suffix('.map')}")
    made = path.with_name(f"{path.name}.so")
    _gcc("-shared", "-fPIC", *flags, "-o", str(made), str(source))
    return made


def _symbol(library: str) -> str:
    return "in_" + "".join(letter if letter.isalnum() else "_" for letter in library)


def _gcc(*arguments: str) -> None:
    subprocess.run(["gcc", "-nostdlib", "-O0", *arguments], check=True, capture_output=True, text=True)
