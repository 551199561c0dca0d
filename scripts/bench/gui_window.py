"""One role of the dashboard's benchmark: a window on a feed, in its own process.

    python gui_window.py frames --connect tcp://127.0.0.1:5580 --seconds 20

Prints one line of JSON. ``frames`` draws in turn and times each; ``pixels`` runs the
window's own timer, as ``rtbold gui`` does.
"""

import argparse
import gc
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from msgspec.structs import replace
from PyQt6 import sip
from PyQt6.QtCore import QTimer
from PyQt6.QtWidgets import QApplication

from rtbold.gui.controllers.children import give_way
from rtbold.gui.state.address import Address
from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.latency import LatencyBook
from rtbold.gui.views.app import AppOptions, application, build
from rtbold.gui.views.main_window import FRAME_MS, SESSION, MainWindow
from rtbold.gui.views.session.page import SessionPage

SIZE = (1366, 768)
HOUR_VOLUMES = 1714
READY_LIMIT_S = 60.0
FRAME_S = FRAME_MS / 1000


def main(given: list[str]) -> int:
    """Play one role; print its figures."""
    options = _parse(given)
    give_way()  # as `rtbold gui` does
    app = application()
    app.setStyle("Fusion")
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "dashboard.ini")
        window = build(
            app,
            AppOptions(theme="dark", text_scale=1.0, settings_file=file, offer=False),
        )
        gc.collect()
        gc.freeze()  # as `rtbold gui` does
        said = ROLES[options.role](app, window, options)
        window.closing.without_asking()
        window.close()
        sip.delete(window)  # while `notify` can still be called
    print(json.dumps(said), flush=True)
    return 0


def _parse(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("role", choices=tuple(ROLES))
    parser.add_argument("--connect", required=True, help="address of a feed")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--warm-up", type=float, default=3.0, help="seconds")
    parser.add_argument("--lanes", type=int, default=1, help="ROIs that are plotted")
    parser.add_argument("--hour", action="store_true", help="after an hour of volumes")
    parser.add_argument("--predictions", type=int, default=120, help="for pixels")
    return parser.parse_args(given)


def _frames(
    app: QApplication, window: MainWindow, options: argparse.Namespace
) -> dict[str, object]:
    """Draw at 30 frames a second; return what each took."""
    _show(app, window, options)
    wall_ms, cpu_ms = [], []

    def frame() -> None:
        wall_s, cpu_s = time.perf_counter(), time.thread_time()
        _draw(app, window)
        cpu_ms.append(1000 * (time.thread_time() - cpu_s))
        wall_ms.append(1000 * (time.perf_counter() - wall_s))

    _each_frame(frame, options.seconds)
    return {"wall_ms": wall_ms, "cpu_ms": cpu_ms, **_seen(window)}


def _pixels(
    app: QApplication, window: MainWindow, options: argparse.Namespace
) -> dict[str, object]:
    """Return milliseconds from publication to the end of the target's painting.

    The fake session's clock is this machine's monotonic one.
    """
    found_ms: list[float] = []
    note = LatencyBook.painted

    def painted(book: LatencyBook, seq: int, now_s: float) -> None:
        fb = window.state.fb
        if fb is not None and fb.seq == seq and not fb.replayed:
            found_ms.append(1000 * (time.monotonic() - fb.t_lsl))
        note(book, seq, now_s)

    LatencyBook.painted = painted  # type: ignore[method-assign]
    window.begin()
    window.join(Address(options.connect))
    limit_s = READY_LIMIT_S + options.seconds
    _run_until(app, lambda: len(found_ms) >= options.predictions, limit_s)
    return {"ms": found_ms, **_seen(window)}


Role = Callable[[QApplication, MainWindow, argparse.Namespace], dict[str, object]]
ROLES: dict[str, Role] = {"frames": _frames, "pixels": _pixels}


def _show(
    app: QApplication, window: MainWindow, options: argparse.Namespace
) -> SessionPage:
    """Join, and draw until all kinds of messages have come; lay the page out."""
    window.resize(*SIZE)
    window.show()
    window.join(Address(options.connect))
    state, end_s = window.state, time.monotonic() + READY_LIMIT_S
    while state.fb is None or state.prediction is None or not state.scope.n_channels:
        if time.monotonic() > end_s:
            raise SystemExit(f"nothing came from {options.connect}")
        _draw(app, window)
        time.sleep(FRAME_S)
    page = window.stack.widget(SESSION)
    assert isinstance(page, SessionPage)
    if options.hour:
        an_hour(state)
        page.plot.head.span.setCurrentText("60 min")
    page.plot.choose(state.history.rois[1 : options.lanes])
    _each_frame(lambda: _draw(app, window), options.warm_up)
    return page


def an_hour(state: DashboardState) -> None:
    """Let an hour of volumes like the newest come, all at once, before what comes."""
    fb, prediction, truth = state.fb, state.prediction, state.truth
    assert fb is not None
    assert prediction is not None
    first_s = prediction.bold_time - HOUR_VOLUMES * state.tr_s
    for volume in range(HOUR_VOLUMES):
        t_s = first_s + volume * state.tr_s
        lift = 0.5 * (volume % 40) / 40
        at = {"volume_index": volume, "t_trigger": t_s}
        state.history.take_prediction(
            replace(
                prediction, values=_lifted(prediction.values, lift), bold_time=t_s, **at
            )
        )
        state.history.take_feedback(replace(fb, value=lift, **at))
        if truth is not None:
            row = _lifted(truth.filtered, lift)
            state.history.take_truth(replace(truth, volume_index=volume, filtered=row))


def _lifted(
    row: Sequence[float | None] | None, lift: float
) -> tuple[float | None, ...] | None:
    if row is None:
        return None
    return tuple(None if value is None else value + lift for value in row)


def _draw(app: QApplication, window: MainWindow) -> None:
    window.tick()
    for _ in range(2):  # what painting itself asked for is painted too
        app.processEvents()


def _each_frame(draw: Callable[[], None], seconds: float) -> None:
    due_s = time.perf_counter()
    end_s = due_s + seconds
    while due_s < end_s:
        draw()
        due_s = max(due_s + FRAME_S, time.perf_counter())
        time.sleep(max(0.0, due_s - time.perf_counter()))


def _run_until(app: QApplication, done: Callable[[], bool], limit_s: float) -> None:
    end_s, timer = time.monotonic() + limit_s, QTimer()
    timer.timeout.connect(  # exit, not quit: that would close the window and ask
        lambda: app.exit() if done() or time.monotonic() > end_s else None
    )
    timer.start(100)
    app.exec()
    timer.stop()


def _seen(window: MainWindow) -> dict[str, object]:
    """Return what the window knows, so that nobody times an empty one."""
    state, focus = window.state, window.stack.currentWidget()
    return {
        "n_channels": state.scope.n_channels,
        "page": focus.objectName() if focus else "",
        "status": state.fb.status if state.fb else None,
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
