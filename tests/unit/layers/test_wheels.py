"""A wheel becomes the files that an installer leaves, or an error that lists all that is wrong with it."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from shipwheel.errors import IntegrityError, WheelError
from shipwheel.layers import wheel_archive
from shipwheel.layers.wheels import wheel_tree
from shipwheel.oci.layer import pack
from shipwheel.oci.tree import Entry, Tree
from support.wheels import make_wheel

SITE = "opt/venv/lib/python3.11/site-packages"
INFO = "demo-1.0.dist-info"
MODULE = {"demo/__init__.py": "x = 1\n"}


def tree_of(folder: Path, files: dict[str, str | bytes] | None = None, **options: object) -> Tree:
    return wheel_tree(make_wheel(folder, "demo", "1.0", files or MODULE, **options), "3.11")  # type: ignore[arg-type]


def entry(tree: Tree, path: str) -> Entry:
    found = tree.get(path)
    assert found is not None, [each.path for each in tree]
    return found


def faults(path: Path) -> list[str]:
    with pytest.raises(WheelError) as caught:
        wheel_tree(path, "3.11")
    assert path.name in caught.value.message
    return [str(problem) for problem in caught.value.problems]


def hash_row(path: str, data: bytes, algorithm: str = "sha256") -> str:
    digest = base64.urlsafe_b64encode(hashlib.new(algorithm, data).digest()).rstrip(b"=").decode()
    return f"{path},{algorithm}={digest},{len(data)}\n"


def rewrite(path: Path, change: Callable[[bytearray], None]) -> Path:
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)
    return path


def first_central(data: bytearray) -> int:
    """Where the first member's header in the central directory begins."""
    return data.index(b"PK\x01\x02")


# What is installed


def test_purelib_platlib_scripts_data_and_headers_go_to_their_schemes(tmp_path: Path) -> None:
    data = "demo-1.0.data"
    tree = tree_of(
        tmp_path,
        {
            "demo.py": "",
            f"{data}/purelib/pure.py": "1",
            f"{data}/platlib/plat/native.so": "2",
            f"{data}/scripts/run": "#!/bin/sh\n",
            f"{data}/data/share/demo/table.csv": "3",
            f"{data}/headers/demo.h": "4",
        },
    )
    paths = {each.path for each in tree}
    assert {
        f"{SITE}/demo.py",
        f"{SITE}/pure.py",
        f"{SITE}/plat/native.so",
        "opt/venv/bin/run",
        "opt/venv/share/demo/table.csv",
        "opt/venv/include/site/python3.11/demo/demo.h",
    } <= paths
    assert not any(".data/" in path for path in paths)


def test_headers_lie_below_the_normalized_name(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "Zope.Proxy", "1.0", {"Zope_Proxy-1.0.data/headers/proxy.h": "h"})
    assert wheel_tree(wheel, "3.11").get("opt/venv/include/site/python3.11/zope-proxy/proxy.h")


@pytest.mark.parametrize("first", ["#!python", "#!pythonw", "#!python -u"])
def test_a_script_that_asks_for_python_gets_the_interpreter_of_the_environment(tmp_path: Path, first: str) -> None:
    tree = tree_of(tmp_path, {"demo-1.0.data/scripts/run.py": f"{first}\nprint()\n"})
    script = entry(tree, "opt/venv/bin/run.py")
    assert script.read() == b"#!/opt/venv/bin/python\nprint()\n"
    assert script.mode == 0o755


@pytest.mark.parametrize("text", ["#!/usr/bin/env python\n", "#! python\n", "", "\x7fELF"])
def test_any_other_script_stays_as_it_is_and_can_be_run(tmp_path: Path, text: str) -> None:
    script = entry(tree_of(tmp_path, {"demo-1.0.data/scripts/run": text}), "opt/venv/bin/run")
    assert script.read() == text.encode()
    assert script.mode == 0o755


def test_modes_are_0644_or_0755_by_the_executable_bit(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, {"demo/a": "", "demo/b": ""}, executable=["demo/b"])
    assert entry(tree, f"{SITE}/demo/a").mode == 0o644
    assert entry(tree, f"{SITE}/demo/b").mode == 0o755


def test_an_executable_bit_without_a_file_type_means_nothing(tmp_path: Path) -> None:
    """Some tools write the bits alone; pip looks at them only where the member says that it is a regular file."""
    wheel = make_wheel(tmp_path, "demo", "1.0", {"demo/a": ""}, executable=["demo/a"])

    rewrite(wheel, lambda data: struct.pack_into("<I", data, first_central(data) + 38, 0o755 << 16))
    assert entry(wheel_tree(wheel, "3.11"), f"{SITE}/demo/a").mode == 0o644


