"""How a recorded session's predictions came about, in what may be shared of it.

Of ``settings.json`` and ``card.json`` only keys that are listed here go out, and their
texts without names: the files hold paths, hosts and the names of streams too.
"""

import json
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtbold import distribution
from rtbold.errors import DataFileError, RtboldError
from rtbold.record import SETTINGS_NAME, SETTINGS_VERSION

_CARD_NAME = "card.json"
_GIT_S = 5.0
_SHA256 = re.compile("[0-9a-f]{64}")  # looks like a serial number, and is none
_PROTOCOL = (
    "tr_s", "trigger", "trigger_channel", "trigger_every", "dummy_volumes",
    "upstream_delay_ms", "cleaning", "scanner", "target", "unit", "reference",
    "interpolate", "truth_first", "truth_by_onset", "feedback", "allow_unvalidated",
    "allow_simulated_model", "allow_domain_shift",
)  # fmt: skip
_CARD = (
    "name", "architecture", "atlas", "channels", "reference", "rate_hz", "window_s",
    "tr_s", "horizon_tr", "note",
)  # fmt: skip
Label = Callable[[str], str]  # a text without names


@dataclass(frozen=True, slots=True)
class KeptFacts:
    """The settings of a recorded session and the card of its model, as they stand."""

    settings: Mapping[str, Any]
    card: Mapping[str, Any]  # empty: the session kept none that can be read

    @property
    def run(self) -> dict[str, Any]:
        """The options that the session was started with."""
        return _dict(self.settings.get("run"))

    @property
    def origin(self) -> dict[str, Any]:
        """What the model was trained on."""
        return _dict(self.card.get("origin"))

    @property
    def rois(self) -> list[str]:
        """Names of the model's ROIs."""
        found = self.card.get("rois")
        return [str(each) for each in found] if isinstance(found, list) else []

    @property
    def tr_s(self) -> float:
        """The session's TR; NaN: not known."""
        schedule = _dict(_dict(self.settings.get("pipeline")).get("schedule"))
        known = schedule.get("tr_s") or self.card.get("tr_s")
        return float(known) if isinstance(known, int | float) else float("nan")

    def provenance(self, label: Label, *, cleaning: str | None) -> dict[str, object]:
        """Return protocol, model, engine and versions.

        Parameters
        ----------
        cleaning : what cleaned the EEG, as the session or its stream said.
        """
        run, settings = self.run, self.settings
        protocol = {key: plain(run.get(key), label) for key in _PROTOCOL}
        truth = run.get("truth")
        protocol["truth"] = str(truth).partition(":")[0] if truth else None
        protocol["cleaning"] = cleaning
        model = {key: plain(self.card.get(key), label) for key in _CARD}
        model["sha256"] = plain(settings.get("model_sha256"), label)
        model["origin"] = plain(self.origin.get("kind"), label)
        recorded_with = plain(settings.get("rtbold"), label) or "n/a"
        return {
            "Protocol": protocol,
            "Pipeline": plain(settings.get("pipeline"), label),
            "Conversion": plain(settings.get("conversion"), label),
            "Model": model,
            "Engine": plain(settings.get("engine"), label),
            "RecordedWith": {"rtbold": recorded_with},
            "ExportedWith": {
                "rtbold": distribution.version(),
                "commit": commit() or "n/a",
            },
        }


def kept_facts(folder: Path) -> KeptFacts:
    """Return settings and card of the session in this folder.

    Raises
    ------
    DataFileError : the settings cannot be read, or are of another version.
    """
    path = folder / SETTINGS_NAME
    settings = _json(path)
    if settings is None:
        raise DataFileError(
            f"{path} cannot be read, expected the settings of the session beside its "
            "event log. Restore it."
        )
    if (of := settings.get("version", SETTINGS_VERSION)) != SETTINGS_VERSION:
        raise DataFileError(
            f"{path} is of version {of}, expected {SETTINGS_VERSION}: another version "
            "of rtbold recorded this session. Export it with that one."
        )
    return KeptFacts(settings, _json(folder / _CARD_NAME) or {})


def plain(value: object, label: Label) -> Any:  # noqa: ANN401 -- as JSON has it
    """Return JSON with its texts as `label` makes them, but for checksums."""
    if isinstance(value, dict):
        return {str(key): plain(each, label) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each, label) for each in value]
    if isinstance(value, str) and not _SHA256.fullmatch(value):
        return label(value)
    return value


def commit() -> str | None:
    """Return the commit of this rtbold; None: it is not known."""
    top = Path(__file__).parents[2]
    try:
        told = distribution.ours().read_text("direct_url.json")
        known = json.loads(told or "{}").get("vcs_info", {}).get("commit_id")
        if known or not (top / ".git").exists():
            return str(known)[:12] if known else None
        asked = subprocess.run(
            ["git", "-C", str(top), "rev-parse", "--short=12", "HEAD"],
            capture_output=True, text=True, timeout=_GIT_S, check=True,
        )  # fmt: skip
    except (
        RtboldError, ValueError, AttributeError, OSError,
        subprocess.SubprocessError,
    ):  # fmt: skip
        return None
    return asked.stdout.strip() or None


def _json(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
