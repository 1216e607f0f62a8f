"""Rules over the forms of ENTRYPOINT and CMD."""

from pathlib import Path

import pytest

from support.linting import Twin, findings, write

SLIM = "FROM python:3.11-slim-bookworm\n"

TWINS = [
    Twin(
        rule="shell-form",
        bad=SLIM + "CMD python app.py --name 'a b'\n",
        good=SLIM + 'CMD ["python", "app.py"]\n',
        line=2,
        says="CMD is in shell form",
        fixed=SLIM + 'CMD ["python", "app.py", "--name", "a b"]\n',
    ),
    Twin(
        rule="shell-form",
        bad=SLIM + "ENTRYPOINT python \\\n  app.py \\\n  --port 80\n",
        good=SLIM + "ENTRYPOINT exec uvicorn main:app --port $PORT\n",
        fixed=SLIM + 'ENTRYPOINT ["python", \\\n  "app.py", \\\n  "--port", "80"]\n',
    ),
    Twin(  # a shell is needed
        rule="shell-form",
        bad=SLIM + "ENV PORT=80\nCMD uvicorn main:app --port $PORT\n",
        good=SLIM + "CMD cd /app && exec uvicorn main:app\n",
        fixed=SLIM + "ENV PORT=80\nCMD uvicorn main:app --port $PORT\n",
    ),
    Twin(  # a shell runs scripts without #! too
        rule="shell-form", bad=SLIM + "CMD /run.sh\n", fixed=SLIM + "CMD /run.sh\n"
    ),
    Twin(  # what is empty now may be set at run time
        rule="shell-form",
        bad=SLIM + "ENV ARGS=\nCMD python app.py $ARGS\n",
        good=SLIM + "ENV ARGS=\nCMD exec python app.py $ARGS\n",
        fixed=SLIM + "ENV ARGS=\nCMD python app.py $ARGS\n",
    ),
    Twin(rule="shell-form", bad=SLIM + "CMD python app.py *.csv\n", fixed=SLIM + "CMD python app.py *.csv\n"),
    Twin(rule="shell-form", good=SLIM + 'SHELL ["conda", "run", "-n", "x", "/bin/bash", "-c"]\nCMD python app.py\n'),
    Twin(
        rule="shell-form",
        good='FROM python:3.12 AS b\nCMD python a.py\nFROM debian:bookworm\nCOPY --from=b /x /x\nCMD ["bash"]\n',
        bad=SLIM + "CMD python a.py\n",
    ),
    Twin(
        rule="entrypoint-broken",
        bad=SLIM + "CMD ['python', 'app.py']\n",
        good=SLIM + 'CMD [ "python", "app.py" ]\n',
        line=2,
        says="CMD is no JSON",
    ),
    Twin(  # an argument of the base's entrypoint, which is Python
        rule="entrypoint-broken",
        bad=SLIM + 'WORKDIR /app\nCOPY . .\nCMD ["./hello.py"]\n',
        good='FROM gcr.io/distroless/python3-debian12\nCOPY . /app\nWORKDIR /app\nCMD ["hello.py"]\n',
        files={"hello.py": "#!/usr/bin/env python3\nprint(1)\n", ".git/HEAD": "ref: refs/heads/main\n"},
        says="not executable",
    ),
    Twin(rule="entrypoint-broken", bad=SLIM + 'CMD ["python" "app.py"]\n', good=SLIM + "CMD [ -f x ] && python app.py\n"),
    Twin(
        rule="entrypoint-broken",
        bad=SLIM + 'ENTRYPOINT python app.py\nCMD ["--port", "80"]\n',
        good=SLIM + 'ENTRYPOINT ["python", "app.py"]\nCMD ["--port", "80"]\n',
        says="ignores CMD",
    ),
    Twin(rule="entrypoint-broken", good=SLIM + 'ENTRYPOINT exec python app.py "$0" "$@"\nCMD ["--port", "80"]\n'),
    Twin(
        rule="entrypoint-broken", bad=SLIM + 'ENTRYPOINT ["python app.py"]\n', good=SLIM + 'ENTRYPOINT ["python", "app.py"]\n'
    ),
    Twin(rule="entrypoint-broken", good=SLIM + 'ENTRYPOINT ["bash", "-c"]\nCMD ["python app.py && echo $HOME"]\n'),
    Twin(
        rule="entrypoint-broken",
        bad=SLIM + 'CMD ["python", "a.py", "&&", "python", "b.py"]\n',
        good=SLIM + 'CMD ["sh", "-c", "python a.py && python b.py"]\n',
        says="`&&` is an argument",
    ),
    Twin(  # the entrypoint evaluates its arguments
        rule="entrypoint-broken",
        bad=SLIM + 'COPY e.sh /\nENTRYPOINT ["/e.sh"]\nCMD ["python", "a.py", "&&", "b"]\n',
        good=SLIM + 'COPY e.sh /\nENTRYPOINT ["/e.sh"]\nCMD ["python", "a.py", "&&", "b"]\n',
        bad_files={"e.sh": '#!/bin/sh\nexec "$@"\n'},
        good_files={"e.sh": '#!/bin/sh\neval "$@"\n'},
        line=4,
    ),
    Twin(
        rule="entrypoint-broken",
        bad=SLIM + 'ENV PORT=80\nCMD ["uvicorn", "a:b", "--port", "$PORT"]\n',
        good=SLIM + 'ENV PORT=80\nCMD ["sh", "-c", "uvicorn a:b --port $PORT"]\n',
        says="$PORT stays as it is",
    ),
    Twin(rule="entrypoint-broken", bad=SLIM + 'ENTRYPOINT ["tini", "--"]\nCMD ["serve", "--port=${PORT:-80}"]\n'),
    Twin(  # the entrypoint of TorchServe's image evaluates its arguments
        rule="entrypoint-broken", good='FROM pytorch/torchserve:0.9.0-gpu\nCMD ["ls", ";", "torchserve", "$MODEL"]\n'
    ),
    Twin(rule="entrypoint-broken", good=SLIM + "CMD []\nENTRYPOINT PORT=80 python app.py\n"),
    Twin(rule="entrypoint-broken", good="FROM team/base:1\n" + 'CMD ["serve", "$PORT"]\n'),
    Twin(
        rule="entrypoint-broken",
        bad=SLIM + 'ENTRYPOINT ["conda", "activate", "x"]\n',
        good=SLIM + 'ENTRYPOINT ["conda", "run", "x"]\n',
    ),
    Twin(rule="entrypoint-broken", bad=SLIM + 'CMD ["cd", "/app"]\n', good=SLIM + 'CMD ["bash"]\n'),
    Twin(
        rule="entrypoint-broken",
        bad=SLIM + 'ENTRYPOINT ["python"]\nCMD ["python", "app.py"]\n',
        good=SLIM + 'ENTRYPOINT ["python"]\nCMD ["app.py"]\n',
    ),
    Twin(
        rule="entrypoint-broken",
        bad=SLIM + 'CMD ["jupyter", "lab"]\nCMD ["python", "app.py"]\n',
        good=SLIM + 'ENTRYPOINT ["python"]\nCMD ["app.py"]\n',
        line=2,
        says="the one in line 3 replaces it",
    ),
    Twin(
        rule="entrypoint-broken",
        bad=SLIM + 'COPY run.sh /\nENTRYPOINT ["/run.sh"]\n',
        good=SLIM + 'COPY run.sh /\nENTRYPOINT ["/run.sh"]\n',
        bad_files={"run.sh": "#!/bin/sh\r\npython app.py\r\n"},
        good_files={"run.sh": "#!/bin/sh\npython app.py\n"},
        says="Windows line ends",
    ),
    Twin(
        rule="entrypoint-broken",
        bad=SLIM + 'COPY run.sh /\nCMD ["/run.sh"]\n',
        good=SLIM + 'COPY run.sh /\nCMD ["bash", "/run.sh"]\n',
        files={"run.sh": "python app.py\n"},
        says="no #! line",
    ),
    Twin(
        rule="entrypoint-broken",
        bad=SLIM + 'COPY run.sh /\nENTRYPOINT ["/run.sh"]\n',
        good=SLIM + 'COPY run.sh /\nRUN chmod +x /run.sh\nENTRYPOINT ["/run.sh"]\n',
        files={"run.sh": "#!/bin/sh\n", ".git/HEAD": "ref: refs/heads/main\n"},
        says="run.sh is not executable",
    ),
]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twins(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)


def test_executable_script_starts(tmp_path: Path) -> None:
    write(tmp_path, {"run.sh": "#!/bin/sh\n", ".git/HEAD": "ref: refs/heads/main\n"})
    (tmp_path / "run.sh").chmod(0o755)
    dockerfile = SLIM + 'COPY run.sh /\nENTRYPOINT ["/run.sh"]\n'
    assert findings(tmp_path, {"Dockerfile": dockerfile}, "entrypoint-broken") == ()
