"""The feed on real sockets and free ports; every wait is bounded."""

import json
import threading
import time
import uuid
from pathlib import Path

import msgspec
import pytest
import zmq

from rtbold.client import CurveKeys, Subscriber, request
from rtbold.errors import ConfigError, PortInUse, RtboldError
from rtbold.publish.control import Control, Replies
from rtbold.publish.feed import Feed, FeedStopped
from rtbold.publish.keys import ServerKeys, create_keys
from rtbold.publish.sockets import FeedSettings
from rtbold.publish.wire import Eeg, Log, decode

pytestmark = pytest.mark.integration
GOLDEN = Path(__file__).resolve().parents[2] / "golden"
PATIENCE_S = 5.0


def golden(topic, **changes):
    message = decode(topic, (GOLDEN / f"{topic}.1.json").read_bytes())
    return msgspec.structs.replace(message, **changes)


def open_feed(session=None, **settings):
    return Feed(
        FeedSettings(**{"port": 0, **settings}),
        session=session or str(uuid.uuid4()),
        now_lsl_s=time.monotonic,
        now_unix_s=time.time,
    )


@pytest.fixture
def feed():
    with open_feed() as feed:
        yield feed


def wait_for(condition, what="it"):
    """Return what `condition` gives, polling it for a bounded time."""
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        if found := condition():
            return found
        threading.Event().wait(0.005)
    raise AssertionError(f"{what} did not happen within {PATIENCE_S} s")


def collect(subscriber, condition):
    """Poll until `condition(messages)` holds; return the messages."""
    messages = []

    def enough():
        messages.extend(subscriber.poll(0.05))
        return condition(messages)

    wait_for(enough, f"{messages}")
    return messages


def has(topic, n=1):
    return lambda messages: sum(m.topic == topic for m in messages) >= n


def volumes(messages):
    return [m.body["volume_index"] for m in messages if m.topic == "pred.fb"]


def joined(feed, *topics):
    """Return a subscriber that has had its first heartbeat: it misses nothing now."""
    subscriber = Subscriber(feed.address, topics or ("",))
    collect(subscriber, has("hb"))
    return subscriber


def test_frames_are_topic_and_json(feed):
    feed.publish(golden("phase"))
    with zmq.Context() as context, context.socket(zmq.SUB) as raw:
        raw.connect(feed.address)
        raw.subscribe("phase")
        assert raw.poll(1000 * PATIENCE_S)
        topic, payload = raw.recv_multipart()
    assert topic == b"phase"
    assert json.loads(payload)["schema"] == "rtbold.phase/1"


def test_msgpack_feed(feed):
    with open_feed(encoding="msgpack") as packed:
        packed.publish(golden("hello"))
        unpack = msgspec.msgpack.decode
        with Subscriber(packed.address, ("hello",), decode=unpack) as subscriber:
            messages = collect(subscriber, has("hello"))
    assert messages[0].body["rois"] == ["dmn_vs_dan", "V1", "pIns_L"]


def test_late_subscriber_gets_hello_phase_and_the_fresh_prediction(feed):
    for topic in ("hello", "phase", "pred.fb", "pred.roi"):
        feed.publish(golden(topic))
    wait_for(lambda: feed.latest("pred.roi"), "sending")
    with Subscriber(feed.address, ("",)) as late:
        messages = collect(late, has("phase"))  # the last of the three to be sent
    found = {m.topic: m.body for m in messages}
    assert {"hello", "phase", "pred.fb"} <= set(found)
    assert "pred.roi" not in found
    assert all(found[t]["replayed"] for t in ("hello", "phase", "pred.fb"))
    assert found["pred.fb"]["seq"] == 0


def test_two_late_subscribers_at_once_both_get_hello(feed):
    feed.publish(golden("hello"))
    with Subscriber(feed.address, ("hello",)) as one:
        with Subscriber(feed.address, ("hello",)) as other:
            assert has("hello")(collect(one, has("hello")))
            assert has("hello")(collect(other, has("hello")))


def test_seq_has_no_gap_and_nothing_is_seen_twice(feed):
    with joined(feed, "pred.") as subscriber:
        for index in range(50):
            feed.publish(golden("pred.fb", volume_index=index))
            feed.publish(golden("pred.roi", volume_index=index))
        with joined(feed, "pred."):  # its arrival re-sends to everybody
            messages = collect(subscriber, has("pred.fb", 50))
        assert volumes(messages) == list(range(50))
        assert subscriber.n_gaps.total() == 0
    assert {m.topic for m in messages} <= {"pred.fb", "pred.roi", "hb"}


