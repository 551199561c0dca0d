"""Numbers as a report prints them. Pure."""

import math

UNKNOWN = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"


def number(value: float | None, digits: int = 2) -> str:
    """Return a number with so many digits behind the point; a dash where none is."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")  # no negative zero
    return text.replace("-", MINUS)


def p_value(p: float | None) -> str:
    """Return p with three digits behind the point, never as zero."""
    if p is None or not math.isfinite(p):
        return UNKNOWN
    return f"{p:.3f}" if p >= 0.00095 else f"{p:.1g}"


def span(low: float | None, high: float | None, digits: int = 2) -> str:
    """Return both ends of an interval."""
    return f"{number(low, digits)} to {number(high, digits)}"


def percent(share: float | None, digits: int = 0) -> str:
    """Return a share, 0 to 1, in percent."""
    return UNKNOWN if share is None else f"{number(100 * share, digits)} %"


def count(n: int, noun: str) -> str:
    """Return a number with its noun, in the plural where it is not one."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def minutes(seconds: float) -> str:
    """Return a length of time in minutes."""
    return f"{seconds / 60:.1f} min"
