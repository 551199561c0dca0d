"""The comparison: open, fit the baselines, open the test part once, predict, score."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import torch

from rtbold.calibration.compare import controls as control_names, truth as truth_names
from rtbold.calibration.compare.bundles import (
    BundleChoice,
    Models,
    check_fits,
    coverage_of,
    refuse_learned,
)
from rtbold.calibration.compare.controls import Controls
from rtbold.calibration.compare.material import (
    BandPower,
    Fold,
    Part,
    band_power,
    target_of,
)
from rtbold.calibration.compare.result import (
    CONSTANT,
    OTHER,
    SHUFFLED,
    Comparison,
    Coverage,
    Data,
    Scored,
    differences,
    summarise,
)
from rtbold.calibration.compare.scores import (
    Kind,
    Predicted,
    Rows,
    ScanScore,
    Target,
    score,
)
from rtbold.calibration.compare.training import Trained, learned_these_rows
from rtbold.calibration.compare.truth import Truth
from rtbold.calibration.datasets.cache import Cache, PreparedScan, open_cache
from rtbold.calibration.datasets.splits import Split, fold_names, split_of
from rtbold.errors import ConfigError
from rtbold.messages import FloatArray
from rtbold.text import first_few
from rtbold.truth import pearson_r

Say = Callable[[str], None]
_Value = TypeVar("_Value", str, int, tuple[int, ...])
DEFAULT_SPLIT: Final = "published-across"
N_SHUFFLES: Final = 50
LEAST_ROWS: Final = 3  # volumes that another subject's scan must share


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareSettings:
    """What is compared, and on which rows."""

    cache: Path
    bundles: tuple[BundleChoice, ...]
    split: str | None = None  # None: as the bundles were trained
    folds: tuple[int, ...] | None = None  # empty: all that the split has
    seed: int | None = None
    n_threads: int | None = None  # of torch and the engine; None: as they choose
    truth: bool = True  # of a simulation: ceiling, oracle, unmixed sources


@dataclass(frozen=True, slots=True)
class Rule:
    """Which rows are scored."""

    split: str
    folds: tuple[int, ...]
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """The numbers, and the series that the figures are drawn of."""

    comparison: Comparison
    models: tuple[Scored, ...]
    curves: Mapping[str, tuple[Trained, ...]]  # model -> how its trainings went


@dataclass(slots=True, eq=False)
class Gathered:
    """What has been found so far of one model."""

    kind: Kind
    meaning: str = ""
    simulated_weights: bool = False
    predicted: list[Predicted] = field(default_factory=list)
    trained: dict[str, Trained] = field(default_factory=dict)  # by path
    controls: dict[str, list[tuple[Target, FloatArray]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    coverage: list[tuple[int, tuple[Coverage, ...]]] = field(default_factory=list)


def compare_models(settings: CompareSettings, say: Say, *, created: str) -> Evaluation:
    """Return all models on the test part of the split, beside their controls.

    Raises
    ------
    ConfigError : a bundle does not fit the cache, or has learned from a test scan.
    DataFileError : the cache or the split leaves nothing to score.
    """
    cache = open_cache(settings.cache)
    models = Models(
        settings.bundles, n_threads=settings.n_threads or 1, simulated=cache.simulated
    )
    if settings.n_threads is not None:
        torch.set_num_threads(settings.n_threads)
    rule = rule_of(settings, models)
    if not rule.folds:
        every = range(len(fold_names(cache, rule.split, seed=rule.seed)))
        rule = replace(rule, folds=tuple(every))
    found: dict[str, Gathered] = {}
    try:
        with band_power() as power:
            for number in rule.folds:
                run = FoldRun(cache, rule, number, models=models, power=power, say=say)
                run.into(found, truth=settings.truth)
    finally:
        models.close()
    return summary_of(cache, rule, found, notes=models.notes.lines, created=created)


def rule_of(settings: CompareSettings, models: Models) -> Rule:
    """Return the split; what was not asked for is as the bundles were trained.

    Raises
    ------
    ConfigError : they were trained on different ones.
    """
    known = [
        trained
        for choice in models.choices
        if not choice.varies and (trained := models.trained(choice.path))
    ]
    split = _one_of(
        "split", [each.split for each in known], settings.split, other=DEFAULT_SPLIT
    )
    seed = _one_of("seed", [each.seed for each in known], settings.seed, other=0)
    trained_folds = [(each.fold,) for each in known]
    return Rule(
        split=split,
        folds=_one_of("fold", trained_folds, settings.folds, other=(0,)),
        seed=seed,
    )


def _one_of(
    name: str, known: Sequence[_Value], given: _Value | None, *, other: _Value
) -> _Value:
    """Return what was given, else what all bundles have, else `other`."""
    if given is not None:
        return given
    if not known:
        return other
    if len(set(known)) > 1:
        raise ConfigError(
            f"the bundles were trained with a different {name} each "
            f"({first_few([str(each) for each in dict.fromkeys(known)])}), expected "
            f"one to score them all by; say which with --{name}"
        )
    return known[0]


class FoldRun:
    """One fold: what is learned in it, and what is scored in it."""

    def __init__(
        self,
        cache: Cache,
        rule: Rule,
        number: int,
        *,
        models: Models,
        power: BandPower,
        say: Say,
    ) -> None:
        self._cache, self._rule, self._models = cache, rule, models
        self._number, self._say = number, say
        self._split = split_of(cache, rule.split, fold=number, seed=rule.seed)
        self._fold = fold_of(cache, self._split, number)
        self._controls = Controls(self._fold, power, tr_s=cache.settings.tr_s)
        self._truth = Truth(self._fold, lowpass_hz=cache.settings.targets.lowpass_hz)

    def into(self, found: dict[str, Gathered], *, truth: bool) -> None:
        """Score every test scan of the fold.

        Parameters
        ----------
        truth : whether to say what a simulation could give at most.
        """
        for choice in self._models.choices:
            if not choice.varies:
                self._check(choice, self._cache.scans)
        test = self._open()
        for place, (scan, rows) in enumerate(test, start=1):
            self._say(
                f"fold {self._number}, scan {place} of {len(test)}: {scan.name}, "
                f"{len(rows)} volumes"
            )
            target = target_of(scan, rows, fold=self._number)
            for choice in self._models.choices:
                self._bundle(found, choice, scan=scan, target=target, rows=rows)
            self._beside(found, scan, target=target, rows=rows)
            if truth:
                self._at_most(found, scan, target=target, rows=rows)

    def _path(self, choice: BundleChoice, scan: PreparedScan) -> str:
        return choice.path_for(scan, self._number, seed=self._rule.seed)

    def _check(self, choice: BundleChoice, scans: Sequence[PreparedScan]) -> None:
        """Refuse a bundle that does not fit the scans."""
        for scan in scans:
            card = self._models.card(self._path(choice, scan))
            self._models.notes.add(check_fits(card, scan, self._cache.card()))

    def _open(self) -> list[tuple[PreparedScan, Rows]]:
        """Open the test part, the one time that it is; refuse who has seen it."""
        rows = self._split.test.open(f"rtbold evaluate, fold {self._number}")
        test = [
            (scan, np.asarray(rows[scan.name], dtype=int))
            for scan in self._cache.scans
            if len(rows.get(scan.name, ()))
        ]
        for choice in self._models.choices:
            self._check(choice, [scan for scan, _ in test])
            for scan, _ in test:
                path = self._path(choice, scan)
                if not self._learned_beside(path, scan):
                    refuse_learned(self._models.card(path), scan)
        return test

    def _learned_beside(self, path: str, scan: PreparedScan) -> bool:
        """Return whether a model learned from this scan what the split allows.

        Within scans a model learns from the training rows of the scan that is scored,
        so its card lists the scan; what training wrote must say that it was these rows.
        """
        rows = {part.scan.name: len(part.train) for part in self._fold.parts}
        return bool(rows[scan.name]) and learned_these_rows(
            self._models.trained(path),
            split=self._rule.split,
            fold=self._number,
            seed=self._rule.seed,
            rows=rows,
        )

    def _bundle(
        self,
        found: dict[str, Gathered],
        choice: BundleChoice,
        *,
        scan: PreparedScan,
        target: Target,
        rows: Rows,
    ) -> None:
        path = self._path(choice, scan)
        card = self._models.card(path)
        name = choice.name or (choice.path if choice.varies else card.name)
        one = found.setdefault(
            name,
            Gathered(
                "bundle",
                meaning=f"{card.architecture}, {card.origin.kind}",
                simulated_weights=card.origin.simulated_lineage,
            ),
        )
        if (trained := self._models.trained(path)) is not None:
            one.trained[path] = trained
        values = self._models.predict(path, scan, rows)
        predicted = Predicted(model=name, kind="bundle", target=target, values=values)
        one.predicted.append(predicted)
        known = predicted.columns
        shuffled = shuffled_r(predicted, seed=self._rule.seed + len(one.predicted))
        one.controls[SHUFFLED].append((target, shuffled))
        fed = {
            CONSTANT: self._models.constant(path, scan, rows),
            OTHER: self._of_another(path, scan, target),
        }
        for control, guess in fed.items():
            if guess is not None:
                r = r_of(guess, target.plain, known)
                one.controls[control].append((target, r))
        held = coverage_of(card, scan, values=values, measured=target.plain)
        if held:
            one.coverage.append((len(rows), held))

    def _of_another(
        self, path: str, scan: PreparedScan, target: Target
    ) -> FloatArray | None:
        """Return what the model says of another subject's EEG at equal scan time."""
        scans = self._cache.scans
        place = next(i for i, each in enumerate(scans) if each.name == scan.name)
        turned = (*scans[place + 1 :], *scans[:place])
        for other in turned:
            if other.subject == scan.subject:
                continue
            row_of = {int(volume): row for row, volume in enumerate(other.volume)}
            rows = [row_of.get(int(volume)) for volume in target.volume]
            there = np.array([i for i, row in enumerate(rows) if row is not None], int)
            if len(there) < LEAST_ROWS:
                continue
            read = np.array([row for row in rows if row is not None], int)
            out = np.full(target.plain.shape, np.nan)
            out[there] = self._models.predict(path, other, read)
            return out
        return None

    def _beside(
        self,
        found: dict[str, Gathered],
        scan: PreparedScan,
        *,
        target: Target,
        rows: Rows,
    ) -> None:
        """Add baselines and controls."""
        for control in self._controls.predict(scan, rows):
            meaning = control_names.MEANING[control.model]
            one = found.setdefault(
                control.model, Gathered(control.kind, meaning=meaning)
            )
            one.predicted.append(
                Predicted(
                    model=control.model,
                    kind=control.kind,
                    target=target,
                    values=control.values,
                )
            )
        for name, note in self._controls.notes.items():
            self._models.notes.add(f"{name}: {note}")

    def _at_most(
        self,
        found: dict[str, Gathered],
        scan: PreparedScan,
        *,
        target: Target,
        rows: Rows,
    ) -> None:
        """Add what a simulation could give at most."""
        for name, values in self._truth.predict(scan, rows).items():
            meaning = truth_names.MEANING[name]
            one = found.setdefault(name, Gathered("reference", meaning=meaning))
            one.predicted.append(
                Predicted(model=name, kind="reference", target=target, values=values)
            )


