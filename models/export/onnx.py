"""Export of any architecture to the one file that every engine runs."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import onnx
import torch
from torch import nn

from rtbold.bundle.card import Lineage
from rtbold.messages import FloatArray
from rtbold.models.export.folding import folded
from rtbold.models.published.checkpoints import LINEAGE
from rtbold.models.spectral import WINDOW_SAMPLES
from rtbold.models.watched import Watched, can_be_watched

OPSET = 20
_EXPORTER_LOG = "torch.onnx._internal.exporter._registration"
INPUT, OUTPUT, DISTANCE = "eeg_uv", "bold", "feature_distance"
FeatureScale = tuple[FloatArray, FloatArray]  # mean and sd, (features,)


def to_onnx(
    model: nn.Module, n_channels: int, *, watch: FeatureScale | None = None
) -> bytes:
    """Return ``model.onnx``: `eeg_uv` (batch, channels, 3200) -> `bold` (batch, rois).

    Float32, any batch size, opset 20, weights inside; checked by onnx.checker.

    Parameters
    ----------
    watch : what the head read in calibration. The graph then has a second output,
        `feature_distance` (batch, 1), except where the model is an ensemble.
    """
    model = folded(model)  # the caller keeps the form that trains
    outputs = [OUTPUT]
    if watch is not None and can_be_watched(model):
        model = Watched(model, *(torch.from_numpy(part) for part in watch)).eval()
        outputs.append(DISTANCE)
    example = torch.zeros(2, n_channels, WINDOW_SAMPLES)
    with warnings.catch_warnings(), _quiet(_EXPORTER_LOG):
        # The exporter's own use of deprecated Python and torch calls.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            model,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=outputs,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch.onnx.export returned nothing")
    proto = program.model_proto
    _forget_origin(proto)
    onnx.checker.check_model(proto, full_check=True)
    data: bytes = proto.SerializeToString(deterministic=True)
    return data


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    # It says of every optional package of PyTorch's that it is not installed.
    log = logging.getLogger(name)
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def _forget_origin(proto: onnx.ModelProto) -> None:
    # Stack traces hold paths of the machine that exported, and change its hash.
    for node in proto.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    del proto.graph.metadata_props[:]
    del proto.metadata_props[:]


def to_safetensors(model: nn.Module, lineage: Lineage | None = None) -> bytes:
    """Return ``weights.safetensors``: the state dict, names as in the architecture.

    Parameters
    ----------
    lineage : goes with the weights, so that they do not lose it by an import.
    """
    from safetensors.torch import save

    state = {name: value.contiguous() for name, value in model.state_dict().items()}
    told = None if lineage is None else {LINEAGE: msgspec.json.encode(lineage).decode()}
    return save(state, metadata=told)
