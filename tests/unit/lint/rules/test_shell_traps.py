"""Commands that do nothing, conditions that do not compare, errors that nobody sees."""

from pathlib import Path

import pytest

from support.linting import Twin

SLIM = "FROM python:3.11-slim\n"


def _run(rule: str, bad: str | None = None, good: str | None = None, *, fixed: str | None = None, says: str = "") -> Twin:
    """Twins of one instruction on a Debian image."""
    return Twin(
        rule=rule,
        bad=None if bad is None else f"{SLIM}{bad}\n",
        good=None if good is None else f"{SLIM}{good}\n",
        fixed=None if fixed is None else f"{SLIM}{fixed}\n",
        says=says,
        line=2 if bad and "\n" not in bad else 0,
    )


EXPORTS = [
    _run("noop-export", "RUN export A=1", "ENV A=1", says="A is gone"),
    _run("noop-export", "RUN A=1", "RUN A=1 pip install x"),
    _run(
        "noop-export",
        "RUN pip install x && export PATH=/x:$PATH",
        "RUN export PATH=/x:$PATH && pip install x",
        says="export PATH",
    ),
    _run(
        "noop-export", "RUN DEBIAN_FRONTEND=noninteractive && apt-get install -y x", "RUN A=1 && echo $A", says="not exported"
    ),
    _run("noop-export", "RUN CMAKE_ARGS=-DX=on; pip install x", "RUN A=1 && export A && make", says="CMAKE_ARGS"),
    _run("noop-export", "RUN cd /app", "RUN cd /app && make", says="cd"),
    _run("noop-export", "RUN alias python=python3", "RUN alias a=b && a", says="alias"),
    _run("noop-export", "RUN . /root/.cargo/env", "RUN . /root/.cargo/env && cargo build", says="cargo/env"),
    _run("noop-export", "RUN export A=1 && export B=2", 'RUN echo "export A=1" >> /etc/profile'),
    _run("noop-export", "RUN <<EOF\nmake\nexport A=1\nEOF", "RUN <<EOF\nexport A=1\nmake\nEOF"),
    _run("noop-export", good="RUN set -e"),
    _run("noop-export", good="RUN . /clone.sh x"),
    _run("noop-export", good="ARG A\nRUN A=${A:-1} && make"),
    _run("noop-export", good="ENV A=0\nRUN A=1 && make"),
    _run("noop-export", good="RUN PATH=/x:$PATH && make"),
    _run("noop-export", good="RUN if [ -f a ]; then export A=1; fi && make"),
    _run("noop-export", good="RUN V=1 && curl https://a.example/${V} -o x"),
    _run("noop-export", good="RUN set -a && V=1 && make"),
    _run("noop-export", good='RUN make && A=$(cat x) && test -n "$A"'),
    _run("noop-export", good='RUN ["export", "A=1"]'),
]

CONDA = [
    _run("noop-conda-activate", "RUN conda activate x", "RUN conda run -n x pip install y", says="conda activate"),
    _run("noop-conda-activate", "RUN conda create -n x && conda activate x", "ENV PATH=/opt/conda/envs/x/bin:$PATH"),
    _run(
        "noop-conda-activate",
        "RUN conda activate x && pip install y",
        "RUN . /opt/conda/etc/profile.d/conda.sh && conda activate x && y",
    ),
    _run(
        "noop-conda-activate",
        "RUN . /venv/bin/activate",
        "RUN . /venv/bin/activate && pip install y",
        says="/venv/bin/activate",
    ),
    _run("noop-conda-activate", "RUN source activate x", 'RUN eval "$(conda shell.bash hook)" && conda activate x && y'),
    _run(
        "noop-conda-activate", "CMD conda activate x && python a.py", 'CMD ["bash", "-lc", "conda activate x && python a.py"]'
    ),
    _run("noop-conda-activate", good='SHELL ["/bin/bash", "--login", "-c"]\nRUN conda activate x && pip install y'),
    _run("noop-conda-activate", good='RUN echo "conda activate x" >> ~/.bashrc'),
    _run("noop-conda-activate", good='SHELL ["conda", "run", "-n", "x", "/bin/bash", "-c"]\nRUN pip install y'),
    _run("noop-conda-activate", good="CMD . /venv/bin/activate && python a.py"),
]

