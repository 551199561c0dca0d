"""The hardware of a site, told once in ``site.toml``; every key may be left out."""

import tomllib
from pathlib import Path

import msgspec
from platformdirs import user_config_path

from rtbold.config import MAX_SETTINGS_BYTES
from rtbold.disk import read_file
from rtbold.errors import ConfigError

NAME = "site.toml"
EXAMPLE = """\
# The hardware of your site, for `rtbold methods` and `rtbold report`.
# Fill in what you know; what is commented out counts as not told.

[lab]
# ethics = "approved by the ethics committee of ..., number ..."
# registration = "osf.io/abcde"
# sharing = "openneuro.org/datasets/ds..."

[eeg]
# amplifier = "Brain Products BrainAmp MR plus"
# electrodes = "32 sintered Ag/AgCl ring electrodes, BrainCap MR, 10-20 system"
# recording_reference = "reference FCz, ground AFz"
# sampling = "5 kHz, 0.016 to 250 Hz in hardware"
# impedances = "below 10 kOhm, checked before each run"
# synchronisation = "SyncBox to the scanner's 10 MHz clock"
# positions = "nominal"
# cleaning = "RecView 1.4: average artefact subtraction of gradients and pulse"

[scanner]
# scanner = "Siemens Prisma, 3 T"
# coil = "64-channel head and neck"
# sequence = "gradient echo EPI, TR 2.1 s, TE 29 ms, flip angle 70 degrees"
# geometry = "3 mm isotropic, 40 slices, interleaved, whole brain"

[display]
# display = "thermometer on a screen at the end of the bore, mirror on the coil"
"""


class Lab(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may, and where it is shared."""

    ethics: str = ""
    registration: str = ""
    sharing: str = ""


class Eeg(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What measures EEG."""

    amplifier: str = ""
    electrodes: str = ""
    recording_reference: str = ""
    sampling: str = ""
    impedances: str = ""
    synchronisation: str = ""
    positions: str = ""
    cleaning: str = ""


class Scanner(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What measures BOLD."""

    scanner: str = ""
    coil: str = ""
    sequence: str = ""
    geometry: str = ""


class Display(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the participant sees."""

    display: str = ""


class Site(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole ``site.toml``."""

    lab: Lab = Lab()
    eeg: Eeg = Eeg()
    scanner: Scanner = Scanner()
    display: Display = Display()

    def facts(self) -> dict[str, str]:
        """Return what was told, by the names of the checklists' facts."""
        parts = (self.lab, self.eeg, self.scanner, self.display)
        told = {
            k: str(v) for part in parts for k, v in msgspec.to_builtins(part).items()
        }
        equipment = [self.eeg.amplifier, self.scanner.scanner, self.display.display]
        told["equipment"] = "; ".join(filter(None, equipment))
        return {name: said for name, said in told.items() if said.strip()}


def default_path() -> Path:
    """Return where the file of this user's site lies."""
    return user_config_path("rtbold") / NAME


def read_site(path: Path | None = None) -> Site:
    """Return the site; without a path the user's own, or an empty one.

    Raises
    ------
    ConfigError : the file cannot be read, is no TOML, or has an unknown key.
    """
    where = path or default_path()
    try:
        text = read_file(where, at_most_bytes=MAX_SETTINGS_BYTES).decode("utf-8")
        return msgspec.convert(tomllib.loads(text), Site)
    except FileNotFoundError as error:
        if path is None:
            return Site()
        raise ConfigError(
            f"there is no {where}, expected the hardware of your site. "
            "rtbold methods --new-site FILE writes one to fill in."
        ) from error
    except OSError as error:
        raise ConfigError(
            f"cannot read {where}: {error.strerror or error}. Expected a text file."
        ) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{where} is not valid TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise ConfigError(
            f"{where}: {error}. rtbold methods --new-site FILE writes one with every "
            "key."
        ) from error
