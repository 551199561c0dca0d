"""Which precision ``auto`` means on this machine: the fastest that was accepted."""

import logging

from rtbold.bundle.store import Bundle
from rtbold.engine.cache import engines_folder
from rtbold.engine.check import EXACT
from rtbold.engine.openvino_cpu import NOT_OFFERED, open_core, supported, this_machine
from rtbold.engine.records import (
    Machine,
    Record,
    StaleRecord,
    find_record,
    key_of,
    record_path,
)

LOG = logging.getLogger(__name__)
WORTH = 0.9  # a reduced precision is taken if it needs at most this share of the time


def fastest_first(bundle: Bundle) -> tuple[str, ...]:
    """Return the precisions to try in turn; the last is float32.

    They come from the records of ``rtbold models compile``; a record of another bundle,
    OpenVINO or CPU does not count. Without any, float32 is all.
    """
    machine = this_machine(open_core())
    _tell_old_records(bundle)
    found = {p: _record(bundle, machine, p) for p in supported(machine)}
    exact = found.pop(EXACT, None)
    if exact is None:
        return (EXACT,)
    worth = [
        record
        for record in found.values()
        if record is not None
        and record.accepted
        and record.n_threads == exact.n_threads  # or times say nothing
        and record.window_ms <= WORTH * exact.window_ms
    ]
    worth.sort(key=lambda record: record.window_ms)
    return (*(record.key.precision for record in worth), EXACT)


def _tell_old_records(bundle: Bundle) -> None:
    """Say which records are of a precision that was offered once."""
    for precision in NOT_OFFERED:
        path = record_path(engines_folder(bundle), precision)
        if path.exists():
            LOG.warning(
                "precision %s does not count: it is not offered on a CPU any more; "
                "delete %s",
                precision,
                path,
            )


def _record(bundle: Bundle, machine: Machine, precision: str) -> Record | None:
    try:
        return find_record(engines_folder(bundle), key_of(bundle, machine, precision))
    except StaleRecord as stale:
        LOG.warning("precision %s does not count: %s", precision, stale)
        return None
