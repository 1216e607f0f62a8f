"""Fetching against a real server: each exchange with its fault, and what is asked of the server because of it."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shipwheel.errors import IntegrityError, NetworkError, ResolveError, StoreError
from shipwheel.fetch import FileCache, Wanted, fetch
from shipwheel.http import Client, Limits
from support.index import Fault, FileServer, serve
from support.wheels import make_wheel, sha256_of

FAST = Limits(connect=2, stall=0.3, attempts=3, backoff=0.01, longest_wait=0.05)
BIG = os.urandom(300_000)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FileServer]:
    folder = tmp_path / "served"
    make_wheel(folder, "demo", "1.0", {"demo/data.bin": BIG})
    with serve(FileServer(folder)) as running:
        yield running


@pytest.fixture
def wheel(server: FileServer) -> Path:
    return next(server.folder.glob("demo-*.whl"))


@pytest.fixture
def client() -> Iterator[Client]:
    with Client(limits=FAST) as made:
        yield made


@pytest.fixture
def files(tmp_path: Path) -> FileCache:
    return FileCache(tmp_path / "cache" / "files")


def wanted(path: Path, *urls: str, sha256: str = "", size: int = -1) -> Wanted:
    size = path.stat().st_size if size < 0 else size
    return Wanted(name=path.name, sha256=sha256 or sha256_of(path), size=size, urls=lambda: urls)


def url_of(server: FileServer, path: Path) -> str:
    return f"{server.url}/files/{path.name}"


@pytest.mark.parametrize(
    ("fault", "ranges"),
    [
        (None, [""]),
        (Fault(status=503), ["", ""]),
        (Fault(cut=100_000), ["", "bytes=100000-"]),
        (Fault(cut=0), ["", ""]),
        (Fault(stall=1.0), ["", "bytes=HALF-"]),
    ],
    ids=["no fault", "503", "cut in the middle", "cut at the start", "stall"],
)
def test_faults_on_the_way_are_overcome_where_they_stopped(
    server: FileServer, client: Client, files: FileCache, wheel: Path, fault: Fault | None, ranges: list[str]
) -> None:
    if fault:
        server.faults[f"/files/{wheel.name}"] = fault
    item = wanted(wheel, url_of(server, wheel))
    found = fetch([item], files, client)
    assert found == {item.sha256: files.path(item.sha256)}
    assert found[item.sha256].read_bytes() == wheel.read_bytes()
    expected = [each.replace("HALF", str(wheel.stat().st_size // 2)) for each in ranges]
    assert [request.headers.get("range", "") for request in server.requests] == expected
    assert not list(files.folder.glob("partial/*"))


def test_what_is_here_is_not_asked_for(server: FileServer, client: Client, files: FileCache, wheel: Path) -> None:
    item = wanted(wheel, url_of(server, wheel))
    first = fetch([item, item], files, client)
    assert fetch([item], files, client) == first
    assert len(server.requests) == 1


def test_a_part_of_an_earlier_run_is_resumed(server: FileServer, client: Client, files: FileCache, wheel: Path) -> None:
    item = wanted(wheel, url_of(server, wheel))
    part = files.part(item.sha256)
    part.parent.mkdir(parents=True)
    part.write_bytes(wheel.read_bytes()[:1000])
    fetch([item], files, client)
    assert server.requests[0].headers["range"] == "bytes=1000-"


@pytest.mark.parametrize("content", [b"x" * 1000, b"x" * 1_000_000], ids=["wrong start", "too long"])
def test_a_wrong_part_costs_one_start_from_nothing(
    server: FileServer, client: Client, files: FileCache, wheel: Path, content: bytes
) -> None:
    item = wanted(wheel, url_of(server, wheel))
    files.part(item.sha256).parent.mkdir(parents=True)
    files.part(item.sha256).write_bytes(content)
    assert fetch([item], files, client)[item.sha256].read_bytes() == wheel.read_bytes()


def test_a_whole_part_needs_no_request(server: FileServer, client: Client, files: FileCache, wheel: Path) -> None:
    item = wanted(wheel, url_of(server, wheel))
    files.part(item.sha256).parent.mkdir(parents=True)
    files.part(item.sha256).write_bytes(wheel.read_bytes())
    assert fetch([item], files, client)
    assert server.requests == []


def test_a_server_without_ranges_is_read_from_the_start(
    server: FileServer, client: Client, files: FileCache, wheel: Path
) -> None:
    server.ranges = False
    server.faults[f"/files/{wheel.name}"] = Fault(cut=100_000)
    item = wanted(wheel, url_of(server, wheel))
    assert fetch([item], files, client)[item.sha256].read_bytes() == wheel.read_bytes()


def test_size_may_be_unknown(server: FileServer, client: Client, files: FileCache, wheel: Path) -> None:
    item = wanted(wheel, url_of(server, wheel), size=0)
    files.part(item.sha256).parent.mkdir(parents=True)
    files.part(item.sha256).write_bytes(wheel.read_bytes())  # the server answers 416
    assert fetch([item], files, client)


@pytest.mark.parametrize(
    ("sha256", "size", "message"),
    [
        ("0" * 64, -1, "sha256 .*, expected 0000"),
        ("", 1000, "over 1000 bytes, expected 1000"),
        ("", 900_000, "bytes, expected 900000"),
    ],
    ids=["wrong hash", "too long", "too short"],
)
def test_wrong_bytes_are_refused_and_not_kept(
    server: FileServer, client: Client, files: FileCache, wheel: Path, sha256: str, size: int, message: str
) -> None:
    with pytest.raises(IntegrityError, match=message) as raised:
        fetch([wanted(wheel, url_of(server, wheel), sha256=sha256, size=size)], files, client)
    assert wheel.name in raised.value.message
    assert raised.value.hint
    assert not list(files.folder.glob("sha256/*"))
    assert sum(each.stat().st_size for each in files.folder.glob("partial/*")) == 0


def test_the_next_address_is_tried(server: FileServer, client: Client, files: FileCache, wheel: Path) -> None:
    server.faults["/files/other"] = Fault(body=b"something else")
    (server.folder / "other").write_bytes(b"")
    item = wanted(wheel, f"{server.url}/files/absent", f"{server.url}/files/other", url_of(server, wheel))
    assert fetch([item], files, client)
    assert server.paths() == ["/files/absent", "/files/other", f"/files/{wheel.name}"]


def test_failure_names_the_file_every_address_and_no_secret(
    server: FileServer, client: Client, files: FileCache, wheel: Path
) -> None:
    urls = [f"{server.url}/files/absent".replace("://", "://joe:secret@"), "http://127.0.0.1:9/x"]
    with pytest.raises(NetworkError) as raised:
        fetch([wanted(wheel, *urls)], files, client)
    for piece in (wheel.name, "404", "127.0.0.1:9"):
        assert piece in raised.value.message
    assert "secret" not in raised.value.message
    with pytest.raises(ResolveError, match="no address is known for demo"):
        fetch([wanted(wheel)], files, client)


def test_first_failure_stops_the_rest(server: FileServer, client: Client, files: FileCache, wheel: Path) -> None:
    many = [
        Wanted(name=f"absent-{number}", sha256=f"{number:064x}", size=1, urls=lambda: [f"{server.url}/files/absent"])
        for number in range(200)
    ]
    with pytest.raises(NetworkError):
        fetch(many, files, client)
    assert len(server.requests) < 100
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("fetch")]


def test_local_files_are_used_in_place_and_hashed_once(client: Client, files: FileCache, tmp_path: Path) -> None:
    path = make_wheel(tmp_path / "links", "local", "1.0")
    item = wanted(path, path.as_uri())
    assert fetch([item], files, client) == {item.sha256: path}
    assert files.find(item.sha256, item.size) == path
    assert fetch([wanted(path)], files, client) == {item.sha256: path}


def test_a_local_file_that_changed_is_never_used(client: Client, files: FileCache, tmp_path: Path) -> None:
    path = make_wheel(tmp_path / "links", "local", "1.0")
    item = wanted(path, path.as_uri())
    fetch([item], files, client)
    stat = path.stat()
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert files.find(item.sha256, item.size) is None
    with pytest.raises(IntegrityError, match="is not the file that was locked"):
        fetch([item], files, client)
    path.unlink()
    with pytest.raises(NetworkError, match="no such file"):
        fetch([item], files, client)


def test_progress_counts_every_byte_once(server: FileServer, client: Client, files: FileCache, wheel: Path) -> None:
    seen: list[tuple[str, int]] = []

    class Recorder:
        def start(self, name: str, total: int) -> Recorder:
            seen.append((name, total))
            return self

        def advance(self, amount: int) -> None:
            seen.append(("advance", amount))

        def done(self) -> None:
            seen.append(("done", 0))

    server.ranges = False
    server.faults[f"/files/{wheel.name}"] = Fault(cut=100_000)
    fetch([wanted(wheel, url_of(server, wheel))], files, client, Recorder())
    size = wheel.stat().st_size
    assert seen[0] == ("fetch 1 file", size)
    assert seen[-1] == ("done", 0)
    assert sum(amount for name, amount in seen if name == "advance") == size


def test_a_cache_that_is_a_file_is_a_clear_error(server: FileServer, client: Client, wheel: Path, tmp_path: Path) -> None:
    (tmp_path / "blocked").write_text("")
    with pytest.raises(StoreError, match="cannot be written") as raised:
        fetch([wanted(wheel, url_of(server, wheel))], FileCache(tmp_path / "blocked"), client)
    assert raised.value.hint


CHILD = """
import resource, sys
from pathlib import Path
from shipwheel.errors import StoreError
from shipwheel.fetch import *
from shipwheel.http import Client
sha256, size, url, folder, limit = sys.argv[1:]
if int(limit):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
try:
    with Client() as client:
        fetch([Wanted(name="demo", sha256=sha256, size=int(size), urls=lambda: [url])], FileCache(Path(folder)), client)
