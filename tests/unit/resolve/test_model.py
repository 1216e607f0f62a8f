"""The hashes of a served model: pinned by a lock, compared by a build."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shipwheel.errors import NetworkError, ProjectError, ResolveError, StaleLockError
from shipwheel.hashes import Hashes
from shipwheel.http import Client, Limits
from shipwheel.lock import Lock, ModelFile, PlatformLock, Wheel
from shipwheel.oci.blob import Platform
from shipwheel.project import Project, load_project
from shipwheel.resolve.fingerprint import fingerprint
from shipwheel.resolve.model import LockedModel, check_model, delivery_extras, file_of, folder_of, lock_model, runtime_extras
from shipwheel.runtime import NAME, runtime_wheel
from support.index import FileServer, serve
from support.models import PACKAGES, bundle_files, write_files

NEEDS = {"requirements.txt": "scikit-learn\n"}


@pytest.fixture
def client() -> Iterator[Client]:
    with Client(limits=Limits(connect=2, stall=5, attempts=2, backoff=0.01)) as made:
        yield made


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[FileServer]:
    with serve(FileServer(tmp_path / "remote")) as server:
        yield server


def project_with(root: Path, files: dict[str, str], settings: str = "") -> Project:
    return load_project(write_files(root, {**files, **NEEDS, "shipwheel.toml": settings}))


def delivered(how: str, source: str = "") -> str:
    return f'[serve]\ndelivery = "{how}"\n' + (f'source = "{source}"\n' if source else "")


def lock_of(model: LockedModel | None, *wheels: Wheel) -> Lock:
    platforms = (PlatformLock(platform=Platform(), wheels=wheels),)
    return Lock(fingerprint="", python="3.11", suite="bookworm", platforms=platforms, model=model.files if model else ())


def pin(path: Path, name: str = "") -> ModelFile:
    data = path.read_bytes()
    return ModelFile(path=name or path.name, sha256=hashlib.sha256(data).hexdigest(), size=len(data))


def test_every_file_of_a_bundle_is_pinned(tmp_path: Path, client: Client) -> None:
    project = project_with(tmp_path, bundle_files())
    model = lock_model(project, client)
    assert model is not None
    names = ("bundle.json", "golden/request.json", "model.skops")
    assert model.files == tuple(pin(tmp_path / "model" / name, name) for name in names)
    assert runtime_extras(project, model.served) == ("skops",)
    assert dict(model.served.trained.packages) == PACKAGES


def test_a_project_without_a_model_or_with_a_class_has_nothing_to_pin(tmp_path: Path, client: Client) -> None:
    assert lock_model(project_with(tmp_path, {"main.py": "print(1)"}), client) is None
    model = lock_model(project_with(tmp_path, {}, 'model = "main:Model"'), client)
    assert model is not None
    assert model.files == ()


def test_a_file_that_its_bundle_does_not_vouch_for_is_an_error(tmp_path: Path, client: Client) -> None:
    project = project_with(tmp_path, bundle_files())
    (tmp_path / "model/model.skops").write_text("other")
    with pytest.raises(ProjectError, match=r"model/bundle.json lists other files(?s:.*)model/model.skops"):
        lock_model(project, client)


def test_a_model_file_says_what_it_was_made_with(tmp_path: Path, client: Client) -> None:
    import sklearn
    from sklearn.linear_model import LogisticRegression

    project = project_with(tmp_path, {"churn.pkl": "x"})
    (tmp_path / "churn.pkl").write_bytes(pickle.dumps(LogisticRegression()))
    model = lock_model(project, client)
    assert model is not None
    assert model.files == (pin(tmp_path / "churn.pkl"),)
    assert model.served.trained.packages.get("scikit-learn") == sklearn.__version__


def test_a_file_that_nobody_can_read_is_pinned_all_the_same(tmp_path: Path, client: Client) -> None:
    model = lock_model(project_with(tmp_path, {"churn.pkl": "no pickle"}), client)
    assert model is not None
    assert model.files == (pin(tmp_path / "churn.pkl"),)


@pytest.mark.parametrize("source", ["s3://bucket/wine", "https://host.invalid/wine/"])
def test_a_copy_on_this_machine_is_believed_before_the_source(tmp_path: Path, client: Client, source: str) -> None:
    model = lock_model(project_with(tmp_path, bundle_files(), delivered("download", source)), client)
    assert model is not None
    assert len(model.files) == 3


def test_of_a_bundle_that_comes_later_its_bundle_json_is_enough(tmp_path: Path, client: Client) -> None:
    files = bundle_files()
    model = lock_model(project_with(tmp_path / "whole", files), client)
    part = {"model/bundle.json": files["model/bundle.json"]}
    for settings in (delivered("mount"), delivered("download", "s3://bucket/wine")):
        assert lock_model(project_with(tmp_path / "part", part, settings), client) == model


@pytest.mark.parametrize("scheme", ["http", "file"])
def test_a_bundle_is_read_from_its_source(tmp_path: Path, client: Client, remote: FileServer, scheme: str) -> None:
    write_files(tmp_path / "remote", bundle_files(""))
    source = f"{remote.url}/files/" if scheme == "http" else (tmp_path / "remote").as_uri()
    project = project_with(tmp_path / "here", {}, delivered("download", source))
    model = lock_model(project, client)
    assert model is not None
    assert {each.path for each in model.files} == {"bundle.json", "golden/request.json", "model.skops"}
    assert model.files[0] == pin(tmp_path / "remote/bundle.json")
    assert runtime_extras(project, model.served) == ("remote", "skops")
    assert not [path for path in remote.paths() if "skops" in path]  # bundle.json says it all


def test_a_model_file_is_read_from_its_source(tmp_path: Path, client: Client, remote: FileServer) -> None:
    write_files(tmp_path / "remote", {"churn-3.onnx": "weights"})
    model = lock_model(project_with(tmp_path / "here", {}, delivered("download", f"{remote.url}/files/churn-3.onnx")), client)
    assert model is not None
    assert model.files == (pin(tmp_path / "remote/churn-3.onnx"),)


def test_a_source_that_has_none_is_an_error(tmp_path: Path, client: Client, remote: FileServer) -> None:
    write_files(tmp_path / "remote", {"bundle.json": "{}"})
    with pytest.raises(NetworkError):
        lock_model(project_with(tmp_path / "here", {}, delivered("download", f"{remote.url}/files/absent")), client)
    with pytest.raises(ResolveError, match="is not that of a bundle"):
        lock_model(project_with(tmp_path / "here", {}, delivered("download", f"{remote.url}/files")), client)


@pytest.mark.parametrize("settings", [delivered("mount"), delivered("download", "gs://bucket/wine")])
def test_where_hashes_cannot_be_read_a_copy_is_needed(tmp_path: Path, client: Client, settings: str) -> None:
    with pytest.raises(ProjectError, match="its hashes cannot be read") as caught:
        lock_model(project_with(tmp_path, {}, settings), client)
    assert "put a copy there" in caught.value.hint


def test_the_name_at_the_source_counts(tmp_path: Path, client: Client) -> None:
    project = project_with(tmp_path, {"churn.onnx": "weights"}, delivered("download", "s3://bucket/churn-3.onnx"))
    model = lock_model(project, client)
    assert model is not None
    assert [each.path for each in model.files] == ["churn-3.onnx"]
    check_model(project, lock_of(model), Hashes(tmp_path / "notes").sha256)


@pytest.mark.parametrize(
    ("source", "folder", "file"),
    [
        ("https://x/wine/7/", "https://x/wine/7", ""),
        ("https://x/a%20b.onnx?v=1", "https://x?v=1", "a b.onnx"),
        ("s3://bucket/deep/m.pkl", "s3://bucket/deep", "m.pkl"),
        ("file:/srv/models/wine", "file:/srv/models/wine", ""),
    ],
)
def test_a_source_is_a_folder_or_a_file(source: str, folder: str, file: str) -> None:
    assert (folder_of(source), file_of(source)) == (folder, file)


@pytest.mark.parametrize(
    ("source", "extra"), [("http://x/y", "remote"), ("file:/x", "remote"), ("s3://x/y", "s3"), ("gs://x/y", "gcs")]
)
def test_extras_for_downloading(tmp_path: Path, source: str, extra: str) -> None:
    assert delivery_extras(project_with(tmp_path, {}, delivered("download", source))) == (extra,)


def test_what_changed_since_the_lock_is_named(tmp_path: Path, client: Client) -> None:
    project = project_with(tmp_path, bundle_files())
    lock, hash_file = lock_of(lock_model(project, client)), Hashes(tmp_path / "notes").sha256
    check_model(project, lock, hash_file)
    (tmp_path / "model/model.skops").write_text("WEIGHTS")  # as long as before
    with pytest.raises(StaleLockError, match=r"the model changed since it was locked\n +model/model.skops: is not as it was"):
        check_model(project, lock, hash_file)
    with pytest.raises(StaleLockError, match=r"golden/request\.json"):
        check_model(project, replace(lock, model=lock.model[:1]), hash_file)


def test_a_model_that_is_not_here_is_nothing_to_compare(tmp_path: Path) -> None:
    project = project_with(tmp_path, {}, delivered("download", "s3://bucket/wine"))
    lock = replace(lock_of(None), model=(ModelFile(path="bundle.json", sha256="0" * 64, size=1),))
    check_model(project, lock, Hashes(tmp_path / "notes").sha256)


def test_another_runtime_than_the_locked_one_makes_the_lock_stale(tmp_path: Path) -> None:
    project, carried = project_with(tmp_path, {"main.py": "print(1)"}), runtime_wheel()
    wheel = Wheel(
        name=NAME, version="0.0.1", filename=carried.filename, sha256=carried.sha256, size=carried.size, source="shipwheel"
    )
    check_model(project, lock_of(None, wheel), Hashes(tmp_path).sha256)
    with pytest.raises(StaleLockError, match=r"another version of the runtime: shipwheel-serve 0\.0\.1") as caught:
        check_model(project, lock_of(None, replace(wheel, sha256="0" * 64)), Hashes(tmp_path).sha256)
    assert "shipwheel lock" in caught.value.hint


def test_the_fingerprint_knows_whether_and_how_a_model_is_served_and_not_which(tmp_path: Path) -> None:
    def of(name: str, files: dict[str, str], settings: str = "") -> str:
        return fingerprint(project_with(tmp_path / name, files, settings))

    script = of("script", {"main.py": "print(1)"})
    served = of("served", bundle_files())
    assert len({script, served, of("later", {}, delivered("download", "s3://b/c")), of("mount", {}, delivered("mount"))}) == 4
    assert served == of("again", bundle_files(weights="others"))
    assert of("here", bundle_files(), delivered("mount")) == of("mount", {}, delivered("mount"))
    assert served == of("tuned", bundle_files(), "[serve]\nworkers = 3\n")
    assert json.loads(bundle_files()["model/bundle.json"])["format"] == 1
