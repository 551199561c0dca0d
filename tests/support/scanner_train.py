"""Trains of volume triggers as a scanner sends them, and a schedule that hears them."""

import numpy as np

from rtbold.window.schedule import Schedule, ScheduleSettings

TR_S = 2.1
START_S = 1000.0
JITTER = 0.05  # of a TR


def schedule(**options):
    return Schedule(ScheduleSettings(TR_S, **options))


def volumes(n, *, first=0):
    return START_S + TR_S * np.arange(first, first + n)


def numbered(ticks):
    return [tick.volume_index for tick in ticks]


def listen(grid, triggers, *, from_s=None, until_s=None, poll_s=0.05):
    """Let time pass, and triggers arrive 10 ms late or at the time that stands by."""
    pairs = [t if isinstance(t, tuple) else (float(t), t + 0.01) for t in triggers]
    waiting = sorted(pairs, key=lambda pair: pair[1])
    now_s = waiting[0][1] if from_s is None else from_s
    until_s = waiting[-1][1] + 0.15 if until_s is None else until_s
    ticks = []
    while now_s < until_s:
        while waiting and waiting[0][1] <= now_s:
            ticks += grid.trigger(*waiting.pop(0))
        ticks += grid.passed(now_s)
        now_s += poll_s
    while waiting and waiting[0][1] <= until_s:
        ticks += grid.trigger(*waiting.pop(0))
    return [*ticks, *grid.passed(until_s)]
