"""Every architecture by the name that a bundle's card gives it.

All models share one call, ``model(eeg_uv) -> bold``: float32 (batch, channels, 3200)
in microvolt to float32 (batch, rois) in units of the target normalisation.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from torch import nn

from rtbold.errors import ConfigError
from rtbold.models.bandpower_ridge import BandPowerRidge, BandPowerRidgeConfig
from rtbold.models.labram import Labram, LabramConfig
from rtbold.models.neurobolt import NeuroBolt, NeuroBoltConfig

Options = Mapping[str, str | int | float | bool | list[str]]
Built = tuple[type, Callable[..., nn.Module]]

ARCHITECTURES: dict[str, Built] = {
    "neurobolt": (NeuroBoltConfig, NeuroBolt),
    "labram": (LabramConfig, Labram),
    "bandpower_ridge": (BandPowerRidgeConfig, BandPowerRidge),
}


def build(
    architecture: str, options: Options, *, channels: Sequence[str], n_rois: int
) -> nn.Module:
    """Return the network with fresh weights.

    Parameters
    ----------
    options : of the architecture's configuration; channels and ROIs are the card's.

    Raises
    ------
    ConfigError : unknown architecture or option.
    """
    if architecture not in ARCHITECTURES:
        raise ConfigError(
            f"architecture is {architecture!r}, expected one of "
            f"{', '.join(ARCHITECTURES)}; a newer rtbold may know it"
        )
    config_type, network = ARCHITECTURES[architecture]
    known = {field.name for field in dataclasses.fields(config_type)}
    unknown = sorted(set(options) - (known - {"channels", "n_rois"}))
    if unknown:
        raise ConfigError(
            f"{architecture} has no option {', '.join(unknown)}, expected some of "
            f"{', '.join(sorted(known))}"
        )
    return network(config_type(channels=tuple(channels), n_rois=n_rois, **options))


def options_of(config: object) -> dict[str, str | int | float | bool | list[str]]:
    """Return what goes on the card as ``architecture_config``."""
    options = dataclasses.asdict(config)  # type: ignore[call-overload]
    return {k: v for k, v in options.items() if k not in ("channels", "n_rois")}