def fold_of(cache: Cache, split: Split, number: int) -> Fold:
    """Return what may be learned from in one fold."""
    nothing = np.empty(0, dtype=int)
    return Fold(
        number,
        tuple(
            Part(
                scan,
                np.asarray(split.train.get(scan.name, nothing), dtype=int),
                np.asarray(split.validation.get(scan.name, nothing), dtype=int),
            )
            for scan in cache.scans
        ),
    )


def shuffled_r(predicted: Predicted, *, seed: int) -> FloatArray:
    """Return R per ROI with the volumes in random order, the mean over many orders."""
    rng = np.random.default_rng(seed)
    values, measured = predicted.values, predicted.target.plain
    r = [
        r_of(values[rng.permutation(len(values))], measured, predicted.columns)
        for _ in range(N_SHUFFLES)
    ]
    mean: FloatArray = np.mean(r, axis=0)
    return mean


def r_of(guess: FloatArray, measured: FloatArray, columns: np.ndarray) -> FloatArray:
    """Return R per ROI over the rows that both have; nan where not predicted."""
    rows = np.isfinite(guess[:, columns]).all(axis=1)
    r = np.full(len(columns), np.nan)
    r[columns] = pearson_r(
        guess[np.ix_(rows, columns)], measured[np.ix_(rows, columns)]
    )
    return r


