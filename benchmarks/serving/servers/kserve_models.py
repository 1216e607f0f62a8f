"""KServe's Python server: `kserve_models.py iris|mean PORT`."""

import os
import sys
from pathlib import Path

import joblib
from kserve import InferOutput, InferResponse, Model, ModelServer
from kserve.utils.utils import generate_uuid


class Asked(Model):
    """The first input goes to `ask`, what it gives is the only output."""

    def __init__(self, name, ask, datatype):
        super().__init__(name)
        self.ask, self.datatype, self.ready = ask, datatype, True

    def predict(self, payload, headers=None, response_headers=None):
        """The Open Inference Protocol's request and response."""
        values = self.ask(payload.inputs[0].as_numpy())
        output = InferOutput(name="output", shape=list(values.shape), datatype=self.datatype)
        output.set_data_from_numpy(values, binary_data=False)
        return InferResponse(response_id=payload.id or generate_uuid(), model_name=self.name, infer_outputs=[output])


if __name__ == "__main__":
    name, port = sys.argv[1:]
    if name == "iris":
        model = Asked(name, joblib.load(Path(os.environ["BENCH_DATA"], "iris.joblib")).predict, "INT64")
    else:
        model = Asked(name, lambda rows: rows.mean(axis=1), "FP32")
    ModelServer(http_port=int(port), workers=1, enable_grpc=False, access_log_format="").start([model])
