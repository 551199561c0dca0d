"""Words without what names a person, a place, a machine or a day.

What can be known by its form is taken out: dates, paths, addresses, long numbers, and
the names that the caller knows. A name that somebody wrote into a note has no form.
"""

import re
from collections.abc import Iterable

REMOVED = "[removed]"
LONGEST_TEXT = 300
_MONTH = (
    "jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|"
    "sep(t(ember)?)?|oct(ober)?|nov(ember)?|dec(ember)?|"
    "januar|februar|märz|mai|juni|juli|okt(ober)?|dez(ember)?"
)
_CLOCK = r"([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d([.,]\d+)?)?(Z|[+-]\d\d:?\d\d)?"
_FORMS = (
    r"[\w.+-]+@[\w-]+(\.[\w-]+)*",  # e-mail, user@host
    r"\w+://\S+",
    r"[A-Za-z]:\\\S*",  # a path on Windows
    r"\\\\\S+",
    r"~\w*/\S*",
    r"(?<![\w/])(/[^\s/]+){2,}/?",
    r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b",  # UUID
    r"\b([0-9a-f]{2}[:-]){5}[0-9a-f]{2}\b",  # MAC
    r"\b(\d{1,3}\.){3}\d{1,3}\b",
    rf"\b\d{{4}}[-/.]\d{{1,2}}[-/.]\d{{1,2}}(T{_CLOCK})?",
    rf"\b{_CLOCK}\b",
    r"\b\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2})\b",
    rf"\b\d{{1,2}}(\.|st|nd|rd|th)? ?(of )?({_MONTH})\.?,? \d{{4}}\b",
    rf"\b({_MONTH})\.? \d{{1,2}}(st|nd|rd|th)?,? \d{{4}}\b",
    r"\b\w*\d{5,}\w*\b",  # serial numbers, telephones, records of a hospital
)
_FORM = re.compile("|".join(f"({form})" for form in _FORMS), re.IGNORECASE)
_HOME = re.compile(r"(?:/home/|/Users/|\\Users\\)([^/\\\s]+)")


class Nameless:
    """Takes out of a text what the forms and `names` say.

    Parameters
    ----------
    names : of machines, users, subjects; one of a single character is passed over.
    words : whether free text is kept at all.
    """

    def __init__(self, names: Iterable[str], *, words: bool = True) -> None:
        self._keeps_words = words
        known = sorted({n.strip() for n in names if len(n.strip()) > 1}, key=len)
        listed = "|".join(re.escape(name) for name in reversed(known))
        self._names = (
            re.compile(  # with the domain of a host; an underscore ends a name
                rf"(?<![^\W_])({listed})(\.[a-z][\w-]*)*(?![^\W_])", re.IGNORECASE
            )
            if listed
            else None
        )

    def label(self, text: str) -> str:
        """Return a label or a code: one line that shows, names nobody, may be empty."""
        line = " ".join("".join(c if _shows(c) else " " for c in text).split())
        if self._names is not None:
            line = self._names.sub(REMOVED, line)
        line = _FORM.sub(REMOVED, line)
        return line if len(line) <= LONGEST_TEXT else line[: LONGEST_TEXT - 3] + "..."

    def words(self, text: str) -> str:
        """Return what somebody wrote, as `label`; nothing if words are left out."""
        return self.label(text) if self._keeps_words else ""


def home_names(texts: Iterable[str]) -> set[str]:
    """Return the users whose home folders stand in these texts."""
    return {name for text in texts for name in _HOME.findall(text)}


def _shows(character: str) -> bool:
    return character.isprintable() and character != "\ufeff"
