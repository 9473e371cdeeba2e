"""What a person sees on a bad day: a sentence, the window alive, and nothing lost."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest
from support.gguf_files import write_model
from support.store_files import fill, small_disk
from support.whole_program import corpus, open_and_ask, wait, whole_program
from support.workers import starter

from desktop.app import Parts
from desktop.store.database import Database
from desktop.viewmodels.chat import ChatState

pytestmark = [
    pytest.mark.usefixtures("qapp"),
    pytest.mark.timeout(300),
    pytest.mark.qt_log_ignore("propagateSizeHints", extend=True),
]


def notices_of(parts: Parts) -> list[str]:
    """What stands above the composer, and, as they come, the sentences that follow."""
    texts = [parts.window.page.notices.text.text()]
    parts.chat.notice.connect(lambda notice: texts.append(notice.text))
    return texts


def ask(parts: Parts, text: str) -> str:
    """Send it, and what the answer came to: its words, or the sentence about what went wrong."""
    wait(lambda: parts.chat.can_send)
    assert parts.chat.send(text)
    wait(lambda: parts.chat.state is ChatState.IDLE, 120)
    answer = parts.chat.transcript.entries[-1]
    return answer.problem if answer.status == "failed" else answer.text


def fill_disk(file: Path) -> None:
    with suppress(OSError), open(file, "wb") as filler:
        while True:
            os.write(filler.fileno(), b"x" * 4096)


def stored(home: Path) -> Path:
    """A database with two conversations in it."""
    database = Database(home / "conversations.db", repair=True)
    fill(database, conversations=2, turns=3)
    database.close()
    return home / "conversations.db"


def test_a_damaged_database_is_kept_and_what_could_be_read_is_there(tmp_path: Path) -> None:
    file = stored(tmp_path)
    damaged = bytearray(file.read_bytes())
    damaged[2 * 4096 : 4 * 4096] = os.urandom(2 * 4096)
    file.write_bytes(damaged)
    with whole_program(tmp_path, sampling_max_tokens=8) as parts:
        assert "was damaged" in notices_of(parts)[0]
        assert len(parts.conversations.items) == 2
        assert ask(parts, "Hello")
    (kept,) = tmp_path.glob("conversations.corrupt-*.db")
    assert kept.stat().st_size == len(damaged)


def test_a_database_from_a_newer_alcove_is_left_alone_and_the_question_stays(tmp_path: Path) -> None:
    file = stored(tmp_path)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) "
            "SELECT migration_set, 'm999_from_the_future', '2030-01-01' FROM _sqlite_migrations LIMIT 1"
        )
    before = file.read_bytes()
    with whole_program(tmp_path) as parts:
        assert "a newer Alcove" in notices_of(parts)[0]
        parts.chat.send("Is this lost?")
        wait(lambda: parts.chat.state is ChatState.IDLE)
        assert parts.chat.draft == "Is this lost?"
    assert file.read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not let go of a file that is mapped")
def test_a_model_that_loses_its_file_ends_in_a_sentence_and_another_answers(tmp_path: Path) -> None:
    model = tmp_path / "model.gguf"
    shutil.copy(starter(), model)
    with whole_program(tmp_path, model_current=str(model), sampling_max_tokens=8) as parts:
        assert ask(parts, "Hello")
        os.truncate(model, 1_000_000)  # what is not in memory is gone, as on a disk that was unplugged
        assert "stopped unexpectedly" in ask(parts, "And now?")
        assert "model.gguf is incomplete" in ask(parts, "And now?")
        parts.models.choose(str(starter()))
        answered = ask(parts, "And now?")
        assert answered
        assert "model.gguf" not in answered


def test_a_message_longer_than_the_context_is_refused_with_its_length(tmp_path: Path) -> None:
    with whole_program(tmp_path, model_context_tokens=256, sampling_max_tokens=8) as parts:
        assert "too long for the model" in ask(parts, "word " * 400)
        assert ask(parts, "Short") != ""


def test_a_model_that_does_not_fit_into_memory_is_refused_in_figures_and_the_old_one_answers(
    tmp_path: Path,
) -> None:
    model = write_model(tmp_path / "long.gguf", context=1_048_576, layers=200)  # 1.7 TB for such a context
    with whole_program(tmp_path, sampling_max_tokens=8) as parts:
        told = notices_of(parts)
        parts.settings.set("model.context_tokens", 1_048_576)
        parts.models.open_file(str(model))
        wait(lambda: any("memory" in text and "GB" in text for text in told))
        parts.settings.set("model.context_tokens", None)
        parts.models.choose(str(starter()))
        assert ask(parts, "Hello") != ""


def test_a_full_disk_while_an_answer_streams_is_told_and_the_rest_is_stored_later(tmp_path: Path) -> None:
    with small_disk(tmp_path, kilobytes=4000) as mounted:
        if not mounted:
            pytest.skip("this account may not mount a small disk")
        with whole_program(tmp_path, sampling_max_tokens=400) as parts:
            told = notices_of(parts)
            filler = tmp_path / "filler"
            wait(lambda: parts.chat.can_send)
            assert parts.chat.send("Tell me a very long story about the sea.")
            wait(lambda: parts.chat.transcript.entries and parts.chat.transcript.entries[-1].text)
            fill_disk(filler)
            wait(lambda: any("disk is full" in text for text in told), 120)
            filler.unlink()
            wait(lambda: parts.chat.state is ChatState.IDLE, 120)
            text = parts.chat.transcript.entries[-1].text
        with closing(sqlite3.connect(tmp_path / "conversations.db")) as connection:
            answers = connection.execute(
                "SELECT text, status FROM message WHERE role = 'assistant'"
            ).fetchall()
        assert answers == [(text, "complete")]


def test_damaged_model_files_end_in_a_sentence_or_an_answer_and_the_window_goes_on(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with whole_program(home, sampling_max_tokens=4) as parts:
        verdicts = [open_and_ask(parts, damaged) for damaged in corpus(tmp_path, 16)]
        assert len(verdicts) == 16
        assert sum(1 for verdict in verdicts if verdict.sentence) >= 6
        assert all(verdict.sentence.endswith(".") for verdict in verdicts if verdict.sentence)
        parts.conversations.new()
        assert ask(parts, "Hello") != ""
