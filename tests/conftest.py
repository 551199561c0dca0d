import pytest


def pytest_configure(config):
    try:
        import rtbold.models  # noqa: F401
    except ModuleNotFoundError as error:
        pytest.exit(f"{error}; run: pip install -e .", returncode=2)
