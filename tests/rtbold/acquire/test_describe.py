import numpy as np
import pytest

from rtbold.acquire.describe import (
    describe_stream,
    factors_to_uv,
    require_eeg,
    require_markers,
    to_uv_factor,
    with_reference,
)
from rtbold.errors import ConfigError, StreamMismatch
from rtbold.messages import Channel


def xml(desc="", n=2, rate=500, kind="EEG"):
    return (
        f"<info><name>cap</name><type>{kind}</type><channel_count>{n}</channel_count>"
        f"<nominal_srate>{rate}</nominal_srate><hostname>lab</hostname>"
        f"<source_id>s1</source_id><uid>u1</uid><desc>{desc}</desc></info>"
    )


def channels(*each):
    nodes = (
        f"<channel><label>{label}</label><type>{kind}</type><unit>{unit}</unit>"
        "</channel>"
        for label, kind, unit in each
    )
    return f"<channels>{''.join(nodes)}</channels>"


def test_the_core_facts_are_read():
    stream = describe_stream(xml())
    assert (stream.name, stream.type, stream.rate_hz) == ("cap", "EEG", 500.0)
    assert (stream.host, stream.source_id, stream.uid) == ("lab", "s1", "u1")
    assert not stream.simulated
    assert stream.reference is None


def test_channels_keep_label_and_unit_and_get_a_kind():
    stream = describe_stream(
        xml(channels(("Cz", "EEG", "microvolts"), ("STI", "stim", "0")))
    )
    assert stream.channels == (
        Channel("Cz", "microvolts", "eeg"),
        Channel("STI", "0", "trigger"),
    )


def test_without_a_channel_list_labels_are_numbers():
    assert [c.label for c in describe_stream(xml()).channels] == ["Ch1", "Ch2"]


def test_a_channel_list_of_another_length_is_not_trusted():
    stream = describe_stream(xml(channels(("Cz", "EEG", "uV")), n=2))
    assert [(c.label, c.unit) for c in stream.channels] == [("Ch1", ""), ("Ch2", "")]


@pytest.mark.parametrize(
    ("desc", "reference"),
    [
        ("<reference><label>FCz</label></reference>", "FCz"),
        ("<reference>FCz</reference>", "FCz"),
        ("<reference><common_average>Yes</common_average></reference>", "average"),
        ("<reference><label>average</label></reference>", "average"),
        ("<reference><label>A1</label><label>A2</label></reference>", "A1+A2"),
        ("<channels><reference><label>Cz</label></reference></channels>", "Cz"),
        ("<channels><reference>Cz</reference></channels>", "Cz"),
        ("<common_reference>M1</common_reference>", "M1"),
        ("<reference><label>unknown</label></reference>", None),
        ("<reference><common_average>No</common_average></reference>", None),
    ],
)
def test_the_reference_is_read_where_senders_write_it(desc, reference):
    assert describe_stream(xml(desc)).reference == reference


def test_a_reference_per_channel_counts_if_all_agree():
    channel = "<channel><label>{}</label><reference>{}</reference></channel>"
    same = "".join(channel.format(x, "FCz") for x in ("Cz", "Pz"))
    mixed = channel.format("Cz", "FCz") + channel.format("Pz", "A1")
    assert describe_stream(xml(f"<channels>{same}</channels>")).reference == "FCz"
    assert describe_stream(xml(f"<channels>{mixed}</channels>")).reference is None


def test_a_given_reference_wins():
    stream = describe_stream(xml("<reference><label>FCz</label></reference>"))
    assert with_reference(stream, "Cz").reference == "Cz"
    assert with_reference(stream, "CAR").reference == "average"
    assert with_reference(stream, None).reference == "FCz"


def test_a_stream_may_name_its_cleaning_chain():
    told = describe_stream(xml("<rtbold><cleaning>online:RecView</cleaning></rtbold>"))
    assert told.cleaning == "online:RecView"
    assert describe_stream(xml("")).cleaning == ""


