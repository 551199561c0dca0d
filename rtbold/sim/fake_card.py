"""The card of a bundle that does not exist, and the hello that goes with it."""

from collections.abc import Mapping
from typing import Final

from rtbold.bundle.card import Baseline, Card, Origin
from rtbold.conformal import Intervals
from rtbold.electrodes import canonical
from rtbold.errors import ConfigError
from rtbold.publish.compose import SessionFacts, hello
from rtbold.publish.feedback import FeedbackSettings
from rtbold.publish.wire import Encoding, Hello
from rtbold.sim.head import read_rois
from rtbold.sim.settings import NEUROBOLT_CHANNELS
from rtbold.wire_parts import Ports

UPSTREAM_MS: Final = 25.0
BASELINE_SD: Final = 0.5
HALF_WIDTHS: Final = (0.45, 0.8)  # at 80 % and 95 %, model units
MOST_ROIS: Final = 64

_TEN_TWENTY = (
    "Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "T7", "C3", "Cz", "C4", "T8", "P7",
    "P3", "Pz", "P4", "P8", "O1", "O2",
)  # fmt: skip
_SIXTY_FOUR = (
    "Fp1", "Fpz", "Fp2", "AF7", "AF3", "AFz", "AF4", "AF8", "F7", "F5", "F3", "F1",
    "Fz", "F2", "F4", "F6", "F8", "FT9", "FT7", "FC5", "FC3", "FC1", "FC2", "FC4",
    "FC6", "FT8", "FT10", "T7", "C5", "C3", "C1", "Cz", "C2", "C4", "C6", "T8", "TP9",
    "TP7", "CP5", "CP3", "CP1", "CPz", "CP2", "CP4", "CP6", "TP8", "TP10", "P7", "P5",
    "P3", "P1", "Pz", "P2", "P4", "P6", "P8", "PO7", "PO3", "POz", "PO4", "PO8", "O1",
    "Oz", "O2",
)  # fmt: skip
CAPS: Final[Mapping[int, tuple[str, ...]]] = {
    19: _TEN_TWENTY,
    26: NEUROBOLT_CHANNELS,
    64: _SIXTY_FOUR,
}


def fake_card(tr_s: float, *, n_rois: int = MOST_ROIS, n_channels: int = 19) -> Card:
    """Return the card: DiFuMo's first ROIs, intervals, a baseline of mean 0.

    Raises
    ------
    ConfigError : there is no cap of that size, or no such number of ROIs.
    """
    if n_channels not in CAPS:
        raise ConfigError(
            f"--channels is {n_channels}, expected one of "
            f"{', '.join(str(n) for n in CAPS)}: the caps that fake knows."
        )
    if not 1 <= n_rois <= MOST_ROIS:
        raise ConfigError(
            f"--rois is {n_rois}, expected 1 to {MOST_ROIS}: DiFuMo has no more."
        )
    return Card(
        name="fake",
        architecture="none",
        channels=tuple(canonical(name) for name in CAPS[n_channels]),
        reference="average",
        tr_s=tr_s,
        rois=tuple(roi.name for roi in read_rois())[:n_rois],
        atlas="DiFuMo 64",
        baseline=Baseline(
            name="fake", mean=(0.0,) * n_rois, sd=(BASELINE_SD,) * n_rois, n=100
        ),
        scanner="simulated",
        intervals=Intervals(
            half_width=(HALF_WIDTHS,) * n_rois, n_eff=(100.0,) * n_rois
        ),
        origin=Origin(kind="simulated", simulated_lineage=True),
        note="scripted values; there is no model",
    )


def fake_hello(
    card: Card, ports: Ports, target: FeedbackSettings, *, encoding: Encoding = "json"
) -> Hello:
    """Return the hello of a fake session."""
    facts = SessionFacts(
        model_sha256="0" * 64,
        simulated_stream=True,
        ports=ports,
        tr_s=card.tr_s,
        encoding=encoding,
        upstream_delay_ms=UPSTREAM_MS,
    )
    return hello(card, facts, settings=target)
