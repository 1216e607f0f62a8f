"""Which indexes are used: uv's settings in uv's order, pip's default only where uv says nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipwheel.errors import ConfigError
from shipwheel.project.requirements import Requirements
from shipwheel.resolve.indexes import PYPI, find_indexes, project_indexes, urls_in


def test_the_default_is_pypi(root: Path, tmp_path: Path) -> None:
    found = find_indexes(root, {"HOME": str(tmp_path), "PIP_CONFIG_FILE": "/dev/null"})
    assert (found.default, found.extra, found.find_links) == (PYPI, (), ())
    assert found.environment() == {}


def test_uvs_environment_wins(root: Path) -> None:
    env = {
        "UV_DEFAULT_INDEX": "https://joe:secret@one.example/simple",
        "UV_INDEX": "internal=https://two.example/simple https://three.example/simple",
        "UV_EXTRA_INDEX_URL": "https://four.example/simple",
        "UV_FIND_LINKS": "links,https://five.example/links.html",
        "PIP_INDEX_URL": "https://pip.example/simple",
    }
    (root / "pyproject.toml").write_text('[[tool.uv.index]]\nurl = "https://six.example/simple"\ndefault = true\n')
    found = find_indexes(root, env)
    assert found.default == "https://joe:secret@one.example/simple"
    assert found.extra == ("https://two.example/simple", "https://three.example/simple", "https://four.example/simple")
    assert found.find_links == ((root / "links").as_uri(), "https://five.example/links.html")
    assert found.credentials == {"https://one.example": ("joe", "secret")}
    assert found.environment() == {}
    assert "secret" not in repr(found)


def test_the_projects_tables_are_read(root: Path) -> None:
    (root / "pyproject.toml").write_text(
        '[tool.uv]\nfind-links = ["wheels"]\n'
        '[[tool.uv.index]]\nname = "my-own"\nurl = "https://own.example/simple"\nexplicit = true\n'
        '[[tool.uv.index]]\nurl = "https://main.example/simple"\ndefault = true\n'
    )
    env = {"UV_INDEX_MY_OWN_USERNAME": "joe", "UV_INDEX_MY_OWN_PASSWORD": "p@ss"}
    found = find_indexes(root, env)
    assert found.pages == ("https://joe:p%40ss@own.example/simple", "https://main.example/simple")
    assert found.find_links == ((root / "wheels").as_uri(),)


def test_uv_toml_hides_pyproject_and_the_users_follows(root: Path, tmp_path: Path) -> None:
    (root / "pyproject.toml").write_text('[[tool.uv.index]]\nurl = "https://hidden.example/simple"\n')
    (root / "uv.toml").write_text('extra-index-url = ["https://shown.example/simple"]\n')
    home = tmp_path / "home"
    (home / ".config" / "uv").mkdir(parents=True)
    (home / ".config" / "uv" / "uv.toml").write_text('[pip]\nindex-url = "https://user.example/simple"\n')
    found = find_indexes(root, {"HOME": str(home)})
    assert found.pages == ("https://shown.example/simple", "https://user.example/simple")
    assert find_indexes(root, {"HOME": str(home), "UV_NO_CONFIG": "1", "PIP_CONFIG_FILE": "/dev/null"}).extra == ()


def test_lines_of_requirements_files_count(root: Path) -> None:
    (root / "requirements.txt").write_text(
        "-i https://one.example/simple  # ours\n--extra-index-url=https://two.example/simple\n-f links\nclick\n"
    )
    (root / "links").mkdir()
    needs = Requirements(kind="requirements", files=(root / "requirements.txt",))
    found = project_indexes(root, needs, {"PIP_INDEX_URL": "https://pip.example/simple"})
    assert found.pages == ("https://two.example/simple", "https://one.example/simple")
    assert found.find_links == ((root / "links").as_uri(),)
    assert found.files == needs.files
    pinned = Requirements(kind="poetry.lock", pinned=("--extra-index-url https://three.example/simple", "click==1"))
    assert project_indexes(root, pinned, {}).extra == ("https://three.example/simple",)
    nothing = Requirements(kind="poetry.lock", pinned=("--no-index", "click==1"))
    assert project_indexes(root, nothing, {}).pages == ()


def test_pips_default_index_is_told_to_uv_and_its_extra_ones_are_not(root: Path, tmp_path: Path) -> None:
    config = tmp_path / "pip.conf"
    config.write_text(
        "[global]\nindex-url = https://pip.example/%(x)s\nextra-index-url = https://danger.example\nfind-links = /somewhere\n"
    )
    found = find_indexes(root, {"PIP_CONFIG_FILE": str(config)})
    assert (found.pages, found.find_links) == (("https://pip.example/%(x)s",), ())
    assert found.environment() == {"UV_DEFAULT_INDEX": "https://pip.example/%(x)s"}
    named = find_indexes(root, {"PIP_CONFIG_FILE": str(config), "PIP_INDEX_URL": "https://env.example/simple"})
    assert named.default == "https://env.example/simple"


def test_broken_configuration_is_named(root: Path, tmp_path: Path) -> None:
    (root / "uv.toml").write_text("index = [")
    with pytest.raises(ConfigError, match=r"uv\.toml"):
        find_indexes(root, {})
    with pytest.raises(ConfigError, match="does not exist"):
        find_indexes(root, {"UV_CONFIG_FILE": str(tmp_path / "absent.toml")})
    (tmp_path / "pip.conf").write_text("index-url = x\n")
    with pytest.raises(ConfigError, match=r"pip\.conf"):
        find_indexes(root, {"UV_NO_CONFIG": "1", "PIP_CONFIG_FILE": str(tmp_path / "pip.conf")})


def test_addresses_in_a_lock_of_another_tool(tmp_path: Path) -> None:
    path = tmp_path / "uv.lock"
    path.write_text(
        'sdist = { url = "https://a.example/x/one-1.tar.gz", hash = "sha256:00" }\n'
        'wheels = [{ url = "https://a.example/y/two-1%2Bcpu-py3-none-any.whl#sha256=00" }]\n'
    )
    assert urls_in(path) == {
        "one-1.tar.gz": "https://a.example/x/one-1.tar.gz",
        "two-1+cpu-py3-none-any.whl": "https://a.example/y/two-1%2Bcpu-py3-none-any.whl",
    }
    assert urls_in(tmp_path / "absent") == {}
