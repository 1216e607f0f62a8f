"""Models that are brought at start or mounted: every byte checked, whatever the server, the network and the disk do."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fsspec
import pytest

from shipwheel_serve import download
from shipwheel_serve.errors import ModelError
from shipwheel_serve.settings import Settings

BUFFERED = 1 << 20
"""Bytes that may be on their way when a connection breaks off; they are asked for again."""

FILES = {
    "bundle.json": b'{"format": 1}',
    "model.skops": bytes(range(256)) * 32_000,
    "golden/request 1.json": b"[1]",
    "empty": b"",
}


@dataclass
class Origin:
    """An HTTP server of FILES. `ranges`: it knows them; `breaks`: bytes after which so many transfers end."""

    files: dict[str, bytes] = field(default_factory=lambda: dict(FILES))
    ranges: bool = True
    breaks: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    sent: Counter[str] = field(default_factory=Counter)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/m"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = handler.path.partition("?")[0]
        name = path.removeprefix("/m/").replace("%20", " ")
        wanted = handler.headers.get("Range", "")
        self.asked.append((name, wanted))
        if self.statuses or name not in self.files:
            handler.send_response(self.statuses.pop(0) if self.statuses else 404)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        body, start = self.files[name], 0
        if self.ranges and wanted:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])  # type: ignore[index]
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(body) - start))
        handler.end_headers()
        piece = body[start : start + self.breaks.pop(0)] if self.breaks and len(body) > 1000 else body[start:]
        handler.wfile.write(piece)
        self.sent[name] += len(piece)
        handler.close_connection = True


@pytest.fixture
def origin() -> Iterator[Origin]:
    served = Origin()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.answer(self)

        def log_message(self, *_: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield served
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "PAUSES", (0.0, 0.0, 0.0))


@pytest.fixture
def settings(origin: Origin, tmp_path: Path) -> Settings:
    return Settings(delivery="download", source=origin.url, files=locked(FILES), cache=str(tmp_path / "cache"))


def locked(files: dict[str, bytes]) -> tuple[dict[str, Any], ...]:
    return tuple({"path": name, "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)} for name, data in files.items())


def quiet(_: str) -> None:
    return


def there(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_folder_comes_over_http_and_is_kept(origin: Origin, settings: Settings) -> None:
    folder = download.fetch(settings, quiet)
    assert there(folder) == FILES
    asked = len(origin.asked)
    assert asked == len(FILES)
    assert download.fetch(settings, quiet) == folder
    assert len(origin.asked) == asked


def test_another_list_of_files_is_another_folder(settings: Settings) -> None:
    first = download.fetch(settings, quiet)
    second = download.fetch(replace(settings, files=settings.files[:2]), quiet)
    assert first != second
    assert first.parent == second.parent


@pytest.mark.parametrize("scheme", ["memory://", "file://", "file:", ""])
def test_every_scheme_of_fsspec(scheme: str, settings: Settings, tmp_path: Path) -> None:
    base = f"{scheme}/models" if scheme == "memory://" else f"{scheme}{tmp_path}/origin"
    system, root = fsspec.core.url_to_fs(base)
    for name, data in FILES.items():
        system.makedirs(str(Path(root, name).parent), exist_ok=True)
        system.pipe_file(f"{root}/{name}", data)
    assert there(download.fetch(replace(settings, source=base), quiet)) == FILES


def test_a_transfer_that_breaks_off_goes_on_where_it_ended(origin: Origin, settings: Settings) -> None:
    origin.breaks = [3_000_000, 0, 4_000_000]
    said: list[str] = []
    assert there(download.fetch(settings, said.append)) == FILES
    starts = [int(wanted[6:-1] or 0) for name, wanted in origin.asked if name == "model.skops"]
    assert starts[0] == 0
    assert 3_000_000 - BUFFERED < starts[1] == starts[2] <= 3_000_000
    assert starts[1] + 4_000_000 - BUFFERED < starts[3] <= starts[1] + 4_000_000
    assert sum("trying again" in line for line in said) == 3


def test_a_partial_file_of_an_earlier_start_is_resumed(origin: Origin, settings: Settings) -> None:
    origin.breaks = [5_000_000, 0, 0, 0, 0]
    with pytest.raises(ModelError, match=r"model\.skops cannot be downloaded"):
        download.fetch(settings, quiet)
    origin.breaks, origin.sent = [], Counter()
    assert there(download.fetch(settings, quiet)) == FILES
    rest = len(FILES["model.skops"]) - 5_000_000
    assert rest <= origin.sent["model.skops"] < rest + BUFFERED
    assert origin.sent["bundle.json"] == 0


def test_without_ranges_it_starts_again(origin: Origin, settings: Settings) -> None:
    origin.ranges, origin.breaks = False, [3_000_000, 6_000_000]
    said: list[str] = []
    assert there(download.fetch(settings, said.append)) == FILES
    assert "8.2 of 8.2 MB, 100 %" in said[-1]


def test_a_partial_file_that_is_no_part_of_it_is_thrown_away(origin: Origin, settings: Settings) -> None:
    folder = download.fetch(settings, quiet)
    (folder / "model.skops").unlink()
    (folder / "model.skops.partial").write_bytes(b"x" * 5000)
    assert there(download.fetch(settings, quiet)) == FILES


@pytest.mark.parametrize("wrong", [b"\0" * len(FILES["model.skops"]), FILES["model.skops"] + b"more", b"short"])
def test_wrong_content_is_named_and_never_kept(wrong: bytes, origin: Origin, settings: Settings) -> None:
    origin.files["model.skops"] = wrong
    with pytest.raises(ModelError) as caught:
        download.fetch(settings, quiet)
    assert "model.skops" in caught.value.message
    if len(wrong) > 5:
        assert hashlib.sha256(FILES["model.skops"]).hexdigest() in caught.value.message
        assert re.search(r"[0-9a-f]{64}, \d+ bytes, instead", caught.value.message)
    (folder,) = (Path(settings.cache)).iterdir()
    assert "model.skops" not in there(folder)
    if len(wrong) > 5:
        assert "model.skops.partial" not in there(folder)


def test_a_kept_file_that_was_changed_is_brought_again(origin: Origin, settings: Settings) -> None:
    folder = download.fetch(settings, quiet)
    (folder / "model.skops").write_bytes(b"\0" * len(FILES["model.skops"]))
    assert there(download.fetch(settings, quiet)) == FILES


@pytest.mark.parametrize(("statuses", "tries"), [([503, 429, 500], 4), ([], 1)])
def test_faults_of_a_server_pass(statuses: list[int], tries: int, origin: Origin, settings: Settings) -> None:
    origin.statuses = statuses
    assert there(download.fetch(settings, quiet)) == FILES
    assert sum(name == "bundle.json" for name, _ in origin.asked) == tries


@pytest.mark.parametrize(("status", "text"), [(403, "HTTP status 403"), (404, "does not exist"), (401, "HTTP status 401")])
def test_what_will_not_pass_is_told_at_once(status: int, text: str, origin: Origin, settings: Settings) -> None:
    origin.statuses = [status]
    with pytest.raises(ModelError, match=text):
        download.fetch(settings, quiet)
    assert len(origin.asked) == 1


def test_a_server_that_stays_down_is_given_up(origin: Origin, settings: Settings) -> None:
    origin.statuses = [503] * 10
    with pytest.raises(ModelError, match="HTTP status 503"):
        download.fetch(settings, quiet)
    assert len(origin.asked) == 4


def test_credentials_are_in_no_line_and_no_error(origin: Origin, settings: Settings) -> None:
    source = origin.url.replace("://", "://user:hunter2@") + "?sig=hunter2"
    said: list[str] = []
    assert there(download.fetch(replace(settings, source=source), said.append)) == FILES
    origin.statuses = [500, 403]
    with pytest.raises(ModelError) as caught:
        download.fetch(replace(settings, source=source, cache=settings.cache + "2"), said.append)
    text = "\n".join((*said, caught.value.message, caught.value.hint))
    assert "hunter2" not in text
    assert "127.0.0.1" in text


def test_progress_has_megabytes_percent_and_speed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(download, "EVERY", 0.0)
    download.fetch(settings, said.append)
    assert re.match(r"downloading 4 files, 8\.2 MB, from http://127", said[0])
    assert re.fullmatch(r"downloaded and verified: 8\.2 of 8\.2 MB, 100 %, [\d.,]+ MB/s", said[-1])
    assert len(said) > 3


def test_progress_is_rare(settings: Settings) -> None:
    said: list[str] = []
    download.fetch(settings, said.append)
    assert len(said) == 2


def test_too_little_space_is_told_before_anything_is_sent(
    origin: Origin, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(ModelError, match=r"needs 8\.2 MB .* 0\.0 MB are free"):
        download.fetch(settings, quiet)
    assert not origin.asked


@pytest.mark.parametrize(
    ("source", "module", "extra"),
    [("s3://b/m", "s3fs", "s3"), ("gs://b/m", "gcsfs", "gcs"), ("http://h/m", "fsspec", "remote")],
)
def test_a_driver_that_is_absent_is_named_with_its_extra(
    source: str, module: str, extra: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ModelError) as caught:
        download.fetch(replace(settings, source=source), quiet)
    assert f"shipwheel-serve[{extra}]" in caught.value.hint


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda s: replace(s, source=""), "no source"),
        (lambda s: replace(s, files=()), "no list of files"),
        (lambda s: replace(s, files=({"path": "../x", "sha256": "", "size": 1},)), "no path inside"),
        (lambda s: replace(s, files=({"path": "/x", "sha256": "", "size": 1},)), "no path inside"),
        (lambda s: replace(s, files=({"path": "x"},)), "needs sha256 and size"),
        (lambda s: replace(s, source="nope://x"), "nope"),
        (lambda s: replace(s, cache="/proc/nope"), "cannot be kept in /proc/nope"),
    ],
)
def test_settings_that_cannot_work(change: Callable[[Settings], Settings], text: str, settings: Settings) -> None:
    with pytest.raises(ModelError, match=text):
        download.fetch(change(settings), quiet)


def test_processes_at_the_same_time_download_once(origin: Origin, settings: Settings) -> None:
    code = (
        "import sys; from shipwheel_serve import download; from shipwheel_serve.settings import Settings\n"
        "import json; print(download.fetch(Settings(**json.loads(sys.argv[1])), lambda _: None))"
    )
    import json

    given = json.dumps({"source": settings.source, "files": settings.files, "cache": settings.cache})
    several = [subprocess.Popen([sys.executable, "-c", code, given], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    folders = {process.communicate()[0] for process in several}
    assert [process.returncode for process in several] == [0, 0, 0]
    assert there(Path(folders.pop().strip())) == FILES
    assert not folders
    assert Counter(name for name, _ in origin.asked) == dict.fromkeys(FILES, 1)


def test_a_single_file_is_the_model(origin: Origin, settings: Settings) -> None:
    one = replace(settings, files=locked({"model.skops": FILES["model.skops"]}))
    assert download.fetch(one, quiet).name == "model.skops"


def test_among_several_files_the_setting_names_the_model(settings: Settings) -> None:
    files = replace(settings, files=settings.files[1:3])
    assert download.fetch(replace(files, model="models/model.skops"), quiet).name == "model.skops"
    assert (download.fetch(replace(files, model="serve:Model"), quiet) / "model.skops").is_file()
    with pytest.raises(ModelError, match=r"neither bundle\.json nor other\.txt"):
        download.fetch(replace(files, model="other.txt"), quiet)


# mounted


@pytest.fixture
def mount(tmp_path: Path) -> Path:
    for name, data in FILES.items():
        path = tmp_path / "mount" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "mount"


def test_a_mounted_bundle_is_used_where_it_is(mount: Path) -> None:
    assert download.mounted(Settings(delivery="mount", mount=str(mount), files=locked(FILES))) == mount
    assert download.mounted(Settings(delivery="mount", mount=str(mount))) == mount


def test_a_mount_that_is_absent_says_what_is_expected_where(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no model is mounted: .*/nothing with bundle\.json, model\.skops"):
        download.mounted(Settings(mount=str(tmp_path / "nothing"), files=locked(FILES)))


def test_a_mount_without_a_file_or_with_another_one_names_it(mount: Path) -> None:
    settings = Settings(mount=str(mount), files=locked(FILES))
    (mount / "empty").unlink()
    (mount / "model.skops").write_bytes(b"other")
    with pytest.raises(ModelError, match=r"model\.skops is not what was locked: .*; empty is missing"):
        download.mounted(settings)
    assert (mount / "model.skops").exists()  # it is not ours


def test_an_empty_mount_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"neither bundle\.json nor model"):
        download.mounted(Settings(mount=str(tmp_path)))


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    code = "import sys; import shipwheel_serve.download; print(sorted({'fsspec', 'aiohttp', 'pandas'} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], env=dict(os.environ), check=True, capture_output=True, text=True).stdout
    assert out == "[]\n"
