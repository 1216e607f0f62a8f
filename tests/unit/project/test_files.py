"""Which files go into the image."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path
from string import ascii_lowercase

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shipwheel.errors import ProjectError
from shipwheel.project.files import find_files
from shipwheel.project.ignore import DockerRules
from shipwheel.project.settings import Settings


def paths(root: Path, **chosen: object) -> set[str]:
    return {file.path for file in find_files(root, Settings(**chosen)).files}  # type: ignore[arg-type]


def reasons(root: Path, **chosen: object) -> dict[str, str]:
    return {item.path: item.reason for item in find_files(root, Settings(**chosen)).left_out}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (".env", "may hold secrets"),
        ("conf/.env.production", "may hold secrets"),
        ("server.key", "may hold secrets"),
        (".aws/credentials", "may hold secrets"),
        ("id_rsa", "may hold secrets"),
        (".git/config", "version control"),
        ("pkg/__pycache__/a.pyc", "cache"),
        ("data/train.txt", "data"),
        ("checkpoints/last.pt", "training output"),
        ("wandb/run", "training output"),
        ("explore.ipynb", "notebook"),
        ("Dockerfile", "container files"),
        ("docker-compose.yml", "container files"),
        ("shipwheel.lock", "container files"),
        ("shipwheel.toml", "container files"),
    ],
)
def test_left_out_by_default_with_its_reason(make, name: str, reason: str) -> None:
    root = make({"app.py": "", name: "x"})
    assert paths(root) == {"app.py"}
    assert set(reasons(root).values()) == {reason}


@pytest.mark.parametrize(
    "name",
    [
        ".env.example",
        "models/best.pt",
        "model.joblib",
        "pkg/data/labels.csv",
        "labels.csv",
        "data/__init__.py",
        "tests/test_a.py",
        "README.md",
        "sub/runs/x.py",
        "sub/shipwheel.lock",
    ],
)
def test_kept(make, name: str) -> None:
    extra = {"data/__init__.py": ""} if name.startswith("data/") else {}
    assert name in paths(make({name: "x", **extra}))


def test_a_virtual_environment_is_known_by_its_marker(make) -> None:
    root = make({"app.py": "", "whatever/pyvenv.cfg": "", "whatever/lib/x.py": "", "conda/conda-meta/history": ""})
    assert paths(root) == {"app.py"}
    assert reasons(root) == {"whatever/": "virtual environment", "conda/": "virtual environment"}


def test_large_tables_are_data_and_small_ones_are_not(make) -> None:
    root = make({"small.csv": "a,b", "large.csv": b"x" * (1 << 20), "pkg/large.parquet": b"x" * (1 << 20)})
    assert paths(root) == {"small.csv"}
    assert "large.csv" in paths(root, include=("large.csv",))


def test_include_brings_back_and_exclude_takes_away(make) -> None:
    root = make({"data/a.csv": "", "data/b/c.csv": "", "notes.md": "", ".env": "", "x.ipynb": "", ".cache/m/w.bin": ""})
    assert paths(root, exclude=("*.md",)) == set()
    assert paths(root, include=("data/b/",)) == {"data/b/c.csv", "notes.md"}
    assert paths(root, include=("/data/*.csv", ".env", ".cache/m"), exclude=("*.md",)) == {
        "data/a.csv",
        ".env",
        ".cache/m/w.bin",
    }


def test_including_a_folder_does_not_bring_back_its_secrets_and_caches(make) -> None:
    root = make({"data/a": "", "data/.env": "", "data/__pycache__/x.pyc": "", "data/.git/config": ""})
    assert paths(root, include=("data",)) == {"data/a"}
    assert paths(root, include=("data", "data/.env")) == {"data/a", "data/.env"}


def test_a_pattern_for_anywhere_does_not_reach_into_virtual_environments(make) -> None:
    root = make({"venv/pyvenv.cfg": "", "venv/x.csv": "", "data/x.csv": ""})
    assert paths(root, include=("*.csv",)) == {"data/x.csv"}


def test_gitignore_is_honoured_at_every_level_and_above(make) -> None:
    root = make(
        {
            ".gitignore": "*.log2\n/only_top\nskip/\n!keep.log2\n",
            "a.log2": "",
            "keep.log2": "",
            "only_top": "",
            "sub/only_top": "",
            "skip/x": "",
            "sub/.gitignore": "!a.log2\nlocal\n",
            "sub/a.log2": "",
            "sub/local": "",
            "local": "",
        }
    )
    (root.parent / ".git").mkdir()
    (root.parent / ".gitignore").write_text("local\ndemo/keep.log2\n")
    assert paths(root) == {".gitignore", "sub/.gitignore", "keep.log2", "sub/only_top", "sub/a.log2"}


def test_a_project_that_is_itself_ignored_is_still_built(make) -> None:
    root = make({"app.py": ""})
    (root.parent / ".git").mkdir()
    (root.parent / ".gitignore").write_text("demo/\n")
    assert paths(root) == {"app.py"}


def test_model_folders_stay_although_git_ignores_them(make) -> None:
    root = make(
        {".gitignore": "models/\n*.onnx\n", "models/a.onnx": "", "models/config.json": "", "out/b.onnx": "", "c.onnx": ""}
    )
    assert paths(root) == {".gitignore", "models/a.onnx", "models/config.json"}
    assert "out/b.onnx" in paths(root, model="out/b.onnx")


def test_a_named_model_is_taken_by_its_very_name(make) -> None:
    root = make({"checkpoints/best [1].ckpt": "", "checkpoints/last.ckpt": ""})
    assert paths(root, model="checkpoints/best [1].ckpt") == {"checkpoints/best [1].ckpt"}


def test_dockerignore_with_exceptions(make) -> None:
    root = make(
        {".dockerignore": "*\n!app\n!main.py\napp/secret\n", "app/a.py": "", "app/secret/x": "", "main.py": "", "b/c": ""}
    )
    assert paths(root) == {"app/a.py", "main.py"}


@pytest.mark.parametrize(
    ("lines", "path", "out"),
    [
        (["foo"], "foo", True),
        (["foo"], "foo/bar", True),
        (["foo"], "a/foo", False),
        (["/foo/"], "foo/x", True),
        (["*/foo"], "a/foo", True),
        (["*/foo"], "a/b/foo", False),
        (["**/foo"], "foo", True),
        (["**/foo"], "a/b/foo", True),
        (["a/**"], "a/b/c", True),
        (["*.py"], "a.py", True),
        (["*.py"], "b/a.py", False),
        (["?.py"], "ab.py", False),
        (["a[0-9]"], "a5", True),
        (["a[^0-9]"], "a5", False),
        (["# foo", "", "a"], "# foo", False),
        (["*", "!a/b"], "a/b/c", False),
        (["!a", "*"], "a", True),
        (["./a//b/"], "a/b", True),
        ([r"a\*"], "ab", False),
        ([r"a\*"], "a*", True),
    ],
)
def test_dockerignore_patterns(lines: list[str], path: str, out: bool) -> None:
    assert DockerRules.parse(lines).leaves_out(path) is out


def test_what_no_image_can_hold_is_named_all_at_once(make, tmp_path: Path) -> None:
    root = make({"app.py": "", "sub/x": ""})
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "sock"))
        (root / "dangling").symlink_to("nowhere")
        (root / "escape").symlink_to("../outside")
        (tmp_path / "outside").write_text("")
        (root / "absolute").symlink_to(root / "app.py")
        (root / "sub" / "loop").symlink_to("loop")
        with pytest.raises(ProjectError) as caught:
            find_files(root, Settings())
    assert [problem.file for problem in caught.value.problems] == ["absolute", "dangling", "escape", "pipe", "sock", "sub/loop"]
    assert paths(root, exclude=("absolute", "dangling", "escape", "pipe", "sock", "loop")) == {"app.py", "sub/x"}


def test_links_inside_the_project_stay_links(make) -> None:
    root = make({"pkg/a.txt": "", "data/x": ""})
    (root / "link").symlink_to("pkg/a.txt")
    (root / "folder").symlink_to("pkg")
    (root / "pkg" / "up").symlink_to("../link")
    (root / "to_data").symlink_to("data/x")
    found = find_files(root, Settings())
    assert {file.path: file.target for file in found.files if file.target} == {
        "link": "pkg/a.txt",
        "folder": "pkg",
        "pkg/up": "../link",
    }
    assert {item.path for item in found.left_out} == {"data/", "to_data"}


def test_modes_come_from_the_owners_bit_alone(make) -> None:
    root = make({"run.sh": "", "plain": ""})
    (root / "run.sh").chmod(0o700)
    (root / "plain").chmod(0o606)
    assert {file.path: file.mode for file in find_files(root, Settings()).files} == {"plain": 0o644, "run.sh": 0o755}


def test_an_unreadable_file_is_named(make) -> None:
    root = make({"app.py": "", "private": ""})
    (root / "private").chmod(0)
    if os.access(root / "private", os.R_OK):
        pytest.skip("root can read everything")
    with pytest.raises(ProjectError, match="private: cannot be read"):
        find_files(root, Settings())


def test_left_out_is_told_by_top_folder(make) -> None:
    found = find_files(make({"a/x.ipynb": "12", "a/b/y.ipynb": "3", "z.ipynb": ""}), Settings()).left_out
    assert [(item.path, item.count, item.size) for item in found] == [("a/", 2, 3), ("z.ipynb", 1, 0)]


def test_twenty_thousand_files_take_well_under_a_second(tmp_path: Path) -> None:
    for folder in range(200):
        (tmp_path / f"d{folder}").mkdir()
        for number in range(100):
            (tmp_path / f"d{folder}" / f"{number}.txt").touch()
    (tmp_path / ".gitignore").write_text("\n".join(f"*.x{number}\n/d{number}/no\nfoo{number}/" for number in range(20)))
    start = time.process_time()
    assert len(find_files(tmp_path, Settings()).files) == 20_001
    assert time.process_time() - start < 1.5


NAMES = ["a", "b", "ab", "a.x", "b.x", "c d"]
PATHS = [*NAMES, *(f"{one}/{two}" for one in NAMES[:3] for two in NAMES), *(f"a/b/{name}" for name in NAMES)]
pieces = st.sampled_from(["a", "b", "ab", "*", "**", "?", "*.x", "[ab]", "[!a]", "a*", "c d", "b.x", r"\a"])
patterns = st.builds(
    lambda negated, start, parts, end: negated + start + "/".join(parts) + end,
    st.sampled_from(["", "", "", "!"]),
    st.sampled_from(["", "", "/"]),
    st.lists(pieces, min_size=1, max_size=3),
    st.sampled_from(["", "", "/", "  "]),
)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    for letter in ascii_lowercase[:2]:
        (root / letter).mkdir()
    for path in ("a/b", "ab", "a/ab", "b/a", "b/ab"):
        (root / path).mkdir(exist_ok=True)
    for path in PATHS:
        if not (root / path).is_dir():
            (root / path).parent.mkdir(exist_ok=True, parents=True)
            (root / path).touch()
    return root


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(patterns, min_size=1, max_size=4), st.lists(patterns, max_size=2))
def test_git_agrees_about_what_is_ignored(repository: Path, lines: list[str], nested: list[str]) -> None:
    (repository / ".gitignore").write_text("\n".join(lines))
    (repository / "a" / ".gitignore").write_text("\n".join(nested))
    listed = subprocess.run(
        ["git", "-c", "core.excludesFile=", "ls-files", "-z", "--others", "--exclude-standard"],
        cwd=repository,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    assert paths(repository) == set(listed.split("\0")) - {""}
