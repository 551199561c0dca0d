"""Amplifier, cleaning software and scanner of a lab, by name; run as a process.

python lab_sender.py --samples F.npy --eeg NAME [--markers NAME]
    [--trigger-channel LABEL] [--raw NAME] [--scanner-starts-s S]
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import pylsl

sys.path.append(str(Path(__file__).parent))

from twin_scans import CHANNELS

from rtbold.messages import Channel
from rtbold.sim.outlets import EegOutletSettings, open_eeg_outlet, open_marker_outlet

RATE_HZ = 200
CHUNK_N = 8
TR_N = 420  # samples from volume to volume
DELAY_N = 8  # by which the cleaned stream is later than the raw one
ARTEFACT_UV = 400.0


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=Path, help="(samples, channels), uV")
    parser.add_argument("--eeg")
    parser.add_argument("--raw", help="the same stream before it was cleaned")
    parser.add_argument("--markers")
    parser.add_argument("--trigger-channel")
    parser.add_argument("--bold-table", type=Path, help="grows, if it is there")
    parser.add_argument("--scanner-starts-s", type=float, help="after somebody listens")
    return parser.parse_args()


def eeg_outlet(name, trigger_channel=None):
    channels = [Channel(label, "uV") for label in CHANNELS]
    if trigger_channel:
        channels.append(Channel(trigger_channel, "", "trigger"))
    return open_eeg_outlet(
        EegOutletSettings(
            name=name, rate_hz=RATE_HZ, channels=tuple(channels), reference="FCz",
            source_id=f"{name}@lab",
        )
    )  # fmt: skip


class Lab:
    """Sends chunk after chunk; counts samples from its start."""

    def __init__(self, asked):
        self.samples = np.load(asked.samples).astype(np.float32)
        self.eeg = eeg_outlet(asked.eeg, asked.trigger_channel)
        self.raw = eeg_outlet(asked.raw) if asked.raw else None
        self.markers = open_marker_outlet(asked.markers) if asked.markers else None
        self.channel = asked.trigger_channel
        self.starts_s = asked.scanner_starts_s
        self.due_n = RATE_HZ if self.starts_s is None else None  # the next volume
        self.artefact_n = None
        self.table = asked.bold_table
        self.begun_s = pylsl.local_clock()

    def stamp_s(self, n):
        return self.begun_s + n / RATE_HZ

    def send(self, n):
        """Send the chunk that begins at sample `n`."""
        if self.due_n is None and self.eeg.wait_for_consumers(0.0):
            self.artefact_n = self.due_n = n + round(self.starts_s * RATE_HZ)
        index, last_s = np.arange(n, n + CHUNK_N), self.stamp_s(n + CHUNK_N - 1)
        chunk = self.samples[index % len(self.samples)].copy()
        if self.artefact_n is not None:
            on = index >= self.artefact_n
            chunk += ARTEFACT_UV * (on * np.sin(0.9 * index))[:, None]
        onset_n = self.onset(n)
        if self.channel:
            chunk = np.column_stack([chunk, (index == onset_n)])
        self.eeg.push_block(np.ascontiguousarray(chunk, np.float32), last_s)
        if self.raw is not None:
            ahead = self.samples[(index + DELAY_N) % len(self.samples)]
            self.raw.push_block(ahead, last_s)
        if onset_n is not None:
            self.measure()
        if self.markers is not None and onset_n is not None:
            self.markers.push_event(("R128",), self.stamp_s(onset_n))

    def measure(self):
        """Add the volume before this one to the table, as an export does."""
        if self.table is None or not self.table.exists():
            return
        names = self.table.read_text().splitlines()[0].split("\t")
        with self.table.open("a") as file:
            file.write("\t".join(["1000.5"] * len(names)) + "\n")

    def onset(self, n):
        """Return the sample of this chunk at which a volume starts, if one does."""
        if self.due_n is None or self.due_n >= n + CHUNK_N:
            return None
        onset_n, self.due_n = self.due_n, self.due_n + TR_N
        return onset_n


def main():
    lab, n = Lab(parse()), 0
    while True:
        time.sleep(max(lab.stamp_s(n + CHUNK_N) - pylsl.local_clock(), 0.0))
        lab.send(n)
        n += CHUNK_N


if __name__ == "__main__":
    main()
