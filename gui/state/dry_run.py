"""A dry run on the twin: which streams it plays, and what the page must say."""

from dataclasses import dataclass, replace
from typing import Literal

from rtbold.gui.state.found import Streams
from rtbold.gui.state.setup import SetupChoice

DryRunState = Literal["off", "starting", "playing", "ended"]
TWIN_TRIGGER = "R128"
TWIN_SECONDS = 1800
DEMO_MODEL = "demo"


@dataclass(frozen=True, slots=True)
class DryRun:
    """The twin that was started from here."""

    name: str = ""
    state: DryRunState = "off"
    problem: str = ""

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
            return "SIMULATED: the twin is being made, some seconds. Nothing is real."
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
        simulated=True,
    )
