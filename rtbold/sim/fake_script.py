"""The script of `rtbold fake`: which value is published when. Pure but for reading."""

import csv
import functools
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal, get_args

import numpy as np

from rtbold.errors import ConfigError, DataFileError
from rtbold.messages import ChannelState, FloatArray, Reason, Status
from rtbold.publish import StreamState
from rtbold.sim.bold import simulate_bold
from rtbold.sim.brain import draw_body, draw_brain
from rtbold.sim.head import read_rois
from rtbold.sim.settings import TwinSettings, generator

COLUMNS = ("t_s", "value", "status")
DEFAULT_TR_S = 2.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What the messages beside one prediction show."""

    reasons: tuple[Reason, ...] = ()
    bad: tuple[tuple[int, ChannelState], ...] = ()  # number of the channel
    n_lost: int = 0  # EEG samples that are missing just before the row, at 200 Hz
    overflow: bool = False  # they came, and the session took none for too long
    n_implausible: int = 0  # triggers just before the row whose time cannot be
    stream: StreamState = "running"
    trigger: Literal["volume", "missed", "double", "waiting"] = "volume"
    unlikeness: float = 0.6
    alertness: float = 0.8  # 0 to 1: how much alpha there is, and how little theta
    silent: Literal["no", "predictions", "all"] = "no"


USUAL: dict[Status, Circumstances] = {
    "ok": Circumstances(),
    "degraded": Circumstances(
        reasons=("channel_flat", "interpolated"), bad=((3, "flat"),)
    ),
    "invalid": Circumstances(reasons=("no_data",), stream="stalled"),
    "warmup": Circumstances(reasons=("warmup",)),
    "paused": Circumstances(reasons=("operator_pause",)),
}


@dataclass(frozen=True, slots=True)
class ScriptRow:
    """One prediction; `value` is None unless status is ok or degraded."""

    t_s: float  # since the start of the script
    value: float | None
    status: Status
    around: Circumstances = field(default_factory=Circumstances)


# BOLD of the twin's brain, predicted and as a scanner would have measured it.

LOOP_VOLUMES: Final = 2048  # then the waves begin again
WAVE_SD: Final = 0.6
R_RANGE: Final = (0.05, 0.55)  # of the ROIs; the target has the upper end
SCANNER_MEAN: Final = 800.0
SCANNER_SD: Final = 6.0


@functools.cache
def target_wave(seed: int) -> tuple[float, ...]:
    """Return the target's slow wave, volume by volume, between -1 and 1."""
    return tuple(np.tanh(0.8 * _twin_bold(seed, 1, "target")[0]).tolist())


class FakeBold:
    """Values of all ROIs by volume, and what a scanner would have measured.

    Parameters
    ----------
    n_rois : of the model.
    target : number of the ROI whose value the script tells.
    """

    def __init__(self, n_rois: int, target: int, *, seed: int) -> None:
        self._seed = seed
        self._target = target
        self._waves = WAVE_SD * _twin_bold(seed, n_rois, "brain")  # (rois, volumes)
        self._waves[target] = target_wave(seed)
        self._r = generator(seed, "fake R").uniform(*R_RANGE, n_rois)  # (rois,)
        self._r[target] = R_RANGE[1]

    def predicted(self, volume: int, target: float | None) -> FloatArray:
        """Return (rois,), model units; `target` None: as its wave has it."""
        values: FloatArray = self._waves[:, volume % LOOP_VOLUMES].copy()
        if target is not None:
            values[self._target] = target
        return values

    def measured(self, volume: int, target: float | None) -> FloatArray:
        """Return (rois,), the scanner's unit: the prediction, and noise of its own."""
        rng = generator(self._seed, f"fake scanner noise {volume}")
        noise = rng.standard_normal(len(self._r))
        signal = self._r * self.predicted(volume, target) / WAVE_SD
        return SCANNER_MEAN + SCANNER_SD * (signal + np.sqrt(1 - self._r**2) * noise)


