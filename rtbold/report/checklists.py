"""Checklists of what a paper must tell, each item filled where the answer is known.

The lists are data in ``lists/``; the answers are facts by name, from a bundle's card,
a recording, and the file of the site. What nobody told is the author's to fill.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, Literal

import msgspec

State = Literal["filled", "yours", "not_applicable"]
CRED_NF: Final = "cred-nf"
LISTS: Final = (CRED_NF, "cobidas-meeg", "cobidas-mri")
Facts = Mapping[str, str]  # name of a fact -> a sentence


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One item of a list.

    Parameters
    ----------
    fact : which fact answers it; None: no program can.
    not_applicable : why this program never has an answer.
    """

    number: str
    domain: str
    asks: str
    fact: str | None = None
    not_applicable: str | None = None


class Checklist(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A list, and where it comes from."""

    title: str
    source: str
    items: tuple[Asked, ...]

    def numbers(self) -> tuple[str, ...]:
        """Return the numbers of its items, in order."""
        return tuple(item.number for item in self.items)


@dataclass(frozen=True, slots=True)
class Item:
    """One item, and what can be said of it."""

    number: str
    domain: str
    asks: str
    state: State
    answer: str  # empty where it is yours to fill


@cache
def checklist(name: str) -> Checklist:
    """Return one of `LISTS`."""
    text = files("rtbold.report").joinpath("lists", f"{name}.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), Checklist)


def all_numbers() -> tuple[str, ...]:
    """Return the numbers of the items of all lists."""
    return tuple(n for name in LISTS for n in checklist(name).numbers())


def filled(
    name: str, facts: Facts, given: Mapping[str, str] | None = None
) -> tuple[Item, ...]:
    """Return the items of a list with their answers.

    Parameters
    ----------
    given : number of an item -> the author's own answer, which goes before ours.
    """
    own = given or {}
    return tuple(
        _item(each, own.get(each.number) or facts.get(each.fact or ""))
        for each in checklist(name).items
    )


def _item(asked: Asked, answer: str | None) -> Item:
    state: State = "filled" if answer else "yours"
    if not answer and asked.not_applicable:
        state, answer = "not_applicable", asked.not_applicable
    return Item(asked.number, asked.domain, asked.asks, state, answer or "")


def as_json(items: Sequence[Item]) -> list[dict[str, str]]:
    """Return the items as the JSON files have them."""
    return [
        {"item": each.number, "domain": each.domain, "asks": each.asks,
         "state": each.state, "answer": each.answer}
        for each in items
    ]  # fmt: skip
