"""A full disk and a locked file: said as what they are, and nothing that was stored is touched."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.store_files import ended, fill, integrity, small_disk, texts

from desktop.store import messages
from desktop.store.aside import backups
from desktop.store.database import Database
from desktop.store.diagnosis import fault_from
from desktop.store.faults import StoreFault, StoreFaultKind
from desktop.store.migrations import MIGRATIONS
from desktop.store.records import Message, Status

if TYPE_CHECKING:
    import sqlite_utils

WORDS = "one more sentence of a long answer. " * 100


def stream_until_refused(database: Database, answer: Message) -> tuple[str, StoreFault]:
    """Save a growing answer until the store refuses. Returns what was saved last, and the refusal."""
    saved = ""
    for _ in range(10_000):
        try:
            database.write(messages.save_progress, ended(answer, saved + WORDS, Status.STREAMING))
        except StoreFault as fault:
            return saved, fault
        saved += WORDS
    raise AssertionError("the disk never became full")


def check_full_and_room_again(database: Database, make_room: object) -> None:
    fill(database, conversations=1, turns=2)
    before = texts(database)
    conversation, _, answer = database.write(messages.add_turn, None, None, "a long one, please", "m")
    saved, fault = stream_until_refused(database, answer)
    assert fault.kind is StoreFaultKind.DISK_FULL
    assert saved
    assert texts(database) == [*before, "a long one, please", saved]

    assert callable(make_room)
    make_room()
    whole = saved + WORDS
    database.write(messages.finish, ended(answer, whole))
    assert database.read(messages.path, conversation.id)[-1].text == whole
    database.write(messages.add_turn, conversation.id, answer.id, "and on", "m")


def test_a_disk_that_is_full_while_streaming_costs_nothing_stored(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    with small_disk(folder, kilobytes=3000) as mounted:
        if not mounted:
            pytest.skip("this process may not mount a small disk; the next test limits the file instead")
        ballast = folder / "ballast"
        ballast.write_bytes(bytes(1_500_000))
        path = folder / "conversations.db"
        database = Database(path, repair=True)
        check_full_and_room_again(database, ballast.unlink)
        database.close()
        assert integrity(path) == []


def test_a_file_that_may_not_grow_while_streaming_costs_nothing_stored(tmp_path: Path) -> None:
    path = tmp_path / "conversations.db"
    database = Database(path, repair=True)
    database.connection.execute("PRAGMA max_page_count = 150")
    check_full_and_room_again(
        database, lambda: database.connection.execute("PRAGMA max_page_count = 1000000")
    )
    database.close()
    assert integrity(path) == []


def test_without_room_for_the_backup_a_file_is_not_migrated(tmp_path: Path) -> None:
    def m901_add_pins(db: sqlite_utils.Database) -> None:
        db.execute("ALTER TABLE conversation ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0")

    folder = tmp_path / "disk"
    folder.mkdir()
    with small_disk(folder, kilobytes=9000) as mounted:
        if not mounted:
            pytest.skip("this process may not mount a small disk")
        path = folder / "conversations.db"
        database = Database(path, repair=True)
        fill(database, conversations=2, turns=20)
        before = texts(database)
        database.close()
        content = path.read_bytes()
        (folder / "ballast").write_bytes(bytes(shutil.disk_usage(folder).free - len(content) // 2))
        with pytest.raises(StoreFault) as refused:
            Database(path, repair=True, migrations=(*MIGRATIONS, m901_add_pins))
        assert refused.value.kind is StoreFaultKind.DISK_FULL
        assert path.read_bytes() == content
        assert backups(path) == []
        (folder / "ballast").unlink()
        database = Database(path, repair=True, migrations=(*MIGRATIONS, m901_add_pins))
        assert texts(database) == before
        database.close()


def test_a_damaged_file_without_room_for_a_new_one_stays_in_its_place(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    with small_disk(folder, kilobytes=400) as mounted:
        if not mounted:
            pytest.skip("this process may not mount a small disk")
        path = folder / "conversations.db"
        path.write_bytes(b"not a database " * 20_000)
        content = path.read_bytes()
        with pytest.raises(StoreFault) as refused:
            Database(path, repair=True)
        assert refused.value.kind is StoreFaultKind.DISK_FULL
        assert [file.name for file in folder.iterdir()] == [path.name]
        assert path.read_bytes() == content


def test_a_file_that_another_process_keeps_locked_is_busy(tmp_path: Path) -> None:
    path = tmp_path / "conversations.db"
    database = Database(path, repair=True)
    fill(database, conversations=1, turns=1)
    database.connection.execute("PRAGMA busy_timeout = 50")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreFault) as refused:
            database.write(messages.add_turn, None, None, "now?", "m")
        assert refused.value.kind is StoreFaultKind.BUSY
        assert len(texts(database)) == 2  # reading is never held up
        other.execute("ROLLBACK")
    database.write(messages.add_turn, None, None, "now?", "m")
    database.close()


def test_a_mistake_of_ours_is_not_taken_for_a_fault_of_the_disk(tmp_path: Path) -> None:
    database = Database(tmp_path / "conversations.db", repair=True)
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        database.read(lambda connection: connection.execute("SELECT * FROM no_table"))
    database.close()


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, StoreFaultKind.DISK_FULL),
        (errno.EACCES, StoreFaultKind.READ_ONLY),
        (errno.EROFS, StoreFaultKind.READ_ONLY),
        (errno.EIO, StoreFaultKind.IO),
    ],
)
def test_what_the_system_says_becomes_a_fault(number: int, kind: StoreFaultKind, tmp_path: Path) -> None:
    fault = fault_from(OSError(number, "said the system"), tmp_path / "conversations.db")
    assert fault is not None
    assert fault.kind is kind
    assert "said the system" in fault.detail
