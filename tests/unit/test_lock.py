"""shipwheel.lock: written to be read in a diff, and every mistake in it is named with its place."""

from __future__ import annotations

import cProfile
import pstats
from dataclasses import replace
from pathlib import Path

import pytest

from shipwheel.errors import LockError, StaleLockError
from shipwheel.lock import (
    BaseImage,
    Built,
    Deb,
    Lock,
    PlatformLock,
    Wheel,
    check_fresh,
    dump_lock,
    parse_lock,
    read_lock,
    write_lock,
)
from shipwheel.oci.blob import Platform

CLICK = Wheel(name="click", version="8.1.8", filename="click-8.1.8-py3-none-any.whl", sha256="a" * 64, size=98188)
TORCH = Wheel(
    name="torch", version="2.13.0+cpu", filename="torch-2.13.0+cpu-cp311.whl", sha256="b" * 64, size=1, source="find-links"
)
ZLIB = Deb(name="zlib1g", version="1:1.2", architecture="amd64", filename="pool/main/z/z.deb", sha256="c" * 64, size=5)
GIT = Built(name="six", version="1.16", kind="git", url="https://example.org/six", commit="d" * 40)
LOCK = Lock(
    fingerprint="f" * 64,
    python="3.11",
    suite="bookworm",
    dates={"debian": "2026-11-01T00:00:00Z"},
    platforms=(
        PlatformLock(platform=Platform("linux", "amd64"), debs=(ZLIB,), wheels=(CLICK, TORCH), built=(GIT,)),
        PlatformLock(platform=Platform("linux", "arm64"), wheels=(CLICK,)),
    ),
    interpreters={"amd64": (ZLIB,)},
)

TEXT = """\
# Written by 'shipwheel lock'. Do not edit: change the requirements and lock again.
integrity = "sha256:INTEGRITY"
format = 1
fingerprint = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
python = "3.11"
suite = "bookworm"

[dates]
debian = "2026-11-01T00:00:00Z"

[platforms."linux/amd64"]
debs = [
  { name = "zlib1g", version = "1:1.2", architecture = "amd64", filename = "pool/main/z/z.deb", sha256 = "CCC", size = 5 },
]
wheels = [
  { name = "click", version = "8.1.8", filename = "click-8.1.8-py3-none-any.whl", sha256 = "AAA", size = 98188 },
  { name = "torch", version = "2.13.0+cpu", filename = "torch-2.13.0+cpu-cp311.whl", sha256 = "BBB", size = 1, \
source = "find-links" },
]
built = [
  { name = "six", version = "1.16", kind = "git", url = "https://example.org/six", \
commit = "dddddddddddddddddddddddddddddddddddddddd" },
]

[platforms."linux/arm64"]
wheels = [
  { name = "click", version = "8.1.8", filename = "click-8.1.8-py3-none-any.whl", sha256 = "AAA", size = 98188 },
]

[interpreters]
amd64 = [
  { name = "zlib1g", version = "1:1.2", architecture = "amd64", filename = "pool/main/z/z.deb", sha256 = "CCC", size = 5 },
]
"""


def _integrity(text: str) -> str:
    return text.split('integrity = "sha256:')[1].split('"', maxsplit=1)[0]


def test_text_is_sorted_with_one_line_per_file() -> None:
    text = dump_lock(LOCK)
    expected = TEXT.replace("AAA", "a" * 64).replace("BBB", "b" * 64).replace("CCC", "c" * 64)
    assert text == expected.replace("INTEGRITY", _integrity(text))


def test_order_of_the_values_does_not_matter() -> None:
    first, second = LOCK.platforms
    assert dump_lock(replace(LOCK, platforms=(second, replace(first, wheels=first.wheels[::-1])))) == dump_lock(LOCK)


def test_it_reads_what_it_wrote() -> None:
    assert parse_lock(dump_lock(LOCK)) == LOCK


def test_line_endings_of_another_system_are_no_edit() -> None:
    assert parse_lock(dump_lock(LOCK).replace("\n", "\r\n")) == LOCK


