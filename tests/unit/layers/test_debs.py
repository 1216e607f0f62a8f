"""A Debian package becomes a tree: what is kept, what is changed, what is refused."""

from __future__ import annotations

import tarfile
import threading
from pathlib import Path

import pytest

from shipwheel.errors import DebError, TreeError
from shipwheel.layers.debs import deb_tree
from shipwheel.oci.tree import Kind, Tree
from support.debian import folder, link, make_deb, member


def tree(where: Path, *members: tuple[tarfile.TarInfo, bytes], compression: str = "xz") -> Tree:
    deb, path = make_deb(where, "app", members, compression=compression)
    return deb_tree(path, deb)


@pytest.mark.parametrize("compression", ["xz", "gz", "none"])
def test_files_are_kept_with_their_bytes(tmp_path: Path, compression: str) -> None:
    made = tree(
        tmp_path, member("./usr/bin/app", b"\x7fELF", mode=0o755), member("./etc/app.conf", b"a=1\n"), compression=compression
    )
    app, conf = made.get("usr/bin/app"), made.get("etc/app.conf")
    assert app
    assert conf
    assert (app.read(), app.mode, conf.read(), conf.mode) == (b"\x7fELF", 0o755, b"a=1\n", 0o644)


def test_bytes_can_be_read_again_in_parts_and_from_threads(tmp_path: Path) -> None:
    data = bytes(range(256)) * 5000
    made = tree(tmp_path, member("./a", b"before"), member("./usr/lib/big", data), member("./z", b"after"))
    entry = made.get("usr/lib/big")
    assert entry is not None
    assert entry.open is not None
    found = []
    threads = [threading.Thread(target=lambda: found.append(entry.read())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [data] * 4
    with entry.open() as stream:
        stream.seek(1000)
        assert stream.read(10) == data[1000:1010]
        stream.seek(-3, 2)
        assert stream.read() == data[-3:]


def test_scanners_find_the_control_stanza_and_the_sums_of_what_is_there(tmp_path: Path) -> None:
    made = tree(tmp_path, member("./usr/bin/app", b"x"), member("./usr/share/man/man1/app.1.gz", b"y"))
    control, sums = made.get("var/lib/dpkg/status.d/app"), made.get("var/lib/dpkg/status.d/app.md5sums")
    assert control
    assert sums
    assert control.read().startswith(b"Package: app\nVersion: 1.0-1\n")
    assert [line.split()[1] for line in sums.read().decode().splitlines()] == ["usr/bin/app"]


@pytest.mark.parametrize(
    "path",
    [
        "usr/share/doc/app/changelog.gz", "usr/share/man/man1/app.1.gz", "usr/share/info/app.info",
        "usr/share/locale/de/LC_MESSAGES/app.mo",
        "usr/share/lintian/overrides/app", "usr/share/bash-completion/completions/app",
        "lib/systemd/system/app.service", "etc/init.d/app",
    ],
)  # fmt: skip
def test_what_nobody_needs_in_a_container_is_left_out(tmp_path: Path, path: str) -> None:
    made = tree(tmp_path, member(f"./{path}", b"x"), member("./usr/share/doc/app/copyright", b"free"))
    assert [entry.path for entry in made if entry.kind is Kind.FILE and not entry.path.startswith("var/")] == [
        "usr/share/doc/app/copyright"
    ]


def test_a_documentation_folder_that_is_a_link_stays(tmp_path: Path) -> None:
    made = tree(tmp_path, link("./usr/share/doc/app", "other"))
    entry = made.get("usr/share/doc/app")
    assert entry
    assert entry.target == "other"


def test_hard_links_become_symbolic_ones_in_their_folder_and_copies_elsewhere(tmp_path: Path) -> None:
    made = tree(
        tmp_path,
        member("./usr/bin/a", b"same", mode=0o755),
        member("./usr/bin/b", type=tarfile.LNKTYPE, linkname="./usr/bin/a", mode=0o755),
        member("./usr/sbin/c", type=tarfile.LNKTYPE, linkname="./usr/bin/a", mode=0o755),
    )
    beside, away = made.get("usr/bin/b"), made.get("usr/sbin/c")
    assert beside
    assert beside.target == "a"
    assert away
    assert (away.kind, away.read(), away.mode) == (Kind.FILE, b"same", 0o755)


def test_setuid_setgid_and_others_write_permission_are_dropped(tmp_path: Path) -> None:
    made = tree(
        tmp_path,
        member("./usr/bin/su", b"x", mode=0o4755),
        member("./usr/bin/wall", b"x", mode=0o2755),
        member("./etc/open", b"x", mode=0o666),
        member("./etc/secret", b"x", mode=0o640),
        folder("./var/local", 0o2775),
        folder("./tmp", 0o1777),
    )
    modes = {entry.path: entry.mode for entry in made}
    assert (modes["usr/bin/su"], modes["usr/bin/wall"], modes["etc/open"], modes["etc/secret"]) == (0o755, 0o755, 0o644, 0o640)
    assert (modes["var/local"], modes["tmp"]) == (0o755, 0o1777)


def test_paths_move_below_usr_and_names_may_differ_in_case(tmp_path: Path) -> None:
    made = tree(
        tmp_path, member("./lib/x86_64-linux-gnu/libz.so.1", b"x"), member("./usr/share/A", b""), member("./usr/share/a", b"")
    )
    assert made.get("usr/lib/x86_64-linux-gnu/libz.so.1")


@pytest.mark.parametrize(
    "bad",
    [
        member("./dev/null", type=tarfile.CHRTYPE),
        member("./dev/sda", type=tarfile.BLKTYPE),
        member("./run/pipe", type=tarfile.FIFOTYPE),
        member("./usr/bin/b", type=tarfile.LNKTYPE, linkname="./usr/bin/nowhere"),
    ],
    ids=["character device", "block device", "pipe", "hard link to nothing"],
)
def test_devices_pipes_and_broken_hard_links_are_refused(tmp_path: Path, bad: tuple[tarfile.TarInfo, bytes]) -> None:
    with pytest.raises(DebError, match=bad[0].name.removeprefix("./")):
        tree(tmp_path, bad)


@pytest.mark.parametrize(
    "bad",
    [
        member("../etc/passwd", b"x"),
        member("./usr/../../etc/passwd", b"x"),
        member("/etc/passwd", b"x"),
        link("./usr/x", "../../out"),
    ],
    ids=["parent", "inner parent", "absolute", "escaping link"],
)
def test_paths_that_leave_the_root_are_refused(tmp_path: Path, bad: tuple[tarfile.TarInfo, bytes]) -> None:
    with pytest.raises(TreeError, match="app"):
        tree(tmp_path, bad)


def test_a_file_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TreeError, match="twice"):
        tree(tmp_path, member("./usr/a", b"1"), member("./usr/a", b"2"))


@pytest.mark.parametrize("keep", [4, 60, 200, 400])
def test_a_truncated_package_is_refused(tmp_path: Path, keep: int) -> None:
    deb, path = make_deb(tmp_path, "app", [member("./usr/big", bytes(range(256)) * 100)])
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DebError, match="app"):
        deb_tree(path, deb)


def test_another_package_under_the_locked_name_is_refused(tmp_path: Path) -> None:
    deb, path = make_deb(tmp_path, "app", [], control="Package: app\nVersion: 2.0\nArchitecture: amd64\n")
    with pytest.raises(DebError, match=r"app 1.0-1 \(amd64\) says that it is app 2.0 amd64"):
        deb_tree(path, deb)


def test_zstd_without_a_decompressor_says_what_helps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "backports", None)
    with pytest.raises(DebError, match="zstd") as caught:
        tree(tmp_path, member("./a", b"x"), compression="zst")
    assert "3.14" in caught.value.hint