@functools.cache
def _twin_bold(seed: int, n_rois: int, whose: str) -> FloatArray:
    """Return the neural part of the BOLD of a twin, (rois, volumes), unit variance."""
    settings = TwinSettings(
        seed, level="easy", duration_s=LOOP_VOLUMES * DEFAULT_TR_S, tr_s=DEFAULT_TR_S
    )
    brain = draw_brain(settings, read_rois()[:n_rois], whose)
    body = draw_body(settings, brain.arousal)
    return simulate_bold(settings, brain.drive, body).neural.T


# What `rtbold fake` plays where no script is given: a session, or one of its scenes.
#
# Everything follows from the number of the volume and the seed, so that pictures and
# tests can be repeated.

Scene = Literal[
    "ok", "degraded", "invalid", "warmup", "waiting", "paused", "stalled", "silent",
    "drowsy",
]  # fmt: skip
SCENES: Final[tuple[Scene, ...]] = get_args(Scene)
WARMUP_TRS: Final = 3
LAP_TRS: Final = 20  # each lap has an invalid and a degraded phase of its own kind
ALERTNESS_PERIOD_S: Final = 240.0
FALLS_ASLEEP_S: Final = 60.0
UNLIKE: Final = {15: 0.8, 16: 0.95, 17: 1.3, 18: 1.5, 19: 0.9}  # phase -> unlikeness


@dataclass(frozen=True, slots=True)
class Lap:
    """What goes wrong in one lap."""

    invalid: Circumstances
    degraded: Circumstances
    triggers: dict[int, Literal["missed", "double"]]  # by phase


LAPS: Final = (
    Lap(Circumstances(reasons=("gap",), n_lost=60), USUAL["degraded"], {}),
    Lap(
        Circumstances(reasons=("amplitude",), n_implausible=1),
        Circumstances(reasons=("line_noise", "interpolated"), bad=((8, "line_noise"),)),
        {5: "double"},
    ),
    Lap(USUAL["invalid"], Circumstances(reasons=("unlike_calibration",)), {}),
    Lap(
        Circumstances(reasons=("gap",), n_lost=120, overflow=True),
        Circumstances(reasons=("bridged",)),
        {7: "missed"},
    ),
)
_HELD: Final[dict[Scene, tuple[Status, Circumstances]]] = {
    "ok": ("ok", USUAL["ok"]),
    "degraded": ("degraded", USUAL["degraded"]),
    "invalid": ("invalid", USUAL["invalid"]),
    "warmup": ("warmup", USUAL["warmup"]),
    "waiting": (
        "paused",
        Circumstances(reasons=("waiting_for_scanner",), trigger="waiting"),
    ),
    "paused": ("paused", USUAL["paused"]),
    "stalled": ("ok", Circumstances(silent="predictions")),
    "silent": ("ok", Circumstances(silent="all")),
    "drowsy": ("ok", USUAL["ok"]),
}
# Script seconds that are well before the scene; the others begin at once.
BEGINS_AFTER_S: Final[dict[Scene, float]] = {
    "stalled": 20.0,
    "silent": 20.0,
    "drowsy": 180.0,
}


def as_scene(name: str) -> Scene:
    """Return the scene of that name; refuse another one."""
    for scene in SCENES:
        if name == scene:
            return scene
    raise ConfigError(f"--scene is {name!r}, expected one of {', '.join(SCENES)}.")


def default_script(tr_s: float = DEFAULT_TR_S, *, seed: int = 0) -> Iterator[ScriptRow]:
    """Yield a slow wave without end: warm-up first, then some bad phases."""
    wave = target_wave(seed)
    for index in itertools.count():
        t_s = index * tr_s
        status = _default_status(index)
        around = replace(_default_around(index, status), alertness=_alertness(t_s))
        yield ScriptRow(t_s, _value(wave, index, status), status, around)


