"""Export of any architecture to the one file that every engine runs."""

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import msgspec
import onnx
import torch
from torch import Tensor, nn

from rtbold.bundle import Lineage
from rtbold.messages import FloatArray
from rtbold.models.export.folding import folded
from rtbold.models.published.checkpoints import LINEAGE, SIMULATED
from rtbold.models.spectral import WINDOW_SAMPLES

# A network that also says how far its last layer is from what calibration saw.
#
# Put around the network for export only: weights and torch engine know nothing of it.


class Watched(nn.Module):
    """``(bold, feature_distance)`` instead of ``bold``; costs two vectors of features.

    Parameters
    ----------
    network : its `head` is a linear map, and what that answers is the network's answer.
    mean, sd : (features,), of what the head read in calibration; no sd is 0.
    """

    def __init__(self, network: nn.Module, mean: Tensor, sd: Tensor) -> None:
        super().__init__()
        self.network = copy.deepcopy(network)
        head = cast("nn.Linear", self.network.head)
        if mean.shape != (head.in_features,) or mean.shape != sd.shape:
            raise ValueError(
                f"mean and sd have shapes {tuple(mean.shape)} and {tuple(sd.shape)}, "
                f"expected ({head.in_features},) each: what the head reads"
            )
        self.network.head = _WatchedHead(head, mean, sd)

    def forward(self, eeg_uv: Tensor) -> tuple[Tensor, Tensor]:
        """Return (b, rois) in model units and (b, 1), rms in sd of each feature."""
        out: Tensor = self.network(eeg_uv)  # (b, rois + 1)
        return out[:, :-1], out[:, -1:]


class _WatchedHead(nn.Module):
    mean: Tensor
    scale: Tensor

    def __init__(self, head: nn.Linear, mean: Tensor, sd: Tensor) -> None:
        super().__init__()
        self.head = head
        self.register_buffer("mean", mean.float())
        self.register_buffer("scale", (1 / (sd * len(sd) ** 0.5)).float())

    def forward(self, features: Tensor) -> Tensor:
        """Return the answers with the distance behind them, (b, rois + 1)."""
        off = (features - self.mean) * self.scale  # (b, features)
        distance = torch.linalg.vector_norm(off, dim=1, keepdim=True)  # (b, 1)
        return torch.cat([self.head(features), distance], dim=1)


def can_be_watched(network: nn.Module) -> bool:
    """Return whether a network has one linear head that gives its answer."""
    return isinstance(getattr(network, "head", None), nn.Linear)


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


def to_safetensors(
    model: nn.Module,
    lineage: Lineage | None = None,
    *,
    simulated: bool | None = None,
) -> bytes:
    """Return ``weights.safetensors``: the state dict, names as in the architecture.

    What is known of the data goes with the weights: they do not lose it by an import.

    Parameters
    ----------
    simulated : as the card's ``origin.simulated_lineage``; None: not known, which an
        import takes for simulated where there is a lineage.
    """
    from safetensors.torch import save

    state = {name: value.contiguous() for name, value in model.state_dict().items()}
    notes = {}
    if lineage is not None:
        notes[LINEAGE] = msgspec.json.encode(lineage).decode()
    if simulated is not None:
        notes[SIMULATED] = "true" if simulated else "false"
    return _in_order(save(state, metadata=notes or None))


def _in_order(file: bytes) -> bytes:
    """Return a safetensors file with its notes in order: the library shuffles them.

    The file begins with the length of its header, in 8 bytes; offsets count from the
    header's end.
    """
    end = 8 + int.from_bytes(file[:8], "little")
    header = msgspec.json.decode(file[8:end], type=dict[str, dict[str, object]])
    if notes := header.get("__metadata__"):
        header["__metadata__"] = dict(sorted(notes.items()))
    text = msgspec.json.encode(header)
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + file[end:]
