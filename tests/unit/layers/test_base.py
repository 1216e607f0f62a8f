"""The base: what is made beside the packages, and the real ones end to end."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from shipwheel.http import Client
from shipwheel.layers.base import base_tree, system_tree
from shipwheel.layers.bytecode import Compiler
from shipwheel.layers.interpreter import LIBC, runs, unpack_interpreter, without_libc
from shipwheel.layers.ldcache import ld_so_cache
from shipwheel.layers.system import base_recipes, split_debs
from shipwheel.lock import Deb
from shipwheel.oci.tree import Entry, Kind, Tree
from shipwheel.resolve.base import SUITES, base_packages, interpreter_identity, interpreter_packages
from shipwheel.resolve.debian import DebianArchives, DebIndex, IndexSource, deb_urls, find_archives, load_index, resolve_debs
from support.debian import folder, make_deb, member

NOT_IN_SLIM = {
    *("_overlapped", "_scproxy", "_winapi", "_wmi", "_msi", "msilib", "msvcrt", "nt", "winreg", "winsound", "_ios_support"),
    *("_tkinter", "tkinter", "turtle", "turtledemo", "idlelib", "antigravity"),
}
"""Names in sys.stdlib_module_names that python:X-slim cannot import either (antigravity opens a browser)."""

LD_SO_CONF = Entry.data("etc/ld.so.conf", b"include /etc/ld.so.conf.d/*.conf\n")


def library(soname: str, machine: int = 62) -> bytes:
    """A minimal ELF64 shared object: one PT_LOAD over the file and a dynamic section with its soname."""
    strings = b"\0" + soname.encode() + b"\0"
    dynamic_at, strings_at = 64 + 2 * 56, 64 + 2 * 56 + 3 * 16
    size = strings_at + len(strings)
    head = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 4, 0, 0x1000, 0x1000, size, size, 4096)
    dynamic = struct.pack("<IIQQQQQQ", 2, 4, dynamic_at, 0x1000 + dynamic_at, 0, 48, 48, 8)
    tags = struct.pack("<qQqQqQ", 14, 1, 5, 0x1000 + strings_at, 0, 0)
    return head + load + dynamic + tags + strings


def listed(cache: Entry) -> list[tuple[str, str]]:
    """(name, path) in the order of the cache, read as the loader does."""
    data = cache.read()
    assert data[:20] == b"glibc-ld.so.cache1.1"
    count = struct.unpack_from("<I", data, 20)[0]

    def text(at: int) -> str:
        return data[at : data.index(b"\0", at)].decode()

    entries = [struct.unpack_from("<iIIIQ", data, 48 + 24 * number) for number in range(count)]
    return [(text(key), text(value)) for _, key, value, _, _ in entries]


def test_the_cache_lists_libraries_by_soname_in_the_loaders_order() -> None:
    where = "usr/lib/x86_64-linux-gnu"
    cache = ld_so_cache(
        [
            LD_SO_CONF,
            Entry.data("etc/ld.so.conf.d/x86.conf", b"# comment\n/lib/x86_64-linux-gnu\n/usr/lib/x86_64-linux-gnu\n"),
            Entry.data(f"{where}/liba.so.1.2", library("liba.so.9")),
            Entry.symlink(f"{where}/liba.so.9", "liba.so.1.2"),
            Entry.data(f"{where}/liba.so.10", library("liba.so.10")),
            Entry.data(f"{where}/own/libblas.so.3", library("libblas.so.3")),
            Entry.symlink(f"{where}/libblas.so.3", "own/libblas.so.3"),
            Entry.data(f"{where}/libtext.so", b"/* GNU ld script */"),
            Entry.data(f"{where}/notes.txt", b"text"),
            Entry.symlink(f"{where}/libdangling.so", "gone.so"),
            Entry.data("usr/lib/libplain.so.1", library("libplain.so.1", machine=183)),
        ]
    )
    assert listed(cache) == [
        ("libplain.so.1", "/lib/libplain.so.1"),
        ("libblas.so.3", "/lib/x86_64-linux-gnu/libblas.so.3"),
        ("liba.so.10", "/lib/x86_64-linux-gnu/liba.so.10"),
        ("liba.so.9", "/lib/x86_64-linux-gnu/liba.so.9"),
    ]


def test_the_cache_does_not_depend_on_the_order_of_entries() -> None:
    entries = [LD_SO_CONF, *(Entry.data(f"usr/lib/lib{name}.so.1", library(f"lib{name}.so.1")) for name in "cab")]
    assert ld_so_cache(entries).read() == ld_so_cache(reversed(entries)).read()


@pytest.fixture
def small(tmp_path: Path) -> Tree:
    return base_tree(
        [
            make_deb(
                tmp_path,
                "base-files",
                [folder("./tmp", 0o1777), folder("./var/run"), member("./etc/debian_version", b"12.5\n")],
            ),
            make_deb(
                tmp_path,
                "ca-certificates",
                [
                    member("./usr/share/ca-certificates/mozilla/B.crt", b"second"),
                    member("./usr/share/ca-certificates/mozilla/A.crt", b"first\n"),
                    member("./usr/sbin/update-ca-certificates", b"#!/bin/sh"),
                ],
            ),
            make_deb(
                tmp_path, "libc-bin", [member("./usr/share/libc-bin/nsswitch.conf", b"hosts:  files dns\nservices: db files\n")]
            ),
            make_deb(tmp_path, "libz", [member("./lib/libz.so.1", library("libz.so.1"))]),
            make_deb(
                tmp_path,
                "python3.11",
                [member("./usr/lib/python3.11/test/x.py", b""), member("./usr/lib/python3.11/os.py", b"")],
            ),
        ],
        "3.11",
    )


def text(tree: Tree, path: str) -> str:
    entry = tree.get(path)
    assert entry is not None, path
    return entry.target or entry.read().decode()


def test_what_maintainer_scripts_would_have_made_is_there(small: Tree) -> None:
    assert text(small, "etc/ssl/certs/ca-certificates.crt") == "first\nsecond\n"
    assert text(small, "usr/lib/ssl/cert.pem") == "/etc/ssl/certs/ca-certificates.crt"
    assert "app:x:1000:1000:" in text(small, "etc/passwd")
    assert text(small, "etc/nsswitch.conf") == "hosts:  files dns\nservices: files\n"
    assert [text(small, path) for path in ("bin", "lib", "lib64", "sbin")] == ["usr/bin", "usr/lib", "usr/lib64", "usr/sbin"]
    assert [text(small, path) for path in ("var/run", "usr/bin/python3")] == ["/run", "python3.11"]
    modes = {entry.path: entry.mode for entry in small}
    assert (modes["tmp"], modes["var/tmp"], modes["proc"], modes["root"]) == (0o1777, 0o1777, 0o755, 0o700)
    assert listed(small.get("etc/ld.so.cache") or LD_SO_CONF) == [("libz.so.1", "/lib/libz.so.1")]


def test_pythons_own_tests_and_shell_scripts_are_left_out(small: Tree) -> None:
    paths = {entry.path for entry in small}
    assert "usr/lib/python3.11/os.py" in paths
    assert not any("python3.11/test" in path or path == "usr/sbin/update-ca-certificates" for path in paths)


def test_system_packages_get_links_and_a_cache_over_both_layers(small: Tree, tmp_path: Path) -> None:
    where = "usr/lib/x86_64-linux-gnu"
    made = system_tree(
        [
            make_deb(tmp_path, "libblas3", [member(f"./{where}/blas/libblas.so.3", library("libblas.so.3"))]),
            make_deb(
                tmp_path, "libopenblas0-pthread", [member(f"./{where}/openblas-pthread/libblas.so.3", library("libblas.so.3"))]
            ),
            make_deb(tmp_path, "dash", [member("./bin/dash", b"", mode=0o755)]),
            make_deb(tmp_path, "libq", [member("./usr/lib/libq.so.1", library("libq.so.1"))]),
        ],
        small,
    )
    assert text(made, f"{where}/libblas.so.3") == "openblas-pthread/libblas.so.3"
    assert text(made, "usr/bin/sh") == "dash"
    assert [name for name, _ in listed(made.get("etc/ld.so.cache") or LD_SO_CONF)] == ["libz.so.1", "libq.so.1"]
    assert made.get("etc/passwd") is None


def _deb(name: str, version: str = "1") -> Deb:
    return Deb(
        name=name, version=version, architecture="amd64", filename=name, sha256=name.encode().hex().ljust(64, "0"), size=1
    )


def test_system_packages_leave_the_bases_key_alone() -> None:
    base, system = [_deb("libc6"), _deb("zlib1g")], _deb("libgl1")
    assert split_debs([*base, system], "3.11") == (tuple(base), (system,))
    (alone,) = base_recipes(base, "3.11", "i")
    below, above = base_recipes([*base, system], "3.11", "i")
    assert (alone.key, len(alone.files), len(above.files)) == (below.key, 2, 3)
    assert above.key != below.key


def test_the_interpreters_identity_is_the_same_after_a_rebuild_for_one_architecture() -> None:
    assert interpreter_identity([_deb("libc6"), _deb("python3.11-minimal", "3.11.2-6+b1")]) == "python3.11-minimal 3.11.2-6"


class RealDebian:
    """Debian's own packages, fetched once for all tests here."""

    def __init__(self, where: Path, client: Client) -> None:
        self._where, self._client = where, client
        self.archives: DebianArchives = find_archives(os.environ, "", Path("/etc/apt"))

    def index(self, python: str, architecture: str) -> DebIndex:
        source = IndexSource(archives=self.archives, fetcher=self._client, cache=self._where)
        return load_index(source, SUITES[python], architecture)

    def files(self, debs: tuple[Deb, ...], index: DebIndex) -> list[tuple[Deb, Path]]:
        pairs = [(deb, self._where / deb.sha256) for deb in debs]
        for deb, path in pairs:
            if not path.exists():
                path.write_bytes(self._client.get(deb_urls(deb, self.archives, index.dates)[0]))
        return pairs


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealDebian]:
    with Client() as client:
        yield RealDebian(tmp_path_factory.mktemp("debian"), client)


