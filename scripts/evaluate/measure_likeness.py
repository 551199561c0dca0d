"""How often the likeness monitor is wrong, on SIMULATED sessions.

    python scripts/measure_likeness.py --cache CACHE

Each subject is calibrated on 16 minutes; then come half an hour of another session of
the same subject, the same with something wrong, and another subject. Last, the first 16
minutes by the reference that `demo` carries, of other subjects. Seeds are in none of
the ranges that a model learns from.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from rtbold import bundle
from rtbold.calibration import demo
from rtbold.calibration.dataset import Scan, in_batches
from rtbold.calibration.likeness import (
    FeatureScale,
    head_inputs,
    likeness_reference,
    statistics_of,
)
from rtbold.calibration.twin_data import TwinScans
from rtbold.card import Card
from rtbold.channel_choice import spatial_matrix, usable_channels
from rtbold.engine.openvino import OpenVinoEngine
from rtbold.engine.torch import load_network
from rtbold.likeness import Likeness, LikenessMonitor
from rtbold.likeness_reference import LikenessReference
from rtbold.messages import Channel, Float32Array, StreamDescription

FIRST_SEED = 3100
CALIBRATION_S, SESSION_S = 960.0, 1800.0
N_FAULT_WINDOWS = 300  # of a session, with each fault: 10.5 minutes
MUSCLE_UV = 15.0
TEMPLES = ("F7", "F8", "T7", "T8")
Change = Callable[[Float32Array], Float32Array]


@dataclass(frozen=True)
class Found:
    """What the monitor said of one session."""

    beyond: np.ndarray  # (windows,), bool
    invalid: np.ndarray

    @property
    def n_alarms(self) -> int:
        """Times that it turned invalid."""
        before = np.concatenate([[False], self.invalid[:-1]])
        return int((self.invalid & ~before).sum())


@dataclass(frozen=True)
class Fault:
    """What is done to a session's windows (n, channels, 3200)."""

    change: Change
    interpolated: tuple[int, ...] = ()  # rows that the monitor is told of


@dataclass(frozen=True)
class Subject:
    """A calibrated subject."""

    reference: LikenessReference
    scale: FeatureScale


def main() -> None:
    """Measure and print a table."""
    options = parse()
    torch.set_num_threads(1)
    card = demo.demo_card()
    seeds = range(FIRST_SEED, FIRST_SEED + options.subjects)
    first, later = (
        TwinScans("hard", duration_s, card, options.cache)
        for duration_s in (CALIBRATION_S, SESSION_S)
    )
    scans = first.make(seeds, n_processes=1)
    if not options.only_demo:
        by_own_reference(scans, later.make(seeds, n_processes=1), card)
    by_demo(scans)


def by_own_reference(first: Sequence[Scan], later: Sequence[Scan], card: Card) -> None:
    """Print how sessions fare by the reference of their subject's calibration."""
    network, tr_s = load_network(bundle.load("demo")), card.tr_s
    subjects = [calibrated(scan, network) for scan in first]
    hours = SESSION_S / 3600 * len(subjects)
    same = [
        judge(s, scan, network, tr_s=tr_s)
        for s, scan in zip(subjects, later, strict=True)
    ]
    said = row(same)
    said += f"; {sum(f.n_alarms for f in same)} alarms in {hours:g} h"
    print(f"same subject, another session: {said}", flush=True)
    for name, fault in faults(card).items():
        found = [
            judge(s, scan, network, tr_s=tr_s, fault=fault, n=N_FAULT_WINDOWS)
            for s, scan in zip(subjects, later, strict=True)
        ]
        print(f"{name}: {row(found)}", flush=True)
    others = [*later[1:], later[0]]
    found = [
        judge(s, scan, network, tr_s=tr_s, n=N_FAULT_WINDOWS)
        for s, scan in zip(subjects, others, strict=True)
    ]
    print(f"another subject: {row(found)}", flush=True)


def by_demo(scans: Sequence[Scan]) -> None:
    """Print how subjects whom `demo` never saw fare by its own reference."""
    model = bundle.load("demo")
    engine = OpenVinoEngine(model, n_threads=1, batch_size=1)
    reference, found = model.card.likeness, []
    for scan in scans:
        monitor, judged = LikenessMonitor(reference, tr_s=model.card.tr_s), []
        for window in (window for batch in in_batches(scan) for window in batch):
            engine(window[None])
            judged.append(monitor(window, features=float(engine.feature_distance[0])))
        found.append(found_of(judged))
    shares = 100 * np.array([each.beyond.mean() for each in found])
    by_subject = f"; {shares.min():.1f} to {shares.max():.1f} % by subject"
    print(f"by demo's own reference: {row(found)}{by_subject}", flush=True)


