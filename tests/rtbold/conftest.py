"""Bundles of random weights for the tests of single parts."""

import pytest
from bundles import write_tiny


@pytest.fixture
def make_bundle(tmp_path):
    """Write a bundle of random weights: ``make_bundle(channels=..., rois=...)``."""

    def make(*arguments, **changes):
        return write_tiny(tmp_path, *arguments, **changes)

    return make


@pytest.fixture
def tiny_bundle(make_bundle):
    return make_bundle()
