"""How the operator looks at the EEG: scale, length, filter. Pure."""

from dataclasses import dataclass, replace
from typing import Final, Self, get_args

from rtbold.gui.state.preferences import ScopeFilter

FILTERS: Final[tuple[ScopeFilter, ...]] = get_args(ScopeFilter)
SCALES_UV: Final = (
    5.0, 10.0, 20.0, 30.0, 50.0, 70.0, 100.0, 150.0, 200.0, 300.0, 500.0, 1000.0,
    2000.0, 5000.0,
)  # fmt: skip
SECONDS: Final = (5.0, 10.0, 20.0)
FILTER_WORDS: Final[dict[ScopeFilter, str]] = {
    "as sent": "As sent",
    "1-40 Hz": "1 to 40 Hz",
}


@dataclass(frozen=True, slots=True)
class ScopeSettings:
    """One way to look; a change is another object.

    Parameters
    ----------
    uv : microvolt that one channel's row stands for.
    seconds : across the screen.
    filter : for the eyes only; the model's EEG is not touched.
    """

    uv: float = 100.0
    seconds: float = 10.0
    filter: ScopeFilter = "as sent"

    def larger(self) -> Self:
        """Return the next scale that makes traces larger."""
        lower = [uv for uv in SCALES_UV if uv < self.uv]
        return replace(self, uv=lower[-1]) if lower else self

    def smaller(self) -> Self:
        """Return the next scale that makes traces smaller."""
        higher = [uv for uv in SCALES_UV if uv > self.uv]
        return replace(self, uv=higher[0]) if higher else self

    def caption(self) -> str:
        """Return in words what is on the screen."""
        shown = (
            "as sent" if self.filter == "as sent" else "1 to 40 Hz in this view only"
        )
        return f"{self.uv:g} µV per row, {self.seconds:g} s across, {shown}"
