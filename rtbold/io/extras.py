"""Optional packages: loaded when first needed, and missed in words."""

from importlib import import_module
from types import ModuleType

from rtbold.errors import RtboldError


def require(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import `module`, or say which extra of rtbold brings it.

    Parameters
    ----------
    purpose : what it is needed for, as in "reading EDF".
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise RtboldError(
            f"{purpose} needs the package {module!r}, which cannot be imported "
            f"({error}). Install it: pip install 'rtbold[{extra}]'"
        ) from error
