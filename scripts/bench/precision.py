"""What a precision costs the shipped network in R, on simulated subjects."""

from collections.abc import Iterator, Sequence

import numpy as np

from bench.budget import Budget
from bench.models import Call, Engines, answers, shares

# Of the validation range, but validation used none of them; no card reports them.
SEEDS = range(2960, 2964)
MINUTES = 10.0
SHARE_OF_REST = 4.0  # a further subject must leave three times its time to the rest
WANTED = "f32"


def demo_r(
    budget: Budget, *, seeds: Sequence[int] = SEEDS, minutes: float = MINUTES
) -> Iterator[str]:
    """Give a table: mean R of the demo bundle in every precision."""
    from rtbold.bundle.check_windows import read_check
    from rtbold.bundle.store import load

    bundle = load("demo")
    check = read_check(bundle)
    if check is None:
        raise SystemExit("the demo bundle carries no check windows; train it again")
    engines = Engines(bundle, check.eeg_uv).opened(n_threads=2)
    scans, predicted = _predicted(budget, bundle.card, engines, seeds, minutes)
    reference = np.concatenate(predicted[f"OpenVINO {WANTED}"])
    lines = [
        "| demo bundle, SIMULATED | mean R | less than f32 "
        "| rms deviation / sd, median ROI | worst ROI |",
        "|---|---|---|---|---|",
    ]
    r = {label: _mean_r(parts, scans) for label, parts in predicted.items()}
    for label, parts in predicted.items():
        typical, worst = shares(np.concatenate(parts), reference)
        lines.append(
            f"| {label} | {r[label]:.4f} | {r[f'OpenVINO {WANTED}'] - r[label]:+.4f} "
            f"| {typical:.1e} | {worst:.1e} |"
        )
    yield (
        f"{len(scans)} simulated subjects of {minutes:g} minutes, {len(reference)} "
        "volumes, 64 ROIs.\n\n" + "\n".join(lines)
    )


def _predicted(
    budget: Budget,
    card,  # noqa: ANN001
    engines: dict[str, Call],
    seeds: Sequence[int],
    minutes: float,
) -> tuple[list[tuple[np.ndarray, np.ndarray]], dict[str, list[np.ndarray]]]:
    """Return scans, and what each engine makes of them; fewer where time is short."""
    scans, longest_s = [], 0.0
    predicted: dict[str, list[np.ndarray]] = {label: [] for label in engines}
    for seed in seeds:
        what = f"subject {seed} in every precision"
        if scans and not budget.lasts(SHARE_OF_REST * longest_s, what):
            break
        budget.begin(what)
        begun_s = budget.spent_s()
        scans.append(_scan(seed, minutes, card))
        for label, call in engines.items():
            predicted[label].append(answers(call, scans[-1][0]))
        longest_s = max(longest_s, budget.spent_s() - begun_s)
    return scans, predicted


def _scan(seed: int, minutes: float, card) -> tuple[np.ndarray, np.ndarray]:  # noqa: ANN001
    """Return windows and targets of one simulated subject."""
    from rtbold.calibration.datasets.scan import as_recording, conditioned
    from rtbold.calibration.train.dataset import normalised
    from rtbold.sim.settings import TwinSettings
    from rtbold.sim.twin import simulate

    settings = TwinSettings(
        seed=seed, duration_s=60 * minutes, tr_s=card.tr_s, channels=card.channels
    )
    scan = conditioned(as_recording(simulate(settings)), card)
    return scan.windows_uv(), normalised(scan.bold, card.normalisation)


def _mean_r(
    parts: Sequence[np.ndarray], scans: Sequence[tuple[np.ndarray, np.ndarray]]
) -> float:
    from rtbold.calibration.evaluate.scores import r_of_scans

    return float(r_of_scans(parts, [measured for _, measured in scans]).mean())
