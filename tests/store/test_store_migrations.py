"""Every file that any version wrote opens in this one, and no change of shape can cost a conversation."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.store_files import fill, integrity, schema, texts
from support.store_fixture import load

from desktop.store import attachments, conversations, drafts, messages
from desktop.store.aside import BACKUPS_KEPT, backups
from desktop.store.database import Database
from desktop.store.faults import StoreFault, StoreFaultKind
from desktop.store.migrations import MIGRATIONS, names

if TYPE_CHECKING:
    import sqlite_utils

FIXTURES = sorted((Path(__file__).parent / "fixtures").glob("v*.sql"))


def m901_add_pins(db: sqlite_utils.Database) -> None:
    db.execute("ALTER TABLE conversation ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0")


def m902_add_tags(db: sqlite_utils.Database) -> None:
    db.execute("CREATE TABLE tag (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")


def m902_fail_half_way(db: sqlite_utils.Database) -> None:
    db.execute("CREATE TABLE tag (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
    db.execute("UPDATE message SET text = 'lost'")
    db.execute("INSERT INTO no_such_table VALUES (1)")


def open_file(path: Path) -> Database:
    return Database(path, repair=True)


def filled(path: Path) -> list[str]:
    database = open_file(path)
    fill(database, conversations=2, turns=2)
    before = texts(database)
    database.close()
    return before


def test_migrations_are_numbered_in_order() -> None:
    for number, name in enumerate(names(MIGRATIONS), start=1):
        assert re.fullmatch(rf"m{number:03}_[a-z]+(_[a-z]+)*", name)


def test_every_version_has_its_old_file_among_the_fixtures() -> None:
    assert [fixture.stem for fixture in FIXTURES] == [f"v{n}" for n in range(1, len(MIGRATIONS) + 1)]


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda fixture: fixture.stem)
def test_an_old_file_becomes_the_same_as_a_new_one(fixture: Path, tmp_path: Path) -> None:
    load(fixture, tmp_path / "old.db")
    old, new = open_file(tmp_path / "old.db"), open_file(tmp_path / "new.db")
    assert schema(old.connection) == schema(new.connection)
    old.close()
    new.close()
    assert integrity(tmp_path / "old.db") == []


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda fixture: fixture.stem)
def test_the_conversations_of_an_old_file_are_all_there(fixture: Path, tmp_path: Path) -> None:
    load(fixture, tmp_path / "old.db")
    database = open_file(tmp_path / "old.db")
    (shown,) = database.read(conversations.conversations)
    (trashed,) = database.read(conversations.trashed_conversations)
    assert shown.title.startswith("question 0.0")
    assert trashed.title.startswith("question 1.0")
    branch = database.read(messages.path, shown.id)
    assert branch[0].text == "asked differently: čerešňa 日本"
    assert (branch[0].branch, branch[0].branches) == (2, 2)
    assert len(texts(database)) == 11
    assert database.read(drafts.get_draft, shown.id) == "not sent"
    assert database.read(drafts.get_draft, None) == "not begun"
    database.close()


@pytest.mark.parametrize("fixture", FIXTURES[1:], ids=lambda fixture: fixture.stem)
def test_the_images_and_choices_of_an_old_file_are_all_there(fixture: Path, tmp_path: Path) -> None:
    load(fixture, tmp_path / "old.db")
    database = open_file(tmp_path / "old.db")
    (shown,) = database.read(conversations.conversations)
    question, _ = database.read(messages.path, shown.id)
    (image,) = [database.read(attachments.attachment, one) for one in question.attachments]
    assert (image.name, image.media_type, image.width, image.height) == (
        "čerešňa.png",
        "image/png",
        40,
        30,
    )
    assert image.content == b"\x89PNG\r\n\x1a\n\0"
    assert len(database.read(attachments.draft_attachments, None)) == 1
    assert database.read(conversations.options, shown.id) == {"system": "Be brief."}
    database.close()


@pytest.mark.parametrize("count", range(1, len(MIGRATIONS) + 1))
def test_a_released_migration_is_never_edited(count: int, tmp_path: Path) -> None:
    load(FIXTURES[count - 1], tmp_path / "then.db")
    now = Database(tmp_path / "now.db", repair=True, migrations=MIGRATIONS[:count])
    with closing(sqlite3.connect(tmp_path / "then.db")) as then:
        assert schema(now.connection) == schema(then)
    now.close()


def test_a_file_migrated_half_way_is_migrated_on(tmp_path: Path) -> None:
    path = tmp_path / "conversations.db"
    before = filled(path)
    Database(path, repair=True, migrations=(*MIGRATIONS, m901_add_pins)).close()
    whole = Database(path, repair=True, migrations=(*MIGRATIONS, m901_add_pins, m902_add_tags))
    fresh = Database(tmp_path / "new.db", repair=True, migrations=(*MIGRATIONS, m901_add_pins, m902_add_tags))
    assert schema(whole.connection) == schema(fresh.connection)
    assert texts(whole) == before
    whole.close()
    fresh.close()


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "conversations.db"
    before = filled(path)
    bytes_before = path.read_bytes()
    with pytest.raises(sqlite3.OperationalError, match="no_such_table"):
        Database(path, repair=True, migrations=(*MIGRATIONS, m901_add_pins, m902_fail_half_way))
    database = open_file(path)
    assert texts(database) == before
    assert schema(database.connection) == schema(open_file(tmp_path / "new.db").connection)
    database.close()
    assert path.read_bytes() == bytes_before


def test_an_ordinary_start_does_not_wait_for_the_migration_library(tmp_path: Path) -> None:
    path = tmp_path / "conversations.db"
    filled(path)
    script = (
        "import sys; from pathlib import Path; from desktop.store.database import Database\n"
        "Database(Path(sys.argv[1])).close(); print('sqlite_utils' in sys.modules)"
    )
    child = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert child.stdout.strip() == "False"


def test_a_backup_is_made_before_a_file_is_changed(tmp_path: Path) -> None:
    path = tmp_path / "conversations.db"
    before = filled(path)
    Database(path, repair=True, migrations=(*MIGRATIONS, m901_add_pins)).close()
    (backup,) = backups(path)
    assert "before-m901_add_pins" in backup.name
    shutil.copy(backup, tmp_path / "restored.db")
    restored = open_file(tmp_path / "restored.db")
    assert texts(restored) == before
    restored.close()
    assert integrity(tmp_path / "restored.db") == []
    assert not list(tmp_path.glob("*.unfinished"))


def test_a_file_that_needs_no_change_gets_no_backup(tmp_path: Path) -> None:
    path = tmp_path / "conversations.db"
    filled(path)
    open_file(path).close()
    assert backups(path) == []


def test_only_the_newest_few_backups_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "conversations.db"
    filled(path)
    shape = list(MIGRATIONS)
    for number in range(903, 909):

        def add(db: sqlite_utils.Database, number: int = number) -> None:
            db.execute(f"CREATE TABLE extra_{number} (id INTEGER PRIMARY KEY)")

        add.__name__ = f"m{number}_add"
        shape.append(add)
        Database(path, repair=True, migrations=tuple(shape)).close()
    kept = [backup.name for backup in backups(path)]
    assert len(kept) == BACKUPS_KEPT
    assert [re.findall(r"m\d+", name) for name in kept] == [["m906"], ["m907"], ["m908"]]


def test_a_newer_file_is_refused_and_not_changed_by_a_byte(tmp_path: Path) -> None:
    path = tmp_path / "conversations.db"
    filled(path)
    Database(path, repair=True, migrations=(*MIGRATIONS, m901_add_pins)).close()
    bytes_before = path.read_bytes()
    with pytest.raises(StoreFault) as refused:
        open_file(path)
    assert refused.value.kind is StoreFaultKind.NEWER
    assert refused.value.detail == "m901_add_pins"
    assert path.read_bytes() == bytes_before
    assert not list(tmp_path.glob("*corrupt*"))


def test_a_newer_file_that_is_still_in_its_log_is_not_changed_either(tmp_path: Path) -> None:
    live = tmp_path / "live" / "conversations.db"
    newer = Database(live, repair=True, migrations=(*MIGRATIONS, m901_add_pins))
    fill(newer, conversations=1, turns=1)
    left = tmp_path / "left" / "conversations.db"
    left.parent.mkdir()
    for name in ("conversations.db", "conversations.db-wal"):  # as a crash would leave them
        shutil.copy(live.with_name(name), left.with_name(name))
    newer.close()
    before = {file.name: file.read_bytes() for file in left.parent.iterdir()}
    with pytest.raises(StoreFault) as refused:
        open_file(left)
    assert refused.value.kind is StoreFaultKind.NEWER
    assert {name: left.with_name(name).read_bytes() for name in before} == before


def test_a_newer_file_in_words_this_sqlite_does_not_know_is_still_newer(tmp_path: Path) -> None:
    path = tmp_path / "conversations.db"
    filled(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE tomorrow (id INTEGER PRIMARY KEY)")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_master SET sql = 'CREATE TABLE tomorrow (id) QUANTUM' WHERE name = 'tomorrow'"
        )
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
        connection.commit()
    bytes_before = path.read_bytes()
    with pytest.raises(StoreFault) as refused:
        open_file(path)
    assert refused.value.kind is StoreFaultKind.NEWER
    assert path.read_bytes() == bytes_before
