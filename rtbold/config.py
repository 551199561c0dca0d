"""Settings of a session: frozen, checked once, at the edge.

The command line and an optional TOML file meet here; inside, the types are trusted.
"""

import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Final, Literal, get_args

import msgspec

from rtbold.disk import read_file
from rtbold.errors import ConfigError
from rtbold.run_names import DEFAULT_SESSION, DEFAULT_TASK, check_label, check_run
from rtbold.text import did_you_mean, printable

EngineName = Literal["auto", "openvino", "tensorrt", "torch"]
ENGINES: tuple[str, ...] = get_args(EngineName)
# tf32 is for TensorRT, bf16 and int8 are for OpenVINO; auto: docs/reference/engines.md
PrecisionName = Literal["auto", "f32", "tf32", "bf16", "f16", "int8"]
PRECISIONS: tuple[str, ...] = get_args(PrecisionName)
ScannerName = Literal["inside_running", "inside_idle", "outside"]
SCANNERS: tuple[str, ...] = get_args(ScannerName)
# Feedback is shown in training alone; what each is for: gui/state/setup.py
KindName = Literal["localiser", "baseline", "training", "transfer"]
KINDS: tuple[str, ...] = get_args(KindName)
CHOICES = {
    "engine": ENGINES,
    "precision": PRECISIONS,
    "scanner": SCANNERS,
    "kind": KINDS,
}
# How feedback is made of predictions; what each does: docs/reference/feedback.md
SmoothName = Literal["none", "mean", "exponential"]
NormaliseName = Literal["zscore", "percentile"]
BaselineName = Literal["card", "block", "running"]
LONGEST_TR_S = 10.0
_CODE = re.compile(r"[\w.-]{1,64}", re.ASCII)
MAX_SETTINGS_BYTES = 1_000_000  # of a file of settings
_LONGEST_APPROVAL: Final = 64


def check_range(
    option: str,
    value: float | None,
    low: float,
    high: float,
    *,
    hint: str = "",
) -> None:
    """Raise ConfigError unless `value` is None or within [low, high]."""
    if value is None or low <= value <= high:
        return
    raise ConfigError(f"{option} is {value!r}, expected {low:g} to {high:g}.{hint}")


def _check_number(name: str, value: float | None, low: float, high: float) -> None:
    if value is not None and not math.isfinite(value):
        raise ConfigError(f"{name} is {value}, expected {low:g} to {high:g}.")
    check_range(name, value, low, high)


