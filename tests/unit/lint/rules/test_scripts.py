from pathlib import Path

import pytest

from support.linting import Twin


def document(command: str) -> str:
    return f"# Use\n\n```bash\n{command}\n```\n"


TWINS = [
    Twin(
        rule="prune-volumes",
        name="clean.sh",
        bad="docker volume prune -af\n",
        good="docker image prune -af\ndocker system prune -a\ndocker volume rm old\ndocker volume prune\n",
        says="every named volume",
    ),
    Twin(
        rule="prune-volumes",
        name="README.md",
        bad=document("docker system prune -a --volumes -f"),
        good=document("docker system prune -a -f --filter until=24h"),
        line=4,
        says="anonymous volumes",
    ),
    Twin(
        rule="prune-volumes",
        name="Makefile",
        bad="clean:\n\t@docker volume prune --force\n",
        good="clean:\n\t@docker ps\n",
        line=2,
    ),
    Twin(
        rule="prune-volumes",
        name="README.md",
        good="Never type `docker volume prune -a`.\n\n```text\ndocker volume prune -a\n```\n",
    ),
    Twin(
        rule="apt-key",
        name="setup.sh",
        bad="curl -s https://example.org/key | sudo apt-key add -\n",
        good="curl -s https://example.org/key -o /etc/apt/keyrings/example.asc\n# apt-key add is gone\ncommand -v apt-key\n",
        line=1,
        says="apt-key add",
    ),
    Twin(
        rule="apt-key",
        bad="FROM ubuntu:22.04\nRUN apt-get update && \\\n    apt-key adv --fetch-keys https://example.org/3bf863cc.pub\n",
        good="FROM nvidia/cuda:11.2.2-base-ubuntu20.04\nRUN apt-key del 7fa2af80\n",
        line=3,
    ),
    Twin(
        rule="apt-key",
        bad="FROM ubuntu:22.04\nRUN apt-key adv --keyserver keyserver.ubuntu.com --recv-keys 612DEFB798507F25\n",
        good="FROM ubuntu:22.04\nRUN apt-key adv --export --no-emit-version -a 612DEFB798507F25 | sha256sum -c --strict -\n",
    ),
    Twin(  # a keyring of its own does not bring apt-key back
        rule="apt-key",
        bad="FROM ubuntu:22.04\nRUN curl https://a.example/k | apt-key --keyring /usr/share/keyrings/a.gpg add -\n",
        good="FROM ubuntu:22.04\nRUN apt-key --keyring /usr/share/keyrings/a.gpg list\n",
        says="apt-key add",
    ),
    Twin(
        rule="nvidia-docker2",
        name="setup.sh",
        bad="sudo apt-get install -y nvidia-docker2\n",
        good="sudo apt-get install -y nvidia-container-toolkit\nnvidia-ctk runtime configure --runtime=docker\n",
        says="nvidia-docker2 is installed",
    ),
    Twin(
        rule="nvidia-docker2",
        name="README.md",
        bad=document("$ nvidia-docker run -it image"),
        good=document("$ docker run --gpus all -it image"),
        line=4,
    ),
    Twin(
        rule="nvidia-docker2",
        name="setup.sh",
        bad="curl -s -L https://nvidia.github.io/nvidia-docker/gpgkey -o key\n",
        good="curl -s -L https://nvidia.github.io/libnvidia-container/gpgkey -o key\n",
    ),
    Twin(
        rule="nvidia-docker2",
        bad="FROM ubuntu:22.04\nRUN apt-get update && apt-get install -y nvidia-docker2\n",
        good="FROM ubuntu:22.04\nRUN apt-get update && apt-get install -y nvidia-container-toolkit\n",
        line=2,
    ),
    Twin(
        rule="secret-cli-syntax",
        name="README.md",
        bad=document("docker build \\\n  --secret hf_token=/path/to/token.txt \\\n  -t model ."),
        good=document("docker build --secret id=hf_token,src=token.txt --secret id=a,env=A --secret type=file,id=b,source=b ."),
        line=5,
        says="hf_token",
        fixed=document("docker build \\\n  --secret id=hf_token,src=/path/to/token.txt \\\n  -t model ."),
    ),
    Twin(
        rule="secret-cli-syntax",
        name="build.sh",
        bad='docker buildx build --secret=token="$HOME/t" .\n',
        good='docker buildx build --secret=id=token,src="$HOME/t" .\ndocker service create --secret source=a,target=b x\n',
    ),
    Twin(rule="secret-cli-syntax", name="build.sh", bad="docker build --secret c2VjcmV0== .\n", says="a field without a key"),
    Twin(
        rule="secret-cli-syntax",
        name="build.sh",
        bad="docker build --secret id=token,path=/x .\n",
        good="docker build --secret $SECRET .\ndocker build --secret id=token .\n",
        says="path",
    ),
    Twin(
        rule="secret-cli-syntax",
        name=".github/workflows/ci.yml",
        bad="jobs:\n  a:\n    steps:\n      - run: |\n          docker build --secret token=${{ runner.temp }}/t .\n",
        good="jobs:\n  a:\n    steps:\n      - run: |\n          docker build --secret id=token,src=${{ runner.temp }}/t .\n",
        line=5,
        fixed="jobs:\n  a:\n    steps:\n      - run: |\n          docker build --secret id=token,src=${{ runner.temp }}/t .\n",
    ),
    Twin(
        rule="cuda-visible-with-device",
        name="README.md",
        bad=document("docker run --gpus '\"device=1\"' \\\n  -e CUDA_VISIBLE_DEVICES=1 \\\n  -it image python train.py"),
        good=document("docker run --gpus '\"device=2,3\"' -e CUDA_VISIBLE_DEVICES=0,1 -it image python train.py"),
        line=5,
        says="one GPU",
    ),
    Twin(
        rule="cuda-visible-with-device",
        name="run.sh",
        bad="docker run --gpus device=2 --env CUDA_VISIBLE_DEVICES=2 image\n",
        good="docker run --gpus all -e CUDA_VISIBLE_DEVICES=1 image\n"
        "docker run --gpus device=1 -e CUDA_VISIBLE_DEVICES=0 image\n",
    ),
    Twin(
        rule="cuda-visible-with-device",
        name="run.sh",
        bad="docker run --gpus=2 -e CUDA_VISIBLE_DEVICES=0,2 image\n",
        good="docker run --gpus=$N -e CUDA_VISIBLE_DEVICES=3 image\n"
        "docker run --gpus 1 -e CUDA_VISIBLE_DEVICES=GPU-1a2b image\n",
        says="GPU 2",
    ),
    Twin(
        rule="docker-run-no-shm",
        name="train.sh",
        bad="docker run --gpus all -it my-image python train.py --epochs 3\n",
        good="docker run --gpus all --shm-size=2gb -it my-image python train.py\n"
        "docker run --gpus all -it my-image nvidia-smi\n",
        says="my-image",
    ),
    Twin(
        rule="docker-run-no-shm",
        name="train.sh",
        bad="docker run --gpus all --rm -v $PWD:/w my-image torchrun --nproc_per_node=2 main.py\n",
        good="docker run --gpus all --ipc=host my-image torchrun main.py\n"
        "docker run --gpus all --ipc host my-image torchrun main.py\n",
    ),
    Twin(
        rule="docker-run-no-shm",
        name="README.md",
        bad=document("docker run --gpus all -it \\\n  --name dev \\\n  nvcr.io/nvidia/pytorch:24.01-py3 bash"),
        good=document("docker run --gpus all -it nvcr.io/nvidia/pytorch:24.01-py3 python -c 'import torch'"),
        line=4,
    ),
    Twin(
        rule="docker-run-no-shm",
        name="train.sh",
        bad="docker run --runtime nvidia --gpus all -p 8000:8000 vllm/vllm-openai:v0.6.3 --model m\n",
        good="docker run $FLAGS --gpus all image python train.py\n"
        "docker run -v /dev/shm:/dev/shm --gpus all image python train.py\n",
    ),
    Twin(
        rule="docker-run-no-shm",
        name="train.sh",
        good="docker run image python train.py\ndocker run --gpus all -it image python -c train\n"
        "docker run --gpus all tensorflow/tensorflow:2.15.0-gpu bash\n"
        "docker run --gpus all image python predict.py --training-data x\n",
    ),
    Twin(
        rule="docker-scan",
        name="ci.sh",
        bad="docker scan my-image:1.0\n",
        good="docker scout cves my-image:1.0\ntrivy image my-image:1.0\n",
        fixed="docker scout cves my-image:1.0\n",
    ),
    Twin(rule="docker-scan", name="ci.sh", bad="docker scan --severity high my-image\n", good="docker run scan\n"),
    Twin(
        rule="buildkit-default",
        name="README.md",
        bad=document("DOCKER_BUILDKIT=1 docker build -t model ."),
        good=document("docker build -t model .\nDOCKER_BUILDKIT=0 docker build ."),
        line=4,
    ),
    Twin(
        rule="buildkit-default",
        name=".github/workflows/ci.yml",
        bad="env:\n  DOCKER_BUILDKIT: 1\njobs: {}\n",
        good="env:\n  DOCKER_BUILDKIT: 0\njobs: {}\n",
        line=2,
    ),
    Twin(
        rule="cuda-visible-with-device",
        name="run.sh",
        bad="docker run --runtime=nvidia -e NVIDIA_VISIBLE_DEVICES=1 -e CUDA_VISIBLE_DEVICES=1 image\n",
        good="docker run --runtime=nvidia -e NVIDIA_VISIBLE_DEVICES=all -e CUDA_VISIBLE_DEVICES=1 image\n",
    ),
    Twin(rule="docker-run-no-shm", name="run.sh", good="docker run --gpus all -p 8080:8080 pytorch/torchserve:0.12.0-gpu\n"),
    Twin(
        rule="prune-volumes",
        name=".github/workflows/ci.yml",
        good="jobs:\n  a:\n    steps:\n      - run: docker system prune -af --volumes\n",
    ),
    Twin(
        rule="inline-comment",
        name="README.md",
        bad=document("docker run --gpus all \\\n  --shm-size=2gb \\ # for the DataLoader\n  -it image"),
        good=document(
            "# for the DataLoader\ndocker run --gpus all \\\n  --shm-size=2gb \\\n  -it image # here\necho 'a \\ # b'"
        ),
        line=5,
        says="the command ends here",
    ),
    Twin(rule="buildkit-default", name="build.sh", bad="export DOCKER_BUILDKIT=1\ndocker build .\n", good="export A=1\n"),
]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twin(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)
