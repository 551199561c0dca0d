"""What predictions rest on: channels, seconds before the volume, frequency bands."""

from rtbold.calibration.explain.attribution import (
    BANDS,
    LAGS_S,
    MIN_WINDOWS,
    Attribution,
    ExplainSettings,
    Shares,
    WindowProgress,
    as_method,
    attribute,
    overlapping,
    roi_index,
)
from rtbold.calibration.explain.figure import (
    as_dict,
    check_format,
    check_number,
    draw,
    save_figure,
    shares_summary,
)
from rtbold.calibration.explain.windows import WindowKeeper, Windows, windows_of

__all__ = [
    "BANDS",
    "LAGS_S",
    "MIN_WINDOWS",
    "Attribution",
    "ExplainSettings",
    "Shares",
    "WindowKeeper",
    "WindowProgress",
    "Windows",
    "as_dict",
    "as_method",
    "attribute",
    "check_format",
    "check_number",
    "draw",
    "overlapping",
    "roi_index",
    "save_figure",
    "shares_summary",
    "windows_of",
]
