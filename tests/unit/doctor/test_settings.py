"""Proxies, certificates, logins and programs of this user."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from shipwheel.doctor.settings import (
    Tools,
    check_certificates,
    check_logins,
    check_proxies,
    check_tools,
    read_logins,
    read_proxies,
    read_tools,
)
from support.machine import make_where, only, severities


def test_a_proxy_that_answers_is_fine_and_its_password_is_not_shown() -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        found = read_proxies(
            {"https_proxy": f"http://ada:secret@127.0.0.1:{proxy.getsockname()[1]}", "HTTPS_PROXY": "nonsense"}
        )
        found += read_proxies({"HTTP_PROXY": f"ada:secret@127.0.0.1:{proxy.getsockname()[1]}"})
    assert severities(check_proxies(found)) == []
    assert [each.variable for each in found] == ["HTTPS_PROXY", "HTTP_PROXY"]
    assert "secret" not in str(found)


@pytest.mark.parametrize("url", ["127.0.0.1:1", "http://", "ftp://proxy.example", "http://[::1", "http://127.0.0.1:1"])
def test_a_proxy_that_cannot_be_used_is_an_error(url: str) -> None:
    told = only(check_proxies(read_proxies({"HTTPS_PROXY": url})))
    assert told.severity == "error"
    assert "HTTPS_PROXY" in told.message


def test_no_proxy_is_no_finding() -> None:
    assert read_proxies({"NO_PROXY": "localhost", "HTTP_PROXY": ""}) == ()


def test_certificates_that_are_not_there_are_an_error(tmp_path: Path) -> None:
    assert severities(check_certificates({"SSL_CERT_FILE": str(tmp_path), "SSL_CERT_DIR": ""})) == []
    assert "no server is trusted" in only(check_certificates({"SSL_CERT_FILE": f"{tmp_path}/none.pem"})).message


def test_login_files_are_read_and_their_helpers_looked_for_but_not_asked(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"auths": {"ghcr.io": {}}, "credsStore": "desktop", "credHelpers": {"gcr.io": "gcloud"}}))
    where = make_where(tmp_path, programs={"docker-credential-gcloud": f"touch {tmp_path}/asked"})
    found = read_logins([tmp_path / "absent.json", file], where)
    assert [place.registries for place in found] == [("ghcr.io",)]
    assert only(check_logins(found)).message.startswith("docker-credential-desktop, which ")
    assert not (tmp_path / "asked").exists()


def test_a_login_file_with_its_helpers_is_fine(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"auths": {}, "credsStore": "secretservice"}))
    where = make_where(tmp_path, programs={"docker-credential-secretservice": ""})
    assert severities(check_logins(read_logins([file], where))) == []


def test_a_login_file_that_is_none_is_an_error_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text("{")
    told = only(check_logins(read_logins([file], make_where(tmp_path))))
    assert told.severity == "error"
    assert "\n" not in told.message


def test_uv_is_found_and_runs(tmp_path: Path) -> None:
    found = read_tools(make_where(tmp_path))
    assert found.uv
    assert severities(check_tools(found)) == []
    assert only(check_tools(Tools(python="3.12.1", problem="exec format error"))).severity == "error"
