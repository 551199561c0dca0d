"""Settings of a session: frozen, checked once, at the edge.

The command line and an optional TOML file meet here; inside, the types are trusted.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, get_args

import msgspec

from rtbold.disk import read_file
from rtbold.errors import ConfigError
from rtbold.run_names import DEFAULT_SESSION, DEFAULT_TASK, check_label, check_run

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
LONGEST_TR_S = 10.0
MAX_SETTINGS_BYTES = 1_000_000  # of a file of settings


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
        check_run(self.run)
        for what, label in (
            ("subject", self.record_as),
            ("session", self.session),
            ("task", self.task),
        ):
            if label is not None:
                check_label(what, label)
        self._check_beside()

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
        self._check_blind()
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
        values |= {key: value for key, value in given.items() if value is not None}
        _check_choices(values)  # msgspec would not say what it expected
        try:
            return msgspec.convert(values, cls, dec_hook=_to_path)
        except msgspec.ValidationError as error:
            where = f"{file}: " if file else ""
            raise ConfigError(f"{where}{error}. Mend that value.") from error


def _check_choices(values: Mapping[str, object]) -> None:
    for name, choices in CHOICES.items():
        if values.get(name) is not None and values[name] not in choices:
            raise ConfigError(
                f"--{name} is {values[name]!r}, expected one of {', '.join(choices)}."
            )


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


def check_tr(option: str, tr_s: float | None) -> None:
    """Raise ConfigError unless `tr_s` is None or can be a TR in seconds."""
    hint = ""
    if tr_s is not None and tr_s > LONGEST_TR_S:
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