except StoreError as error:
    print(error.message, error.hint)
"""


def child(server: FileServer, files: FileCache, wheel: Path, *, limit: int = 0) -> list[str]:
    size = str(wheel.stat().st_size)
    return [sys.executable, "-c", CHILD, sha256_of(wheel), size, url_of(server, wheel), str(files.folder), str(limit)]


def test_a_full_disk_is_a_clear_error(server: FileServer, files: FileCache, wheel: Path) -> None:
    done = subprocess.run(child(server, files, wheel, limit=100_000), capture_output=True, text=True, check=True)
    assert f"the cache {files.folder} cannot be written: File too large" in done.stdout
    assert "free some space; what has come so far is kept" in done.stdout


def test_killed_process_leaves_a_part_that_the_next_one_resumes(
    server: FileServer, client: Client, files: FileCache, wheel: Path
) -> None:
    item = wanted(wheel, url_of(server, wheel))
    server.faults[f"/files/{wheel.name}"] = Fault(stall=3.0)
    process = subprocess.Popen(child(server, files, wheel), stdout=subprocess.DEVNULL)
    part = files.part(item.sha256)
    deadline = time.monotonic() + 10
    while not (part.exists() and part.stat().st_size > 0) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert fetch([item], files, client)[item.sha256].read_bytes() == wheel.read_bytes()
    assert server.requests[-1].headers["range"].startswith("bytes=")


def _fetch_in_child(folder: str, sha256: str, size: int, url: str) -> None:
    with Client(limits=FAST) as client:
        fetch([Wanted(name="demo", sha256=sha256, size=size, urls=lambda: [url])], FileCache(Path(folder)), client)


def test_two_processes_fetch_a_file_once(server: FileServer, files: FileCache, wheel: Path) -> None:
    server.faults[f"/files/{wheel.name}"] = Fault(stall=0.2)
    arguments = (str(files.folder), sha256_of(wheel), wheel.stat().st_size, url_of(server, wheel))
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_fetch_in_child, args=arguments) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(20)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len(server.requests) == 1
    assert [each.name for each in files.folder.glob("*/*")] == [hashlib.sha256(wheel.read_bytes()).hexdigest()]