def test_a_simulated_stream_says_so():
    assert describe_stream(
        xml("<rtbold><simulated>true</simulated></rtbold>")
    ).simulated
    assert not describe_stream(
        xml("<rtbold><simulated>no</simulated></rtbold>")
    ).simulated


@pytest.mark.parametrize(
    ("n", "rate", "sample_format", "message"),
    [
        (2, 500, "string", "text, expected numbers"),
        (2, 0, "float32", "no regular rate, expected 200 to 5000 Hz"),
        (2, 0, "float32", "let its sender declare the rate of its samples"),
        (2, 128, "float32", "has 128 Hz"),
        (2, 10000, "float32", "has 10000 Hz"),
        (129, 500, "float32", "129 channels, expected 1 to 128"),
    ],
)
def test_what_cannot_be_eeg_is_refused(n, rate, sample_format, message):
    with pytest.raises(StreamMismatch, match=message):
        require_eeg(describe_stream(xml(n=n, rate=rate)), sample_format)


@pytest.mark.parametrize("rate", [200, 5000])
def test_the_limits_themselves_are_accepted(rate):
    require_eeg(describe_stream(xml(n=128, rate=rate)), "int16")


def test_what_cannot_be_markers_is_refused():
    require_markers(describe_stream(xml(n=1, rate=0)), "string")
    require_markers(describe_stream(xml(n=3, rate=0)), "double64")
    with pytest.raises(StreamMismatch, match="regular rate"):
        require_markers(describe_stream(xml(n=1, rate=500)), "float32")
    with pytest.raises(StreamMismatch, match="2 channels of text"):
        require_markers(describe_stream(xml(n=2, rate=0)), "string")


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("V", 1e6), ("volt", 1e6), ("Volts", 1e6), ("0", 1e6),
        ("mV", 1e3), ("millivolts", 1e3), ("-3", 1e3),
        ("uV", 1.0), ("\u00b5V", 1.0), ("\u03bcV", 1.0), (" microvolts ", 1.0),
        ("microvolt", 1.0), ("-6", 1.0),
    ],
)  # fmt: skip
def test_each_spelling_has_its_factor(unit, factor):
    assert to_uv_factor(unit) == factor


@pytest.mark.parametrize("unit", ["", "FIFFB_ISOTRAK", "none", "nT", "-15", "-12"])
def test_what_is_no_voltage_is_not_guessed(unit):
    assert to_uv_factor(unit) is None


def test_mixed_units_give_a_factor_each():
    channels = [Channel("Cz", "V"), Channel("Pz", "uV"), Channel("ECG", "mV", "ecg")]
    np.testing.assert_array_equal(factors_to_uv(channels), [1e6, 1.0, 1e3])


@pytest.mark.parametrize(
    "channel",
    [
        Channel("STI", "0", "trigger"),
        Channel("STI", "V", "trigger"),
        Channel("IDX", "none", "misc"),
        Channel("IDX", "0", "misc"),
        Channel("ACC", "g", "motion"),
        Channel("ECG", "", "ecg"),
    ],
)
def test_values_of_other_channels_are_kept(channel):
    channels = [Channel("Cz", "V"), channel]
    np.testing.assert_array_equal(factors_to_uv(channels), [1e6, 1.0])


def test_a_given_unit_wins_for_potentials_only():
    channels = [
        Channel("Cz", "FIFFB_ISOTRAK"),
        Channel("ECG", "", "ecg"),
        Channel("IDX", "none", "misc"),
    ]
    np.testing.assert_array_equal(factors_to_uv(channels, "V"), [1e6, 1e6, 1.0])


@pytest.mark.parametrize(
    ("unit", "said"), [("FIFFB_ISOTRAK", "'FIFFB_ISOTRAK'"), ("", "no unit")]
)
def test_an_unknown_unit_of_eeg_is_refused(unit, said):
    with pytest.raises(StreamMismatch, match=rf"{said}.*--unit"):
        factors_to_uv([Channel("Cz", unit)])


def test_a_given_unit_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="'parsec', expected one of V, mV, uV"):
        factors_to_uv([Channel("Cz", "uV")], "parsec")
