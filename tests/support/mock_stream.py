"""mne-realtime's MockLSLStream of noise in volts, as a process until it is ended.

python mock_stream.py NAME RATE_HZ NOISE_UV CHANNEL...
"""

import sys
import warnings

import numpy as np
import pylsl


def main(name, rate_hz, noise_uv, *channels):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # mne-realtime says that it is discontinued
        import mne
        from mne_realtime import MockLSLStream
    # The mock plays it in a loop, and what repeats within 40 s is no data.
    n = 60 * int(rate_hz)
    noise = np.random.default_rng(7).standard_normal((len(channels), n))
    info = mne.create_info(list(channels), int(rate_hz), "eeg")
    raw = mne.io.RawArray(float(noise_uv) * 1e-6 * noise, info, verbose="error")
    # Every mock is called MNE: those of other checkouts on the network would be alike.
    plain = pylsl.StreamInfo
    pylsl.StreamInfo = lambda **said: plain(**{**said, "name": name})
    MockLSLStream(name, raw, "eeg")._initiate_stream()  # here, not in a child's child


if __name__ == "__main__":
    main(*sys.argv[1:])
