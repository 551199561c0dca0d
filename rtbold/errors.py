"""Every error that rtbold raises on purpose.

Each message says what came, what was expected, and what to do. The command line
prints the message alone (a traceback only with ``--debug``) and exits with the
error's ``exit_code``: 2 for wrong or contradicting arguments, 1 for anything else.
"""


class RtboldError(Exception):
    """Base of all deliberate errors; the work failed."""

    exit_code = 1


class ConfigError(RtboldError):
    """An option or a setting is wrong or contradicts another one."""

    exit_code = 2


class StreamNotFound(RtboldError):
    """No LSL stream fits the query."""


class AmbiguousStream(RtboldError):
    """More than one LSL stream (or trigger label) fits; rtbold never chooses."""


class StreamMismatch(RtboldError):
    """The stream does not carry what the bundle needs."""


class RateMismatch(StreamMismatch):
    """The stream's rate cannot be turned into the model's."""


class BundleError(RtboldError):
    """A model bundle cannot be read, is not whole, or does not fit."""


class CheckpointError(RtboldError):
    """A file of weights from elsewhere cannot be opened safely, or does not fit."""


class DataFileError(RtboldError):
    """A recording or table cannot be read as what it was given as."""


class PortInUse(RtboldError):
    """A socket address is taken; rtbold never moves on to another one."""


class EngineError(RtboldError):
    """An inference engine is missing or cannot run this bundle."""


class DomainRefused(RtboldError):
    """The bundle may not run on this stream without an explicit override."""
