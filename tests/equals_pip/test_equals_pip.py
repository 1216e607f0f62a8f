"""A dozen small but nasty wheels of the list; `compare.py` does all of it."""

from pathlib import Path

import pytest

from equals_pip.compare import LIST, Pip, compare, read_list

NASTY = {
    "numba": "scripts of .data/scripts that ask for the interpreter",
    "black": "mypyc: a compiled module outside of its package",
    "docutils": "many scripts of old and new names",
    "greenlet": "headers",
    "jupyter-core": "a module beside its package",
    "nodeenv": "one module, one script",
    "notebook": "data: share/jupyter and etc/jupyter",
    "pip": "names with versions",
    "ruff": "an executable in .data/scripts",
    "setuptools": "vendored .dist-info folders, a .pth file",
    "sphinxcontrib-jsmath": "a namespace package",
    "zope-proxy": "headers below a normalized name",
}


@pytest.fixture(scope="module")
def pip(tmp_path_factory: pytest.TempPathFactory) -> Pip:
    return Pip.newest(tmp_path_factory.mktemp("equals-pip"))


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.parametrize("name", NASTY)
def test_a_wheel_equals_what_pip_installs(name: str, pip: Pip) -> None:
    [spec] = [spec for spec, _ in read_list(LIST.read_text()) if spec.partition("==")[0] == name]
    outcome = compare(spec, pip)
    assert not outcome.differences, str(outcome)


def test_the_list_pins_every_version_once() -> None:
    specs = [spec for spec, _ in read_list(Path(LIST).read_text())]
    assert len(specs) >= 60
    assert all(spec.count("==") == 1 and not spec.endswith("=") for spec in specs)
    assert len({spec.partition("==")[0] for spec in specs}) == len(specs)
