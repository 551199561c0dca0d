"""Files of pulse, ECG and breath: BIDS, Siemens' own logs, and those of CMRR.

BIDS says when a recording began against the first volume, CMRR's ``*_Info.log`` says
when each volume was taken. Siemens' own logs (``.puls``, ``.resp``, ``.ecg``) say
neither, so there the start must be told.
"""

import gzip
import json
import math
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from rtbold.calibration.inputs.physio import BodySignal, of_volumes
from rtbold.errors import ConfigError, DataFileError
from rtbold.messages import FloatArray
from rtbold.text import first_few

BIDS: Final = ("_physio.tsv.gz", "_physio.tsv")
SIEMENS: Final = {".puls": "pulse", ".ecg": "ecg", ".resp": "breath"}
CMRR: Final = {"_puls.log": "pulse", "_ecg.log": "ecg", "_resp.log": "breath"}
_BIDS_COLUMNS: Final = {"cardiac": "pulse", "respiratory": "breath", "ecg": "ecg",
                        "pulse": "pulse", "ppg": "pulse"}  # fmt: skip
_TIC_S: Final = 0.0025  # of CMRR's and Siemens' clock
_OTHER_RATE: Final = 0.02
_MOST_LOST: Final = 2  # times as many samples should have been there
_HEADER_N: Final = 4  # numbers before the samples of a Siemens log
_CODES: Final = 5000  # and above: marks of triggers and of the end
_RATE = re.compile(r"SAMPLES_PER_SECOND\s*=\s*(\d+(?:\.\d+)?)")
_INFO = re.compile(r"\b5002\b.*?\b6002\b", re.DOTALL)
_LOGGED = re.compile(r"Log(Start|Stop)M(?:DH|PCU)Time:\s*(\d+)")


@dataclass(frozen=True, slots=True, eq=False)
class Volumes:
    """The rows of the BOLD that a recording goes with."""

    n: int
    tr_s: float | None  # None: nobody said
    start_s: float | None = None  # of the first row, from the recording's first sample

    def onsets_s(self, name: str) -> FloatArray:
        """Return (rows,), from the first row.

        Raises
        ------
        ConfigError : the TR is not known.
        """
        if self.tr_s is None:
            raise ConfigError(
                f"{name} is a recording in time, and the BOLD does not say its TR. "
                "Give it: --tr 2.1"
            )
        return np.arange(self.n) * np.float64(self.tr_s)


def is_physio(path: Path) -> bool:
    """Return whether a file is a recording of the body, by its name."""
    return path.name.lower().endswith((*BIDS, *SIEMENS, *CMRR))


def read_physio(path: Path, volumes: Volumes) -> dict[str, FloatArray]:
    """Return confounds by name, each (rows,).

    Raises
    ------
    DataFileError : the file is not what its name says, is of another run or rate, or
        shows no pulse or breath.
    ConfigError : TR or start are not known.
    """
    onsets_s = volumes.onsets_s(path.name)
    if volumes.start_s is not None and not math.isfinite(volumes.start_s):
        raise ConfigError(f"--physio-start is {volumes.start_s}, expected seconds.")
    name = path.name.lower()
    try:
        if name.endswith(BIDS):
            signals = _bids(path)
        elif name.endswith(tuple(SIEMENS)):
            signals = [_siemens(path, volumes.start_s)]
        else:
            signal, found_s = _cmrr(path, volumes)
            signals, onsets_s = [signal], onsets_s if found_s is None else found_s
    except (OSError, UnicodeDecodeError, EOFError, zlib.error) as error:
        raise DataFileError(
            f"{path.name} cannot be read: {error}. Copy it again."
        ) from error
    if volumes.start_s is not None:
        signals = [replace(s, first_s=-volumes.start_s) for s in signals]
    confounds: dict[str, FloatArray] = {}
    for signal in signals:
        confounds |= of_volumes(signal, onsets_s)
    return confounds


# BIDS: a table without a header, and a sidecar that says all about it.


