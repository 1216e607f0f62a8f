"""Turns sentences into vectors, and says how alike two sentences are, with all-MiniLM-L6-v2 on the CPU."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import torch
from fastapi import FastAPI, HTTPException, Request
from pydantic import BaseModel, Field
from transformers import BertModel, BertTokenizerFast

MODEL = Path(__file__).parent / "model"
MAX_TOKENS = 256
"""What the model was trained with; longer sentences are cut."""


class Encoder:
    """The tokenizer and the weights."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer = BertTokenizerFast.from_pretrained(folder, local_files_only=True)
        self._model = BertModel.from_pretrained(folder, local_files_only=True).eval()

    @torch.inference_mode()
    def encode(self, sentences: list[str]) -> torch.Tensor:
        """One unit vector of 384 numbers for each sentence: the mean over its tokens."""
        tokens = self._tokenizer(sentences, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
        hidden = self._model(**tokens).last_hidden_state
        mask = tokens["attention_mask"].unsqueeze(-1)
        mean = (hidden * mask).sum(dim=1) / mask.sum(dim=1)
        return torch.nn.functional.normalize(mean, dim=1)


class Sentences(BaseModel):
    """What is to be embedded."""

    sentences: list[str] = Field(min_length=1, max_length=256)


class Vectors(BaseModel):
    """One unit vector for each sentence, in the same order."""

    vectors: list[list[float]]


class Pair(BaseModel):
    """Two sentences to compare."""

    left: str
    right: str


class Similarity(BaseModel):
    """The cosine of the angle between two sentences: 1 means the same, about 0 nothing in common."""

    similarity: float


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Load the model once, before the first request."""
    app.state.encoder = Encoder(MODEL)
    yield


app = FastAPI(title="Sentence embeddings", lifespan=lifespan)


@app.get("/health")
def health() -> dict[str, str]:
    """Answers while the process lives."""
    return {"status": "ok"}


@app.get("/ready")
def ready(request: Request) -> dict[str, str]:
    """Answers 200 once the model is loaded."""
    if getattr(request.app.state, "encoder", None) is None:
        raise HTTPException(503, "the model is not loaded")
    return {"status": "ready"}


@app.post("/embed")
def embed(asked: Sentences, request: Request) -> Vectors:
    """A vector for each sentence."""
    return Vectors(vectors=request.app.state.encoder.encode(asked.sentences).tolist())


@app.post("/similarity")
def similarity(pair: Pair, request: Request) -> Similarity:
    """How alike the two sentences are."""
    left, right = request.app.state.encoder.encode([pair.left, pair.right])
    return Similarity(similarity=round(float(left @ right), 4))