def _check_choice(name: str, value: object) -> None:
    choices = _FEEDBACK_CHOICES[name]
    if value not in choices:
        raise ConfigError(
            f"feedback.{name} is {value!r}, expected one of {', '.join(choices)}."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackSettings:
    """What becomes of a prediction before a participant sees it.

    The table ``[feedback]`` of a settings file and of a protocol. As it is by default,
    the target's value and its z against the card go out, and nothing else.
    """

    target: str | None = None  # ROI, contrast, group or Global; None: the card's
    smooth: SmoothName = "none"
    smooth_n: int = 3  # volumes of the mean
    smooth_s: float = 6.0  # time constant of the exponential
    normalise: NormaliseName = "zscore"
    baseline: BaselineName = "card"
    memory_n: int = 180  # volumes that a running baseline remembers
    skip_n: int = 3  # first volumes of a block that enter no baseline
    winsorise_sd: float | None = None  # what lies further out is drawn in to it
    low: float | None = None  # what is shown as 0: z, or percent
    high: float | None = None  # what is shown as 1
    neutral: float = 0.5  # where what is shown begins, and begins again
    shown_min: float = 0.0  # bounds of what is shown
    shown_max: float = 1.0
    max_step: float | None = None  # of what is shown, from one volume to the next
    reward: float | None = None  # what is shown must reach it
    hysteresis: float = 0.0  # below it a reward that is on goes off
    success_rate: float | None = None  # the threshold moves towards this share
    success_step: float = 0.05  # by which it moves

    def __post_init__(self) -> None:
        """Refuse what is wrong by itself or contradicts something else."""
        for name, low, high in _FEEDBACK_RANGES:
            _check_number(f"feedback.{name}", getattr(self, name), low, high)
        for name in _FEEDBACK_CHOICES:
            _check_choice(name, getattr(self, name))
        self._check_beside()

    @property
    def has_range(self) -> bool:
        """Whether a value from 0 to 1 is shown, beside the value in model units."""
        return self.low is not None

    @classmethod
    def build(
        cls, table: Mapping[str, object], where: str = "[feedback]"
    ) -> "FeedbackSettings":
        """Return the settings of a TOML table.

        Raises
        ------
        ConfigError : a key is unknown, or a value is wrong.
        """
        known = [field.name for field in fields(cls)]
        if unknown := sorted(set(table) - set(known)):
            raise ConfigError(
                f"{where} has unknown keys {unknown}; known ones are {known}."
                + did_you_mean(unknown, known)
            )
        for name in table.keys() & _FEEDBACK_CHOICES.keys():
            _check_choice(name, table[name])  # msgspec would not say what it expected
        try:
            return msgspec.convert(dict(table), cls)
        except msgspec.ValidationError as error:
            raise ConfigError(f"{where}: {error}. Mend that value.") from error

    def _check_beside(self) -> None:
        if (self.low is None) is not (self.high is None):
            raise ConfigError(
                f"feedback.low is {self.low} and feedback.high {self.high}, expected "
                "both (what is shown as 0, and what as 1) or neither."
            )
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ConfigError(
                f"feedback.low is {self.low:g}, expected less than feedback.high, "
                f"{self.high:g}. To turn the display round, change each sign of the "
                "target."
            )
        if self.normalise == "percentile":
            self._check_percentile()
        if not self.shown_min <= self.neutral <= self.shown_max:
            raise ConfigError(
                f"feedback.neutral is {self.neutral:g}, expected between "
                f"feedback.shown_min, {self.shown_min:g}, and feedback.shown_max, "
                f"{self.shown_max:g}."
            )
        needs_range = [n for n in _OF_WHAT_IS_SHOWN if getattr(self, n) is not None]
        if needs_range and not self.has_range:
            raise ConfigError(
                f"feedback.{needs_range[0]} is about what is shown, but no range was "
                "given. Expected feedback.low and feedback.high beside it."
            )
        if self.success_rate is not None and self.reward is None:
            raise ConfigError(
                "feedback.success_rate moves a threshold, but feedback.reward was not "
                "given. Expected the threshold to begin with, such as reward = 0.6."
            )

    def _check_percentile(self) -> None:
        if self.baseline == "card":
            raise ConfigError(
                "feedback.normalise is 'percentile', but the card knows a mean and an "
                "sd only. Expected feedback.baseline 'block' or 'running' beside it."
            )
        for name in ("low", "high"):
            _check_number(f"feedback.{name}", getattr(self, name), 0, 100)


_FEEDBACK_CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "smooth": get_args(SmoothName),
    "normalise": get_args(NormaliseName),
    "baseline": get_args(BaselineName),
}
_FEEDBACK_RANGES: Final = (
    ("smooth_n", 1, 100),
    ("smooth_s", 0.1, 300),
    ("memory_n", 20, 2000),
    ("skip_n", 0, 100),
    ("winsorise_sd", 1, 10),
    ("low", -100, 100),
    ("high", -100, 100),
    ("neutral", 0, 1),
    ("shown_min", 0, 1),
    ("shown_max", 0, 1),
    ("max_step", 0.001, 1),
    ("reward", 0, 1),
    ("hysteresis", 0, 1),
    ("success_rate", 0.05, 0.95),
    ("success_step", 0.001, 0.5),
)
_OF_WHAT_IS_SHOWN: Final = ("max_step", "reward", "success_rate")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """Everything that ``rtbold run`` can be told; names are those of its options."""

    model: str | None = None
    subject: str | None = None
    stream: str | None = None
    host: str | None = None
    type: str = "EEG"
    wait_s: float = 5.0
    unit: str | None = None
    reference: str | None = None
    interpolate: bool = False
    trigger_stream: str | None = None
    trigger_host: str | None = None
    trigger: str | None = None
    trigger_channel: str | None = None
    trigger_every: int = 1
    dummy_volumes: int = 0
    upstream_delay_ms: float | None = None
    cleaning: str | None = None  # online:NAME, offline:NAME, none
    scanner: ScannerName | None = None
    tr_s: float | None = None
    target: str | None = None
    feedback: FeedbackSettings = FeedbackSettings()
    approval: str | None = None  # of an ethics board or a principal investigator
    kind: KindName = "training"
    engine: EngineName = "auto"
    precision: PrecisionName = "f32"
    bind: str = "127.0.0.1"
    port: int = 5580
    control_port: int = 5581
    curve_keys: Path | None = None
    encoding: Literal["json", "msgpack"] = "json"
    record: Path | None = None
    record_copy: Path | None = None  # a second copy, on another disk
    record_as: str | None = None  # subject in its names; None: that of the model
    session: str = DEFAULT_SESSION
    task: str = DEFAULT_TASK
    run: int | None = None  # its number; None: the next that was not recorded
    blind: Path | None = None  # folder of a blinded study
    protocol: Path | None = None  # `run` is then its run, None: the next not done
    attempt: int | None = None  # at that run; None: the next
    condition: str | None = None  # opaque code of the session
    confirmed_by: str | None = None  # code of the second person, for what is risky
    truth: str | None = None  # lsl:NAME, file:PATH, tcp:HOST:PORT, tbv:HOST:PORT
    truth_roi: tuple[str, ...] = ()
    truth_first: int = 0
    truth_by_onset: bool = False
    duration_s: float | None = None
    allow_unvalidated: bool = False
    allow_simulated_model: bool = False
    allow_domain_shift: bool = False

    def __post_init__(self) -> None:
        """Refuse what is wrong by itself or contradicts something else."""
        check_tr("--tr", self.tr_s)
        check_range("--duration", self.duration_s, 0, 7 * 86400)
        check_range("--wait", self.wait_s, 0, 3600)
        check_range("--upstream-delay-ms", self.upstream_delay_ms, 0, 60_000)
        check_range("--trigger-every", self.trigger_every, 1, 1000)
        check_range("--dummy-volumes", self.dummy_volumes, 0, 1000)
        check_range("--truth-first", self.truth_first, -1000, 100_000)
        for option, port in (
            ("--port", self.port),
            ("--control-port", self.control_port),
        ):
            check_range(option, port, 0, 65535)
        if self.port == self.control_port != 0:
            raise ConfigError(
                f"--port and --control-port are both {self.port}; the feed and the "
                "control socket need a port each."
            )
        _check_choices({name: getattr(self, name) for name in CHOICES})
        _check_approval(self.approval)
        check_run(self.run)
        check_range("--attempt", self.attempt, 1, 999)
        for what, label in (
            ("subject", self.record_as),
            ("session", self.session),
            ("task", self.task),
        ):
            if label is not None:
                check_label(what, label)
        self._check_blind()
        self._check_beside()
        self._check_protocol()

    @property
    def fed_back(self) -> FeedbackSettings:
        """How feedback is made in this run; ``--target`` goes over the table's."""
        return replace(self.feedback, target=self.target or self.feedback.target)

    @property
    def locked(self) -> bool:
        """Whether volume triggers are waited for; else the session runs free."""
        return bool(self.trigger_stream or self.trigger or self.trigger_channel)

    def _check_beside(self) -> None:
        """Refuse what says something of a thing that was not asked for."""
        marker_stream = self.trigger_stream or self.trigger
        if self.trigger_host and (self.trigger_channel or not marker_stream):
            raise ConfigError(
                f"--trigger-host {self.trigger_host} names the computer of a marker "
                "stream, but no such stream was asked for. Expected --trigger-stream "
                "NAME or --trigger LABEL beside it, and no --trigger-channel."
            )
        if self.record_copy is not None and self.record is None:
            raise ConfigError(
                f"--record-copy {self.record_copy} was given, but nothing is recorded "
                "that could be copied. Expected --record DIR beside it."
            )
        named = (self.session, self.task) != (DEFAULT_SESSION, DEFAULT_TASK)
        if self.record is None and (named or self.record_as):
            raise ConfigError(
                "--session, --task and --record-as name a recording, but nothing is "
                "recorded. Expected --record DIR beside them."
            )
        if self.truth is None and self.truth_roi:
            raise ConfigError(
                "--truth-roi names the ROIs of measured BOLD, but no source was given. "
                "Expected --truth lsl:NAME, file:PATH, tcp:HOST:PORT or tbv:HOST:PORT."
            )
        if self.truth_by_onset and not (self.truth or "").startswith("lsl:"):
            raise ConfigError(
                "--truth-by-onset numbers measured volumes by their onsets, which only "
                f"a stream tells; measured BOLD is from {self.truth!r}. Expected "
                "--truth lsl:NAME, or leave it out."
            )
        if self.truth_by_onset and self.truth_first:
            raise ConfigError(
                f"--truth-by-onset and --truth-first {self.truth_first} were both "
                "given; numbers come from the onsets or from the source. Give one."
            )
        if self.model and self.subject:
            raise ConfigError(
                "--model and --subject were both given; a subject names its own model. "
                "Give one of them."
            )

    def _check_blind(self) -> None:
        """Refuse a blinded session that would leave nothing, or tell too much."""
        if self.blind is None:
            return
        if self.record is None:
            raise ConfigError(
                f"--blind {self.blind} was given, but nothing is recorded, so that "
                "nobody could ever unblind it. Expected --record DIR beside it."
            )
        if not (self.record_as or self.subject):
            raise ConfigError(
                f"--blind {self.blind} was given without a participant, whose place "
                "in the allocation is looked up. Expected --subject CODE or "
                "--record-as CODE; there is no default arm."
            )
        if self.truth is not None:
            raise ConfigError(
                "--blind and --truth were both given; measured BOLD beside what the "
                "participant is given tells the arm. Leave --truth out, and pair the "
                "scan with the predictions once the session is unblinded."
            )

    def _check_protocol(self) -> None:
        """Refuse what says something of a protocol that was not given."""
        for option in ("attempt", "condition", "confirmed_by"):
            value = getattr(self, option)
            if value is not None and self.protocol is None:
                raise ConfigError(
                    f"--{option.replace('_', '-')} says something of a protocol, but "
                    "none was given. Expected --protocol FILE beside it."
                )
            if isinstance(value, str) and not _CODE.fullmatch(value):
                raise ConfigError(
                    f"--{option.replace('_', '-')} is {value!r}, expected a code of 1 "
                    "to 64 letters, digits, dots, dashes or underscores."
                )

    @classmethod
    def build(
        cls, given: Mapping[str, object], file: Path | None = None
    ) -> "RunSettings":
        """Return settings from a TOML file and, over it, what was given by option.

        Parameters
        ----------
        given : option values; None means not given.
        file : TOML with the same names as keys, or None.

        Raises
        ------
        ConfigError : a value is wrong, or the file is missing, no TOML, or has an
            unknown key.
        """
        values = _read_toml(file) if file else {}
        over = {key: value for key, value in given.items() if value is not None}
        written, asked = values.get("feedback"), over.get("feedback")
        values |= over
        if isinstance(written, Mapping) and isinstance(asked, Mapping):
            values["feedback"] = {**written, **asked}
        _check_choices(values)  # msgspec would not say what it expected
        feedback = _feedback(values.pop("feedback", {}), file)
        values.setdefault("target", feedback.target)  # one place for it
        values["feedback"] = replace(feedback, target=None)
        try:
            return msgspec.convert(values, cls, dec_hook=_to_path)
        except msgspec.ValidationError as error:
            where = f"{file}: " if file else ""
            raise ConfigError(f"{where}{error}. Mend that value.") from error


