"""Finding the service of an engine that is started for us."""

import socket
import sys
from pathlib import Path

import pytest

from shipwheel.engines.connect import _service, docker_client
from shipwheel.errors import EngineAbsentError


def test_podmans_own_service_counts_as_started_only_when_it_listens(tmp_path: Path) -> None:
    program = tmp_path / "podman"
    program.write_text(
        f"""#!{sys.executable}
import socket, sys, time
with socket.socket(socket.AF_UNIX) as listener:
    listener.bind(sys.argv[-1].removeprefix("unix://"))
    time.sleep(0.3)
    listener.listen()
    time.sleep(60)
"""
    )
    program.chmod(0o755)
    with _service(str(program), {}) as url, socket.socket(socket.AF_UNIX) as probe:
        probe.connect(url.removeprefix("unix://"))


def test_certificates_that_are_not_there_are_told_as_an_engine_that_is_not(tmp_path: Path) -> None:
    environment = {"DOCKER_HOST": "tcp://127.0.0.1:9", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path / "none")}
    with (
        pytest.raises(EngineAbsentError, match=r"Docker cannot be asked: .*/none lacks ca\.pem, cert\.pem or key\.pem"),
        docker_client(environment),
    ):
        pass
