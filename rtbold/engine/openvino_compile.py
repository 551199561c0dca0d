"""``rtbold models compile --engine openvino``: what each precision costs and saves.

Each precision that the CPU has is run on the bundle's check windows, as they are and
disturbed. What came out is kept as a record beside the bundle; ``--precision auto``
chooses by it.
"""

import contextlib
import io
import logging
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np

from rtbold.bundle import Bundle, CheckSet, read_check
from rtbold.distribution import pip_install
from rtbold.engine.check import (
    EXACT,
    Deviation,
    deviation,
    disturbed_checks,
    no_windows,
    predictions_of,
    range_windows,
    why_refused,
    with_disturbed,
)
from rtbold.engine.openvino import (
    INPUT,
    PRECISIONS,
    QUANTISED,
    Core,
    Graph,
    Model,
    Node,
    OpenVinoEngine,
    check_supported,
    import_openvino,
    keep_telemetry_out,
    open_core,
    read_graph,
    supported,
    this_machine,
)
from rtbold.engine.records import Record, engines_folder, key_of, write_record
from rtbold.errors import EngineError
from rtbold.messages import WINDOW_SAMPLES, Float32Array

# The int8 form of a bundle's graph, by NNCF; needed to compile, never to run.
#
# Products run on 8-bit integers except two kinds, which cost accuracy out of
# proportion: the spectra (cosines, sines, and linear maps before them; EEG falls with
# frequency by three orders of magnitude, and eight bits have two) and the head (sums
# thousands of features into one value). With both quantised the shipped demo network
# errs in the worst ROI by 0.28 of its sd, with the spectra kept by 0.12, with both kept
# by 0.02.

# What may lie between a spectrum's product and its square.
_CARRIERS = frozenset(
    ("Concat", "Reshape", "Split", "VariadicSplit", "Slice", "StridedSlice")
)


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
    openvino = import_openvino()
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
    keep_telemetry_out()
    try:
        nncf = import_module("nncf")
    except ImportError as error:
        raise EngineError(
            "precision int8 is made by nncf, which is not installed; "
            f"{pip_install('calibration')}, or use another precision"
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


TIMED_CALLS = 32


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of one precision; `record` is None where it could not be tried."""

    precision: str
    record: Record | None
    note: str = ""  # why it cannot be used


@dataclass(frozen=True, slots=True, kw_only=True)
class CompileSettings:
    """How precisions are tried.

    Parameters
    ----------
    n_threads : of the engine that is timed.
    more_uv : (n, channels, 3200), windows for int8's ranges beside the check windows.
    now_s : a clock for durations.
    progress : is told what begins now.
    """

    n_threads: int = 1
    more_uv: Float32Array | None = None
    now_s: Callable[[], float]
    progress: Callable[[str], None] = field(default=lambda _: None)


def compile_precisions(
    bundle: Bundle, precisions: Sequence[str], settings: CompileSettings
) -> list[Tried]:
    """Try each precision, and write a record (and int8's model) for each that ran.

    Parameters
    ----------
    precisions : of "f32", "bf16", "int8"; empty for all.

    Raises
    ------
    ConfigError : unknown precision, or the folder for engines cannot be written.
    EngineError : openvino is missing, or the bundle carries no check windows.
    """
    check = read_check(bundle)
    if check is None:
        raise EngineError(no_windows(bundle, "a reduced precision"))
    trial = _Trial(bundle, check, settings)
    return [trial(precision) for precision in dict.fromkeys(precisions or PRECISIONS)]


class _Trial:
    """Tries one precision after the other on one bundle."""

    def __init__(
        self, bundle: Bundle, check: CheckSet, settings: CompileSettings
    ) -> None:
        self._core, self._bundle = open_core(), bundle
        self._check, self._settings = check, settings
        self._machine = this_machine(self._core)
        self._disturbed: dict[str, CheckSet] = {}  # once a reduced precision asks

    def __call__(self, precision: str) -> Tried:
        """Open, compare, time, and keep what came out."""
        try:
            check_supported(precision, self._machine)
            self._settings.progress(f"OpenVINO {precision}")
            if precision == "int8":
                record, contents = self._quantised()
            else:
                graph = read_graph(self._core, self._bundle, precision)
                record, contents = self._tried(graph, precision), {}
        except EngineError as error:  # of this precision alone: the others go on
            return Tried(precision, None, str(error))
        write_record(engines_folder(self._bundle), record, contents)
        return Tried(precision, record, record.reason)

    def _quantised(self) -> tuple[Record, dict[str, bytes]]:
        """Return the better of int8 with float32 and with bfloat16 in between."""
        ranges_uv = range_windows(self._check.eeg_uv, self._bundle.card.channels)
        if self._settings.more_uv is not None:
            ranges_uv = np.concatenate([ranges_uv, self._settings.more_uv])
        model = quantise(self._core, self._bundle, ranges_uv)
        contents = to_files(model)
        hints = [hint for hint in ("f32", "bf16") if hint in supported(self._machine)]
        records = [self._tried(Graph(model, hint, ""), "int8") for hint in hints]
        best = min(records, key=lambda r: (not r.accepted, r.window_ms))
        return best, contents

    def _tried(self, graph: Graph, precision: str) -> Record:
        engine = OpenVinoEngine(
            self._bundle,
            n_threads=self._settings.n_threads,
            batch_size=1,
            precision=precision,
            graph=graph,
        )
        found, n_windows = self._deviation(engine)
        reason = why_refused(found, self._bundle.card, precision)
        record = Record(
            key=key_of(self._bundle, self._machine, precision),
            remainder=graph.hint if precision == "int8" else "",
            n_windows=n_windows,
            worst=found.worst,
            share=found.share,
            disturbed=found.disturbed,
            disturbance=found.disturbance,
            window_ms=self._window_ms(engine),
            n_threads=self._settings.n_threads,
            accepted=reason is None,
            reason=reason or "",
        )
        engine.close()
        return record

    def _deviation(self, engine: OpenVinoEngine) -> tuple[Deviation, int]:
        """Return how far it is from torch, and on disturbed windows from float32."""
        reference, sd = self._check.bold, self._check.bold.std(axis=0)
        answers = predictions_of(engine, self._check.eeg_uv)
        found = deviation(answers, reference, sd=sd)
        if engine.precision == EXACT:
            return found, len(reference)
        if engine.precision == "int8":  # its ranges come from the other half
            unseen = deviation(answers[1::2], reference[1::2], sd=sd)
            found = max(found, unseen, key=lambda d: d.share)
        checks = self._disturbed_checks()
        return with_disturbed(found, engine, checks, sd=sd), len(reference)

    def _disturbed_checks(self) -> dict[str, CheckSet]:
        if not self._disturbed:
            n_threads = self._settings.n_threads
            exact = OpenVinoEngine(self._bundle, n_threads=n_threads, batch_size=1)
            channels = self._bundle.card.channels
            self._disturbed = disturbed_checks(exact, self._check, channels)
            exact.close()
        return self._disturbed

    def _window_ms(self, engine: OpenVinoEngine) -> float:
        took_ms = []
        for at in range(TIMED_CALLS):
            window = self._check.eeg_uv[at % len(self._check)][None]
            begin_s = self._settings.now_s()
            engine(window)
            took_ms.append(1000 * (self._settings.now_s() - begin_s))
        return float(np.median(took_ms))
