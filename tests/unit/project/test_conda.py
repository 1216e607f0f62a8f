"""environment.yml."""

from __future__ import annotations

import pytest

from shipwheel.errors import ProjectError
from shipwheel.project.conda import read_environment


@pytest.mark.parametrize(
    ("conda", "pip"),
    [
        ("numpy", "numpy"),
        ("numpy=1.26", "numpy==1.26.*"),
        ("numpy==1.26.4", "numpy==1.26.4"),
        ("numpy=1.26.4=py311_0", "numpy==1.26.4"),
        ("numpy 1.26.4 py311_0", "numpy==1.26.4"),
        ("numpy=1.26.*", "numpy==1.26.*"),
        ("numpy >=1.20,<2", "numpy>=1.20,<2"),
        ("conda-forge::scikit-learn>=1.3", "scikit-learn>=1.3"),
        ("pytorch::pytorch=2.1", "torch==2.1.*"),
        ("opencv", "opencv-python-headless"),
        ("matplotlib-base=3.8", "matplotlib==3.8.*"),
    ],
)
def test_a_package_of_conda_for_pip(make, conda: str, pip: str) -> None:
    root = make({"environment.yml": f"dependencies:\n  - python=3.11\n  - pip\n  - openssl=3\n  - {conda}\n"})
    found = read_environment(root, "environment.yml")
    assert (found.pinned, found.python) == ((pip,), "==3.11.*")


def test_the_part_for_pip_is_taken_with_the_files_behind_it(make) -> None:
    text = (
        "name: x\nchannels: [defaults]\ndependencies:\n- numpy\n- pip:\n  - fastapi>=0.1  # web\n  - -r more.txt\n  - ./pkg\n"
    )
    root = make({"environment.yml": text, "more.txt": "uvicorn\n-c limits.txt", "limits.txt": "uvicorn<1"})
    found = read_environment(root, "environment.yml")
    assert found.pinned == ("numpy", "fastapi>=0.1", "uvicorn", "./pkg")
    assert [path.name for path in found.paths] == ["environment.yml", "more.txt", "limits.txt"]


def test_every_package_that_pip_cannot_install_is_named_with_its_line(make) -> None:
    text = "dependencies:\n- numpy\n- cudatoolkit=11.8\n- mkl\n- pytorch-cuda=12.1\n- libgdal\n- pandas=1|2\n- r-ggplot2\n"
    with pytest.raises(ProjectError) as caught:
        read_environment(make({"environment.yml": text}), "environment.yml")
    assert [problem.line for problem in caught.value.problems] == [3, 4, 5, 6, 7, 8]
    assert "requirements.txt" in caught.value.hint


def test_what_is_not_yaml_is_named_with_its_line(make) -> None:
    with pytest.raises(ProjectError, match=r"environment.yml:3"):
        read_environment(make({"environment.yml": "dependencies:\n- a: [\n"}), "environment.yml")
