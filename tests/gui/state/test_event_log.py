from rtbold.gui.state.event_log import EventLog


def test_lines_are_numbered_and_the_oldest_go():
    log = EventLog(most=3)
    for k in range(5):
        log.add(f"line {k}", float(k))
    assert [entry.text for entry in log.entries] == ["line 2", "line 3", "line 4"]
    assert [entry.number for entry in log.since(4)] == [4]
    assert log.since(log.n_lines) == ()
    assert log.n_lines == 5


def test_who_said_it_is_kept():
    log = EventLog()
    log.add("ours", 1.0, level="error")
    log.add("theirs", 2.0, t_unix_ms=1.79e12)
    assert [entry.source for entry in log.entries] == ["dashboard", "session"]
