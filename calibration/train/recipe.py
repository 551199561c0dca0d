"""Recipes: everything that decides how a model is trained, in one small TOML file.

The shipped ones lie in ``recipes/`` beside this module. A recipe of one's own is a file
with the same keys; what it leaves out has the value that stands here
(docs/reference/recipes.md).
"""

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Final, Literal, get_args, get_origin, get_type_hints

import msgspec

from rtbold.disk import read_file
from rtbold.errors import ConfigError
from rtbold.text import did_you_mean

FORMAT: Final = 1
NOTHING: Final = "nothing"
SUFFIX: Final = ".toml"
_LARGEST_BYTES: Final = 100_000

Method = Literal["gradient", "closed-form"]
Loss = Literal["mse", "mse+centred"]
Targets = Literal["plain", "whitened"]
Select = Literal["mse", "r", "r-centred", "loss"]
Schedule = Literal["cosine", "one-cycle"]
Precision = Literal["float32", "bfloat16"]
Head = Literal["gradient", "closed-form"]
PenaltyBy = Literal["validation", "training"]


class ModelPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which network: an architecture of the registry, a preset, options over it."""

    architecture: str
    preset: str = "base"
    options: dict[str, str | int | float | bool | list[str]] = {}
    start: str = NOTHING  # bundle whose weights are the start
    frozen: tuple[str, ...] = ()  # parts of the network that stay as they start


class DataPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which windows and targets, and what is done to them while training."""

    split: str = "strict-within"
    global_regression: bool = False  # targets without the global signal
    channel_dropout: float = 0.0  # expected share of the channels that are lost
    dropout_share: float = 0.5  # of the windows that lose channels at all
    amplitude_jitter: float = 0.0  # sd of a window's log gain, as caps differ in gain
    # Sessions of the twin that are learned from in place of the training part, of which
    # band power alone is made: ``hard:1000-1599``.
    drawn: tuple[str, ...] = ()


