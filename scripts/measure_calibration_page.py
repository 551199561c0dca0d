"""Figures of the evaluation as tables, and their place in docs/data/calibration.md."""

import json
from collections.abc import Mapping

from bench_report import ROOT, facts, put

PAGE = ROOT / "docs" / "data" / "calibration.md"
DATA = ROOT / "docs" / "data"
SIMULATED = "SIMULATED subjects, seeds that nothing was developed on"
SERIES = {
    "network": "calibrated network (strategy `head`)",
    "base": "shipped base as it is",
    "ridge": "ridge, lags to 16 or 24 s",
    "ridge_live": "ridge that can run live (16 s)",
}


def write(
    name: str, found: dict, text: str, *, load_before: tuple[float, float, float]
) -> None:
    """Put one question's figures into docs/data and its table into the page."""
    said = facts(load_before)
    DATA.mkdir(parents=True, exist_ok=True)
    data = DATA / f"calibration_{name}.json"
    data.write_text(json.dumps({"measured": said, **found}, indent=1) + "\n")
    if not PAGE.exists():
        PAGE.write_text("# Calibration\n", encoding="utf-8")
    link = f"Data: [{data.name}]({data.name})."
    put(f"calibration-{name}", f"{text}\n\n{link} {said}", page=PAGE)


def subjects(found: dict) -> str:
    """Return R of each model, and the paired differences."""
    lines = [
        f"### Calibrated from 16 minutes, {found['subjects']} subjects",
        "",
        f"{SIMULATED}. Scored on the {found['n_test']} volumes from 36 s after the "
        "16th minute to the 20th, mean over all ROIs.",
        "",
        "| model | R without cubic drift | R |",
        "|---|---|---|",
    ]
    for name, label in SERIES.items():
        cells = [interval(found[k]["mean"][name]) for k in ("r", "r_with_drift")]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    lines += [
        "",
        "| difference of R, without drift | mean | Cohen's dz |",
        "|---|---|---|",
    ]
    for name, value in found["r"]["difference"].items():
        dz = f"{value['dz']:.2f} ({value['dz_low']:.2f} to {value['dz_high']:.2f})"
        lines.append(f"| {_pair(name)} | {signed(value)} | {dz} |")
    return "\n".join(lines)


def gate(found: dict) -> str:
    """Return pass rates of null scans."""
    lines = [
        f"### Null scans that pass the gate: {found['scans']} pairs of "
        f"{found['subjects']} subjects",
        "",
        f"{SIMULATED}. EEG of one subject, BOLD of another; both keep their "
        "autocorrelation and the fall of vigilance. Each subject is in several pairs: "
        "the second bound is of a bootstrap over subjects (too small where few pass: "
        "the larger of the two counts).",
        "",
        "| nulls | passed | upper 95 % bound | over subjects "
        "| all ROIs | over subjects |",
        "|---|---|---|---|---|---|",
    ]
    for name in ("phases alone", "other subjects too"):
        declared, every = found[name]["declared"], found[name]["every_roi"]
        lines.append(
            f"| {name} | {declared['hits']} of {declared['n']} "
            f"| **{percent(declared['upper'])}** "
            f"| {percent(declared['clustered_upper'])} | {percent(every['share'])} "
            f"| {percent(every['clustered_upper'])} |"
        )
    lines += [
        "",
        "Each candidate by itself at 5 %, without the choice between them, all ROIs "
        "(bound over subjects in brackets): "
        + "; ".join(
            f"{SERIES[name]} {percent(cell['share'])} "
            f"({percent(cell['clustered_upper'])})"
            for name, cell in found["alone"].items()
        )
        + ".",
    ]
    return "\n".join(lines)


