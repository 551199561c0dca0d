"""Write examples/sessions/: the scenarios of `rtbold fake`, message by message.

    python scripts/pictures/make_sessions.py

Each line has the time since the start, the topic and the message as it goes over the
wire. The clock is cranked by hand.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec

from rtbold.clock import HandCrankedClock
from rtbold.feedback import FeedbackSettings
from rtbold.publish import Bye, Heartbeat, Message, Ports
from rtbold.sim.fake import FakePlan, FakeSession
from rtbold.sim.fake_messages import fake_card, fake_hello
from rtbold.sim.fake_script import SCENARIOS, Scenario, ScriptRow, scenario_sessions

FOLDER = Path(__file__).resolve().parents[2] / "examples/sessions"
START_S = 81_234.5
UNIX_AHEAD_MS = 1_795_348_392_123.0
BEAT_S = 0.5
N_ROIS = 3
RESTART_S = 1.0  # between two sessions
KEPT = ("hello", "phase", "pred.fb", "pred.roi", "trigger", "hb", "bye")


class Kept:
    """The feed of a session that nobody listens to; stamps as the real one does."""

    def __init__(self, session: str, clock: HandCrankedClock) -> None:
        self._session, self._clock = session, clock
        self._seq: dict[str, int] = {}
        self._beat_s: float | None = clock.now_s()
        self.sent: list[tuple[float, Message]] = []

    def publish(self, message: Message) -> None:
        """Keep one message, after the heartbeats that were due before it."""
        self.beat(self._clock.now_s())
        self._put(message, self._clock.now_s())

    def beat(self, until_s: float) -> None:
        """Send the heartbeats that are due."""
        while self._beat_s is not None and self._beat_s <= until_s:
            beat = Heartbeat(
                state="running", last_pred_seq=None, stream_age_ms=12.0, queue=0
            )
            self._put(beat, self._beat_s)
            self._beat_s += BEAT_S

    def hang(self) -> None:
        """Send no heartbeat any more."""
        self.beat(self._clock.now_s())
        self._beat_s = None

    def wants(self, topic: str) -> bool:
        """Nobody wants EEG, bands and log."""
        return False

    def set_state(self, state: str, t_stream_s: float | None) -> None:
        """Heartbeats tell one state here."""

    def _put(self, message: Message, t_s: float) -> None:
        if message.topic not in KEPT:
            return
        seq = self._seq.get(message.topic, 0)
        self._seq[message.topic] = seq + 1
        stamped = msgspec.structs.replace(
            message,
            session=self._session,
            seq=seq,
            t_lsl=round(t_s, 4),
            t_unix_ms=round(UNIX_AHEAD_MS + 1000 * t_s, 1),
        )
        self.sent.append((t_s, stamped))


def played(scenario: Scenario) -> Iterator[str]:
    """Yield the lines of one scenario."""
    clock = HandCrankedClock(START_S)
    for number, rows in enumerate(scenario_sessions(scenario)):
        session = f"00000000-0000-4000-8000-{number:012d}"
        for t_s, message in _session(session, rows, clock):
            line = {
                "t_s": round(t_s - START_S, 4),
                "topic": message.topic,
                "message": json.loads(msgspec.json.encode(message)),
            }
            yield json.dumps(line, separators=(",", ":")) + "\n"
        clock.sleep_until(clock.now_s() + RESTART_S)


def _session(
    session: str, rows: tuple[ScriptRow, ...], clock: HandCrankedClock
) -> list[tuple[float, Message]]:
    card = fake_card(2.1, n_rois=N_ROIS)
    target = FeedbackSettings()
    kept = Kept(session, clock)
    kept.publish(fake_hello(card, Ports(feed=5580, control=5581), target))
    plan = FakePlan(card=card, target=target)
    FakeSession(plan, kept, clock, hang=kept.hang).play(rows)
    kept.publish(Bye())
    return kept.sent


def main() -> None:
    """Write every scenario."""
    FOLDER.mkdir(exist_ok=True)
    for scenario in SCENARIOS:
        (FOLDER / f"{scenario}.jsonl").write_text("".join(played(scenario)), "utf-8")


if __name__ == "__main__":
    main()