def test_console_and_gui_scripts_call_their_objects(tmp_path: Path) -> None:
    points = """
    ; a comment
    [console_scripts]
    # another
    Demo-Tool = demo.cli:Main.run [fast, color]
    demo = demo:main
    [gui_scripts]
    demo-window=demo.gui:start
    [other]
    broken = ../../x
    """
    tree = tree_of(tmp_path, entry_points=points)
    assert entry(tree, "opt/venv/bin/Demo-Tool").read().decode() == (
        "#!/opt/venv/bin/python\nimport sys\nfrom demo.cli import Main\nif __name__ == '__main__':\n"
        "    sys.argv[0] = sys.argv[0].removesuffix('.exe')\n    sys.exit(Main.run())\n"
    )
    assert {entry(tree, f"opt/venv/bin/{name}").mode for name in ("Demo-Tool", "demo", "demo-window")} == {0o755}
    assert tree.get("opt/venv/bin/broken") is None


def test_an_entry_point_wins_over_the_wrapper_that_the_wheel_carries(tmp_path: Path) -> None:
    scripts = "demo-1.0.data/scripts"
    files: dict[str, str | bytes] = {f"{scripts}/{name}": "old" for name in ("demo", "demo-script.py", "demo.exe", "demo.sh")}
    tree = tree_of(tmp_path, files, entry_points="[console_scripts]\ndemo = demo:main\n")
    assert b"from demo import main" in entry(tree, "opt/venv/bin/demo").read()
    assert sorted(each.path.rpartition("/")[2] for each in tree if each.path.startswith("opt/venv/bin/")) == ["demo", "demo.sh"]


def test_pip_and_easy_install_get_the_version_of_this_python(tmp_path: Path) -> None:
    points = "[console_scripts]\npip = p:m\npip3 = p:m\npip3.6 = p:m\neasy_install = e:m\neasy_install-2.7 = e:m\npipx = x:m\n"
    tree = tree_of(tmp_path, entry_points=points)
    names = {each.path.removeprefix("opt/venv/bin/") for each in tree if each.path.startswith("opt/venv/bin/")}
    assert names == {"pip", "pip3", "pip3.11", "easy_install", "easy_install-3.11", "pipx"}


def test_namespace_packages_get_no_init(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, {"google/cloud/demo/__init__.py": ""})
    assert [each.path for each in tree if each.path.endswith(".py")] == [f"{SITE}/google/cloud/demo/__init__.py"]


def test_a_dist_info_folder_of_a_vendored_package_is_an_ordinary_folder(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, {"demo/_vendor/other-2.0.dist-info/METADATA": "", "demo/_vendor/x.data/y": ""})
    assert tree.get(f"{SITE}/demo/_vendor/other-2.0.dist-info/METADATA")


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_come_out_as_they_went_in(tmp_path: Path, compression: int) -> None:
    contents = {"demo/empty": b"", "demo/small": b"a" * 10, "demo/large": bytes(range(256)) * 9000, "demo/naïve/数据.txt": b"z"}
    tree = tree_of(tmp_path, contents, compression=compression)  # type: ignore[arg-type]
    for name, data in contents.items():
        assert entry(tree, f"{SITE}/{name}").read() == data
        assert entry(tree, f"{SITE}/{name}").sha256 == hashlib.sha256(data).hexdigest()
    pack(tree, io.BytesIO())


def test_deflated_members_can_be_copied_and_stored_ones_not(tmp_path: Path) -> None:
    data = bytes(range(256)) * 1000
    packed = entry(tree_of(tmp_path, {"demo/a": data}), f"{SITE}/demo/a").deflated
    assert packed is not None
    with packed.open() as stream:
        assert zipfile.zlib.decompress(stream.read(packed.size), -15) == data  # type: ignore[attr-defined]
    assert entry(tree_of(tmp_path, {"demo/a": data}, compression=zipfile.ZIP_STORED), f"{SITE}/demo/a").deflated is None


def test_record_lists_what_is_installed_relative_to_site_packages(tmp_path: Path) -> None:
    tree = tree_of(
        tmp_path,
        {"demo/__init__.py": "", "demo-1.0.data/scripts/run": "#!python\n", "demo-1.0.data/data/etc/a,b": "1"},
        entry_points="[console_scripts]\ndemo = demo:main\n",
        record="",
    )
    rows = {row[0]: row[1:] for row in csv.reader(entry(tree, f"{SITE}/{INFO}/RECORD").read().decode().splitlines())}
    assert rows[f"{INFO}/RECORD"] == ["", ""]
    assert {"../../../bin/run", "../../../bin/demo", "../../../etc/a,b", f"{INFO}/INSTALLER"} <= rows.keys()
    script = entry(tree, "opt/venv/bin/run").read()
    assert ",".join(["../../../bin/run", *rows["../../../bin/run"]]) + "\n" == hash_row("../../../bin/run", script)
    assert len(rows) == sum(each.kind.value == "file" for each in tree)


