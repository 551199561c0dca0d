"""What every architecture's configuration refuses before anything is built."""

from dataclasses import fields
from typing import TYPE_CHECKING

from rtbold.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def check_heads(dim: int, **heads: int) -> None:
    """Refuse a width that its attention heads cannot share.

    Raises
    ------
    ConfigError : `dim` is not a multiple of one of `heads`, given by option name.
    """
    for option, n in heads.items():
        if n < 1 or dim < 1 or dim % n:
            raise ConfigError(
                f"dim is {dim}, expected a multiple of its {n} heads; "
                f"change dim or {option}"
            )


def check_choices(config: "DataclassInstance") -> None:
    """Refuse a word that is not one of its option's.

    Raises
    ------
    ConfigError : an option of type Literal has another value.
    """
    for field in fields(config):
        choices = getattr(field.type, "__args__", None)
        value = getattr(config, field.name)
        if isinstance(value, str) and choices and value not in choices:
            raise ConfigError(
                f"{field.name} is {value!r}, expected one of {', '.join(choices)}"
            )
