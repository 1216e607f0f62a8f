"""An image on Debian's real base, as other tools see it: in the store, and where `save` and `--to` put it."""

import subprocess
from pathlib import Path

import pytest

from support.cargo import make_script
from support.engines import tool
from support.ship import Ship

pytestmark = pytest.mark.network


def run_tool(name: str, *arguments: object) -> str:
    """A tool's output."""
    done = subprocess.run([tool(name), *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def built(docked: Ship, tmp_path: Path) -> Ship:
    """An image `valid:1` in the store, in an OCI folder and in both kinds of archive."""
    project = make_script(tmp_path / "valid")
    docked("lock", project)
    out = tmp_path / "out"
    places = (f"oci:{out / 'oci'}", f"oci-archive:{out / 'oci.tar'}", f"docker-archive:{out / 'docker.tar'}")
    out.mkdir()
    docked.build(project, "-t", "valid:1", *(word for place in places for word in ("--to", place)))
    return docked


def test_skopeo_reads_and_copies_it_from_every_place(built: Ship, tmp_path: Path) -> None:
    out = tmp_path / "out"
    digest = built("inspect", "valid:1", "--json").json["digest"]
    assert run_tool("skopeo", "inspect", "--format", "{{.Digest}}", f"oci:{built.home / 'oci'}:valid:1").strip() == digest
    for nth, place in enumerate(
        (f"oci:{out / 'oci'}", f"oci-archive:{out / 'oci.tar'}", f"docker-archive:{out / 'docker.tar'}")
    ):
        run_tool("skopeo", "copy", "-q", f"{place}:valid:1", f"dir:{tmp_path / f'copy{nth}'}")


def test_oci_image_tool_finds_nothing_wrong(built: Ship, tmp_path: Path) -> None:
    for place in (built.home / "oci", tmp_path / "out" / "oci"):
        run_tool("oci-image-tool", "validate", "--type", "image", "--ref", "name=valid:1", place)


def test_umoci_unpacks_it(built: Ship, tmp_path: Path) -> None:
    layout = tmp_path / "plain"  # umoci takes no colon in a tag
    run_tool("skopeo", "copy", "-q", f"oci:{built.home / 'oci'}:valid:1", f"oci:{layout}:latest")
    run_tool("umoci", "unpack", "--rootless", "--image", f"{layout}:latest", tmp_path / "bundle")
    assert (tmp_path / "bundle" / "rootfs" / "opt" / "venv" / "bin" / "python").is_symlink()
