"""What is known about what becomes of what is sent to a provider: `resources/providers/facts.json`.

Each fact has its source and its date; what no source was found for is there as a fact without text, so that a page can
say that nothing is known. The texts are English and about the API alone, not about a provider's apps. Nothing here
looks anything up: the file is as old as its dates, and a provider may have changed its terms since.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import resources

_FILE = Path(resources.__path__[0]) / "providers" / "facts.json"

LONGEST = 300
"""Characters of a fact's text: one or two sentences, which fit into a row of a table."""


class Topic(StrEnum):
    """What a fact is about. The first four are there for each provider, `SHARING` where there is something to say."""

    RETENTION = "retention"  # what is kept, and how long
    TRAINING = "training"  # whether models are trained on it
    REGION = "region"  # where it is worked on and kept
    CERTIFICATIONS = "certifications"  # which audits and certificates the provider has
    SHARING = "sharing"  # who else sees it


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that a source says.

    `text` is "" where no source was found; then so are `source`, `source_title` and `date`. `source` is an https
    address. `date` is the day of the source's own text, "" where it names none; `checked` the day of the copy that
    was read, or on which a source was looked for in vain. Both are ISO dates.
    """

    topic: Topic
    text: str
    source: str
    source_title: str
    date: str
    checked: str

    @property
    def known(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.text)


@dataclass(frozen=True, slots=True)
class ProviderFacts:
    """Who a provider is, and what is known about it. `country` is where `who` has its seat, two letters (ISO 3166)."""

    who: str
    country: str
    facts: tuple[Fact, ...]

    def about(self, topic: Topic) -> tuple[Fact, ...]:
        """The facts of one topic, in the order in which they are told. Where sources differ there are several."""
        return tuple(fact for fact in self.facts if fact.topic is topic)


def facts_of(provider_id: str) -> ProviderFacts | None:
    """What is known about a provider of the catalogue; None for a server of one's own and for an unknown id."""
    return _all().get(provider_id)


@cache
def collected() -> str:
    """The ISO date on which the facts were put together. No fact is newer."""
    return _day(str(_read()["collected"]))


def facts_from(entry: Mapping[str, Any], until: str) -> ProviderFacts:
    """A provider as its entry describes it. Raises ValueError, KeyError or TypeError for an entry that is wrong.

    `until` is the ISO date after which nothing can have been read.
    """
    if entry.keys() != {"who", "country", "facts"}:
        raise ValueError(f"an entry has who, country and facts, not {sorted(entry)}")
    facts = tuple(_fact(row, until) for row in entry["facts"])
    return ProviderFacts(str(entry["who"]), str(entry["country"]), facts)


def _fact(row: Mapping[str, Any], until: str) -> Fact:
    if row.keys() != set(Fact.__slots__) or not all(isinstance(value, str) for value in row.values()):
        raise ValueError(f"a fact has a text for each of {Fact.__slots__}, not {dict(row)}")
    fact = Fact(**{**row, "topic": Topic(row["topic"])})
    if len(fact.text) > LONGEST:
        raise ValueError(f"{len(fact.text)} characters are too many: {fact.text}")
    if not fact.known == bool(fact.source) == bool(fact.source_title) or (fact.date and not fact.known):
        raise ValueError(f"what is known has a source, and what has a source says something: {fact}")
    if fact.known and not fact.source.startswith("https://"):
        raise ValueError(f"no https address: {fact.source}")
    if _day(fact.checked) > until or (fact.date and _day(fact.date) > until):
        raise ValueError(f"read after {until}: {fact}")
    return fact


def _day(text: str) -> str:
    """The date itself, when it is one as YYYY-MM-DD; ValueError otherwise."""
    if date.fromisoformat(text).isoformat() != text:
        raise ValueError(f"no date as YYYY-MM-DD: {text}")
    return text


@cache
def _all() -> Mapping[str, ProviderFacts]:
    return {name: facts_from(entry, collected()) for name, entry in _read()["providers"].items()}


@cache
def _read() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))
    return read
