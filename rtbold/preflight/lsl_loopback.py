"""A child process of ``rtbold doctor``: one outlet, one inlet, and how long it takes.

Run as ``python -m rtbold.preflight.lsl_loopback``. It is a process of its own because
liblsl can hang or abort, and the doctor must say so instead of doing the same. It
prints one JSON object.
"""

import json
import sys
import time
import uuid
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pylsl
N_SAMPLES = 100
RESOLVE_LIMIT_S = 5.0
SPACING_S = 0.005
LoopbackFigures = dict[str, float | int | str | None]


def measure() -> LoopbackFigures:
    """Return versions, times in ms, and LSL's clock against the monotonic one.

    ``resolve_ms`` is None where an own stream was not found in time.
    """
    import pylsl

    begin_s, lsl_begin_s = time.monotonic(), pylsl.local_clock()
    name = f"rtbold-doctor-{uuid.uuid4()}"
    info = pylsl.StreamInfo(name, "rtbold-doctor", 1, 0, "double64", name)
    outlet = pylsl.StreamOutlet(info)
    found = pylsl.resolve_byprop("name", name, timeout=RESOLVE_LIMIT_S)
    resolved_s = time.monotonic()
    answer: LoopbackFigures = {
        "pylsl": pylsl.__version__,
        "liblsl": pylsl.library_version(),
        "built": pylsl.library_info(),  # tag, compiler
        "resolve_ms": (resolved_s - begin_s) * 1e3 if found else None,
    }
    if found:
        answer |= _round_trip(pylsl.StreamInlet(found[0], recover=False), outlet)
    # Both clocks over the same stretch: liblsl's must not run at another rate.
    elapsed_s = time.monotonic() - begin_s
    answer["clock_rate_ppm"] = (
        (pylsl.local_clock() - lsl_begin_s) / elapsed_s - 1
    ) * 1e6
    return answer


def _round_trip(
    inlet: "pylsl.StreamInlet", outlet: "pylsl.StreamOutlet"
) -> LoopbackFigures:
    import pylsl

    inlet.open_stream(timeout=RESOLVE_LIMIT_S)
    outlet.wait_for_consumers(RESOLVE_LIMIT_S)
    took_ms: list[float] = []
    for _ in range(N_SAMPLES):
        outlet.push_sample([0.0])
        sample, stamp_s = inlet.pull_sample(timeout=1.0)
        if sample is not None:
            took_ms.append((pylsl.local_clock() - stamp_s) * 1e3)
        time.sleep(SPACING_S)
    return {
        "n_sent": N_SAMPLES,
        "n_received": len(took_ms),
        "p50_ms": float(np.median(took_ms)) if took_ms else None,
        "p95_ms": float(np.percentile(took_ms, 95)) if took_ms else None,
        "max_ms": max(took_ms, default=None),
        "offset_ms": inlet.time_correction(timeout=RESOLVE_LIMIT_S) * 1e3,
    }


def main() -> None:
    """Print the measurement as one JSON object."""
    sys.stdout.write(json.dumps(measure()) + "\n")


if __name__ == "__main__":
    main()
