"""mne-realtime's MockLSLStream of noise in volts, as a process until it is ended.

python mock_stream.py SOURCE_ID RATE_HZ NOISE_UV CHANNEL...
"""

import signal
import sys
import time
import warnings

import numpy as np


def main(source_id, rate_hz, noise_uv, *channels):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # mne-realtime says that it is discontinued
        import mne
        from mne_realtime import MockLSLStream
    noise = np.random.default_rng(7).standard_normal((len(channels), 10 * int(rate_hz)))
    info = mne.create_info(list(channels), int(rate_hz), "eeg")
    raw = mne.io.RawArray(float(noise_uv) * 1e-6 * noise, info, verbose="error")
    # Its own process is a daemon, which an unhandled signal would leave behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with MockLSLStream(source_id, raw, "eeg"):
        while True:
            time.sleep(1.0)


if __name__ == "__main__":
    main(*sys.argv[1:])
