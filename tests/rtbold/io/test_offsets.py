import socket

import pytest

from rtbold.io.offsets import is_foreign

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
    ],
)
def test_a_stamp_far_from_now_is_on_another_clock(stamp_s, offset_s, host, foreign):
    assert is_foreign(stamp_s, 1000.5, offset_s=offset_s, host=host) is foreign
