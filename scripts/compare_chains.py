"""What the published conditioning and ours do to the same EEG and the same model.

    python scripts/compare_chains.py            # print it
    python scripts/compare_chains.py --write    # into docs/data/published-chain.md

Published weights were trained on EEG that was cleaned offline, resampled by FFT, and
high-passed with zero phase (across subjects) or not at all (within subject). The live
loop cannot see the future: its high-pass is causal, its resampler a FIR. Here both
chains make windows for the same volumes of a real recording
(`scripts/fetch_real_eeg.py`), and one model answers both. It holds no BOLD: nothing
here says which chain predicts better, only how far the answers move.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
from scipy import signal

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs" / "data" / "published-chain.md"
BEGIN, END = "<!-- chains:begin -->", "<!-- chains:end -->"
NAME = "absence_epilepsy.eeg.h5"
TR_S = 2.1
HIGHPASS_HZ = 0.5
MODEL_RATE_HZ = 200.0
WINDOW_SAMPLES = 3200
SOURCE_RATES_HZ = (200.0, 250.0, 500.0)
# Of the 26 channels of the published weights these are in the recording.
EXTRA_CHANNELS = ("FT9", "FT10")

Windows = np.ndarray  # (volumes, channels, 3200), microvolt, mean of each removed


@dataclass(frozen=True)
class Source:
    """Channels of one recording at one rate, before any conditioning."""

    eeg_uv: np.ndarray  # (channels, samples)
    rate_hz: float
    channels: tuple[str, ...]


def resampled(source: Source, rate_hz: float) -> Source:
    """Return the source at another rate, by FFT over the whole recording."""
    if rate_hz == source.rate_hz:
        return source
    n = round(source.eeg_uv.shape[1] * rate_hz / source.rate_hz)
    eeg_uv = signal.resample(source.eeg_uv.astype(np.float64), n, axis=1)
    return replace(source, eeg_uv=eeg_uv.astype(np.float32), rate_hz=rate_hz)


def zero_phase(eeg_uv: np.ndarray) -> np.ndarray:
    """High-pass as the across-subject runs: MNE's default FIR, no delay."""
    from mne.filter import filter_data

    return filter_data(eeg_uv, MODEL_RATE_HZ, HIGHPASS_HZ, None, verbose="error")


def causal(eeg_uv: np.ndarray) -> np.ndarray:
    """High-pass as the live loop does, from steady state on the first sample."""
    sos = signal.butter(2, HIGHPASS_HZ, "highpass", fs=MODEL_RATE_HZ, output="sos")
    return signal.sosfilt(sos, eeg_uv - eeg_uv[:, :1])


def untouched(eeg_uv: np.ndarray) -> np.ndarray:
    """No high-pass, as the within-subject runs."""
    return eeg_uv


def offline(
    source: Source, volumes_s: np.ndarray, highpass: Callable[[np.ndarray], np.ndarray]
) -> Windows:
    """Return the windows of an offline chain: FFT resampling, high-pass, average."""
    at_200 = resampled(source, MODEL_RATE_HZ).eeg_uv.astype(np.float64)
    eeg_uv = highpass(at_200)
    eeg_uv = eeg_uv - eeg_uv.mean(axis=0, keepdims=True)
    ends = np.rint(volumes_s * MODEL_RATE_HZ).astype(int)
    cut = np.stack([eeg_uv[:, end - WINDOW_SAMPLES : end] for end in ends])
    return (cut - cut.mean(axis=2, keepdims=True)).astype(np.float32)


def live(source: Source, volumes_s: np.ndarray) -> Windows:
    """Return the windows of the live loop for these volumes."""
    from rtbold.calibration.dataset import Recording, causal_windows, conditioned
    from rtbold.calibration.demo import demo_card

    card = demo_card()
    unfiltered = msgspec.structs.replace(card.normalisation, lowpass_hz=None)
    card = msgspec.structs.replace(
        card, channels=source.channels, normalisation=unfiltered
    )
    recording = Recording(
        name="recording",
        eeg_uv=source.eeg_uv,
        rate_hz=source.rate_hz,
        labels=source.channels,
        volume_onsets_s=volumes_s,
        bold=np.zeros((len(volumes_s), 1)),
    )
    scan = conditioned(recording, card)
    if len(scan) != len(volumes_s):
        raise SystemExit("a volume has no window: the filters had not settled yet")
    return causal_windows(scan)


