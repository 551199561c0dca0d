"""Pages of the API reference: the public face of each package, from its docstrings."""

import importlib
import importlib.util
from pathlib import Path

from command_pages import replace_pages

# The one list of packages that have a public face.
FACES = (
    "rtbold.client",
    "rtbold.acquire",
    "rtbold.condition",
    "rtbold.window",
    "rtbold.predict",
    "rtbold.publish",
    "rtbold.engine",
    "rtbold.bundle.store",
    "rtbold.files",
    "rtbold.record",
    "rtbold.truth.pairing",
    "rtbold.session.session",
    "rtbold.preflight",
    "rtbold.sim",
    "rtbold.models",
    "rtbold.calibration",
)
# Once one of these is a package, the tree has its rooms and no face may be missing.
ROOMS = ("rtbold.acquire", "rtbold.window", "rtbold.predict")


class MissingFace(Exception):
    """A package of the list cannot be imported, or hands out no name."""


def exists(name: str) -> bool:
    """Say whether `name` can be imported."""
    return importlib.util.find_spec(name) is not None


def faces() -> list[str]:
    """Return the faces that have a page; before the rooms exist, those there are."""
    if any(exists(name) for name in ROOMS):
        missing = [name for name in FACES if not exists(name)]
        if missing:
            raise MissingFace(
                f"no package {', '.join(missing)}; docs/_ext/api_pages.py lists it as "
                "a public face. Create it or take it off the list."
            )
        return list(FACES)
    return [name for name in FACES if exists(name) and public_names(name)]


def public_names(name: str) -> list[str]:
    """Return what a face hands out, in its own order."""
    module = importlib.import_module(name)
    if hasattr(module, "__all__"):
        return list(module.__all__)
    if hasattr(module, "__path__"):  # a package that hands out nothing yet
        return []
    items = vars(module).items()
    return [key for key, value in items if _is_own(key, value, module=name)]


def _is_own(key: str, value: object, *, module: str) -> bool:
    return not key.startswith("_") and getattr(value, "__module__", None) == module


def page(name: str) -> str:
    """Return the page of one face."""
    names = public_names(name)
    if not names:
        raise MissingFace(f"{name} hands out no name: its __all__ is empty or missing")
    summary = ["```{eval-rst}", f".. automodule:: {name}", "   :no-members:", "```"]
    parts = [f"# {name}", "\n".join(summary)]
    parts += [_entry(name, public) for public in names]
    return "\n\n".join(parts) + "\n"


def _entry(module: str, name: str) -> str:
    value = getattr(importlib.import_module(module), name)
    if isinstance(value, type):
        lines = [f".. autoclass:: {module}.{name}", "   :members:"]
    else:
        kind = "function" if callable(value) else "data"
        lines = [f".. auto{kind}:: {module}.{name}"]
    return "\n".join(["```{eval-rst}", *lines, "```"])


def write(folder: Path) -> list[str]:
    """Write a page for each face into `folder`; return their names, in order."""
    pages = {name: page(name) for name in faces()}
    replace_pages(folder, pages)
    return list(pages)
