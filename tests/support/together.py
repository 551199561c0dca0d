"""Scenarios that take a minute of the wall clock each, and little else: all at once.

A module lists its own in ``TOGETHER``; those of the selected tests start together with
the first test that asks for one.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

LIMIT_S = 170.0


@pytest.fixture(scope="session")
def together(request, tmp_path_factory):
    """Return a function from a scenario to its result, which it waits for."""
    asking = [i for i in request.session.items if "together" in i.fixturenames]
    scenarios = dict.fromkeys(s for item in asking for s in item.module.TOGETHER)
    with ThreadPoolExecutor(len(scenarios)) as pool:
        running = {
            scenario: pool.submit(scenario, tmp_path_factory.mktemp(scenario.__name__))
            for scenario in scenarios
        }
        yield lambda scenario: running[scenario].result(LIMIT_S)