def calibrated(scan: Scan, network: torch.nn.Module) -> Subject:
    """Return what a card would hold of this scan."""
    features = head_inputs(network, in_batches(scan))
    statistics = statistics_of(in_batches(scan))
    reference = likeness_reference(statistics, features=features, tr_s=2.1)
    return Subject(reference, FeatureScale.of(features))


def judge(
    subject: Subject,
    scan: Scan,
    network: torch.nn.Module,
    *,
    tr_s: float,
    fault: Fault | None = None,
    n: int | None = None,
) -> Found:
    """Run the monitor over a session."""
    monitor = LikenessMonitor(subject.reference, tr_s=tr_s)
    found, skip = [], fault.interpolated if fault else ()
    for batch in _batches(scan, fault.change if fault else None, n):
        distance = subject.scale.distance(head_inputs(network, [batch]))
        for window, features in zip(batch, distance, strict=True):
            found.append(monitor(window, features=float(features), skip=skip))
    return found_of(found)


def found_of(judged: Sequence[Likeness]) -> Found:
    """Return what the monitor said of each window."""
    return Found(
        np.array([(f.unlikeness or 0) > 1 for f in judged]),
        np.array([f.status == "invalid" for f in judged]),
    )


def _batches(
    scan: Scan, change: Change | None, n: int | None
) -> Iterator[Float32Array]:
    done = 0
    for batch in in_batches(scan):
        left = len(batch) if n is None else min(len(batch), n - done)
        done += left
        if left:
            yield batch[:left] if change is None else change(batch[:left])


def faults(card: Card) -> dict[str, Fault]:
    """Return what may be wrong with a session's EEG, by name."""
    channels = card.channels
    at = {name: row for row, name in enumerate(channels)}
    temples = [at[name] for name in TEMPLES]

    def swapped(a: str, b: str) -> Fault:
        order = list(range(len(channels)))
        order[at[a]], order[at[b]] = at[b], at[a]
        return Fault(lambda batch: batch[:, order])

    def gain(factor: float) -> Fault:
        return Fault(lambda batch: np.float32(factor) * batch)

    def muscle(batch: Float32Array) -> Float32Array:
        rng = np.random.default_rng(len(batch))
        white = rng.standard_normal((len(batch), len(temples), batch.shape[2]))
        spectrum = np.fft.rfft(white)
        hz = np.fft.rfftfreq(batch.shape[2], 1 / 200)
        spectrum[..., (hz < 30) | (hz > 80)] = 0
        noise = np.fft.irfft(spectrum, batch.shape[2])
        noise *= MUSCLE_UV / noise.std()
        changed = batch.copy()
        changed[:, temples] += noise.astype(np.float32)
        changed -= changed.mean(axis=1, keepdims=True)  # average reference
        return changed

    return {
        "T7 and O2 swapped": swapped("T7", "O2"),
        "F3 and FZ (neighbours) swapped": swapped("F3", "FZ"),
        "gain 1.5": gain(1.5),
        "gain 2": gain(2.0),
        "gain 0.5": gain(0.5),
        f"muscle, {MUSCLE_UV:g} uV at the temples": Fault(muscle),
        "PZ bad, interpolated": interpolated(card, "PZ"),
        "T7 bad, interpolated": interpolated(card, "T7"),
    }


def interpolated(card: Card, name: str) -> Fault:
    """Return what the live loop does about a bad channel."""
    stream = StreamDescription(
        name="twin", type="EEG", rate_hz=200.0, reference="average",
        channels=tuple(Channel(label, "uV") for label in card.channels),
    )  # fmt: skip
    _, labels = usable_channels(stream, card)
    plan = spatial_matrix(stream, card, labels, interpolate_missing=False)
    matrix = plan.matrix(frozenset({name})).matrix

    def change(batch: Float32Array) -> Float32Array:
        return np.einsum("mc,ncs->nms", matrix, batch).astype(np.float32)

    return Fault(change, (card.channels.index(name),))


def row(found: Sequence[Found]) -> str:
    """Return shares over sessions, in words."""
    beyond = 100 * np.mean([f.beyond.mean() for f in found])
    invalid = 100 * np.mean([f.invalid.mean() for f in found])
    ever = sum(f.invalid.any() for f in found)
    first = [int(np.argmax(f.invalid)) + 1 for f in found if f.invalid.any()]
    after = f", after {np.median(first):.0f} volumes (median)" if first else ""
    return (
        f"{beyond:.1f} % of windows beyond the limit, {invalid:.1f} % invalid; "
        f"invalid in {ever} of {len(found)} sessions{after}"
    )


def parse() -> argparse.Namespace:
    """Return the command's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--cache", type=Path, required=True, help="about 40 MB a subject"
    )
    parser.add_argument("--subjects", type=int, default=12)
    parser.add_argument(
        "--only-demo", action="store_true", help="by the reference of demo alone"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
