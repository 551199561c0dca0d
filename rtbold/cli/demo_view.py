"""What the demo shows on a terminal."""

import math
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rtbold.messages import FloatArray
    from rtbold.sim.demo import DemoData

SHOWN_ROIS = 8
NAME_WIDTH = 30
COLUMN_WIDTH = NAME_WIDTH + 5 + 4  # name, R, and the space between
TRACE_VOLUMES = 32
_BARS = " ▁▂▃▄▅▆▇█"
_COLOURS = {"ok": "green", "degraded": "yellow", "invalid": "red"}


def live(data: "DemoData") -> Group:
    """Return the picture of this moment: status, then prediction beside truth."""
    return Group(_headline(data), _traces(data))


def _headline(data: "DemoData") -> Text:
    body = data.newest
    if not body:
        return Text("starting: the twin makes its EEG, the session opens it ...")
    status, reasons = body["status"], ", ".join(body["reasons"])
    text = Text()
    text.append("SIMULATED EEG and BOLD   ", style="bold magenta")
    text.append(status.upper(), style=f"bold {_COLOURS.get(status, 'cyan')}")
    text.append(f" ({reasons})" if reasons else "")
    text.append(f"   volume {_shown(body['volume_index'])}")
    text.append(f"   published {body['age_ms']:.0f} ms after its trigger")
    return text


def _shown(value: object) -> str:
    return "-" if value is None else str(value)


def _traces(data: "DemoData") -> Table:
    """Return one row per ROI; each trace fills its own range."""
    table = Table(show_lines=True)
    table.add_column("ROI (DiFuMo-64)", no_wrap=True, max_width=30)
    table.add_column(
        "predicted, newest right", no_wrap=True, width=TRACE_VOLUMES, style="cyan"
    )
    table.add_column("now", justify="right", width=6)
    table.add_column(
        "measured (a TR later)", no_wrap=True, width=TRACE_VOLUMES, style="green"
    )
    table.add_column("R so far", justify="right", width=8)
    for roi, name in enumerate(data.rois[:SHOWN_ROIS]):
        predicted = [row[roi] for _, row in sorted(data.predicted.items())]
        measured = [row[roi] for _, row in sorted(data.measured.items())]
        now = f"{predicted[-1]:+.2f}" if predicted else ""
        table.add_row(name, bars(predicted), now, bars(measured), so_far(data, name))
    return table


def so_far(data: "DemoData", roi: str) -> str:
    """Return the session's rolling R, or that too few independent volumes came."""
    if roi not in data.r_so_far:
        return ""
    r = data.r_so_far[roi]
    return "n < 20" if r is None else f"{r:+.2f}"


def bars(values: list[float]) -> str:
    """Return the newest values as a row of small bars."""
    newest = np.array(values[-TRACE_VOLUMES:])
    if newest.size < 2 or not np.isfinite(newest).all():
        return ""
    low, high = newest.min(), newest.max()
    share = (newest - low) / (high - low or 1.0)
    steps = np.rint(share * (len(_BARS) - 2)).astype(int) + 1
    return "".join(_BARS[step] for step in steps)


def line(data: "DemoData") -> str:
    """Return one line for a log, where there is no screen to redraw."""
    body = data.newest
    value = body["value"]
    parts = [
        f"volume {_shown(body['volume_index']):>4}",
        f"{body['status']:<8}",
        f"{body['target']}: predicted {'null' if value is None else f'{value:+.3f}'}",
    ]
    if data.measured and data.rois:
        newest = max(data.measured)
        truth = data.measured[newest][data.rois.index(body["target"])]
        parts.append(f"measured (volume {newest}) {truth:+.3f}")
    if body["reasons"]:
        parts.append(", ".join(body["reasons"]))
    return "   ".join(parts)


def final_table(data: "DemoData", r: "FloatArray", width: int = 80) -> Table:
    """Return R of every ROI, best first, in as many columns as `width` allows."""
    table = Table(title="R of prediction and measured BOLD, SIMULATED", box=None)
    columns = max(width // COLUMN_WIDTH, 1)
    for _ in range(columns):
        table.add_column("ROI", width=NAME_WIDTH, no_wrap=True)
        table.add_column("R", justify="right", width=5, no_wrap=True)
    order = np.argsort(-np.nan_to_num(r, nan=-2.0))
    rows = math.ceil(len(order) / columns)
    for row in range(rows):
        cells = []
        for roi in order[row::rows]:
            cells += [data.rois[roi], f"{r[roi]:+.2f}"]
        table.add_row(*cells)
    return table
