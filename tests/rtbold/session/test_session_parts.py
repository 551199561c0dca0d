from dataclasses import replace

import numpy as np
import pipeline_rig as rig
import pytest
from bundles import write_tiny

from rtbold.acquire.streams import FoundStream, StreamQuery, select_stream
from rtbold.acquire.triggers import TriggerChannel, TriggerStream
from rtbold.bundle.card import Cleaning, Origin
from rtbold.config import RunSettings
from rtbold.errors import AmbiguousStream, ConfigError, DomainRefused, StreamMismatch
from rtbold.session.open import (
    acquisition_settings,
    check_clocks,
    check_counted,
    conversion,
    pipeline_settings,
    stream_pipeline_settings,
    trigger_source,
)


def test_without_any_source_of_triggers_it_asks_and_never_runs_free_by_itself():
    with pytest.raises(ConfigError, match=r"no source of volume triggers.*--tr 2\.1"):
        trigger_source(RunSettings(model="demo"))


def test_free_run_only_when_a_tr_was_asked_for():
    run = RunSettings(tr_s=2.1)
    assert trigger_source(run) is None
    settings = pipeline_settings(run, rig.card(), rig.stream(250.0), standing=())
    assert settings.schedule.mode == "free_run"


def test_a_channel_and_a_stream_of_triggers_contradict():
    with pytest.raises(ConfigError, match="one source of triggers"):
        trigger_source(RunSettings(trigger_channel="STI", trigger_stream="Markers"))


def test_the_sources_are_what_was_named():
    channel = trigger_source(RunSettings(trigger_channel="STI", trigger="1"))
    assert channel == TriggerChannel("STI", "1")
    stream = trigger_source(RunSettings(trigger="R128", upstream_delay_ms=40.0))
    assert isinstance(stream, TriggerStream)
    assert (stream.query.name, stream.query.type) == (None, "Markers")
    assert (stream.label, stream.upstream_delay_s) == ("R128", 0.04)


def test_two_marker_streams_of_one_name_are_told_apart_by_their_computers():
    run = RunSettings(trigger_stream="M", trigger_host="LAB-a")
    on = [
        FoundStream("M", "Markers", h, h, h, 0.0, 1, "string") for h in ("lab-a", "b")
    ]
    assert select_stream(on, trigger_source(run).query).host == "lab-a"
    unsaid = trigger_source(RunSettings(trigger_stream="M"))
    with pytest.raises(AmbiguousStream, match=r"--trigger-host HOST"):
        select_stream(on, unsaid.query)
    with pytest.raises(AmbiguousStream, match=r"--trigger-stream NAME"):
        select_stream(
            [on[0], replace(on[1], name="N")],
            StreamQuery(type="Markers", name_option="--trigger-stream"),
        )


@pytest.mark.parametrize(
    ("options", "delay_s", "unknown"),
    [
        ({"trigger_stream": "M"}, 0.0, True),
        ({"trigger_stream": "M", "upstream_delay_ms": 40.0}, 0.04, False),
        # a trigger channel goes through the same software: nothing to shift
        ({"trigger_channel": "STI", "upstream_delay_ms": 40.0}, 0.0, False),
    ],
)
def test_the_upstream_delay_shifts_only_what_did_not_go_through_it(
    options, delay_s, unknown
):
    run = RunSettings(**options)
    settings = pipeline_settings(run, rig.card(), rig.stream(250.0), standing=())
    assert settings.intake.upstream_delay_s == delay_s
    assert ("upstream_delay_unknown" in settings.standing) is unknown


def test_a_session_waits_a_tenth_of_a_second_for_a_trigger():
    run = RunSettings(trigger="R128")
    settings = pipeline_settings(run, rig.card(), rig.stream(250.0), standing=())
    assert settings.schedule.wait_s == 0.1
    assert settings.schedule.tr_s == 2.1


