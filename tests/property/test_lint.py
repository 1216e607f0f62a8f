"""Any bytes in a file give findings or a clear error, never a traceback."""

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipwheel.errors import ShipwheelError
from shipwheel.lint.edits.fixing import fixed
from shipwheel.lint.finding import Finding
from shipwheel.lint.linting import lint
from support.dockerfiles import dockerfiles

NAMES = [
    *("Dockerfile", ".dockerignore", "requirements.txt", "compose.yaml", "deployment.yaml", ".github/workflows/a.yml", "a.sh"),
    *("README.md", "Makefile", "app.py", "pyproject.toml"),
]
HEADS = {
    "compose.yaml": b"services:\n  a:\n    image: ",
    "deployment.yaml": b"apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - image: ",
    "app.py": b"from fastapi import FastAPI\napp = FastAPI()\n",
    "README.md": b"```sh\ndocker run ",
}


def findings(name: str, data: bytes) -> tuple[Finding, ...]:
    """Of a folder with that file alone."""
    with TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        with suppress(ShipwheelError):
            return lint([Path(folder)], root=Path(folder)).findings
    return ()


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40)
@given(data=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes(name: str, data: bytes) -> None:
    for found in (*findings(name, data), *findings(name, HEADS.get(name, b"FROM a\n") + data)):
        assert 0 <= found.span[0] <= found.span[1] <= len(found.source.text)


@settings(max_examples=150)
@given(dockerfiles())
def test_any_dockerfile(text: str) -> None:
    found = findings("Dockerfile", text.encode("utf-8", "surrogatepass"))
    for one in found:
        assert one.message
        assert 0 <= one.span[0] <= one.span[1] <= len(text)
    fixed(text, found)