def feedback_table(pairs: Sequence[str]) -> dict[str, object]:
    """Return the table ``[feedback]`` of ``KEY=VALUE`` words; values as TOML has them.

    Raises
    ------
    ConfigError : a word is no such pair, or a key comes twice.
    """
    found: dict[str, object] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not (equals and key.strip() and text.strip()):
            raise ConfigError(
                f"--feedback is {printable(pair)!r}, expected KEY=VALUE such as "
                "smooth=mean; give it once for each."
            )
        if key.strip() in found:
            raise ConfigError(f"--feedback gives {key.strip()!r} twice, expected once.")
        found[key.strip()] = _toml_value(text.strip())
    return found


def _toml_value(text: str) -> object:
    """Return a number as a number, and everything else as the text that it is."""
    try:
        return float(text) if not text.lstrip("+-").isdecimal() else int(text)
    except ValueError:
        return text.strip("\"'")


def _feedback(given: object, file: Path | None) -> FeedbackSettings:
    """Return the table of a settings file, or what is one already."""
    if isinstance(given, FeedbackSettings):
        return given
    where = f"{file}, [feedback]" if file else "--feedback"
    if not isinstance(given, Mapping):
        raise ConfigError(f"{where} is {given!r}, expected a table [feedback].")
    return FeedbackSettings.build(given, where)


