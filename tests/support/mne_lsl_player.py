"""Play a recording with mne-lsl, as a process: its threads end with it.

python mne_lsl_player.py FILE NAME START_S STOP_S
"""

import sys
import time
from pathlib import Path

import mne
from mne_lsl.player import PlayerLSL

from rtbold.files.read import read_recording


def main(file, name, start_s, stop_s):
    recording = read_recording(Path(file))
    eeg = [k for k, c in enumerate(recording.channels) if c.kind == "eeg"]
    span = slice(*(round(float(t) * recording.rate_hz) for t in (start_s, stop_s)))
    labels = [recording.channels[k].label for k in eeg]
    info = mne.create_info(labels, recording.rate_hz, "eeg")
    data_v = recording.data_uv[eeg, span].astype(float) * 1e-6
    raw = mne.io.RawArray(data_v, info, verbose="error")
    with PlayerLSL(raw, chunk_size=10, name=name, source_id=name, annotations=False):
        while True:
            time.sleep(1.0)


if __name__ == "__main__":
    main(*sys.argv[1:])
