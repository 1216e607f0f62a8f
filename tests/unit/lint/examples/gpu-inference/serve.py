"""A model on a GPU behind HTTP."""

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import torch
import uvicorn
from fastapi import FastAPI, Request


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.model = torch.jit.load("/cache/model.pt", map_location="cuda").eval()
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/health")
def health() -> dict[str, bool]:
    return {"cuda": torch.cuda.is_available()}


@app.post("/predict")
def predict(values: list[float], request: Request) -> list[float]:
    with torch.inference_mode():
        return request.app.state.model(torch.tensor([values], device="cuda"))[0].tolist()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    arguments = parser.parse_args()
    uvicorn.run(app, host=arguments.host, port=arguments.port)
