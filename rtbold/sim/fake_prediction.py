"""From a row of the script to a prediction and its moments. Pure."""

from dataclasses import dataclass
from typing import Final

from rtbold.messages import WINDOW_S, BoldPrediction, FloatArray, Reason, Status, Tick
from rtbold.publish.compose import Moments
from rtbold.sim.fake_card import UPSTREAM_MS
from rtbold.sim.fake_script import USUAL, ScriptRow

SLOW_EVERY: Final = 37  # volumes; the model then takes long once
_GOLDEN: Final = 0.6180339887498949  # its multiples spread evenly over 0 to 1


@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds of the script that each stage of one prediction takes."""

    filter_s: float
    arrive_s: float
    read_s: float
    prepare_s: float
    infer_s: float

    @property
    def total_s(self) -> float:
        """From the volume's onset to its prediction."""
        return self.in_pipeline_s + self.prepare_s + self.infer_s

    @property
    def in_pipeline_s(self) -> float:
        """From the volume's onset to the pipeline."""
        return self.filter_s + self.arrive_s + self.read_s


def delays(index: int) -> Delays:
    """Return what the prediction of one volume takes; varied, and always the same."""
    spread = index * _GOLDEN % 1.0
    slow = index % SLOW_EVERY == SLOW_EVERY - 1
    return Delays(
        filter_s=0.015,
        arrive_s=0.012 + 0.012 * spread,
        read_s=0.001,
        prepare_s=0.0015 + 0.001 * spread,
        infer_s=0.055 if slow else 0.012 + 0.005 * (1 - spread),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeTick:
    """Where one row stands on the clock.

    Parameters
    ----------
    index : of the volume, counted whether its trigger came or not.
    t_s : its onset.
    tr_s : that the feed declares.
    speed : seconds of the script per second of the clock.
    """

    index: int
    t_s: float
    tr_s: float
    speed: float
    paused: bool  # by the operator


def fake_prediction(row: ScriptRow, at: FakeTick, values: FloatArray) -> BoldPrediction:
    """Return the prediction of `row`.

    Parameters
    ----------
    values : (rois,); left out where the status allows none.
    """
    status, reasons = _status(row, paused=at.paused)
    usable = status in ("ok", "degraded")
    waiting = row.around.trigger == "waiting"
    took = delays(at.index)
    t_needed_s = at.t_s + took.filter_s / at.speed
    return BoldPrediction(
        tick=Tick(
            volume_index=None if waiting else at.index,
            t_trigger_s=at.t_s,
            trigger_locked=row.around.trigger in ("volume", "double"),
            paused=reasons if status == "paused" else (),
        ),
        t_start_s=at.t_s - WINDOW_S,
        t_end_s=at.t_s,
        bold_time_s=at.t_s,
        status=status,
        reasons=reasons,
        values=values.astype("float32") if usable else None,
        next_due_s=at.t_s + at.tr_s,
        t_needed_s=t_needed_s,
        t_needed_arrived_s=t_needed_s + took.arrive_s / at.speed,
        unlikeness=row.around.unlikeness if usable else None,
        infer_ms=1000 * took.infer_s / at.speed if usable else None,
    )


def fake_moments(at: FakeTick, now_s: float) -> Moments:
    """Return when that prediction passed the stations; it is published now."""
    took = delays(at.index)
    t_predicted_s = at.t_s + took.total_s / at.speed
    return Moments(
        t_pipeline_s=at.t_s + took.in_pipeline_s / at.speed,
        t_predicted_s=t_predicted_s,
        t_publish_s=max(now_s, t_predicted_s),
        upstream_ms=UPSTREAM_MS,
    )


def _status(row: ScriptRow, *, paused: bool) -> tuple[Status, tuple[Reason, ...]]:
    usual = row.around.reasons or USUAL[row.status].reasons
    if not paused:
        return row.status, usual
    standing = usual if row.around.trigger == "waiting" else ()
    return "paused", (*standing, "operator_pause")
