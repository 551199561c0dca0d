"""What went in: alignment of EEG and volumes, and the quality of the channels."""

import math
from collections.abc import Mapping
from typing import Final

from rtbold.calibration.inputs.channel_facts import ChannelFacts
from rtbold.calibration.inputs.lag_scan import LagScan
from rtbold.calibration.report.charts import lag_curve
from rtbold.calibration.report.content import ReportContent
from rtbold.calibration.report.markup import (
    Markup,
    Piece,
    facts,
    figure,
    listed,
    paragraph,
    section,
    table,
)
from rtbold.calibration.report.theme import drawing, svg
from rtbold.calibration.report.words import (
    UNKNOWN,
    count,
    minutes,
    number,
    p_value,
    percent,
    span,
)

NOTEWORTHY: Final = 0.001  # share of bad seconds from which a channel is listed


def alignment_section(content: ReportContent) -> Markup:
    """Return how EEG and volumes were paired, and whether they go together."""
    a = content.alignment
    drift = UNKNOWN if a.drift_ppm is None else f"{number(a.drift_ppm, 0)} ppm"
    first, last = _ends(content)
    return section(
        "alignment",
        "Alignment of EEG and volumes",
        facts(
            [
                ("Volume marker", a.marker.said),
                ("Volumes", f"{len(a)}, {minutes(last - first + a.tr_s)}"),
                ("TR", f"{a.tr_s:.4g} s (from: {a.tr_from})"),
                ("TR by the EEG's clock", f"{number(a.tr_measured_s, 5)} s"),
                ("Clock drift", drift),
                ("Triggers found", str(a.n_found)),
                ("Missed, filled in", str(a.n_filled)),
                ("Missed, without a time", str(a.n_missed)),
                ("Doubled, ignored", str(a.n_double)),
                ("Volumes without BOLD", str(a.n_without_row)),
                (
                    "Jitter of triggers",
                    f"{number(a.jitter_sd_ms)} ms (sd), at most "
                    f"{number(a.jitter_max_ms)} ms",
                ),
                ("Run", f"{a.run} of {a.n_runs}"),
            ]
        ),
        listed(a.notes),
        _lag(content.lag),
    )


def volumes_section(content: ReportContent) -> Markup:
    """Return which volumes were used, and which channels were bad for how long."""
    windows = content.windows
    lost = windows.n_volumes - windows.n_used
    return section(
        "eeg",
        "EEG: volumes and channels",
        paragraph(
            f"{windows.n_used} of {count(windows.n_volumes, 'volume')} had 16 s of "
            f"usable EEG before them; {lost} had not."
        ),
        _reasons("Left out because of", windows.why_left_out),
        _reasons("Used, although degraded by", windows.degraded),
        _channels(content.channels),
    )


def _ends(content: ReportContent) -> tuple[float, float]:
    known = [t for t in content.alignment.onsets_s.tolist() if math.isfinite(t)]
    return (known[0], known[-1]) if known else (0.0, 0.0)


def _lag(lag: LagScan | None) -> Markup:
    if lag is None:
        return paragraph("No lag scan was made.", class_="note")
    if not math.isfinite(lag.peak_s):
        return paragraph(f"Lag scan: {lag.warning}.", class_="note")
    with drawing():
        picture = svg(
            lag_curve(lag),
            "lag",
            said=f"R at each lag; the peak is at {lag.peak_s:.0f} s",
        )
    told = (
        f"Lag scan: BOLD follows EEG power best at {number(lag.peak_s, 0)} s "
        f"(95 % {span(*lag.interval_s, digits=0)} s), R {number(lag.peak_r)}, "
        f"half as high over {number(lag.width_s, 0)} s; so high a peak by chance: "
        f"p {p_value(lag.p)}; {lag.n_volumes} windows. Shaded: where a haemodynamic "
        "response may peak. It checks the alignment; nothing was shifted."
    )
    warned = paragraph(f"{lag.warning}.", class_="note") if lag.warning else Markup("")
    return Markup(figure(picture, told).html + warned.html)


def _reasons(title: str, counts: Mapping[str, int]) -> Markup:
    pairs = sorted(counts.items(), key=lambda pair: -pair[1])
    if not pairs:
        return Markup("")
    rows: list[tuple[Piece, ...]] = [
        (reason.replace("_", " "), str(n)) for reason, n in pairs
    ]
    return table((title, "volumes"), rows)


def _channels(channels: tuple[ChannelFacts, ...]) -> Markup:
    if not channels:
        return paragraph("The channels' quality was not judged.", class_="note")
    missing = [c.label for c in channels if not c.judged_s]
    told = [c for c in channels if c.judged_s and c.bad_share >= NOTEWORTHY]
    good = len(channels) - len(missing) - len(told)
    parts = [
        paragraph(
            f"{count(len(channels), 'channel')}: {good} good throughout, "
            f"{len(told)} bad for some of the time, {len(missing)} not recorded. A "
            "channel that is bad in a window is interpolated there, as in a session; "
            "with too many, the volume is left out."
        )
    ]
    if missing:
        parts.append(
            paragraph("Not recorded, interpolated throughout: ", ", ".join(missing))
        )
    if told:
        told.sort(key=lambda c: -c.bad_share)
        parts.append(
            table(
                ("Channel", "bad", "what"),
                [(c.label, percent(c.bad_share, 1), _states(c)) for c in told],
                words=(0, 2),
            )
        )
    return Markup("\n".join(part.html for part in parts))


def _states(channel: ChannelFacts) -> str:
    pairs = sorted(channel.bad_s.items(), key=lambda pair: -pair[1])
    return ", ".join(f"{word.replace('_', ' ')} {n} s" for word, n in pairs)
