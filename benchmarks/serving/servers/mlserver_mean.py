"""A model of MLServer's own kind: the mean of each row of a tensor."""

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Mean(MLModel):
    """Of float32 [n, 2000000]."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """One number a row."""
        rows = NumpyCodec.decode_input(payload.inputs[0])
        output = NumpyCodec.encode_output("output", rows.mean(axis=1))
        return InferenceResponse(model_name=self.name, outputs=[output])
