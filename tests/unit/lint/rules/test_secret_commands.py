"""Secrets in commands."""

from pathlib import Path

import pytest

from support.linting import Twin

BASE = "FROM python:3.12-slim-bookworm\n"
TOKEN = "hf_QmZxkWvTrpLsNdYbJcGh4821"

RUN = [
    Twin(
        rule="secret-run",
        bad=BASE + "RUN export HUGGINGFACE_TOKEN=hf_xyz123\n",
        good=BASE + "RUN export HF_TOKEN=$(cat /run/secrets/hf)\n",
    ),
    Twin(
        rule="secret-run",
        bad=BASE + f"RUN echo a && \\\n    hf download a/b --token {TOKEN}\n",
        good=BASE + "RUN hf download a/b --token $HF_TOKEN --max-tokens 5\n",
        line=3,
    ),
    Twin(
        rule="secret-run",
        bad=BASE + "RUN pip install --index-url https://ci:Zx81pullq@pypi.example.org/simple a\n",
        good=BASE + "RUN pip install --index-url https://ci:${PW}@pypi.example.org/simple a\n",
        says="a password in an address",
    ),
    Twin(
        rule="secret-run",
        bad=BASE + "RUN echo 'app:Tr0ub4dor' | chpasswd\n",
        good=BASE + 'ARG BASE_IMAGE=ubuntu:22.04\nRUN echo "$BASE_IMAGE" | grep -q cuda: && echo "root:Docker!" | chpasswd\n',
        says="a user's password",
    ),
    Twin(
        rule="secret-run",
        bad=BASE + 'CMD ["jupyter", "lab", "--ServerApp.token=s3cr3tt0k3n"]\n',
        good=BASE + 'CMD ["jupyter", "lab", "--ServerApp.token=\'\'", "--ServerApp.password=sha1:67c9e60bb8b6:9ffede08"]\n',
    ),
    Twin(rule="secret-run", good=BASE + "RUN SECRET_KEY=dummy python manage.py collectstatic && ./config.sh --token TOKEN\n"),
    Twin(
        rule="secret-run",
        bad=BASE + "RUN python -c \"from huggingface_hub import login; login('" + TOKEN + "')\"\n",
        good=BASE + 'RUN python -c "import hf_transfer"\n',
    ),
    Twin(
        rule="secret-run",
        name="train.sh",
        bad=f"#!/bin/sh\nexport HF_TOKEN={TOKEN}\n",
        good="#!/bin/sh\nexport HF_TOKEN=${HF_TOKEN:?}\nexport PGPASSWORD=postgres\n",
        line=2,
    ),
    Twin(
        rule="secret-run",
        name="README.md",
        bad=f"```bash\ndocker run -e HF_TOKEN={TOKEN} a\n```\n",
        good="```bash\ndocker run -e HF_TOKEN=hf_xxxxxxxxXXXX -e K=sk-your-key-0000000000 -e PASSWORD=hunter22x a\n```\n",
    ),
    Twin(
        rule="secret-run",
        name="README.md",
        bad="```bash\ndocker run nats --routes=nats://ruser:Zx81pullq@nats-main:6222\n```\n",
        good="```bash\ndocker run nats --routes=nats://ruser:T0pS3cr3t@nats-main:6222\n```\n",
    ),
    Twin(
        rule="secret-run",
        name="requirements.txt",
        bad="--extra-index-url https://ci:Zx81pullq@pypi.example.org/simple\nnumpy==2.1.0\n",
        good="--extra-index-url https://${USER}:${PW}@pypi.example.org/simple\nnumpy==2.1.0\n",
        line=1,
    ),
]
ECHOED = [
    Twin(
        rule="secret-echoed",
        bad=BASE + 'ARG NPM_TOKEN\nRUN echo "//registry.npmjs.org/:_authToken=$NPM_TOKEN" > ~/.npmrc && npm ci\n',
        good=BASE + 'RUN echo "_authToken=$NPM_TOKEN" > ~/.npmrc && npm ci && rm -f ~/.npmrc\n',
        line=3,
        says="~/.npmrc",
    ),
    Twin(
        rule="secret-echoed",
        bad=BASE + "RUN echo ${HF_TOKEN}\n",
        good=BASE + "RUN echo $TOKENS && echo ${#HF_TOKEN} && echo $PASSWORD | docker login -u x --password-stdin\n",
        says="log",
    ),
    Twin(
        rule="secret-echoed",
        bad=BASE + "RUN --mount=type=secret,id=a cat /run/secrets/a > /root/.netrc\n",
        good=BASE + "RUN --mount=type=secret,id=a HF_TOKEN=$(cat /run/secrets/a) python d.py\n",
    ),
    Twin(
        rule="secret-echoed",
        bad=BASE
        + 'RUN git config --global url."https://${GITHUB_TOKEN}@github.com/".insteadOf https://github.com/ && pip install a\n',
        good=BASE
        + 'RUN git config --global url."https://${GITHUB_TOKEN}@github.com/".insteadOf https://github.com/ && pip install a'
        + " && git config --global --unset-all url.x.insteadOf\n",
        says=".gitconfig",
    ),
    Twin(
        rule="secret-echoed",
        bad=BASE + "RUN git clone https://oauth2:$GITLAB_TOKEN@gitlab.com/a/b.git\n",
        good=BASE + "RUN git clone https://oauth2:$GITLAB_TOKEN@gitlab.com/a/b.git && rm -rf b/.git\n",
    ),
    Twin(rule="secret-echoed", bad=BASE + "RUN --mount=type=secret,id=k cp /run/secrets/k /root/.ssh/id_rsa && git clone x\n"),
    Twin(
        rule="secret-echoed",
        bad=BASE + "RUN aws configure set aws_secret_access_key $AWS_SECRET_ACCESS_KEY\n",
        good=BASE
        + "RUN aws configure set region eu-west-1 && pip config set global.index-url https://pypi.example.org/simple\n",
        says="aws configure set writes a secret to ~/.aws/credentials, which stays in the layer",
    ),
    Twin(
        rule="secret-echoed",
        bad=BASE + "RUN poetry config http-basic.own user $OWN_PASSWORD && poetry install\n",
        good=BASE + "RUN poetry config http-basic.own user $OWN_PASSWORD && poetry install && rm -rf ~/.config/pypoetry\n",
    ),
]
LOGIN = [
    Twin(
        rule="hf-login-layer",
        bad=BASE + "RUN --mount=type=secret,id=hf huggingface-cli login --token $(cat /run/secrets/hf) && hf download a/b\n",
        good=BASE + "RUN --mount=type=secret,id=hf,env=HF_TOKEN hf download a/b\n",
        says="~/.cache/huggingface/token",
    ),
    Twin(
        rule="hf-login-layer",
        bad=BASE + "RUN hf auth login --token $HF_TOKEN\n",
        good=BASE + "RUN hf auth login --token $HF_TOKEN && hf download a/b && hf auth logout\n",
    ),
    Twin(
        rule="hf-login-layer",
        bad=BASE + "RUN wandb login $WANDB_API_KEY\n",
        good=BASE + "RUN wandb login $WANDB_API_KEY && python t.py && rm -f /root/.netrc\n",
        says="~/.netrc",
    ),
    Twin(
        rule="hf-login-layer",
        bad=BASE + "RUN python -c 'from huggingface_hub import login; login(token=open(\"/run/secrets/t\").read())'\n",
        good=BASE + "RUN --mount=type=tmpfs,target=/root/.cache/huggingface hf auth login --token $T && hf download a/b\n",
    ),
    Twin(
        rule="hf-login-layer",
        bad=BASE + "RUN python3 - <<EOF\nfrom huggingface_hub import login\nlogin(token='$T')\nEOF\n",
        good=BASE + "RUN cat > /app/a.py <<EOF\nfrom huggingface_hub import login\nlogin(token=os.environ['T'])\nEOF\n",
        says="~/.cache/huggingface/token",
        line=2,
    ),
    Twin(  # the key is in the history of the image as well
        rule="secret-run",
        bad=BASE + "RUN wandb login --relogin " + "e77f8847024e733430e6" + "d041cf05985cd459f692\n",
        good=BASE
        + "RUN wandb login --relogin $WANDB_API_KEY && wandb login YOUR_API_KEY && wandb login --host https://w.example\n",
    ),
    Twin(
        rule="hf-login-layer",
        bad=BASE + "RUN cat TOKEN | xargs huggingface-cli login --token\n",
        good=BASE + "RUN cat NAMES | xargs hf download\n",
        says="~/.cache/huggingface/token",
    ),
    Twin(
        rule="hf-login-layer",
        bad=BASE + "RUN echo $P | docker login -u a --password-stdin\n",
        good=BASE + "CMD huggingface-cli login\n",
    ),
    Twin(rule="hf-login-layer", bad=BASE + "RUN gcloud auth activate-service-account --key-file=k.json\n"),
]


TWINS = [*RUN, *ECHOED, *LOGIN]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twins(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)


def test_no_message_holds_a_secret(tmp_path: Path) -> None:
    from support.linting import findings

    text = (
        BASE
        + f"ARG K={TOKEN}\nENV HF_TOKEN={TOKEN}\nRUN hf auth login --token {TOKEN} && echo {TOKEN} > x && wandb login {TOKEN}\n"
    )
    text += f"RUN export API_KEY={TOKEN}; curl https://u:{TOKEN}@h/x -o y; git clone https://{TOKEN}@github.com/a/b\n"
    found = findings(
        tmp_path, {"Dockerfile": text, "a.sh": f"docker build --build-arg HF_TOKEN={TOKEN} .\n"}, "secret", "hf", "build-arg"
    )
    assert len(found) > 5
    assert TOKEN not in "".join(f"{one.message}{one.remedy}{one.fix}" for one in found)
