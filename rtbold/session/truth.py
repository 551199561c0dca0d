"""Measured BOLD in a session: taken in, paired with the predictions, told. Pure."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rtbold.acquire import OpenFeed
from rtbold.bundle import Card
from rtbold.errors import StreamMismatch
from rtbold.feedback import choose_target
from rtbold.messages import (
    VOIDS_INTERVALS,
    BoldPrediction,
    FloatArray,
    MeasuredVolume,
)
from rtbold.publish import (
    Truth as TruthMessage,
    TruthScore,
    target_score,
    truth_message,
    truth_scores,
)
from rtbold.truth import (
    ENOUGH_EFFECTIVE_N,
    LEAST_ZERO_PHASE,
    AfterRun,
    Misnumbered,
    Truth,
    TruthSettings,
    TruthState,
    onset_s,
)

VOID_KEPT = 200  # volumes; the measurement is two late
_FIRST = "the number that the source gives to the first volume after the dummies"
_ANOTHER_VOLUME = (
    "it is another volume, and is neither published nor compared. If the "
    "session came after the scan's first triggers, start it before the scan; else say "
    f"with --truth-first {_FIRST}, or let --truth-by-onset find it"
)
Say = Callable[[str, str], None]  # level, text
Learn = Callable[[FloatArray, FloatArray], None]  # predicted, measured: model units


class SessionTruth:
    """What a session knows of measured BOLD.

    Parameters
    ----------
    card : of the bundle.
    target : ROI or contrast that is fed back.
    tr_s : of the session.
    first : number that the source gives to volume 0.
    by_onset : its volumes are numbered by their onsets.
    """

    def __init__(
        self,
        card: Card,
        target: str,
        *,
        tr_s: float,
        first: int = 0,
        by_onset: bool = False,
    ) -> None:
        self._target = target
        self._lowpass_hz = card.normalisation.lowpass_hz
        self._tr_s = tr_s
        self._first = first
        self._by_onset = by_onset
        contrast = contrast_weights(card, target)
        self._truth = Truth(
            TruthSettings(
                rois=card.rois,
                tr_s=tr_s,
                horizon_tr=card.horizon_tr,
                lowpass_hz=self._lowpass_hz,
                first=first,
                by_onset=by_onset,
                contrast=contrast,
            )
        )
        self._is_contrast = bool(contrast)
        self._horizon_tr = card.horizon_tr
        # Volumes without an interval, for their EEG was unlike the calibration's.
        self._void: deque[int] = deque(maxlen=VOID_KEPT)
        self._told: set[str] = set()

    def predicted(self, prediction: BoldPrediction) -> None:
        """Take one prediction, usable or not."""
        void = not VOIDS_INTERVALS.isdisjoint(prediction.reasons)
        if void and prediction.tick.volume_index is not None:
            self._void.append(prediction.tick.volume_index + self._horizon_tr)
        self._truth.predicted(prediction)

    def measured(
        self, volume: MeasuredVolume, *, say: Say, learn: Learn | None = None
    ) -> TruthMessage | None:
        """Take one measured volume; return what subscribers get.

        A volume that cannot be used, or is not the one of its number, is told once and
        makes no message.

        Parameters
        ----------
        learn : takes each new pair, (rois of the model,), nan where there is none; not
            where the EEG was unlike the calibration's, for there was no interval, nor
            where two senders have sent volumes: of which head they are is not known.
        """
        try:
            state = self._truth.measured(volume)
        except StreamMismatch as error:
            self._tell("names", say, f"measured BOLD cannot be used: {error}")
            return None
        self._look_at_number(volume, say)
        if state is None or self._truth.is_uncertain:
            return None
        self._tell("rois", say, self._rois_text(volume, state), level="info")
        if learn is not None and not volume.two_senders:
            self._learn(state, learn)
        return self._message(state)

    def _learn(self, state: TruthState, learn: Learn) -> None:
        pair = self._truth.newest_in_units()
        if pair is None or pair.volume != state.volume_index:
            return
        if pair.volume not in self._void:
            learn(pair.predicted, pair.measured)

    def after_run(self) -> str:
        """Return the score of the run that is over, in words; empty: no truth came."""
        if not self._truth.rois:
            return ""
        found = self._truth.after_run()
        if found is None:
            return (
                "measured BOLD: the run was too short for a score after it, expected "
                f"{LEAST_ZERO_PHASE} measured volumes or more{self._left_out_text()}"
            )
        return self._score_words(found) + self._left_out_text()

    def _message(self, state: TruthState) -> TruthMessage:
        return truth_message(
            state,
            self._target,
            lowpass_hz=self._lowpass_hz,
            contrast=self._truth.has_contrast,
        )

    def _left_out_text(self) -> str:
        n = self._truth.n_misnumbered
        return f"; {n} volumes were not those of their number" if n else ""

    def _look_at_number(self, volume: MeasuredVolume, say: Say) -> None:
        if self._by_onset and onset_s(volume, self._tr_s) is None:
            self._tell(
                "onset",
                say,
                f"measured volume {volume.volume_index} tells no onset, expected one "
                "with --truth-by-onset: it is not compared. Number the volumes with "
                "--truth-first, or let the source stamp each with its onset.",
            )
        elif (found := self._truth.misnumbered) is not None:
            self._tell("number", say, self._misnumbered_text(found))
        elif self._truth.came_soon:
            what = (
                f"measured volume {volume.volume_index} came less than half a TR after "
                "the trigger of that number, expected a TR or more, for so long a "
                "volume is scanned"
            )
            text = f"{what}: look whether --truth-first is right ({_FIRST})."
            self._tell("soon", say, text, level="warning")

    def _misnumbered_text(self, found: Misnumbered) -> str:
        first = self._first - round(found.off_s / self._tr_s)
        looks = f" (it looks like {first})" if found.by_onset else ""
        return f"{found.in_words()}: {_ANOTHER_VOLUME}{looks}."

    def _rois_text(self, volume: MeasuredVolume, state: TruthState) -> str:
        n_others = len(volume.rois) - len(state.rois)
        return (
            f"measured BOLD: {len(state.rois)} of the model's ROIs"
            + (f"; left out as no ROI of it: {n_others}" if n_others else "")
            + ("" if self._has_target(state.rois) else f"; not {self._target!r}")
        )

    def _has_target(self, rois: tuple[str, ...]) -> bool:
        return self._truth.has_contrast if self._is_contrast else self._target in rois

    def _score_words(self, found: AfterRun) -> str:
        scores = truth_scores(found.score)
        target = target_score(
            scores, found.rois, self._target, contrast=self._truth.has_contrast
        )
        of_target = "" if target is None else f"{self._target} {score_text(target)}, "
        known = [score.r for score in scores[: len(found.rois)] if score.r is not None]
        mean = f"{np.mean(known):+.3f}" if known else "--"
        return (
            f"zero-phase score after the run, {found.n_volumes} volumes: {of_target}"
            f"mean R {mean} over {len(known)} ROIs with enough volumes"
        )

    def _tell(self, what: str, say: Say, text: str, *, level: str = "error") -> None:
        if what not in self._told:
            self._told.add(what)
            say(level, text)


@dataclass(frozen=True, slots=True)
class LiveTruth:
    """A source of measured volumes, and what is made of them."""

    source: OpenFeed
    pairs: SessionTruth


def contrast_weights(card: Card, target: str) -> dict[str, tuple[float, float]]:
    """Return ROI -> weights of measured and predicted BOLD; empty for a single ROI.

    The contrast is one of model units, so a measured ROI is divided by the scale that
    its calibration found.
    """
    weights, scale = choose_target(card, target).weights, card.normalisation.scale
    if target in card.rois or len(scale) != len(card.rois):
        return {}
    by_roi = dict(zip(card.rois, scale, strict=True))
    return {roi: (w / by_roi[roi], w) for roi, w in weights.items()}


def score_text(score: TruthScore) -> str:
    """Return one score in words."""
    if score.r is None or score.low is None or score.high is None:
        return f"R not enough ({score.n_eff:.1f} of {ENOUGH_EFFECTIVE_N:g} volumes)"
    return f"R {score.r:+.3f} [{score.low:+.3f}, {score.high:+.3f}]"
