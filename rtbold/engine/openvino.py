"""The default engine: a bundle's ``model.onnx`` compiled by OpenVINO for the CPU."""

import sys
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, TypeAlias

import numpy as np

from rtbold.bundle import Bundle, Card
from rtbold.distribution import pip_install
from rtbold.engine.check import EXACT
from rtbold.engine.protocol import check_finite, check_windows
from rtbold.engine.records import (
    MODEL_FILE,
    Machine,
    Record,
    StaleRecord,
    engines_folder,
    find_record,
    key_of,
    read_files,
)
from rtbold.errors import ConfigError, EngineError
from rtbold.messages import WINDOW_SAMPLES, Float32Array

# What OpenVINO says of this CPU, and how a model is compiled for it.

Core: TypeAlias = Any  # openvino has no types
Model: TypeAlias = Any
Node: TypeAlias = Any
TELEMETRY = "openvino_telemetry"
PRECISIONS = ("f32", "bf16", "int8")
# Not offered, whatever the CPU lists: no answer of `demo` was finite, and the base size
# was slower than in bfloat16 (docs/reference/engines.md). TensorRT has a float16 of
# its own.
NOT_OFFERED = ("f16",)
# What the CPU must list. OpenVINO itself does not refuse: asked for a type that the CPU
# lacks, it takes another one and says nothing.
_CAPABILITY = {"f32": "FP32", "bf16": "BF16", "int8": "INT8"}
_MEANING = {"bf16": "bfloat16", "int8": "8-bit integer arithmetic"}


def open_core() -> Core:
    """Return OpenVINO's core.

    Raises
    ------
    EngineError : openvino is not installed.
    """
    try:
        openvino = import_openvino()
    except ImportError as error:
        raise EngineError(
            "openvino is not installed, expected it beside rtbold; install it "
            f"({pip_install()}) or pass --engine torch"
        ) from error
    return openvino.Core()


def import_openvino() -> Any:  # noqa: ANN401 -- openvino has no types
    """Import OpenVINO, which takes half a second, and leave its telemetry out."""
    keep_telemetry_out()
    return import_module("openvino")


def keep_telemetry_out() -> bool:
    """Let OpenVINO and NNCF not find their telemetry; return whether that holds.

    When it is imported, OpenVINO writes an identifier into the home folder and sends
    an event to its makers' analytics, and NNCF reports each use. Both go on without it
    where the package ``openvino_telemetry`` cannot be imported. A file of consent would
    stay behind in the home folder, and pass for a choice of the user's.
    """
    if TELEMETRY not in sys.modules:
        sys.modules[TELEMETRY] = None  # type: ignore[assignment]  # as import has it
    return sys.modules[TELEMETRY] is None


def this_machine(core: Core) -> Machine:
    """Return what a compiled model depends on here."""
    openvino = import_openvino()
    capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return Machine(
        openvino=str(openvino.get_version()),
        cpu=str(core.get_property("CPU", "FULL_DEVICE_NAME")),
        capabilities=tuple(sorted(capabilities)),
    )


def supported(machine: Machine) -> tuple[str, ...]:
    """Return the precisions that are offered and that this CPU computes in."""
    return tuple(p for p in PRECISIONS if _CAPABILITY[p] in machine.capabilities)


def check_supported(precision: str, machine: Machine) -> None:
    """Refuse a precision that OpenVINO would silently replace by another one.

    Raises
    ------
    ConfigError : no precision of OpenVINO's.
    EngineError : this CPU does not compute in it, or it is not offered on any.
    """
    if precision in NOT_OFFERED:
        raise EngineError(
            f"precision {precision} is not offered on a CPU: OpenVINO answered values "
            "that are not finite in it, and slower than in bf16; use "
            f"{', '.join(supported(machine))} or auto (a GPU has it: --engine tensorrt)"
        )
    if precision not in PRECISIONS:
        raise ConfigError(
            f"precision is {precision!r}, OpenVINO has {', '.join(PRECISIONS)}; use "
            "one of these, or --engine tensorrt"
        )
    if precision not in supported(machine):
        raise EngineError(
            f"this CPU ({machine.cpu}) has no {_MEANING[precision]}, so precision "
            f"{precision} cannot run here; it has {', '.join(supported(machine))}"
        )


def cpu_settings(hint: str, n_threads: int) -> dict[str, object]:
    """Return how a model is compiled: latency first, pinned thread count."""
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": hint,
        "INFERENCE_NUM_THREADS": n_threads,
        "NUM_STREAMS": 1,
    }


