"""What is fed back: one ROI, or a weighted sum of ROIs, read from one line of text.

``Putamen - 0.5*Global``: names of ROIs, each with a weight, and signs between them. A
name with blanks or hyphens stands in quotes. ``Global`` is the mean of all ROIs; a
network or the beginning of several names is the mean of those. Pure.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypedDict

from rtbold.bundle import Card
from rtbold.errors import ConfigError
from rtbold.text import did_you_mean, first_few, printable

GLOBAL: Final = "Global"
LONGEST_TARGET: Final = 500  # characters
_LEAST_OF_GROUP: Final = 2  # ROIs; one alone is meant by its own name
_SAME: Final = 1e-9  # of a weight: written otherwise, it is still the same
_NUMBER: Final = re.compile(r"(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?(?=\s*\*)")
_BARE: Final = re.compile(r"[^\W][\w.]*")
_QUOTED: Final = re.compile(r"\"([^\"]*)\"|'([^']*)'")
_NOT_BARE: Final = re.compile(r"[^\w.]")


@dataclass(frozen=True, slots=True)
class Target:
    """What is fed back, as a weighted sum of the model's ROIs."""

    name: str  # a ROI's, or the contrast as it was written
    weights: Mapping[str, float]  # ROI -> weight, in the order of the card

    def roi_of(self, card: Card) -> int | None:
        """Return the number of the ROI that it is; None: it is a contrast."""
        return card.rois.index(self.name) if self.name in card.rois else None

    def is_of_card(self, card: Card) -> bool:
        """Return whether it is the contrast that the card was calibrated for."""
        return card.contrast is not None and card.contrast.name == self.name


def choose_target(card: Card, text: str | None = None) -> Target:
    """Return the target that `text` names; None: the card's, or its first ROI.

    A contrast with the weights of the card's own is the card's own, whatever it is
    called.

    Raises
    ------
    ConfigError : it cannot be read (it points at the character), or names a ROI that
        the bundle does not predict.
    """
    contrast = card.contrast
    if text is None:
        text = card.target or card.rois[0]
    if text in card.rois:
        return Target(text, {text: 1.0})
    if contrast is not None and text == contrast.name:
        return Target(text, contrast.weights)
    weights = parse_target(text, card.rois, of=f"bundle {card.name!r} predicts")
    if contrast is not None and _alike(weights, contrast.weights):
        return Target(contrast.name, contrast.weights)
    if list(weights.values()) == [1.0]:
        return Target(next(iter(weights)), weights)
    return Target(written(text), weights)


def shares_rois(card: Card, one: str, other: str | None) -> bool:
    """Return whether two targets have a ROI in common, as a risk of one has of both.

    Parameters
    ----------
    other : None: the card's.

    Raises
    ------
    ConfigError : as `choose_target`.
    """
    of_one, of_other = choose_target(card, one), choose_target(card, other)
    return bool(of_one.weights.keys() & of_other.weights.keys())


class AskedTarget(TypedDict):
    """A target as the gates of a bundle ask for it."""

    target: str | None
    parts: tuple[str, ...]


def asked_target(card: Card, text: str | None) -> AskedTarget:
    """Return a target's own name and its ROIs; None: the card's, by no name.

    Raises
    ------
    ConfigError : as `choose_target`.
    """
    found = choose_target(card, text)
    return AskedTarget(
        target=None if text is None else found.name, parts=tuple(found.weights)
    )


def parse_target(
    text: str, rois: Sequence[str], *, of: str = "there are", option: str = "--target"
) -> dict[str, float]:
    """Return ROI -> weight of a contrast, in the order of `rois`.

    Parameters
    ----------
    of : who has these ROIs, for messages.
    option : what gave the text, for messages.

    Raises
    ------
    ConfigError : it cannot be read, names what is no ROI, or all weights are 0.
    """
    if text in rois:
        return {text: 1.0}
    if len(text) > LONGEST_TARGET or not text.isprintable():
        raise ConfigError(
            f"{option} is {printable(text)!r}, expected one line of at most "
            f"{LONGEST_TARGET} characters."
        )
    reader = _Reader(text, option)
    found = dict.fromkeys(rois, 0.0)
    for term in reader.terms():
        members = group_of(term.name, rois)
        if not members:
            raise reader.refused(
                term.at,
                f"{printable(term.name)!r} is no ROI, network or group of ROIs",
                f"{of} {first_few(rois, 12)}. Give one of these, or a contrast of them."
                + did_you_mean([term.name], [*rois, GLOBAL])
                + _quotes_hint(text, rois),
            )
        for roi in members:
            found[roi] += term.weight / len(members)
    weights = {roi: weight for roi, weight in found.items() if abs(weight) > _SAME}
    if not weights:
        raise ConfigError(
            f"{option} is {text!r}, whose weights add up to 0 for every ROI. Expected "
            "a contrast in which something is left."
        )
    return weights