def _check_approval(approval: str | None) -> None:
    """Refuse an id that cannot be read again: it goes into records and onto the wire.

    Raises
    ------
    ConfigError : it is empty, long, or no plain text.
    """
    if approval is None:
        return
    plain = printable(approval, _LONGEST_APPROVAL)
    if not approval.strip() or plain != approval:
        raise ConfigError(
            f"--approval is {plain!r}, expected the id under which the use of this "
            "model was approved, such as 'EC-2026-114': one line, at most "
            f"{_LONGEST_APPROVAL} characters."
        )


def _check_choices(values: Mapping[str, object]) -> None:
    for name, choices in CHOICES.items():
        if values.get(name) is not None and values[name] not in choices:
            raise ConfigError(
                f"--{name} is {values[name]!r}, expected one of {', '.join(choices)}."
            )


def check_tr(option: str, tr_s: float | None) -> None:
    """Raise ConfigError unless `tr_s` is None or can be a TR in seconds."""
    hint = ""
    if tr_s is not None and LONGEST_TR_S < tr_s < math.inf:
        hint = f" {tr_s:g} looks like milliseconds: give seconds, {tr_s / 1000:g}."
    check_range(option, tr_s, 0.1, LONGEST_TR_S, hint=hint)


def _read_toml(path: Path) -> dict[str, object]:
    try:
        text = read_file(path, at_most_bytes=MAX_SETTINGS_BYTES)
        given = tomllib.loads(text.decode("utf-8"))
    except OSError as error:
        raise ConfigError(
            f"cannot read the settings file {path}: {error.strerror or error}. "
            "Expected a text file of settings; name another, or give options instead."
        ) from error
    except RecursionError as error:
        raise ConfigError(f"{path} is nested deeper than any settings") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    known = {field.name for field in fields(RunSettings)}
    if unknown := sorted(set(given) - known):
        raise ConfigError(
            f"{path} has unknown keys {unknown}; known ones are {sorted(known)}."
        )
    return given


def _to_path(wanted: type, value: object) -> object:
    """Let msgspec turn text into a path; everything else is its own business."""
    if wanted is Path and isinstance(value, str | Path):
        return Path(value)
    raise NotImplementedError(f"{wanted} from {value!r}")