def power(found: dict) -> str:
    """Return pass rates by true R and minutes."""
    lines = [
        f"### Power of the gate, {found['subjects']} subjects",
        "",
        f"{SIMULATED}. *Declared*: one ROI a scan; *all ROIs*: as if each had been "
        "declared, mean over subjects. R is out of fold, as the calibration finds it.",
        "",
        "| true R, minutes | passes (declared) | all ROIs | with others' EEG: declared "
        "| all ROIs | R of network | R of ridge |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, cell in found["conditions"].items():
        cells = []
        for kind in ("phases alone", "other subjects too"):
            cells += [
                hits(cell[kind]["declared"]),
                interval(cell[kind]["every_roi"], scale=100, unit=" %", digits=0),
            ]
        cells += [f"{cell[f'{s}_r']['mean']:.3f}" for s in ("network", "ridge_live")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def confound(found: dict) -> str:
    """Return how often a level's scans were called specific."""
    lines = [
        "### Scans that share all but the brain",
        "",
        f"{SIMULATED}. The whole verdict on one declared ROI a scan.",
        "",
        "| level | confounds | passed the gate | called `specific` | upper 95 % bound "
        "| labels |",
        "|---|---|---|---|---|---|",
    ]
    for level, cells in found.items():
        for name, cell in cells.items():
            if name == "scans":
                continue
            labels = ", ".join(f"{k} {n}" for k, n in cell["labels"].items())
            lines.append(
                f"| {level} | {name} | {hits(cell['passed'])} "
                f"| {hits(cell['specific'])} "
                f"| **{percent(cell['specific']['upper'])}** | {labels} |"
            )
    return "\n".join(lines)


def coverage(found: dict) -> str:
    """Return coverage of both levels."""
    lines = [
        f"### Coverage of the intervals, {found['scans']} scans",
        "",
        f"{SIMULATED}. Half-widths from 16 minutes; coverage of the later ones. "
        "*Level removed*: without each ROI's mean error in those minutes. *Spread*: sd "
        "of later errors over that of the calibration's; *offset*: mean error in the "
        "same unit.",
        "",
        "| model | said | covered | level removed | in calibration | ROIs "
        "| spread | offset |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for series in ("network", "ridge_live"):
        cell = found[series]
        for level in [k for k in cell if isinstance(cell[k], Mapping)]:
            row = cell[level]
            shares = [
                interval(row[kind], scale=100, unit=" %", digits=1)
                for kind in ("inside", "inside_without_level", "inside_learned")
            ]
            rois = (
                f"{percent(row['rois']['lowest'])} to {percent(row['rois']['highest'])}"
            )
            lines.append(
                f"| {SERIES[series]} | {percent(float(level))} | {' | '.join(shares)} "
                f"| {rois} | {cell['sd_ratio']:.2f} | {cell['offset']:.2f} |"
            )
    return "\n".join(lines)


def time(found: dict) -> str:
    """Return stages, memory and what fitting everything would take."""
    lines = [
        f"### Time and memory, {found['minutes']:g} minutes of 26 channels at "
        f"{found['rate_hz']:g} Hz",
        "",
        "`rtbold calibrate` with the default strategy, files to report. The base-size "
        "network has random weights: its time does not depend on them. The last two "
        "columns are extrapolated from training steps measured in the same process: "
        "strategy `all` for all folds, and the published way (one network a ROI, all "
        "weights, 20 epochs, one split).",
        "",
        "| base | channels used | ROIs | whole | peak memory | strategy `all` "
        "| published way |",
        "|---|---|---|---|---|---|---|",
    ]
    for case in found["cases"]:
        base, rois = case["key"]
        lines.append(
            f"| {base} | {case['n_channels']} | {rois} | **{span(case['process_s'])}** "
            f"| {case['peak_mb']} MB | {span(case['all_s'])} "
            f"| {span(case['published_way_s'])} |"
        )
    lines += ["", "| stage | " + " | ".join(_case(c) for c in found["cases"]) + " |"]
    lines.append("|---" * (1 + len(found["cases"])) + "|")
    names = list(dict.fromkeys(n for c in found["cases"] for n, _ in c["stages"]))
    for name in names:
        cells = [
            f"{sum(s for n, s in case['stages'] if n == name):.1f} s"
            for case in found["cases"]
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def everything(found: dict) -> str:
    """Return the default strategy beside fitting everything."""
    lines = [
        "### Default strategy against fitting everything",
        "",
        f"{SIMULATED}. Out-of-fold R of 20 minutes without cubic drift, mean over all "
        "ROIs. The base size starts from nothing, with all 26 channels.",
        "",
        "| base | subjects | strategy `head` | ridge | strategy `all` "
        "| head less all | ridge less all |",
        "|---|---|---|---|---|---|---|",
    ]
    for size, cell in found.items():
        cells = [interval(cell["mean"][k]) for k in ("head", "ridge", "all")]
        cells += [signed(cell["difference"][f"{k} - all"]) for k in ("head", "ridge")]
        lines.append(f"| {size} | {cell['subjects']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def horizon(found: dict) -> str:
    """Return R for every horizon."""
    names = [name for name in SERIES if name in found]
    horizons = list(found[names[0]])
    lines = [
        f"### Look-ahead, {found['subjects']} subjects",
        "",
        f"{SIMULATED}. Out-of-fold R of 20 minutes without cubic drift, mean over all "
        "ROIs, by volumes ahead; below it the difference to none ahead.",
        "",
        "| model | " + " | ".join(horizons) + " |",
        "|---" * (1 + len(horizons)) + "|",
    ]
    for name in names:
        cells = [interval(found[name][h]["r"]) for h in horizons]
        lines.append(f"| {SERIES[name]} | {' | '.join(cells)} |")
        cells = [signed(found[name][h]["against_0"]) for h in horizons[1:]]
        lines.append(f"| against none | | {' | '.join(cells)} |")
    return "\n".join(lines)


def interval(
    value: Mapping[str, float], *, scale: float = 1, unit: str = "", digits: int = 3
) -> str:
    """Return ``mean (low to high)``."""
    mean, low, high = (
        f"{scale * value[k]:.{digits}f}" for k in ("mean", "low", "high")
    )
    return f"{mean}{unit} ({low} to {high})"


def signed(value: Mapping[str, float]) -> str:
    """Return a difference with its interval."""
    return f"{value['mean']:+.3f} ({value['low']:+.3f} to {value['high']:+.3f})"


def percent(share: float) -> str:
    """Return a share in per cent."""
    return f"{100 * share:.1f} %"


def hits(value: Mapping[str, float]) -> str:
    """Return a count with its share."""
    return f"{value['hits']} of {value['n']} ({percent(value['share'])})"


def span(seconds: float) -> str:
    """Return a duration in the unit that reads best."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.1f} min" if minutes < 120 else f"{minutes / 60:.1f} h"


def _pair(name: str) -> str:
    a, b = name.split(" - ")
    return f"{SERIES[a]} less {SERIES[b]}"


def _case(case: Mapping) -> str:
    base, rois = case["key"]
    return f"{base}, {rois} ROIs"