def _bids(path: Path) -> list[BodySignal]:
    sidecar = path.with_name(re.sub(r"\.tsv(\.gz)?$", ".json", path.name, flags=re.I))
    facts = _sidecar(path, sidecar)
    columns = facts.columns
    opened = gzip.open if path.name.lower().endswith(".gz") else open
    with opened(path, "rt", encoding="utf-8") as file:
        rows = [line.rstrip("\r\n").split("\t") for line in file if line.strip()]
    table = _numbers(path, rows, len(columns))
    signals = [
        BodySignal(
            f"{path.name} ({column})", sensor, table[:, k], facts.rate_hz, facts.start_s
        )
        for k, column in enumerate(columns)
        if (sensor := _BIDS_COLUMNS.get(column.casefold()))
    ]
    if not signals:
        raise DataFileError(
            f"{path.name} has the columns {first_few(columns)}, "
            "expected cardiac or respiratory among them. Correct Columns in "
            f"{sidecar.name}."
        )
    return signals


@dataclass(frozen=True, slots=True)
class _Sidecar:
    """What BIDS says of a recording."""

    rate_hz: float
    start_s: float  # of its first sample, from the first volume
    columns: tuple[str, ...]


def _sidecar(path: Path, sidecar: Path) -> _Sidecar:
    if not sidecar.is_file():
        raise DataFileError(
            f"there is no {sidecar.name} beside {path.name}, expected one with "
            "SamplingFrequency, StartTime and Columns (BIDS). Copy it too."
        )
    try:
        held = json.loads(sidecar.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise DataFileError(f"{sidecar.name} is no JSON: {error}.") from error
    facts: Mapping[str, object] = held if isinstance(held, dict) else {}
    columns = facts.get("Columns")
    if not isinstance(columns, list):
        raise _not_said(sidecar, "Columns", columns, "a list of names")
    return _Sidecar(
        rate_hz=_number(sidecar, facts, "SamplingFrequency"),
        start_s=_number(sidecar, facts, "StartTime"),
        columns=tuple(map(str, columns)),
    )


def _number(sidecar: Path, facts: Mapping[str, object], key: str) -> float:
    value = facts.get(key)
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not math.isfinite(value)
    ):
        raise _not_said(sidecar, key, value, "a number")
    return float(value)


def _not_said(sidecar: Path, key: str, value: object, what: str) -> DataFileError:
    return DataFileError(
        f"{sidecar.name} gives {key} as {value!r}, expected {what} (BIDS). Correct it."
    )


def _numbers(path: Path, rows: list[list[str]], n_columns: int) -> FloatArray:
    if not rows:
        raise DataFileError(f"{path.name} holds no samples. Export it again.")
    table = np.empty((len(rows), n_columns))
    for k, row in enumerate(rows):
        if len(row) != n_columns:
            raise DataFileError(
                f"line {k + 1} of {path.name} has {len(row)} cells, expected "
                f"{n_columns} as Columns of its sidecar says. It has no header (BIDS)."
            )
        for j, cell in enumerate(row):
            try:
                table[k, j] = np.nan if cell.strip() in ("n/a", "") else float(cell)
            except ValueError:
                raise DataFileError(
                    f"line {k + 1} of {path.name} has {cell!r}, expected a number. It "
                    "has no header (BIDS)."
                ) from None
    return table


# Siemens' own logs: samples with marks between them, then what was logged when.


def _siemens(path: Path, start_s: float | None) -> BodySignal:
    text = path.read_bytes().decode("latin-1")
    data, _, footer = text.partition(" 5003")
    if not footer:
        raise DataFileError(
            f"{path.name} has no 5003, which ends the samples of a Siemens log. It is "
            "none, or it is truncated. Copy it again."
        )
    logged = {which: int(ms) / 1e3 for which, ms in reversed(_LOGGED.findall(footer))}
    told = _RATE.search(data)
    words = _INFO.sub(" ", data).split()
    values = [int(w) for w in words[_HEADER_N:] if w.isdigit()]
    samples: FloatArray = np.array([v for v in values if v < _CODES], dtype=np.float64)
    if not len(samples):
        raise DataFileError(f"{path.name} holds no samples. Export it again.")
    if start_s is None:
        raise ConfigError(
            f"{path.name} does not say when the first volume was taken. Give the "
            "seconds from its first sample to the first volume of the BOLD: "
            f"--physio-start 12.5{_began(logged)}"
        )
    rate_hz = _siemens_rate(path, len(samples), logged, told)
    sensor = SIEMENS[path.suffix.lower()]
    return BodySignal(path.name, sensor, samples, rate_hz, -start_s)


