import math
import time
import uuid
from pathlib import Path

import msgspec
import pytest

from rtbold.publish.lsl_mirror import (
    LslMirror,
    MirrorSettings,
    row,
    status_text,
)
from rtbold.publish.wire import decode

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
ROIS = ("dmn_vs_dan", "V1", "pIns_L")


def golden(topic, **changes):
    message = decode(topic, (GOLDEN / f"{topic}.1.json").read_bytes())
    return msgspec.structs.replace(message, **changes)


def settings(**changes):
    fields = {
        "rois": ROIS, "target": "V1", "tr_s": 2.1, "model_sha256": "ab",
        "simulated": True,
    }  # fmt: skip
    return MirrorSettings(**{**fields, **changes})


def test_row_has_rois_target_status_and_volume():
    assert row(golden("pred.roi"), golden("pred.fb"), n_rois=3) == [
        0.42, -1.5, 0.001, 0.42, 0.0, 131.0,
    ]  # fmt: skip


def test_null_is_nan_and_status_a_number():
    roi = golden("pred.roi", values=None, volume_index=None)
    fb = golden("pred.fb", value=None, status="paused", volume_index=None)
    sample = row(roi, fb, n_rois=3)
    assert sample[4] == 4.0
    assert [math.isnan(x) for x in sample] == [True] * 4 + [False, True]
    assert len(sample) == len(settings().labels)


def test_messages_of_two_ticks_are_refused():
    with pytest.raises(ValueError, match=r"volume 130.*131.*one tick"):
        row(golden("pred.roi", volume_index=130), golden("pred.fb"), n_rois=3)


def test_source_id_is_stable_and_changes_with_the_channels():
    first = settings().source_id("x")
    assert first == settings(tr_s=3.0, model_sha256="cd").source_id("x")
    assert first != settings(target="pIns_L").source_id("x")
    assert first != settings(port=5590).source_id("x")  # another session beside it
    assert first != settings().source_id("y")


def test_texts_of_markers():
    assert status_text(golden("pred.fb")) == "status ok"
    fb = golden("pred.fb", status="invalid", reasons=("gap", "rate"))
    assert status_text(fb) == "status invalid: gap, rate"


@pytest.mark.integration
def test_streams_on_lsl_carry_description_values_and_stamps():
    import pylsl

    tag = uuid.uuid4().hex
    names = {"name": f"pred-{tag}", "events_name": f"events-{tag}"}
    mirror = LslMirror(settings(**names))
    inlets = []
    try:
        for name in names.values():
            (info,) = pylsl.resolve_byprop("name", name, timeout=10)
            inlet = pylsl.StreamInlet(info)
            inlet.open_stream(timeout=10)
            inlets.append(inlet)
        mirror.push(golden("pred.roi"), golden("pred.fb"))
        mirror.push(
            golden("pred.roi", values=None, status="invalid"),
            golden("pred.fb", value=None, status="invalid", reasons=("gap",)),
        )
        mirror.push_event("operator: mark eyes open", 81240.0)
        good, t_s = inlets[0].pull_sample(timeout=10)
        bad, _ = inlets[0].pull_sample(timeout=10)
        marks = [inlets[1].pull_sample(timeout=10)[0][0] for _ in range(3)]
        info = inlets[0].info(timeout=10)
    finally:
        for inlet in inlets:
            inlet.close_stream()
        mirror.close()
    assert t_s == pytest.approx(81234.4, abs=1e-6)
    assert good == pytest.approx([0.42, -1.5, 0.001, 0.42, 0, 131], abs=1e-6)
    assert [math.isnan(x) for x in bad] == [True] * 4 + [False, False]
    assert bad[4] == 2.0
    assert marks == [
        "status ok", "status invalid: gap", "operator: mark eyes open",
    ]  # fmt: skip
    assert info.nominal_srate() == pytest.approx(1 / 2.1)
    assert info.get_channel_labels() == list(settings().labels)
    assert info.get_channel_units() == ["model units"] * 4 + ["integer"] * 2
    assert info.desc().child("rtbold").child_value("simulated") == "true"
    assert info.source_id() == settings(**names).source_id(names["name"])


@pytest.mark.integration
def test_mne_lsl_reads_the_mirror():
    from mne_lsl.stream import StreamLSL

    tag = uuid.uuid4().hex
    names = {"name": f"pred-{tag}", "events_name": f"events-{tag}"}
    mirror = LslMirror(settings(**names))
    # 1/TR is its rate: the buffer is in seconds, here of ten volumes
    stream = StreamLSL(bufsize=21, name=names["name"])
    try:
        stream.connect(acquisition_delay=0.02, timeout=20)
        assert stream.ch_names == list(settings().labels)
        assert stream.info["sfreq"] == pytest.approx(1 / 2.1)
        assert stream.sinfo.source_id == settings(**names).source_id(names["name"])
        end_s, volume = time.monotonic() + 20, 0
        while stream.n_new_samples < 2:  # the inlet may open late
            both = {"volume_index": volume}
            mirror.push(golden("pred.roi", **both), golden("pred.fb", **both))
            volume += 1
            assert time.monotonic() < end_s
            time.sleep(0.05)
        data, _ = stream.get_data()
    finally:
        if stream.connected:
            stream.disconnect()
        mirror.close()
    newest = data[:, -1]
    assert newest[:5] == pytest.approx([0.42, -1.5, 0.001, 0.42, 0], abs=1e-6)
    assert 0 <= newest[5] < volume
