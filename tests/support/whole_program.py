"""The whole program in this process, as `desktop.app` makes it, and damaged model files opened in it."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication
from support.gguf_files import Damaged, damaged_files, write_model
from support.window_parts import LOCKED
from support.workers import starter

from desktop.app import Parts
from desktop.instance import Instance
from desktop.paths import Paths
from desktop.settings import Settings
from desktop.viewmodels.chat import ChatState
from desktop.viewmodels.notice import Notice


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one file: the sentence that a person read, or "" when the model answered all the same."""

    what: str
    sentence: str
    seconds: float


def wait(there: Callable[[], object], seconds: float = 60.0) -> None:
    """Let the event loop run until it is so."""
    keep_going = QTimer(interval=5)
    keep_going.start()
    until = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < until, "it never came"
        QApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
    keep_going.stop()


@contextmanager
def whole_program(home: Path, **settings: object) -> Iterator[Parts]:
    """Everything but the lock, below one folder; the starter model is loaded."""
    paths = Paths(home)
    chosen = Settings(paths.settings)
    for key, value in settings.items():
        assert chosen.set(key.replace("_", ".", 1), value) == ""
    parts = Parts(paths, LOCKED, chosen, Instance(paths.lock))
    log, there = logging.getLogger(), list[bool]()
    handlers, level, raising, hook = list(log.handlers), log.level, logging.raiseExceptions, sys.excepthook
    parts.chat.draft_replaced.connect(lambda: there.append(True))
    parts.chat.notice.connect(lambda _: there.append(True))
    parts.window.show()
    parts.start()
    try:
        wait(lambda: there and parts.models.loading is None and parts.window.is_complete)
        yield parts
    finally:
        parts.window.close()
        parts.close()
        parts.window.deleteLater()
        QApplication.processEvents()
        for handler in set(log.handlers) - set(handlers):
            log.removeHandler(handler)
            handler.close()
        log.setLevel(level)
        logging.raiseExceptions, sys.excepthook = raising, hook


def corpus(folder: Path, count: int) -> Iterator[Damaged]:
    """Small files of two architectures, and the starter model, each damaged in another way."""
    of_starter = count // 8
    of_llama = (count - of_starter) // 2
    small = write_model(folder / "llama.gguf")
    other = write_model(folder / "qwen.gguf", architecture="qwen2", words=2000)
    yield from damaged_files(folder, small, of_llama, seed=1)
    yield from damaged_files(folder, other, count - of_starter - of_llama, seed=2)
    yield from damaged_files(folder, starter(), of_starter, seed=3)


def open_and_ask(parts: Parts, damaged: Damaged) -> Verdict:
    """Open the file and, if it loads, say hello. Returns when there is a sentence or an answer."""
    notices: list[Notice] = []
    parts.chat.notice.connect(notices.append)
    chat, models = parts.chat, parts.models
    started = time.perf_counter()
    models.open_file(str(damaged.path))
    wait(lambda: notices or (models.current_path == damaged.path and models.loading is None))
    if not notices:
        parts.conversations.new()
        wait(lambda: chat.can_send)
        assert chat.send("Hello")
        wait(lambda: chat.state is ChatState.IDLE)
    seconds = time.perf_counter() - started
    parts.chat.notice.disconnect(notices.append)
    entries = chat.transcript.entries
    sentence = notices[0].text if notices else entries[-1].problem if entries[-1].status == "failed" else ""
    models.forget(str(damaged.path))
    wait(lambda: models.loading is None)
    return Verdict(damaged.what, sentence, seconds)
