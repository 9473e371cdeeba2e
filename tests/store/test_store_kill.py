"""What is on the disk after the process was killed, without warning, while an answer streamed."""

from __future__ import annotations

import asyncio
from pathlib import Path

from support.store_kills import kill_again_and_again

from desktop.store.database import Database
from desktop.store.records import Status
from desktop.store.store import Store


def test_every_message_shown_as_sent_survives_kill_9(tmp_path: Path) -> None:
    outcome = kill_again_and_again(tmp_path / "conversations.db", kills=25, seed=20)
    assert outcome.problems == []
    assert outcome.kills == 25
    assert outcome.acknowledged > 50


def test_a_commit_waits_for_the_disk(tmp_path: Path) -> None:
    """A power cut can't be had in a test; what SQLite promises for these settings can be relied on."""
    database = Database(tmp_path / "conversations.db")
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1, "fullfsync": 1}
    found = {name: database.connection.execute(f"PRAGMA {name}").fetchone()[0] for name in wanted}
    assert found == wanted
    database.close()


def test_an_answer_cut_off_by_kill_9_is_shown_as_interrupted(tmp_path: Path) -> None:
    path = tmp_path / "conversations.db"
    kill_again_and_again(path, kills=1, seed=3)

    async def look() -> None:
        store = Store(path)
        await store.open()
        await store.mark_interrupted()
        (conversation,) = await store.conversations()
        branch = await store.path(conversation.id)
        assert {message.status for message in branch} <= {Status.COMPLETE, Status.INTERRUPTED}
        assert store.opening_notice is None
        await store.close()

    asyncio.run(look())
