"""``rtbold models compile --engine openvino``: what each precision costs and saves.

Each precision that the CPU has is run on the bundle's check windows. What came out is
kept as a record beside the bundle; ``--precision auto`` chooses by it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from rtbold.bundle import Bundle
from rtbold.check_file import CheckSet, read_check
from rtbold.engine.cache import engines_folder
from rtbold.engine.check import (
    Deviation,
    answers_of,
    deviation,
    no_windows,
    why_refused,
)
from rtbold.engine.openvino import Graph, OpenVinoEngine, read_graph
from rtbold.engine.openvino_cpu import (
    PRECISIONS,
    Core,
    check_supported,
    open_core,
    supported,
    this_machine,
)
from rtbold.engine.openvino_int8 import quantise, to_files
from rtbold.engine.record import Record, key_of, write_record
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
    precisions : of "f32", "bf16", "f16", "int8"; empty for all.

    Raises
    ------
    ConfigError : unknown precision, or the folder for engines cannot be written.
    EngineError : openvino is missing, or the bundle carries no check windows.
    """
    check = read_check(bundle)
    if check is None:
        raise EngineError(no_windows(bundle, "a reduced precision"))
    trial = _Trial(open_core(), bundle, check, settings)
    return [trial(precision) for precision in dict.fromkeys(precisions or PRECISIONS)]


class _Trial:
    """Tries one precision after the other on one bundle."""

    def __init__(
        self, core: Core, bundle: Bundle, check: CheckSet, settings: CompileSettings
    ) -> None:
        self._core, self._bundle = core, bundle
        self._check, self._settings = check, settings
        self._machine = this_machine(core)

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
        ranges_uv = self._check.eeg_uv[::2]
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
            window_ms=self._window_ms(engine),
            n_threads=self._settings.n_threads,
            accepted=reason is None,
            reason=reason or "",
        )
        engine.close()
        return record

    def _deviation(self, engine: OpenVinoEngine) -> tuple[Deviation, int]:
        """Return the larger of what all windows say and, for int8, the unseen half."""
        reference, sd = self._check.bold, self._check.bold.std(axis=0)
        answers = answers_of(engine, self._check.eeg_uv)
        everything = deviation(answers, reference, sd=sd)
        if engine.precision != "int8":
            return everything, len(reference)
        unseen = deviation(answers[1::2], reference[1::2], sd=sd)
        return max(everything, unseen, key=lambda d: d.share), len(reference)

    def _window_ms(self, engine: OpenVinoEngine) -> float:
        took_ms = []
        for at in range(TIMED_CALLS):
            window = self._check.eeg_uv[at % len(self._check)][None]
            begin_s = self._settings.now_s()
            engine(window)
            took_ms.append(1000 * (self._settings.now_s() - begin_s))
        return float(np.median(took_ms))
