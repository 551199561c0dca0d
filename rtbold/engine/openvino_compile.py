"""``rtbold models compile --engine openvino``: what each precision costs and saves.

Each precision that the CPU has is run on the bundle's check windows, as they are and
disturbed. What came out is kept as a record beside the bundle; ``--precision auto``
chooses by it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from rtbold.bundle.check_windows import CheckSet, read_check
from rtbold.bundle.store import Bundle
from rtbold.engine.cache import engines_folder
from rtbold.engine.check import (
    EXACT,
    Deviation,
    answers_of,
    deviation,
    disturbed_checks,
    no_windows,
    why_refused,
    with_disturbed,
)
from rtbold.engine.disturbed import range_windows
from rtbold.engine.openvino import Graph, OpenVinoEngine, read_graph
from rtbold.engine.openvino_cpu import (
    PRECISIONS,
    check_supported,
    open_core,
    supported,
    this_machine,
)
from rtbold.engine.openvino_int8 import quantise, to_files
from rtbold.engine.records import Record, key_of, write_record
from rtbold.errors import EngineError
from rtbold.messages import Float32Array

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
        answers = answers_of(engine, self._check.eeg_uv)
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
