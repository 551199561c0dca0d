"""The distribution that this rtbold comes from, and how to get what it lacks.

On PyPI the name ``rtbold`` is another lab's program. This one is installed as
``rtbold-eeg`` and imported and called as ``rtbold``. Every message that names a command
of pip takes it from here.
"""

import json
from collections.abc import Iterable, Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from rtbold.errors import RtboldError

NAME: Final = "rtbold-eeg"
OTHER: Final = "rtbold"  # "Real Time Bold Motion Plotting"; our own name before 0.1
_OURS: Final = "Predict fMRI BOLD from EEG"  # how our summary begins
_ROOT: Final = Path(__file__).resolve().parent.parent
# Extras that bring nothing for a session or a model
_FOR_DEVELOPERS: Final = ("all", "docs", "fuzz", "test")
# Where what is imported is not called like what is installed
_IMPORTED_AS: Final = {
    "cuda-bindings": "cuda",
    "pynacl": "nacl",
    "pyqt6": "PyQt6",
    "python-osc": "pythonosc",
    "pyzmq": "zmq",
    "tensorrt-rtx": "tensorrt_rtx",
}


def ours() -> metadata.Distribution:
    """Return the installed distribution of this program.

    Raises
    ------
    RtboldError : there is none: its files were copied, or put on the path by hand.
    """
    try:
        return metadata.distribution(NAME)
    except metadata.PackageNotFoundError:
        for each in metadata.distributions(name=OTHER):
            if _is_ours(each):  # a checkout that was installed under its former name
                return each
    raise RtboldError(
        f"rtbold runs, but no distribution {NAME!r} is installed, expected its version "
        f"there. Install it: {pip_install()}"
    )


def version() -> str:
    """Return the version of this program."""
    return ours().version


def other_lab() -> str | None:
    """Say that the environment holds another lab's ``rtbold`` too; None: it does not.

    Both put their files into the same folder, and whichever is removed takes files of
    the other along.
    """
    for each in metadata.distributions(name=OTHER):
        if not _is_ours(each):
            return (
                f"this environment also holds {OTHER} {each.version}, another lab's "
                f"program ({each.metadata['Summary'] or 'no summary'}), whose files "
                "lie among those of this one. Make a new environment without it, or "
                f"run: pip uninstall {OTHER}, then {reinstall()}"
            )
    return None


def _is_ours(found: metadata.Distribution) -> bool:
    return str(found.metadata["Summary"] or "").startswith(_OURS)


# What pip is to be told.


def pip_install(*extras: str) -> str:
    """Return the command that installs this program with `extras`, as it was installed.

    From a checkout, ``pip install -e ".[gui]"``. Otherwise by its name, also where a
    file was installed: pip then keeps what is there and adds what the extra brings.
    """
    return install_command(extras, checkout(), Path.cwd())


def install_command(extras: Iterable[str], checkout: Path | None, here: Path) -> str:
    """Return pip's command line.

    Parameters
    ----------
    checkout : that the program runs from; None: it was installed by its name.
    here : the working folder, where ``.`` may stand for the checkout.
    """
    named = ",".join(extras)
    wanted = f"[{named}]" if named else ""
    if checkout is None:
        return f'pip install "{NAME}{wanted}"' if wanted else f"pip install {NAME}"
    place = "." if here.resolve() == checkout.resolve() else str(checkout)
    quoted = bool(wanted) or " " in place
    return f'pip install -e "{place}{wanted}"' if quoted else f"pip install -e {place}"


def reinstall() -> str:
    """Return the command that puts the program's own files back, from where it came."""
    again = "pip install --force-reinstall --no-deps"
    if checkout() is not None:
        return pip_install().replace("pip install", again, 1)
    address = _came_from()
    return f'{again} "{NAME} @ {address}"' if address else f"{again} {NAME}"


def _came_from() -> str | None:
    """Return the address of a file that was installed; None: it came by its name."""
    try:
        told = json.loads(ours().read_text("direct_url.json") or "{}")
        return str(told["url"]) if "archive_info" in told else None
    except (ValueError, TypeError, RtboldError):
        return None


def checkout() -> Path | None:
    """Return the checkout that this program runs from; None: it was installed whole."""
    return _ROOT if (_ROOT / "pyproject.toml").is_file() else None


# Which extra brings a module that is missing.


def need(*modules: str, extra: str, purpose: str) -> None:
    """Refuse to start what would end for want of a package; nothing is imported.

    Parameters
    ----------
    purpose : what they are needed for, as in "rtbold calibrate".

    Raises
    ------
    RtboldError : some are not installed.
    """
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise RtboldError(
            f"{purpose} needs {', '.join(missing)}, which "
            f"{'is' if len(missing) == 1 else 'are'} not installed. "
            f"Install it: {pip_install(extra)}"
        )


def missing_module(name: str) -> str | None:
    """Return in a sentence what brings the module `name`; None: nothing of ours does.

    Parameters
    ----------
    name : as an import names it, ``torch.nn`` too.
    """
    top = name.partition(".")[0]
    if extra := extra_of(top):
        return (
            f"this needs the package {top!r}, which is not installed. "
            f"Install it: {pip_install(extra)}"
        )
    if top in _import_names(None):
        return (
            f"the package {top!r}, which rtbold always needs, is missing. "
            f"Install it: {pip_install()}"
        )
    return None


def extra_of(module: str) -> str | None:
    """Return the first extra whose packages bring `module`."""
    for extra in extras():
        if extra not in _FOR_DEVELOPERS and module in _import_names(extra):
            return extra
    return None


def extras() -> list[str]:
    """Return the names of the extras, in the order of pyproject.toml."""
    return ours().metadata.get_all("Provides-Extra") or []


def requirements(extra: str | None) -> Iterator[str]:
    """Yield the names of the packages that an extra asks for; None: that are always."""
    for requirement in ours().requires or ():
        text, _, marker = requirement.partition(";")
        of_extra = marker.replace("'", '"').partition('extra == "')[2]
        if of_extra.partition('"')[0] != (extra or ""):
            continue
        name = text
        for mark in "[<>=!~ (":
            name = name.partition(mark)[0]
        yield name


def _import_names(extra: str | None) -> set[str]:
    """Return what the packages are imported as."""
    names = set()
    for name in requirements(extra):
        lower = name.lower()
        names.add(_IMPORTED_AS.get(lower, name.replace("-", "_")))
        names.add(lower.replace("-", "_"))
    return names
