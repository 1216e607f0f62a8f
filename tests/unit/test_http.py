"""The HTTP client against a real server that misbehaves in one named way each time."""

from __future__ import annotations

import os
import ssl
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest

from shipwheel.credentials import Credentials, origin, redact, redact_text
from shipwheel.errors import ConfigError, NetworkError
from shipwheel.http import Client, Limits, Request, Traffic
from shipwheel.http.tls import trusted
from support.index import Fault, FileServer, serve
from support.registry import Fault as Broken
from support.registry import registry
from support.registry_proxy import Cut, cutting

FAST = Limits(connect=2, stall=0.3, attempts=3, backoff=0.01, longest_wait=0.05)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FileServer]:
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "a.bin").write_bytes(b"0123456789" * 1000)
    with serve(FileServer(folder)) as running:
        yield running


@pytest.fixture
def client() -> Iterator[Client]:
    with Client(limits=FAST) as made:
        yield made


@pytest.mark.parametrize(
    ("fault", "requests"),
    [
        (Fault(status=503), 2),
        (Fault(status=429, headers={"Retry-After": "0"}), 2),
        (Fault(status=503, headers={"Retry-After": "Fri, 01 Jan 2100 00:00:00 GMT"}), 2),
        (Fault(status=500, times=2), 3),
        (Fault(cut=100), 2),
        (Fault(stall=1.0), 2),
    ],
    ids=["503", "429", "retry-after-date", "500-twice", "cut", "stall"],
)
def test_passing_faults_are_tried_again(server: FileServer, client: Client, fault: Fault, requests: int) -> None:
    server.faults["/files/a.bin"] = fault
    assert client.get(f"{server.url}/files/a.bin") == b"0123456789" * 1000
    assert len(server.requests) == requests


@pytest.mark.parametrize(
    ("fault", "status", "requests", "retryable"),
    [
        (Fault(status=404, times=9), 404, 1, False),
        (Fault(status=403, times=9), 403, 1, False),
        (Fault(status=503, times=9), 503, 3, True),
        (Fault(status=302, headers={"Location": "/files/a.bin"}, times=99), 0, 10, False),
        (Fault(status=302, headers={"Location": "ftp://elsewhere/a"}, times=99), 0, 1, False),
    ],
    ids=["404", "403", "503-for-good", "endless-redirects", "redirect-to-ftp"],
)
def test_lasting_faults_are_named(
    server: FileServer, client: Client, fault: Fault, status: int, requests: int, retryable: bool
) -> None:
    server.faults["/files/a.bin"] = fault
    with pytest.raises(NetworkError) as raised:
        client.get(server.url.replace("://", "://joe:secret@") + "/files/a.bin")
    assert raised.value.fields["method"] == "GET"
    assert raised.value.fields["status"] == status
    assert raised.value.fields["retryable"] is retryable
    assert raised.value.fields["url"] == f"{server.url}/files/a.bin"
    assert "secret" not in raised.value.message
    assert len(server.requests) == requests


def test_refused_connection_is_named(client: Client) -> None:
    with pytest.raises(NetworkError, match=r"GET http://127\.0\.0\.1:9/x failed") as raised:
        client.get("http://joe:secret@127.0.0.1:9/x")
    assert raised.value.fields["retryable"] is True
    assert raised.value.__cause__ is None


def test_credentials_of_the_url_are_sent_and_not_shown(server: FileServer, client: Client) -> None:
    server.auth = "joe:s@cret"
    assert client.get(server.url.replace("://", "://joe:s%40cret@") + "/files/a.bin")
    with pytest.raises(NetworkError, match="401") as raised:
        client.get(server.url.replace("://", "://joe:wrong@") + "/files/a.bin")
    assert "wrong" not in str(raised.value)


def test_given_credentials_and_netrc_are_used(server: FileServer, tmp_path: Path) -> None:
    server.auth = "joe:secret"
    with Client(Credentials(given={origin(server.url): ("joe", "secret")}), FAST) as client:
        assert client.get(f"{server.url}/files/a.bin")
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login joe password secret\n")
    with Client(Credentials(netrc=netrc), FAST) as client:
        assert client.get(f"{server.url}/files/a.bin")
    netrc.write_text("machine\n")
    with Client(Credentials(netrc=netrc), FAST) as client, pytest.raises(ConfigError, match="netrc cannot be read"):
        client.get(f"{server.url}/files/a.bin")


