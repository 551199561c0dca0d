"""Real windows, offscreen, and the children that they look at; nothing is left over."""

import psutil
import pytest
from dashboard import Dashboard, Publisher


@pytest.fixture
def dashboards(qtbot, qapp, tmp_path_factory):
    """Open windows; each must end without a fault of its own."""
    opened = []

    def open_one(**options):
        folder = tmp_path_factory.mktemp("dashboard")
        opened.append(Dashboard(qtbot, qapp, folder, **options))
        return opened[-1]

    yield open_one
    for dashboard in opened:
        dashboard.close()
    assert [dashboard.faults for dashboard in opened] == [{}] * len(opened)


@pytest.fixture
def publishers():
    """Start ``rtbold fake``; each is ended with the test."""
    started = []

    def start(*options, **more):
        started.append(Publisher(*options, **more))
        return started[-1]

    yield start
    for publisher in started:
        with publisher:
            if publisher.running:
                publisher.kill()


@pytest.fixture(scope="package", autouse=True)
def nothing_is_left_running():
    """Compare the children of this process before and after."""
    own = psutil.Process()
    before = {child.pid for child in own.children(recursive=True)}
    yield
    left = [c for c in own.children(recursive=True) if c.pid not in before]
    _, alive = psutil.wait_procs(left, timeout=10)
    said = [" ".join(child.cmdline()) for child in alive]
    # The interpreter keeps one of its own for shared memory, until it ends.
    assert [words for words in said if "resource_tracker" not in words] == []
