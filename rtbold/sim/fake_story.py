"""What `rtbold fake` plays where no script is given: a session, or one of its scenes.

Everything follows from the number of the volume and the seed, so that pictures and
tests can be repeated.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

from rtbold.errors import ConfigError
from rtbold.messages import Status
from rtbold.sim.fake_bold import target_wave
from rtbold.sim.fake_script import DEFAULT_TR_S, USUAL, Circumstances, ScriptRow

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
        Circumstances(reasons=("amplitude",)),
        Circumstances(reasons=("line_noise", "interpolated"), bad=((8, "line_noise"),)),
        {5: "double"},
    ),
    Lap(USUAL["invalid"], Circumstances(reasons=("unlike_calibration",)), {}),
    Lap(
        Circumstances(reasons=("gap",), n_lost=120),
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
        first = phase == 12  # samples are lost once, before the first of the three
        return lap.invalid if first else replace(lap.invalid, n_lost=0)
    around = lap.degraded if status == "degraded" else USUAL[status]
    if phase in lap.triggers:
        around = replace(around, trigger=lap.triggers[phase])
    unlike_here = "unlike_calibration" in lap.degraded.reasons
    usual = 0.6 + 0.1 * math.sin(index / 3)
    unlikeness = UNLIKE.get(phase, usual) if unlike_here else usual
    return replace(around, unlikeness=unlikeness)
