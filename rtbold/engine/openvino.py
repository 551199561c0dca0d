"""The default engine: a bundle's ``model.onnx`` compiled by OpenVINO for the CPU."""

from typing import Protocol

import numpy as np

from rtbold.bundle import Bundle
from rtbold.card import Card
from rtbold.engine.windows import check_finite, check_windows
from rtbold.errors import EngineError
from rtbold.messages import WINDOW_SAMPLES, Float32Array

MODEL_FILE = "model.onnx"
INPUT, OUTPUT = "eeg_uv", "bold"


class _Port(Protocol):
    def get_names(self) -> set[str]: ...
    def get_partial_shape(self) -> list[object]: ...


class _Model(Protocol):
    inputs: list[_Port]
    outputs: list[_Port]


class _Request(Protocol):
    def infer(
        self, inputs: dict[str, Float32Array], *, share_inputs: bool
    ) -> dict[int, Float32Array]: ...


class OpenVinoEngine:
    """Float32 on the CPU, latency first, pinned thread count; no torch."""

    name = "openvino"
    precision = "f32"

    def __init__(
        self, bundle: Bundle, *, n_threads: int, batch_size: int | None
    ) -> None:
        self._card: Card = bundle.card
        self._request: _Request | None = _compile(bundle, n_threads, batch_size)
        self._batch_size = batch_size
        self._warm_up()

    def _warm_up(self) -> None:
        shape = (self._batch_size or 1, len(self._card.channels), WINDOW_SAMPLES)
        # A fixed pseudo-random window: zeros would not exercise log and division.
        noise = np.random.default_rng(0).standard_normal(shape)
        self(np.float32(10.0) * noise.astype(np.float32))

    def __call__(self, eeg_uv: Float32Array) -> Float32Array:
        """Predict (batch, rois) from (batch, channels, 3200) microvolt."""
        check_windows(eeg_uv, self._card)
        if self._batch_size not in (None, eeg_uv.shape[0]):
            raise EngineError(
                f"the batch holds {eeg_uv.shape[0]} windows, this engine was "
                f"opened for {self._batch_size}; open it with batch_size=None"
            )
        if self._request is None:
            raise EngineError("this engine was closed; open the bundle again")
        windows = np.ascontiguousarray(eeg_uv)
        try:
            results = self._request.infer({INPUT: windows}, share_inputs=True)
        except RuntimeError as error:
            raise EngineError(
                f"OpenVINO failed on this window: {_first_line(error)}. If it goes on, "
                "restart the session, or try --engine torch."
            ) from error
        return check_finite(np.array(results[0], dtype=np.float32), self.name)

    def close(self) -> None:
        """Free the compiled model."""
        self._request = None


def _compile(bundle: Bundle, n_threads: int, batch_size: int | None) -> _Request:
    try:
        import openvino  # takes half a second: not at start-up of the command line
    except ImportError as error:
        raise EngineError(
            "openvino is not installed, expected it beside rtbold; "
            "install it (pip install openvino) or pass --engine torch"
        ) from error
    file = bundle.file(MODEL_FILE)
    try:
        core = openvino.Core()
        model = core.read_model(file)
        _check_signature(model, bundle.card)
        n_batch = -1 if batch_size is None else batch_size
        model.reshape({INPUT: [n_batch, len(bundle.card.channels), WINDOW_SAMPLES]})
        compiled = core.compile_model(model, "CPU", _settings(n_threads))
    except RuntimeError as error:
        raise EngineError(
            f"OpenVINO cannot run {file}: {_first_line(error)}. "
            "Export the model again, or try --engine torch."
        ) from error
    request: _Request = compiled.create_infer_request()
    return request


def _settings(n_threads: int) -> dict[str, object]:
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": n_threads,
        "NUM_STREAMS": 1,
    }


def _check_signature(model: _Model, card: Card) -> None:
    inputs = [name for port in model.inputs for name in port.get_names()]
    outputs = [name for port in model.outputs for name in port.get_names()]
    if len(model.inputs) != 1 or INPUT not in inputs or OUTPUT not in outputs:
        raise EngineError(
            f"{MODEL_FILE} of '{card.name}' takes {inputs} and gives {outputs}, "
            f"expected {INPUT} and {OUTPUT}; export the model again"
        )
    n_rois = model.outputs[0].get_partial_shape()[1]
    if str(n_rois) != str(len(card.rois)):
        raise EngineError(
            f"{MODEL_FILE} of '{card.name}' answers {n_rois} values, its card names "
            f"{len(card.rois)} ROIs; export the model again"
        )


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
