"""How well narrow-band lines are found, on SIMULATED subjects that nothing was set on.

    python scripts/measure_lines.py [--subjects 4] [--real EEG.h5 ...]

Prints, for the card of `demo` (which lists no lines) and for a card of the subject's
own earlier session: how many windows of another session are beyond the limit with
nothing added, and the smallest amplitude at which 95 % and more of the windows are.
Amplitudes are those of the sine as the model gets it, after the average reference: rms
over channels, or that of the one channel.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from rtbold.bundle import Card, LikenessReference, load
from rtbold.calibration.datasets.scan import as_recording, conditioned
from rtbold.calibration.evaluate.ood import lines_of, ood_reference, statistics_of
from rtbold.condition.conditioner import Conditioner
from rtbold.electrodes import canonical
from rtbold.messages import Float32Array, FloatArray
from rtbold.predict import LineCheck, LineSettings
from rtbold.sim import TwinSettings, simulate

SEEDS = range(6000, 6100)  # in none of the ranges of rtbold/sim/settings.py
TR_S = 2.1
SESSION_S, CALIBRATION_S = 600.0, 900.0  # of one subject, but not the same EEG
AMPLITUDES_UV = (0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)
EVERY = 60  # windows of a session that lines are added to
AFTER_S = 60.0  # a movement spoils the cleaning for less
T_S = np.arange(3200) / 200.0
Course = Callable[[float], FloatArray]  # from the window's time, amplitude 1


def tone(*hz: float) -> Course:
    """Return sines of the same size."""
    return lambda t_s: sum(
        (np.sin(2 * np.pi * f * (T_S + t_s) + f) for f in hz), np.zeros(T_S.size)
    )


def harmonics(hz: float) -> Course:
    """Return a line with three harmonics that fall like 1/k."""
    return lambda t_s: sum(
        (np.sin(2 * np.pi * k * hz * (T_S + t_s) + k) / k for k in range(1, 5)),
        np.zeros(T_S.size),
    )


def wandering(low_hz: float, high_hz: float, period_s: float) -> Course:
    """Return a sine whose frequency goes to and fro."""

    def course(t_s: float) -> FloatArray:
        swing = np.sin(2 * np.pi * (T_S + t_s) / period_s)
        hz = (low_hz + high_hz) / 2 + swing * (high_hz - low_hz) / 2
        return np.asarray(np.sin(2 * np.pi * np.cumsum(hz) / 200.0))

    return course


def residue(t_s: float) -> FloatArray:
    """Return noise that repeats with the volumes, rms 1."""
    template = np.random.default_rng(5).standard_normal(round(TR_S * 200))
    at = np.round((T_S + t_s) * 200).astype(int) % template.size
    return np.asarray(template[at] / template.std())


LINES: dict[str, Course] = {
    "helium pump, 43 and 21.5 Hz": tone(43.0, 21.5),
    "slice buzz, 17.1 Hz and harmonics": harmonics(17.1),
    "slices, 36 a volume, and harmonics": harmonics(36 / TR_S),
    "ventilation, 24 to 26 Hz in a minute": wandering(24.0, 26.0, 120.0),
    "ventilation, 20 to 30 Hz in half a minute": wandering(20.0, 30.0, 60.0),
    "mains, 50 Hz": tone(50.0),
    "mains, 60 Hz": tone(60.0),
    "in alpha, 10.3 Hz": tone(10.3),
    "33 Hz": tone(33.0),
    "33 Hz, on for the last 8 s": lambda t_s: tone(33.0)(t_s) * (T_S >= 8.0),
    "33 Hz, on for the last 4 s": lambda t_s: tone(33.0)(t_s) * (T_S >= 12.0),
    "gradient residue, rms": residue,
}


def patterns(rng: np.random.Generator, n: int) -> Iterator[tuple[str, FloatArray]]:
    """Yield what each channel has of a line: rms 1, or 1 in one channel."""
    gain = rng.standard_normal(n)
    gain -= gain.mean()
    yield "head", gain / np.sqrt(np.mean(gain**2))
    yield "one channel", np.eye(n)[rng.integers(n)]


def windows_of(
    card: Card, seed: int, seconds: float
) -> tuple[Float32Array, FloatArray]:
    """Return the windows of a session, and how long ago the head had moved."""
    made = simulate(
        TwinSettings(seed=seed, duration_s=seconds, channels=card.channels, tr_s=TR_S)
    )
    scan = conditioned(as_recording(made), card)
    since = scan.onsets_s[:, None] - made.body.motion_t_s
    moved = np.where(since >= 0, since, np.inf).min(axis=1, initial=np.inf)
    return scan.windows_uv(), moved


def smallest_uv(check: LineCheck, windows: Float32Array, course: Course) -> dict:
    """Return the share of windows that are beyond the limit, by pattern and size."""
    rng = np.random.default_rng(1)
    shares: dict[str, list[list[bool]]] = {}
    for at in range(0, len(windows), EVERY):
        for name, gain in patterns(rng, windows.shape[1]):
            added = np.outer(gain, course(at * TR_S))
            found = [
                check((windows[at] + a * added).astype(np.float32)) > 1
                for a in AMPLITUDES_UV
            ]
            shares.setdefault(name, []).append(found)
    return shares


def real_windows(path: Path, card: Card) -> Float32Array:
    """Return the windows of a whole recording, channels by name, average reference."""
    from rtbold.files.eeghdf import read_eeghdf
    from rtbold.files.recording import ReadOptions

    read = read_eeghdf(path, ReadOptions())
    names = [canonical(channel.label) for channel in read.channels]
    data = read.data_uv[[names.index(name) for name in card.channels]]
    done = Conditioner(read.rate_hz, len(data), card.conditioning)(data)
    done = done - done.mean(axis=0)
    ends = range(3200, done.shape[1], round(TR_S * 200))
    cut = [done[:, end - 3200 : end] for end in ends]
    return np.stack([w - w.mean(axis=1, keepdims=True) for w in cut])


def check_of(reference: LikenessReference) -> LineCheck:
    """Return the check of today's sessions."""
    return LineCheck(reference, LineSettings(), tr_s=TR_S)


