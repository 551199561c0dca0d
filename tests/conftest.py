import hypothesis
import pytest

# No test asserts an absolute time: an example of 0.2 s on a busy machine is no failure
hypothesis.settings.register_profile("no clock", deadline=None)
hypothesis.settings.load_profile("no clock")


def pytest_configure(config):
    try:
        import rtbold.models  # noqa: F401
    except ModuleNotFoundError as error:
        pytest.exit(f"{error}; run: pip install -e .", returncode=2)