class TrainingPart(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True
):
    """How the weights move, and which of them are kept."""

    method: Method = "gradient"
    loss: Loss = "mse"
    targets: Targets = "plain"
    select: Select = "mse"  # figure of the validation part that the best epoch has
    epochs: int = 20
    patience: int = 0  # epochs without a better one before training ends; 0: never
    batch_size: int = 16  # windows of one process in one step
    learning_rate: float = 3e-4  # peak
    end_rate: float = 1e-6
    schedule: Schedule = "cosine"
    warmup_epochs: float = 0.0
    weight_decay: float = 0.05
    layer_decay: float = 1.0  # of the rate per block, towards the input
    gradient_clip: float = 0.0  # norm; 0: none
    averaging: float = 0.0  # decay per step of the weights that are kept; 0: none
    precision: Precision = "float32"
    head: Head = "gradient"  # closed-form: solved once more at the end, kept if better
    penalty_by: PenaltyBy = "validation"  # closed forms: scans that choose the penalty
    common: float = 1.0  # share of the mean over ROIs that the answers keep


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One way to train one model."""

    format: int = FORMAT
    name: str
    about: str = ""
    model: ModelPart
    data: DataPart = DataPart()
    training: TrainingPart = TrainingPart()

    @property
    def sha256(self) -> str:
        """Return the hash of every value, those that were not written too."""
        text = msgspec.json.encode(self, order="deterministic")
        return hashlib.sha256(text).hexdigest()

    def toml(self) -> str:
        """Return the file that says the same, every value written."""
        found = msgspec.to_builtins(self)
        plain = {k: v for k, v in found.items() if not isinstance(v, dict)}
        lines = [*_toml_lines(plain)]
        for section in ("model", "data", "training"):
            values = {k: v for k, v in found[section].items() if k != "options"}
            lines += ["", f"[{section}]", *_toml_lines(values)]
            if options := found[section].get("options"):
                lines += ["", f"[{section}.options]", *_toml_lines(options)]
        return "\n".join(lines) + "\n"


def shipped() -> tuple[str, ...]:
    """Return the names of the recipes that rtbold brings."""
    folder = files("rtbold.calibration.train") / "recipes"
    names = [entry.name for entry in folder.iterdir()]
    return tuple(sorted(n.removesuffix(SUFFIX) for n in names if n.endswith(SUFFIX)))


def load_recipe(name_or_path: str | Path) -> Recipe:
    """Return a shipped recipe by its name, or one of the user's by its file.

    Raises
    ------
    ConfigError : there is none, or it has keys or values that no recipe has.
    """
    given = str(name_or_path)
    path = Path(given)
    if not (path.suffix == SUFFIX or path.is_file()):
        return parse_recipe(_shipped_text(given), where=f"recipe {given!r}")
    try:
        data = read_file(path, at_most_bytes=_LARGEST_BYTES)
    except OSError as error:
        raise ConfigError(
            f"recipe {path} cannot be read ({error.strerror or error}); expected a "
            f"TOML file, or one of {', '.join(shipped())}"
        ) from error
    try:
        return parse_recipe(data.decode("utf-8"), where=str(path))
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path} is not text in UTF-8 ({error.reason}); save it so"
        ) from error


def _shipped_text(name: str) -> str:
    known = shipped()
    if name not in known:
        raise ConfigError(
            f"no recipe {name!r}, expected one of {', '.join(known)}, or a file that "
            f"ends in {SUFFIX}.{did_you_mean([name], known)}"
        )
    found = files("rtbold.calibration.train") / "recipes" / f"{name}{SUFFIX}"
    return found.read_text("utf-8")


def parse_recipe(text: str, *, where: str) -> Recipe:
    """Return the recipe that a text holds.

    Parameters
    ----------
    where : the file or the recipe, for messages.

    Raises
    ------
    ConfigError : it is no TOML, has an unknown key, a value of another kind, or one
        that no training can be done with.
    """
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where} is not valid TOML: {error}") from error
    for problem in _unknown(Recipe, found, ""):
        raise ConfigError(f"{where} {problem}")
    try:
        recipe = msgspec.convert(found, Recipe)
    except msgspec.ValidationError as error:
        raise ConfigError(
            f"{where} is no recipe: {error}; docs/reference/recipes.md lists the keys"
        ) from error
    for problem in _senseless(recipe):
        raise ConfigError(f"{where}: {problem}")
    return recipe


def _unknown(
    part: type[msgspec.Struct], found: Mapping[str, object], place: str
) -> Iterator[str]:
    """Find keys and words that a part does not have, with those that come near."""
    kinds = get_type_hints(part)
    for key, value in found.items():
        spot = f"{place}{key}"
        if key not in kinds:
            yield (
                f"has no key {spot!r}, expected some of {', '.join(kinds)}."
                f"{did_you_mean([key], kinds)}"
            )
        elif isinstance(value, dict) and _is_part(kinds[key]):
            yield from _unknown(kinds[key], value, f"{spot}.")
        elif get_origin(kinds[key]) is Literal and value not in get_args(kinds[key]):
            choices = [str(choice) for choice in get_args(kinds[key])]
            yield (
                f"says {spot} = {value!r}, expected one of {', '.join(choices)}."
                f"{did_you_mean([str(value)], choices)}"
            )


def _is_part(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _senseless(recipe: Recipe) -> Iterator[str]:
    if recipe.format != FORMAT:
        yield f"format is {recipe.format}, expected {FORMAT}; is it of a newer rtbold?"
    if not recipe.name.strip():
        yield "name is empty, expected a word for tables and cards"
    data, training = recipe.data, recipe.training
    for name, value, low, high in (
        ("data.channel_dropout", data.channel_dropout, 0.0, 0.5),
        ("data.dropout_share", data.dropout_share, 0.0, 1.0),
        ("data.amplitude_jitter", data.amplitude_jitter, 0.0, 1.0),
        ("training.epochs", training.epochs, 1, 100_000),
        ("training.patience", training.patience, 0, 100_000),
        ("training.batch_size", training.batch_size, 1, 100_000),
        ("training.learning_rate", training.learning_rate, 1e-9, 10.0),
        ("training.end_rate", training.end_rate, 0.0, training.learning_rate),
        ("training.warmup_epochs", training.warmup_epochs, 0.0, training.epochs),
        ("training.weight_decay", training.weight_decay, 0.0, 10.0),
        ("training.layer_decay", training.layer_decay, 0.01, 1.0),
        ("training.gradient_clip", training.gradient_clip, 0.0, 1e6),
        ("training.averaging", training.averaging, 0.0, 0.999999),
        ("training.common", training.common, 0.0, 1.0),
    ):
        if not low <= value <= high:  # also what is no number at all
            yield f"{name} is {value:g}, expected {low:g} to {high:g}"
    if data.drawn and data.channel_dropout:
        yield (
            f"data.channel_dropout is {data.channel_dropout:g} beside data.drawn, "
            "expected 0: drawn sessions have no EEG that a channel could be lost of"
        )
    if training.targets == "whitened" and training.loss != "mse":
        yield (
            f"training.loss is {training.loss!r} beside whitened targets, expected "
            "'mse': whitening weighs every component alike already"
        )
    if data.channel_dropout and not data.dropout_share:
        yield (
            "data.dropout_share is 0 beside a channel dropout, expected above 0, or "
            "leave the channel dropout out"
        )


def _toml_lines(values: Mapping[str, object]) -> Iterator[str]:
    for key, value in values.items():
        # A JSON string, number, truth value or list of them is TOML too
        yield f"{key} = {msgspec.json.encode(value).decode()}"
