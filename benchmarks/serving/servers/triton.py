"""PyTriton: the Triton server (C++) before a Python function: `triton.py mean PORT GRPC METRICS`."""

import sys

import numpy as np
from pytriton.decorators import batch
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig


@batch
def mean(input: np.ndarray) -> list[np.ndarray]:
    """Of each row of float32 [n, 2000000]."""
    return [input.mean(axis=1, keepdims=True)]


if __name__ == "__main__":
    _, port, grpc, metrics = sys.argv[1:]
    config = TritonConfig(http_port=int(port), grpc_port=int(grpc), metrics_port=int(metrics), log_verbose=0)
    with Triton(config=config) as server:
        server.bind(
            model_name="mean",
            infer_func=mean,
            inputs=[Tensor(name="input", dtype=np.float32, shape=(2_000_000,))],
            outputs=[Tensor(name="output", dtype=np.float32, shape=(1,))],
            config=ModelConfig(max_batch_size=8),
        )
        server.serve()