@dataclass(frozen=True)
class Agreement:
    """How `other` follows `reference`, per column."""

    r: np.ndarray  # (columns,)
    slope: np.ndarray  # (columns,), of the line from reference to other

    def cells(self) -> str:
        """Return median and least R, median slope, share of variance unexplained."""
        lost = 100 * (1 - np.median(self.r) ** 2)
        return (
            f"{np.median(self.r):.4f} | {self.r.min():.4f} "
            f"| {np.median(self.slope):.3f} | {lost:.1f} %"
        )


def agreement(other: np.ndarray, reference: np.ndarray) -> Agreement:
    """Compare (volumes, columns) column by column."""
    a = other - other.mean(axis=0, dtype=np.float64)
    b = reference - reference.mean(axis=0, dtype=np.float64)
    covariance, variance = (a * b).sum(axis=0), (b * b).sum(axis=0)
    r = covariance / np.sqrt((a * a).sum(axis=0) * variance)
    return Agreement(r, covariance / variance)


def agreement_of_windows(other: Windows, reference: Windows) -> Agreement:
    """Compare the EEG itself: each window and channel is a column."""
    columns = (other.shape[0] * other.shape[1], WINDOW_SAMPLES)
    return agreement(other.reshape(columns).T, reference.reshape(columns).T)


def read_source() -> tuple[Source, np.ndarray]:
    """Return the real recording and the volumes that the loop would predict from."""
    import fetch_real_eeg

    from rtbold.bundle import load
    from rtbold.electrodes import match
    from rtbold.io.read_eeghdf import read_eeghdf
    from rtbold.io.recording import ReadOptions

    paths = fetch_real_eeg.fetch(fetch_real_eeg.default_folder())
    recording = read_eeghdf(next(p for p in paths if p.name == NAME), ReadOptions())
    bundle = load("demo")
    wanted = (*bundle.card.channels, *EXTRA_CHANNELS)
    rows = match([channel.label for channel in recording.channels], wanted)
    source = Source(recording.data_uv[list(rows)], recording.rate_hz, wanted)
    return source, usable_volumes_s(recording, bundle)


def usable_volumes_s(recording, bundle) -> np.ndarray:  # noqa: ANN001
    """Return the volumes, one each 2.1 s, whose window the live loop finds good."""
    from rtbold.pipeline_settings import PipelineSettings
    from rtbold.replay import replay, triggered_events
    from rtbold.schedule import ScheduleSettings

    times_s = np.arange(TR_S, recording.duration_s - 1.0, TR_S)
    events = triggered_events(recording, [(t, "R128") for t in times_s])
    silent = np.zeros((1, len(bundle.card.rois)), np.float32)
    settings = PipelineSettings(schedule=ScheduleSettings(tr_s=TR_S))
    predictions = replay(events, bundle, lambda eeg_uv: silent, settings)
    volumes = [p for p in predictions if p.tick.volume_index is not None]
    good = [p for p in volumes if p.usable and "interpolated" not in p.reasons]
    return np.array([p.t_end_s for p in good])


def rows_of(source: Source, channels: Sequence[str]) -> Source:
    """Return some of the channels, in this order."""
    rows = [source.channels.index(name) for name in channels]
    return replace(source, eeg_uv=source.eeg_uv[rows], channels=tuple(channels))


def demo_model(windows: Windows) -> np.ndarray:
    """Answer with the shipped demo network."""
    from rtbold.bundle import load
    from rtbold.engine import open_engine

    return open_engine(load("demo"), batch_size=None, n_threads=2)(windows)