def group_of(name: str, rois: Sequence[str]) -> tuple[str, ...]:
    """Return the ROIs that a name stands for; none: it is unknown.

    A ROI by its own name; ``Global`` for all; else those that have it as a part between
    underscores (a network, as ``Default`` in ``7Networks_LH_Default_PFC_1``) or begin
    with its words, if these are two or more.
    """
    if name in rois:
        return (name,)
    if name.casefold() == GLOBAL.casefold():
        return tuple(rois)
    members = tuple(roi for roi in rois if name in roi.split("_")) or tuple(
        roi for roi in rois if name and _begins(roi, name)
    )
    return members if len(members) >= _LEAST_OF_GROUP else ()


def written(text: str) -> str:
    """Return a contrast with single blanks around its signs, as it goes on the wire."""
    parts: list[str] = []
    for term in _Reader(text, "").terms():
        sign = "-" if math.copysign(1.0, term.weight) < 0 else "+"
        size = abs(term.weight)
        bare = term.name and not _NOT_BARE.search(term.name)
        name = term.name if bare else _quoted(term.name)
        words = name if size == 1.0 else f"{repr(size).removesuffix('.0')}*{name}"
        first = words if sign == "+" else f"-{words}"
        parts.append(f" {sign} {words}" if parts else first)
    return "".join(parts)


@dataclass(frozen=True, slots=True)
class _Term:
    name: str
    weight: float
    at: int  # character at which the name begins


class _Reader:
    """Reads one contrast from left to right; refusals point at the character."""

    def __init__(self, text: str, option: str) -> None:
        self._text = text
        self._option = option
        self._at = 0

    def terms(self) -> Iterator[_Term]:
        sign = self._sign(first=True)
        while True:
            yield self._term(sign)
            if self._ended():
                return
            sign = self._sign(first=False)

    def refused(self, at: int, what: str, expected: str) -> ConfigError:
        """Return the error; its third line marks the character under the text."""
        return ConfigError(
            f"{self._option} is {self._text!r}, which cannot be read: {what}\n"
            f"  {self._text}\n  {' ' * at}^\n{expected}"
        )

    def _ended(self) -> bool:
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1
        return self._at == len(self._text)

    def _sign(self, *, first: bool) -> float:
        if not self._ended() and (found := self._text[self._at]) in "+-":
            self._at += 1
            return -1.0 if found == "-" else 1.0
        if first:
            return 1.0
        raise self._unexpected("expected + or - before the next name, or the end.")

    def _term(self, sign: float) -> _Term:
        weight = sign * self._weight()
        if self._ended():
            raise self.refused(
                self._at,
                "it ends where a name should stand",
                "Expected a ROI, such as Putamen - 0.5*Global.",
            )
        at = self._at
        if (quoted := _QUOTED.match(self._text, at)) is not None:
            self._at = quoted.end()
            return _Term(quoted.group(1) or quoted.group(2) or "", weight, at)
        if self._text[at] in "\"'":
            raise self.refused(
                at, "a quote opens here and never closes", "Expected its other half."
            )
        if (bare := _BARE.match(self._text, at)) is None:
            raise self._unexpected("expected the name of a ROI.")
        self._at = bare.end()
        return _Term(bare.group(), weight, at)

    def _weight(self) -> float:
        if self._ended() or (found := _NUMBER.match(self._text, self._at)) is None:
            return 1.0
        weight = float(found.group())
        if not math.isfinite(weight) or weight > 1e6:
            raise self.refused(
                self._at, "this weight is too large", "Expected at most 1000000."
            )
        self._at = self._text.index("*", found.end()) + 1
        return weight

    def _unexpected(self, expected: str) -> ConfigError:
        return self.refused(
            self._at,
            f"{self._text[self._at]!r} stands where it has no meaning",
            f"{expected[0].upper()}{expected[1:]} A name with blanks, hyphens or "
            "brackets stands in quotes; a weight stands before it, as in 0.5*Global.",
        )


def _begins(roi: str, name: str) -> bool:
    """Return whether a ROI's name begins with these words."""
    rest = roi[len(name) :]
    return roi.startswith(name) and bool(rest) and not rest[0].isalnum()


def _alike(a: Mapping[str, float], b: Mapping[str, float]) -> bool:
    return a.keys() == b.keys() and all(abs(a[roi] - b[roi]) < _SAME for roi in a)


def _quoted(name: str) -> str:
    return f"'{name}'" if '"' in name else f'"{name}"'


def _quotes_hint(text: str, rois: Sequence[str]) -> str:
    """Return a sentence where a name of several words stands without its quotes."""
    bare = [roi for roi in rois if _NOT_BARE.search(roi) and roi in text]
    near = [roi for roi in bare if _quoted(roi) not in text and f"'{roi}'" not in text]
    return f" Put {near[0]!r} in quotes: {_quoted(near[0])}." if near else ""
