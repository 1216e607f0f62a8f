"""The verbs of the local store, in the order in which one uses them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.cargo import AMD64, ARM64, Mirror, make_script
from support.ship import Ship
from support.wheels import make_wheel


def test_build_json_says_what_was_made(ship: Ship, project: Path) -> None:
    made = ship.build(project, "--no-bytecode", "-t", "demo:1")
    assert list(made) == ["name", "digest", "platforms", "layers", "sizes", "verified", "seconds"]
    assert made["name"] == "demo:1"
    assert made["platforms"] == ["linux/amd64"]
    assert made["sizes"]["compressed"] > sum(layer["size"] for layer in made["layers"])  # and manifest and config
    assert made["sizes"]["unpacked"] == sum(layer["unpacked"] for layer in made["layers"])
    for layer in made["layers"]:
        assert list(layer) == ["platform", "digest", "diff_id", "size", "unpacked", "created_by", "reused", "shared"]
        assert layer["size"] > 0
        assert not layer["reused"]
    again = ship.build(project, "--no-bytecode", "-t", "demo:1")
    assert again["digest"] == made["digest"]
    assert all(layer["reused"] for layer in again["layers"])


def test_build_says_it_as_a_table_on_stderr(ship: Ship, project: Path) -> None:
    said = ship("build", project, "--no-bytecode")
    assert said.out == ""
    lines = said.err.splitlines()
    assert lines[0].split() == ["LAYER", "HOLDS", "SIZE", "UNPACKED"]
    assert any("Debian bookworm with Python 3.11" in line and line.endswith("new") for line in lines)
    assert lines[-3] == "project:latest  linux/amd64"
    assert lines[-2].startswith("sha256:")
    assert " compressed, " in lines[-1]
    assert all(line.endswith("reused") for line in ship("build", project, "--no-bytecode").err.splitlines()[1:-4])


def test_quiet_says_nothing(ship: Ship, project: Path) -> None:
    said = ship("--quiet", "build", project, "--no-bytecode")
    assert (said.out, said.err) == ("", "")


def test_changed_code_makes_one_layer(ship: Ship, project: Path) -> None:
    first = ship.build(project, "--no-bytecode")
    (project / "app.py").write_text('print("changed")\n')
    second = ship.build(project, "--no-bytecode")
    assert [layer["created_by"] for layer in second["layers"] if not layer["reused"]] == ["code"]
    assert second["digest"] != first["digest"]


def test_one_more_requirement_makes_its_layer_and_the_code_that_lists_it(
    ship: Ship, project: Path, mirror: Mirror, shelf: Path
) -> None:
    ship.build(project, "--no-bytecode")
    (project / "requirements.txt").write_text("alpha\nbeta\nlarge\n")
    large = make_wheel(shelf, "large", "1.0", {"large/__init__.py": "X = 1\n"})
    mirror.lock(project, [shelf / "alpha-1.0-py3-none-any.whl", shelf / "beta-2.0-py3-none-any.whl", large])
    second = ship.build(project, "--no-bytecode")
    made = [layer["created_by"] for layer in second["layers"] if not layer["reused"]]
    assert [what for what in made if what != "code"] == ["large 1.0"]


def test_images_inspect_and_df_show_it(ship: Ship, project: Path) -> None:
    made = ship.build(project, "--no-bytecode", "-t", "demo:1")
    (row,) = ship("images", "--json").json
    assert row == {
        "name": "demo:1",
        "digest": made["digest"],
        "platforms": ["linux/amd64"],
        "size": made["sizes"]["compressed"],
        "unpacked": made["sizes"]["unpacked"],
    }
    assert ship("images").out.splitlines()[1].split()[0] == "demo:1"
    shown = ship("inspect", "demo:1", "--json").json
    assert shown["digest"] == made["digest"]
    (image,) = shown["images"]
    assert [layer["digest"] for layer in image["layers"]] == [layer["digest"] for layer in made["layers"]]
    assert image["config"]["User"] == "1000:0"
    assert image["config"]["WorkingDir"] == "/app"
    assert "python app.py" in ship("inspect", "demo:1").out
    usage = ship("df", "--json").json
    assert usage["images"] == 1
    assert usage["downloads"]["count"] >= 4
    assert "1 image in" in ship("df").out


def test_rmi_and_prune_free_what_nothing_needs(ship: Ship, project: Path) -> None:
    ship.build(project, "--no-bytecode", "-t", "demo:1")
    ship("rmi", "demo:1")
    assert ship("images", "--json").json == []
    would = ship("prune", "--all", "--dry-run").out
    assert would.startswith("would free ")
    assert ship("prune", "--all").out == would.replace("would free", "freed")
    usage = ship("df", "--json").json
    assert {key: size["bytes"] for key, size in usage.items() if key != "images"} == dict.fromkeys(usage.keys() - {"images"}, 0)
    ship.build(project, "--no-bytecode", "-t", "demo:1")


def test_prune_keeps_named_images_whole(ship: Ship, project: Path) -> None:
    made = ship.build(project, "--no-bytecode", "-t", "demo:1")
    ship("prune", "--all")
    ship.check_store()
    again = ship.build(project, "--no-bytecode", "-t", "demo:1")
    assert again["digest"] == made["digest"]


@pytest.mark.parametrize("place", ["{}.tar", "oci-archive:{}", "docker-archive:{}", "oci:{}"])
def test_save_and_load_keep_the_digest(ship: Ship, project: Path, tmp_path: Path, place: str) -> None:
    made = ship.build(project, "--no-bytecode", "-t", "demo:1")
    target = place.format(tmp_path / "saved")
    ship("save", "demo:1", target)
    other = ship.having(SHIPWHEEL_HOME=str(tmp_path / "other"))
    assert other("load", target.rpartition(":")[2]).out == "demo:1\n"
    (row,) = other("images", "--json").json
    assert (row["name"], row["digest"]) == ("demo:1", made["digest"])
    other.check_store()


def test_to_writes_elsewhere_too(ship: Ship, project: Path, tmp_path: Path) -> None:
    made = ship.build(project, "--no-bytecode", "--to", f"oci:{tmp_path}/layout", "--to", f"oci-archive:{tmp_path}/image.tar")
    index = json.loads((tmp_path / "layout/index.json").read_text())
    assert [each["digest"] for each in index["manifests"]] == [made["digest"]]
    assert (tmp_path / "image.tar").stat().st_size > 1000


def test_a_store_and_layouts_inside_the_project_stay_out_of_the_image(ship: Ship, project: Path) -> None:
    inside = ship.having(SHIPWHEEL_HOME=str(project / "ci" / "cache"))
    first = inside.build(project, "--no-bytecode", "--to", f"oci:{project}/out")
    assert inside.build(project, "--no-bytecode")["digest"] == first["digest"]


def test_a_folder_is_the_same_project_by_every_name(ship: Ship, project: Path, tmp_path: Path) -> None:
    digest = ship.build(project, "--no-bytecode")["digest"]
    (tmp_path / "link").symlink_to(project)
    assert ship.build(tmp_path / "link", "--no-bytecode")["digest"] == digest
    assert ship("build", "--no-bytecode", "--json", cwd=project).json["digest"] == digest


def test_two_platforms_become_an_index(ship: Ship, project: Path, mirror: Mirror, shelf: Path) -> None:
    mirror.lock(project, [shelf / "alpha-1.0-py3-none-any.whl", shelf / "beta-2.0-py3-none-any.whl"], (AMD64, ARM64))
    made = ship.build(project, "--no-bytecode", "--platform", "linux/amd64", "--platform", "linux/arm64")
    assert made["platforms"] == ["linux/amd64", "linux/arm64"]
    assert {layer["platform"] for layer in made["layers"]} == {"linux/amd64", "linux/arm64"}
    arm = ship.build(project, "--no-bytecode", "--platform", "linux/arm64", "-t", "arm")
    assert arm["platforms"] == ["linux/arm64"]


def test_lock_check_says_whether_the_lock_fits(ship: Ship, project: Path) -> None:
    assert "fits" in ship("lock", project, "--check").err
    (project / "requirements.txt").write_text("alpha\n")
    assert "shipwheel lock" in ship.fails(3, "lock", project, "--check").hint
    (project / "shipwheel.lock").unlink()
    ship.fails(3, "lock", project, "--check")


def test_init_writes_what_it_finds_and_never_again(ship: Ship, tmp_path: Path) -> None:
    folder = make_script(tmp_path / "fresh", "fastapi", "uvicorn", text="from fastapi import FastAPI\napp = FastAPI()\n")
    said = ship("init", folder)
    assert "app:app" in said.err
    assert "app:app" in (folder / "shipwheel.toml").read_text()
    written = {path.name: path.read_bytes() for path in folder.iterdir()}
    ship.fails(2, "init", folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == written


def test_help_names_every_verb(ship: Ship) -> None:
    from shipwheel.cli.main import VERBS

    said = ship("--help")
    for verb in VERBS:
        assert f"\n  {verb} " in said.out
