"""Images that belong to questions and drafts, and what was chosen for one conversation alone."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from support.store_files import ended, fill, integrity
from support.store_fixture import load

from desktop.store import attachments, conversations, drafts, messages
from desktop.store.database import Database
from desktop.store.records import NewAttachment, Option
from desktop.store.store import Store

RED = NewAttachment(b"red" * 5000, "image/png", "red.png", 30, 20)
BLUE = NewAttachment(b"blue" * 5000, "image/jpeg", "blue\udc80.jpg", 300, 200)
V1 = Path(__file__).parent / "fixtures" / "v1.sql"


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "conversations.db", repair=True)


def asked(database: Database, *attached: NewAttachment | int) -> tuple[int, int, int]:
    """Conversation, question and answer."""
    conversation, question, answer = database.write(
        messages.add_turn, None, None, "What is this?", "m", attached
    )
    database.write(messages.finish, ended(answer, "A square."))
    return conversation.id, question.id, answer.id


def contents(database: Database, ids: tuple[int, ...]) -> list[bytes]:
    return [database.read(attachments.attachment, one).content for one in ids]


def test_a_question_keeps_its_images_in_their_order(database: Database) -> None:
    conversation_id, question_id, answer_id = asked(database, RED, BLUE)
    question, answer = database.read(messages.path, conversation_id)
    assert contents(database, question.attachments) == [RED.content, BLUE.content]
    assert answer.attachments == ()
    assert database.read(messages.message, question_id).attachments == question.attachments
    kept = database.read(attachments.attachment, question.attachments[1])
    assert (kept.name, kept.media_type, kept.width, kept.height) == ("blue\ufffd.jpg", "image/jpeg", 300, 200)
    assert (kept.conversation_id, kept.message_id, kept.kind) == (conversation_id, question_id, "image")
    assert [m.attachments for m in database.read(messages.path_to, answer_id)] == [question.attachments, ()]


def test_asking_differently_keeps_the_images_of_the_first_asking(database: Database) -> None:
    conversation_id, question_id, _ = asked(database, RED)
    (first,) = database.read(messages.message, question_id).attachments
    database.write(messages.add_turn, conversation_id, None, "And what is this?", "m", (first, BLUE))
    again = database.read(messages.path, conversation_id)[0]
    assert contents(database, again.attachments) == [RED.content, BLUE.content]
    assert database.read(messages.message, question_id).attachments == (first,)


def test_images_that_were_added_and_not_sent_stay_in_the_draft(database: Database) -> None:
    conversation_id, _, answer_id = asked(database)
    red, blue = database.write(attachments.set_draft_attachments, conversation_id, (RED, BLUE))
    assert database.write(attachments.set_draft_attachments, conversation_id, (blue, red)) == (blue, red)
    kept = database.read(attachments.draft_attachments, conversation_id)
    assert [one.id for one in kept] == [blue, red]
    database.write(attachments.set_draft_attachments, conversation_id, (blue,))
    database.write(drafts.set_draft, conversation_id, "half a question")
    assert [one.id for one in database.read(attachments.draft_attachments, conversation_id)] == [blue]
    assert database.read(messages.path, conversation_id)[-1].attachments == ()
    # Sent: it is the question's, and no draft is left.
    database.write(messages.add_turn, conversation_id, answer_id, "half a question", "m", (blue,))
    assert database.read(attachments.draft_attachments, conversation_id) == []
    question = database.read(messages.path, conversation_id)[-2]
    assert contents(database, question.attachments) == [BLUE.content]


def test_the_draft_of_a_conversation_that_does_not_exist_yet_has_images_too(database: Database) -> None:
    (red,) = database.write(attachments.set_draft_attachments, None, (RED,))
    conversation_id, _, _ = asked(database, red)
    assert database.read(attachments.draft_attachments, None) == []
    assert contents(database, database.read(messages.path, conversation_id)[0].attachments) == [RED.content]
    assert database.write(attachments.set_draft_attachments, 99, (RED,)) == ()  # deleted meanwhile


def test_an_attachment_that_does_not_exist_stores_no_question(database: Database) -> None:
    with pytest.raises(LookupError, match="no attachment 7"):
        asked(database, RED, 7)
    assert database.read(conversations.conversations) == []


def test_emptying_the_trash_deletes_the_images_from_the_disk(database: Database) -> None:
    conversation_id, _, _ = asked(database, RED)
    database.write(attachments.set_draft_attachments, conversation_id, (BLUE,))
    database.write(conversations.trash, conversation_id)
    database.write(conversations.purge_trash, 1e12)
    path = database.path
    database.close()
    assert b"redredred" not in path.read_bytes()
    assert b"blueblue" not in path.read_bytes()
    assert integrity(path) == []


def test_images_are_read_from_a_damaged_file_and_a_damaged_image_costs_no_message(database: Database) -> None:
    fill(database, conversations=1, turns=2)
    damaged_id, _, _ = asked(database, BLUE)
    whole_id, _, _ = asked(database, RED)
    database.write(conversations.set_option, whole_id, "system", "Be brief.")
    path = database.path
    database.close()
    content = bytearray(path.read_bytes())
    content[:16] = b"\xff" * 16
    start = content.index(b"A square.")  # something else is damaged as well
    content[start : start + 9] = b"a square,"
    with_hole = content.index(b"blueblueblue") // 4096 * 4096
    content[with_hole : with_hole + 4] = b"\xff" * 4  # the link from one page of the image to the next
    path.write_bytes(bytes(content))
    database = Database(path, repair=True)
    assert database.notice is not None
    assert (database.notice.conversations, database.notice.messages) == (3, 8)
    images = database.read(messages.path, whole_id)[0].attachments
    assert contents(database, images) == [RED.content]
    assert database.read(messages.path, damaged_id)[0].text == "What is this?"
    assert database.read(conversations.options, whole_id) == {"system": "Be brief."}
    database.close()
    assert integrity(path) == []


def test_a_damaged_file_from_before_there_were_images_loses_no_message(tmp_path: Path) -> None:
    path = tmp_path / "conversations.db"
    load(V1, path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    content = path.read_bytes()
    path.write_bytes(b"\xff" * 16 + content[16:])
    database = Database(path, repair=True)
    assert database.notice is not None
    assert (database.notice.conversations, database.notice.messages) == (2, 11)
    database.close()


CHOICES: list[Option] = ["text", 3, 0.5, True, ["a", {"b": 1}], {"ä": "\ud800"}]


def test_choices_for_one_conversation_leave_each_other_and_other_conversations_alone(
    database: Database,
) -> None:
    one, _, _ = asked(database)
    other, _, _ = asked(database)
    for number, value in enumerate(CHOICES):
        database.write(conversations.set_option, one, f"choice {number}", value)
    chosen = database.read(conversations.options, one)
    assert [chosen[f"choice {number}"] for number in range(5)] == CHOICES[:5]
    database.write(conversations.set_option, one, "choice 0", None)
    assert "choice 0" not in database.read(conversations.options, one)
    assert database.read(conversations.options, other) == {}
    with pytest.raises(ValueError):
        database.write(conversations.set_option, one, "strength", float("nan"))
    with pytest.raises(LookupError):
        database.write(conversations.set_option, 99, "strength", 1)


def test_damaged_choices_are_none(database: Database) -> None:
    one, _, _ = asked(database)
    for damaged in ("{", "[1]", "7", "[" * 100_000):
        database.write(sqlite3.Connection.execute, "UPDATE conversation SET options = ?", (damaged,))
        assert database.read(conversations.options, one) == {}


def test_images_and_choices_survive_a_restart(tmp_path: Path) -> None:
    async def use() -> None:
        store = Store(tmp_path / "conversations.db")
        await store.open(repair=True)
        conversation, question, _ = await store.add_turn(None, None, "What?", "m", (RED,))
        await store.set_draft_attachments(conversation.id, (BLUE,))
        await store.set_conversation_option(conversation.id, "system", "Be brief.")
        await store.close()
        shutil.copy(tmp_path / "conversations.db", tmp_path / "later.db")
        later = Store(tmp_path / "later.db")
        await later.open()
        (red,) = (await later.message(question.id)).attachments
        assert (await later.attachment(red)).content == RED.content
        assert [one.content for one in await later.draft_attachments(conversation.id)] == [BLUE.content]
        assert await later.conversation_options(conversation.id) == {"system": "Be brief."}
        await later.close()

    asyncio.run(use())
