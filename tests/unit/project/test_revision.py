"""The commit that a folder is at, asked of real repositories."""

import subprocess
from pathlib import Path

import pytest

from shipwheel.project.revision import Revision, find_revision, public_address


def git(folder: Path, *words: str) -> str:
    own = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "init.defaultBranch=main"]
    return subprocess.run(["git", *own, *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A committed project in a folder of its repository, beside another."""
    folder = tmp_path / "repository" / "app"
    folder.mkdir(parents=True)
    (folder / "app.py").write_text("print()\n")
    (folder.parent / ".gitignore").write_text("*.log\nmade/\n")
    git(folder.parent, "init", "--quiet")
    commit(folder.parent)
    return folder


def commit(folder: Path) -> str:
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "A change")
    return git(folder, "rev-parse", "HEAD")


def test_a_clean_folder_is_at_its_commit(project: Path) -> None:
    head = git(project, "rev-parse", "HEAD")
    assert find_revision(project) == Revision(commit=head, folder="app")
    assert find_revision(project.parent) == Revision(commit=head)


def test_the_remote_is_named_without_its_credentials(project: Path) -> None:
    git(project, "remote", "add", "origin", "https://ann:secret@git.example.org/team/app.git")
    revision = find_revision(project)
    assert revision
    assert revision.source == "https://git.example.org/team/app"


@pytest.mark.parametrize("name", ["app.py", "new.py"])
def test_a_changed_or_new_file_is_no_commit(project: Path, name: str) -> None:
    (project / name).write_text("print(1)\n")
    assert find_revision(project) is None


def test_a_staged_change_and_a_removed_file_are_no_commit(project: Path) -> None:
    (project / "more.py").write_text("")
    git(project, "add", "more.py")
    assert find_revision(project) is None
    git(project, "reset", "--quiet")
    (project / "more.py").unlink()
    assert find_revision(project)
    (project / "app.py").unlink()
    assert find_revision(project) is None


def test_files_that_git_ignores_and_other_folders_do_not_count(project: Path) -> None:
    (project / "run.log").write_text("")
    (project.parent / "other").mkdir()
    (project.parent / "other" / "new.py").write_text("")
    assert find_revision(project)


def test_a_folder_that_git_ignores_is_not_clean_but_unknown(project: Path) -> None:
    made = project.parent / "made" / "app"
    made.mkdir(parents=True)
    (made / "app.py").write_text("")
    assert find_revision(made) is None


def test_a_repository_without_a_commit_has_none(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    assert find_revision(tmp_path) is None


def test_a_worktree_is_at_its_own_commit(project: Path, tmp_path: Path) -> None:
    git(project, "worktree", "add", "--quiet", str(tmp_path / "tree"))
    (tmp_path / "tree" / "app" / "app.py").write_text("print(2)\n")
    own = commit(tmp_path / "tree")
    found = find_revision(tmp_path / "tree" / "app")
    assert found
    assert found.commit == own != git(project, "rev-parse", "HEAD")


def test_a_folder_outside_of_any_repository_has_none(tmp_path: Path) -> None:
    assert find_revision(tmp_path) is None


def test_a_broken_repository_has_none(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    assert find_revision(tmp_path) is None


def test_without_git_there_is_none(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert find_revision(project) is None


def test_no_program_of_the_repository_is_started(project: Path, tmp_path: Path) -> None:
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    hook.chmod(0o755)
    git(project, "config", "core.fsmonitor", str(hook))
    assert find_revision(project)
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://git.example.org/team/app.git", "https://git.example.org/team/app"),
        ("https://token@git.example.org/team/app", "https://git.example.org/team/app"),
        ("https://ann:se:cret@git.example.org:8443/team/app.git?x=secret", "https://git.example.org:8443/team/app"),
        ("http://git.example.org/team/app/", "http://git.example.org/team/app"),
        ("git@git.example.org:team/app.git", "https://git.example.org/team/app"),
        ("git.example.org:team/app.git", "https://git.example.org/team/app"),
        ("ssh://git@git.example.org:2222/team/app.git", "https://git.example.org/team/app"),
        ("git://git.example.org/team/app.git", "https://git.example.org/team/app"),
        ("alias:team/app.git", ""),
        ("ssh://alias/team/app.git", ""),
        ("/srv/git/app.git", ""),
        ("../app.git", ""),
        ("file:///srv/git/app.git", ""),
        (r"C:\git\app", ""),
        ("https://[broken/app", ""),
        ("https://git.example.org:port/app", ""),
        ("", ""),
    ],
)
def test_an_address_is_one_that_others_can_use(remote: str, address: str) -> None:
    assert public_address(remote) == address
