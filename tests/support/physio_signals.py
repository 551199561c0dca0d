"""Made-up pulse, ECG and breath whose rate is known."""

import numpy as np


def times_s(duration_s, rate_hz, first_s=0.0):
    return first_s + np.arange(round(duration_s * rate_hz)) / rate_hz


def true_rate(t_s):
    """Beats a minute: 66 with a slow swing of 8."""
    return 66 + 8 * np.sin(2 * np.pi * t_s / 45)


def _cycles(t_s, per_min):
    step_s = t_s[1] - t_s[0]
    return np.cumsum(per_min) / 60 * step_s


def pulse(t_s, per_min=None):
    """A pulse of a finger with its second wave, on a drift."""
    cycles = _cycles(t_s, true_rate(t_s) if per_min is None else per_min)
    wave = np.cos(2 * np.pi * cycles) + 0.4 * np.cos(4 * np.pi * cycles + 1)
    noise = np.random.default_rng(0).standard_normal(len(t_s))
    return 2000 + 300 * wave + 0.5 * t_s + 20 * noise


def ecg(t_s):
    """R waves of 1 mV, in uV, over a wandering base."""
    phase = _cycles(t_s, true_rate(t_s)) % 1
    beat_s = 60 / true_rate(t_s)
    near_s = (phase - 0.5) * beat_s
    wave = np.exp(-0.5 * (near_s / 0.012) ** 2)
    t_wave = 0.2 * np.exp(-0.5 * ((near_s - 0.25) / 0.05) ** 2)
    noise = np.random.default_rng(1).standard_normal(len(t_s))
    return 1000 * (wave + t_wave) + 100 * np.sin(t_s / 3) + 20 * noise


def true_depth(t_s):
    return 1 + 0.5 * np.sin(2 * np.pi * t_s / 70)


def breath(t_s, per_min=15.0):
    noise = np.random.default_rng(2).standard_normal(len(t_s))
    wave = true_depth(t_s) * np.sin(2 * np.pi * _cycles(t_s, per_min + 0 * t_s))
    return 500 + 100 * wave + noise
