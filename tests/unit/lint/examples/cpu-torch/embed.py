from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from sentence_transformers import SentenceTransformer


@asynccontextmanager
async def lifespan(app: FastAPI):
    app.state.model = SentenceTransformer("sentence-transformers/all-MiniLM-L6-v2")
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/health")
async def health():
    return {"status": "ok"}


@app.post("/embed")
def embed(texts: list[str], request: Request):
    return request.app.state.model.encode(texts).tolist()
