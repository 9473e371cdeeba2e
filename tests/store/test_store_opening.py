"""Whatever is found in the place of the conversations, nothing of it is ever overwritten or deleted."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest
from support.store_files import ended, fill, integrity, ordinary_person, texts
from support.streaming_writer import Acknowledged, question_text

from desktop.store import conversations, messages, search
from desktop.store.database import Database
from desktop.store.faults import StoreFault, StoreFaultKind
from desktop.store.records import OpeningKind
from desktop.store.store import Store

WRITER = Path(__file__).parents[1] / "support" / "streaming_writer.py"
PARTS = ("", "-wal")


def left_by_a_crash(folder: Path) -> dict[str, bytes]:
    """The bytes of a database with part of its messages in the log, by what is added to its name."""
    live = folder / "live.db"
    database = Database(live, repair=True)
    fill(database, conversations=4, turns=8)
    database.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    fill(database, conversations=1, turns=4)
    parts = {part: live.with_name(live.name + part).read_bytes() for part in PARTS}
    database.close()
    live.unlink()
    assert all(parts.values())
    return parts


def left_by_a_close(folder: Path) -> dict[str, bytes]:
    """The same, whole and without a log."""
    parts = left_by_a_crash(folder)
    put(parts, folder / "closed" / "conversations.db")
    Database(folder / "closed" / "conversations.db", repair=True).close()
    return found(folder / "closed" / "conversations.db")


def put(parts: dict[str, bytes], path: Path) -> None:
    path.parent.mkdir(parents=True)
    for part, content in parts.items():
        path.with_name(path.name + part).write_bytes(content)


def found(path: Path) -> dict[str, bytes]:
    return {
        part: path.with_name(path.name + part).read_bytes()
        for part in PARTS
        if Path(f"{path}{part}").exists()
    }


def damage(parts: dict[str, bytes], chance: random.Random) -> dict[str, bytes]:
    """One of the things that disks and cables do."""
    part = chance.choice(["", *parts])
    content = bytearray(parts[part])
    place = chance.choice((chance.randrange(len(content)), chance.randrange(100)))
    length = chance.choice((1, 4, 100, 4096, 20_000))
    match chance.randrange(4):
        case 0:
            content[place : place + length] = chance.randbytes(len(content[place : place + length]))
        case 1:
            content[place : place + length] = bytes(len(content[place : place + length]))
        case 2:
            del content[place:]
        case _:
            content[place] ^= 1 << chance.randrange(8)
    return parts | {part: bytes(content)}


def use(database: Database) -> None:
    """Read and write all there is to; a damaged file may refuse, with a fault."""
    for conversation in database.read(conversations.conversations):
        database.read(messages.path, conversation.id)
    database.read(search.search, "question")
    conversation, _, answer = database.write(messages.add_turn, None, None, "still here?", "m")
    database.write(messages.finish, ended(answer, "yes"))
    assert database.read(messages.path, conversation.id)[-1].text == "yes"


@pytest.mark.parametrize("left_by", [left_by_a_crash, left_by_a_close])
@pytest.mark.parametrize("seed", range(3))
def test_damage_anywhere_never_overwrites_what_is_there(
    seed: int, left_by: Callable[[Path], dict[str, bytes]], tmp_path: Path
) -> None:
    chance = random.Random(seed)
    whole = left_by(tmp_path)
    for number in range(40):
        damaged = damage(whole, chance)
        path = tmp_path / f"{number}" / "conversations.db"
        put(damaged, path)
        try:
            database = Database(path, repair=True)
        except StoreFault:
            assert found(path) == damaged
            continue
        if database.notice is not None and database.notice.kind is OpeningKind.SET_ASIDE:
            assert database.notice.kept is not None
            kept = found(database.notice.kept)
            assert {part: kept.get(part, b"") for part in PARTS} == {
                part: damaged.get(part, b"") for part in PARTS
            }
            assert database.examine().problems == ()
            use(database)
        else:
            with suppress(StoreFault):
                use(database)
        database.close()
        shutil.rmtree(path.parent)


def test_what_can_be_read_of_a_damaged_file_is_in_the_new_one(tmp_path: Path) -> None:
    whole = left_by_a_close(tmp_path)[""]
    broken = bytearray(whole)
    place = whole.index(b"answer 2.3 ")
    broken[place - 3000 : place] = b"\xa5" * 3000  # over the edge between two pages: a few messages
    path = tmp_path / "broken" / "conversations.db"
    put({"": bytes(broken)}, path)
    database = Database(path, repair=True)
    assert database.notice is not None
    left = texts(database)
    assert database.notice.messages == len(left)
    assert 72 - 12 <= len(left) < 72
    assert any(text.startswith("answer 3.7 ") for text in left)
    shown = database.read(conversations.conversations)
    assert len(shown) == database.notice.conversations == 5
    # A message that lost its parent follows the one before it: none is out of sight.
    on_screen = [m for conversation in shown for m in database.read(messages.path, conversation.id)]
    assert sorted(message.text for message in on_screen) == sorted(left)
    database.close()
    assert integrity(path) == []


@pytest.mark.parametrize("beginning", [b"\xff" * 16, bytes(100)])
def test_a_file_that_lost_its_first_bytes_loses_no_message(beginning: bytes, tmp_path: Path) -> None:
    whole = left_by_a_close(tmp_path)[""]
    path = tmp_path / "beheaded" / "conversations.db"
    put({"": beginning + whole[len(beginning) :]}, path)
    database = Database(path, repair=True)
    assert database.notice is not None
    assert (database.notice.conversations, database.notice.messages) == (5, 72)
    database.close()


@pytest.mark.parametrize("content", [b"not a database", b"x" * 100_000, b"SQLite format 3\0"])
def test_something_that_is_no_database_is_kept_and_a_new_one_begun(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "conversations.db"
    path.write_bytes(content)
    database = Database(path, repair=True)
    assert database.notice is not None
    assert database.notice.kept is not None
    assert database.notice.kept.read_bytes() == content
    assert (database.notice.conversations, database.notice.messages) == (0, 0)
    use(database)
    database.close()


def test_the_database_of_another_program_is_kept_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "conversations.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE music (title TEXT)")
    content = path.read_bytes()
    database = Database(path, repair=True)
    assert database.notice is not None
    assert database.notice.kept is not None
    assert database.notice.kept.read_bytes() == content
    database.close()


def test_damage_twice_in_a_second_keeps_both_files(tmp_path: Path) -> None:
    path = tmp_path / "conversations.db"
    for content in (b"first", b"second"):
        path.write_bytes(content)
        Database(path, repair=True).close()
    kept = {file.read_bytes() for file in tmp_path.glob("conversations.corrupt-*.db")}
    assert kept == {b"first", b"second"}


@pytest.mark.parametrize("database_is", ["empty", "missing"])
def test_messages_in_a_log_without_its_database_are_not_deleted(database_is: str, tmp_path: Path) -> None:
    log = left_by_a_crash(tmp_path)["-wal"]
    path = tmp_path / "lost" / "conversations.db"
    put({"": b"", "-wal": log}, path)
    if database_is == "missing":
        path.unlink()
    database = Database(path, repair=True)
    assert database.notice is not None
    (kept,) = path.parent.glob("*.corrupt-*-wal")
    assert kept.read_bytes() == log
    database.close()


def test_a_process_without_the_lock_leaves_a_damaged_file_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "conversations.db"
    path.write_bytes(b"not a database")

    async def look() -> None:
        store = Store(path)
        with pytest.raises(StoreFault) as refused:
            await store.open()
        assert refused.value.kind is StoreFaultKind.CORRUPT
        await store.close()

    asyncio.run(look())
    assert [file.name for file in tmp_path.iterdir()] == ["conversations.db"]
    assert path.read_bytes() == b"not a database"


def with_damaged_search_index(folder: Path, which: str) -> Path:
    path = folder / "conversations.db"
    database = Database(path, repair=True)
    fill(database, conversations=2, turns=3)
    database.close()
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute(
            f"SELECT id, length(block) FROM message_search_data WHERE {which}"
        ).fetchall()
        for row_id, size in found:
            connection.execute(
                "UPDATE message_search_data SET block = ? WHERE id = ?", (b"\xa5" * size, row_id)
            )
        connection.commit()
    assert found
    return path


def test_examining_changes_nothing_even_while_the_file_is_in_use(tmp_path: Path) -> None:
    path = tmp_path / "conversations.db"
    database = Database(path, repair=True)
    fill(database, conversations=2, turns=3)
    before = found(path)
    examination = asyncio.run(Store.examine(path))
    assert (examination.conversations, examination.messages, examination.problems) == (2, 12, ())
    assert found(path) == before
    database.close()
    content = path.read_bytes()
    assert asyncio.run(Store.examine(path)).messages == 12
    assert path.read_bytes() == content


def test_examining_a_damaged_file_says_so_and_leaves_it(tmp_path: Path) -> None:
    path = tmp_path / "conversations.db"
    path.write_bytes(b"not a database")
    with pytest.raises(StoreFault) as refused:
        asyncio.run(Store.examine(path))
    assert refused.value.kind is StoreFaultKind.CORRUPT
    assert [file.name for file in tmp_path.iterdir()] == ["conversations.db"]


def test_messages_after_a_long_gap_of_deleted_ones_are_read_from_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "conversations.db"
    database = Database(path, repair=True)
    with_gap = "UPDATE sqlite_sequence SET seq = 1000000"
    fill(database, conversations=1, turns=1)
    database.write(lambda connection: connection.execute(with_gap))
    fill(database, conversations=1, turns=2)
    database.close()
    content = path.read_bytes()
    path.write_bytes(b"\xff" * 16 + content[16:])
    database = Database(path, repair=True)
    assert database.notice is not None
    assert (database.notice.conversations, database.notice.messages) == (2, 6)
    database.close()


def test_a_damaged_search_index_is_made_anew_and_costs_nothing(tmp_path: Path) -> None:
    path = with_damaged_search_index(tmp_path, which="id > 10")  # its words
    database = Database(path, repair=True)
    assert database.notice is None
    assert len(database.read(search.search, "question")) == 2 + 6
    use(database)
    database.close()
    assert integrity(path) == []


def test_a_search_index_beyond_repair_costs_no_message(tmp_path: Path) -> None:
    path = with_damaged_search_index(tmp_path, which="id = 10")  # its table of contents
    database = Database(path, repair=True)
    assert database.notice is not None
    assert (database.notice.conversations, database.notice.messages) == (2, 12)
    assert len(database.read(search.search, "question")) == 2 + 6
    database.close()
    assert integrity(path) == []


def test_one_damaged_letter_does_not_hide_a_conversation(tmp_path: Path) -> None:
    whole = left_by_a_close(tmp_path)[""]
    path = tmp_path / "letter" / "conversations.db"
    put({"": whole.replace(b"answer 2.3 ", b"answer 2\xff3 ")}, path)
    database = Database(path, repair=True)
    assert database.notice is None
    assert "answer 2\ufffd3 " in " ".join(texts(database))
    database.close()


# ---- places that can't be written


def test_in_a_read_only_folder_everything_can_be_read(tmp_path: Path) -> None:
    parts = left_by_a_close(tmp_path)
    with ordinary_person() as home:
        path = home / "data" / "conversations.db"
        put(parts, path)
        check_reading(path)


def test_in_a_read_only_folder_the_newest_messages_are_read_from_the_log(tmp_path: Path) -> None:
    parts = left_by_a_crash(tmp_path)
    with ordinary_person() as home:
        path = home / "data" / "conversations.db"
        put(parts, path)
        check_reading(path)


def check_reading(path: Path) -> None:
    path.chmod(0o400)
    path.parent.chmod(0o500)
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}

    async def look() -> None:
        store = Store(path)
        await store.open()
        assert not store.writable
        assert store.opening_notice is not None
        assert store.opening_notice.kind is OpeningKind.READ_ONLY
        assert await store.mark_interrupted() == 0
        shown = await store.conversations()
        assert len(shown) == 5
        assert len(await store.path(shown[0].id)) == 8
        assert await store.search("question")
        with pytest.raises(StoreFault) as refused:
            await store.add_turn(None, None, "more", "m")
        assert refused.value.kind is StoreFaultKind.READ_ONLY
        await store.close()

    asyncio.run(look())
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == before


def test_a_read_only_file_in_an_open_folder_can_be_read(tmp_path: Path) -> None:
    parts = left_by_a_close(tmp_path)
    with ordinary_person() as home:
        path = home / "data" / "conversations.db"
        put(parts, path)
        path.chmod(0o400)
        database = Database(path, repair=True)
        assert not database.writable
        assert len(texts(database)) == 72
        with pytest.raises(StoreFault) as refused:
            use(database)
        assert refused.value.kind is StoreFaultKind.READ_ONLY
        database.close()
        assert path.read_bytes() == parts[""]


def test_without_a_file_a_folder_that_can_not_be_written_is_a_clear_fault() -> None:
    with ordinary_person() as home:
        home.chmod(0o500)
        for path in (home / "conversations.db", home / "new" / "conversations.db"):
            with pytest.raises(StoreFault) as refused:
                Database(path, repair=True)
            assert refused.value.kind is StoreFaultKind.READ_ONLY


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_nobody_else_may_read_the_conversations(tmp_path: Path) -> None:
    path = tmp_path / "new" / "conversations.db"
    database = Database(path, repair=True)
    fill(database, conversations=1, turns=1)
    for file in path.parent.iterdir():
        assert file.stat().st_mode & 0o077 == 0, file.name
    assert path.parent.stat().st_mode & 0o077 == 0
    database.close()


# ---- two processes


def test_two_processes_may_create_and_fill_one_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "conversations.db"
    command = [sys.executable, str(WRITER), str(path), "--turns", "4", "--interval", "0", "--seed"]
    writers = [
        subprocess.Popen([*command, str(seed)], stdout=subprocess.PIPE, text=True, encoding="utf-8")
        for seed in range(3)
    ]
    told = Acknowledged()
    for writer in writers:
        said, _ = writer.communicate(timeout=60)
        assert writer.returncode == 0
        for line in said.splitlines(keepends=True):
            told.take(line)
    assert len(told.finished) == 12
    database = Database(path, repair=True)
    questions = {text for text in texts(database) if text.startswith("question ")}
    assert questions == {question_text(seed, turn) for seed in range(3) for turn in range(4)}
    database.close()
    assert integrity(path) == []
