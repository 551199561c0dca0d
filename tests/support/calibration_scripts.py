"""The modules of scripts/measure_calibration.py, for the tests of their pieces."""

import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

SCRIPTS = Path(__file__).resolve().parent.parent.parent / "scripts"


@contextmanager
def calibration_scripts():
    """Give all modules by their last word; none is left imported."""
    before = set(sys.modules)
    sys.path.insert(0, str(SCRIPTS))
    try:
        import measure_calibration as module

        yield SimpleNamespace(
            entry=module,
            **{
                name.removeprefix("measure_calibration_"): found
                for name, found in sys.modules.items()
                if name.startswith("measure_calibration_")
            },
        )
    finally:
        sys.path.remove(str(SCRIPTS))
        for name in set(sys.modules) - before:
            if name.startswith(("measure_calibration", "bench")):
                del sys.modules[name]
