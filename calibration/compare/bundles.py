"""What a bundle predicts of prepared scans, by the engine that a session uses."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from rtbold.bundle import (
    N_QUANTILES,
    Bundle,
    Card,
    Conditioning,
    check_trained,
    default_root,
    load,
)
from rtbold.calibration.compare.result import Coverage
from rtbold.calibration.compare.scores import Rows
from rtbold.calibration.compare.training import Trained, read_trained
from rtbold.calibration.inputs.bold_series import plain_name
from rtbold.calibration.lineage import not_checked, same_scan
from rtbold.electrodes import match
from rtbold.engine import Engine, open_engine
from rtbold.errors import ConfigError
from rtbold.messages import TR_TOLERANCE, Float32Array, FloatArray
from rtbold.text import first_few

if TYPE_CHECKING:
    from rtbold.calibration.datasets.cache import PreparedScan

BATCH_N: Final = 32  # windows in one call of the engine
PLACES: Final = ("fold", "seed", "scan", "subject", "session")
P95: Final = 95.0  # percentile that the published scaling divides by


@dataclass(frozen=True, slots=True)
class BundleChoice:
    """One model of the comparison; its path may differ from fold to fold."""

    name: str  # empty: the name on the card
    path: str  # may hold {fold}, {seed}, {scan}, {subject} or {session}

    @property
    def varies(self) -> bool:
        """Whether it is another bundle from fold to fold, or from scan to scan."""
        return "{" in self.path

    def path_for(self, scan: "PreparedScan", fold: int, *, seed: int = 0) -> str:
        """Return the bundle that is asked about this scan in this fold.

        Raises
        ------
        ConfigError : the path has braces around another word.
        """
        known = {
            "fold": fold, "seed": seed, "scan": scan.name, "subject": scan.subject,
            "session": scan.session,
        }  # fmt: skip
        try:
            return self.path.format(**known)
        except (KeyError, IndexError, ValueError) as error:
            places = ", ".join(f"{{{place}}}" for place in PLACES)
            raise ConfigError(
                f"bundle path {self.path!r} cannot be filled in ({error}); expected "
                f"nothing in braces but {places}"
            ) from error


def parse_choice(text: str) -> BundleChoice:
    """Return what ``NAME=PATH``, or ``PATH`` alone, asks for.

    Raises
    ------
    ConfigError : the path is empty.
    """
    name, equals, path = text.partition("=")
    if not equals or "/" in name or "\\" in name:
        name, path = "", text
    if not path.strip():
        raise ConfigError(
            f"{text!r} names no bundle, expected PATH, or NAME=PATH to show it as NAME"
        )
    return BundleChoice(name.strip(), path.strip())


@dataclass(slots=True, eq=False)
class Notes:
    """What is to be known of a model, each said once, in order."""

    lines: dict[str, None] = field(default_factory=dict)

    def add(self, line: str) -> None:
        """Say something."""
        if line:
            self.lines[line] = None


class Models:
    """The bundles of a comparison, each opened once, and what they predict."""

    def __init__(
        self, choices: Sequence[BundleChoice], *, n_threads: int, simulated: bool
    ) -> None:
        self.choices = tuple(choices)
        self.notes = Notes()
        self._n_threads = n_threads
        self._simulated = simulated
        self._bundles: dict[str, Bundle] = {}
        self._engines: dict[str, Engine] = {}
        self._trained: dict[str, Trained | None] = {}
        self._known: dict[tuple[str, str], FloatArray] = {}

    def card(self, path: str) -> Card:
        """Return the card of a bundle.

        Raises
        ------
        BundleError : there is no such bundle, or it is damaged.
        """
        if path not in self._bundles:
            bundle = load(path, subject_root=default_root())
            check_trained(bundle.card)
            self._bundles[path] = bundle
            if not_checked(bundle.card, simulated=self._simulated):
                self.notes.add(
                    f"model '{bundle.card.name}' does not list every scan that it "
                    "learned from, so it cannot be checked whether a scored one is "
                    "among them; if one is, its R means nothing"
                )
            if bundle.card.origin.simulated_lineage and not self._simulated:
                self.notes.add(
                    f"model '{bundle.card.name}' was made from simulated data; the "
                    "scans are not simulated"
                )
        return self._bundles[path].card

    def trained(self, path: str) -> Trained | None:
        """Return what training wrote of a bundle; None: nothing."""
        if path not in self._trained:
            self.card(path)
            self._trained[path] = read_trained(self._bundles[path])
        return self._trained[path]

    def predict(self, path: str, scan: "PreparedScan", rows: Rows) -> FloatArray:
        """Return (rows, rois of the scan), sd of the target; nan: not predicted.

        A model that looks ahead answers for a row from the window so many volumes
        before it.
        """
        card = self.card(path)
        whole = self._known.get((path, scan.name))
        if whole is None:
            whole = np.full((len(scan.volume), len(scan.rois)), np.nan)
            self._known[path, scan.name] = whole
        missing = rows[~np.isfinite(whole[rows]).any(axis=1)]
        if len(missing):
            read, asked = rows_ahead(scan, missing, card.horizon_tr)
            answers = self._answers(path, scan, read)
            columns = self._columns(card, scan)
            factor = in_sd(card, scan)
            for column, output in columns.items():
                whole[asked, column] = answers[:, output] * factor[column]
        return np.asarray(whole[rows])

    def constant(self, path: str, scan: "PreparedScan", rows: Rows) -> FloatArray:
        """Return the same for the first of the rows' windows, given for every row.

        One batch is asked; what it answers in each of its places stands for the rest.
        """
        card = self.card(path)
        window = self._windows(card, scan, rows[:1])
        batch = np.repeat(window, min(BATCH_N, len(rows)), axis=0)
        answers = np.asarray(self._engine(path)(batch), dtype=np.float64)
        out = np.full((len(rows), len(scan.rois)), np.nan)
        repeated = answers[np.arange(len(rows)) % len(answers)]
        factor = in_sd(card, scan)
        for column, output in self._columns(card, scan).items():
            out[:, column] = repeated[:, output] * factor[column]
        return out

    def close(self) -> None:
        """Free the engines."""
        for engine in self._engines.values():
            engine.close()
        self._engines.clear()

    def _answers(self, path: str, scan: "PreparedScan", rows: Rows) -> FloatArray:
        engine, card = self._engine(path), self.card(path)
        batches = [rows[i : i + BATCH_N] for i in range(0, len(rows), BATCH_N)]
        if not batches:
            return np.empty((0, len(card.rois)))
        answers = [engine(self._windows(card, scan, batch)) for batch in batches]
        return np.concatenate(answers).astype(np.float64)

    def _engine(self, path: str) -> Engine:
        if path not in self._engines:
            self.card(path)
            self._engines[path] = open_engine(
                self._bundles[path],
                engine="openvino",
                n_threads=self._n_threads,
                batch_size=None,
            )
        return self._engines[path]

    def _windows(self, card: Card, scan: "PreparedScan", rows: Rows) -> Float32Array:
        windows = scan.scan.windows_uv(rows.tolist())
        order = channel_order(card, scan)
        return np.ascontiguousarray(windows[:, order])

    def _columns(self, card: Card, scan: "PreparedScan") -> dict[int, int]:
        columns = shared_rois(card, scan.rois)
        if lacking := [roi for i, roi in enumerate(scan.rois) if i not in columns]:
            self.notes.add(
                f"model '{card.name}' does not predict {len(lacking)} of the cache's "
                f"{len(scan.rois)} ROIs: {first_few(lacking)}"
            )
        used = set(columns.values())
        if extra := [roi for i, roi in enumerate(card.rois) if i not in used]:
            self.notes.add(
                f"{len(extra)} ROIs of model '{card.name}' are not in the cache: "
                f"{first_few(extra)}"
            )
        return columns


def shared_rois(card: Card, rois: Sequence[str]) -> dict[int, int]:
    """Return place in `rois` -> place on the card, by name in one spelling.

    Raises
    ------
    ConfigError : they share none.
    """
    own = {plain_name(roi).casefold(): place for place, roi in enumerate(card.rois)}
    places = {i: own.get(plain_name(roi).casefold()) for i, roi in enumerate(rois)}
    found = {i: place for i, place in places.items() if place is not None}
    if not found:
        raise ConfigError(
            f"model '{card.name}' predicts {first_few(card.rois)}, the cache holds "
            f"{first_few(rois)}: no ROI in common. Prepare the data with the model's "
            f"atlas{f' ({card.atlas})' if card.atlas else ''}, or leave the model out."
        )
    return found


def channel_order(card: Card, scan: "PreparedScan") -> list[int]:
    """Return where the model's channels are in the scan's windows.

    Raises
    ------
    ConfigError : the windows are of other channels.
    """
    places = match(scan.channels, card.channels)
    missing = [c for c, at in zip(card.channels, places, strict=True) if at is None]
    extra = len(scan.channels) - (len(card.channels) - len(missing))
    if missing or extra:
        raise ConfigError(
            f"model '{card.name}' reads {len(card.channels)} channels, the cache was "
            f"prepared for {len(scan.channels)}: "
            f"{f'it lacks {first_few(missing)}' if missing else 'it has more'}. "
            "Windows are referenced to the mean of the prepared channels, so expected "
            "the same ones: prepare the data with the model's channels."
        )
    return [place for place in places if place is not None]


def check_fits(card: Card, scan: "PreparedScan", prepared: Card) -> str:
    """Refuse a model that was made for other windows; return what is worth a note.

    Parameters
    ----------
    prepared : draft card of the cache: what its windows are.

    Raises
    ------
    ConfigError : another conditioning or reference, or other channels or ROIs.
    """
    channel_order(card, scan)
    shared_rois(card, scan.rois)
    own, other = card.conditioning, prepared.conditioning
    if own != other:
        differ = [
            f"{name} {getattr(own, name)!r} against {getattr(other, name)!r}"
            for name in Conditioning.__struct_fields__
            if getattr(own, name) != getattr(other, name)
        ]
        raise ConfigError(
            f"model '{card.name}' reads EEG of another conditioning than the cache's: "
            f"{'; '.join(differ)}. Prepare the data as the model needs it: rtbold "
            f"prepare DATASET --out CACHE --conditioning {own.source}"
        )
    if card.reference.casefold() != prepared.reference.casefold():
        raise ConfigError(
            f"model '{card.name}' is referenced to {card.reference}, the windows of "
            f"the cache to {prepared.reference}; expected the same. Prepare the data "
            f"as the model needs it: rtbold prepare DATASET --out CACHE "
            f"--model-reference {card.reference}"
        )
    if abs(card.tr_s - scan.tr_s) > TR_TOLERANCE * card.tr_s and card.horizon_tr:
        return (
            f"model '{card.name}' looks {card.horizon_tr} volumes of {card.tr_s:g} s "
            f"ahead, the scans have volumes of {scan.tr_s:g} s"
        )
    return ""


def refuse_learned(card: Card, scan: "PreparedScan") -> None:
    """Refuse a model that has learned from a scan that it would be scored on.

    Raises
    ------
    ConfigError : says what of the scan it has seen, and what to do.
    """
    if scan.scan.seen is None or card.lineage is None:
        return
    each = (same_scan(scan.scan.seen, earlier) for earlier in card.lineage.scans)
    what = next((found for found in each if found), ())
    if what:
        raise ConfigError(
            f"model '{card.name}' has learned from the {' and '.join(what)} of test "
            f"scan {scan.name} already: its R there would mean nothing. Score it on "
            "scans that it has not seen: choose the split, fold and seed that it was "
            "trained with (--split, --fold, --seed; within scans, what training wrote "
            "beside the bundle must be there), or leave it out."
        )


def rows_ahead(scan: "PreparedScan", rows: Rows, horizon_tr: int) -> tuple[Rows, Rows]:
    """Return the windows that answer for these rows, and the rows that have one."""
    if not horizon_tr:
        return rows, rows
    row_of = {int(volume): row for row, volume in enumerate(scan.volume)}
    pairs = [(row_of.get(int(scan.volume[row]) - horizon_tr), row) for row in rows]
    found = [(window, row) for window, row in pairs if window is not None]
    read, asked = (np.array([p[i] for p in found], dtype=int) for i in (0, 1))
    return read, asked


def in_sd(card: Card, scan: "PreparedScan") -> FloatArray:
    """Return, per ROI of the scan, how many sd of the target one model unit is.

    Cards scale by the sd (1), or by the 95th percentile of the magnitude.
    """
    if card.normalisation.method == "zscore":
        return np.ones(len(scan.rois))
    series = np.asarray(scan.scan.bold, dtype=np.float64)
    left = series - series.mean(axis=0)
    sd = left.std(axis=0)
    factor: FloatArray = np.percentile(np.abs(left), P95, axis=0) / np.where(
        sd > 0, sd, 1.0
    )
    return factor


# Whether a model's intervals hold on scans that it has not seen.

COVERAGE_LEVELS: Final = tuple(round(0.05 * step, 2) for step in range(1, 20))


def coverage_of(
    card: Card, scan: "PreparedScan", *, values: FloatArray, measured: FloatArray
) -> tuple[Coverage, ...]:
    """Return how often the measured value lay inside, for many levels.

    From the residuals' quantiles on the card, without the widening that a session adds
    for their effective number. Empty where the card has none.

    Parameters
    ----------
    values, measured : (rows, rois of the scan), sd of the target.
    """
    if not card.intervals.quantiles:
        return ()
    columns = shared_rois(card, scan.rois)
    factor = in_sd(card, scan)
    grid = np.linspace(0, 1, N_QUANTILES)
    inside = []
    for column, output in columns.items():
        residual = np.abs(measured[:, column] - values[:, column]) / factor[column]
        limits = np.interp(COVERAGE_LEVELS, grid, card.intervals.quantiles[output])
        known = residual[np.isfinite(residual)]
        inside.append((known[:, None] <= limits).mean(axis=0))
    held = np.mean(inside, axis=0)
    return tuple(
        Coverage(level=level, held=float(share))
        for level, share in zip(COVERAGE_LEVELS, held, strict=True)
    )
