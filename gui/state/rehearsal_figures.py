"""The figures of a rehearsal in words, in the order in which one reads them. Pure."""

from collections.abc import Mapping
from typing import Final

UNITS: Final = {"s": "s", "ms": "ms", "hz": "Hz", "mb": "MB", "gb": "GB", "uv": "µV"}
BYTES_PER_MB: Final = 1e6
KNOWN: Final[dict[str, str]] = {
    "ran_s": "the session ran",
    "n_volumes": "volumes",
    "by_status": "predictions",
    "by_reason": "reasons",
    "n_volumes_missed": "volumes without a prediction",
    "n_volumes_double": "volumes with two",
    "n_late": "late predictions",
    "n_triggers": "triggers",
    "trigger_every_s": "from trigger to trigger",
    "tr_s": "TR",
    "n_triggers_missed": "triggers missed",
    "n_triggers_double": "triggers doubled",
    "rate_hz": "rate of the EEG",
    "n_gaps": "gaps in the EEG",
    "n_missing_samples": "samples missing",
    "age_p50_ms": "age when published, median",
    "age_p99_ms": "age when published, 99 %",
    "age_max_ms": "age when published, worst",
    "infer_p99_ms": "model's own time, 99 %",
    "feed_p99_ms": "feed to subscriber, 99 %",
    "n_sequence_gaps": "messages lost on the feed",
    "longest_silence_s": "longest silence of the feed",
    "control_ms": "answer of the control socket",
    "memory_begin_mb": "memory at the start",
    "memory_end_mb": "memory at the end",
    "recording": "recording",
    "said": "the session's last words",
}
LEFT_OUT: Final = frozenset(  # told by a check or by the verdict, or no news
    {
        "asked_s", "locked", "returncode", "interrupted", "since_trigger_s",
        "stream_lost", "n_answers", "n_after_usable", "n_usable", "n_measured",
        "control_problem",
    }
)  # fmt: skip


def figure_rows(figures: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return names and values for people; what is not known here comes last."""
    names = [name for name in KNOWN if name in figures]
    names += [n for n in figures if n not in KNOWN and n not in LEFT_OUT]
    rows = [(name, figure_words(name, figures[name])) for name in names]
    return [(KNOWN.get(name, words[0]), words[1]) for name, words in rows if words[1]]


def figure_words(name: str, value: object) -> tuple[str, str]:
    """Return a figure's name and value for people: ``latency_p99_ms`` -> with unit."""
    stem, _, unit = name.rpartition("_")
    if not stem or unit not in UNITS:
        stem, unit = name, ""
    if name == "recording" and isinstance(value, Mapping):
        return stem, _recording(value)
    said = "unknown" if value is None else f"{_text(value)} {UNITS.get(unit, '')}"
    return stem.replace("_", " "), said.strip()


def _recording(value: Mapping[str, object]) -> str:
    if problem := value.get("problem"):
        return str(problem)
    size = value.get("n_bytes")
    mb = f", {size / BYTES_PER_MB:.1f} MB" if isinstance(size, int) else ""
    counts = f"{value.get('n_samples')} samples, {value.get('n_markers')} markers{mb}"
    return f"{counts}, in {value.get('path')}"


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        said = [
            f"{_text(n)} {str(name).replace('_', ' ')}" for name, n in value.items()
        ]
        return ", ".join(said) or "none"
    if isinstance(value, list):
        return ", ".join(_text(each) for each in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
