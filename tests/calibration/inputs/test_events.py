"""Tables of events."""

import numpy as np
import pytest

from rtbold.calibration.inputs.events import Event, conditions_of, read_events
from rtbold.errors import DataFileError


def table(tmp_path, text):
    path = tmp_path / "events.tsv"
    path.write_text(text)
    return path


def test_blocks_are_read_and_mark_volumes_as_bold_shows_them(tmp_path):
    path = table(
        tmp_path,
        "onset\tduration\ttrial_type\tvalue\n0\t20\trest\t1\n20\t20.5\tregulate\t2\n"
        "60\t10\tn/a\t3\n80\t20\trest\t1\n",
    )
    events = read_events(path)
    assert events[1] == Event("regulate", 20.0, 20.5)
    found = conditions_of(events, 60, 2.0)
    assert list(found) == ["rest", "regulate"]
    # BOLD follows by 5 s: the first volume of the block is that of 26 s
    assert np.flatnonzero(found["regulate"]).tolist() == list(range(13, 23))
    assert found["rest"].sum() == 20


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("onset,duration,trial_type\n0,1,a\n", r"expected onset, duration, trial_type"),
        ("onset\tduration\n0\t1\n", r"missing: trial_type"),
        ("", r"has the columns none"),
        ("onset\tduration\ttrial_type\nx\t1\ta\n", r"line 2 .* has onset 'x'"),
        ("onset\tduration\ttrial_type\n1\t-1\ta\n", r"line 2 .* duration '-1'"),
        ("onset\tduration\ttrial_type\nnan\t1\ta\n", r"line 2 .* has onset 'nan'"),
        ("onset\tduration\ttrial_type\n1\n", r"line 2 .* duration None"),
    ],
)
def test_what_is_no_table_of_events(tmp_path, text, message):
    with pytest.raises(DataFileError, match=message):
        read_events(table(tmp_path, text))
    with pytest.raises(DataFileError, match="cannot be read as a table of events"):
        read_events(tmp_path / "gone.tsv")