def extract(tree: Tree, root: Path) -> None:
    root.mkdir(exist_ok=True)
    for entry in tree:
        path = root / entry.path
        if entry.kind is Kind.DIRECTORY:
            path.mkdir(exist_ok=True)
            path.chmod(entry.mode)
        elif entry.kind is Kind.SYMLINK:
            path.symlink_to(entry.target)
        else:
            path.write_bytes(entry.read())
            path.chmod(entry.mode)


@pytest.mark.network
@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_the_real_base_is_closed_and_small(debian: RealDebian, python: str, architecture: str) -> None:
    index = debian.index(python, architecture)
    debs = resolve_debs(index, base_packages(python))
    assert {deb.name for deb in debs} == set(base_packages(python))
    tree = base_tree(debian.files(debs, index), python)
    assert tree.unpacked < 68e6
    names = [name for name, _ in listed(tree.get("etc/ld.so.cache") or LD_SO_CONF)]
    assert {"libc.so.6", "libstdc++.so.6", "libssl.so.3", "libz.so.1"} <= set(names)
    assert tree.get("etc/debian_version")
    assert not any(entry.path in ("usr/bin/sh", "usr/bin/dpkg", "usr/bin/perl") for entry in tree)


INSIDE = """
import ctypes.util, importlib, json, locale, pwd, ssl, sys, warnings, zoneinfo
warnings.simplefilter("ignore")
failed = {}
for name in sorted(sys.stdlib_module_names - set(json.loads(sys.argv[1]))):
    try:
        importlib.import_module(name)
    except Exception as error:
        failed[name] = repr(error)
print(json.dumps({
    "failed": failed,
    "found": [ctypes.util.find_library(name) for name in ("c", "stdc++", "z", "nothing")],
    "certificates": len(ssl.create_default_context().get_ca_certs()),
    "zone": str(zoneinfo.ZoneInfo("Europe/Berlin")),
    "locale": locale.setlocale(locale.LC_ALL, "C.UTF-8"),
    "user": pwd.getpwuid(1000).pw_name,
}), file=sys.__stdout__)
"""