@pytest.mark.parametrize(
    ("old", "new", "path", "line", "message"),
    [
        ("a" * 64, "A" * 64, 'platforms["linux/amd64"].wheels[0].sha256', 16, "must be 64 hexadecimal characters"),
        ("size = 98188", "size = 0", 'platforms["linux/amd64"].wheels[0].size', 16, "must be over 0"),
        ("size = 98188", 'size = "9"', 'platforms["linux/amd64"].wheels[0].size', 16, "must be a whole number"),
        ("size = 98188", "size = true", 'platforms["linux/amd64"].wheels[0].size', 16, "must be a whole number"),
        (', filename = "torch-2.13.0+cpu-cp311.whl"', "", 'platforms["linux/amd64"].wheels[1].filename', 17, "is missing"),
        ("torch-2.13.0+cpu-cp311.whl", "../x.whl", 'platforms["linux/amd64"].wheels[1].filename', 17, "must not lead out"),
        ("torch-2.13.0+cpu-cp311.whl", "x.zip", 'platforms["linux/amd64"].wheels[1].filename', 17, "is not a wheel's"),
        (
            '"find-links"',
            '"http"',
            'platforms["linux/amd64"].wheels[1].source',
            17,
            "must be one of index, find-links, shipwheel",
        ),
        ('name = "torch"', 'name = "click"', 'platforms["linux/amd64"].wheels[1].name', 17, "is there twice"),
        ("pool/main", "/pool/main", 'platforms["linux/amd64"].debs[0].filename', 13, "must not lead out"),
        ('kind = "git"', 'kind = "svn"', 'platforms["linux/amd64"].built[0].kind', 20, "must be one of sdist, git, path"),
        ('kind = "git"', 'kind = "path"', 'platforms["linux/amd64"].built[0].path', 20, "is missing for kind path"),
        ("https://example", "https://a:b@example", 'platforms["linux/amd64"].built[0].url', 20, "must not hold credentials"),
        ('python = "3.11"', "python = 3", "python", 5, "must be a string"),
        ('suite = "bookworm"', 'suite = "bookworm"\nsweet = 1', "sweet", 7, "unknown key"),
        ("[interpreters]\n", "[interpreters]\narm64 = 1\n", "interpreters.arm64", 29, "must be an array"),
        ('"linux/arm64"', '"a/b/c/d"', 'platforms["a/b/c/d"]', 23, "is not a platform"),
        ('debian = "2026-11-01T00:00:00Z"', "debian = 1", "dates.debian", 9, "must be a string"),
    ],
)
def test_mistakes_are_named_with_path_and_line(old: str, new: str, path: str, line: int, message: str) -> None:
    with pytest.raises(LockError) as raised:
        parse_lock(dump_lock(LOCK).replace(old, new, 1))
    first = raised.value.problems[0]
    assert (first.path, first.line, first.file) == (path, line, "shipwheel.lock")
    assert message in first.message
    assert raised.value.hint


def test_all_mistakes_come_at_once() -> None:
    text = dump_lock(LOCK).replace("a" * 64, "x").replace('"bookworm"', "1")
    with pytest.raises(LockError) as raised:
        parse_lock(text)
    assert [problem.path for problem in raised.value.problems] == [
        "suite",
        'platforms["linux/amd64"].wheels[0].sha256',
        'platforms["linux/arm64"].wheels[0].sha256',
    ]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("8.1.8", "8.1.7"),
        lambda text: text.replace('integrity = "sha256:', 'integrity = "sha256:0', 1),
        lambda text: "\n".join(line for line in text.split("\n") if not line.startswith("integrity")),
        lambda text: text + "\n",
    ],
)
def test_edits_by_hand_are_noticed(change) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(LockError, match="edited by hand") as raised:
        parse_lock(change(dump_lock(LOCK)))
    assert "shipwheel lock" in raised.value.hint


def test_broken_toml_and_merge_conflicts_have_a_line() -> None:
    text = dump_lock(LOCK)
    with pytest.raises(LockError, match=r"shipwheel\.lock:7: a merge left its conflict marks"):
        parse_lock(text.replace("\n[dates]", "<<<<<<< HEAD\n[dates]"))
    with pytest.raises(LockError, match=r"shipwheel\.lock:6: "):
        parse_lock(text.replace('"bookworm"', '"bookworm'))


