"""Draw docs/img/conditioning-*.png by sending tones and steps through the chain.

python scripts/pictures/figures_conditioning.py         (needs matplotlib, extra "docs")
"""

from pathlib import Path

import matplotlib as mpl
import numpy as np

from rtbold.bundle.card import Conditioning
from rtbold.condition.conditioner import Conditioner, highpass_delay_s
from rtbold.messages import FloatArray

mpl.use("Agg")
from matplotlib import pyplot as plt

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "img"
CARD = Conditioning()


def gain_db(f_hz: FloatArray, rate_hz: int) -> FloatArray:
    """Measure the chain's gain with one long tone per frequency."""
    t_s = np.arange(24 * rate_hz) / rate_hz
    tones = np.sin(2 * np.pi * f_hz[:, None] * t_s)
    out = Conditioner(rate_hz, len(f_hz), CARD)(tones)[:, 800:4800]
    heard = np.sqrt((out.astype(np.float64) ** 2).mean(axis=1))
    return np.asarray(20 * np.log10(heard * np.sqrt(2) + 1e-12))


def draw_response() -> None:
    """Draw gain against frequency: whole, and the pass-band from close."""
    figure, (whole, close) = plt.subplots(1, 2, figsize=(10, 3.6))
    for rate_hz in (250, 1000):
        f_hz = np.geomspace(0.1, 0.49 * rate_hz, 160)
        whole.semilogx(f_hz, gain_db(f_hz, rate_hz), label=f"{rate_hz} Hz in")
    whole.axhline(-60, color="grey", ls=":", lw=1)
    whole.axvline(100, color="grey", ls=":", lw=1)
    whole.set(ylim=(-100, 5), xlabel="frequency of the tone (Hz)", ylabel="gain (dB)")
    whole.legend()
    f_hz = np.linspace(1, 85, 160)
    close.plot(f_hz, gain_db(f_hz, 250))
    close.axvline(80, color="grey", ls=":", lw=1)
    close.set(ylim=(-1, 0.5), xlabel="frequency (Hz)", ylabel="gain (dB), 250 Hz in")
    save(figure, "response")


def draw_delay() -> None:
    """Draw the high-pass's group delay, which is not compensated."""
    figure, axes = plt.subplots(figsize=(5, 3.4))
    f_hz = np.geomspace(0.1, 80, 300)
    axes.loglog(f_hz, 1000 * highpass_delay_s(f_hz, CARD))
    for f in (0.5, 2.0, 8.0):
        delay_ms = 1000 * float(highpass_delay_s(np.array(f), CARD))
        axes.plot(f, delay_ms, "o", color="C1")
        axes.annotate(f" {delay_ms:.1f} ms", (f, delay_ms))
    axes.set(xlabel="frequency (Hz)", ylabel="delay of the high-pass (ms)")
    save(figure, "delay")


def draw_step() -> None:
    """Draw what a first sample that is off by 1 mV leaves behind."""
    rate_hz = 500
    x = np.full((1, 6 * rate_hz), 1000.0)
    x[0, 0] = 0.0
    stage = Conditioner(rate_hz, 1, CARD)
    out = np.abs(stage(x)[0])
    figure, axes = plt.subplots(figsize=(5, 3.4))
    axes.semilogy(np.arange(len(out)) / 200, out + 1e-6)
    axes.axvline(stage.settle_s, color="C1", label=f"settled: {stage.settle_s:.2f} s")
    axes.set(ylim=(1e-3, 2e3), xlabel="time since the restart (s)", ylabel="|out| (uV)")
    axes.legend()
    save(figure, "step")


def save(figure: plt.Figure, name: str) -> None:
    """Write docs/img/conditioning-NAME.png."""
    IMAGES.mkdir(exist_ok=True)
    figure.tight_layout()
    figure.savefig(IMAGES / f"conditioning-{name}.png", dpi=110, metadata={})
    print(IMAGES / f"conditioning-{name}.png")


if __name__ == "__main__":
    draw_response()
    draw_delay()
    draw_step()
