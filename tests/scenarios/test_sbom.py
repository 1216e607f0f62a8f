"""What an image is made of, from its project and from the store."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from shipwheel.oci.image import Index
from support.cargo import AMD64, ARM64, Mirror, make_script
from support.ship import Ship


def names(document: dict[str, list[dict[str, str]]]) -> set[str]:
    return {each["name"] for each in document["components"]}


def test_a_project_and_its_image_list_the_same(ship: Ship, project: Path) -> None:
    (project / "model.joblib").write_bytes(b"weights")
    ship.build(project, "--no-bytecode", "-t", "demo:1")
    said = ship("sbom", project)
    assert {"alpha", "beta", "base-files", "python3.11-minimal"} <= names(said.json)
    assert ship("sbom", "demo:1").json == said.json
    (model,) = [each for each in said.json["components"] if each["type"] == "machine-learning-model"]
    assert [file["name"] for file in model["components"]] == ["model.joblib"]


def test_it_goes_into_a_file_in_either_format(ship: Ship, project: Path, tmp_path: Path) -> None:
    said = ship("sbom", project, "--format", "spdx", "-o", tmp_path / "sbom.json")
    assert said.out == ""
    assert json.loads((tmp_path / "sbom.json").read_text())["spdxVersion"] == "SPDX-2.3"


def test_an_image_from_elsewhere_has_none(ship: Ship, project: Path, tmp_path: Path) -> None:
    ship.build(project, "--no-bytecode", "-t", "demo:1")
    ship("save", "demo:1", tmp_path / "demo.tar")
    other = ship.having(SHIPWHEEL_HOME=str(tmp_path / "other"))
    other("load", tmp_path / "demo.tar")
    assert "not built here" in other.fails(2, "sbom", "demo:1").error


def test_a_platform_that_is_not_locked_is_refused(ship: Ship, project: Path) -> None:
    assert "linux/arm64" in ship.fails(3, "sbom", project, "--platform", "linux/arm64").error


def git(folder: Path, *words: str) -> str:
    own = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
    return subprocess.run(["git", *own, *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path) -> str:
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "A change")
    return git(folder, "rev-parse", "HEAD")


def annotations(ship: Ship, name: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(ship.image(name).manifest.read()).get("annotations", {})
    return {key.rpartition(".")[2]: text for key, text in found.items()}


def test_a_clean_commit_is_annotated_and_changes_the_manifest_alone(ship: Ship, project: Path) -> None:
    git(project, "init", "--quiet")
    git(project, "remote", "add", "origin", "https://ann:secret@git.example.org/team/app.git")
    first = commit(project)
    made = ship.build(project, "--no-bytecode", "-t", "demo:1")
    assert annotations(ship, "demo:1") == {"revision": first, "source": "https://git.example.org/team/app"}
    before = json.loads(ship.image("demo:1").manifest.read())
    assert ship.build(project, "--no-bytecode", "-t", "demo:1")["digest"] == made["digest"]

    second = commit(project)
    assert ship.build(project, "--no-bytecode", "-t", "demo:1")["digest"] != made["digest"]
    after = json.loads(ship.image("demo:1").manifest.read())
    assert annotations(ship, "demo:1")["revision"] == second
    assert (after["config"], after["layers"]) == (before["config"], before["layers"])


def test_a_dirty_folder_and_the_setting_leave_the_commit_out(ship: Ship, project: Path) -> None:
    plain = ship.build(project, "--no-bytecode")["digest"]
    git(project, "init", "--quiet")
    assert ship.build(project, "--no-bytecode")["digest"] == plain
    commit(project)
    assert ship.build(project, "--no-bytecode")["digest"] != plain
    (project / "shipwheel.toml").write_text("git-annotations = false\n")
    commit(project)
    assert ship.build(project, "--no-bytecode")["digest"] == plain


def test_an_index_and_its_images_tell_what_the_project_says(ship: Ship, shelf: Path, mirror: Mirror, tmp_path: Path) -> None:
    folder = make_script(tmp_path / "both")
    (folder / "pyproject.toml").write_text('[project]\nname = "Both"\nversion = "1.0"\nlicense = "MIT"\n')
    mirror.lock(folder, platforms=(AMD64, ARM64))
    ship.build(folder, "--no-bytecode", "--platform", "linux/amd64", "--platform", "linux/arm64", "-t", "both:1")
    told = {"title": "Both", "version": "1.0", "licenses": "MIT"}
    assert annotations(ship, "both:1") == told
    index = ship.image("both:1")
    assert isinstance(index, Index)
    for image in index.images:
        assert (
            json.loads(image.manifest.read())["annotations"].keys() == json.loads(index.manifest.read())["annotations"].keys()
        )
    listed = [
        ship("sbom", "both:1", "--platform", str(each)).json["metadata"]["properties"][0]["value"] for each in (AMD64, ARM64)
    ]
    assert listed == ["linux/amd64", "linux/arm64"]
