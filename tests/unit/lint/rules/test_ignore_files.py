"""Ignore files."""

from pathlib import Path

import pytest

from shipwheel.lint.linting import Selection, lint
from support.linting import Twin, write

WHOLE = "FROM python:3.12-slim\nWORKDIR /app\nCOPY . .\nRUN pip install -r requirements.txt\n"
CORE = ".git\n.venv\n**/__pycache__\n.env\n"
IGNORE = ".dockerignore"
APP = {"Dockerfile": WHOLE, "app.py": "x = 1\n", "requirements.txt": "numpy==2.1.0\n"}
MISSING = [
    Twin(rule="ignore-missing", name=IGNORE, files={"Dockerfile": "FROM node:20\nCOPY . .\n"}, good="node_modules\n"),
    Twin(  # alone: what nearly every project has
        rule="ignore-missing",
        name=IGNORE,
        bad="data\n__pycache__\n",
        good=CORE + "data\n",
        says=".git, venv, .venv and .env",
        fixed="data\n__pycache__\n.git\nvenv\n.venv\n.env\n",
    ),
    Twin(
        rule="ignore-missing",
        name=IGNORE,
        bad=CORE,
        good="*\n!src\n!requirements.txt\n",
        says="data, mlruns, wandb, checkpoints and notebooks",
        fixed=CORE + "data\nmlruns\nwandb\ncheckpoints\nnotebooks\n",
    ),
    Twin(  # .git lies at the top of the checkout, not in the folder of a service
        rule="ignore-missing",
        name="service/.dockerignore",
        files={"service/Dockerfile": WHOLE, "service/requirements.txt": "numpy==2.1.0\n", "service/.gitignore": "out\n"},
        good_files={".git/HEAD": "ref: refs/heads/main\n"},
        bad="*.md\n",
        good="*.md\n",
        says="does not leave out .git",
    ),
    *(
        Twin(  # no build reads the ignore file of a folder that is no context
            rule=rule,
            name="api/.dockerignore",
            files={"api/Dockerfile": WHOLE, "api/main.py": "x = 1\n", "api/inner/a.py": "x = 1\n"},
            bad_files={"api/requirements.txt": "numpy==2.1.0\n", "api/.gitignore": ".venv\n__pycache__\n"},
            good_files={
                "compose.yaml": "services:\n  api:\n    build: {context: ., dockerfile: api/Dockerfile}\n",
                "requirements.txt": "numpy==2.1.0\n",
                "api/.gitignore": ".venv\n__pycache__\n",
            },
            bad="__pycache__\n",
            good="__pycache__\n",
        )
        for rule in ("ignore-missing", "ignore-not-recursive")
    ),
    Twin(  # the code lies elsewhere
        rule="ignore-missing",
        name=IGNORE,
        files={"Dockerfile": WHOLE, "requirements.txt": "numpy==2.1.0\n"},
        bad=".git\nvenv\nlogs\n",
        good=".git\nvenv\nlogs\n.env\n**/__pycache__\n",
        says=".env",
    ),
    Twin(rule="ignore-missing", name=IGNORE, good=".git/\nvenv/**\n**/*.pyc\n.env*\nmodels/\n"),
    Twin(  # what is there
        rule="ignore-missing",
        name=IGNORE,
        files={**APP, "mlruns/0/meta.yaml": "a: 1\n", ".env": "A=1\n", "wandb/run/log.txt": "x\n"},
        bad="*.md",
        good=".env\nmlruns\nwandb\n",
        says=".env, mlruns and wandb",
        fixed="*.md\n.env\nmlruns\nwandb\n",
    ),
    Twin(
        rule="ignore-missing",
        name=IGNORE,
        files={**APP, ".gitignore": ".venv/\n__pycache__/\ndata/\n"},
        bad="*.md\r\n",
        good=".git\r\n.venv\r\n**/__pycache__\r\n",
        fixed="*.md\r\n.git\r\n.venv\r\n**/__pycache__\r\n",
    ),
    Twin(  # a package, what a COPY takes, what code reads, what is kept on purpose
        rule="ignore-missing",
        name=IGNORE,
        files={**APP, "data/__init__.py": "", "data/x.csv": "1\n"},
        good="*.md\n",
    ),
    Twin(
        rule="ignore-missing",
        name=IGNORE,
        files={**APP, "Dockerfile": WHOLE + "COPY mlruns/0 /model\n", "mlruns/0/meta.yaml": "a: 1\n"},
        good="*.md\n",
    ),
    Twin(
        rule="ignore-missing", name=IGNORE, files={**APP, "app.py": "open('data/x.csv')\n", "data/x.csv": "1\n"}, good="*.md\n"
    ),
    Twin(rule="ignore-missing", name=IGNORE, files={**APP, "wandb/x": "1\n"}, good="*.md\n!wandb/x\n"),
    Twin(
        rule="ignore-missing",
        name=IGNORE,
        files={**APP, "Dockerfile": "FROM python:3.12\nCOPY app.py /\n", ".env": "A=1\n"},
        good="*.md\n",
    ),
    Twin(
        rule="ignore-missing",
        name=IGNORE,
        files={**APP, "pyproject.toml": '[build-system]\nrequires = ["setuptools-scm"]\n', ".git/HEAD": "x\n"},
        good="*.md\n",
    ),
    Twin(
        rule="ignore-missing",
        name=IGNORE,
        files={**APP, ".git/HEAD": "x\n"},
        bad="*.md\n",
        good="*.md\n.git\n",
        says=".git",
        fixed="*.md\n.git\n",
    ),
]
RECURSIVE = [
    Twin(
        rule="ignore-not-recursive",
        name=IGNORE,
        bad=".git\n__pycache__/\n*.py[cod]\n",
        good=".git\n**/__pycache__/\n**/*.py[cod]\n",
        line=2,
        fixed=".git\n**/__pycache__/\n**/*.py[cod]\n",
    ),
    Twin(
        rule="ignore-not-recursive",
        name=IGNORE,
        bad="/__pycache__\r\n./*.pyc\r\n",
        good="*.pyc\n**/*.pyc\nvenv\ndata\n*.md\nDockerfile*\n",
        fixed="**/__pycache__\r\n**/*.pyc\r\n",
    ),
    Twin(
        rule="ignore-not-recursive",
        name=IGNORE,
        files={**APP, "notebooks/a.ipynb": "{}"},
        bad="*.ipynb\n",
        good="*.ipynb\nnotebooks\n",
        says="*.ipynb",
        fixed="**/*.ipynb\n",
    ),
    Twin(rule="ignore-not-recursive", name=IGNORE, files={**APP, "a.log": "x"}, good="*.log\n"),
    Twin(
        rule="ignore-not-recursive",
        name=IGNORE,
        files={**APP, "Dockerfile": WHOLE + "COPY models/a.pt /\n", "models/a.pt": "x", "b.pt": "x"},
        good="*.pt\n",
    ),
    Twin(rule="ignore-not-recursive", name=IGNORE, good="node_modules\n.mypy_cache\n*.log\n"),
    Twin(  # the code lies elsewhere
        rule="ignore-not-recursive",
        name=IGNORE,
        files={"Dockerfile": WHOLE, "requirements.txt": "numpy==2.1.0\n"},
        bad="__pycache__/\n*.log\n",
        good="**/__pycache__/\n*.log\n",
        says="__pycache__",
    ),
    Twin(  # all code lies at the top
        rule="ignore-not-recursive",
        name=IGNORE,
        files={**APP, "tests/data.txt": ""},
        bad_files={"tests/test_app.py": ""},
        bad="__pycache__\n",
        good="__pycache__\n",
    ),
    Twin(rule="ignore-not-recursive", name=IGNORE, good="*\n!src/**\n**/*.pyc\n"),
]
HATCH = '[build-system]\nbuild-backend = "hatchling.build"\n[project]\nname = "x"\nreadme = "README.md"\n'
INSTALL = "FROM python:3.12-slim\nWORKDIR /app\nCOPY . .\nRUN pip install .\n"
NEEDED = [
    Twin(  # ONBUILD copies from the context of those who build upon the image
        rule="ignore-drops-needed",
        name=IGNORE,
        bad_files={"Dockerfile": "FROM python:3.12\nCOPY model.pkl /\n"},
        good_files={"Dockerfile": "FROM python:3.12\nONBUILD COPY model.pkl /\n"},
        bad="*\n",
        good="*\n",
    ),
    Twin(
        rule="ignore-drops-needed",
        name=IGNORE,
        files={**APP, "Dockerfile": "FROM python:3.12\nCOPY model.pkl app.py /\n", "model.pkl": "x"},
        bad=".git\n*.pkl\n",
        good=".git\n*.pkl\n!model.pkl\n",
        line=2,
        says="*.pkl leaves out model.pkl, which COPY copies",
    ),
    Twin(
        rule="ignore-drops-needed",
        name=IGNORE,
        files={"Dockerfile": INSTALL, "pyproject.toml": HATCH, "README.md": "x"},
        bad="*.md\n",
        good="*.md\n!README.md\n",
        says="README.md",
    ),
    Twin(  # setuptools only warns
        rule="ignore-drops-needed",
        name=IGNORE,
        files={
            "Dockerfile": INSTALL,
            "pyproject.toml": HATCH.replace("hatchling.build", "setuptools.build_meta"),
            "README.md": "x",
        },
        good="*.md\n",
    ),
    Twin(
        rule="ignore-drops-needed",
        name=IGNORE,
        files={"Dockerfile": INSTALL, "setup.py": 'long = open("README.md").read()\n', "README.md": "x"},
        bad="*.md\n",
    ),
    Twin(rule="ignore-drops-needed", name=IGNORE, files=APP, bad="*.txt\n", good="*.md\n", says="requirements.txt"),
    Twin(
        rule="ignore-drops-needed",
        name=IGNORE,
        files={
            "Dockerfile": "FROM python:3.12\nRUN --mount=type=bind,source=uv.lock,target=uv.lock uv sync --locked\n",
            "uv.lock": "version = 1\n",
        },
        bad="*.lock\n",
        good="*.log\n",
        says="RUN mounts",
    ),
    Twin(
        rule="ignore-drops-needed",
        name=IGNORE,
        files={
            "Dockerfile": "FROM a\nWORKDIR /app\nCOPY . .\nRUN uv sync --locked\n",
            "pyproject.toml": "",
            "uv.lock": "version = 1\n",
        },
        bad="*.lock\n",
        good="poetry.lock\n",
        says="uv.lock",
    ),
    Twin(  # folders of which something is kept, other stages, patterns
        rule="ignore-drops-needed",
        name=IGNORE,
        files={**APP, "Dockerfile": "FROM a AS b\nFROM a\nCOPY src /s\nCOPY --from=b /x.md /\nCOPY *.md /d/\n", "src/a.py": ""},
        good="*\n!src/a.py\n",
    ),
]
TWINS = [*MISSING, *RECURSIVE, *NEEDED]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twin(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)


def test_of_a_dockerfile_alone_the_copy_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"Dockerfile": "FROM a\nCOPY model.pkl /\n", IGNORE: "*.pkl\n", "model.pkl": "x"})
    found = lint([tmp_path / "Dockerfile"], Selection(select=frozenset({"ignore-drops-needed"})), root=tmp_path).findings
    assert [(one.source.name, one.message) for one in found] == [
        ("Dockerfile", "*.pkl of the ignore file leaves out model.pkl")
    ]
