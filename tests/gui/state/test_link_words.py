import pytest
from feed_messages import link

from rtbold.gui.state.words import stale_reason

FEED = "tcp://10.0.0.5:5580"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"error": "no such host"}, "no such host"),
        ({"foreign_schema": "rtbold.hb/9"}, "another version speaks (rtbold.hb/9)"),
        ({"n_bad": 7}, "msgpack"),
        ({}, "Nothing is heard"),
    ],
)
def test_each_trouble_has_its_words_with_the_address_and_a_way_out(changes, said):
    text = stale_reason(link(1.0, alive=False, **changes), FEED)
    assert said in text
    assert FEED in text
    assert len(text.split(". ")) > 1


def test_before_the_link_has_said_anything_nothing_is_heard():
    assert "Nothing is heard" in stale_reason(None, FEED)