def test_other_formats_are_refused() -> None:
    with pytest.raises(LockError, match="has format 99") as raised:
        parse_lock("format = 99\n")
    assert "newer" in raised.value.hint
    with pytest.raises(LockError, match="no format"):
        parse_lock("")


def test_reading_and_writing_a_file(tmp_path: Path) -> None:
    path = tmp_path / "shipwheel.lock"
    with pytest.raises(LockError, match=r"there is no shipwheel\.lock"):
        read_lock(path)
    write_lock(path, LOCK)
    write_lock(path, LOCK)
    assert read_lock(path) == LOCK
    assert [each.name for each in tmp_path.iterdir()] == ["shipwheel.lock"]
    assert path.stat().st_mode & 0o777 == 0o644
    path.write_bytes(b"\xff")
    with pytest.raises(LockError, match="cannot be read"):
        read_lock(path)
    with pytest.raises(LockError, match="cannot be written"):
        write_lock(tmp_path / "absent" / "shipwheel.lock", LOCK)


def test_a_lock_of_something_else_is_stale() -> None:
    check_fresh(LOCK, LOCK.fingerprint)
    with pytest.raises(StaleLockError) as raised:
        check_fresh(LOCK, "0" * 64)
    assert "shipwheel lock" in raised.value.hint


def test_a_lock_of_twice_the_length_takes_twice_the_work() -> None:
    def calls(count: int) -> int:
        wheels = tuple(replace(CLICK, name=f"package-{number}") for number in range(count))
        debs = tuple(replace(ZLIB, name=f"package-{number}") for number in range(count))
        long = replace(LOCK, platforms=tuple(replace(each, wheels=wheels, debs=debs) for each in LOCK.platforms))
        profile = cProfile.Profile()
        profile.runcall(parse_lock, dump_lock(long))
        return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]

    assert calls(200) < 2.5 * calls(100)


BASE = BaseImage(
    reference="docker.io/library/python:3.12-slim",
    digest=f"sha256:{'e' * 64}",
    size=1746,
    python="3.12.7",
    interpreter="/usr/local/bin/python3.12",
    glibc=36,
    distribution="bookworm",
)
ON_BASE = Lock(fingerprint="f" * 64, python="3.12", suite="", platforms=(PlatformLock(platform=Platform(), base=BASE),))


def test_a_base_from_a_registry_is_one_line() -> None:
    text = dump_lock(ON_BASE)
    assert (
        'base = { reference = "docker.io/library/python:3.12-slim", digest = "sha256:' + "e" * 64 + '", size = 1746, '
        'python = "3.12.7", interpreter = "/usr/local/bin/python3.12", glibc = 36, distribution = "bookworm" }'
    ) in text.splitlines()
    assert parse_lock(text) == ON_BASE


@pytest.mark.parametrize(
    ("before", "after", "path", "message"),
    [
        ('digest = "sha256:e', 'digest = "md5:e', "digest", "must be sha256:"),
        ("glibc = 36", 'glibc = "36"', "glibc", "must be a whole number"),
        ("glibc = 36", "glibc = 0", "glibc", "must be over 0"),
        ('python = "3.12.7"', 'python = "3.x"', "python", "must be a version"),
        ("/usr/local/bin", "usr/local/bin", "interpreter", "must be an absolute path"),
        ("/usr/local/bin", "/usr/../bin", "interpreter", "must be an absolute path"),
        ("size = 1746, ", "", "size", "is missing"),
        ("glibc = 36", "libc = 36", "libc", "unknown key"),
    ],
)
def test_mistakes_in_a_base_have_their_place(before: str, after: str, path: str, message: str) -> None:
    text = dump_lock(ON_BASE)
    assert before in text
    with pytest.raises(LockError) as caught:
        parse_lock(text.replace(before, after))
    found = {problem.path: problem for problem in caught.value.problems}
    problem = found[f'platforms["linux/amd64"].base.{path}']
    assert message in problem.message
    assert text.split("\n")[problem.line - 1].startswith("base = ")


def test_a_base_must_be_a_table() -> None:
    text = dump_lock(ON_BASE).split("base = ")[0] + "base = 3\n"
    with pytest.raises(LockError, match=r"base: must be a table"):
        parse_lock(text)