def drawn_base(channels: Sequence[str], n_rois: int) -> Callable[[Windows], np.ndarray]:
    """Return NeuroBOLT base for these channels, with the golden test's weights."""
    import torch
    from bench_models import drawn_neurobolt

    from rtbold.models.montage import PUBLISHED_CHANNELS, position_rows

    model = drawn_neurobolt(n_rois)
    picked = [PUBLISHED_CHANNELS.index(name) for name in channels]
    tokens = model.mss_module.channel_tokens
    tokens.weight = torch.nn.Parameter(tokens.weight[picked])
    model.position_index = torch.tensor(position_rows(channels))

    def answer(windows: Windows) -> np.ndarray:
        with torch.inference_mode():
            return np.concatenate(
                [model(torch.from_numpy(w[None])).numpy() for w in windows]
            )

    return answer


def chains(source: Source, volumes_s: np.ndarray) -> dict[str, Windows]:
    """Return the windows of every chain."""
    highpasses = {"zero phase": zero_phase, "none": untouched, "causal": causal}
    made = {name: offline(source, volumes_s, f) for name, f in highpasses.items()}
    for rate_hz in SOURCE_RATES_HZ:
        made[f"live {rate_hz:g}"] = live(resampled(source, rate_hz), volumes_s)
    return made


CASES = (
    ("live loop, source at 200 Hz", "live 200", "zero phase"),
    ("live loop, source at 250 Hz", "live 250", "zero phase"),
    ("live loop, source at 500 Hz", "live 500", "zero phase"),
    ("live loop, source at 200 Hz", "live 200", "none"),
    ("published, but the high-pass causal", "causal", "zero phase"),
    ("live loop, against the row above", "live 200", "causal"),
    ("published across subjects, high-pass left out", "none", "zero phase"),
)
SAID = {
    "zero phase": "zero-phase high-pass",
    "none": "no high-pass",
    "causal": "FFT, causal high-pass",
}


def table(title: str, made: dict[str, np.ndarray], compare: Callable) -> str:
    """Return one table: a row per comparison."""
    lines = [
        f"| {title} | against | R, median | R, least | slope, median | not shared |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {label} | {SAID[reference]} | "
        f"{compare(made[other], made[reference]).cells()} |"
        for label, other, reference in CASES
    ]
    return "\n".join(lines)


def report(source: Source, volumes_s: np.ndarray, n_base: int) -> str:
    """Return everything that is written into the page."""
    from rtbold.bundle import load
    from rtbold.models.montage import PUBLISHED_CHANNELS

    demo = rows_of(source, load("demo").card.channels)
    windows = chains(demo, volumes_s)
    eeg = table("EEG: columns are windows of a channel", windows, agreement_of_windows)
    answers = {name: demo_model(w) for name, w in windows.items()}
    by_demo = table("`demo`: columns are its ROIs", answers, agreement)
    wide = [name for name in PUBLISHED_CHANNELS if name in source.channels]
    some = volumes_s[np.linspace(0, len(volumes_s) - 1, n_base).round().astype(int)]
    model = drawn_base(wide, 64)
    answers = {
        name: model(w) for name, w in chains(rows_of(source, wide), some).items()
    }
    by_base = table("NeuroBOLT base, weights drawn: 64 outputs", answers, agreement)
    return (
        f"{len(volumes_s)} volumes, one each {TR_S:g} s, whose window the loop finds "
        f"good ({len(some)} of them for NeuroBOLT base, {len(wide)} channels).\n\n"
        f"{eeg}\n\n{by_demo}\n\n{by_base}"
    )


def filled(text: str, rows: str) -> str:
    """Return `text` with `rows` between the two markers."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{rows}\n{END}{after}"


def main(given: list[str]) -> None:
    """Print the comparison, or write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="into docs/data")
    parser.add_argument("--base-volumes", type=int, default=200)
    options = parser.parse_args(given)
    source, volumes_s = read_source()
    rows = report(source, volumes_s, min(options.base_volumes, len(volumes_s)))
    print(rows)
    if options.write:
        DOCS.write_text(filled(DOCS.read_text("utf-8"), rows), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