CONDITIONS = [
    _run(
        "cond-always-true",
        'RUN if [ $X=="y" ]; then a; fi',
        'RUN if [ "$X" = "y" ]; then a; fi',
        fixed='RUN if [ "$X" = "y" ]; then a; fi',
    ),
    _run("cond-always-true", 'RUN [ "$A"="b" ] && c', 'RUN [ "$A" ] && c', fixed='RUN [ "$A" = "b" ] && c'),
    _run("cond-always-true", "RUN test $A!=b && c", "RUN test $A && c", fixed='RUN test "$A" != b && c'),
    _run("cond-always-true", "ARG A=1\nRUN [ ! ${A}=1 ] || c", fixed='ARG A=1\nRUN [ ! "${A}" = 1 ] || c'),
    _run("cond-always-true", "RUN if [ -n $X ]; then a; fi", 'RUN [ -n "$X" ] && a', fixed='RUN if [ -n "$X" ]; then a; fi'),
    _run("cond-always-true", "ARG X=\nRUN [ -n $X ] && a", fixed='ARG X=\nRUN [ -n "$X" ] && a'),
    _run("cond-always-true", "RUN [ -n $(which x) ] && a", "RUN [ -z $X ] && a", fixed='RUN [ -n "$(which x)" ] && a'),
    _run(
        "cond-always-true", 'RUN [ "$X" == "y" ] && a', 'RUN [ "$X" != "y" ] && a', fixed='RUN [ "$X" = "y" ] && a', says="bash"
    ),
    _run(
        "cond-always-true",
        'SHELL ["/bin/bash", "-c"]\nRUN [[ $X=="y" ]] && a',
        'SHELL ["/bin/bash", "-c"]\nRUN [[ $X == "y" ]] && [ "$X" == "y" ] && [[ -n $X ]]',
        fixed='SHELL ["/bin/bash", "-c"]\nRUN [[ "$X" == "y" ]] && a',
    ),
    _run("cond-always-true", 'CMD if [ "$A"="b" ]; then c; fi', "RUN [ -f a=b ] && c"),
    _run("cond-always-true", good='RUN [ "a=b" ] && [ $X ] && [ -n "$X" -a "$Y" ] && c'),
    _run(
        "cond-always-true",
        'ARG GPU=false\nRUN if [ "$GPU" ]; then a; fi',
        'ARG GPU\nRUN if [ "$GPU" ]; then a; fi',
        says="true for false",
    ),
    _run("cond-always-true", good="ARG GPU=1\nRUN if [ $GPU ]; then a; fi"),
    Twin(rule="cond-always-true", good='FROM alpine:3.20\nRUN [ "$X" == "y" ] && a\n'),
    Twin(rule="cond-always-true", bad='#!/bin/sh\n[ $A="b" ] && c\n', name="a.sh", fixed='#!/bin/sh\n[ "$A" = "b" ] && c\n'),
]

