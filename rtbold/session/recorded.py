"""What a recorded session ran with: settings, card, model, engine, machine."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import msgspec
from msgspec import UNSET, UnsetType

from rtbold import bundle as bundles
from rtbold.bundle import Bundle, Card, calibrations, parse_card, unfit_because
from rtbold.config import FeedbackSettings, KindName
from rtbold.disk import read_file
from rtbold.engine import EngineUsed
from rtbold.errors import BundleError, DataFileError, RtboldError
from rtbold.feedback import Reference, asked_target
from rtbold.predict import PipelineSettings
from rtbold.record import CARD_NAME, EVENTS_NAME, SETTINGS_NAME, SETTINGS_VERSION
from rtbold.session.baseline import whole_run
from rtbold.session.protocol import ProtocolAsked
from rtbold.session.recompute import Where

MAX_SETTINGS_BYTES = 100_000_000  # the conversion of 512 channels has some 5 MB


class RunAsked(msgspec.Struct, frozen=True):
    """The part of a run's options that a recomputation needs."""

    model: str | None = None
    subject: str | None = None
    kind: KindName = "training"
    target: str | None = None
    feedback: FeedbackSettings = FeedbackSettings()
    approval: str | UnsetType | None = UNSET  # UNSET: nobody was asked for one yet
    truth: str | None = None
    truth_first: int = 0
    truth_by_onset: bool = False

    @property
    def fed_back(self) -> FeedbackSettings:
        """How feedback was made."""
        return replace(self.feedback, target=self.target)

    def withheld(self, card: Card) -> bool:
        """Return whether nothing was fed back of this model."""
        if self.approval is not None:  # given, or of a version that did not ask
            return False
        return bool(unfit_because(card, **asked_target(card, self.target)))


class RecordedSettings(msgspec.Struct, frozen=True):
    """The part of ``settings.json`` that a replay needs."""

    pipeline: PipelineSettings
    model_sha256: str
    engine: EngineUsed | None = None  # sessions of early versions did not keep it
    machine: dict[str, str] = {}  # nor this; what it is made of: `engine.ran_on`
    run: RunAsked = RunAsked()
    protocol: ProtocolAsked | None = None  # that it followed
    carried_baseline: Reference | None = None  # of an earlier run

    @property
    def where(self) -> Where:
        """Where in its protocol each volume lay."""
        return whole_run(self.run.kind)


class _Version(msgspec.Struct, frozen=True):
    """What a layout of ``settings.json`` that is not known yet still says."""

    version: int = SETTINGS_VERSION  # before it was written, the layout was the same


def read_settings(folder: Path) -> RecordedSettings:
    """Return the settings of the session in this folder.

    Raises
    ------
    DataFileError : they cannot be read, or another version of rtbold wrote them.
    """
    path = folder / SETTINGS_NAME
    try:
        text = read_file(path, at_most_bytes=MAX_SETTINGS_BYTES)
        version = msgspec.json.decode(text, type=_Version).version
        if version == SETTINGS_VERSION:
            return msgspec.json.decode(text, type=RecordedSettings)
    except (OSError, msgspec.MsgspecError, RecursionError) as error:
        raise DataFileError(
            f"{path} cannot be read ({error}), expected the settings of the session "
            "beside its event log. Restore it, or move the log away to replay the XDF "
            "as a foreign recording."
        ) from error
    raise DataFileError(
        f"{path} is of version {version}, expected {SETTINGS_VERSION}: another "
        "version of rtbold recorded this session. Replay it with that one, or move the "
        "event log away to replay the XDF as a foreign recording."
    )


def session_folder(path: Path) -> Path:
    """Return the folder of a session: `path`, or that of a file in it.

    A folder of several sessions is none; one that holds a single session leads to it.

    Raises
    ------
    DataFileError : there is no recorded session, or more than one.
    """
    folder = path if path.is_dir() else path.parent
    if (folder / EVENTS_NAME).is_file():
        return folder
    found = sorted(folder.rglob(EVENTS_NAME)) if path.is_dir() else []
    if len(found) == 1:
        return found[0].parent
    listed = ", ".join(str(log.parent) for log in found[:5])
    what = f"{len(found)} sessions are in it ({listed})" if found else "it holds none"
    raise DataFileError(
        f"{path} is no recorded session: {what}, expected the folder of one, with "
        f"{EVENTS_NAME}. Name it, as in rtbold verify DIR/sub-S01/ses-01/eeg/..._run-01"
    )


def recorded_bundle(
    folder: Path,
    settings: RecordedSettings,
    *,
    model: str | None = None,
    subject_root: Path | None = None,
) -> Bundle:
    """Return the session's model, found by its hash, with the session's own card.

    A bundle whose card was written anew since is the same model while all its files
    are; what the session published followed from the card that it kept.

    Parameters
    ----------
    model : path or name of the bundle; None: the one that the session named.

    Raises
    ------
    BundleError : no bundle here is that model.
    DataFileError : the session's card is not the one that it ran with.
    """
    card = _recorded_card(folder, settings)
    seen = []
    for found in _candidates(settings.run, model, subject_root):
        same = found.sha256 == settings.model_sha256
        if same and card is None:
            return found
        if card is not None and (same or set(card.files) == set(found.card.files)):
            return replace(found, card=card)
        seen.append(f"{found.path} ({found.sha256[:12]}...)")
    raise BundleError(
        f"the session ran model {settings.model_sha256[:12]}..., and none of these is "
        f"that: {', '.join(seen) or 'no bundle was found'}. Name it: --model BUNDLE"
    )


def _recorded_card(folder: Path, settings: RecordedSettings) -> Card | None:
    """Return the card that the session kept; None: it kept none."""
    path = folder / CARD_NAME
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataFileError(f"{path} cannot be read: {error}. Restore it.") from error
    sha256 = hashlib.sha256(text).hexdigest()
    if sha256 != settings.model_sha256:
        raise DataFileError(
            f"{path} has SHA-256 {sha256[:12]}..., the session ran with "
            f"{settings.model_sha256[:12]}...: it was changed since. Restore it."
        )
    return parse_card(text, where=str(path))


def _candidates(
    run: RunAsked, model: str | None, subject_root: Path | None
) -> Iterator[Bundle]:
    """Yield the bundles that may be the session's; a broken one only if it was named.

    Raises
    ------
    BundleError : `model` cannot be opened.
    """
    if model is not None:
        yield bundles.load(model, subject_root=subject_root)
        return
    root = subject_root or bundles.default_root()
    names: list[str | Path] = [run.model] if run.model else []
    if run.subject:
        try:
            names += [one.path for one in reversed(calibrations(root, run.subject))]
        except RtboldError:
            pass  # moved or renamed since; then no model is found, and that is said
    for name in names:
        try:
            yield bundles.load(name, subject_root=root)
        except BundleError:
            continue


def machine_difference(recorded: Mapping[str, str], here: Mapping[str, str]) -> str:
    """Return in words how this machine differs from a session's; empty: it does not."""
    if not recorded:
        return "the session did not keep what machine it ran on"
    parts = [
        f"{name} {was or 'none'}, here {here.get(name) or 'none'}"
        for name, was in recorded.items()
        if here.get(name) != was
    ]
    return f"the session ran on {'; '.join(parts)}" if parts else ""
