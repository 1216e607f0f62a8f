"""The environment is one that Python itself takes for a virtual environment."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from pathlib import Path

from shipwheel.layers.venv import Schemes, venv_tree
from shipwheel.layers.wheels import wheel_tree
from shipwheel.oci.layer import pack
from shipwheel.oci.tree import Tree
from support.wheels import make_wheel

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
BASE = str(Path(sys.executable).resolve())


def unpack(tree: Tree, into: Path) -> None:
    sink = io.BytesIO()
    pack(tree, sink)
    sink.seek(0)
    with tarfile.open(fileobj=sink, mode="r:gz") as tar:
        tar.extractall(into, filter="fully_trusted")


def python(root: Path, code: str) -> str:
    command = [root / "opt/venv/bin/python", "-c", code]
    return subprocess.run(command, env={}, capture_output=True, text=True, check=True).stdout.strip()


def test_python_takes_it_for_a_virtual_environment(tmp_path: Path) -> None:
    unpack(venv_tree(PYTHON, BASE), tmp_path)
    venv = tmp_path / "opt/venv"
    assert python(tmp_path, "import sys; print(sys.prefix, sys.prefix != sys.base_prefix)") == f"{venv} True"
    assert (
        python(tmp_path, "import site; print(site.getsitepackages())")
        == f"['{venv / 'lib' / f'python{PYTHON}' / 'site-packages'}']"
    )
    assert python(tmp_path, "import sys; print('dist-packages' in str(sys.path))") == "False"


def test_the_schemes_are_those_of_python(tmp_path: Path) -> None:
    unpack(venv_tree(PYTHON, BASE), tmp_path)
    schemes = Schemes(PYTHON)
    for name, folder in (("purelib", schemes.site_packages), ("scripts", schemes.scripts), ("data", schemes.of("data", ""))):
        assert python(tmp_path, f"import sysconfig; print(sysconfig.get_path({name!r}))") == f"{tmp_path}/{folder}"
    assert schemes.of("platlib", "x") == schemes.of("purelib", "x") == schemes.site_packages
    assert schemes.of("nowhere", "x") is None


def test_lib64_is_lib_and_every_name_of_python_is_there(tmp_path: Path) -> None:
    unpack(venv_tree(PYTHON, BASE), tmp_path)
    assert (tmp_path / "opt/venv/lib64").resolve() == tmp_path / "opt/venv/lib"
    for name in ("python", "python3", f"python{PYTHON}"):
        assert (tmp_path / "opt/venv/bin" / name).resolve() == Path(BASE)


def test_an_installed_wheel_is_found_with_its_metadata_and_script(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"demo/__init__.py": "def main(): print('it runs')\n"}
    wheel = make_wheel(tmp_path / "wheels", "demo", "1.0", files, entry_points="[console_scripts]\ndemo = demo:main\n")
    unpack(venv_tree(PYTHON, BASE), tmp_path)
    unpack(wheel_tree(wheel, PYTHON), tmp_path)
    assert python(tmp_path, "from importlib.metadata import version; print(version('demo'))") == "1.0"
    files_of = (
        "from importlib.metadata import files; print(all(f.locate().exists() for f in files('demo')), len(files('demo')))"
    )
    assert python(tmp_path, files_of) == "True 7"
    script = (tmp_path / "opt/venv/bin/demo").read_text()
    assert script.startswith("#!/opt/venv/bin/python\n")
    assert python(tmp_path, script) == "it runs"