def test_heartbeats_tell_the_state_and_go_on_without_messages(feed):
    with joined(feed) as subscriber:
        feed.publish(golden("pred.fb"))
        feed.set_state("running", time.monotonic() - 0.25)
        beats = [m.body for m in collect(subscriber, has("hb", 3)) if m.topic == "hb"]
    assert (beats[-1]["state"], beats[-1]["last_pred_seq"]) == ("running", 0)
    assert beats[-1]["stream_age_ms"] >= 250
    assert [b["seq"] for b in beats] == [beats[0]["seq"] + k for k in range(len(beats))]


def test_another_state_is_told_at_once():
    def told(messages):
        return any(m.body["state"] == "stalled" for m in messages)

    with open_feed(heartbeat_s=3600.0) as slow:
        with Subscriber(slow.address, ("hb",)) as subscriber:
            wait_for(lambda: slow.wants("hb"), "a subscription")
            slow.set_state("stalled", None)
            slow.set_state("stalled", None)
            messages = collect(subscriber, told)
            assert not subscriber.poll(0.2)  # once
    assert sum(m.body["state"] == "stalled" for m in messages) == 1


def test_optional_topics_go_out_only_while_somebody_listens(feed):
    eeg = Eeg(sample_index=0, t_first=0.0, rate_hz=200.0, n_channels=1, n_samples=0,
              data="")  # fmt: skip
    feed.publish(eeg)
    assert not feed.wants("eeg")
    with joined(feed, "eeg", "log") as subscriber:
        assert feed.wants("eeg")
        assert not feed.wants("bands")
        feed.publish(eeg)
        feed.publish(Log(level="info", text="x"))
        messages = collect(subscriber, has("log"))
    eegs = [m.body["seq"] for m in messages if m.topic == "eeg"]
    assert eegs == [0]  # the one that nobody listened to was not counted
    wait_for(lambda: not feed.wants("eeg"), "unsubscription")


def test_frozen_subscriber_delays_nobody_and_loses_only_its_own(feed):
    with zmq.Context() as context, context.socket(zmq.SUB) as frozen:
        frozen.set(zmq.RCVHWM, 1)  # so that its arrears pile up at the publisher
        frozen.connect(feed.address)
        frozen.subscribe("phase")
        wait_for(lambda: feed.wants("phase"), "the frozen one's subscription")
        with joined(feed, "pred.") as other:
            for index in range(300):  # 60 MB for the frozen one
                feed.publish(golden("phase", name="x" * 200_000))
                feed.publish(golden("pred.fb", volume_index=index))
                assert volumes(collect(other, has("pred.fb"))) == [index]
            assert other.n_gaps.total() == 0
        n_read = 0
        while frozen.poll(200):
            frozen.recv_multipart()
            n_read += 1
        assert 0 < n_read < 300


def test_close_says_bye_and_is_idempotent():
    feed = open_feed()
    with joined(feed) as subscriber:
        feed.close("stopped")
        feed.close()
        messages = collect(subscriber, has("bye"))
        assert messages[-1].body["reason"] == "stopped"
        assert not subscriber.alive
    with pytest.raises(FeedStopped, match=r"closed before this phase"):
        feed.publish(golden("phase"))


def test_everything_published_before_close_arrives():
    feed = open_feed()
    with joined(feed) as subscriber:
        for index in range(80):
            feed.publish(golden("pred.fb", volume_index=index))
        feed.close()
        assert volumes(collect(subscriber, has("bye"))) == list(range(80))


def test_no_thread_is_left_behind():
    before = set(threading.enumerate())
    open_feed().close()
    assert set(threading.enumerate()) <= before


def test_port_in_use_names_port_and_option(feed):
    with pytest.raises(PortInUse, match=rf"port {feed.port} is in use.*--port N"):
        open_feed(port=feed.port)


def test_foreign_address_is_a_clear_error(feed, tmp_path):
    with pytest.raises(ConfigError, match=r"--curve-keys"):
        open_feed(bind="0.0.0.0")
    create_keys(tmp_path)
    with pytest.raises(ConfigError, match=r"cannot listen on tcp://192\.0\.2\.1:0"):
        open_feed(bind="192.0.2.1", keys=ServerKeys.load(tmp_path))


def test_failure_of_the_feeds_thread_is_shown_to_publishers():
    def broken_clock():
        raise OSError("clock is gone")

    feed = Feed(FeedSettings(port=0), session="s", now_lsl_s=broken_clock,
                now_unix_s=time.time)  # fmt: skip
    wait_for(lambda: feed.failure, "failure")
    with pytest.raises(FeedStopped, match=r"clock is gone"):
        feed.publish(golden("phase"))
    feed.close()


