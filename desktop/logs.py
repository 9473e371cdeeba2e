"""The log file: what happened to the program, never what anybody wrote.

Texts of conversations, file contents and keys are not logged anywhere; tests look for them. The file is small
and turned over, so that it never fills a disk.
"""

from __future__ import annotations

import logging
import logging.handlers
import sys
from pathlib import Path
from types import TracebackType


def write_to(file: Path) -> None:
    """Send everything from now on to `file`, at most about 1 MB in two generations."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handler: logging.Handler = logging.handlers.RotatingFileHandler(
            file, maxBytes=500_000, backupCount=1, encoding="utf-8", delay=True
        )
    except OSError:
        handler = logging.NullHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    root.addHandler(handler)
    logging.raiseExceptions = False  # a full disk must not turn log lines into tracebacks on a terminal
    sys.excepthook = _log_mistake


def _log_mistake(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    logging.getLogger("alcove").error("a mistake in Alcove", exc_info=(kind, error, traceback))
    sys.__excepthook__(kind, error, traceback)
