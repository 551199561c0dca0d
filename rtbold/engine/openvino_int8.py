"""The int8 form of a bundle's graph, by NNCF; needed to compile, never to run.

Products run on 8-bit integers except two kinds, which cost accuracy out of proportion:
the spectra (cosines, sines, and linear maps before them; EEG falls with frequency by
three orders of magnitude, and eight bits have two) and the head (sums thousands of
features into one value). With both quantised the shipped demo network errs in the
worst ROI by 0.28 of its sd, with the spectra kept by 0.12, with both kept by 0.02.
"""

import contextlib
import io
import logging
import os
import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

from rtbold.bundle import Bundle
from rtbold.engine.openvino import INPUT, QUANTISED, read_graph
from rtbold.engine.openvino_cpu import Core, Model, Node
from rtbold.errors import EngineError
from rtbold.messages import WINDOW_SAMPLES, Float32Array

# What may lie between a spectrum's product and its square.
_CARRIERS = frozenset(
    ("Concat", "Reshape", "Split", "VariadicSplit", "Slice", "StridedSlice")
)
NO_TELEMETRY = "NNCF_CI"


class NothingToQuantise(EngineError):
    """The graph has no product that int8 would pay for."""


def quantise(core: Core, bundle: Bundle, eeg_uv: Float32Array) -> Model:
    """Return the int8 form of a bundle's graph, for one window at a time.

    Parameters
    ----------
    eeg_uv : (n, channels, 3200) microvolt; the ranges of activations come from them.

    Raises
    ------
    EngineError : nncf is not installed or fails, or there is nothing to quantise.
    """
    nncf = _nncf()
    model = read_graph(core, bundle, "f32").model
    model.reshape({INPUT: [1, len(bundle.card.channels), WINDOW_SAMPLES]})
    kept = float_products(model)
    if kept >= set(_products(model)):
        raise NothingToQuantise(
            f"bundle '{bundle.card.name}' has spectra and a linear head only, which "
            "stay float32; there is nothing for int8"
        )
    scope = nncf.IgnoredScope(names=sorted(kept))
    try:
        # It reports to standard output, which belongs to the command's own lines.
        with contextlib.redirect_stdout(io.StringIO()):
            quantised: Model = nncf.quantize(
                model,
                nncf.Dataset([window[None] for window in eeg_uv]),
                model_type=nncf.ModelType.TRANSFORMER,
                subset_size=len(eeg_uv),
                ignored_scope=scope,
                advanced_parameters=_widest_ranges(),
            )
        return quantised
    except Exception as error:  # nncf raises anything, KeyError included
        raise EngineError(
            f"NNCF cannot quantise bundle '{bundle.card.name}': "
            f"{type(error).__name__}: {error}. Use another precision."
        ) from error


def float_products(model: Model) -> set[str]:
    """Return the names of the products that stay float32: spectra and head."""
    kept = set()
    for node in model.get_ops():
        if _is_product(node) and _is_squared(node):
            kept |= {found.get_friendly_name() for found in _products_before(node)}
    for result in model.get_results():
        kept |= {
            found.get_friendly_name()
            for found in _products_before(result, nearest=True)
        }
    return kept


def to_files(model: Model) -> dict[str, bytes]:
    """Return the model in OpenVINO's own format, name -> content."""
    import openvino

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{QUANTISED}.xml"
        openvino.save_model(model, str(path), compress_to_fp16=False)
        return {
            file.name: file.read_bytes() for file in (path, path.with_suffix(".bin"))
        }


def _widest_ranges() -> object:
    # By default a range is the mean over windows of each one's least and largest, which
    # half of them exceed.
    advanced = import_module("nncf.quantization.advanced_parameters")
    estimator = import_module("nncf.quantization.range_estimator")
    found: object = advanced.AdvancedQuantizationParameters(
        activations_range_estimator_params=estimator.RangeEstimatorParametersSet.MINMAX
    )
    return found


def _nncf() -> ModuleType:
    # Read when nncf is imported; otherwise it reports each use to its makers.
    os.environ.setdefault(NO_TELEMETRY, "1")
    try:
        nncf = import_module("nncf")
    except ImportError as error:
        raise EngineError(
            "precision int8 is made by nncf, which is not installed; "
            "pip install 'rtbold[calibration]', or use another precision"
        ) from error
    # nncf.set_log_level would also change handlers that are not its own.
    logging.getLogger("nncf").setLevel(logging.ERROR)
    return nncf


def _products(model: Model) -> Iterator[str]:
    for node in model.get_ops():
        if _is_product(node):
            yield node.get_friendly_name()


def _is_product(node: Node) -> bool:
    return str(node.get_type_name()) in ("MatMul", "Convolution", "GroupConvolution")


def _is_squared(node: Node) -> bool:
    """Return whether the result is squared at once, which makes it a spectrum."""
    for port in node.outputs():
        for target in port.get_target_inputs():
            user = target.get_node()
            kind = str(user.get_type_name())
            if kind == "Power":
                return True
            sources = [source.get_friendly_name() for source in _sources(user)]
            if kind == "Multiply" and len(set(sources)) == 1:
                return True
            if kind in _CARRIERS and _is_squared(user):
                return True
    return False


def _sources(node: Node) -> list[Node]:
    return [port.get_source_output().get_node() for port in node.inputs()]


def _products_before(node: Node, *, nearest: bool = False) -> list[Node]:
    """Return the products that `node` rests on, itself included.

    Parameters
    ----------
    nearest : stop at the first product on each way up.
    """
    waiting, seen, found = [node], set(), []
    while waiting:
        here = waiting.pop()
        name = here.get_friendly_name()
        if name in seen:
            continue
        seen.add(name)
        if _is_product(here):
            found.append(here)
            if nearest:
                continue
        waiting += _sources(here)
    return found
