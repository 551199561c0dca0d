"""EDF and BDF: MNE reads them, after the header was checked against the file."""

from dataclasses import dataclass
from pathlib import Path

from rtbold.errors import DataFileError
from rtbold.files.mne_formats import open_raw, to_recording
from rtbold.files.recording import ReadOptions, Recording

_ANNOTATIONS = ("EDF Annotations", "BDF Annotations")
_VOLT_UNITS = ("nV", "uV", "\u00b5V", "\u03bcV", "mV", "V")


@dataclass(frozen=True, slots=True)
class EdfHeader:
    """What the fixed part of the header says."""

    n_records: int  # -1: not known (a recording that was not closed)
    record_s: float
    labels: tuple[str, ...]
    units: tuple[str, ...]
    n_per_record: tuple[int, ...]
    n_header_bytes: int
    reserved: str

    def rate_hz(self, index: int) -> float:
        """Return the sampling rate of one signal."""
        return self.n_per_record[index] / self.record_s


def read_edf(path: Path, options: ReadOptions) -> Recording:
    """Read an EDF or EDF+C file."""
    return _read(path, options, format_name="EDF")


def read_bdf(path: Path, options: ReadOptions) -> Recording:
    """Read a BDF or BDF+C file."""
    return _read(path, options, format_name="BDF")


def _read(path: Path, options: ReadOptions, *, format_name: str) -> Recording:
    header = parse_header(path, format_name)
    _check_length(path, header, n_bytes=3 if format_name == "BDF" else 2)
    left_out, notes = _other_rates(path, header)
    reader = "read_raw_bdf" if format_name == "BDF" else "read_raw_edf"
    units = _missing_units(path, header, options, left_out)
    raw, warned = open_raw(
        path,
        format_name,
        lambda mne: getattr(mne.io, reader)(
            path, exclude=left_out, units=units, verbose="ERROR"
        ),
    )
    # EDF declares no channel types: MNE calls every signal EEG, we go by the label.
    return to_recording(path, raw, declared=lambda _: "", notes=(*notes, *warned))


def parse_header(path: Path, format_name: str) -> EdfHeader:
    """Read the header; the layout is that of Kemp et al. 1992, and of BioSemi's BDF."""
    magic = b"\xffBIOSEMI" if format_name == "BDF" else b"0       "
    with path.open("rb") as file:
        fixed = file.read(256)
        if not fixed.startswith(magic) or len(fixed) < 256:
            raise DataFileError(
                f"{path.name} is no {format_name} file: it starts with {fixed[:8]!r}, "
                f"expected {magic!r}. Rename it to what it is, or export it again."
            )
        try:
            n_signals = int(fixed[252:256])
            per_signal = file.read(256 * n_signals)
            return _parse(fixed, per_signal, n_signals)
        except ValueError as error:
            raise DataFileError(
                f"the header of {path.name} is damaged ({error}), expected that of "
                f"{format_name}. Copy it again, or export it once more."
            ) from error


def _parse(fixed: bytes, per_signal: bytes, n_signals: int) -> EdfHeader:
    if n_signals < 1 or len(per_signal) < 256 * n_signals:
        raise ValueError(f"{n_signals} signals in {len(per_signal)} bytes")

    def field(first: int, width: int) -> tuple[str, ...]:
        start = first * n_signals
        cells = [per_signal[start + i * width :][:width] for i in range(n_signals)]
        return tuple(cell.decode("latin-1").strip() for cell in cells)

    record_s = float(fixed[244:252])
    n_per_record = tuple(int(n) for n in field(216, 8))
    if record_s <= 0 or min(n_per_record) < 1:
        raise ValueError(f"records of {record_s} s with {n_per_record} samples")
    return EdfHeader(
        n_records=int(fixed[236:244]),
        record_s=record_s,
        labels=field(0, 16),
        units=field(96, 8),
        n_per_record=n_per_record,
        n_header_bytes=int(fixed[184:192]),
        reserved=fixed[192:236].decode("latin-1").strip(),
    )


def _check_length(path: Path, header: EdfHeader, *, n_bytes: int) -> None:
    if header.reserved[:5] in ("EDF+D", "BDF+D"):
        raise DataFileError(
            f"{path.name} is {header.reserved[:5]}, a recording with interruptions; "
            "expected a continuous one, because samples are counted. "
            "Export each uninterrupted part to a file of its own."
        )
    n_record_bytes = n_bytes * sum(header.n_per_record)
    n_whole, rest = divmod(path.stat().st_size - header.n_header_bytes, n_record_bytes)
    if header.n_records >= 0 and n_whole < header.n_records:
        raise DataFileError(
            f"{path.name} is truncated: it holds {n_whole * header.record_s:g} s of "
            f"the {header.n_records * header.record_s:g} s that its header announces. "
            "Copy it again from where it was recorded."
        )
    if n_whole < 1 or (header.n_records < 0 and rest):
        raise DataFileError(
            f"{path.name} ends inside a data record ({rest} bytes over), expected "
            f"whole records of {n_record_bytes} bytes. Copy it again."
        )


def _other_rates(path: Path, header: EdfHeader) -> tuple[list[str], list[str]]:
    """Return signals that are left out, because they would be resampled, and why."""
    from rtbold.electrodes import channel_kind

    signals = [i for i, label in enumerate(header.labels) if label not in _ANNOTATIONS]
    eeg = [i for i in signals if channel_kind(header.labels[i]) == "eeg"]
    rates = sorted({header.rate_hz(i) for i in eeg})
    if len(rates) > 1:
        raise DataFileError(
            f"the EEG channels of {path.name} have rates of {rates} Hz, expected one. "
            "Export them at one rate."
        )
    if not rates:
        return [], []  # no EEG at all: read_recording says so
    others = [header.labels[i] for i in signals if header.rate_hz(i) != rates[0]]
    if not others:
        return [], []
    return others, [f"left out, because not sampled at {rates[0]:g} Hz: {others}"]


def _missing_units(
    path: Path, header: EdfHeader, options: ReadOptions, left_out: list[str]
) -> dict[str, str] | None:
    """Return units for the EEG channels that have none; MNE would take volts."""
    from rtbold.electrodes import channel_kind

    unknown = {
        label: unit
        for label, unit in zip(header.labels, header.units, strict=True)
        if unit not in _VOLT_UNITS
        and label not in left_out
        and channel_kind(label) == "eeg"
    }
    if not unknown:
        return None
    if options.unit is None:
        raise DataFileError(
            f"{path.name} gives the units {unknown}, expected a voltage. "
            "Say which it is: --unit uV (or mV, V)"
        )
    return dict.fromkeys(unknown, options.unit)
