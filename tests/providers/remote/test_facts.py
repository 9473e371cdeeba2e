"""What is said about a provider has a source and a date, is short and plain, and says so where nothing is known."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from providers.remote.catalogue import catalogue
from providers.remote.facts import LONGEST, Fact, ProviderFacts, Topic, collected, facts_from, facts_of

MARKUP = re.compile(r"[<>`*#|\\]|\]\(|&\w+;|https?:|\s{2}|[\n\r\t]|__")
ROW = {
    "topic": "retention",
    "text": "Kept for 30 days.",
    "source": "https://example.org/data",
    "source_title": "Data",
    "date": "2026-01-08",
    "checked": "2026-02-01",
}
UNKNOWN = {**ROW, "text": "", "source": "", "source_title": "", "date": ""}


def all_facts() -> dict[str, ProviderFacts]:
    found = {name: facts_of(name) for name in catalogue()}
    return {name: facts for name, facts in found.items() if facts is not None}


def every_fact() -> list[Fact]:
    return [fact for provider in all_facts().values() for fact in provider.facts]


def read(row: dict[str, str], until: str = "2026-11-26") -> Fact:
    (fact,) = facts_from({"who": "Example Inc.", "country": "US", "facts": [row]}, until).facts
    return fact


def test_each_provider_of_the_catalogue_has_a_word_on_each_topic() -> None:
    assert all_facts().keys() == catalogue().keys()
    for name, provider in all_facts().items():
        missing = [topic for topic in Topic if topic is not Topic.SHARING and not provider.about(topic)]
        assert not missing, name
        assert provider.who and re.fullmatch(r"[A-Z]{2}", provider.country), name


def test_what_is_known_has_a_source_and_dates_that_are_days_not_after_the_collection() -> None:
    last = date.fromisoformat(collected())
    for fact in every_fact():
        assert date.fromisoformat(fact.checked) <= last, fact
        if fact.known:
            assert re.fullmatch(r"https://[a-z0-9.-]+/\S*", fact.source) and fact.source_title, fact
            assert not fact.date or date.fromisoformat(fact.date) <= last, fact
        else:
            assert (fact.source, fact.source_title, fact.date) == ("", "", ""), fact


def test_texts_are_short_plain_sentences() -> None:
    for fact in every_fact():
        assert len(fact.text) <= LONGEST
        assert not MARKUP.search(fact.text) and not MARKUP.search(fact.source_title), fact
        assert not fact.known or (fact.text[0].isupper() and fact.text.endswith(".")), fact


def test_nothing_is_said_twice_by_one_source_about_one_topic() -> None:
    for name, provider in all_facts().items():
        said = [(fact.topic, fact.source) for fact in provider.facts]
        assert len(said) == len(set(said)), name


def test_the_page_in_the_docs_has_each_providers_host_and_the_day_of_the_collection() -> None:
    page = (Path(__file__).parents[3] / "docs" / "providers.md").read_text(encoding="utf-8")
    table = {line.split("`")[1]: line for line in page.splitlines() if line.startswith("| ") and "`" in line}
    assert {urlsplit(service.base_url).hostname for service in catalogue().values()} == table.keys()
    assert all(row.count("|") == 6 for row in table.values()) and collected() in page


def test_a_server_of_ones_own_has_no_facts() -> None:
    assert facts_of("ollama") is None and facts_of("") is None


def test_where_sources_differ_both_are_told_in_their_order() -> None:
    together = facts_of("together")
    assert together is not None
    first, second = together.about(Topic.RETENTION)
    assert "are stored" in first.text and "are not stored" in second.text


def test_a_topic_without_a_source_is_there_and_says_nothing() -> None:
    fact = read(UNKNOWN)
    assert not fact.known and fact.topic is Topic.RETENTION and fact.checked == "2026-02-01"
    assert read(ROW).known


@pytest.mark.parametrize(
    "wrong",
    [
        {"topic": "price"},
        {"text": "x" * (LONGEST + 1)},
        {"text": ""},
        {"source": ""},
        {"source": "http://example.org/data"},
        {"source_title": ""},
        {"date": "2026-02-30"},
        {"date": "20260108"},
        {"date": "2026-11-27"},
        {"checked": ""},
        {"checked": "soon"},
        {"checked": "2026-11-27"},
        {"more": "x"},
    ],
)
def test_a_wrong_entry_is_refused_rather_than_shown(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        read({**ROW, **wrong})


def test_a_date_of_a_source_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError):
        read({**UNKNOWN, "date": "2026-01-08"})
    with pytest.raises(ValueError):
        facts_from({"who": "Example Inc.", "facts": []}, "2026-11-26")