@pytest.fixture
def root(debian: RealDebian, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    index = debian.index(request.param, "amd64")
    tree = base_tree(debian.files(resolve_debs(index, base_packages(request.param)), index), request.param)
    extract(tree, tmp_path / request.param)
    return tmp_path / request.param


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0 or os.uname().machine != "x86_64", reason="chroot needs root on x86-64")
@pytest.mark.parametrize("root", ["3.11", "3.13"], indirect=True)
def test_everything_works_inside_without_a_shell(root: Path) -> None:
    os.mknod(root / "dev/null", 0o020666, os.makedev(1, 3))
    (root / "dev/null").chmod(0o666)
    (root / "app/inside.py").write_text(INSIDE)
    command = ["chroot", "--userspec=1000:0", root, f"/usr/bin/python{root.name}", "/app/inside.py"]
    done = subprocess.run(
        [*command, json.dumps(sorted(NOT_IN_SLIM))],
        env={"PATH": "/usr/sbin:/usr/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    said = json.loads(done.stdout.splitlines()[-1])
    assert said.pop("certificates") > 100
    assert said == {
        "failed": {},
        "found": ["libc.so.6", "libstdc++.so.6", "libz.so.1", None],
        "zone": "Europe/Berlin",
        "locale": "C.UTF-8",
        "user": "app",
    }


@pytest.mark.network
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ldconfig"), reason="ldconfig -r needs root")
@pytest.mark.parametrize("root", ["3.11", "3.13"], indirect=True)
def test_the_cache_lists_what_ldconfig_would_in_its_order(root: Path) -> None:
    def lines(path: Path) -> list[str]:
        printed = subprocess.run(["ldconfig", "-p", "-C", path], capture_output=True, text=True, check=True).stdout
        return [line for line in printed.splitlines() if "=>" in line]

    ours = lines(root / "etc/ld.so.cache")
    subprocess.run(["ldconfig", "-r", root, "-X", "-C", "/real"], check=True, capture_output=True)
    assert ours == lines(root / "real")


@pytest.mark.network
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="runs an x86-64 interpreter")
@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_the_images_interpreter_compiles_on_this_machine(debian: RealDebian, python: str, tmp_path: Path) -> None:
    index = debian.index(python, "amd64")
    files = debian.files(resolve_debs(index, interpreter_packages(python), follow=False), index)
    interpreter = unpack_interpreter(files, tmp_path)
    program = "import importlib.util, marshal, sys; marshal.dumps(compile('x = 1', '/a.py', 'exec')); print(sys.version)"
    done = subprocess.run([*interpreter.argv, "-I", "-S", "-c", program], env={}, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(python)
    assert unpack_interpreter(files, tmp_path) == interpreter
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.network
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="runs an x86-64 interpreter")
def test_bytecode_is_the_same_with_this_machines_c_library(debian: RealDebian, tmp_path: Path) -> None:
    index = debian.index("3.11", "amd64")
    files = debian.files(resolve_debs(index, interpreter_packages("3.11"), follow=False), index)
    lean = without_libc(deb for deb, _ in files)
    if LIBC in {deb.name for deb in lean}:
        pytest.skip("this machine's C library is older than Debian 12's, or newer than the newest that is known")
    assert sum(deb.size for deb in lean) < 3_500_000
    own = unpack_interpreter(files, tmp_path)
    hosts = unpack_interpreter([(deb, path) for deb, path in files if deb in lean], tmp_path)
    assert runs(own)
    assert runs(hosts)
    assert hosts.argv != own.argv
    powers = "".join(f"x = {base} ** -{power / 7}\n" for base in range(2, 40) for power in range(1, 40))
    modules = [Entry.data("powers.py", powers.encode()), Entry.data("os.py", Path(os.__file__).read_bytes())]
    compiled = []
    for interpreter in (own, hosts):
        with Compiler(lambda found=interpreter: found, 1) as compiler:  # type: ignore[misc]
            compiled.append({path: answer() for path, answer in compiler.compile(modules).items()})
    assert compiled[0] == compiled[1]
    assert all(compiled[0].values())
