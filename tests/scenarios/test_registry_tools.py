"""What `shipwheel push` leaves in a registry, for amd64 and arm64: tools take it whole, scanners find all that is in it."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote

import pytest

from shipwheel.lock import Lock, PlatformLock, read_lock
from shipwheel.oci.blob import Platform
from support.cargo import make_script
from support.engines import PrivateEngine, tool
from support.ship import Ship

pytestmark = [pytest.mark.network, pytest.mark.slow]

PLATFORMS = ("linux/amd64", "linux/arm64")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """An image in a registry, and the lock that says what it is made of."""

    name: str
    digest: str
    lock: Lock

    def of(self, platform: str) -> PlatformLock:
        """What is locked for a platform."""
        return next(each for each in self.lock.platforms if each.platform == Platform.parse(platform))


@pytest.fixture(scope="module")
def pushed(harbour: Ship, registry: str, tmp_path_factory: pytest.TempPathFactory) -> Pushed:
    """A compiled wheel, two of Python, and a script."""
    folder = tmp_path_factory.mktemp("tools")
    ship, project = harbour.with_a_copy_of_home(folder / "home"), make_script(folder / "small")
    (project / "requirements.txt").write_text("markupsafe\nidna\nsix\n")
    (project / "app.py").write_text("import idna, markupsafe, six\nprint(markupsafe.escape('<'), 'as pushed')\n")
    flags = [word for platform in PLATFORMS for word in ("--platform", platform)]
    ship("lock", project, *flags)
    said = ship("push", project, f"{registry}/team/small:1", *flags, "--json").json
    return Pushed(name=said["name"], digest=said["digest"], lock=read_lock(project / "shipwheel.lock"))


def run(*command: str | Path, **env: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **env}, timeout=300)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def test_crane_finds_nothing_wrong(pushed: Pushed) -> None:
    assert run(tool("crane"), "digest", "--insecure", pushed.name).strip() == pushed.digest
    run(tool("crane"), "validate", "--insecure", "--remote", pushed.name)


def test_skopeo_copies_all_platforms(pushed: Pushed, tmp_path: Path) -> None:
    layout = f"oci:{tmp_path}/layout:1"
    run(tool("skopeo"), "copy", "--all", "--src-tls-verify=false", f"docker://{pushed.name}", layout)
    [entry] = json.loads((tmp_path / "layout" / "index.json").read_text())["manifests"]
    assert entry["digest"] == pushed.digest
    for platform in PLATFORMS:
        system, _, architecture = platform.partition("/")
        said = run(
            tool("skopeo"), f"--override-os={system}", f"--override-arch={architecture}",
            "inspect", "--tls-verify=false", f"docker://{pushed.name}",
        )  # fmt: skip
        assert json.loads(said)["Architecture"] == architecture


@pytest.mark.docker
def test_docker_pulls_and_runs_it(pushed: Pushed, docker_engine: PrivateEngine) -> None:
    run("docker", "pull", "--quiet", pushed.name, **docker_engine.environment)
    assert run("docker", "run", "--rm", pushed.name, **docker_engine.environment) == "&lt; as pushed\n"


@pytest.mark.podman
def test_podman_pulls_and_runs_it(pushed: Pushed, podman_engine: PrivateEngine) -> None:
    run("podman", "pull", "--quiet", "--tls-verify=false", pushed.name, **podman_engine.environment)
    assert run("podman", "run", "--rm", pushed.name, **podman_engine.environment) == "&lt; as pushed\n"


@pytest.mark.parametrize("platform", PLATFORMS)
def test_syft_lists_every_wheel_and_package(pushed: Pushed, platform: str) -> None:
    words = ("--quiet", f"registry:{pushed.name}", "--platform", platform, "--output", "cyclonedx-json")
    found = run(tool("syft"), *words, SYFT_CHECK_FOR_APP_UPDATE="false")
    assert purls(found) == expected(pushed.of(platform))


@pytest.mark.parametrize("platform", PLATFORMS)
def test_trivy_lists_every_wheel_and_package(pushed: Pushed, platform: str, tmp_path: Path) -> None:
    words = (
        "--image-src",
        "remote",
        "--offline-scan",
        "--cache-dir",
        tmp_path,
        "--platform",
        platform,
        "--format",
        "cyclonedx",
    )
    assert purls(run(tool("trivy"), "--quiet", "image", *words, pushed.name)) == expected(pushed.of(platform))


def expected(locked: PlatformLock) -> set[tuple[str, str, str, str]]:
    """Kind, name, version and architecture of all that the lock says."""
    wheels = {("pypi", wheel.name, wheel.version, "") for wheel in locked.wheels}
    return wheels | {("deb/debian", deb.name, deb.version, deb.architecture) for deb in locked.debs}


def purls(document: str) -> set[tuple[str, str, str, str]]:
    """The same of a CycloneDX document; scanners spell an epoch in the version or beside it."""
    components = json.loads(document)["components"]
    return {_purl(each["purl"]) for each in components if each["type"] == "library"}


def _purl(purl: str) -> tuple[str, str, str, str]:
    path, _, query = purl.removeprefix("pkg:").partition("?")
    given = {key: values[0] for key, values in parse_qs(query).items()}
    where, _, version = path.rpartition("@")
    kind, _, name = where.rpartition("/")
    epoch = f"{given['epoch']}:" if "epoch" in given else ""
    return kind, unquote(name), epoch + unquote(version), given.get("arch", "")
