"""A recorded session gives its published numbers again: `run --record`, then `replay`.

Real processes throughout: the twin, the session, LabRecorder, a subscriber, `replay`.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from bundles import write_tiny
from loop import PATIENCE_S, Listener, free_ports, new_name, session, twin
from replays import N_FIXED, as_replayed, from_row, replay

pytestmark = [pytest.mark.integration, pytest.mark.realtime]
SECONDS = 45.0
# Without the event log the first sample is another one, that from which on it was
# recorded: the high-pass starts later, and the 200 Hz grid lies up to 5 ms elsewhere.
# Measured with this model in two runs, in sd of the values: 0.0086 in the first volume
# (the high-pass), later at most 0.0028 (the grid), or not a bit where the grid agreed.
FOREIGN_BOUND_SD = 0.05


@dataclass
class Recorded:
    """What a subscriber got, and what was recorded meanwhile."""

    bundle: object
    published: list
    folder: Path

    @property
    def xdf(self):
        (xdf,) = self.folder.glob("*_eeg.xdf")
        return xdf


def record(root):
    name, ports, bundle = new_name("record"), free_ports(), write_tiny(root)
    with (
        Listener(ports[0]) as listener,
        twin(name, duration_s=SECONDS + PATIENCE_S, rate=250, level="hard"),
        session(bundle, name, ports, record=root / "rec", duration=SECONDS) as running,
    ):
        listener.while_running(running, SECONDS + 3 * PATIENCE_S)
        assert running.wait(1) == 0, running.said()
    (card,) = (root / "rec").rglob("card.json")
    return Recorded(bundle, listener.of("pred.roi"), card.parent)


TOGETHER = (record,)


@pytest.fixture
def recorded(together):
    return together(record)


def test_every_message_comes_out_again_to_the_last_bit(recorded, tmp_path):
    assert [m["seq"] for m in recorded.published] == list(
        range(len(recorded.published))
    )
    rows = replay(recorded.xdf, recorded.bundle, tmp_path / "bold.tsv")
    again = [from_row(row) for row in rows]
    assert again == [as_replayed(message) for message in recorded.published]
    n_volumes = sum(row[0] != "n/a" for row in rows)
    assert n_volumes >= (SECONDS - PATIENCE_S / 2) / 2.1
    n_with_values = sum(values is not None for *_, values in again)
    assert n_with_values >= 8


def test_the_xdf_alone_is_close(recorded, tmp_path):
    """As a recording made by others: no event log, no settings, no bundle card."""
    alone = tmp_path / "alone.xdf"
    shutil.copyfile(recorded.xdf, alone)
    options = ("--trigger", "R128")
    rows = replay(alone, recorded.bundle, tmp_path / "bold.tsv", *options)
    t_end_s = np.array([float(row[1]) for row in rows])
    differences, values = [], []
    for message in recorded.published:
        if message["values"] is None:
            continue
        nearest = np.abs(t_end_s - message["window"]["t_end"]).argmin()
        assert abs(t_end_s[nearest] - message["window"]["t_end"]) < 0.001
        row = rows[nearest]
        if row[N_FIXED] == "n/a":  # its own warm-up: recorded from later on
            assert row[2] == "warmup"
            continue
        values.append(message["values"])
        differences.append(np.array(row[N_FIXED:], float) - message["values"])
    assert len(values) >= 6
    off_sd = np.abs(differences) / np.std(values, axis=0)
    assert off_sd.max() < FOREIGN_BOUND_SD, off_sd.max(axis=1)
