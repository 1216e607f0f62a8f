"""What a container of a stage runs, and where it listens."""

from pathlib import Path

import pytest

from shipwheel.lint.dockerfile.stages import Dockerfile
from shipwheel.lint.opening import open_workspace
from shipwheel.lint.serving.start import Start, start_of
from support.linting import write

SLIM = "FROM python:3.12-slim-bookworm\nWORKDIR /app\nCOPY . .\n"
RUN = "#!/bin/sh\nset -e\npython migrate.py\nexec uvicorn main:app --host 0.0.0.0 --port 9000\n"
APP = "import uvicorn\n\nuvicorn.run('main:app', port=8081)\n"


def start(folder: Path, text: str, **files: str) -> Start | None:
    """What the last stage starts."""
    write(folder, {"Dockerfile": SLIM + text, "run.sh": RUN, "app.py": APP, **files})
    file = next(open_workspace([folder], root=folder).all(Dockerfile))
    assert file.final
    return start_of(file, file.final)


@pytest.mark.parametrize(
    ("text", "server", "host", "port"),
    [
        ('CMD ["uvicorn", "main:app"]', "uvicorn", "127.0.0.1", "8000"),
        ("CMD python -m uvicorn main:app --host=:: --port 80", "uvicorn", "::", "80"),
        ("CMD uv run --frozen --with x python -m uvicorn main:app --port 81", "uvicorn", "127.0.0.1", "81"),
        ("CMD uv run -m uvicorn main:app", "uvicorn", "127.0.0.1", "8000"),
        ('ENTRYPOINT ["tini", "--"]\nCMD ["gunicorn", "-b", ":8080", "main:app"]', "gunicorn", "0.0.0.0", "8080"),
        ('ENTRYPOINT ["gunicorn"]\nCMD ["-b", "unix:/s", "main:app"]', "gunicorn", None, None),
        ('ENTRYPOINT ["sh", "-c"]\nCMD ["flask --app main run -p 81"]', "flask run", "127.0.0.1", "81"),
        ('ENTRYPOINT ["/app/entry.sh"]\nCMD ["streamlit", "run", "x.py"]', "streamlit run", "0.0.0.0", "8501"),
        ("CMD conda run --no-capture-output -n x jupyter lab --ip=*", "jupyter lab", "*", "8888"),
        ('CMD ["bash", "run.sh"]', "uvicorn", "0.0.0.0", "9000"),
        ('ENTRYPOINT ["./run.sh"]', "uvicorn", "0.0.0.0", "9000"),
        ("CMD python -m vllm.entrypoints.openai.api_server --port $PORT", "vllm serve", "0.0.0.0", None),
        ("ENV UVICORN_HOST=0.0.0.0 UVICORN_PORT=82\nCMD uvicorn main:app", "uvicorn", "0.0.0.0", "82"),
        ("CMD exec python manage.py runserver 0.0.0.0:8000", "manage.py runserver", None, None),
    ],
)
def test_server_with_its_address(tmp_path: Path, text: str, server: str, host: str | None, port: str | None) -> None:
    found = start(tmp_path, text + "\n")
    assert found
    assert found.server
    assert found.server.name == server
    assert (found.host and found.host.value, found.port and found.port.value) == (host, port)


def test_python_file_is_found_through_copies_of_stages(tmp_path: Path) -> None:
    text = "FROM python:3.12\nCOPY --from=0 /app /srv\nCMD python -u /srv/app.py\n"
    found = start(tmp_path, text)
    assert found
    assert (found.file, found.program, found.serves) == ("app.py", "python", True)
    assert found.host
    assert found.host.value == "127.0.0.1"
    assert found.port
    assert found.port.value == "8081"


PROJECT = '[project]\nname = "svc"\nversion = "1"\n[project.scripts]\nsvc-serve = "svc.main:run"\n'
POETRY = '[tool.poetry]\nname = "svc"\n[tool.poetry.scripts]\nsvc-serve = "svc.main:run"\n'
RUNS = """import uvicorn

def run():
    uvicorn.run('svc.main:app', port=8082)

if __name__ == '__main__':
    uvicorn.run('x:y', port=1)
"""


@pytest.mark.parametrize("project", [PROJECT, POETRY])
@pytest.mark.parametrize("place", ["svc/main.py", "src/svc/main.py"])
@pytest.mark.parametrize("program", ["svc-serve", "/opt/venv/bin/svc-serve", "uv run --no-sync svc-serve"])
def test_a_program_of_the_project_runs_its_function(tmp_path: Path, project: str, place: str, program: str) -> None:
    found = start(tmp_path, f"CMD {program}\n", **{"pyproject.toml": project, place: RUNS})
    assert found
    assert (found.file, found.is_python, found.serves) == (place, True, True)
    assert found.port
    assert found.port.value == "8082"


def test_a_package_that_is_run_as_a_module(tmp_path: Path) -> None:
    found = start(tmp_path, "CMD python -m svc\n", **{"svc/__init__.py": "", "svc/__main__.py": APP})
    assert found
    assert (found.file, found.serves) == ("svc/__main__.py", True)


def test_words_of_a_script_stand_elsewhere(tmp_path: Path) -> None:
    found = start(tmp_path, 'CMD ["./run.sh"]\n')
    assert found
    assert (found.script, found.here, found.program) == ("run.sh", False, "uvicorn")
    assert found.place(found.words[0]) == found.span


def test_script_that_runs_its_arguments_is_none(tmp_path: Path) -> None:
    found = start(tmp_path, 'ENTRYPOINT ["./e.sh"]\nCMD ["python", "train.py"]\n', **{"e.sh": '#!/bin/sh\nexec "$@"\n'})
    assert found
    assert found.program == "python"
    assert not found.serves


def test_stage_without_a_command_starts_nothing(tmp_path: Path) -> None:
    assert start(tmp_path, "") is None
    assert start(tmp_path, "ENTRYPOINT []\n") is None
