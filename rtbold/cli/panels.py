"""The panels in which the help of a command with many options shows them.

An option that stands in none of them is shown under "Options". The names are those of
the functions' parameters; ``tests/rtbold/cli/test_app.py`` holds that they exist.
"""

from collections.abc import Mapping, Sequence
from typing import Final

_Panels = Mapping[str, Sequence[str]]

_SESSION: Final[_Panels] = {
    "Model": ("model", "subject", "root", "engine", "precision"),
    "Feedback": ("target", "feedback", "approval"),
    "EEG": (
        "stream", "host", "type_", "wait", "unit", "reference", "interpolate",
        "upstream_delay_ms", "cleaning", "scanner",
    ),
    "Triggers and TR": (
        "trigger_stream", "trigger_host", "trigger", "trigger_channel",
        "trigger_every", "dummy_volumes", "tr",
    ),
    "What goes out": ("bind", "port", "control_port", "curve_keys", "encoding"),
    "Recording": (
        "record", "record_copy", "record_as", "session", "task", "run", "kind", "blind",
    ),
    "Protocol": ("protocol", "attempt", "condition", "confirmed_by"),
    "Length": ("duration",),
    "Measured BOLD": ("truth", "truth_roi", "truth_first", "truth_by_onset"),
    "Against a refusal": (
        "allow_unvalidated", "allow_simulated_model", "allow_domain_shift",
    ),
}  # fmt: skip

_CALIBRATE: Final[_Panels] = {
    "Scan": (
        "subject", "eeg", "bold", "roi", "atlas", "confounds", "confound",
        "physio_start", "events", "root",
    ),
    "EEG": (
        "stream", "channels", "unit", "reference", "interpolate", "upstream_delay_ms",
        "cleaning", "scanner", "slices_per_tr",
    ),
    "Triggers and volumes": (
        "marker", "trigger_stream", "trigger_channel", "trigger_every", "run", "tr",
        "dummy_volumes", "spare_triggers", "drop_volumes", "drop_last_volumes",
    ),
    "Model": (
        "base", "continue_", "target", "contrast", "strategy", "size", "horizon",
        "folds", "other_eeg", "seed",
    ),
    "During the scan": (
        "live", "bold_source", "bold_roi", "bold_first", "phases", "record", "wait",
    ),
}  # fmt: skip

_PREPARE: Final[_Panels] = {
    "Cache": ("out", "scan", "listed", "skip_bad", "jobs"),
    "Windows": (
        "conditioning", "channels", "interpolate", "model_reference", "cleaning",
    ),
    "Targets": ("atlas", "roi", "confounds", "scale", "detrend", "lowpass"),
}  # fmt: skip

_TRAIN: Final[_Panels] = {
    "Training": ("recipe", "out", "base", "split", "fold", "seed"),
    "Machine": ("device", "threads"),
    "On a cluster": ("submit", "nodes", "gpus", "cpus"),
}

# By the function of the command
OPTION_PANELS: Final[Mapping[str, _Panels]] = {
    "run": _SESSION,
    "preflight": _SESSION,
    "rehearse": _SESSION,
    "calibrate": _CALIBRATE,
    "prepare": _PREPARE,
    "train": _TRAIN,
}
