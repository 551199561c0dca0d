"""From scans as they were measured to a cache that models are trained on.

One scan at a time is in memory. Several processes may prepare one cache at once, each
scan or all of them: what is there and made from the same files is left as it is.
"""

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

import msgspec
import numpy as np

from rtbold.bundle import Cleaning, Conditioning
from rtbold.calibration.datasets.cache import (
    CacheSettings,
    PreparedReport,
    PreparedScan,
    claim_cache,
    data_folder,
    draft_card,
    entry_of,
    other_settings,
    read_settings,
    write_left_out,
    write_scan,
)
from rtbold.calibration.datasets.chains import Chain, Windows, windows_of
from rtbold.calibration.datasets.content import content_sha256, key_of
from rtbold.calibration.datasets.scan import Scan
from rtbold.calibration.datasets.sources import LoadedScan, ScanSource, load_scan
from rtbold.calibration.datasets.targets import (
    MeasuredBold,
    ScanTargets,
    scan_targets,
)
from rtbold.calibration.fit.target import TargetSettings
from rtbold.calibration.inputs.lag import SPAN_S, LagScan, lag_between, log_power
from rtbold.condition import model_channels
from rtbold.distribution import need
from rtbold.electrodes import canonical, has_position
from rtbold.errors import ConfigError, DataFileError, RtboldError
from rtbold.messages import (
    MODEL_RATE_HZ,
    TR_TOLERANCE,
    WINDOW_SAMPLES,
    Float32Array,
)
from rtbold.text import did_you_mean, first_few
from rtbold.truth import TARGET_CUTOFF_HZ