def test_a_message_that_cannot_be_encoded_is_counted_and_the_rest_goes_on(feed):
    with joined(feed, "phase") as subscriber:
        feed.publish(golden("phase", name=object()))
        feed.publish(golden("phase"))
        messages = collect(subscriber, has("phase"))
    assert [m.body["seq"] for m in messages if m.topic == "phase"] == [1]
    assert feed.failure is None
    assert feed.n_encode_errors == 1
    assert isinstance(feed.last_encode_error, TypeError)
    assert feed.latest("phase").seq == 1


def test_heartbeats_say_how_many_messages_could_not_be_encoded(feed):
    with joined(feed, "phase") as subscriber:
        feed.publish(golden("phase", name=object()))
        messages = collect(
            subscriber, lambda found: any("n_encode_errors" in m.body for m in found)
        )
    assert messages[-1].body["n_encode_errors"] == 1


def test_curve_admits_its_client_and_nobody_else(tmp_path):
    create_keys(tmp_path / "ours", ("app",))
    create_keys(tmp_path / "theirs", ("app",))
    server = str(tmp_path / "ours" / "server.key")

    def keys(whose):
        return CurveKeys.load(
            str(tmp_path / whose / "clients" / "app.key_secret"), server
        )

    with open_feed(keys=ServerKeys.load(tmp_path / "ours")) as feed:
        with (
            Subscriber(feed.address, keys=keys("ours")) as admitted,
            Subscriber(feed.address, keys=keys("theirs")) as stranger,
            Subscriber(feed.address) as plain,
        ):
            collect(admitted, has("hb", 2))
            assert stranger.poll(0.3) == []
            assert plain.poll(0.3) == []


def test_a_key_that_is_taken_away_ends_what_it_holds_and_one_put_there_enters(tmp_path):
    create_keys(tmp_path / "keys", ("app", "other"))
    clients, server = tmp_path / "keys" / "clients", tmp_path / "keys" / "server.key"

    def subscriber(name):
        keys = CurveKeys.load(str(clients / f"{name}.key_secret"), str(server))
        return Subscriber(feed.address, keys=keys)

    answers = Replies(on_command=lambda command: None, latest=lambda topic: None,
                      now_lsl_s=time.monotonic, now_unix_s=time.time)  # fmt: skip
    admitted = ServerKeys.load(tmp_path / "keys")
    with (
        open_feed(keys=admitted) as feed,
        Control(FeedSettings(port=0, keys=admitted), answers) as control,
        subscriber("app") as app,
        subscriber("other") as other,
    ):
        collect(app, has("hb"))
        collect(other, has("hb"))
        key = (clients / "app.key").rename(tmp_path / "app.key")
        wait_for(lambda: not app.poll(0.7), "silence for the one without a key")
        collect(other, has("hb", 2))
        address = f"tcp://127.0.0.1:{control.port}"
        gone = CurveKeys.load(str(clients / "app.key_secret"), str(server))
        with pytest.raises(TimeoutError):
            request("TIME", address=address, keys=gone, timeout_s=0.7)
        key.rename(clients / "app.key")
        assert request("TIME", address=address, keys=gone, timeout_s=PATIENCE_S)["ok"]
        with subscriber("app") as again:  # libzmq gives up where it was refused
            collect(again, has("hb"))


def test_control_serves_req_and_survives_a_broken_handler(feed):
    def broken(command):
        raise KeyError(command.op)

    answers = Replies(on_command=broken, latest=feed.latest, now_lsl_s=time.monotonic,
                      now_unix_s=time.time)  # fmt: skip
    with Control(FeedSettings(port=0), answers) as control:
        address = f"tcp://127.0.0.1:{control.port}"
        first = request("START", address=address)
        assert not first["ok"]
        assert "KeyError" in first["error"]
        assert "no hello yet" in request("HELLO", address=address)["error"]
        feed.publish(golden("hello"))
        wait_for(lambda: feed.latest("hello"), "sending")
        assert request("HELLO", address=address)["message"]["rois"][0] == "dmn_vs_dan"
        assert abs(request("TIME", address=address)["t_lsl"] - time.monotonic()) < 5
    with pytest.raises(TimeoutError, match=r"no answer to TIME"):
        request("TIME", address=address, timeout_s=0.2)


def test_control_port_in_use_names_its_own_option(feed):
    answers = Replies(on_command=lambda command: None, latest=feed.latest,
                      now_lsl_s=time.monotonic, now_unix_s=time.time)  # fmt: skip
    settings = FeedSettings(port=feed.port, port_option="--control-port")
    with pytest.raises(PortInUse, match=r"--control-port N") as caught:
        Control(settings, answers)
    assert isinstance(caught.value, RtboldError)
