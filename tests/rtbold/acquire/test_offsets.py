import socket

import pytest

from rtbold.acquire.follow import is_foreign

NAN = float("nan")
HERE = socket.gethostname()


@pytest.mark.parametrize(
    ("stamp_s", "offset_s", "host", "foreign"),
    [
        (1000.0, 0.0, HERE, False),
        (940.0, 0.0, HERE, False),  # a minute of backlog
        (1.7e9, 0.0, HERE, True),  # Unix time
        (50_000.0, -49_000.0, "other", False),  # another machine's LSL clock
        (1000.0, None, HERE, False),
        (1000.0, None, "other", True),  # its offset could not be measured
        (1.7e9, None, HERE, True),
        (640.5, 0.0, HERE, False),  # all that LSL keeps, of a receiver that stood still
        (599.0, 0.0, HERE, True),  # older than anything that LSL keeps
        (NAN, 0.0, HERE, False),  # says nothing of its clock
    ],
)
def test_a_stamp_far_from_now_is_on_another_clock(stamp_s, offset_s, host, foreign):
    assert is_foreign(stamp_s, 1000.5, offset_s=offset_s, host=host) is foreign
