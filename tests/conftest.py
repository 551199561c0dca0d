import gc
import os
import signal

import hypothesis
import pytest

# No test asserts an absolute time: an example of 0.2 s on a busy machine is no failure
hypothesis.settings.register_profile("no clock", deadline=None)
# A look for rare examples, by hand: HYPOTHESIS_PROFILE=thorough pytest ...
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=2000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "no clock"))


# Words are looked for in what commands print, however wide and colourful the terminal
# of whoever runs this is; children inherit it.
os.environ["COLUMNS"] = "80"
for _name in ("FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
    os.environ.pop(_name, None)


def pytest_configure(config):
    # A shell's background job hands down that Ctrl-C is ignored, to children too
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        import rtbold.models  # noqa: F401
    except ModuleNotFoundError as error:
        pytest.exit(f"{error}; run: pip install -e .", returncode=2)


def pytest_collectstart(collector):
    gc.disable()  # what is imported from here on stays


def pytest_collection_finish(session):
    # What was imported stays: no later collection has to look through all of it
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_ignore_collect(collection_path, config):
    """Do not import a file without a marker that every chosen test must have.

    Of five calls of pytest in the test command, four want one test in twenty.
    """
    if collection_path.suffix != ".py" or not collection_path.name.startswith("test_"):
        return None
    wanted = [term.strip() for term in config.getoption("markexpr").split(" and ")]
    text = collection_path.read_text("utf-8")
    lacks = any(term.isidentifier() and f"mark.{term}" not in text for term in wanted)
    return True if lacks else None
