"""What child processes found: streams, subjects, models; the twin's dry run. Pure."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, TypeVar

import msgspec

from rtbold.gui.state.setup import SetupChoice

# What a stream can serve for follows from its type; where that says nothing, from its
# rate and format. A stream serves for one thing only.

StreamRole = Literal["eeg", "markers", "bold", "own", "other"]
MARKER_TYPES = (
    "marker", "markers", "event", "events", "stim", "trigger", "triggers",
)  # fmt: skip
EEG_TYPES = ("eeg", "exg")
BOLD_TYPES = ("bold", "fmri", "mri")
OWN_TYPES = ("prediction",)  # of rtbold itself
OWN_NAMES = ("rtbold-pred", "rtbold-events")
TEXT = "string"
ROLE_WORDS: dict[StreamRole, str] = {
    "eeg": "EEG",
    "markers": "markers",
    "bold": "measured BOLD",
    "own": "what rtbold itself sends",
    "other": "neither EEG, markers nor BOLD",
}
_Seen = TypeVar("_Seen", "StreamSeen", "BundleSeen")


@dataclass(frozen=True, slots=True)
class StreamSeen:
    """One LSL stream that answered."""

    name: str
    type: str = ""
    host: str = ""
    n_channels: int = 0
    rate_hz: float = 0.0  # 0: irregular
    format: str = ""
    simulated: bool | None = None  # None: nobody said

    @property
    def rate_words(self) -> str:
        """Its rate for people."""
        return f"{self.rate_hz:g} Hz" if self.rate_hz else "irregular"

    @property
    def role(self) -> StreamRole:
        """What it can serve for."""
        kind = self.type.casefold()
        if kind in OWN_TYPES or self.name.casefold() in OWN_NAMES:
            return "own"
        if kind in BOLD_TYPES:
            return "bold"
        if kind in EEG_TYPES and self.format != TEXT:
            return "eeg"  # without a rate too: the check says what its sender forgot
        if self.rate_hz > 0:
            return "other" if kind in MARKER_TYPES or self.format == TEXT else "eeg"
        if self.format == TEXT:
            return "markers" if self.n_channels <= 1 else "other"
        if kind in MARKER_TYPES or self.n_channels <= 1:
            return "markers"
        return "bold"  # numbers, several at once, now and then

    @property
    def may_be_eeg(self) -> bool:
        """Whether it could be an amplifier's."""
        return self.role == "eeg"

    @property
    def may_be_markers(self) -> bool:
        """Whether it could carry triggers."""
        return self.role == "markers"

    @property
    def may_be_bold(self) -> bool:
        """Whether it could carry measured BOLD."""
        return self.role == "bold"