def scene_script(
    scene: Scene,
    *,
    after_s: float | None = None,
    tr_s: float = DEFAULT_TR_S,
    seed: int = 0,
) -> Iterator[ScriptRow]:
    """Yield rows that are well for a while and then stay in one state.

    Parameters
    ----------
    after_s : script seconds that are well; None: as `BEGINS_AFTER_S` says.
    """
    begins_s = BEGINS_AFTER_S.get(scene, 0.0) if after_s is None else after_s
    wave = target_wave(seed)
    for index in itertools.count():
        t_s = index * tr_s
        status, around = _HELD["ok" if t_s < begins_s else scene]
        alertness = _alertness(t_s)
        if scene == "drowsy" and t_s >= begins_s:
            alertness *= max(0.0, 1 - (t_s - begins_s) / FALLS_ASLEEP_S)
        around = replace(around, alertness=alertness)
        yield ScriptRow(t_s, _value(wave, index, status), status, around)


def _value(wave: tuple[float, ...], index: int, status: Status) -> float | None:
    return wave[index % len(wave)] if status in ("ok", "degraded") else None


def _alertness(t_s: float) -> float:
    return 0.85 + 0.1 * math.sin(2 * math.pi * t_s / ALERTNESS_PERIOD_S)


def _default_status(index: int) -> Status:
    if index < WARMUP_TRS:
        return "warmup"
    phase = index % LAP_TRS
    if phase in (12, 13, 14):
        return "invalid"
    return "degraded" if phase in (17, 18) else "ok"


