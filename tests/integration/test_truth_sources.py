"""Measured BOLD by socket, file and LSL, each from a sender that stops and returns."""

import json
import time

import pylsl
import pytest
from bold_servers import FakeTbv, LineServer
from loop import PATIENCE_S, new_name

from rtbold.acquire.bold import BoldFeed, open_bold, open_reader
from rtbold.acquire.bold_readers import parse_source
from rtbold.acquire.streams import LslClock
from rtbold.acquire.tbv import TbvClient
from rtbold.errors import DataFileError
from rtbold.sim.outlets import open_bold_outlet

pytestmark = pytest.mark.integration
ROIS = ("Cuneus", "Putamen")


@pytest.fixture
def feed():
    feeds = []

    def start(text, rois=ROIS):
        source = parse_source(text)
        if source.kind == "lsl":
            feeds.append(open_bold(source, rois, LslClock()))
        else:
            reader = open_reader(source, rois)
            feeds.append(BoldFeed(reader, LslClock(), what=text, retry_s=0.1))
        return feeds[-1]

    yield start
    for each in feeds:
        each.close()


def until(condition):
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.02)


def taken(feed, n):
    volumes = []
    until(lambda: volumes.extend(feed.volumes()) or len(volumes) >= n)
    return volumes


def line(index):
    return (json.dumps({"volume": index, "values": [index, -index]}) + "\n").encode()


def test_tcp_lines_come_and_a_server_that_restarts_is_found_again(feed):
    with LineServer() as server:
        source = feed(f"tcp:127.0.0.1:{server.port}")
        until(lambda: server.connections)
        server.send(line(0) + line(1)[:10])
        server.send(line(1)[10:])
        assert [v.values for v in taken(source, 2)] == [(0.0, 0.0), (1.0, -1.0)]
        server.send(b"nonsense\n")
        until(lambda: "is no volume" in source.problem)
        server.hang_up()
        until(lambda: server.connections)
        server.send(line(2))
        assert [v.volume_index for v in taken(source, 1)] == [2]
        assert source.problem == ""


def asking_s(source):
    begun_s = time.monotonic()
    assert source.volumes() == []
    return time.monotonic() - begun_s


def test_without_a_server_the_problem_is_told_and_nothing_waits(feed):
    with LineServer() as server:
        port = server.port
    source = feed(f"tcp:127.0.0.1:{port}")
    # the best of five: the machine may be busy, the call may not wait
    assert min(asking_s(source) for _ in range(5)) < 0.05
    until(lambda: "refused" in source.problem)


def test_a_file_that_comes_late_and_grows(feed, tmp_path):
    path = tmp_path / "rois.tsv"
    source = feed(f"file:{path}")
    until(lambda: "No such file" in source.problem)
    path.write_text("volume\tCuneus\n4\t0.25\n")
    assert [v.volume_index for v in taken(source, 1)] == [4]
    with path.open("a") as file:
        file.write("5\t0.5\n")
    assert [v.values for v in taken(source, 1)] == [(0.5,)]


def test_turbo_brainvoyager_as_it_is_described(feed):
    with FakeTbv(n_rois=2) as server:
        server.points = [(1.5, 2.5), (3.5, 4.5)]
        source = feed(f"tbv:127.0.0.1:{server.port}")
        first = taken(source, 2)
        assert [(v.volume_index, v.rois, v.values) for v in first] == [
            (0, ROIS, (1.5, 2.5)),
            (1, ROIS, (3.5, 4.5)),
        ]
        server.hang_up()
        server.points.append((5.5, 6.5))
        assert [v.values for v in taken(source, 1)] == [(5.5, 6.5)]
        server.points = [(7.5, 8.5)]  # another run
        assert [(v.volume_index, v.values) for v in taken(source, 1)] == [
            (0, (7.5, 8.5))
        ]
        assert server.asked[0] == ("Request Socket",)


def test_turbo_brainvoyager_with_other_rois_open_is_told(feed):
    with FakeTbv(n_rois=3) as server:
        server.points = [(1.0, 2.0, 3.0)]
        source = feed(f"tbv:127.0.0.1:{server.port}")
        until(lambda: "has 3 ROIs open" in source.problem)
        client = TbvClient("127.0.0.1", server.port)
        with pytest.raises(DataFileError, match=r"Wrong request!.*out of range"):
            client.ask("tGetMeanOfROIAtTimePoint", 9, 0)
        client.close()


def test_an_lsl_stream_that_comes_late_and_again_under_its_name(feed):
    name = new_name("bold")
    source = feed(f"lsl:{name}")
    assert "no stream" in source.problem
    outlets = [open_bold_outlet(name, ROIS, tr_s=2.1)]
    until(lambda: source.problem == "")
    until(lambda: outlets[0]._outlet.have_consumers())
    onset_s = pylsl.local_clock() - 2.1
    outlets[0].push_event((7.0, 0.5, float("nan")), onset_s)
    (volume,) = taken(source, 1)
    assert (volume.volume_index, volume.rois, volume.values) == (7, ROIS, (0.5, None))
    assert volume.t_volume_s == pytest.approx(onset_s, abs=0.01)
    assert volume.t_arrived_s == pytest.approx(onset_s + 2.1, abs=1.0)
    outlets.clear()
    until(lambda: "lost" in source.problem)
    again = open_bold_outlet(name, ROIS, tr_s=2.1)
    until(lambda: again._outlet.have_consumers())
    again.push_event((8.0, 1.0, 2.0), pylsl.local_clock())
    assert [v.volume_index for v in taken(source, 1)] == [8]