PUBLISHED_REFERENCE: Final = "FCZ"  # of the recordings that were published
SCALES: Final = ("zscore", "p95")
State = Literal["prepared", "unchanged", "left out"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareSettings:
    """What `rtbold prepare` can be told of how scans are prepared."""

    out: Path
    chain: Chain = "live"
    conditioning: Conditioning | None = None  # of the live loop; None: the usual one
    channels: tuple[str, ...] = ()  # empty: every electrode of the first scan
    reference: str | None = None  # of the windows; None: by the chain
    interpolate: bool = False
    targets: TargetSettings = field(
        default_factory=lambda: TargetSettings(drift_degree=0)
    )
    confounds: tuple[str, ...] | None = None  # None: all that are given
    cleaning: Cleaning = field(default_factory=Cleaning)
    atlas: str = ""  # its name, for the card
    skip_bad: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one scan."""

    name: str
    state: State
    report: PreparedReport | None = None
    reason: str = ""  # why it is left out


def prepare(
    data_set: str,
    sources: Sequence[ScanSource],
    settings: PrepareSettings,
    *,
    chosen: Sequence[str] = (),
    n_processes: int = 1,
) -> Iterator[Outcome]:
    """Prepare scans one after the other, and yield what became of each.

    Parameters
    ----------
    data_set : its name.
    sources : all scans of the data set, whichever are prepared now: the first that
        can be read says which channels, ROIs and TR the cache has.
    chosen : names of those that are prepared now; empty: all.
    n_processes : each has one scan in memory.

    Raises
    ------
    ConfigError : there is no such scan, or the cache has other settings.
    RtboldError : a scan is bad, and `skip_bad` does not say to leave it out; or the
        cache cannot be written.
    """
    wanted = select(sources, chosen)
    if settings.chain != "live":
        need("mne", extra="files", purpose=f"--conditioning {settings.chain}")
    cache, ready = settle(data_set, sources, settings)
    if n_processes > 1:
        yield from _side_by_side(wanted, settings, cache, n_processes=n_processes)
        return
    for source in wanted:
        own = ready if ready is not None and ready.source == source else None
        ready = None if own is not None else ready
        yield _prepare_one(source, settings, cache, ready=own)
        del own  # or it would stay beside the next


def _side_by_side(
    wanted: Sequence[ScanSource],
    settings: PrepareSettings,
    cache: CacheSettings,
    *,
    n_processes: int,
) -> Iterator[Outcome]:
    # Spawned, not forked: this process may have run threads by now
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(n_processes, mp_context=context) as pool:
        work = [pool.submit(_prepare_one, s, settings, cache) for s in wanted]
        try:
            yield from (each.result() for each in work)
        finally:
            pool.shutdown(cancel_futures=True)


def select(
    sources: Sequence[ScanSource], chosen: Sequence[str]
) -> tuple[ScanSource, ...]:
    """Return the scans that are named, in the order of the data set.

    Raises
    ------
    ConfigError : there is none of that name.
    """
    names = [source.name for source in sources]
    if missing := [name for name in chosen if name not in names]:
        raise ConfigError(
            f"there is no scan {first_few(missing)}, expected one of "
            f"{first_few(names)}.{did_you_mean(missing, names)} See all: "
            "rtbold prepare DATASET --list"
        )
    return tuple(s for s in sources if not chosen or s.name in chosen)


def scan_states(
    sources: Sequence[ScanSource], out: Path | None
) -> Iterator[tuple[ScanSource, Outcome | None]]:
    """Yield each scan and what the cache knows of it; None: nothing, or no cache.

    Whether its files have changed since is not looked at.
    """
    for source in sources:
        entry = entry_of(out, source.name) if out is not None else None
        if entry is None:
            yield source, None
        elif entry.left_out:
            yield source, Outcome(source.name, "left out", reason=entry.left_out)
        else:
            yield source, Outcome(source.name, "prepared", entry.report)


# What the command line says, as settings.


def target_settings(
    chain: Chain,
    *,
    scale: str | None = None,
    detrend: int = 0,
    lowpass_hz: float | None = TARGET_CUTOFF_HZ,
) -> TargetSettings:
    """Return how targets are made.

    Parameters
    ----------
    scale : zscore or p95; None: as published with the published chains, else zscore.
    detrend : degree of the drift that is taken off.
    lowpass_hz : None or 0: none.

    Raises
    ------
    ConfigError : one of these is not possible.
    """
    method = scale or ("zscore" if chain == "live" else "p95")
    if method not in SCALES:
        raise ConfigError(
            f"--scale is {method!r}, expected one of {', '.join(SCALES)}."
            f"{did_you_mean([method], SCALES)}"
        )
    return TargetSettings(
        lowpass_hz=lowpass_hz or None,
        drift_degree=detrend,
        method="p95" if method == "p95" else "zscore",
    )


def named_columns(text: str | None) -> tuple[str, ...] | None:
    """Return names that stand in one option; None: not given, empty: ``none``."""
    if text is None:
        return None
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    return () if names in ((), ("none",)) else names


# The settings of the cache.


def settle(
    data_set: str, sources: Sequence[ScanSource], settings: PrepareSettings
) -> tuple[CacheSettings, LoadedScan | None]:
    """Lay down the settings of a new cache, or check those of one that is there.

    Returns
    -------
    The settings, and the scan that was read for them, if one was.
    """
    found = read_settings(settings.out)
    if found is not None:
        wanted = _asked(found, data_set, settings)
        if wanted != found:
            raise ConfigError(other_settings(settings.out, found, wanted))
        return found, None
    loaded = _first_whole(data_set, sources)
    made = _settings_of(data_set, loaded, settings)
    claim_cache(settings.out, made)
    return made, loaded


def _asked(
    found: CacheSettings, data_set: str, settings: PrepareSettings
) -> CacheSettings:
    """Return the settings of a cache with what was asked for in their place."""
    channels = tuple(map(canonical, settings.channels))
    return msgspec.structs.replace(
        found,
        data_set=data_set,
        channels=channels or found.channels,
        reference=_reference(settings),
        atlas=settings.atlas or found.atlas,
        chain=settings.chain,
        conditioning=_conditioning(settings),
        interpolate_missing=settings.interpolate,
        targets=settings.targets,
        confounds=settings.confounds,
        cleaning=settings.cleaning,
    )


def _settings_of(
    data_set: str, loaded: LoadedScan, settings: PrepareSettings
) -> CacheSettings:
    channels = tuple(map(canonical, settings.channels)) or _electrodes(loaded)
    lost = [r for r in loaded.report.left_out_rois if r not in loaded.rois]
    draft = CacheSettings(
        data_set=data_set,
        channels=channels,
        rois=(*loaded.rois, *lost),
        tr_s=loaded.tr_s,
        atlas=loaded.source.atlas.name if loaded.source.atlas else "",
    )
    return _asked(draft, data_set, settings)


def _first_whole(data_set: str, sources: Sequence[ScanSource]) -> LoadedScan:
    """Return the first scan that can be read."""
    reasons = []
    for source in sources:
        try:
            return load_scan(source)
        except RtboldError as error:
            reasons.append(str(error))
    told = f" The first: {reasons[0]}" if reasons else ""
    raise DataFileError(
        f"not one of the {len(sources)} scans of {data_set} can be read, expected at "
        f"least one.{told}"
    )


def _electrodes(loaded: LoadedScan) -> tuple[str, ...]:
    """Return the electrodes whose place on the head is known."""
    from rtbold.models import electrode_table

    table = set(electrode_table())
    named = [canonical(n) for n in loaded.report.channels if has_position(n)]
    found = tuple(name for name in named if name in table)
    if not found:
        raise DataFileError(
            f"{loaded.source.what}: no channel is an electrode of the 10-10 system "
            f"({first_few(loaded.report.channels)}), expected names such as Cz. Name "
            "the ones to use with --channels."
        )
    return found


def _reference(settings: PrepareSettings) -> str:
    if settings.reference is not None:
        name = canonical(settings.reference)
        return "average" if name == "AVERAGE" else name
    return "average" if settings.chain == "live" else PUBLISHED_REFERENCE


def _conditioning(settings: PrepareSettings) -> Conditioning:
    source: Literal["live", "published"] = (
        "live" if settings.chain == "live" else "published"
    )
    return msgspec.structs.replace(
        settings.conditioning or Conditioning(), source=source
    )


# One scan.


def _prepare_one(
    source: ScanSource,
    settings: PrepareSettings,
    cache: CacheSettings,
    *,
    ready: LoadedScan | None = None,
) -> Outcome:
    key = ""
    try:
        key = key_of(source, cache)
        if _is_there(settings.out, source.name, key):
            entry = entry_of(settings.out, source.name)
            return Outcome(source.name, "unchanged", entry.report if entry else None)
        scan = prepared(ready or load_scan(source), cache)
    except RtboldError as error:
        if type(error) is RtboldError:  # of this machine, such as a missing package
            raise
        if not settings.skip_bad:
            raise type(error)(
                f"{error} To leave bad scans out and go on: --skip-bad"
            ) from error
        reason = str(error)
    else:
        # Not inside: what the disk refuses is no fault of the scan
        write_scan(settings.out, scan, key)
        return Outcome(source.name, "prepared", scan.report)
    write_left_out(settings.out, source.name, key=key, reason=reason)
    return Outcome(source.name, "left out", reason=reason)


def _is_there(folder: Path, name: str, key: str) -> bool:
    entry = entry_of(folder, name)
    made = entry is not None and entry.key == key and not entry.left_out
    return made and entry is not None and data_folder(folder, entry).is_dir()


def prepared(loaded: LoadedScan, cache: CacheSettings) -> PreparedScan:
    """Return a scan, conditioned and with its targets.

    Raises
    ------
    StreamMismatch : channels, reference or rate do not fit the cache.
    DataFileError : its TR or its ROIs are not the cache's, or nothing of it is usable.
    """
    with _told_of(loaded.source):
        _check_tr(loaded, cache)
        measured = _measured(loaded, cache)
        targets = scan_targets(measured, cache.targets, cache.confounds)
        windows = windows_of(
            loaded,
            draft_card(cache, cache.rois, simulated=[loaded.simulated]),
            chain=cache.chain,
            interpolate=cache.interpolate_missing,
        )
    rows = windows.volume
    scan = _with_targets(windows, targets)
    lag = lag_between(
        log_power(_tails(scan)),
        targets.bold[rows],
        scan.onsets_s,
        tr_s=loaded.tr_s,
    )
    return PreparedScan(
        name=loaded.source.name,
        subject=loaded.source.subject,
        session=loaded.source.session,
        scan=scan,
        bold_gsr=targets.bold_gsr[rows],
        volume=rows,
        rois=targets.rois,
        channels=cache.channels,
        tr_s=cache.tr_s,
        confounds={name: c[rows] for name, c in loaded.confounds.items()},
        simulated=loaded.simulated,
        twin=loaded.source.twin,
        content_sha256=content_sha256(loaded),
        scaling=targets.scaling,
        scaling_gsr=targets.scaling_gsr,
        report=_report(loaded, windows, targets, lag=lag),
    )


@contextmanager
def _told_of(source: ScanSource) -> Iterator[None]:
    """Let every error name the scan, and the description where it is the place."""
    try:
        yield
    except RtboldError as error:
        told = str(error).replace("--reference", "reference in the description")
        raise type(error)(f"{source.what}: {told}") from error


def _check_tr(loaded: LoadedScan, cache: CacheSettings) -> None:
    if abs(loaded.tr_s / cache.tr_s - 1) > TR_TOLERANCE:
        raise DataFileError(
            f"it has a TR of {loaded.tr_s:.4g} s, expected that of "
            f"the cache, {cache.tr_s:.4g} s: a model has one TR. Prepare scans of "
            "another TR into a cache of their own."
        )


def _measured(loaded: LoadedScan, cache: CacheSettings) -> MeasuredBold:
    """Return the ROIs that the cache knows, in its order."""
    kept = [roi for roi in cache.rois if roi in loaded.rois]
    if not kept:
        raise DataFileError(
            f"it has none of the cache's {len(cache.rois)} ROIs "
            f"({first_few(cache.rois)}) but {first_few(loaded.rois)}, expected the "
            "same atlas. Give it with --atlas, or prepare into another folder."
        )
    columns = [loaded.rois.index(roi) for roi in kept]
    return MeasuredBold(
        bold=loaded.alignment.bold[:, columns],
        rois=tuple(kept),
        tr_s=loaded.tr_s,
        confounds=loaded.confounds,
        global_signal=loaded.global_signal,
    )


def _with_targets(windows: Windows, targets: ScanTargets) -> Scan:
    return replace(windows.scan, bold=targets.bold[windows.volume])


def _tails(scan: Scan) -> Iterator[Float32Array]:
    """Yield the last seconds of each window, as the lag scan reads them."""
    n = round(SPAN_S * MODEL_RATE_HZ)
    for number, first in enumerate(scan.first):
        end = first + WINDOW_SAMPLES
        samples_uv = scan.eeg_uv[:, end - n : end]
        if scan.matrices is not None and scan.matrix_of is not None:
            matrix = scan.matrices[scan.matrix_of[number]]
            samples_uv = model_channels(matrix, samples_uv).astype(np.float32)
        yield samples_uv


def _report(
    loaded: LoadedScan, windows: Windows, targets: ScanTargets, *, lag: LagScan
) -> PreparedReport:
    read = loaded.report
    clear = bool(np.isfinite(lag.peak_s))
    warnings = (*read.warnings, *([lag.warning] if lag.warning else []))
    return PreparedReport(
        n_volumes=read.n_volumes,
        n_markers=loaded.alignment.n_found,
        n_missed=read.n_missed,
        n_windows=len(windows.volume),
        lag_peak_s=lag.peak_s if clear else None,
        lag_p=lag.p if clear else None,
        bad_channels=dict(windows.bad_channels),
        without_window=dict(windows.without_window),
        dropped_rois={**read.left_out_rois, **targets.dropped},
        regressed=targets.regressed,
        global_signal=targets.global_signal,
        warnings=warnings,
        notes=(*read.notes, *targets.notes),
    )
