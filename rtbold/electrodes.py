"""Electrode names and positions: what a label of a stream means.

A name is the same electrode whatever the amplifier calls it ("EEG Fp1-Ref", "FP1",
"fp1"). Only markers of a recording reference that name no electrode (Ref, LE, AVG) are
taken off; "C3-M2" stays what it is, a derivation, and is no electrode.
"""

import csv
import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files

import numpy as np

from rtbold.errors import ConfigError, StreamMismatch
from rtbold.messages import ChannelKind, FloatArray

# Names that LaBraM's electrode table writes in mixed case, by their upper-case form.
_MIXED_CASE = {
    name.upper(): name
    for name in ("FTT9h", "TTP7h", "TPP9h", "FTT10h", "TPP8h", "TPP10h")
}
# The 10-20 names that the 10-10 system replaced. A1 A2 M1 M2 are not TP9 TP10.
_ALIASES = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}

_PREFIX = re.compile(r"^(EEG|POL)[\s_:\-]+", re.IGNORECASE)
_SUFFIX = re.compile(r"[\s_:\-]+(REF|LE|LER|AVG|AVE|AR|AV)$", re.IGNORECASE)

# The first pattern that is found in the upper-case label decides.
_KINDS: tuple[tuple[ChannelKind, re.Pattern[str]], ...] = (
    ("ecg", re.compile(r"ECG|EKG")),
    ("eog", re.compile(r"EOG|^(LOC|ROC)\b")),
    ("emg", re.compile(r"EMG|^(CHIN|MENTALIS)\b")),
    ("cwl", re.compile(r"^CWL?[\s_]?\d*$")),
    ("motion", re.compile(r"^(ACC|GYR|MOTION|MAGN?[XYZ])|^(MAG)\b")),
    ("trigger", re.compile(r"^(STI|TRIG|TRIGGERS?|STATUS|MARKERS?|EVENTS?)(\b|\d|_)")),
)
_DECLARED: dict[str, ChannelKind] = {
    "EEG": "eeg", "ECG": "ecg", "EKG": "ecg", "EOG": "eog", "EMG": "emg",
    "CWL": "cwl", "CW": "cwl", "ACC": "motion", "ACCELEROMETER": "motion",
    "GYRO": "motion", "GYROSCOPE": "motion", "MOTION": "motion",
    "STIM": "trigger", "STI": "trigger", "TRIGGER": "trigger", "TRIG": "trigger",
    "MARKERS": "trigger", "STATUS": "trigger",
}  # fmt: skip


def canonical(label: str) -> str:
    """Return the electrode that `label` names, in one spelling.

    Upper case (except the six names that LaBraM's table writes as ``FTT9h``), without
    "EEG " before and "-Ref", "-LE", "-AVG" behind, T3 T4 T5 T6 as T7 T8 P7 P8.
    A label that names no electrode comes back upper-cased.
    """
    name = _SUFFIX.sub("", _PREFIX.sub("", label.strip()))
    name = name.strip().rstrip(".").upper()
    name = _ALIASES.get(name, name)
    return _MIXED_CASE.get(name, name)


def channel_kind(label: str, declared_type: str = "") -> ChannelKind:
    """Return what a channel measures, by its label and what the stream declares.

    A label that says ECG, EOG, EMG, ... wins over a declared type, because many
    streams declare every channel as EEG. Then a declared type that is not EEG; then
    a known electrode is EEG; then the declared type; then ``misc``.
    """
    bare = _PREFIX.sub("", label.strip()).upper()
    for kind, pattern in _KINDS:
        if pattern.search(bare):
            return kind
    declared = _DECLARED.get(declared_type.strip().upper())
    if declared not in (None, "eeg"):
        return declared
    if has_position(label):
        return "eeg"
    return declared or "misc"


def has_position(name: str) -> bool:
    """Whether `name` is an electrode of the 10-05 system."""
    return canonical(name) in _table()


def positions(names: Iterable[str]) -> FloatArray:
    """Return (n, 3) unit vectors: x right, y nose, z up.

    They are MNE's ``colin27_1005``, projected on the sphere that fits all electrodes
    best (``scripts/make_electrodes.py`` of commit a267d53).

    Raises
    ------
    ConfigError
        For names that are not of the 10-05 system.
    """
    wanted = [canonical(name) for name in names]
    table = _table()
    if unknown := [name for name in wanted if name not in table]:
        raise ConfigError(
            f"no position is known for {unknown}: expected electrodes of the 10-05 "
            "system. Rename the channels, or leave them out of the bundle."
        )
    xyz = np.array([table[name] for name in wanted]).reshape(-1, 3)
    # The table has six digits, splines at close electrodes feel the seventh.
    return np.asarray(xyz / np.linalg.norm(xyz, axis=1, keepdims=True))


def match(labels: Sequence[str], wanted: Sequence[str]) -> tuple[int | None, ...]:
    """Return, for each wanted electrode, its index in `labels`, or None.

    Raises
    ------
    StreamMismatch
        Two labels name the same wanted electrode (``T3`` and ``T7``): which of them
        is meant is not for a program to choose.
    """
    found: dict[str, list[int]] = {}
    for index, label in enumerate(labels):
        found.setdefault(canonical(label), []).append(index)
    return tuple(_only(found.get(canonical(name), []), labels) for name in wanted)


def _only(indices: list[int], labels: Sequence[str]) -> int | None:
    if len(indices) > 1:
        twins = [labels[index] for index in indices]
        raise StreamMismatch(
            f"the stream's channels {twins} all name electrode "
            f"{canonical(twins[0])!r}, expected it once. "
            "Rename or remove one of them in the stream."
        )
    return indices[0] if indices else None


@cache
def _table() -> dict[str, tuple[float, float, float]]:
    text = files("rtbold").joinpath("electrodes.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return {r["name"]: (float(r["x"]), float(r["y"]), float(r["z"])) for r in rows}