ERRORS = [
    _run(
        "errors-hidden",
        "RUN apt-get update; apt-get install -y x",
        "RUN apt-get update && apt-get install -y x",
        says="apt-get update",
    ),
    _run("errors-hidden", "RUN pip install x || true", "RUN rm x || true", says="|| true"),
    _run("errors-hidden", "RUN update-alternatives --install /usr/bin/python3 python3 /usr/bin/python3.11 1 || true"),
    _run("errors-hidden", "RUN pip install x || echo skipped", "RUN pip install x || pip install y"),
    _run("errors-hidden", "RUN curl -O https://a.example/x || :", "RUN curl -O https://a.example/x || exit 1"),
    _run(
        "errors-hidden",
        "RUN <<EOF\npip install x\npip install y\nEOF",
        "RUN <<EOF\nset -eu\npip install x\npip install y\nEOF",
        says="because nothing says `set -e`",
    ),
    _run(
        "errors-hidden", "RUN if a; then pip install x; pip install y; fi", "RUN if a; then pip install x; fi && pip install y"
    ),
    _run("errors-hidden", "RUN make && make install; rm -rf /src", "RUN set -ex; make; make install"),
    _run("errors-hidden", "RUN (cd /a; make; make install)", "RUN cd /a; make"),
    _run("errors-hidden", "RUN git clone x; if a; then b; fi", "RUN echo a; pip install x"),
    _run("errors-hidden", good='SHELL ["/bin/bash", "-euo", "pipefail", "-c"]\nRUN make; make install'),
    _run("errors-hidden", good='SHELL ["/bin/bash", "-o", "errexit", "-c"]\nRUN make; make install'),
    _run("errors-hidden", good="RUN <<EOF\n#!/bin/bash -e\nmake\nmake install\nEOF"),
    _run("errors-hidden", good="RUN bash -ex <<EOF\nmake\nmake install\nEOF"),
    _run("errors-hidden", "RUN apt-get update || true && apt-get install -y x", "RUN [ -f a ] && pip install x || true"),
    _run(
        "errors-hidden",
        "RUN pip install x && rm -rf /x || true",
        "RUN pip install x && (rm /x || true)",
        says="all that is joined",
    ),
    _run("errors-hidden", "RUN x_download_weights || true", "RUN python -m ensurepip 2>/dev/null || true"),
    _run("errors-hidden", "RUN python2 cache_model.py || echo OK", "RUN python3.11 --version || true", says="python2"),
    _run("errors-hidden", "RUN cd /opt/bin && ./cache_model.py a b || echo OK", "RUN ./check.sh 2>/dev/null || true"),
    _run("errors-hidden", good="RUN /usr/local/bin/stop || true"),
    _run("errors-hidden", good="RUN userdel x || true"),
    _run("errors-hidden", "RUN chmod +x /app/start.sh || true", "RUN chmod -R 777 /app || true", says="chmod"),
    _run("errors-hidden", good="RUN apt-get purge -y x || true"),
    _run("errors-hidden", good="RUN cp -r a b 2>/dev/null || true"),
    _run("errors-hidden", good="RUN rm -f a; apt-get clean; pip install x"),
    _run("errors-hidden", good="RUN for i in 1 2; do make && break; done"),
    _run("errors-hidden", good="RUN case $A in x) make;; *) cmake;; esac"),
    _run("errors-hidden", good="RUN if make; then echo a; else echo b; exit 1; fi"),
    _run("errors-hidden", good="RUN make || (echo failed; exit 1)"),
    _run("errors-hidden", good="RUN V=$(curl x; echo) && make"),
    _run("errors-hidden", good="CMD python a.py; sleep 5"),
    _run("errors-hidden", good="RUN if [ -f a ]; then make; elif [ -f b ]; then cmake; else ninja; fi && x"),
]

AMPERSANDS = [
    _run("noop-conda-activate", 'SHELL ["conda", "run", "-n", "e", "/bin/bash", "-c"]\nRUN conda activate e', "RUN conda list"),
    _run(
        "background-ampersand",
        "RUN apt-get update & apt-get install -y x",
        "RUN apt-get update && apt-get install -y x",
        fixed="RUN apt-get update && apt-get install -y x",
    ),
    _run("background-ampersand", "RUN pip install x \\\n  & make", fixed="RUN pip install x \\\n  && make"),
    _run("background-ampersand", "RUN mkdir a 2>&1 & cd a", "RUN mkdir a 2>&1 && cd a &> x", fixed="RUN mkdir a 2>&1 && cd a"),
    _run("background-ampersand", "RUN pip install x &", "RUN ollama serve & sleep 5 && ollama pull x", says="killed"),
    _run("background-ampersand", good="RUN curl a -O & curl b -O & wait"),
    _run("background-ampersand", good="RUN nohup pip install x & sleep 1"),
    _run("background-ampersand", good="RUN curl 'https://a.example/?a=1&b=2' -o x"),
    _run("background-ampersand", good="CMD nginx & python app.py"),
]

BRACES = [
    _run(
        "brace-expansion-in-sh", "RUN mkdir -p /app/{a,b}", 'SHELL ["/bin/bash", "-c"]\nRUN mkdir -p /app/{a,b}', says="{a,b}"
    ),
    _run("brace-expansion-in-sh", "RUN touch x{1..3}", "RUN bash -c 'touch x{1..3}'"),
    _run("brace-expansion-in-sh", good="RUN echo '{a,b}' \"{a,b}\" ${A:-a,b} \\{a,b\\}"),
    _run("brace-expansion-in-sh", good="RUN find . -exec rm {} + && awk '{print $1,$2}' x"),
    _run("brace-expansion-in-sh", good="RUN curl https://a.example/{a,b} -O"),
    _run("brace-expansion-in-sh", good="RUN <<EOF\n#!/bin/bash\nmkdir {a,b}\nEOF"),
    _run("brace-expansion-in-sh", good="RUN bash <<EOF\nmkdir {a,b}\nEOF"),
    Twin(rule="brace-expansion-in-sh", good="FROM rockylinux:9\nRUN mkdir {a,b}\n"),
    Twin(rule="brace-expansion-in-sh", good="ARG BASE\nFROM $BASE\nRUN mkdir {a,b}\n"),
]