def summary_of(
    cache: Cache,
    rule: Rule,
    found: Mapping[str, Gathered],
    *,
    notes: Iterable[str],
    created: str,
) -> Evaluation:
    """Return the comparison of everything that was predicted."""
    scored = [_scored(one) for one in found.values()]
    _check_together(scored)
    targets = [s.predicted.target for s in scored[0].scores]
    common = common_rois(scored)
    scored = [m for m in scored if (m.scores[0].predicted.columns & common).any()]
    rois = targets[0].rois
    comparison = Comparison(
        data=_data(cache, targets),
        data_set=cache.settings.data_set,
        cache=str(cache.folder),
        created=created,
        split=rule.split,
        folds=rule.folds,
        seed=rule.seed,
        tr_s=cache.settings.tr_s,
        rois=rois,
        common_rois=tuple(rois[place] for place in np.flatnonzero(common)),
        subjects=tuple(dict.fromkeys(target.subject for target in targets)),
        scans=tuple(dict.fromkeys(target.scan for target in targets)),
        models=tuple(summarise(one, common, seed=rule.seed) for one in scored),
        differences=tuple(differences(scored, common, seed=rule.seed)),
        notes=tuple(notes),
        left_out={each.name: each.reason for each in cache.left_out},
        software={n: version(n) for n in ("numpy", "scipy", "openvino")},
    )
    return Evaluation(comparison, tuple(scored), _curves(found))


