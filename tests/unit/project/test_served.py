"""Models that the runtime serves: which, when, and what goes into the image."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

import shipwheel_serve.settings as runtime
from shipwheel.errors import ConfigError, ProjectError
from shipwheel.project import Project, ServeSettings, load_project, parse_size
from shipwheel.project.init import write_settings
from shipwheel.project.served import ARGV
from support.models import PACKAGES, bundle_files

TRAIN = {"train.py": "if __name__ == '__main__':\n    print(1)\n"}
SCRIPT = {"main.py": "print(1)\n"}
APP = {"app.py": "from fastapi import FastAPI\napp = FastAPI()\n"}
NEEDS = {"requirements.txt": "fastapi\nuvicorn\nscikit-learn\n"}
XGBOOST = '{"learner":{"attributes":{}},"version":[2,0,3]}'


def decided(project: Project, what: str) -> tuple[str, str]:
    return next((item.value, item.why) for item in project.decisions if item.what == what)


def loaded(make, *parts: dict[str, str], settings: str = "") -> Project:
    files = {name: text for part in parts for name, text in part.items()}
    return load_project(make({**files, **({"shipwheel.toml": settings} if settings else {})}))


def test_a_folder_with_a_bundle_is_served(make) -> None:
    project = loaded(make, bundle_files(), TRAIN, NEEDS)
    assert (project.command, project.port) == (ARGV, 8080)
    assert project.served is not None
    assert (project.served.kind, project.served.model, project.served.format) == ("bundle", "model", "skops")
    assert decided(project, "model") == ("model", "bundle (skops, scikit-learn)")
    assert "there is no app" in decided(project, "command")[1]


@pytest.mark.parametrize("place", ["model", "models/wine", "models", ""])
def test_bundles_lie_in_model_models_or_are_the_project_itself(make, place: str) -> None:
    project = loaded(make, bundle_files(place), NEEDS)
    assert project.served is not None
    assert project.served.model == (place or ".")
    held = {file.path for file in project.files}
    assert {*bundle_files(place)} <= held
    assert project.served.paths == {*bundle_files(place)}


def test_git_may_ignore_the_model(make) -> None:
    for ignored in ("/models/\n", "bundle.json\n*.skops\n", "*\n"):
        project = loaded(make, bundle_files("models/a"), NEEDS, {".gitignore": ignored})
        assert {*bundle_files("models/a")} <= {file.path for file in project.files}
    project = loaded(make, {"artifacts/churn.pkl": "x", ".gitignore": "artifacts/\n"}, NEEDS, settings='model = "artifacts"')
    assert "artifacts/churn.pkl" in {file.path for file in project.files}


def test_what_was_taken_is_not_said_to_be_left_out(make) -> None:
    project = loaded(
        make, bundle_files("artifacts/wine"), NEEDS, {".gitignore": "wine/\n"}, settings='model = "artifacts/wine"'
    )
    assert project.served is not None
    assert not [item.path for item in project.left_out if "wine" in item.path]


def test_a_link_to_a_bundle_or_file_is_no_second_one(make) -> None:
    root = make({**bundle_files("models/v3"), **NEEDS})
    (root / "models/current").symlink_to("v3")
    (root / "model").symlink_to("models/v3")
    for settings in ("", 'model = "models/current"\n'):
        (root / "shipwheel.toml").write_text(settings)
        project = load_project(root)
        assert project.served is not None
        assert project.served.model == "models/v3"
        assert {*bundle_files("models/v3")} <= {file.path for file in project.files}


def test_what_the_user_excludes_is_not_served(make) -> None:
    with pytest.raises(ProjectError, match="nothing to run"):
        loaded(make, bundle_files(), NEEDS, settings='exclude = ["model/"]')


def test_what_docker_ignores_is_not_served(make) -> None:
    with pytest.raises(ProjectError, match="nothing to run"):
        loaded(make, {"old.pkl": "x", ".dockerignore": "*.pkl\n"}, NEEDS)


def test_an_app_comes_before_a_bundle(make) -> None:
    assert loaded(make, APP, bundle_files(), NEEDS).command[0] == "uvicorn"


def test_a_bundle_comes_before_a_script(make) -> None:
    assert loaded(make, SCRIPT, bundle_files(), NEEDS).command == ARGV


def test_a_script_comes_before_a_model_file(make) -> None:
    assert loaded(make, SCRIPT, {"churn.pkl": "x"}, NEEDS).command == ("python", "main.py")


def test_an_entry_point_comes_before_a_model_file_unless_it_trains(make) -> None:
    text = '[project]\nname = "x"\nversion = "1"\n[project.scripts]\n{} = "x:main"\n[build-system]\nrequires = []\n'
    package = {"x/__init__.py": "def main(): ...\n", "x/more.py": "", "churn.onnx": "x"}
    assert loaded(make, package, NEEDS, {"pyproject.toml": text.format("answer")}).command == ("answer",)
    assert loaded(make, package, NEEDS, {"pyproject.toml": text.format("train")}).command == ARGV


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *[
            (f"churn{suffix}", "x")
            for suffix in (".skops", ".pkl", ".pickle", ".joblib", ".ubj", ".cbm", ".onnx", ".pt", ".pth")
        ],
        ("model/churn.pt2", "x"),
        ("models/churn.json", XGBOOST),
        ("artifacts/churn.txt", "tree\nversion=v4\n"),
    ],
)
def test_the_one_model_file_is_served_beside_training_scripts(make, name: str, text: str) -> None:
    project = loaded(make, {name: text, "config.json": "{}", "notes.txt": "trees\n"}, TRAIN, NEEDS)
    assert project.served is not None
    assert (project.served.kind, project.served.model, project.served.paths) == ("file", name, {name})
    assert project.command == ARGV


def test_several_are_listed(make) -> None:
    with pytest.raises(ProjectError, match=r"several model files(?s:.*)a\.pkl(?s:.*)b\.joblib") as caught:
        loaded(make, {"a.pkl": "x", "b.joblib": "x"}, TRAIN, NEEDS)
    assert 'model = "a.pkl"' in caught.value.hint
    with pytest.raises(ProjectError, match=r"several bundles(?s:.*)models/a/bundle.json"):
        loaded(make, bundle_files("models/a"), bundle_files("models/b"), NEEDS)


def test_the_setting_chooses_among_several(make) -> None:
    files = {**bundle_files("models/a"), **bundle_files("models/b"), "c.pkl": "x"}
    for model in ("models/b", "c.pkl", "./models/b/"):
        project = loaded(make, files, NEEDS, settings=f'model = "{model}"')
        assert project.served is not None
        assert project.served.model == model.strip("./")


def test_a_class_of_the_project_is_served(make) -> None:
    project = loaded(make, {"src/scores.py": "class Model: ...\n"}, APP, NEEDS, settings='model = "scores:Model"')
    assert project.served is not None
    assert (project.served.kind, project.served.model, project.python_path) == ("class", "scores:Model", ("src",))


def test_a_table_for_serving_comes_before_an_app_and_after_a_command(make) -> None:
    table = "[serve]\nworkers = 2\n"
    assert loaded(make, APP, bundle_files(), NEEDS, settings=table).command == ARGV
    assert loaded(make, SCRIPT, {"churn.pkl": "x"}, NEEDS, settings=table).command == ARGV
    assert loaded(make, bundle_files(), NEEDS, settings=f'command = "python x.py"\n{table}').served is None


def test_a_table_for_serving_without_a_model_is_an_error(make) -> None:
    with pytest.raises(ProjectError, match="there is no model to serve"):
        loaded(make, NEEDS, SCRIPT, settings="[serve]\nworkers = 2\n")


def test_the_port_of_the_settings_wins(make) -> None:
    assert loaded(make, bundle_files(), NEEDS, settings="port = 9000").port == 9000


def test_without_requirements_the_packages_are_those_of_training(make) -> None:
    project = loaded(make, bundle_files())
    assert project.requirements.kind == "bundle"
    assert project.requirements.pinned == tuple(f"{name}=={version}" for name, version in PACKAGES.items())
    assert decided(project, "requirements")[0] == "2 packages"
    other = loaded(make, bundle_files(environment={"python": "3.11.7", "packages": {"torch": "2.1.0+cpu"}}))
    assert other.requirements.pinned == ("torch==2.1.0",)
    assert other.requirements.fingerprint != project.requirements.fingerprint


def test_a_file_alone_does_not_say_what_it_needs(make) -> None:
    with pytest.raises(ProjectError, match=r"nothing says which packages the model churn\.pkl needs"):
        loaded(make, {"churn.pkl": "x"})
    assert loaded(make, {"churn.onnx": "x", "churn.pkl": "x"}, settings='model = "churn.onnx"').requirements.kind == "none"


@pytest.mark.parametrize(("trained", "chosen"), [("3.13.1", "3.13"), ("3.12.4", "3.11"), ("3.14.0", "3.13"), ("3.9.1", "3.11")])
def test_python_is_that_of_training_or_the_nearest_older(make, trained: str, chosen: str) -> None:
    project = loaded(make, bundle_files(environment={"python": trained, "packages": PACKAGES}), NEEDS)
    value, why = decided(project, "python")
    assert (value, trained in why) == (chosen, True)


def test_what_the_project_says_of_python_comes_before_training(make) -> None:
    bundle = bundle_files(environment={"python": "3.13.1", "packages": PACKAGES})
    assert loaded(make, bundle, NEEDS, {".python-version": "3.11\n"}).python == "3.11"


def test_a_bundle_that_is_not_whole_or_too_new_is_an_error(make) -> None:
    files = bundle_files()
    with pytest.raises(ProjectError, match=r"not whole(?s:.*)model/model.skops: is missing"):
        loaded(make, {"model/bundle.json": files["model/bundle.json"]}, NEEDS)
    with pytest.raises(ProjectError, match="has format 2, this shipwheel knows 1"):
        loaded(make, bundle_files(format=2), NEEDS)
    with pytest.raises(ProjectError, match="leads out of it"):
        loaded(make, bundle_files(files={"../x": {"sha256": "", "size": 1}}), NEEDS)


def test_a_bundle_json_of_another_tool_is_none(make) -> None:
    assert loaded(make, {"bundle.json": '{"modules": []}', "models/bundle.json": "[]"}, SCRIPT, NEEDS).served is None


DOWNLOAD = '[serve]\ndelivery = "download"\nsource = "{}"\n'


def test_a_model_that_is_delivered_later_stays_out_of_the_image(make) -> None:
    project = loaded(make, bundle_files(), TRAIN, NEEDS, settings=DOWNLOAD.format("s3://bucket/wine/7"))
    assert not [file.path for file in project.files if file.path.startswith("model/")]
    assert [(item.path, item.reason) for item in project.left_out if item.path == "model"] == [("model", "downloaded at start")]
    assert "not in the image: download" in decided(project, "model")[1]


@pytest.mark.parametrize(
    ("source", "kind", "model"),
    [("https://example.com/wine/7/", "bundle", "model"), ("gs://bucket/churn-3.onnx", "file", "churn-3.onnx")],
)
def test_a_model_that_is_not_here_is_known_by_its_source(make, source: str, kind: str, model: str) -> None:
    served = loaded(make, TRAIN, NEEDS, settings=DOWNLOAD.format(source)).served
    assert served is not None
    assert (served.kind, served.model, served.files) == (kind, model, ())


def test_a_model_that_comes_later_needs_requirements_of_its_own(make) -> None:
    with pytest.raises(ProjectError, match="nothing says which packages"):
        loaded(make, bundle_files(), settings=DOWNLOAD.format("s3://bucket/wine"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ('[serve]\ndelivery = "download"\n', "'download' needs a source"),
        ('[serve]\nsource = "s3://a/b"\n', "'bake' never asks the source"),
        ('model = "a:B"\n[serve]\ndelivery = "mount"\n', "a class is part of the image"),
        ('[serve]\nsource = "https://me:pw@host/x"\n', "must not hold credentials"),
        ("[serve]\nmax-batch-size = 0\n", "0 must be 1 or more"),
        ("[serve]\nworker = 1\n", "did you mean 'workers'"),
        ('[serve]\ngolden = "maybe"\n', "'strict', 'warn' or 'off'"),
    ],
)
def test_settings_that_cannot_mean_anything(make, settings: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        loaded(make, bundle_files(), NEEDS, settings=settings)


def test_the_projects_own_shipwheel_json_would_be_overwritten(make) -> None:
    with pytest.raises(ProjectError, match="which the build writes itself"):
        loaded(make, bundle_files(), NEEDS, {"shipwheel.json": "{}"})


def test_defaults_are_those_of_the_runtime() -> None:
    theirs = {item.name: item.default for item in fields(runtime.Settings)}
    same: dict[str, Any] = {item.name: getattr(ServeSettings(), item.name) for item in fields(ServeSettings)}
    same["max_payload_size"] = parse_size(same["max_payload_size"])
    same |= {"name": same["name"] or "", "source": same["source"] or "", "packages": theirs["packages"]}
    assert same == {name: theirs[name] for name in same}


def test_init_writes_the_model_and_not_the_command(make) -> None:
    project, path = write_settings(make({**bundle_files(), **NEEDS}))
    assert 'model = "model"' in path.read_text()
    assert "command" not in path.read_text().replace("needed by the command", "")
    again = load_project(project.root)
    assert (again.served, again.command) == (project.served, project.command)
