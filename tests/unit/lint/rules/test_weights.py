"""Models, data and outputs in images."""

from pathlib import Path

import pytest

from support.linting import Twin, findings

BASE = "FROM python:3.12-slim-bookworm\n"
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 440473133\n"
HUB = "https://huggingface.co/a/b/resolve"
COMMIT = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32"
LOAD = "RUN python -c \"from transformers import AutoModel; AutoModel.from_pretrained('bert-base-uncased'{})\"\n"

BAKED = [
    Twin(
        rule="model-baked",
        bad=BASE + "COPY models/ /app/models/\n",
        good=BASE + "COPY src/models/ /app/models/\n",
        says="models/",
    ),
    Twin(
        rule="model-baked",
        bad=BASE + "COPY app.py llama.gguf /app/\n",
        good=BASE + "COPY model.pkl model.bin yolov8n.pt /app/\n",
    ),
    Twin(
        rule="model-baked",
        bad=BASE + "COPY . /app\n",
        good=BASE + "COPY . /app\n",
        bad_files={"w/model.safetensors": POINTER},
        good_files={"w/model.safetensors": "tiny", "w/model.onnx": "small", "models/a.py": ""},
        says="440 MB",
    ),
    Twin(
        rule="model-baked",
        good=BASE + "COPY . /app\n",
        files={"w/model.safetensors": POINTER, ".dockerignore": "w\n"},
    ),
    Twin(
        rule="model-baked",
        bad=BASE + "COPY weights /w\n",
        bad_files={"weights/a.pt.dvc": "outs:\n- md5: x\n  size: 500000000\n"},
    ),
    Twin(
        rule="model-baked",
        bad=BASE + "RUN hf download a/b --revision " + COMMIT + "\n",
        good=BASE + "RUN --mount=type=cache,target=/root/.cache/huggingface hf download a/b\nRUN hf download a/b config.json\n",
        says="a/b",
    ),
    Twin(
        rule="model-baked",
        bad=BASE + LOAD.format(""),
        good=BASE
        + LOAD.format("").replace("AutoModel", "AutoTokenizer")
        + LOAD.format("").replace("'bert-base-uncased'", "'./model'"),
    ),
    Twin(
        rule="model-baked",
        bad=BASE + "RUN ollama serve & sleep 5 && ollama pull llama3.1:8b\n",
        good=BASE + "RUN ollama list\n",
    ),
    Twin(
        rule="model-baked",
        bad=BASE + f"RUN wget -q {HUB}/{COMMIT}/model.safetensors\n",
        good=BASE + f"RUN wget -q {HUB}/{COMMIT}/tokenizer.json && wget https://a.example/yolov8n.pt\n",
    ),
    Twin(
        rule="model-baked",
        bad=BASE + "COPY download_model.py .\nRUN python download_model.py\n",
        good=BASE + "COPY download_model.py train.py ./\nRUN python train.py\n",
        files={"download_model.py": "AutoModel.from_pretrained('a/b')\n", "train.py": "AutoModel.from_pretrained('a/b')\n"},
        line=3,
    ),
    Twin(  # a script that is not at hand, by its name
        rule="model-baked",
        bad=BASE + "COPY preload_models.py /tmp/\nRUN python3 /tmp/preload_models.py && rm /tmp/preload_models.py\n",
        good=BASE + "COPY *.py /tmp/\nRUN python3 /tmp/download_data.py && python3 /tmp/download_spacy_model.py\n",
        line=3,
    ),
    Twin(
        rule="model-baked",
        bad=BASE + "RUN bash /opt/whisper.cpp/models/download-ggml-model.sh medium\n",
        good=BASE + "RUN bash /opt/whisper.cpp/models/download-ggml-model.sh tiny && ./get_labels.sh && cat get_model.sh\n",
    ),
    Twin(rule="model-baked", good=BASE + 'RUN if [ -n "$MODEL" ]; then python3 /src/download_model.py; fi\n'),
    Twin(  # Darknet's, and archives
        rule="model-baked",
        bad=BASE + "RUN wget https://a.example/yolov3-spp.weights && wget https://a.example/hmmr_models.tar.gz\n",
        good=BASE + "RUN wget https://a.example/yolov3-tiny.weights && wget https://a.example/model-small.zip\n",
        says="yolov3-spp.weights and hmmr_models.tar.gz",
    ),
    Twin(
        rule="model-baked",
        bad=BASE + "RUN dvc pull models/model.onnx.dvc\n",
        good=BASE + "RUN dvc pull data/labels.dvc && dvc init --no-scm\n",
        says="model.onnx",
    ),
    Twin(  # checkpoints of PyTorch, but for those that are known to be small
        rule="model-baked",
        bad=BASE + "RUN curl -o /m/densenet161.pth https://a.example/densenet161-8d451a50.pth\n",
        good=BASE + "RUN wget https://a.example/resnet18-f37072fd.pth https://a.example/RealESRGAN_x4plus.pth\n"
        "RUN wget https://a.example/densenet-7.onnx\n",
        says="densenet161-8d451a50.pth",
    ),
    Twin(  # a whole repository, whatever its name
        rule="model-baked",
        bad=BASE + "RUN python - <<E\nimport os\nsnapshot_download(repo_id=os.environ['MODEL'], local_dir='/m')\nE\n",
        good=BASE + "RUN python -c \"snapshot_download(repo, repo_type='dataset'); AutoModel.from_pretrained(name)\"\n",
        says="a repository (snapshot_download)",
    ),
    Twin(  # a program that is written is not yet one that runs
        rule="model-baked",
        bad=BASE + "RUN python3 <<E\nimport transformers\nAutoModel.from_pretrained('a/b')\nE\n",
        good=BASE + "RUN cat <<E > app.py\nimport transformers\nAutoModel.from_pretrained('a/b')\nE\n"
        "RUN tee app2.py <<E\nimport transformers\nAutoModel.from_pretrained('a/b')\nE\n",
    ),
    Twin(  # a folder below one of models
        rule="model-baked",
        bad=BASE + "COPY models/trained/ /app/models/trained/\n",
        good=BASE + "COPY models/metrics.json src/models/trained /app/\n",
        says="models/trained/",
    ),
    Twin(
        rule="model-baked",
        bad=BASE + "RUN python -m spacy download en_core_web_trf\n",
        good=BASE + "RUN python -m spacy download en_core_web_sm && spacy download de_core_news_md\n",
        says="en_core_web_trf",
    ),
    Twin(
        rule="model-baked",
        bad=BASE + "RUN modelscope download --model Qwen/Qwen2.5-7B --local_dir /m\n",
        good=BASE + "RUN modelscope download --dataset a/b && modelscope login\n",
        says="Qwen/Qwen2.5-7B",
    ),
    Twin(
        rule="model-baked",
        bad=BASE + "RUN python -c \"from transformers import pipeline; pipeline('sentiment-analysis')\"\n",
        good=BASE + "RUN python -c \"pipeline(steps); dsl.pipeline('scale'); pipeline(model='a/b-tiny')\"\n",
        says="sentiment-analysis",
    ),
    Twin(  # the same on Hugging Face, where the repository says what is small
        rule="model-baked",
        bad=BASE + f"RUN wget -O /m/best_model.onnx {HUB}/{COMMIT}/multiaccent_e2e.onnx\n",
        good=BASE + f"RUN wget {HUB.replace('a/b', 'a/all-MiniLM-L6')}/{COMMIT}/onnx/model.onnx {HUB}/{COMMIT}/u2netp.onnx\n",
        says="multiaccent_e2e.onnx",
    ),
    Twin(  # where the address does not say what it is, the name of the file does
        rule="model-baked",
        bad=BASE + "RUN wget -O weights/sd.ckpt 'https://drive.example/uc?id=1'\n",
        good=BASE + "RUN wget -O tokenizer.json 'https://drive.example/uc?id=1' && cp a.ckpt b.ckpt\n",
        says="sd.ckpt",
    ),
    Twin(rule="model-baked", bad=BASE + "RUN gdown 1abc -O w/basnet.pth\n", good=BASE + "RUN gdown 1abc -O w/labels.txt\n"),
    Twin(
        rule="model-baked",
        bad=BASE + "COPY get.sh .\nRUN ./gdrive_download.sh 1abc data/basnet.pth && ./gdrive_download.sh 2abc data/u2net.pth\n",
        good=BASE + "RUN ./gdrive_download.sh 1abc data/classes.txt && ./convert.sh data/basnet.pth\n",
        says="basnet.pth and u2net.pth",
    ),
    Twin(
        rule="model-baked",
        bad=BASE + "RUN aws s3 cp s3://bucket/llama.safetensors /m/\n",
        good=BASE + "RUN aws s3 cp s3://bucket/classes.txt /m/\n",
    ),
    Twin(  # a folder of a store, by its name
        rule="model-baked",
        bad=BASE + "RUN aws s3 sync --no-sign-request --quiet s3://bucket/1900_weights/ /data/1900_weights/\n",
        good=BASE + "RUN aws s3 sync s3://bucket/config/ /m/ && aws s3 cp /out/models s3://bucket/models/ --recursive\n",
        says="1900_weights",
    ),
    Twin(
        rule="model-baked",
        bad=BASE + "RUN gsutil -m cp -r gs://bucket/v2/models /app/\n",
        good=BASE + "RUN gsutil ls gs://bucket/v2/models && gsutil cp gs://bucket/models/labels.txt /app/\n",
    ),
    Twin(  # a stage that nothing uses
        rule="model-baked",
        good='FROM a AS x\nRUN hf download a/b\nFROM b\nCMD ["c"]\n',
    ),
    Twin(rule="model-baked", bad="FROM a AS x\nRUN hf download a/b --local-dir /m\nFROM b\nCOPY --from=x /m /m\n", line=2),
]
DATA = [
    Twin(
        rule="data-baked",
        bad=BASE + "RUN dvc remote add -d r s3://b && dvc pull -r r\n",
        good=BASE
        + 'RUN dvc pull -v -r r models/model.onnx.dvc && dvc status\nENTRYPOINT ["sh", "-c", "dvc pull && python a.py"]\n',
    ),
    Twin(rule="data-baked", bad=BASE + "RUN dvc pull data/raw.dvc models/m.pt.dvc\n", says="data/raw"),
    Twin(
        rule="data-baked",
        bad=BASE + "RUN wget https://a.example/hmmr_demo_data.tar.gz && tar xf hmmr_demo_data.tar.gz\n",
        good=BASE + "RUN wget https://a.example/datatools.tar.gz https://a.example/nltk_data.zip\n",
        says="hmmr_demo_data.tar.gz",
    ),
    Twin(
        rule="data-baked",
        bad=BASE + "RUN kaggle competitions download -c digits && unzip digits.zip\n",
        good=BASE + "RUN kaggle --version && kaggle datasets list\n",
        says="kaggle",
    ),
    Twin(
        rule="data-baked",
        bad=BASE + "RUN gsutil -m cp -r gs://bucket/processed data/\n",
        good=BASE + "RUN gsutil -m cp -r data/ gs://bucket/processed && gsutil cp gs://bucket/app.conf /etc/\n",
    ),
    Twin(rule="data-baked", bad=BASE + "COPY data/ ./data/\n", good=BASE + "COPY src/data/ ./src/data/\nCOPY data.dvc .\n"),
    Twin(  # a table whose size is not known, and one that is small
        rule="data-baked",
        bad=BASE + "COPY items.parquet app.py ./\n",
        good=BASE + "COPY items.parquet app.py ./\n",
        good_files={"items.parquet": "PAR1", "app.py": ""},
    ),
    Twin(
        rule="data-baked",
        bad=BASE + "COPY datasets/* /d/\n",
        good=BASE + "COPY data/ /d/\n",
        good_files={"data/labels.csv": "a\n"},
    ),
    Twin(
        rule="data-baked",
        bad=BASE + "COPY train.csv /d/\n",
        good=BASE + "COPY train.csv /d/\n",
        bad_files={"train.csv": POINTER},
        good_files={"train.csv": "a,b\n1,2\n"},
        says="440 MB",
    ),
    Twin(rule="data-baked", good=BASE + "COPY data /d\nCOPY --from=x data /d\n", files={".dockerignore": "data\n"}),
]
OUTPUTS = [
    Twin(rule="outputs-baked", bad=BASE + "COPY mlruns/ mlruns/\n", good=BASE + "COPY src/runs/ /app/runs\n", says="mlruns/"),
    Twin(
        rule="outputs-baked",
        bad=BASE + "COPY ./wandb ./wandb\n",
        good=BASE + "COPY logs /l\n",
        good_files={"logs/__init__.py": ""},
    ),
    Twin(
        rule="outputs-baked",
        bad=BASE + "COPY notebooks/ /n\n",
        good=BASE + "RUN pip install jupyterlab\nCOPY notebooks/ /n\n",
    ),
    Twin(rule="outputs-baked", bad=BASE + "COPY a.ipynb /n/\n", good=BASE + "COPY notebooks/ /n\nWORKDIR /n/notebooks\n"),
    Twin(  # told as the model that they are
        rule="outputs-baked",
        bad=BASE + "COPY checkpoints /app/checkpoints\n",
        good=BASE + "COPY checkpoints /models/checkpoints\n",
    ),
    Twin(rule="outputs-baked", bad=BASE + "COPY pkg/checkpoints pkg/checkpoints\n", good=BASE + "COPY --from=b outputs /o\n"),
]
UNPINNED = [
    Twin(
        rule="model-download-unpinned",
        bad=BASE + LOAD.format(""),
        good=BASE + LOAD.format(f", revision='{COMMIT}'"),
        says="bert-base-uncased",
    ),
    Twin(
        rule="model-download-unpinned",
        bad=BASE + "RUN huggingface-cli download a/b --local-dir /m\n",
        good=BASE + f"RUN huggingface-cli download a/b --local-dir /m --revision {COMMIT}\nRUN hf download a/b $ARGS\n",
    ),
    Twin(
        rule="model-download-unpinned",
        bad=BASE + f"RUN curl -LO {HUB}/main/m.safetensors\n",
        good=BASE + f"RUN curl -LO {HUB}/{COMMIT}/m.safetensors && curl -LO {HUB}/$REV/x.bin\n",
    ),
    Twin(
        rule="model-download-unpinned",
        bad=BASE + f"ADD {HUB}/main/m.safetensors /m/\n",
        good=BASE
        + f"ADD --checksum=sha256:00 {HUB}/main/m.safetensors /m/\nRUN curl -LO {HUB}/main/m.bin && echo x | sha256sum -c\n",
    ),
    Twin(rule="model-download-unpinned", bad=BASE + "RUN ollama pull llama3\n", good=BASE + "RUN ollama pull llama3.1:8b\n"),
    Twin(
        rule="model-download-unpinned",
        bad=BASE + "RUN python3 -c \"import torch; torch.hub.load('pytorch/vision', 'resnet18')\"\n",
        good=BASE + "RUN python3 -c \"import torch; torch.hub.load('pytorch/vision:v0.20.0', 'resnet18')\"\n",
    ),
    Twin(
        rule="model-download-unpinned",
        bad=BASE + "RUN python - <<EOF\nfrom huggingface_hub import snapshot_download\nsnapshot_download('a/b')\nEOF\n",
        good=BASE
        + "RUN python - <<EOF\nfrom huggingface_hub import snapshot_download\nsnapshot_download('a/b', revision='v1')\nEOF\n",
    ),
    Twin(
        rule="model-download-unpinned",
        bad=BASE + "RUN git lfs install && git clone https://huggingface.co/a/b /m\n",
        good=BASE + "RUN git clone https://huggingface.co/a/b /m && cd /m && git checkout 4d7a2146\n"
        "RUN git clone --branch v1.0 https://huggingface.co/a/b /n\n",
        says="a/b without a revision",
    ),
    Twin(
        rule="model-download-unpinned",
        bad=BASE + "RUN python -c \"WhisperModel('a/b-large-ct2', device='cpu')\"\n",
        good=BASE + "RUN python -c \"WhisperModel('a/b-large-ct2', revision='4d7a2146'); WhisperModel('large-v3')\"\n",
    ),
    Twin(
        rule="model-download-unpinned",
        bad=BASE + "RUN python -c \"from transformers import pipeline; pipeline('summarization', model='a/bart-large')\"\n",
        good=BASE + "RUN python -c \"pipeline('summarization', model='a/b', revision='v1'); make_pipeline('a/b')\"\n",
        says="a/bart-large",
    ),
    Twin(  # one message for a step
        rule="model-download-unpinned",
        bad=BASE + f"RUN wget {HUB}/main/a.safetensors && wget {HUB}/main/b.safetensors\n",
        good=BASE + "RUN python -m nltk.downloader punkt && python -m spacy download en_core_web_sm\n",
        says="a.safetensors and b.safetensors",
    ),
]


TWINS = [*BAKED, *DATA, *OUTPUTS, *UNPINNED]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twins(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)


def test_sizes_on_disk_count(tmp_path: Path) -> None:
    (tmp_path / "model.pt").touch()
    with (tmp_path / "model.pt").open("r+b") as stream:
        stream.truncate(101 * 10**6)
    assert "101 MB" in findings(tmp_path, {"Dockerfile": BASE + "COPY *.pt /m/\n"}, "model-baked")[0].message
