"""From Dockerfiles to settings."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shipwheel.errors import UsageError
from shipwheel.lint.carry.settings import Carry, carry_over
from shipwheel.project.init import section_text
from shipwheel.project.settings import parse_settings
from support.linting import write

SLIM = "FROM python:3.12-slim-bookworm\n"
FILES = {
    "requirements.txt": "numpy==2.1.0\n",
    "app/main.py": "",
    "serve.py": "",
    "docker/entrypoint.sh": "#!/bin/sh\nexec uvicorn app.main:app\n",
}


def carried(folder: Path, text: str, files: dict[str, str] | None = None) -> tuple[dict[str, object], Carry]:
    write(folder, {**FILES, **(files or {}), "Dockerfile": text})
    found = carry_over(folder / "Dockerfile", folder)
    parse_settings(section_text((one.key, one.value, one.why) for one in found.settings), "shipwheel.toml")
    return {one.key: one.value for one in found.settings}, found


def left(found: Carry) -> str:
    return "\n".join(f"{one.line} {one.what}: {one.why}" for one in found.left)


def test_a_usual_service(tmp_path: Path) -> None:
    settings, found = carried(
        tmp_path,
        "# syntax=docker/dockerfile:1\n"
        + SLIM
        + "ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 \\\n    MODEL=bert\nWORKDIR /code\n"
        "RUN apt-get update && apt-get install -y ffmpeg gcc libgomp1 libgl1-mesa-glx curl\n"
        "COPY requirements.txt .\nRUN pip install -r requirements.txt\nCOPY . .\nRUN useradd -u 10001 app\n"
        "USER app\nEXPOSE 8000\n"
        'CMD ["uvicorn", "app.main:app", "--host", "0.0.0.0"]\n',
    )
    assert settings == {
        "base": "python:3.12-slim-bookworm",
        "python": "3.12",
        "requirements": ["requirements.txt"],
        "system-packages": ["ffmpeg", "libgl1"],
        "command": ["uvicorn", "app.main:app", "--host", "0.0.0.0"],
        "port": 8000,
        "env": {"PYTHONUNBUFFERED": "1", "MODEL": "bert"},
        "user": 10001,
    }
    assert left(found) == "6 apt packages curl: tools of the build; add what the service runs to system-packages"
    assert next(one.why for one in found.settings if one.key == "port") == "line 12, EXPOSE"


def test_stages_that_make_an_environment(tmp_path: Path) -> None:
    settings, found = carried(
        tmp_path,
        SLIM.replace("\n", " AS build\n")
        + "COPY --from=ghcr.io/astral-sh/uv:0.9 /uv /bin/\nCOPY uv.lock pyproject.toml ./\nRUN uv sync --frozen\n"
        "RUN make -C native\n"
        + SLIM
        + "COPY --from=build /app/.venv /app/.venv\nCOPY --from=build /native/lib.so /usr/lib/\n"
        + 'ENV PATH=/app/.venv/bin:$PATH\nCMD ["/app/.venv/bin/python", "-m", "app"]\n',
        {"uv.lock": "", "pyproject.toml": ""},
    )
    assert settings["requirements"] == ["uv.lock"]
    assert settings["command"] == ["python", "-m", "app"]
    assert "COPY of /native/lib.so from build: made by a stage" in left(found)
    assert "ENV PATH" in left(found)
    assert "uv:0.9" not in left(found)


@pytest.mark.parametrize(
    ("base", "settings"),
    [
        ("python:3.11-alpine", {"base": "debian", "python": "3.11"}),
        (
            "nvidia/cuda:12.4.1-runtime-ubuntu22.04",
            {"base": "python:3.10-slim-bookworm", "python": "3.10", "accelerator": "cuda"},
        ),
        ("python", {"base": "debian"}),
        ("pytorch/pytorch:2.5.1-cuda12.4-cudnn9-runtime", {"base": "pytorch/pytorch:2.5.1-cuda12.4-cudnn9-runtime"}),
        ("scratch", {"base": "debian"}),
        ("debian:bookworm-slim", {"base": "debian", "python": "3.11"}),
        ("ours.example/ml/base:7", {"base": "ours.example/ml/base:7"}),
        ("${BASE}", {"base": "debian"}),
    ],
)
def test_bases(tmp_path: Path, base: str, settings: dict[str, object]) -> None:
    found, _ = carried(tmp_path, f"ARG BASE\nFROM {base}\nRUN pip install -r requirements.txt\n")
    assert {key: found[key] for key in ("base", "python", "accelerator") if key in found} == settings


@pytest.mark.parametrize(
    ("text", "command", "shell"),
    [
        ("CMD python3 serve.py --port 80\n", ["python", "serve.py", "--port", "80"], False),
        ("WORKDIR /srv\nCOPY serve.py /srv/src/\nCMD python /srv/src/serve.py\n", ["python", "serve.py"], False),
        ('ENTRYPOINT ["tini", "--", "uv", "run"]\nCMD ["serve", "--workers=2"]\n', ["serve", "--workers=2"], False),
        ("ENV PORT=80\nCMD exec gunicorn -b :$PORT app:app\n", ["gunicorn", "-b", ":80", "app:app"], False),
        ("CMD gunicorn -b :$PORT app:app\n", ["sh", "-c", "gunicorn -b :$PORT app:app"], True),
        (
            "CMD alembic upgrade head && uvicorn app.main:app\n",
            ["sh", "-c", "alembic upgrade head && uvicorn app.main:app"],
            True,
        ),
        ('CMD ["sh", "-c", "a && b"]\n', ["sh", "-c", "a && b"], True),
        ('COPY docker/entrypoint.sh /\nENTRYPOINT ["/entrypoint.sh"]\n', ["uvicorn", "app.main:app"], False),
        ('CMD ["bash"]\n', None, False),
        ('ENTRYPOINT ["/opt/vendor/start"]\n', None, False),
    ],
)
def test_commands(tmp_path: Path, text: str, command: list[str] | None, shell: bool) -> None:
    settings, _ = carried(tmp_path, SLIM + text)
    assert settings.get("command") == command
    assert ("shell" in settings) == shell


def test_secrets_stay_behind_unseen(tmp_path: Path) -> None:
    secret = "hf_QmZxkWvTrpLsNdYbJcGh4821"
    settings, found = carried(
        tmp_path, SLIM + f"ENV HF_TOKEN={secret} A=1 DB=postgres://u:{secret}@h/d\nRUN ./configure --token {secret} && make\n"
    )
    assert settings["env"] == {"A": "1"}
    assert "3 RUN ./configure --token *" in left(found)
    assert secret not in f"{found}"


def test_what_has_no_counterpart_is_listed_with_its_line(tmp_path: Path) -> None:
    _, found = carried(
        tmp_path,
        SLIM + "RUN pip install torch==2.5.0\nRUN wget https://x.example/m.bin\nCOPY --from=tools.example/x:1 /bin/x /bin/\n"
        "VOLUME /data\nHEALTHCHECK CMD curl localhost\nEXPOSE 80 8080\nUSER root\n"
        "ADD https://x.example/f /f\nENV PYTHONPATH=/src\n",
    )
    assert {one.line for one in found.left} == set(range(1, 11))


@pytest.mark.parametrize("text", ["", "RUN x\n", "FROM a\nNOPE x\n"])
def test_what_is_no_dockerfile_is_refused(tmp_path: Path, text: str) -> None:
    write(tmp_path, {"Dockerfile": text})
    with pytest.raises(UsageError):
        carry_over(tmp_path / "Dockerfile", tmp_path)


ODD = r"""ENV A=$B C='d e' 'é'=x
ENV K
EXPOSE 99999 $P 0 8/udp
USER 4294967295:x
USER $U
CMD
CMD ["a\u0000"]
CMD $X && y
RUN pip install -r ../x -r / .
RUN apt-get install -y $X 'B D' a:b
COPY --from=0 a b
ENTRYPOINT []
FROM python:3.99-slim
FROM x@sha256:0
FROM UPPER/CASE:1
RUN useradd -u
HEALTHCHECK NONE
ADD""".splitlines()
LINES = st.sampled_from([*ODD, "ENV X=\x7f\\\n\ty", "CMD a\x00b \udc80", "ENV B=\udc80", "FROM a\x01b:1"]) | st.text(
    st.characters(codec="utf-8"), max_size=40
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(LINES, max_size=8))
def test_any_text_gives_settings_that_load_or_a_clear_refusal(tmp_path: Path, lines: list[str]) -> None:
    (tmp_path / "Dockerfile").write_bytes("\n".join(["FROM python:3.12-slim", *lines]).encode("utf-8", "surrogateescape"))
    try:
        found = carry_over(tmp_path / "Dockerfile", tmp_path)
    except UsageError:
        return
    text = section_text((one.key, one.value, one.why) for one in found.settings)
    parse_settings(text.encode().decode(), "shipwheel.toml")
    assert all(one.what.isprintable() and one.why.isprintable() for one in found.left)


def test_packages_from_addresses_are_left_and_named(tmp_path: Path) -> None:
    text = "RUN pip install git+https://user:s3cr3tpassw0rd@github.com/a/b.git@exp numpy\nRUN pip install /opt/x.whl\n"
    _, found = carried(tmp_path, SLIM + text)
    assert "2 pip install of git+https://user:" in left(found)
    assert "@github.com/a/b.git@exp, numpy: put it into the requirements" in left(found)
    assert "s3cr3tpassw0rd" not in left(found)
    assert "3 pip install of /opt/x.whl" in left(found)


@pytest.mark.parametrize(
    ("run", "extras", "groups"),
    [
        ("uv sync --frozen --extra cpu --extra=api --group serve", ["api", "cpu"], ["serve"]),
        ("poetry install --extras 'cpu api' --with serve,web", ["api", "cpu"], ["serve", "web"]),
        ("poetry install -E cpu", ["cpu"], None),
        ("pip install .[cpu,api]", ["api", "cpu"], None),
        ("pip install /app", None, None),
    ],
)
def test_extras_and_groups_carry_over(tmp_path: Path, run: str, extras: list[str] | None, groups: list[str] | None) -> None:
    files = {"pyproject.toml": '[project]\nname = "x"\nversion = "1"\n'}
    settings, found = carried(tmp_path, f"{SLIM}WORKDIR /app\nCOPY . .\nRUN {run}\n", files)
    assert (settings.get("extras"), settings.get("groups")) == (extras, groups)
    assert "put it into" not in left(found)