def _siemens_rate(
    path: Path, n: int, logged: dict[str, float], told: re.Match[str] | None
) -> float:
    """Return the rate that is told, and that the times of the log agree with."""
    span_s = logged.get("Stop", 0.0) - logged.get("Start", 0.0)
    by_time = n / span_s if span_s > 0 else None
    if told is None:
        if by_time is None:
            raise DataFileError(
                f"{path.name} says neither its rate nor LogStartMDHTime and "
                "LogStopMDHTime, expected one of them. Copy the whole file."
            )
        return by_time
    rate_hz = float(told[1])
    if by_time is not None and abs(by_time / rate_hz - 1) > _OTHER_RATE:
        raise DataFileError(
            f"{path.name} says {rate_hz:g} samples a second and holds {n} in "
            f"{span_s:.1f} s ({by_time:.1f} a second), expected the same. Were samples "
            "lost, or was the file cut?"
        )
    return rate_hz


def _began(logged: dict[str, float]) -> str:
    if "Start" not in logged:
        return ""
    minutes, seconds = divmod(logged["Start"], 60)
    clock = f"{minutes // 60:02.0f}:{minutes % 60:02.0f}:{seconds:06.3f}"
    return f" (the log began at {clock} by the scanner; see AcquisitionTime in DICOM)"


# CMRR's logs: one line a sample, in tics; another file says when volumes were taken.


def _cmrr(path: Path, volumes: Volumes) -> tuple[BodySignal, FloatArray | None]:
    facts, rows = _log(path)
    tics = np.array([int(row[0]) for row in rows if row[0].isdigit()], dtype=np.float64)
    values = [row[2] for row in rows if row[0].isdigit() and len(row) > 2]
    if len(tics) < 2 or len(values) != len(tics):
        raise DataFileError(
            f"{path.name} holds {len(values)} samples, expected lines of ACQ_TIME_TICS "
            "CHANNEL VALUE. Export it again."
        )
    samples = np.array([float(v) for v in values])
    order = np.argsort(tics, kind="stable")
    step_s = float(facts.get("SampleTime", 0) or 0) * _TIC_S
    at_s = tics[order] * _TIC_S
    if step_s <= 0:
        step_s = float(np.median(np.diff(at_s)))
    n = round((at_s[-1] - at_s[0]) / step_s) + 1 if step_s > 0 else 0
    if not len(at_s) <= n <= _MOST_LOST * len(at_s):
        raise DataFileError(
            f"{path.name} holds {len(at_s)} samples in {at_s[-1] - at_s[0]:.1f} s, "
            f"expected one each {1000 * step_s:g} ms as it says. Is it damaged?"
        )
    grid_s = at_s[0] + np.arange(n) * step_s  # samples that were not sent are between
    even = np.interp(grid_s, at_s, samples[order])
    sensor = next(s for end, s in CMRR.items() if path.name.lower().endswith(end))
    if volumes.start_s is not None:
        return BodySignal(path.name, sensor, even, 1 / step_s, -volumes.start_s), None
    began_s = _volume_starts_s(path, volumes.n)
    signal = BodySignal(path.name, sensor, even, 1 / step_s, at_s[0] - began_s[0])
    return signal, began_s - began_s[0]


def _volume_starts_s(path: Path, n_rows: int) -> FloatArray:
    info = path.with_name(re.sub(r"_[A-Za-z]+\.log$", "_Info.log", path.name))
    if not info.is_file():
        raise DataFileError(
            f"there is no {info.name} beside {path.name}, which says when volumes were "
            "taken. Copy it too, or give the seconds from the first sample to the "
            "first volume of the BOLD: --physio-start 12.5"
        )
    _, rows = _log(info)
    starts: dict[int, float] = {}
    for row in rows:
        if len(row) > 2 and row[0].isdigit() and row[2].isdigit():
            volume, start_s = int(row[0]), int(row[2]) * _TIC_S
            starts[volume] = min(starts.get(volume, start_s), start_s)
    if len(starts) != n_rows:
        raise DataFileError(
            f"{info.name} tells of {len(starts)} volumes and the BOLD has {n_rows} "
            "rows, expected as many. If volumes were left out of the BOLD, give the "
            "seconds from the first sample to its first row: --physio-start 12.5"
        )
    return np.array([starts[volume] for volume in sorted(starts)])


def _log(path: Path) -> tuple[dict[str, str], list[list[str]]]:
    facts, rows = {}, []
    for line in path.read_bytes().decode("utf-8-sig", "replace").splitlines():
        key, found, value = line.partition("=")
        if found:
            facts[key.strip()] = value.strip()
        elif line.strip():
            rows.append(line.split())
    return facts, rows
