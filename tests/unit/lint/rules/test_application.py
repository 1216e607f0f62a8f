"""Rules over the Python of a service."""

from pathlib import Path

import pytest

from support.linting import Twin

HEAD = "import joblib\nfrom fastapi import FastAPI\n\napp = FastAPI()\n"
LOADED = HEAD + 'model = joblib.load("model.joblib")\n\n'

TWINS = [
    Twin(
        rule="model-load-in-handler",
        name="main.py",
        bad=HEAD + '\n@app.post("/predict")\ndef predict(x: float):\n    return joblib.load("m.joblib").predict([[x]])\n',
        good=LOADED + '@app.post("/predict")\ndef predict(x: float):\n    return model.predict([[x]])\n',
        line=8,
        says="predict calls joblib.load at every request",
    ),
    Twin(  # through a helper, and what keeps it
        rule="model-load-in-handler",
        name="main.py",
        bad=HEAD + 'def get():\n    return joblib.load("m")\n\n\n@app.post("/p")\ndef p(x: float):\n    m = get()\n'
        "    return m.predict(x)\n",
        good="from functools import lru_cache\n"
        + HEAD
        + '@lru_cache\ndef get():\n    return joblib.load("m")\n\n\n@app.post("/p")\ndef p(x: float):\n'
        "    return get().predict(x)\n",
        line=11,
    ),
    Twin(  # a dependency is called at every request; a global keeps what was loaded
        rule="model-load-in-handler",
        name="main.py",
        bad=HEAD
        + "from fastapi import Depends\nfrom transformers import AutoModel\n"
        + 'def m():\n    return AutoModel.from_pretrained("x")\n\n\n@app.post("/p")\ndef p(model=Depends(m)):\n    return 1\n',
        good=HEAD + "model = None\ndef m():\n    global model\n    if model is None:\n        model = joblib.load('m')\n"
        "    return model\n" + '\n\n@app.post("/p")\ndef p():\n    return m().predict(1)\n',
    ),
    Twin(  # Flask
        rule="model-load-in-handler",
        name="app.py",
        bad="import pickle\nfrom flask import Flask\napp = Flask(__name__)\n@app.route('/predict', methods=['POST'])\n"
        "def predict():\n    model = pickle.load(open('m.pkl', 'rb'))\n    return str(model.predict([[1]]))\n",
        good="import pickle\nfrom flask import Flask\napp = Flask(__name__)\nmodels = {}\n"
        "@app.route('/predict', methods=['POST'])\n"
        "def predict():\n    if 'm' not in models:\n        models['m'] = pickle.load(open('m.pkl', 'rb'))\n    return '1'\n",
        line=6,
    ),
    Twin(  # a route whose purpose it is
        rule="model-load-in-handler",
        name="main.py",
        good=HEAD + '\n@app.post("/reload")\ndef reload():\n    app.state.model = joblib.load("m.joblib")\n',
    ),
    Twin(
        rule="sync-predict-in-async",
        name="main.py",
        bad=LOADED + '@app.post("/predict")\nasync def predict(x: float):\n    return model.predict([[x]])\n',
        good=LOADED + '@app.post("/predict")\ndef predict(x: float):\n    return model.predict([[x]])\n',
        line=9,
        says="async predict calls model.predict",
    ),
    Twin(  # a thread, or an engine that is asynchronous itself
        rule="sync-predict-in-async",
        name="main.py",
        bad=LOADED + '@app.get("/x")\nasync def x():\n    time.sleep(1)\n    return requests.get("http://a")\n',
        good=LOADED
        + 'import asyncio\n@app.post("/p")\nasync def p(x: float):\n    y = await asyncio.to_thread(model.predict, [[x]])\n'
        + "    loop = asyncio.get_running_loop()\n    z = await loop.run_in_executor(None, lambda: model.predict([[x]]))\n"
        + "    async for out in model.generate(x):\n        pass\n    return await engine.predict(y)\n",
        says="time.sleep",
    ),
    Twin(  # a helper runs in the loop, a dependency that is no coroutine in a thread
        rule="sync-predict-in-async",
        name="main.py",
        bad=LOADED
        + 'def score(x):\n    return model.predict(x)\n\n\n@app.post("/p")\nasync def p(x: float):\n    return score(x)\n',
        good=LOADED
        + "from fastapi import Depends\ndef score(x: float):\n    return model.predict(x)\n\n\n"
        + '@app.post("/p")\nasync def p(y=Depends(score)):\n    return y\n',
    ),
    Twin(
        rule="sync-predict-in-async",
        name="main.py",
        bad="import torch\n"
        + HEAD
        + 'model = torch.jit.load("m.pt")\n@app.post("/p")\nasync def p(x: float):\n    return model(x)\n',
        good=LOADED + '@app.post("/p")\nasync def p(text: str):\n    return text.encode("utf-8")\n',
    ),
    Twin(
        rule="on-event-deprecated",
        name="main.py",
        bad=HEAD + '@app.on_event("startup")\nasync def load():\n    pass\n',
        good="from contextlib import asynccontextmanager\nfrom fastapi import FastAPI\n\n\n@asynccontextmanager\n"
        "async def lifespan(app):\n    yield\n\n\napp = FastAPI(lifespan=lifespan)\n",
        line=5,
    ),
    Twin(
        rule="uvicorn-workers-deprecated",
        bad="FROM python:3.12-slim\nRUN pip install gunicorn uvicorn-worker\n"
        'CMD ["gunicorn", "-k", "uvicorn.workers.UvicornWorker", "main:app"]\n',
        good="FROM python:3.12-slim\nRUN pip install gunicorn uvicorn-worker\n"
        'CMD ["gunicorn", "-k", "uvicorn_worker.UvicornWorker", "main:app"]\n',
        fixed="FROM python:3.12-slim\nRUN pip install gunicorn uvicorn-worker\n"
        'CMD ["gunicorn", "-k", "uvicorn_worker.UvicornWorker", "main:app"]\n',
        line=3,
    ),
    Twin(
        rule="uvicorn-workers-deprecated",
        name="gunicorn.conf.py",
        bad='workers = 2\nworker_class = "uvicorn.workers.UvicornWorker"\n',
        good='# not uvicorn.workers.UvicornWorker\nworker_class = "uvicorn_worker.UvicornWorker"\n',
        line=2,
    ),
]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twin(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)


def test_the_worker_is_not_renamed_where_its_package_is_missing(tmp_path: Path) -> None:
    bad = (
        'FROM python:3.12-slim\nRUN pip install gunicorn\nCMD ["gunicorn", "-k", "uvicorn.workers.UvicornWorker", "main:app"]\n'
    )
    Twin(rule="uvicorn-workers-deprecated", bad=bad, fixed=bad).check(tmp_path)
