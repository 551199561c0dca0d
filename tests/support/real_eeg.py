"""The real recording: fetched once into the user's cache, never committed."""

import fetch_real_eeg
import pytest

NAME = "absence_epilepsy.eeg.h5"

# Seconds between the recording's own notes "eyes closed" and "eyes open".
CLOSED_S = ((928, 938), (948, 956), (1197, 1213), (1219, 1246))
OPEN_S = ((903, 928), (957, 994), (1183, 1197), (1214, 1218), (1247, 1283))


def recording_path():
    """Return the recording; skip, with the reason, only if it cannot be had."""
    try:
        paths = fetch_real_eeg.fetch(fetch_real_eeg.default_folder())
    except SystemExit as impossible:
        pytest.skip(f"the real recording cannot be fetched: {impossible}")
    return next(path for path in paths if path.name == NAME)
