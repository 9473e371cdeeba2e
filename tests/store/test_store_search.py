"""Searching finds what is there, whatever is typed into it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.store_files import ended

from desktop.store import conversations, messages, search
from desktop.store.database import Database


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = Database(tmp_path_factory.mktemp("search") / "conversations.db", repair=True)
    pairs = [
        ("How do I bake bread?", "Mix flour and water, then wait. " * 30 + "The crust is called Kruste."),
        ("Übung macht den Meister", "C++ and C# are languages; a_b is a name; 50 % AND NOT OR NEAR(x)"),
        ("日本語 ははじめて", "čerešňa, naïve, Ελλάδα, emoji 🎉 here"),
    ]
    for question, answer_text in pairs:
        _, _, answer = database.write(messages.add_turn, None, None, question, "m")
        database.write(messages.finish, ended(answer, answer_text))
    yield database
    database.close()


def found(database: Database, query: str) -> list[str]:
    return [hit.snippet for hit in database.read(search.search, query)]


def test_a_title_comes_before_the_messages(database: Database) -> None:
    hits = database.read(search.search, "bake bread")
    assert [(hit.conversation_id, hit.message_id) for hit in hits] == [(1, None), (1, 1)]


def test_every_word_must_be_there_and_the_last_may_be_a_beginning(database: Database) -> None:
    assert found(database, "flour wat")
    assert found(database, "water flour")
    assert not found(database, "flou water")
    assert not found(database, "flour Meister")


def test_accents_and_capitals_do_not_matter(database: Database) -> None:
    assert found(database, "ubung")
    assert found(database, "CERESNA NAIVE")
    assert found(database, "ΕΛΛΆΔΑ")


def test_a_snippet_shows_the_place(database: Database) -> None:
    (snippet,) = found(database, "Kruste")
    assert "crust is called Kruste" in snippet
    assert len(snippet) < 120


def test_signs_of_the_query_language_mean_nothing(database: Database) -> None:
    assert found(database, "AND NOT OR NEAR(x)")
    assert found(database, "a_b is")
    assert found(database, "c++")
    assert not found(database, "NOT bread")


def test_the_trash_is_not_searched(tmp_path: Path) -> None:
    database = Database(tmp_path / "conversations.db", repair=True)
    conversation, _, _ = database.write(messages.add_turn, None, None, "a secret plan", "m")
    database.write(conversations.trash, conversation.id)
    assert found(database, "secret") == []
    database.write(conversations.restore, conversation.id)
    assert len(found(database, "secret")) == 2
    database.close()


def test_deleted_words_are_gone_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "conversations.db"
    database = Database(path, repair=True)
    conversation, _, answer = database.write(messages.add_turn, None, None, "the word xylophonist", "m")
    database.write(messages.finish, ended(answer, "xylophonist " * 500))
    database.write(messages.add_turn, None, None, "another conversation", "m")
    database.write(conversations.trash, conversation.id)
    assert database.write(conversations.purge_trash, float("inf")) == 1
    database.close()
    assert b"xylophonist" not in path.read_bytes()


@settings(
    max_examples=200, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)
@given(st.text(max_size=30) | st.text(alphabet="\"'*()^-+:{}ab \0\ud800", max_size=12))
@example('"')
@example("a\0b")
@example("\ud83d")
@example("🎉")
@example("*")
@example("ab*")
@example("NEAR(")
@example("text:bread")
def test_anything_may_be_typed(database: Database, query: str) -> None:
    found(database, query)
