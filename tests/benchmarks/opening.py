"""Opening a long conversation as a person does: from the click in the list, through SQLite, to the picture."""

from __future__ import annotations

import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from statistics import median

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.row import Row
from benchmarks.transcript import MESSAGES, conversation
from PySide6.QtCore import QEvent, QEventLoop, QObject, Qt, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication
from support.store_files import fill
from support.window_parts import LOCKED

from desktop.app import Parts
from desktop.instance import Instance
from desktop.paths import Paths
from desktop.settings import Settings
from desktop.store.database import Database
from desktop.views.transcript.mathematics import Mathematics
from desktop.views.transcript.message import MessageView

_TARGET_MS = 150.0


def run(quick: bool) -> list[Row]:
    """The first opening after a start, and the median of later ones."""
    application = QApplication.instance() or QApplication([])
    with tempfile.TemporaryDirectory(prefix="alcove-opening-") as name:
        home = Path(name)
        short, long = _write(home / "conversations.db")
        paths = Paths(home)
        parts = Parts(paths, LOCKED, Settings(paths.settings), Instance(paths.lock))
        parts.window.show()
        parts.start()
        _until(lambda: bool(parts.conversations.items) and parts.models.loading is None)
        first = _open(parts, long)
        later = []
        for _ in range(5 if quick else 15):
            _open(parts, short)
            later.append(_open(parts, long))
        parts.close()
    Mathematics.shared().close()
    del application
    frames, wholes = [ms for ms, _ in later], [ms for _, ms in later]
    where = f"{QGuiApplication.platformName()}; from the click to the newest message painted"
    return [
        Row(
            f"Opening a conversation of {MESSAGES:,} messages",
            f"{median(frames):.0f} ms (longest {max(frames):.0f} ms; all of it there after {median(wholes):.0f} ms)",
            f"at most {_TARGET_MS:.0f} ms",
            median(frames) <= _TARGET_MS,
            f"median of {len(later)}, through the store and the whole window; {where}",
        ),
        Row(
            "The same as the first conversation opened after a start, of any length",
            f"{first[0]:.0f} ms",
            "",
            None,
            f"once: fonts, and Qt's classes for text, come with it; {where}",
        ),
    ]


def _write(path: Path) -> tuple[int, int]:
    """A file with a short and a long conversation; their numbers."""
    database = Database(path, repair=True)
    fill(database, conversations=2, turns=3)
    database.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        (short,), (long,) = connection.execute("SELECT id FROM conversation ORDER BY id")
        (parent,) = connection.execute("SELECT head_id FROM conversation WHERE id = ?", (long,)).fetchone()
        for entry in conversation(MESSAGES):
            row = connection.execute(
                """
                INSERT INTO message (conversation_id, parent_id, role, text, status, created_at, finished_at,
                                     model, generated_tokens, generate_ms, first_token_ms)
                VALUES (?, ?, ?, ?, 'complete', 1, 2, 'A model', 300, 3000, 200)
                """,
                (long, parent, entry.role, entry.text),
            )
            parent = row.lastrowid
        connection.execute("UPDATE conversation SET head_id = ? WHERE id = ?", (parent, long))
    return short, long


def _open(parts: Parts, conversation_id: int) -> tuple[float, float]:
    """Milliseconds until its newest message is painted, and until all of it is there."""
    transcript, chat = parts.chat.transcript, parts.chat
    painted = _Painted()
    before = {entry.message_id for entry in transcript.entries}
    application = QApplication.instance()
    assert application is not None
    application.installEventFilter(painted)
    started = time.perf_counter()
    parts.conversations.open(conversation_id)

    def shown() -> bool:
        entries = transcript.entries
        painted.wanted = entries[-1].message_id if entries and entries[-1].message_id not in before else None
        return bool(painted.at)

    _until(shown)
    application.removeEventFilter(painted)
    _until(lambda: chat.is_whole)
    return (painted.at - started) * 1000, (time.perf_counter() - started) * 1000


def _until(there: Callable[[], bool]) -> None:
    keep_going = QTimer(interval=5)
    keep_going.start()
    until = time.monotonic() + 60
    while not there():
        assert time.monotonic() < until, "it never came"
        QApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
    keep_going.stop()


class _Painted(QObject):
    """Notes when the first picture with the wanted message in it is complete."""

    def __init__(self) -> None:
        super().__init__()
        self._begun = False
        self.wanted: int | None = None
        self.at = 0.0

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if self._begun or event.type() != QEvent.Type.Paint or not isinstance(watched, MessageView):
            return False
        if watched.entry.message_id == self.wanted:
            self._begun = True
            # One picture is painted in one go; what is posted now comes right after it.
            QApplication.postEvent(self, QEvent(QEvent.Type.User), Qt.EventPriority.HighEventPriority.value)
        return False

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.User:
            self.at = time.perf_counter()
        return True