def _default_around(index: int, status: Status) -> Circumstances:
    lap, phase = LAPS[index // LAP_TRS % len(LAPS)], index % LAP_TRS
    if status == "invalid":
        first = phase == 12  # what is lost is lost once, before the first of the three
        return lap.invalid if first else replace(lap.invalid, n_lost=0, n_implausible=0)
    around = lap.degraded if status == "degraded" else USUAL[status]
    if phase in lap.triggers:
        around = replace(around, trigger=lap.triggers[phase])
    unlike_here = "unlike_calibration" in lap.degraded.reasons
    usual = 0.6 + 0.1 * math.sin(index / 3)
    unlikeness = UNLIKE.get(phase, usual) if unlike_here else usual
    return replace(around, unlikeness=unlikeness)


# Sessions of a fixed length with one thing that happens, for authors of apps.

Scenario = Literal["normal", "gap", "restart", "scanner-stop", "sham"]
SCENARIOS: Final[tuple[Scenario, ...]] = get_args(Scenario)
SCENARIO_VOLUMES: Final = 16
SILENT_VOLUMES: Final = 2  # before a restart
_LOST: Final = Circumstances(reasons=("triggers_lost",), trigger="missed")
_MISSED: Final = Circumstances(trigger="missed")
_BEFORE: Final = 6  # volumes that are well before it happens
_GAP: Final = 4  # volumes that a gap makes invalid


def as_scenario(name: str) -> Scenario:
    """Return the scenario of that name; refuse another one."""
    for scenario in SCENARIOS:
        if name == scenario:
            return scenario
    raise ConfigError(
        f"--scenario is {name!r}, expected one of {', '.join(SCENARIOS)}."
    )


def scenario_sessions(
    scenario: Scenario, *, tr_s: float = DEFAULT_TR_S, seed: int = 0
) -> tuple[tuple[ScriptRow, ...], ...]:
    """Return the rows of each session; there are two of them in a restart.

    A sham has the same fields, sizes and times as what is normal, and other values.
    """
    wave = target_wave(seed + 1 if scenario == "sham" else seed)
    whole = tuple(
        ScriptRow(index * tr_s, _value(wave, index, status), status, around)
        for index in range(SCENARIO_VOLUMES)
        for status, around in (_of_scenario(scenario, index),)
    )
    if scenario != "restart":
        return (whole,)
    end = _BEFORE + SILENT_VOLUMES
    return whole[:end], tuple(
        replace(row, t_s=row.t_s - end * tr_s, around=USUAL[row.status])
        for row in whole[end:]
    )


def _of_scenario(scenario: Scenario, index: int) -> tuple[Status, Circumstances]:
    since = index - _BEFORE
    if index < WARMUP_TRS:
        return "warmup", USUAL["warmup"]
    if scenario == "gap" and 0 <= since < _GAP:
        return "invalid", replace(LAPS[0].invalid, n_lost=0 if since else 60)
    if scenario == "restart" and 0 <= since < SILENT_VOLUMES:
        return "ok", Circumstances(silent="all")
    if scenario == "scanner-stop" and since >= 0:
        return ("ok", _MISSED) if since < 2 else ("paused", _LOST)
    return "ok", USUAL["ok"]


# A script from a file.


def read_script(path: Path) -> tuple[ScriptRow, ...]:
    """Read a CSV with the columns t_s, value, status.

    Raises
    ------
    DataFileError : it cannot be read, or a cell is wrong; names line and column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataFileError(f"cannot read the script {path}: {error}") from error
    if not lines or tuple(cell.strip() for cell in lines[0]) != COLUMNS:
        came = ",".join(lines[0]) if lines else "an empty file"
        raise DataFileError(
            f"{path}, line 1: header is {came!r}, expected {','.join(COLUMNS)}."
        )
    rows: list[ScriptRow] = []
    for number, cells in enumerate(lines[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue
        after_s = rows[-1].t_s if rows else -math.inf
        rows.append(_row(f"{path}, line {number}", cells, after_s))
    if not rows:
        raise DataFileError(f"{path} has a header and no rows; expected at least one.")
    return tuple(rows)


def repeated(rows: tuple[ScriptRow, ...], tr_s: float) -> Iterator[ScriptRow]:
    """Yield `rows` again and again, a TR between the last and the first."""
    length_s = rows[-1].t_s + tr_s
    for lap in itertools.count():
        for row in rows:
            yield replace(row, t_s=row.t_s + lap * length_s)


def script_tr_s(rows: tuple[ScriptRow, ...]) -> float:
    """Return the median step of `rows`, which is the TR that the feed declares."""
    steps = sorted(b.t_s - a.t_s for a, b in itertools.pairwise(rows))
    return steps[len(steps) // 2] if steps else DEFAULT_TR_S


def _row(where: str, cells: list[str], after_s: float) -> ScriptRow:
    if len(cells) != len(COLUMNS):
        raise DataFileError(
            f"{where}: {len(cells)} cells, expected {','.join(COLUMNS)}."
        )
    t_text, value_text, status_text = (cell.strip() for cell in cells)
    t_s = _number(f"{where}, column t_s", t_text)
    if t_s < 0 or t_s <= after_s:
        raise DataFileError(
            f"{where}, column t_s: {t_s:g} does not come after {max(after_s, 0):g}; "
            "expected seconds from the start, growing from line to line."
        )
    status = _status(f"{where}, column status", status_text)
    value = _parsed_value(f"{where}, column value", value_text, status)
    return ScriptRow(t_s, value, status, USUAL[status])


def _status(where: str, text: str) -> Status:
    for status in get_args(Status):
        if text == status:
            known: Status = status
            return known
    raise DataFileError(
        f"{where}: {text!r}, expected one of {', '.join(get_args(Status))}."
    )


def _parsed_value(where: str, text: str, status: Status) -> float | None:
    if status in ("ok", "degraded"):
        return _number(where, text)
    if text:
        raise DataFileError(
            f"{where}: {text!r}, but a prediction that is {status} has no value. "
            "Leave the cell empty."
        )
    return None


def _number(where: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DataFileError(f"{where}: {text!r}, expected a finite number.")
    return number
