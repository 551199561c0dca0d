"""What windows leave behind, and what an hour of messages leaves in one."""

import gc
import threading
from collections import Counter

import psutil
import pytest
from PyQt6.QtCore import QObject
from PyQt6.QtWidgets import QApplication

from rtbold.gui.state.event_log import MOST_LINES
from rtbold.gui.views.main_window import SESSION

pytestmark = pytest.mark.integration
N_WINDOWS, N_FIRST = 20, 8  # the first ones fill caches: fonts, icons, code
WINDOW_MB = 1.0  # one that stays costs 7
HOUR_VOLUMES, N_PARTS = round(3600 / 2.1), 12
GROWTH_MB = 10.0  # in the second half hour
BLOCK_S, MINUTES_OF_EEG = 0.1, 10  # a busy machine leaves much of it out


def rss_mb():
    gc.collect()
    return psutil.Process().memory_info().rss / 2**20


def left_behind():
    """Return what is there: windows, widgets, threads, Qt's objects and our own."""
    gc.collect()
    kinds = Counter(
        type(thing).__name__
        for thing in gc.get_objects()
        if issubclass(type(thing), QObject)  # isinstance wakes lazy objects of others
        or str(type(thing).__module__).startswith("rtbold.gui")
    )
    return {
        "windows": [type(w).__name__ for w in QApplication.topLevelWidgets()],
        "n_widgets": len(QApplication.allWidgets()),
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "kinds": dict(kinds),
    }


def grown(before, after):
    """Return the kinds that there are more of; what went is of an earlier test."""
    return {
        kind: (before.get(kind, 0), n)
        for kind, n in after.items()
        if n > before.get(kind, 0)
    }


def look_in(dashboards, publisher):
    """Open a window, see a value, draw each page, close it."""
    window = dashboards()
    window.join(publisher)
    window.window.participant.open()
    window.wait(lambda: window.word == "OK" and window.state.hello is not None)
    for page in range(4):
        window.window.go_to(page)
        window.window.tick()
        assert not window.window.grab().isNull()
    window.close()


def volume(window):
    fb = window.state.fb
    return -1 if fb is None else fb.volume_index


def test_twenty_windows_leave_nothing(dashboards, publishers):
    publisher = publishers("--speed", "20")
    for _ in range(N_FIRST):
        look_in(dashboards, publisher)
    before, before_mb = left_behind(), rss_mb()
    for _ in range(N_WINDOWS - N_FIRST):
        look_in(dashboards, publisher)
    after = left_behind()
    assert grown(before["kinds"], after["kinds"]) == {}
    assert after["windows"] == []
    assert after["n_widgets"] <= before["n_widgets"]
    assert len(after["threads"]) <= len(before["threads"]), after["threads"]
    assert [name for name in after["threads"] if name.startswith("rtbold")] == []
    assert rss_mb() - before_mb < WINDOW_MB * (N_WINDOWS - N_FIRST)


@pytest.mark.realtime
@pytest.mark.alone
@pytest.mark.long  # an hour, 60 times as fast, is a minute of one whole core
def test_an_hour_of_messages_keeps_memory_flat(dashboards, publishers):
    window = dashboards()
    window.join(publishers("--speed", "60", "--channels", "64", "--rois", "64"))
    used_mb = []
    for part in range(1, N_PARTS + 1):
        window.wait(lambda n=part: volume(window) >= HOUR_VOLUMES * n // N_PARTS)
        used_mb.append(rss_mb())
    half = N_PARTS // 2
    assert max(used_mb[half:]) - used_mb[half - 1] < GROWTH_MB, used_mb
    state = window.state
    assert window.page == SESSION
    assert state.counts.n_volumes >= 0.9 * HOUR_VOLUMES
    assert state.versions["eeg"] * BLOCK_S > MINUTES_OF_EEG * 60
    assert state.scope.newest_index > state.scope.capacity
    assert len(state.log.entries) <= MOST_LINES
    assert len(window.events) <= MOST_LINES