def first_line(error: Exception) -> str:
    """Return the line of an OpenVINO error that says what is wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


INPUT, OUTPUT, DISTANCE = "eeg_uv", "bold", "feature_distance"
QUANTISED = "openvino-int8"  # .xml and .bin in engines/


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


@dataclass(frozen=True, slots=True)
class Graph:
    """What is compiled: an ONNX or OpenVINO model, and the type of its arithmetic."""

    model: Model
    hint: str  # of what is not quantised
    file_sha256: str  # names it beyond doubt


class OpenVinoEngine:
    """On the CPU, latency first, pinned thread count; no torch.

    Parameters
    ----------
    batch_size : windows per call, or None for any number.
    precision : "f32", "bf16" or "int8".
    graph : the model to run; by default the bundle's, or its int8 form in `engines/`.

    Raises
    ------
    ConfigError : unknown precision.
    EngineError : openvino is missing, the CPU lacks the precision, int8 was not
        compiled for this bundle here, or the graph cannot be run.
    """

    name = "openvino"

    def __init__(
        self,
        bundle: Bundle,
        *,
        n_threads: int,
        batch_size: int | None,
        precision: str = "f32",
        graph: Graph | None = None,
    ) -> None:
        self._card: Card = bundle.card
        self.precision = precision
        core = open_core()
        graph = graph or find_graph(core, bundle, precision)
        self.file_sha256 = graph.file_sha256
        self._batch_size = batch_size
        settings = cpu_settings(graph.hint, n_threads)
        self._request: _Request | None = _compile(
            core, graph, shape=self._shape, settings=settings
        )
        places = _places(graph.model)
        self._bold_at, self._distance_at = places[OUTPUT], places.get(DISTANCE)
        self.feature_distance: Float32Array | None = None  # (batch,), of the last call
        self._warm_up()

    @property
    def _shape(self) -> list[int]:
        n_batch = -1 if self._batch_size is None else self._batch_size
        return [n_batch, len(self._card.channels), WINDOW_SAMPLES]

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
                f"OpenVINO failed on this window: {first_line(error)}. If it goes on, "
                "restart the session, or try --engine torch."
            ) from error
        if self._distance_at is not None:
            distance = np.array(results[self._distance_at], dtype=np.float32)
            self.feature_distance = distance[:, 0]
        bold = np.array(results[self._bold_at], dtype=np.float32)
        reduced = "" if self.precision == EXACT else self.precision
        return check_finite(bold, self.name, reduced=reduced)

    def close(self) -> None:
        """Free the compiled model."""
        self._request = None


def find_graph(core: Core, bundle: Bundle, precision: str) -> Graph:
    """Return what to compile for a precision; int8 from `engines/`, if it fits.

    Raises
    ------
    ConfigError, EngineError : as `OpenVinoEngine`.
    """
    machine = this_machine(core)
    check_supported(precision, machine)
    if precision == EXACT:
        return read_graph(core, bundle, precision)
    record = _record_that_accepts(bundle, machine, precision)
    if precision != "int8":
        return read_graph(core, bundle, precision)
    if record is None:
        name = bundle.card.name
        raise EngineError(
            f"int8 of bundle '{name}' is not compiled yet; run: rtbold models compile "
            f"{name} --precision int8, or use another precision"
        )
    return _read_quantised(core, bundle, record)


def _record_that_accepts(
    bundle: Bundle, machine: Machine, precision: str
) -> Record | None:
    """Return what ``models compile`` said here; None where it was not asked."""
    key = key_of(bundle, machine, precision)
    try:
        record = find_record(engines_folder(bundle), key)
    except StaleRecord:
        if precision == "int8":  # nothing else says what to run
            raise
        return None
    if record is not None and not record.accepted:
        raise EngineError(
            f"openvino {precision} is not to be used for bundle '{bundle.card.name}' "
            f"on this machine: when it was compiled, it {record.reason}. Use "
            "--precision f32 or auto."
        )
    return record


def _read_quantised(core: Core, bundle: Bundle, record: Record) -> Graph:
    folder = engines_folder(bundle)
    files = read_files(folder, record)
    xml, weights = f"{QUANTISED}.xml", f"{QUANTISED}.bin"
    if not {xml, weights} <= files.keys():
        raise EngineError(
            f"{folder} holds no int8 form of bundle '{bundle.card.name}'; compile it "
            "again: rtbold models compile BUNDLE --precision int8"
        )
    model = _read(core, bundle, (files[xml], files[weights]), what=folder / xml)
    sha256 = {entry.path: entry.sha256 for entry in record.files}[weights]
    return Graph(model, record.remainder, sha256)


def read_graph(core: Core, bundle: Bundle, hint: str) -> Graph:
    """Return the bundle's own graph."""
    file = bundle.file(MODEL_FILE)
    sha256 = {entry.path: entry.sha256 for entry in bundle.card.files}[MODEL_FILE]
    return Graph(_read(core, bundle, (file,), what=file), hint, sha256)


def _read(
    core: Core, bundle: Bundle, source: tuple[object, ...], *, what: object
) -> Model:
    try:
        model = core.read_model(*source)
    except RuntimeError as error:
        raise EngineError(
            f"OpenVINO cannot run {what}: {first_line(error)}. "
            "Export the model again, or try --engine torch."
        ) from error
    _check_signature(model, bundle.card)
    return model


def _compile(
    core: Core, graph: Graph, *, shape: list[int], settings: dict[str, object]
) -> _Request:
    try:
        graph.model.reshape({INPUT: shape})
        compiled = core.compile_model(graph.model, "CPU", settings)
    except RuntimeError as error:
        raise EngineError(
            f"OpenVINO cannot run this model: {first_line(error)}. "
            "Export the model again, or try --engine torch."
        ) from error
    request: _Request = compiled.create_infer_request()
    return request


def _places(model: _Model) -> dict[str, int]:
    """Return where each output is, by name; not every graph gives a distance."""
    return {
        name: at for at, port in enumerate(model.outputs) for name in port.get_names()
    }


def _check_signature(model: _Model, card: Card) -> None:
    inputs = [name for port in model.inputs for name in port.get_names()]
    outputs = [name for port in model.outputs for name in port.get_names()]
    if len(model.inputs) != 1 or INPUT not in inputs or OUTPUT not in outputs:
        raise EngineError(
            f"{MODEL_FILE} of '{card.name}' takes {inputs} and gives {outputs}, "
            f"expected {INPUT} and {OUTPUT}; export the model again"
        )
    n_rois = model.outputs[_places(model)[OUTPUT]].get_partial_shape()[1]
    if str(n_rois) != str(len(card.rois)):
        raise EngineError(
            f"{MODEL_FILE} of '{card.name}' answers {n_rois} values, its card names "
            f"{len(card.rois)} ROIs; export the model again"
        )