@dataclass(frozen=True, slots=True)
class BundleSeen:
    """A subject's calibration, or a model, as it can be chosen."""

    name: str
    code: str = ""  # of the subject; empty: a model that is nobody's
    path: str = ""
    error: str = ""
    origin: str = ""
    simulated: bool = False
    unvalidated: bool = False
    targets: tuple[str, ...] = ()
    target: str = ""
    unfit: Mapping[str, str] = field(default_factory=dict)
    r_of: Mapping[str, float] = field(default_factory=dict)  # what calibration found
    gate: Mapping[str, Any] = field(default_factory=dict)
    calibrated: str = ""
    tr_s: float = 2.1
    channels: tuple[str, ...] = ()
    cleaning: str = ""
    scanner: str = ""

    def facts(self) -> str:
        """Return in words what it is and what its calibration found."""
        if self.error:
            return f"Cannot be read: {self.error}"
        said = [
            f"{self.origin_words}, {len(self.channels)} channels, "
            f"{len(self.targets)} targets, TR {self.tr_s:g} s."
        ]
        if self.gate:
            said.append(_gate_words(self.gate))
        elif self.origin == "start":
            said.append("It has no trained head yet: calibrate a subject with it.")
        else:
            said.append("Never calibrated on a subject, so it has no verdict.")
        return "\n".join(said)

    @property
    def origin_words(self) -> str:
        """Where the weights come from."""
        words = {
            "subject": "this subject's own model",
            "group": "a group's model",
            "published": "published weights",
            "simulated": "SIMULATED: learned from simulated brains",
            "start": "a start for training",
        }.get(self.origin, self.origin or "origin unknown")
        return words + (
            f", calibrated {self.calibrated[:10]}" if self.calibrated else ""
        )

    def targets_in_order(self) -> tuple[str, ...]:
        """Return what can be fed back: the fit ones first, the largest R first."""

        def rank(target: str) -> tuple[bool, bool, float]:
            r = self.r_of.get(target)
            return target in self.unfit, r is None, -(r or 0.0)

        return tuple(sorted(self.targets, key=rank))

    def target_words(self, target: str) -> str:
        """Return a target with its R, and a mark where it is not fit for feedback."""
        r = self.r_of.get(target)
        said = target if r is None else f"{target}, R {r:.2f}"
        return f"✕ {said} (not fit)" if target in self.unfit else said

    def refusal(self, target: str = "") -> str:
        """Return why a session would refuse it, and what to do; empty: it would not."""
        wanted = target or self.target
        if self.error:
            return "Its files cannot be read. Copy the bundle again, or choose another."
        if self.origin == "start":
            return "It cannot predict yet. Calibrate a subject with it first."
        if wanted in self.unfit:
            return (
                f"{wanted} is not fit for feedback: {self.unfit[wanted]}. Choose "
                "another target, scan longer and calibrate again, or override after "
                "the check."
            )
        if self.unvalidated:
            return (
                "It was made on another conditioning chain and not calibrated since. "
                "Calibrate it, or override after the check."
            )
        return ""


_SIGNS: Final = (" - ", "+", "*", '"')  # of a contrast; names have hyphens too


def is_contrast(text: str) -> bool:
    """Return whether a target that is no entry is written out; the check reads it."""
    return text.casefold() == "global" or any(sign in text for sign in _SIGNS)


@dataclass(frozen=True, slots=True)
class Streams:
    """The streams of the last search that gave an answer.

    Parameters
    ----------
    searched_s : when that was, on a monotonic clock; None: not yet.
    problem : why the last search gave none.
    """

    found: tuple[StreamSeen, ...] = ()
    searching: bool = False
    searched_s: float | None = None
    problem: str = ""

    def named(self, name: str, host: str = "") -> StreamSeen | None:
        """Return the stream of that name, if it is there now."""
        fits = (s for s in self.found if s.name == name and host in ("", s.host))
        return next(fits, None)


@dataclass(frozen=True, slots=True)
class Bundles:
    """Subjects (the newest calibration of each) and models that can be chosen."""

    subjects: tuple[BundleSeen, ...] = ()
    models: tuple[BundleSeen, ...] = ()
    searching: bool = False
    searched: bool = False
    problem: str = ""

    def chosen(self, subject: str, model: str) -> BundleSeen | None:
        """Return the bundle that a choice names; a subject goes over a model."""
        if subject:
            return next((b for b in self.subjects if b.code == subject), None)
        fits = (b for b in self.models if model in (b.name, b.path))
        return next(fits, None) if model else None


def read_streams(text: str) -> tuple[StreamSeen, ...] | None:
    """Return what ``rtbold streams --json`` printed; None: that was no such list."""
    return _read(text, StreamSeen)


def read_bundles(text: str) -> tuple[BundleSeen, ...] | None:
    """Return what ``subjects list --json`` or ``models list --json`` printed."""
    return _read(text, BundleSeen)


def newest(rows: Iterable[BundleSeen]) -> tuple[BundleSeen, ...]:
    """Return the last bundle of each subject, as ``rtbold run --subject`` takes it."""
    return tuple({row.code: row for row in rows}.values())