def test_trigger_lock_with_a_foreign_clock_is_refused():
    good = rig.stream(250.0)
    foreign = rig.stream(250.0, name="timeflux", foreign_clock=True)
    check_clocks(good, None)
    check_clocks(foreign, None)
    check_clocks(good, good)
    for pair in ((foreign, good), (good, foreign)):
        with pytest.raises(StreamMismatch, match=r"'timeflux'.*another clock"):
            check_clocks(*pair)


def test_acquisition_is_asked_for_the_named_stream():
    run = RunSettings(stream="A", host="h", unit="V", reference="FCz", tr_s=2.1)
    settings = acquisition_settings(run)
    assert (settings.query.name, settings.query.host) == ("A", "h")
    assert (settings.unit, settings.reference) == ("V", "FCz")
    assert settings.trigger is None


def test_the_conversion_on_record_is_the_average_reference():
    found = conversion(rig.stream(250.0), rig.card(), interpolate=False)
    assert found["from_channels"] == found["to_channels"] == rig.CHANNELS
    matrix = np.array(found["matrix"])
    np.testing.assert_allclose(matrix, np.eye(6) - 1 / 6)


@pytest.fixture
def subject(tmp_path):
    return write_tiny(
        tmp_path, channels=rig.CHANNELS, scanner="inside_running",
        origin=Origin(kind="subject", simulated_lineage=False),
        cleaning=Cleaning(mode="online", software="RecView"),
    )  # fmt: skip


def test_another_cleaning_chain_runs_only_when_told_to_and_degraded(subject):
    stream = rig.stream(500.0, simulated=False)
    same = RunSettings(trigger="R128", cleaning="online:RecView", upstream_delay_ms=9)
    assert stream_pipeline_settings(same, subject, stream).standing == ()
    other = RunSettings(trigger="R128", cleaning="offline:EEGLAB", upstream_delay_ms=9)
    with pytest.raises(DomainRefused, match="allow-domain-shift"):
        stream_pipeline_settings(other, subject, stream)
    told = RunSettings(
        trigger="R128", upstream_delay_ms=9, allow_domain_shift=True,
        cleaning="offline:EEGLAB",
    )  # fmt: skip
    standing = stream_pipeline_settings(told, subject, stream).standing
    assert standing == ("domain_shift",)


def test_a_free_run_is_not_taken_for_the_running_scanner(subject):
    stream = rig.stream(500.0, simulated=False, cleaning="online:RecView")
    with pytest.raises(DomainRefused, match="--scanner"):
        stream_pipeline_settings(RunSettings(tr_s=2.1), subject, stream)


def test_a_simulated_model_on_a_real_stream_needs_no_second_permission(tmp_path):
    bundle = write_tiny(tmp_path, channels=rig.CHANNELS, cleaning=Cleaning(mode="none"))
    run = RunSettings(tr_s=2.1, allow_simulated_model=True, upstream_delay_ms=9)
    stream = rig.stream(500.0, simulated=False)
    standing = stream_pipeline_settings(run, bundle, stream).standing
    assert standing == ("simulated_model",)


def test_measured_bold_needs_volumes_that_the_scanner_counts():
    free = acquisition_settings(RunSettings(tr_s=2.1))
    with pytest.raises(ConfigError, match="--truth was given for a free run"):
        check_counted(free)
    check_counted(acquisition_settings(RunSettings(trigger="R128")))


def test_a_group_s_model_is_degraded_at_best_until_it_is_calibrated(tmp_path):
    group = write_tiny(
        tmp_path, channels=rig.CHANNELS, cleaning=Cleaning(mode="none"),
        origin=Origin(kind="group", simulated_lineage=False, group="twelve subjects"),
    )  # fmt: skip
    run = RunSettings(tr_s=2.1, upstream_delay_ms=9, cleaning="none")
    stream = rig.stream(500.0, simulated=False)
    settings = stream_pipeline_settings(run, group, stream)
    assert settings.standing == ("unvalidated",)
    assert settings.likeness.lines is not None
