"""Which settings differ between two command lines, by the names of the page. Pure."""

from collections.abc import Sequence

NAMES = {
    "--stream": "the EEG stream",
    "--host": "the EEG stream",
    "--subject": "the subject or model",
    "--model": "the subject or model",
    "--root": "the folder of the subjects",
    "--target": "the target",
    "--trigger-stream": "where the TR comes from",
    "--trigger-host": "where the TR comes from",
    "--trigger-channel": "where the TR comes from",
    "--trigger": "the trigger's label",
    "--trigger-every": "the triggers per volume",
    "--tr": "the TR",
    "--dummy-volumes": "the dummy volumes",
    "--record": "the recording folder",
    "--cleaning": "what cleaned the EEG",
    "--scanner": "the scanner's state",
    "--truth": "measured BOLD",
    "--truth-roi": "measured BOLD",
    "--truth-first": "measured BOLD",
    "--truth-by-onset": "measured BOLD",
    "--unit": "the unit",
    "--reference": "the reference",
    "--interpolate": "the interpolation",
    "--upstream-delay-ms": "the delay of the cleaning",
    "--engine": "the engine",
    "--precision": "the precision",
    "--port": "the ports",
    "--control-port": "the ports",
}
SOMETHING = "a setting"
MOST_NAMES = 4


def changed_words(before: object, now: object) -> str:
    """Return what differs, such as "the EEG stream and the TR".

    Parameters
    ----------
    before, now : words of a command line; of anything else it says "a setting".
    """
    if not isinstance(before, tuple) or not isinstance(now, tuple):
        return SOMETHING
    old, new = _options(before), _options(now)
    options = [each for each in (*NAMES, *old, *new) if old.get(each) != new.get(each)]
    names = list(dict.fromkeys(NAMES.get(option, SOMETHING) for option in options))
    return _listed(names) or SOMETHING


def _options(words: Sequence[str]) -> dict[str, list[str]]:
    """Return the values of each option; what comes before the first is left out."""
    found: dict[str, list[str]] = {}
    values: list[str] = []
    for word in words:
        if word.startswith("--"):
            values = found.setdefault(word, [])
        else:
            values.append(word)
    return found


def _listed(names: list[str]) -> str:
    if len(names) > MOST_NAMES:
        more = len(names) - MOST_NAMES + 1
        names = [*names[: MOST_NAMES - 1], f"{more} more"]
    *first, last = names or [""]
    return f"{', '.join(first)} and {last}" if first else last