def _read(text: str, kind: type[_Seen]) -> tuple[_Seen, ...] | None:
    """Return the rows that have a name; what a row leaves out, or null, is usual."""
    try:
        rows = json.loads(text)
        if not isinstance(rows, list):
            return None
        named = [row for row in rows if isinstance(row, dict) and row.get("name")]
        return tuple(msgspec.convert(_told(row), kind) for row in named)
    except (ValueError, RecursionError):
        return None


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a row says; a model without targets offers all its ROIs."""
    told = {name: value for name, value in row.items() if value is not None}
    return told | {"targets": told.get("targets") or told.get("rois") or ()}


def _gate_words(gate: Mapping[str, Any]) -> str:
    r, low, high = (
        _number(gate.get(k), float("nan")) for k in ("r", "r_low", "r_high")
    )
    return (
        f"Verdict on {gate.get('target', '?')}: {gate.get('label', '?')}, "
        f"R {r:.2f} ({low:.2f} to {high:.2f}), p {_number(gate.get('p'), 1):.2g}."
    )


def _number(said: object, otherwise: float) -> float:
    return float(said) if isinstance(said, int | float) else otherwise


# A dry run on the twin: which streams it plays, and what the page must say.

DryRunState = Literal["off", "starting", "playing", "ended"]
TWIN_TRIGGER = "R128"
TWIN_SECONDS = 1800
DEMO_MODEL = "demo"
ON_AIR = "simulated EEG on LSL"
MADE = re.compile(r"making the session: (\d+) %")  # as ``rtbold simulate`` says it


@dataclass(frozen=True, slots=True)
class DryRun:
    """The twin that was started from here."""

    name: str = ""
    state: DryRunState = "off"
    problem: str = ""
    percent: int | None = None  # how much of it is made; None: not said yet

    def saying(self, words: str) -> "DryRun":
        """Return it with how far it is, by what the child said last."""
        made = MADE.findall(words)
        if self.state != "starting" or not made:
            return self
        return replace(self, percent=int(made[-1]))

    @property
    def active(self) -> bool:
        """Whether its streams are, or will be, there."""
        return self.state in ("starting", "playing")

    @property
    def stream(self) -> str:
        """Its EEG stream."""
        return f"{self.name}-eeg"

    def seen_in(self, streams: Streams) -> "DryRun":
        """Return it as playing, once its EEG is among the streams."""
        if self.state == "starting" and streams.named(self.stream) is not None:
            return replace(self, state="playing")
        return self

    def words(self) -> str:
        """Return the banner; empty where there is nothing to say."""
        if self.state == "starting":
            made = "" if self.percent is None else f": {self.percent} % done"
            return f"SIMULATED: the twin is being made{made}. Nothing is real."
        if self.state == "playing":
            return (
                "SIMULATED: dry run on the twin. EEG, triggers and BOLD are made up; "
                "nothing here is of a person."
            )
        if self.state == "ended":
            return self.problem or "The dry run has ended. Choose real streams again."
        return ""


def twin_arguments(name: str, seed: int) -> tuple[str, ...]:
    """Return the words after ``rtbold`` that play the twin."""
    return (
        "simulate",
        "--seed", str(seed),
        "--name", name,
        "--duration", str(TWIN_SECONDS),
    )  # fmt: skip


def on_the_twin(choice: SetupChoice, name: str) -> SetupChoice:
    """Return the choice with the twin's streams and the model that fits them."""
    return replace(
        choice,
        stream=f"{name}-eeg",
        host="",
        model=DEMO_MODEL,
        subject="",
        record_as="",
        target="",
        trigger_source="stream",
        trigger_stream=f"{name}-markers",
        trigger_host="",
        trigger=TWIN_TRIGGER,
        trigger_every=1,
        tr_s=None,
        unit="",
        reference="",
        cleaning="",
        scanner="",
        upstream_delay_ms=None,
        truth=f"lsl:{name}-bold",
        truth_rois="",
        truth_first=0,
        truth_by_onset=True,  # the twin plays already when the session comes
        # Never beside the runs of a real session.
        record=f"{choice.record.rstrip('/')}/dry-run" if choice.record else "",
        record_copy="",
        simulated=True,
    )
