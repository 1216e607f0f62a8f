"""Files with secrets, and mounts of them."""

from pathlib import Path

import pytest

from support.linting import Twin

BASE = "FROM python:3.12-slim-bookworm\n"
MOUNT = "RUN --mount=type=secret,id=hf_token"
PEM = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----\n"

ENV_FILE = [
    Twin(
        rule="env-file-copied",
        bad=BASE + "COPY app.py .env /app/\n",
        good=BASE + "COPY .env.example /app/\nCOPY --from=build /app/.env /app/\n",
        says=".env",
    ),
    Twin(
        rule="env-file-copied",
        bad=BASE + "COPY . .\n",
        good=BASE + "COPY . .\n",
        files={".env": "HF_TOKEN=hf_1x2y3z4a5b6c\n", "app.py": ""},
        good_files={".dockerignore": ".env\n"},
        says=".env into the image with .",
    ),
    Twin(
        rule="env-file-copied",
        good=BASE + "COPY . .\n",
        files={".env": "MODEL=bert\nPORT=80\n", "sub/.env.sample": "TOKEN=x1y2z3\n"},
    ),
    Twin(rule="env-file-copied", bad=BASE + "COPY .env* /app/\n", bad_files={".env.production": "API_KEY=x1y2z3w4v5\n"}),
    Twin(rule="env-file-copied", bad=BASE + "ADD .env.production .\n", good=BASE + "COPY environment.yml .\n"),
]
KEY_FILE = [
    Twin(rule="key-file-copied", bad=BASE + "COPY id_rsa /root/.ssh/id_rsa\n", good=BASE + "COPY id_rsa.pub /root/.ssh/\n"),
    Twin(rule="key-file-copied", bad=BASE + "COPY .netrc /root/\n", good=BASE + "COPY certs/ca.pem /etc/ssl/\n"),
    Twin(
        rule="key-file-copied",
        bad=BASE + "COPY kaggle.json /root/.kaggle/\n",
        good=BASE + "COPY kaggle.py credentials.py /app/\n",
    ),
    Twin(
        rule="key-file-copied",
        bad=BASE + "COPY google_service_key.json /app/\n",
        good=BASE + "COPY service_keys_schema.json service.json /app/\n",
    ),
    Twin(  # whatever its name: it is what the login is read from
        rule="key-file-copied",
        bad=BASE + "COPY cloud.json /app/\nENV GOOGLE_APPLICATION_CREDENTIALS='/app/cloud.json'\n",
        good=BASE + "COPY config.json /app/\nENV GOOGLE_APPLICATION_CREDENTIALS=/run/secrets/cloud.json\n",
        line=2,
    ),
    Twin(
        rule="key-file-copied",
        bad=BASE + "COPY gcp-service-account.json /app/\n",
        good=BASE + "COPY service_account.py /app/\n",
    ),
    Twin(rule="key-file-copied", bad=BASE + "COPY .aws /root/.aws\n"),
    # not there to be looked into: the key of a certificate by its name; keys of repositories are public
    Twin(
        rule="key-file-copied",
        bad=BASE + "COPY no-git/wandb_cert.key /opt/certs/\n",
        good=BASE + "COPY ros.key nvidia-repo.gpg.key /usr/share/keyrings/\n",
    ),
    Twin(
        rule="key-file-copied",
        bad=BASE + "COPY ssl/cert.pem ssl/key.pem /etc/nginx/\n",
        good=BASE + "COPY ssl/cert.pem ssl/public_key.pem /etc/nginx/\n",
    ),
    Twin(
        rule="key-file-copied",
        bad=BASE + "COPY server.key /etc/ssl/\n",
        good=BASE + "COPY server.key /etc/ssl/\n",
        good_files={"server.key": "no key\n"},
    ),
    Twin(rule="key-file-copied", bad=BASE + "COPY .htpasswd /etc/nginx\n", good=BASE + "COPY .htpasswd.example /etc/nginx\n"),
    Twin(
        rule="key-file-copied",
        bad=BASE + "COPY mlops-437516-b9a69694c897.json /k.json\n",
        good=BASE + "COPY labels-2024.json /l/\n",
    ),
    Twin(
        rule="key-file-copied",
        bad=BASE + "COPY . /app\n",
        good=BASE + "COPY . /app\n",
        files={"app.py": ""},
        bad_files={"deploy/tls.key": PEM},
        good_files={
            "tests/id_rsa": PEM,
            "asr/tokens.txt": "a 1\n",
            "k8s/secrets.yaml": "x: y\n",
            "deploy/tls.pem": "-----BEGIN CERTIFICATE-----\n",
            "i18n.key": "a=b\n",
        },
        says="deploy/tls.key",
    ),
]
LATE = [
    Twin(  # what a program wrote into its own configuration
        rule="secret-deleted-late",
        bad=BASE + "RUN aws configure set aws_secret_access_key $AWS_SECRET_ACCESS_KEY\nRUN rm -f /root/.aws/credentials\n",
        good=BASE + "RUN aws configure set region eu-west-1\nRUN rm -f /root/.aws/credentials\n",
        line=3,
    ),
    Twin(
        rule="secret-deleted-late",
        bad=BASE
        + "COPY id_rsa /root/.ssh/id_rsa\nRUN pip install git+ssh://git@github.com/a/b.git\nRUN rm -f /root/.ssh/id_rsa\n",
        good=BASE + "RUN --mount=type=ssh pip install git+ssh://git@github.com/a/b.git && rm -rf /root/.cache\n",
        line=4,
    ),
    Twin(
        rule="secret-deleted-late",
        bad=BASE + "COPY ssh_key_private.pem /root/key\nRUN rm /root/key\n",
        good=BASE + "COPY a.txt b.txt /x/\nRUN rm /x/b.txt\n",
    ),
    Twin(
        rule="secret-deleted-late",
        bad=BASE + "RUN hf auth login --token $T\nRUN rm ~/.cache/huggingface/token\n",
        good=BASE + "RUN hf auth login --token $T && hf download a/b && rm ~/.cache/huggingface/token\n",
    ),
]
UNUSED = [
    Twin(
        rule="secret-mount-unused",
        bad=BASE + MOUNT + " hf download a/b --token $HF_TOKEN\n",
        good=BASE + MOUNT + " hf download a/b --token $(cat /run/secrets/hf_token)\n",
        fixed=BASE + MOUNT + ",env=HF_TOKEN hf download a/b --token $HF_TOKEN\n",
        says="$HF_TOKEN",
    ),
    Twin(
        rule="secret-mount-unused",
        bad=BASE + MOUNT + " \\\n    HF_TOKEN=$(cat /run/secrets/HF_TOKEN) python d.py\n",
        good=BASE + MOUNT + ",env=HF_TOKEN \\\n    python d.py\n",
        fixed=BASE + MOUNT + " \\\n    HF_TOKEN=$(cat /run/secrets/hf_token) python d.py\n",
        says="/run/secrets/HF_TOKEN",
    ),
    Twin(  # the mount is there, an argument is used
        rule="secret-mount-unused",
        bad=BASE + "ARG HUGGINGFACE_TOKEN\n" + MOUNT + " \\\n    huggingface-cli login --token ${HUGGINGFACE_TOKEN}\n",
        good=BASE + MOUNT + " python download.py\n",
        line=3,
    ),
    Twin(  # what looks there by itself
        rule="secret-mount-unused",
        good=BASE + "RUN --mount=type=secret,id=netrc,target=/root/.netrc pip install a\n" + MOUNT + " ./setup.sh && make\n",
    ),
    Twin(  # an older syntax knows no env=
        rule="secret-mount-unused",
        bad="# syntax=docker/dockerfile:1.4\n" + BASE + MOUNT + " hf download a/b --token $HF_TOKEN\n",
        fixed="# syntax=docker/dockerfile:1.4\n" + BASE + MOUNT + " hf download a/b --token $HF_TOKEN\n",
    ),
    Twin(rule="secret-mount-unused", good=BASE + MOUNT + " <<EOF\nset -e\nexport T=$(cat /run/secrets/hf_token)\nEOF\n"),
    Twin(rule="secret-mount-unused", good=BASE + MOUNT + " cp -r /run/secrets/* /x && cat /run/secrets/$NAME\n"),
]


TWINS = [*ENV_FILE, *KEY_FILE, *LATE, *UNUSED]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twins(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)
