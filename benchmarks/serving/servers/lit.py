"""LitServe, as its guide has it: `lit.py iris|torch PORT [batch] [zmq]`."""

import os
import sys
from pathlib import Path

import litserve
import numpy as np

DATA = Path(os.environ["BENCH_DATA"])


class Iris(litserve.LitAPI):
    """The classes of flowers."""

    def setup(self, device):
        """Load the model in the worker."""
        import joblib

        self.model = joblib.load(DATA / "iris.joblib")

    def decode_request(self, request):
        """Rows of four lengths."""
        return np.array(request["inputs"])

    def predict(self, x):
        """One class a row."""
        return self.model.predict(x)

    def encode_response(self, output):
        """As JSON."""
        return {"predictions": output.tolist()}


class BatchedIris(Iris):
    """Requests of one row each, joined."""

    def batch(self, inputs):
        """All rows."""
        return np.concatenate(inputs)

    def unbatch(self, output):
        """Each request's own."""
        return list(output[:, None])


class Mlp(litserve.LitAPI):
    """A torch model."""

    def setup(self, device):
        """Load the model in the worker."""
        import torch

        self.torch, self.model = torch, torch.jit.load(DATA / "mlp.pt").eval()

    def decode_request(self, request):
        """Rows of 512 numbers."""
        return self.torch.tensor(request["inputs"])

    def predict(self, x):
        """Ten numbers a row."""
        with self.torch.inference_mode():
            return self.model(x)

    def encode_response(self, output):
        """As JSON."""
        return {"predictions": output.tolist()}


class BatchedMlp(Mlp):
    """Requests of one row each, joined."""

    def batch(self, inputs):
        """All rows."""
        return self.torch.cat(inputs)

    def unbatch(self, output):
        """Each request's own."""
        return list(output[:, None])


if __name__ == "__main__":
    model, port, *options = sys.argv[1:]
    if "batch" in options:
        api = {"iris": BatchedIris, "torch": BatchedMlp}[model](max_batch_size=32, batch_timeout=0.002)
    else:
        api = {"iris": Iris, "torch": Mlp}[model]()
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1, fast_queue="zmq" in options)
    server.run(port=int(port), num_api_servers=1, generate_client_file=False, log_level="warning")