def _curves(found: Mapping[str, Gathered]) -> dict[str, tuple[Trained, ...]]:
    """Return what was trained in epochs, by model."""
    each = {
        name: tuple(t for t in one.trained.values() if t.epochs)
        for name, one in found.items()
    }
    return {name: trainings for name, trainings in each.items() if trainings}


def common_rois(models: Sequence[Scored]) -> np.ndarray:
    """Return which ROIs all bundles predict, (rois,) bool.

    Raises
    ------
    ConfigError : there is none, so no two means are of the same.
    """
    bundles = [m for m in models if m.kind == "bundle"]
    each = [score.predicted.columns for m in bundles for score in m.scores]
    common = np.asarray(np.logical_and.reduce(each))
    if not common.any():
        raise ConfigError(
            f"the bundles {first_few([m.name for m in bundles])} have no ROI of the "
            "cache in common, expected one or more; compare them one at a time"
        )
    return common


def _scored(one: Gathered) -> Scored:
    scores: list[ScanScore] = [score(predicted) for predicted in one.predicted]
    return Scored(
        scores=scores,
        meaning=one.meaning,
        controls=one.controls,
        coverage=_pooled(one.coverage),
        simulated_weights=one.simulated_weights,
    )


def _pooled(found: Sequence[tuple[int, tuple[Coverage, ...]]]) -> tuple[Coverage, ...]:
    """Return the coverage over all scans, each weighing by its volumes."""
    held: dict[float, list[tuple[int, float]]] = defaultdict(list)
    for n, each in found:
        for coverage in each:
            held[coverage.level].append((n, coverage.held))
    return tuple(
        Coverage(level=level, held=sum(n * h for n, h in of) / sum(n for n, _ in of))
        for level, of in sorted(held.items())
    )


def _check_together(scored: Sequence[Scored]) -> None:
    """Refuse two bundles of one name: their scans would be mixed."""
    for one in scored:
        keys = [(s.predicted.target.fold, s.predicted.target.scan) for s in one.scores]
        if len(set(keys)) < len(keys):
            raise ConfigError(
                f"two models of the comparison are called '{one.name}', expected a "
                "name for each; give them with NAME=PATH"
            )


def _data(cache: Cache, targets: Sequence[Target]) -> Data:
    if all(target.simulated for target in targets):
        return "simulated"
    simulated = cache.simulated or any(target.simulated for target in targets)
    return "partly simulated" if simulated else "measured"