def test_installer_is_ours_also_when_the_wheel_brings_one(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, {**MODULE, f"{INFO}/INSTALLER": "pip\n"})
    assert entry(tree, f"{SITE}/{INFO}/INSTALLER").read() == b"shipwheel\n"


def test_files_that_record_does_not_list_are_installed_and_recorded(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, record=f"demo/__init__.py,,\n{INFO}/RECORD,,\ngone.py,,\n", extra_members=[("demo/more.py", b"m")])
    assert entry(tree, f"{SITE}/demo/more.py").read() == b"m"
    record = entry(tree, f"{SITE}/{INFO}/RECORD").read().decode()
    assert hash_row("demo/more.py", b"m") in record
    assert "gone.py" not in record


@pytest.mark.parametrize("algorithm", ["sha384", "sha512"])
def test_stronger_hashes_are_checked_and_recorded_as_sha256(tmp_path: Path, algorithm: str) -> None:
    tree = tree_of(tmp_path, record=hash_row("demo/__init__.py", b"x = 1\n", algorithm))
    assert hash_row("demo/__init__.py", b"x = 1\n") in entry(tree, f"{SITE}/{INFO}/RECORD").read().decode()
    wheel = make_wheel(tmp_path, "demo", "1.0", MODULE, record=hash_row("demo/__init__.py", b"x = 2\n", algorithm))
    with pytest.raises(WheelError, match=rf"'demo/__init__.py' in {wheel.name} is damaged: its {algorithm}"):
        wheel_tree(wheel, "3.11")


def test_folders_of_the_zip_are_not_installed_when_empty(tmp_path: Path) -> None:
    assert tree_of(tmp_path, extra_members=[("empty/", b"")]).get(f"{SITE}/empty") is None


def test_the_same_wheel_gives_the_same_tree(tmp_path: Path) -> None:
    def packed() -> bytes:
        sink = io.BytesIO()
        pack(tree_of(tmp_path, entry_points="[console_scripts]\na = b:c\n"), sink)
        return sink.getvalue()

    assert packed() == packed()


def test_zip64_members_are_read(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "demo", "1.0", record="")
    with zipfile.ZipFile(wheel, "a") as archive, archive.open(zipfile.ZipInfo("demo/big"), "w", force_zip64=True) as stream:
        stream.write(b"z" * 100)
    assert entry(wheel_tree(wheel, "3.11"), f"{SITE}/demo/big").read() == b"z" * 100


# What is refused


@pytest.mark.parametrize("name", ["../evil", "demo/../../evil", "/etc/passwd", "demo//x", "./x", "demo\\x", "C:\\x"])
def test_paths_that_leave_their_place_are_refused(tmp_path: Path, name: str) -> None:
    assert faults(make_wheel(tmp_path, "demo", "1.0", extra_members=[(name, b"")])) == [
        f"{name}: is an absolute path, or has '..', '.', a backslash, a null byte or an empty part"
    ]


