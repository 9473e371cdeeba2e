"""Writes a database as SQL text that makes the same database again. For `tests/store/fixtures`.

    python tests/support/store_fixture.py tests/store/fixtures/vN.sql

sqlite3's own `iterdump` can't be used: it writes virtual tables as rows of `sqlite_master`.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.store_files import fill

from desktop.store import attachments, conversations, drafts, messages
from desktop.store.database import Database
from desktop.store.records import NewAttachment


def dump(path: Path) -> str:
    """Every declaration in the order in which it was made, each table's rows right after it."""
    lines = []
    with closing(sqlite3.connect(path)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        declared = connection.execute(
            "SELECT type, name, sql FROM sqlite_master WHERE sql NOTNULL"
        ).fetchall()
        virtual = [name for _, name, sql in declared if sql.startswith("CREATE VIRTUAL")]
        for kind, name, sql in declared:
            if name == "sqlite_sequence" or any(
                name.startswith(f"{owner}_") and kind == "table" for owner in virtual
            ):
                continue  # made by SQLite itself
            lines.append(f"{' '.join(sql.split())};")
            if kind == "table" and name not in virtual:
                lines += _rows(connection, name)
            if name in virtual:
                lines.append(f"INSERT INTO {name} ({name}) VALUES ('rebuild');")
    lines.append(f"PRAGMA user_version = {version};")
    return "\n".join(lines) + "\n"


def load(fixture: Path, path: Path) -> None:
    """Make the database that a fixture describes."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(fixture.read_text(encoding="utf-8"))


def _rows(connection: sqlite3.Connection, table: str) -> list[str]:
    cursor = connection.execute(f"SELECT * FROM {table}")
    columns = [column[0] for column in cursor.description]
    literals = "||', '||".join(f"quote({column})" for column in columns)
    rows = connection.execute(f"SELECT {literals} FROM {table}")
    return [f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values});" for (values,) in rows]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "conversations.db"
        database = Database(path, repair=True)
        fill(database, conversations=2, turns=2)
        _, question, answer = database.write(
            messages.add_turn, 1, None, "asked differently: čerešňa 日本", "m"
        )
        database.write(messages.add_reply, question.id, "m")
        database.write(messages.switch_branch, answer.id, 1)
        database.write(conversations.trash, 2)
        database.write(drafts.set_draft, 1, "not sent")
        database.write(drafts.set_draft, None, "not begun")
        picture = NewAttachment(b"\x89PNG\r\n\x1a\n\0", "image/png", "čerešňa.png", 40, 30)
        database.write(attachments.attach, 1, question.id, [picture])
        database.write(attachments.set_draft_attachments, None, [picture])
        database.write(conversations.set_option, 1, "system", "Be brief.")
        database.close()
        Path(sys.argv[1]).write_text(dump(path), encoding="utf-8")


if __name__ == "__main__":
    main()
