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

from rtbold.errors import StreamMismatch
from rtbold.messages import BoldPrediction, FloatArray, MeasuredVolume
from rtbold.truth.score import WINDOW_VOLUMES, Pair, PairHistory, RollingR

# Which of a source's ROIs are the model's, by name. Pure.


class RoiColumns:
    """The model's ROIs that a source measures, in the model's order.

    Parameters
    ----------
    rois : of the model, in its order.
    """

    def __init__(self, rois: tuple[str, ...]) -> None:
        self._rois = rois
        self.of_model: list[int] = []
        self._of_source: list[int] = []
        self._source_rois: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The model's ROIs that are measured; empty before the first volume."""
        return tuple(self._rois[k] for k in self.of_model)

    def take(self, volume: MeasuredVolume) -> None:
        """Look at the names that came with a volume.

        Raises
        ------
        StreamMismatch : none is an ROI of the model, or the number of values is not
            that of the names.
        """
        if len(volume.values) != len(volume.rois):
            raise StreamMismatch(
                f"measured volume {volume.volume_index} has {len(volume.values)} "
                f"values for {len(volume.rois)} ROIs, expected one each."
            )
        if volume.rois == self._source_rois:
            return
        places = {plain(name): k for k, name in enumerate(volume.rois)}
        found = [k for k, roi in enumerate(self._rois) if plain(roi) in places]
        if not found:
            raise StreamMismatch(
                f"the source measures {', '.join(volume.rois[:8]) or 'no ROI'}, and "
                f"the model predicts {', '.join(self._rois[:8])}: expected "
                "names in common. Name the source's ROIs as the bundle does "
                "(rtbold models show), for bare numbers with --truth-roi."
            )
        self.of_model, self._source_rois = found, volume.rois
        self._of_source = [places[plain(roi)] for roi in self.names]

    def values(self, volume: MeasuredVolume) -> FloatArray:
        """Return what was measured of `names`, (rois,); nan: missing."""
        given = [volume.values[k] for k in self._of_source]
        return np.array([np.nan if v is None else v for v in given], dtype=np.float64)


def plain(roi: str) -> str:
    """Return an ROI's name with a plain apostrophe, whoever wrote it."""
    return roi.strip().replace("\u2019", "'")


# What is known of predicted and measured BOLD, while a run lasts and after it.


@dataclass(frozen=True, slots=True, eq=False)
class TruthState:
    """What is known after one measured volume. Columns: the ROIs, then the contrast."""

    volume_index: int  # of the session
    t_volume_s: float | None
    rois: tuple[str, ...]  # those of the model that are measured, in its order
    measured: FloatArray  # (rois,), as it came; nan: missing
    filtered: FloatArray  # (rois,), causal low-pass, the scanner's unit
    predicted: FloatArray  # (rois,), for this volume, model units; nan: none
    rolling: RollingR  # (columns,)


@dataclass(frozen=True, slots=True, eq=False)
class AfterRun:
    """The score over a whole run, low-passed forwards and backwards as the target."""

    rois: tuple[str, ...]
    score: RollingR  # (columns,)
    n_volumes: int


# Whether a measured volume is the one whose trigger has its number. Pure.
#
# The session counts the triggers that it heard; the source of measured BOLD counts on
# its own. A session that came late, or a missed trigger, makes two counts of the same
# scan, and a pair of two different volumes looks like any other pair.

ANOTHER_TR: Final = 0.5  # an onset further than this from the trigger is another volume
BEFORE_TR: Final = 0.25  # so long before its trigger nothing of a volume can come
AHEAD_MOST: Final = 1  # volumes before its trigger, which may be on its way
SOON_TR: Final = 0.5  # a measurement sooner after its trigger is hardly of that volume


@dataclass(frozen=True, slots=True)
class Misnumbered:
    """A measured volume that began at another time than the trigger of its number."""

    source_index: int  # the source's own number
    off_s: float  # onset less the trigger; arrival, where no onset is told
    by_onset: bool

    def in_words(self) -> str:
        """Return what came and what was expected."""
        what = "began" if self.by_onset else "arrived"
        expected = "the same moment" if self.by_onset else "a TR later or more"
        return (
            f"measured volume {self.source_index} {what} {self.off_s:+.2f} s from the "
            f"trigger of that number, expected {expected}"
        )


def onset_s(volume: MeasuredVolume, tr_s: float) -> float | None:
    """Return the volume's onset if the source tells it.

    A stamp of less than half a TR before the arrival is when it was sent, as a sender
    gives it who says nothing else: a volume takes a TR to be scanned.
    """
    t_s = volume.t_volume_s
    return None if t_s is None or volume.t_arrived_s - t_s < SOON_TR * tr_s else t_s


def misnumbered(
    volume: MeasuredVolume, trigger_s: float, tr_s: float
) -> Misnumbered | None:
    """Return what is wrong with a volume's number; None: nothing that can be seen.

    Parameters
    ----------
    trigger_s : of that number, on this machine's LSL clock.
    tr_s : of the volumes.
    """
    told_s = onset_s(volume, tr_s)
    if told_s is not None:
        off_s = told_s - trigger_s
        wrong = abs(off_s) > ANOTHER_TR * tr_s
        return Misnumbered(volume.volume_index, off_s, True) if wrong else None
    off_s = volume.t_arrived_s - trigger_s
    wrong = off_s < -BEFORE_TR * tr_s
    return Misnumbered(volume.volume_index, off_s, False) if wrong else None


def came_soon(volume: MeasuredVolume, trigger_s: float, tr_s: float) -> bool:
    """Whether a volume came sooner after its trigger than a scanner measures one."""
    return volume.t_arrived_s - trigger_s < SOON_TR * tr_s


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
    def is_uncertain(self) -> bool:
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
        self._note_misnumbered(misnumbered(volume, newest_s + n_ahead * tr_s, tr_s))
        return not self._newest_fits

    def _note_misnumbered(self, found: Misnumbered | None) -> None:
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
            self._note_misnumbered(found)
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
