"""Every architecture by the name that a bundle's card gives it.

All models share one call, ``model(eeg_uv) -> bold``: float32 (batch, channels, 3200)
in microvolt to float32 (batch, rois) in units of the target normalisation. All have
``features(eeg_uv)``, (batch, features), and ``head``, the linear map that reads them.
"""

import copy
import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from typing import cast

import torch
from torch import nn

from rtbold.errors import ConfigError
from rtbold.models import neurobolt
from rtbold.models.biot import Biot, BiotConfig
from rtbold.models.ensemble import NeuroBoltEnsemble, NeuroBoltEnsembleConfig
from rtbold.models.labram import Labram, LabramConfig
from rtbold.models.li2024 import Beira, BeiraConfig, Siren, SirenConfig
from rtbold.models.linear import BandPowerRidge, BandPowerRidgeConfig, Efp, EfpConfig
from rtbold.models.neurobolt import NeuroBolt, NeuroBoltConfig
from rtbold.models.powers import BandPowerNet, BandPowerNetConfig
from rtbold.models.stacked import Stacked, StackedConfig

Option = str | int | float | bool | list[str]
Options = Mapping[str, Option]
Built = tuple[type, Callable[..., nn.Module]]

ARCHITECTURES: dict[str, Built] = {
    "neurobolt": (NeuroBoltConfig, NeuroBolt),
    "neurobolt_ensemble": (NeuroBoltEnsembleConfig, NeuroBoltEnsemble),
    "labram": (LabramConfig, Labram),
    "biot": (BiotConfig, Biot),
    "beira": (BeiraConfig, Beira),
    "siren": (SirenConfig, Siren),
    "bandpower_ridge": (BandPowerRidgeConfig, BandPowerRidge),
    "bandpower_net": (BandPowerNetConfig, BandPowerNet),
    "efp": (EfpConfig, Efp),
    "stacked": (StackedConfig, Stacked),
}
PRESETS: dict[str, Mapping[str, object]] = {"neurobolt": neurobolt.PRESETS}


def build(
    architecture: str, options: Options, *, channels: Sequence[str], n_rois: int
) -> nn.Module:
    """Return the network with fresh weights.

    Parameters
    ----------
    options : of the architecture's configuration; channels and ROIs are the card's.

    Raises
    ------
    ConfigError : unknown architecture or option, or a value that cannot be built.
    """
    config_type, network = _entry(architecture)
    defaults = {
        field.name: field.default
        for field in dataclasses.fields(config_type)
        if field.name not in ("channels", "n_rois")
    }
    unknown = sorted(set(options) - set(defaults))
    if unknown:
        raise ConfigError(
            f"{architecture} has no option {', '.join(unknown)}, expected some of "
            f"{', '.join(sorted(defaults))}"
        )
    for name, value in options.items():
        _check_type(name, value, default=defaults[name])
    if n_rois < 1 or not channels:
        raise ConfigError(
            f"there are {len(channels)} channels and {n_rois} ROIs, expected at least "
            "one of each"
        )
    config = config_type(channels=tuple(channels), n_rois=n_rois, **options)
    if isinstance(config, StackedConfig):
        own = json.loads(config.base_options)
        base = build(config.base, own, channels=channels, n_rois=n_rois)
        return Stacked(config, base)
    return network(config)


def stacked_on(base: nn.Module, power: BandPowerRidge, *, slope: float) -> Stacked:
    """Return the sum of a base, times `slope`, and a map of band power.

    Parameters
    ----------
    base : with a linear head; it is copied.
    """
    config = StackedConfig(
        channels=power.config.channels,
        n_rois=power.config.n_rois,
        base=name_of(base),
        base_options=json.dumps(options_of(base.config)),
        unmixing=power.config.unmixing,
    )
    head, model = cast("nn.Linear", base.head), Stacked(config, copy.deepcopy(base))
    with torch.no_grad():
        weight = [slope * head.weight, power.head.weight]
        model.head.weight.copy_(torch.cat(weight, dim=1))
        model.head.bias.copy_(slope * head.bias + power.head.bias)
    return model.eval()


def _entry(architecture: str) -> Built:
    if architecture not in ARCHITECTURES:
        raise ConfigError(
            f"architecture is {architecture!r}, expected one of "
            f"{', '.join(ARCHITECTURES)}; a newer rtbold may know it"
        )
    return ARCHITECTURES[architecture]


def _check_type(name: str, value: Option, *, default: object) -> None:
    expected = type(default)
    whole = isinstance(value, int) and not isinstance(value, bool)
    if type(value) is expected or (expected is float and whole):
        return
    raise ConfigError(
        f"{name} is {value!r}, expected {expected.__name__} such as {default!r}"
    )


def preset(architecture: str, name: str) -> Options:
    """Return the options of a named configuration, to be given to `build`.

    Every architecture has ``base``, its defaults.

    Raises
    ------
    ConfigError : unknown architecture or preset.
    """
    _entry(architecture)
    if name == "base":
        return {}
    presets = PRESETS.get(architecture, {})
    if name not in presets:
        raise ConfigError(
            f"{architecture} has no preset {name!r}, expected one of "
            f"{', '.join(['base', *(key for key in presets if key != 'base')])}"
        )
    return options_of(presets[name])


def options_of(config: object) -> dict[str, Option]:
    """Return what goes on the card as ``architecture_config``."""
    options = dataclasses.asdict(config)  # type: ignore[call-overload]
    return {k: v for k, v in options.items() if k not in ("channels", "n_rois")}


def name_of(model: nn.Module) -> str:
    """Return the name that `build` makes such a model by.

    Raises
    ------
    ConfigError : the model is of no registered architecture.
    """
    for name, (_, network) in ARCHITECTURES.items():
        if type(model) is network:
            return name
    raise ConfigError(
        f"a {type(model).__name__} is no registered architecture, expected one of "
        f"{', '.join(ARCHITECTURES)}; register it in rtbold/models/registry.py"
    )
