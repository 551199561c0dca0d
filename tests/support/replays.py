"""``rtbold replay`` as a process, and its table beside what was published."""

import csv

import numpy as np
from loop import PATIENCE_S, Rtbold

TABLE_COLUMNS = ("volume_index", "t_end", "status", "reasons")  # then the ROIs
N_FIXED = len(TABLE_COLUMNS)


def replay(xdf, bundle, out, *options):
    """Return the rows of the table, as text."""
    with Rtbold("replay", xdf, "--model", bundle.path, "--out", out, *options) as child:
        assert child.wait(2 * PATIENCE_S) == 0, child.said()
    with out.open(encoding="utf-8") as file:
        header, *rows = csv.reader(file, delimiter="\t")
    assert tuple(header) == (*TABLE_COLUMNS, *bundle.card.rois)
    return rows


def as_replayed(message):
    """Return a published prediction as `replay` gives it; `late` is added live."""
    index, values = message["volume_index"], message["values"]
    reasons = [reason for reason in message["reasons"] if reason != "late"]
    status = message["status"]
    if status == "degraded" and not set(reasons) - {"upstream_delay_unknown"}:
        status = "ok"  # lateness alone had degraded it
    return (
        "n/a" if index is None else str(index),
        message["window"]["t_end"],
        status,
        reasons,
        None if values is None else np.array(values, np.float32).tobytes(),
    )


def from_row(row):
    """Return one row of the table, comparable with `as_replayed`."""
    values = row[N_FIXED:]
    empty = set(values) == {"n/a"}
    return (
        row[0],
        float(row[1]),
        row[2],
        row[3].split(",") if row[3] else [],
        None if empty else np.array(values, np.float32).tobytes(),
    )
