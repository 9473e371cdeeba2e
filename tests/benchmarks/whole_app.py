"""What only the whole program can promise: speed up to the main thread, nothing lost when it is killed, and a window
that survives every file."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from statistics import median

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from benchmarks.inference import Plain
from benchmarks.row import Row
from PySide6.QtCore import QEventLoop
from PySide6.QtWidgets import QApplication
from support.session_kills import kill_many
from support.whole_program import corpus, open_and_ask, whole_program
from support.workers import GREEDY, spawn_worker, starter

from desktop.bridge import Bridge
from desktop.chat.session import Session
from desktop.chat.turns import Ask, Ended, SessionEvent
from desktop.store.store import Store
from models.runtime.engine import Engine
from models.runtime.values import LoadOptions
from providers.events import TextDelta
from providers.local import LocalModel

_VERDICT_SECONDS = 5.0
_QUESTION = "Count from 1 to 1000, one number after another: 1, 2, 3,"


def run(quick: bool) -> list[Row]:
    return [
        _generation(repeats=4 if quick else 12, tokens=128 if quick else 256),
        _kills(20 if quick else 200),
        _damaged(40 if quick else 300),
    ]


class _App:
    """Store, session, model and bridge as the window has them, and a main thread that receives."""

    def __init__(self, folder: Path) -> None:
        self.qt = QApplication.instance() or QApplication([])
        self.bridge = Bridge()
        self.store = Store(folder / "conversations.db")
        self.session = Session(self.store)
        self.engine = Engine(spawn_worker)
        self.model = LocalModel(self.engine, starter(), LoadOptions())
        self._wait(self.store.open())
        self._wait(self._load())

    async def _load(self) -> None:
        async for _ in self.model.load():
            pass

    def _wait(self, work: object) -> None:
        loop = QEventLoop()
        self.bridge.submit(work, lambda _: loop.quit())  # type: ignore[arg-type]
        loop.exec()

    def answer(self, tokens: int) -> float:
        """Tokens per second of one stored answer, by when they arrive on the main thread."""
        arrived: list[float] = []
        loop = QEventLoop()

        def take(event: SessionEvent) -> None:
            if isinstance(event, TextDelta):
                arrived.append(time.perf_counter())
            elif isinstance(event, Ended):
                assert event.answer.generated_tokens == tokens, "the answer ended early"
                loop.quit()

        ask = Ask(text=_QUESTION, sampling=GREEDY, max_tokens=tokens)
        self.bridge.submit(
            self.session.run_turn(ask, self.model, lambda event: self.bridge.deliver(take, event))
        )
        loop.exec()
        return (tokens - 1) / (arrived[-1] - arrived[0])

    def close(self) -> None:
        async def last() -> None:
            await self.session.close()
            await self.model.close()
            await self.store.close()

        self.bridge.close(last())


def _generation(repeats: int, tokens: int) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        app = _App(Path(folder))
        plain = Plain(app.engine)
        try:
            app.answer(tokens)
            ratios = []
            for number in range(repeats):
                # Sometimes one side is first, sometimes the other: what grows or wanes meanwhile falls on both.
                before = plain.measure(60, tokens - 1) if number % 2 else None
                rate = app.answer(tokens)
                _, written = before or plain.measure(60, tokens - 1)
                ratios.append(rate / ((tokens - 1) / written))
        finally:
            plain.close()
            app.close()
    figure = f"{median(ratios):.3f} ({min(ratios):.3f}–{max(ratios):.3f})"
    how = f"median of {repeats}, taking turns; {tokens} tokens, stored, received on the main thread"
    return Row("Generation through the whole app / plain loop", figure, "≥ 0.97", median(ratios) >= 0.97, how)


def _kills(count: int) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        survived = kill_many(Path(folder), kills=count, seed=20)
    met = survived.lost_questions == survived.unclean == 0 and survived.latest_loss <= 1.0
    figure = (
        f"{survived.lost_questions} of {survived.questions} questions lost, {survived.unclean} files unclean, "
        f"at most the last {survived.latest_loss:.2f} s of an answer"
    )
    how = "real session and store, killed at random moments while answers stream at 400 tokens/s"
    return Row(f"kill -9, {survived.kills} times", figure, "0 lost, 0 unclean, ≤ 1 s", met, how)


def _damaged(count: int) -> Row:
    """Each opened in the window, and asked something if it loads, until its sentence or its answer is there."""
    application = QApplication.instance() or QApplication([])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with whole_program(folder / "home", sampling_max_tokens=8) as parts:
            verdicts = [open_and_ask(parts, damaged) for damaged in corpus(folder, count)]
            alive = parts.window.isVisible()
    del application
    slowest = max(verdicts, key=lambda verdict: verdict.seconds)
    refused = sum(1 for verdict in verdicts if verdict.sentence)
    return Row(
        f"{count} damaged model files opened in the window",
        f"{refused} refused in a sentence, {len(verdicts) - refused} answered; slowest {slowest.seconds:.1f} s",
        f"the window alive, at most {_VERDICT_SECONDS:.0f} s each",
        alive and len(verdicts) == count and slowest.seconds <= _VERDICT_SECONDS,
        f"the whole program, a locked worker for each; slowest: {slowest.what}",
    )
