"""Print each prediction of a session as LSL has it. Needs pylsl only.

    rtbold fake --lsl        # in another terminal, or a session
    python read_predictions.py [PORT]

PORT is that of the session's feed, and tells two sessions in one network apart.

Two streams: ``rtbold-pred`` has one sample per TR (every ROI, then the feedback value
of the target, the status and the volume), stamped with the onset of the volume.
``rtbold-events`` has text: changes of the status, marks and notes.
"""

import sys

import pylsl

USABLE = (0, 1)  # ok, degraded; 2 invalid, 3 warmup, 4 paused: then values are NaN
WORDS = ("ok", "degraded", "invalid", "warmup", "paused")
SILENT_S = 10.0


def main() -> int:
    """Print until the stream goes; 1: there was none."""
    port = sys.argv[1] if len(sys.argv) > 1 else "5580"
    predictions, events = _inlet("rtbold-pred", port), _inlet("rtbold-events", port)
    if predictions is None or events is None:
        print("no session sends to LSL here: start rtbold fake --lsl", file=sys.stderr)
        return 1
    labels = predictions.info(SILENT_S).get_channel_labels()
    print("channels:", ", ".join(labels))
    while True:
        row, onset_s = predictions.pull_sample(timeout=SILENT_S)
        while (told := events.pull_sample(timeout=0.0))[0] is not None:
            print(f"{told[1]:.3f} {told[0][0]}", flush=True)
        if row is None:
            return 0
        *_rois, value, status, volume = row
        shown = f"{value:.3f}" if status in USABLE else "nothing to show"
        word = WORDS[int(status)]
        print(f"{onset_s:.3f} volume {volume:.0f} {word}: {shown}", flush=True)


def _inlet(name: str, port: str) -> pylsl.StreamInlet | None:
    """Return the stream of that name; None: there is none."""
    wanted = f"name='{name}' and contains(source_id,':{port}-')"
    found = pylsl.resolve_bypred(wanted, timeout=SILENT_S)
    if not found:
        return None
    # A session that restarts with the same port and channels is found again by itself.
    inlet = pylsl.StreamInlet(found[0], recover=True)
    inlet.open_stream(timeout=SILENT_S)
    return inlet


if __name__ == "__main__":
    sys.exit(main())