INSTRUCTIONS = [
    _run("inline-comment", "COPY . . # all", "# all\nCOPY . .", fixed="# all\nCOPY . ."),
    _run("inline-comment", "WORKDIR /app # here", "WORKDIR /app#1", fixed="# here\nWORKDIR /app"),
    _run("inline-comment", 'CMD ["a"] # start', 'CMD ["a", "# b"]', fixed='# start\nCMD ["a"]', says="JSON"),
    _run("inline-comment", 'ENTRYPOINT ["a", "b"]  # c', "CMD a # c", fixed='# c\nENTRYPOINT ["a", "b"]'),
    _run("inline-comment", "EXPOSE 80 # http", "EXPOSE 80", fixed="# http\nEXPOSE 80"),
    _run("inline-comment", "ENV A=1 # a", 'ENV A="1 # a"', fixed="# a\nENV A=1"),
    _run("inline-comment", "ENV A 1 # a", "ENV A #fff", fixed="# a\nENV A 1"),
    _run("inline-comment", "USER app # no root", "USER app", fixed="# no root\nUSER app"),
    _run("inline-comment", "ARG A=1 #a", "ARG A=#1", fixed="#a\nARG A=1"),
    _run("inline-comment", "RUN a \\ # one\n  && b", "RUN a \\\n  # one\n  && b", fixed="RUN a \\\n# one\n  && b"),
    _run("inline-comment", "RUN a # one \\\n  && b", "RUN a \\\n  && b # two", says="hides"),
    _run(
        "inline-comment",
        "RUN a && \\\n  b \\\n  # kept\n  # and this\n  c # no \\\n  d",
        "RUN echo '# a' \\\n  b#c \\\n  \"# d\" \\\n  e",
    ),
    _run("inline-comment", "COPY a \\\n  b # c", says="COPY"),
    _run("inline-comment", good="RUN <<EOF\na # b\nc\nEOF"),
    _run("inline-comment", good="RUN sed -i 's/# a/b/' \\\n  c"),
    _run("inline-comment", good="RUN echo ${#A} $# \\\n  b"),
    Twin(rule="inline-comment", bad="FROM a # b\n", fixed="# b\nFROM a\n"),
    Twin(rule="inline-comment", bad="FROM a\r\nCOPY b c # d\r\n", fixed="FROM a\r\n# d\r\nCOPY b c\r\n"),
    Twin(rule="syntax", good="FROM a\nENV A=1 # b\nRUN a \\ # c\n && b\n"),
    _run("copy-parent", "COPY ../a /b", "COPY a /b", fixed="COPY a /b"),
    _run("copy-parent", "COPY --chown=1 x ../../a/b /c/", "COPY a/../b /c", fixed="COPY --chown=1 x a/b /c/"),
    _run("copy-parent", 'ADD ["../a b", "/c"]', "COPY ..a /b", fixed='ADD ["a b", "/c"]'),
    _run("copy-parent", "COPY .. /b", "COPY a ../b", fixed="COPY . /b"),
    _run("copy-parent", "COPY ../ /b", fixed="COPY . /b"),
    _run("copy-parent", "COPY --from=b ../c /d", "COPY --from=b /c /d", says="the root of b"),
    _run("relative-workdir", "WORKDIR app", "WORKDIR /app\nWORKDIR src"),
    _run("relative-workdir", 'WORKDIR "app"', "WORKDIR $HOME/app"),
    _run("relative-workdir", good="ENV A=/app\nWORKDIR $A"),
    Twin(rule="relative-workdir", good="FROM a AS b\nWORKDIR /c\nFROM b\nWORKDIR d\n"),
    Twin(rule="relative-workdir", good="# escape=`\nFROM mcr.microsoft.com/windows\nWORKDIR C:\\app\n"),
]

TWINS = [*EXPORTS, *CONDA, *CONDITIONS, *ERRORS, *AMPERSANDS, *BRACES, *INSTRUCTIONS]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twins(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)