def tell(
    clean: dict[str, list[tuple[bool, bool]]],
    found: dict[tuple[str, str, str], list[list[bool]]],
) -> None:
    """Print what was found up to now."""
    for whose, each in clean.items():
        beyond, quiet = np.array(each).T
        print(
            f"{whose} card, nothing added: {beyond.sum()} of {len(beyond)} windows; "
            f"{beyond[quiet].sum()} of the {quiet.sum()} without a movement before"
        )
    for (whose, name, where), rows in sorted(found.items()):
        shares = np.mean(rows, axis=0)
        enough = [a for a, s in zip(AMPLITUDES_UV, shares, strict=True) if s >= 0.95]
        told = f"{enough[0]:g} uV" if enough else f"above {AMPLITUDES_UV[-1]:g} uV"
        print(f"{whose:7}{name:44}{where:13}{told}  ({len(rows)} windows)", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--subjects", type=int, default=4)
    parser.add_argument("--real", type=Path, nargs="*", default=[])
    options = parser.parse_args()
    card = load("demo").card
    clean: dict[str, list[tuple[bool, bool]]] = {}
    found: dict[tuple[str, str, str], list[list[bool]]] = {}
    for seed in SEEDS[: options.subjects]:
        windows, moved = windows_of(card, seed, SESSION_S)
        earlier, _ = windows_of(card, seed, CALIBRATION_S)
        own = ood_reference(
            statistics_of([earlier]), lines=lines_of([earlier], tr_s=TR_S)
        )
        for whose, reference in (("demo's", card.likeness), ("own", own)):
            check = check_of(reference)
            clean.setdefault(whose, []).extend(
                (check(w) > 1, bool(m > AFTER_S))
                for w, m in zip(windows, moved, strict=True)
            )
            for name, course in LINES.items():
                for where, rows in smallest_uv(check, windows, course).items():
                    found.setdefault((whose, name, where), []).extend(rows)
        print(f"\nafter subject {seed}", flush=True)
        tell(clean, found)
    for path in options.real:
        windows = real_windows(path, card)
        check = check_of(card.likeness)
        print(f"{path.name}: {sum(check(w) > 1 for w in windows)} of {len(windows)}")


if __name__ == "__main__":
    main()
