"""Pictures of the real window for the README and for people who look at them before a change is called done.

`python -m support.screenshots FOLDER` (from tests/) draws at 200 % with Qt's offscreen platform: the same
window, view-models and store as in the program, and a conversation that is read from a real database.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from desktop.store.records import Message

SIZE = (1200, 860)
SCREEN = {"screens": [{"name": "large", "width": 3840, "height": 2400}]}
"""What Qt's offscreen platform is told to pretend."""
THEMES = ("light", "dark")
DEADLINE = 60.0  # seconds for anything that is waited for

MODEL = "SmolLM2 135M Instruct Q4_1"
QUESTION = "How does compound interest work?"
ANSWER = """With compound interest you earn interest on your interest, because it stays with the money.

$$A = P\\left(1 + \\frac{r}{n}\\right)^{nt}$$

Here $P$ is what you put in, $r$ the yearly rate, $n$ how often interest is paid each year, and $t$ the years.

| after | 1,000 at 3 % | 1,000 at 5 % |
|---|---:|---:|
| 1 year | 1,030.00 | 1,050.00 |
| 10 years | 1,343.92 | 1,628.89 |
| 30 years | 2,427.26 | 4,321.94 |

```python
def grown(money: float, rate: float, years: int) -> float:
    return money * (1 + rate) ** years
```
"""
FOLLOW_UP = "And in one sentence?"
SHORT_ANSWER = (
    "Money that is left alone grows faster the longer it stays: last year's interest earns interest too."
)
OTHERS = (
    "Letter to the landlord about the heating",
    "Why is the sky blue?",
    "A reminder for tomorrow's meeting",
    "Counting words in Python",
    "Ideas for a quiet weekend",
)


async def fill(database: Path) -> int:
    """Write the conversations of the picture. Returns the id of the one that is shown."""
    from desktop.store.store import Store

    store = Store(database)
    await store.open()
    try:
        for title in OTHERS:
            _, _, answer = await store.add_turn(None, None, title, MODEL)
            await store.finish(_ended(answer, "An answer.", tokens=3, milliseconds=30))
        conversation, _, answer = await store.add_turn(None, None, QUESTION, MODEL)
        await store.finish(_ended(answer, ANSWER, tokens=214, milliseconds=1700))
        _, _, second = await store.add_turn(conversation.id, answer.id, FOLLOW_UP, MODEL)
        await store.finish(_ended(second, SHORT_ANSWER, tokens=24, milliseconds=190))
        return conversation.id
    finally:
        await store.close()


def _ended(answer: Message, text: str, tokens: int, milliseconds: float) -> Message:
    from desktop.store.records import Status

    return replace(
        answer,
        text=text,
        status=Status.COMPLETE,
        generated_tokens=tokens,
        context_tokens=8192,
        first_token_ms=180,
        generate_ms=milliseconds,
    )


def take(folder: Path, theme: str) -> list[Path]:
    """Draw the first page, a conversation and the settings in one theme. Returns the files, PNG at 200 %."""
    from PySide6.QtWidgets import QApplication
    from support.window_parts import WindowParts

    files = []
    with tempfile.TemporaryDirectory(prefix="alcove-pictures-") as name:
        home = Path(name)
        shown_id = asyncio.run(fill(home / "conversations.db"))
        parts = WindowParts(home)
        parts.settings.set("appearance.theme", theme)
        parts.window.resize(*SIZE)
        parts.start()
        parts.models.load()
        _until(lambda: len(parts.conversations.items) > len(OTHERS) and parts.window.is_complete)
        _until(lambda: parts.models.loading is None and "CPU" in parts.models.chip_text)
        files.append(_picture(parts.window, folder / f"alcove-welcome-{theme}.png"))
        parts.conversations.open(shown_id)
        _until(lambda: len(parts.chat.transcript.entries) == 4)
        _until_still(parts.window, 2.5)  # formulas and the colours of code come a moment later
        files.append(_picture(parts.window, folder / f"alcove-{theme}.png"))
        parts.window.run("settings")
        _settle(0.2)
        dialog = QApplication.activeModalWidget()
        assert dialog is not None
        files.append(_picture(dialog, folder / f"alcove-settings-{theme}.png"))
        dialog.close()
        parts.close()
    return files


def _picture(widget: QWidget, file: Path) -> Path:
    _settle(0.2)
    if not widget.grab().save(str(file)):
        raise OSError(f"the picture could not be written: {file}")
    return file


def _until(condition: Callable[[], bool]) -> None:
    from PySide6.QtWidgets import QApplication

    deadline = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the window did not get there")
        QApplication.processEvents()
        time.sleep(0.005)


def _until_still(widget: QWidget, seconds: float) -> None:
    """Wait until the picture has not changed for so long."""
    seen, since = widget.grab().toImage(), time.monotonic()
    while time.monotonic() - since < seconds:
        _settle(0.1)
        now = widget.grab().toImage()
        if now != seen:
            seen, since = now, time.monotonic()


def _settle(seconds: float) -> None:
    end = time.monotonic() + seconds
    _until(lambda: time.monotonic() > end)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as screen:
        json.dump(SCREEN, screen)
    os.environ["QT_QPA_PLATFORM"] = f"offscreen:configfile={screen.name}"
    os.environ["QT_SCALE_FACTOR"] = "2"
    from PySide6.QtWidgets import QApplication

    qt = QApplication(["alcove"])
    qt.setCursorFlashTime(0)  # a picture must not depend on the moment
    for theme in THEMES:
        for file in take(folder, theme):
            print(file)
    qt.quit()
    os.unlink(screen.name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