@pytest.mark.parametrize("user", ["joe@", ""], ids=["with user", "without"])
def test_keyring_is_asked_once_after_401(server: FileServer, tmp_path: Path, user: str) -> None:
    server.auth = "joe:secret"
    program, log = tmp_path / "keyring", tmp_path / "log"
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {log}\n'
        'if [ "$1" = get ]; then echo secret; else echo \'{"username": "joe", "password": "secret"}\'; fi\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    with Client(Credentials(keyring=str(program)), FAST) as client:
        for _ in range(2):
            assert client.get(server.url.replace("://", f"://{user}") + "/files/a.bin")
    assert len(log.read_text().splitlines()) == 1


def test_redirect_to_another_host_carries_no_credentials(server: FileServer, client: Client, tmp_path: Path) -> None:
    with serve(FileServer(tmp_path / "served")) as other:
        server.auth = "joe:secret"
        server.faults["/files/a.bin"] = Fault(status=302, headers={"Location": f"{other.url}/files/a.bin"})
        assert client.get(server.url.replace("://", "://joe:secret@") + "/files/a.bin")
        assert "authorization" in server.requests[-1].headers
        assert "authorization" not in other.requests[-1].headers


def test_redirect_on_the_same_host_keeps_credentials(server: FileServer, client: Client) -> None:
    server.auth = "joe:secret"
    server.faults["/files/old"] = Fault(status=301, headers={"Location": "/files/a.bin"})
    assert client.get(server.url.replace("://", "://joe:secret@") + "/files/old")


def test_stream_starts_in_the_middle_or_says_that_it_does_not(server: FileServer, client: Client) -> None:
    url = f"{server.url}/files/a.bin"
    with client.stream(url, start=9_995) as body:
        assert (body.start, b"".join(body.chunks)) == (9_995, b"56789")
    server.ranges = False
    with client.stream(url, start=9_995) as body:
        assert (body.start, len(b"".join(body.chunks))) == (0, 10_000)


def test_download_size_and_agent(server: FileServer, client: Client) -> None:
    received = bytearray()
    client.download(f"{server.url}/files/a.bin", received.extend)
    assert len(received) == client.size(f"{server.url}/files/a.bin") == 10_000
    assert server.requests[0].headers["user-agent"].startswith("shipwheel/")


def test_file_urls(tmp_path: Path, client: Client) -> None:
    (tmp_path / "sp ace").mkdir()
    (tmp_path / "sp ace" / "index.html").write_text("hello")
    assert client.get((tmp_path / "sp ace").as_uri() + "/") == b"hello"
    assert client.size((tmp_path / "sp ace" / "index.html").as_uri()) == 5
    with client.stream((tmp_path / "sp ace" / "index.html").as_uri(), start=3) as body:
        assert (body.start, b"".join(body.chunks)) == (3, b"lo")
    with pytest.raises(NetworkError, match="no such file") as raised:
        client.get((tmp_path / "absent").as_uri())
    assert raised.value.fields["status"] == 404
    with pytest.raises(NetworkError, match="only http, https and file"):
        client.get("ftp://example.org/a")


def test_retry_counts_again_after_progress() -> None:
    state = {"calls": 0}

    def action() -> int:
        state["calls"] += 1
        if state["calls"] < 9:
            raise NetworkError("cut", retryable=True)
        return state["calls"]

    with Client(limits=FAST) as client:
        assert client.retry(action, lambda: state["calls"]) == 9


def test_retry_after_is_honoured_up_to_the_limit(server: FileServer) -> None:
    server.faults["/files/a.bin"] = Fault(status=503, headers={"Retry-After": "3600"})
    began = time.monotonic()
    with Client(limits=Limits(longest_wait=0.2)) as client:
        client.get(f"{server.url}/files/a.bin")
    assert 0.2 <= time.monotonic() - began < 2