def test_a_null_byte_in_a_name_is_refused(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "demo", "1.0", extra_members=[("demo/a_b", b"")])
    rewrite(wheel, lambda data: data.__setitem__(slice(None), data.replace(b"demo/a_b", b"demo/a\0b")))
    assert "null byte" in faults(wheel)[0]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_are_refused(tmp_path: Path, kind: int) -> None:
    wheel = make_wheel(tmp_path, "demo", "1.0")
    member = zipfile.ZipInfo("demo/link")
    member.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr(member, "/etc/passwd")
    assert faults(wheel) == ["demo/link: is a link or a device, which no wheel may hold"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_all_faults_are_listed_at_once(tmp_path: Path) -> None:
    members = [("demo/a", b""), ("demo/a", b""), ("DEMO/A", b""), ("../x", b""), ("two-2.dist-info/METADATA", b"")]
    assert faults(make_wheel(tmp_path, "demo", "1.0", extra_members=members)) == [
        "../x: is an absolute path, or has '..', '.', a backslash, a null byte or an empty part",
        "DEMO/A: differs from 'demo/a' in case only",
        "demo/a: stands there twice",
        "must hold one .dist-info folder, holds demo-1.0.dist-info, two-2.dist-info",
    ]


def test_files_that_land_in_one_place_are_refused(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "demo", "1.0", {"demo/a": "1", "demo-1.0.data/purelib/demo/a": "2"})
    with pytest.raises(IntegrityError, match=r"demo/a: stands there twice"):
        wheel_tree(wheel, "3.11")


def test_a_wrong_size_and_unreadable_rows_in_record_are_refused_with_their_lines(tmp_path: Path) -> None:
    record = "demo/__init__.py,,7\nx,sha256=short,\ny,,many\nz,sha256=%%%,1\n"
    assert faults(make_wheel(tmp_path, "demo", "1.0", MODULE, record=record)) == [
        f"{INFO}/RECORD:2: x: has a hash or size that cannot be read",
        f"{INFO}/RECORD:3: y: has a hash or size that cannot be read",
        f"{INFO}/RECORD:4: z: has a hash or size that cannot be read",
        "demo/__init__.py: has 6 bytes where RECORD says 7",
    ]


@pytest.mark.parametrize("size", [6, 40_000])
def test_a_wrong_hash_is_found_while_packing_and_names_wheel_and_member(tmp_path: Path, size: int) -> None:
    data = hashlib.shake_256(b"x").digest(size)
    wheel = make_wheel(tmp_path, "demo", "1.0", {"demo/a": data}, record=hash_row("demo/a", data[::-1]))
    with pytest.raises(IntegrityError, match=rf"^'demo/a' in {wheel.name} is damaged: its sha256"):
        pack(wheel_tree(wheel, "3.11"), io.BytesIO())


def test_a_wrong_hash_of_a_script_is_found_although_its_text_changes(tmp_path: Path) -> None:
    name = "demo-1.0.data/scripts/run"
    wheel = make_wheel(tmp_path, "demo", "1.0", {name: "#!python\nb"}, record=hash_row(name, b"#!python\na"))
    with pytest.raises(WheelError, match=rf"'{name}' in {wheel.name} is damaged"):
        wheel_tree(wheel, "3.11")


@pytest.mark.parametrize("missing", ["METADATA", "RECORD", "WHEEL"])
def test_each_needed_file_is_missed(tmp_path: Path, missing: str) -> None:
    assert faults(_without(make_wheel(tmp_path, "demo", "1.0", MODULE), f"{INFO}/{missing}")) == [
        f"{INFO}/{missing}: is missing"
    ]


def _without(wheel: Path, *names: str) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        members = [(info, archive.read(info)) for info in archive.infolist() if info.filename not in names]
    with zipfile.ZipFile(wheel, "w") as archive:
        for info, data in members:
            archive.writestr(info, data)
    return wheel


def test_a_zip_without_dist_info_is_no_wheel(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "demo", "1.0", MODULE)
    _without(wheel, *(f"{INFO}/{name}" for name in ("METADATA", "RECORD", "WHEEL")))
    assert faults(wheel) == ["must hold one .dist-info folder, holds none"]


@pytest.mark.parametrize("text", [b"Wheel-Version: 2.0\n", b"Generator: x\n", b"Wheel-Version: one\n", b""])
def test_other_wheel_versions_are_refused(tmp_path: Path, text: bytes) -> None:
    wheel = _without(make_wheel(tmp_path, "demo", "1.0", MODULE, record=""), f"{INFO}/WHEEL")
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr(f"{INFO}/WHEEL", text)
    assert faults(wheel) == [f"{INFO}/WHEEL: has no Wheel-Version 1.x"]


def test_encrypted_and_strangely_compressed_members_are_refused(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "demo", "1.0", {"demo/a": "1", "demo/b": "2"}, compression=zipfile.ZIP_BZIP2)
    rewrite(wheel, lambda data: struct.pack_into("<H", data, first_central(data) + 8, 1))
    assert faults(wheel)[:3] == [
        "demo/a: is encrypted",
        "demo/a: is compressed by another method than deflate",
        "demo/b: is compressed by another method than deflate",
    ]


def test_a_bomb_by_its_ratio_is_refused_before_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheel_archive, "RATIO_MATTERS_FROM", 1 << 20)
    wheel = make_wheel(tmp_path, "demo", "1.0", {"demo/zeros": bytes(3 << 20)})
    assert "a zip bomb" in faults(wheel)[0]


@pytest.mark.parametrize("size", [0, 10, 2 << 20])
def test_a_member_that_lies_about_its_size_is_refused(tmp_path: Path, size: int) -> None:
    """It promises less than it holds, or more; nothing beyond the promise is kept."""
    wheel = make_wheel(tmp_path, "demo", "1.0", {"demo/a": bytes(1 << 20)}, record="")
    rewrite(wheel, lambda data: struct.pack_into("<I", data, first_central(data) + 24, size))
    with pytest.raises(WheelError, match=rf"'demo/a' in {wheel.name} is damaged: its size or CRC is wrong"):
        wheel_tree(wheel, "3.11")


