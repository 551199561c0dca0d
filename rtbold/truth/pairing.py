"""Predicted and measured BOLD, paired by volume index and nothing else. Pure.

The measurement arrives one or two TRs late; pairing it wrongly by one TR costs a tenth
of R. So a volume waits for the trigger of its number, and is no pair if it cannot be
that trigger's.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from rtbold.messages import BoldPrediction, FloatArray, MeasuredVolume
from rtbold.roi_columns import RoiColumns
from rtbold.truth.score import WINDOW_VOLUMES, Pair, PairHistory
from rtbold.truth_state import AfterRun, TruthState
from rtbold.volume_number import (
    AHEAD_MOST,
    Misnumbered,
    came_soon,
    misnumbered,
    onset_s,
)

_WAITING_MOST: Final = 20  # measured volumes whose trigger has not come


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthSettings:
    """What is compared, and how."""

    rois: tuple[str, ...]  # of the model, in its order
    tr_s: float
    horizon_tr: int = 0
    lowpass_hz: float | None = 0.15
    first: int = 0  # number that the source gives to the session's volume 0
    by_onset: bool = False  # the volume that began then, whatever the source's number
    # ROI -> weight of measured and of predicted BOLD, for a contrast that is fed back.
    contrast: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """A measured volume whose trigger has not been seen."""

    index: int  # of the session
    measured: FloatArray  # (columns,)
    volume: MeasuredVolume


class Truth:
    """Pairs the two series of one session and keeps their rolling correlation.

    A volume index that steps back in the predictions begins another run; what was
    measured in the last one is never paired with it.
    """

    def __init__(self, settings: TruthSettings) -> None:
        self._settings = settings
        self._columns = RoiColumns(settings.rois)
        self._predictions: dict[int, FloatArray] = {}  # volume that they are for
        self._onsets_s: dict[int, float] = {}
        self._newest_tick = -1
        self._run_began = False  # by the predictions, the measurement not yet
        self._waiting: deque[_Waiting] = deque(maxlen=_WAITING_MOST)
        self._newest_measured = -1
        self._history = PairHistory(settings.lowpass_hz, settings.tr_s)
        self.n_out_of_order = 0
        self.misnumbered: Misnumbered | None = None  # the newest that was found
        self.n_misnumbered = 0
        self._newest_fits = True  # of those whose trigger has come
        self.came_soon = False  # the newest volume, for one of its number

    # Predictions

    def predicted(self, prediction: BoldPrediction) -> None:
        """Take one prediction, usable or not; each tick has one."""
        tick = prediction.tick
        if tick.volume_index is None:
            return
        if tick.volume_index <= self._newest_tick:
            self._begin_run()
        self._newest_tick = tick.volume_index
        self._onsets_s[tick.volume_index] = tick.t_trigger_s
        if prediction.usable and prediction.values is not None:
            volume = tick.volume_index + self._settings.horizon_tr
            self._predictions[volume] = prediction.values.astype(np.float64)
        self._forget()
        self._take_waiting()

    def _begin_run(self) -> None:
        self._predictions.clear()
        self._onsets_s.clear()
        self._waiting.clear()
        self._run_began = True

    def _forget(self) -> None:
        oldest = self._newest_tick - WINDOW_VOLUMES
        for known in (self._predictions, self._onsets_s):
            while known and (first := next(iter(known))) < oldest:
                del known[first]

    # Measurements

    def measured(self, volume: MeasuredVolume) -> TruthState | None:
        """Take one measured volume; None if its number has been or is of no volume yet.

        Raises
        ------
        StreamMismatch : the source measures none of the model's ROIs, or the number
            of its values is not that of its ROIs.
        """
        index = self._number(volume)
        if index is None or index < 0:
            return None  # a dummy, before the session's volume 0
        self._know_rois(volume)
        if self._is_far_ahead(index, volume):
            return None
        if index <= self._newest_measured and not self._is_new_run(index):
            self.n_out_of_order += 1
            return None
        self._newest_measured = index
        values = self._columns_of_source(volume)
        self._waiting.append(_Waiting(index, values, volume))
        paired, filtered = self._take_waiting(index)
        n = len(self._columns.of_model)
        return TruthState(
            volume_index=index,
            t_volume_s=self._began_s(index, volume),
            rois=self.rois,
            measured=values[:n],
            filtered=filtered.measured[:n],
            predicted=paired.predicted[:n],
            rolling=self._history.rolling(self._n_columns),
        )

    @property
    def in_doubt(self) -> bool:
        """Whether the newest volume is hardly the one that its number says.

        Of one whose trigger has not come, whether the one before it was not.
        """
        return not self._newest_fits

    def _is_far_ahead(self, index: int, volume: MeasuredVolume) -> bool:
        """Whether a volume came so long before its trigger that it is another one."""
        newest_s = self._onsets_s.get(self._newest_tick)
        n_ahead = index - self._newest_tick
        if newest_s is None or n_ahead <= AHEAD_MOST:
            return False
        tr_s = self._settings.tr_s
        self._judge(misnumbered(volume, newest_s + n_ahead * tr_s, tr_s))
        return not self._newest_fits

    def _judge(self, found: Misnumbered | None) -> None:
        self._newest_fits = found is None
        if found is not None:
            self.misnumbered = found
            self.n_misnumbered += 1

    def _number(self, volume: MeasuredVolume) -> int | None:
        """Return the session's number of a volume; None: its onset must be known."""
        if not self._settings.by_onset:
            return volume.volume_index - self._settings.first
        began_s = onset_s(volume, self._settings.tr_s)
        newest_s = self._onsets_s.get(self._newest_tick)
        if began_s is None or newest_s is None:
            return None
        return self._newest_tick + round((began_s - newest_s) / self._settings.tr_s)

    def _began_s(self, index: int, volume: MeasuredVolume) -> float | None:
        """Return the volume's onset: the source's, else that of its trigger."""
        tr_s, trigger_s = self._settings.tr_s, self._onsets_s.get(index)
        if trigger_s is None or misnumbered(volume, trigger_s, tr_s):
            return onset_s(volume, tr_s)
        return trigger_s

    @property
    def rois(self) -> tuple[str, ...]:
        """The model's ROIs that are measured; empty before the first volume."""
        return self._columns.names

    @property
    def has_contrast(self) -> bool:
        """Whether the last column is the contrast."""
        contrast = self._settings.contrast
        return bool(contrast) and set(contrast) <= set(self.rois)

    @property
    def _n_columns(self) -> int:
        return len(self.rois) + self.has_contrast

    def _is_new_run(self, index: int) -> bool:
        """Whether a number that steps back is another run's and no straggler's."""
        if not self._run_began and index > 0:
            return False
        self._run_began = False
        self._newest_fits = True
        self._waiting.clear()  # of the last run; their predictions are forgotten
        self._history.begin_run()
        return True

    def _know_rois(self, volume: MeasuredVolume) -> None:
        before = self._columns.of_model
        self._columns.take(volume)
        if before and before != self._columns.of_model:
            self._waiting.clear()
            self._history.forget()

    def _columns_of_source(self, volume: MeasuredVolume) -> FloatArray:
        return self._with_contrast(self._columns.values(volume), 0)

    def _prediction_for(self, index: int) -> FloatArray:
        values = self._predictions.get(index)
        if values is None:
            return np.full(self._n_columns, np.nan)
        return self._with_contrast(values[self._columns.of_model], 1)

    def _with_contrast(self, values: FloatArray, side: int) -> FloatArray:
        """Return (columns,) of (rois,); `side` 0 weighs measured, 1 predicted BOLD."""
        if not self.has_contrast:
            return values
        weights = self._settings.contrast
        total = sum(
            weights[roi][side] * value
            for roi, value in zip(self.rois, values, strict=True)
            if roi in weights
        )
        return np.append(values, total)

    # Pairs

    def _take_waiting(self, index: int = -1) -> tuple[Pair, Pair]:
        """Pair what can be paired, in order; return volume `index` and it filtered.

        Both are nan where it has to wait.
        """
        nothing = np.full(self._n_columns, np.nan)
        newest = Pair(index, nothing, nothing), Pair(index, nothing, nothing)
        while self._waiting and self._waiting[0].index <= self._newest_tick:
            pair = self._pair(self._waiting.popleft())
            filtered = self._history.add(pair)
            if pair.volume == index:
                newest = pair, filtered
        return newest

    def _pair(self, waiting: _Waiting) -> Pair:
        """Return the pair of a volume; its prediction is nan if they do not belong."""
        predicted = self._prediction_for(waiting.index)
        trigger_s = self._onsets_s.get(waiting.index)
        if trigger_s is not None:
            found = misnumbered(waiting.volume, trigger_s, self._settings.tr_s)
            self.came_soon = came_soon(waiting.volume, trigger_s, self._settings.tr_s)
            self._judge(found)
            if found is not None:
                predicted = np.full_like(predicted, np.nan)
        return Pair(waiting.index, predicted, waiting.measured)

    def newest_in_units(self) -> Pair | None:
        """Return the newest pair, both (model's ROIs,) in model units; nan: none.

        None before there are 60 volumes to standardise the measurement by.
        """
        pair = self._history.newest_in_units()
        if pair is None:
            return None
        predicted, measured = self._spread(pair.predicted), self._spread(pair.measured)
        return Pair(pair.volume, predicted, measured)

    def _spread(self, columns: FloatArray) -> FloatArray:
        spread = np.full(len(self._settings.rois), np.nan)
        spread[self._columns.of_model] = columns[: len(self.rois)]
        return spread

    def after_run(self) -> AfterRun | None:
        """Return the zero-phase score of the newest run; None if it was too short."""
        score = self._history.after_run(self._n_columns)
        if score is None:
            return None
        return AfterRun(self.rois, score, int(score.n.max(initial=0)))