def test_redaction() -> None:
    assert redact("https://joe:secret@example.org:8443/a?token=x#y") == "https://example.org:8443/a"
    assert redact_text("fetch 'https://joe:se@cret@example.org/a' and http://b/c@d") == (
        "fetch 'https://example.org/a' and http://b/c@d"
    )
    assert redact("http://[broken") == "(malformed URL)"
    assert origin("HTTPS://joe@Example.org:443/x") == "https://example.org"
    assert "secret" not in repr(Credentials(given={"https://a": ("joe", "secret")}))


def test_a_body_is_opened_anew_for_each_attempt(client: Client) -> None:
    with registry() as served:
        served.faults = [Broken(method="PATCH", status=503), Broken(method="PATCH", status=202)]
        request = Request(
            method="PATCH",
            url=f"http://{served.host}/v2/",
            headers={"Content-Length": "6"},
            content=lambda: iter([b"abc", b"def"]),
        )
        assert client.ask(request)[1].status == 202
        assert [each.received for each in served.log] == [6, 6]


@pytest.mark.parametrize(("status", "goes_on"), [(307, True), (308, True), (301, False), (302, False), (303, False)])
def test_a_redirected_write_keeps_its_method_and_body_or_ends(client: Client, status: int, goes_on: bool) -> None:
    with registry() as served:
        served.faults = [Broken(path="/old", status=status, headers={"Location": "/new"}), Broken(path="/new", status=201)]
        request = Request(method="PUT", url=f"http://{served.host}/old", content=b"abc")
        if goes_on:
            assert client.ask(request)[1].status == 201
            assert (served.log[-1].method, served.log[-1].received) == ("PUT", 3)
        else:
            with pytest.raises(NetworkError, match=rf"redirect {status} to http://{served.host}/new, which is for reading"):
                client.ask(request)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"errors":[{"code":"DENIED","message":"no"}]}', "403 Forbidden: DENIED: no"),
        (b'{"error":"invalid_grant","error_description":"gone"}', "403 Forbidden: invalid_grant: gone"),
        (b'{"details":"incorrect username"}', "403 Forbidden: incorrect username"),
        (b'{"errors":[]}', "403 Forbidden"),
        (b'{"errors":["x"]}', "403 Forbidden"),
        (b'{"errors":[{"code":1,"message":["x"]}]}', "403 Forbidden"),
        (b"[" * 70_000, "403 Forbidden"),
        (b"<html>", "403 Forbidden"),
    ],
)
def test_refusals_are_told_in_the_servers_words(client: Client, body: bytes, words: str) -> None:
    with registry() as served:
        served.faults = [Broken(status=403, body=body, headers={"Content-Type": "application/json"})]
        with pytest.raises(NetworkError) as raised:
            client.get(f"http://{served.host}/x")
        assert raised.value.message.endswith(f"failed: {words}")


def test_traffic_is_what_goes_over_the_wire(server: FileServer) -> None:
    cut, traffic = Cut(), Traffic()
    with cutting(server.url.removeprefix("http://"), cut) as proxy, Client(limits=FAST, traffic=traffic) as client:
        client.get(f"http://{proxy}/files/a.bin")
        client.size(f"http://{proxy}/files/a.bin")
        with pytest.raises(NetworkError):
            client.get(f"http://{proxy}/files/absent")
    assert traffic == Traffic(sent=cut.all_sent, received=cut.all_received, requests=3)


class TestCertificates:
    def test_the_systems_are_trusted(self) -> None:
        paths = ssl.get_default_verify_paths()
        if not paths.cafile and not paths.capath:
            pytest.skip("this system has none")
        assert trusted().verify_mode is ssl.CERT_REQUIRED

    def test_a_file_of_the_environment_comes_first(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        chosen = tmp_path / "chosen.pem"
        chosen.write_text(
            Path(certifi.where()).read_text().partition("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"
        )
        monkeypatch.setenv("SSL_CERT_FILE", str(chosen))
        monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "empty"))
        assert trusted().cert_store_stats()["x509_ca"] == 1

    def test_certifis_where_the_system_has_none(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "absent.pem"))
        monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
        assert trusted().cert_store_stats()["x509_ca"] > 50


@pytest.mark.network
def test_real_index_with_the_systems_certificates(client: Client) -> None:
    if os.environ.get("UV_OFFLINE"):
        pytest.skip("offline")
    assert b"idna" in client.get("https://pypi.org/simple/idna/")