def test_a_member_that_lies_about_its_size_is_refused_while_packing(tmp_path: Path) -> None:
    data = bytes(60 << 20)
    record = hash_row("demo/a", data).rpartition(",")[0] + ",\n"
    wheel = make_wheel(tmp_path, "demo", "1.0", {"demo/a": data}, record=record)
    rewrite(wheel, lambda data: struct.pack_into("<I", data, first_central(data) + 24, 10))
    with pytest.raises(IntegrityError, match=rf"'demo/a' in {wheel.name} is damaged"):
        pack(wheel_tree(wheel, "3.11"), io.BytesIO())


def test_overlapping_members_are_refused(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "demo", "1.0", {"demo/a": "1", "demo/b": "1"}, record="")

    def overlap(data: bytearray) -> None:
        second = data.index(b"PK\x01\x02", first_central(data) + 4)
        struct.pack_into("<I", data, second + 42, 0)

    assert "overlaps what follows it" in faults(rewrite(wheel, overlap))[0]


def test_a_local_header_that_names_another_file_is_refused(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "demo", "1.0", {"demo/a": "1"})
    rewrite(wheel, lambda data: data.__setitem__(slice(30, 36), b"demo/z"))
    with pytest.raises(WheelError, match=r"'demo/a' in .* names another file"):
        pack(wheel_tree(wheel, "3.11"), io.BytesIO())


@pytest.mark.parametrize("keep", [0, 10, 200, -1, -30])
def test_a_truncated_wheel_is_refused(tmp_path: Path, keep: int) -> None:
    wheel = make_wheel(tmp_path, "demo", "1.0", {"demo/a": "1" * 1000})
    wheel.write_bytes(wheel.read_bytes()[:keep])
    with pytest.raises(WheelError, match=rf"{wheel.name} is not a readable wheel"):
        wheel_tree(wheel, "3.11")


def test_damaged_bytes_are_found(tmp_path: Path) -> None:
    data = hashlib.shake_256(b"x").digest(50_000)
    wheel = make_wheel(tmp_path, "demo", "1.0", {"demo/a": data})
    rewrite(wheel, lambda data: data.__setitem__(20_000, data[20_000] ^ 1))
    with pytest.raises(IntegrityError, match=rf"'demo/a' in {wheel.name} is damaged"):
        pack(wheel_tree(wheel, "3.11"), io.BytesIO())


def test_bytes_before_and_after_the_zip_are_refused(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "demo", "1.0")
    data = wheel.read_bytes()
    wheel.write_bytes(b"#!/bin/sh\n" + data)
    assert faults(wheel) == ["has bytes before its first member"]
    wheel.write_bytes(data + b"more")
    assert faults(wheel) == ["has bytes after its end"]


@pytest.mark.parametrize(
    "point", ["../../x = a:b", "a/b = c:d", "a = b", "a = b:c d", "a b = c:d", ".. = a:b", "a = import os;b:c", "a"]
)
def test_entry_points_that_can_be_no_script_are_refused(tmp_path: Path, point: str) -> None:
    wheel = make_wheel(tmp_path, "demo", "1.0", entry_points=f"[console_scripts]\n{point}\n")
    assert [fault.rpartition(" cannot")[2] for fault in faults(wheel)] == [" be a script"]


def test_entry_points_and_schemes_are_reported_together(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"demo-1.0.data/weird/x": "", "demo-1.0.data/loose": ""}
    wheel = make_wheel(tmp_path, "demo", "1.0", files, entry_points="[gui_scripts]\nx = y\n")
    assert faults(wheel) == [
        "entry_points.txt: 'x = y' cannot be a script",
        "demo-1.0.data/weird/x: stands in no known scheme of a .data folder",
        "demo-1.0.data/loose: stands in no known scheme of a .data folder",
    ]


def test_something_that_is_not_a_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "demo-1.0-py3-none-any.whl").write_text("<html>not found</html>")
    with pytest.raises(WheelError, match="not a readable wheel") as caught:
        wheel_tree(tmp_path / "demo-1.0-py3-none-any.whl", "3.11")
    assert caught.value.hint


def test_errors_use_the_name_they_are_given(tmp_path: Path) -> None:
    (tmp_path / "0123abcd").write_text("x")
    with pytest.raises(WheelError, match=r"^demo 1\.0 is not"):
        wheel_tree(tmp_path / "0123abcd", "3.11", "demo 1.0")
