"""The one crossing between the `core` thread (asyncio) and the main thread (Qt). Nothing else crosses.

Down: `submit` runs a coroutine on core. Up: `deliver` runs a call on the main thread, in order. A failure
nobody asked to hear about reaches `sys.excepthook` on the main thread, never silence.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from PySide6.QtCore import QObject, Qt, Signal

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")

_JOB = "job"  # the name of a task that was submitted


class Job:
    """A coroutine under way on core, as seen from the main thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.task: asyncio.Task[Any] | None = None

    def cancel(self) -> None:
        """Ask it to stop. Safe from the main thread, harmless when it has ended."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if self.task is not None:
            self.task.cancel()


class Bridge(QObject):
    """Owns the core thread. Create and close it on the main thread."""

    _arrived = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._closed = False
        self._arrived.connect(self._run_here, Qt.ConnectionType.QueuedConnection)
        self._core: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._live, name="core", daemon=True)
        self._there = threading.Event()

    @property
    def _loop(self) -> asyncio.AbstractEventLoop:
        """Core's loop. The thread starts with the first use, because its library takes time to load."""
        if not self._there.is_set():
            self._thread.start()
            self._there.wait()
        assert self._core is not None
        return self._core

    def _live(self) -> None:
        import asyncio

        self._core = asyncio.new_event_loop()
        self._there.set()
        self._core.run_forever()

    def submit(
        self,
        work: Coroutine[Any, Any, T],
        then: Callable[[T], None] | None = None,
        failed: Callable[[Exception], None] | None = None,
    ) -> Job:
        """Run `work` on core. `then` gets its result, `failed` its exception, both on the main thread.

        A cancelled job calls neither. After `close` nothing is run any more.
        """
        job = Job(self._loop)
        if self._closed:  # a timer of a window that has gone may not have heard of it
            work.close()
            return job
        self._loop.call_soon_threadsafe(self._start, job, work, then, failed)
        return job

    def _start(
        self,
        job: Job,
        work: Coroutine[Any, Any, T],
        then: Callable[[T], None] | None,
        failed: Callable[[Exception], None] | None,
    ) -> None:
        job.task = self._loop.create_task(work, name=_JOB)

        def ended(task: asyncio.Task[T]) -> None:
            if task.cancelled():
                return
            error = task.exception()
            if error is None:
                if then is not None:
                    self.deliver(then, task.result())
            elif failed is not None and isinstance(error, Exception):
                self.deliver(failed, error)
            else:
                self.deliver(_report, error)

        job.task.add_done_callback(ended)

    def deliver(self, call: Callable[..., None], *arguments: object) -> None:
        """Run `call(*arguments)` on the main thread, after everything delivered before. From any thread."""
        if not self._closed:
            self._arrived.emit((call, arguments))

    def _run_here(self, arrival: tuple[Callable[..., None], tuple[object, ...]]) -> None:
        if self._closed:
            return
        call, arguments = arrival
        try:
            call(*arguments)
        except Exception as error:
            _report(error)

    def close(self, last: Coroutine[Any, Any, None] | None = None, seconds: float = 5.0) -> None:
        """Run `last`, cancel what is left and end the thread. Waits at most `seconds` for each."""
        import asyncio

        self._closed = True
        if last is not None:
            done = asyncio.run_coroutine_threadsafe(last, self._loop)
            try:
                done.result(seconds)
            except TimeoutError:
                done.cancel()
        asyncio.run_coroutine_threadsafe(_cancel_all(), self._loop).result(seconds)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(seconds)
        if not self._thread.is_alive():
            self._loop.close()


async def _cancel_all() -> None:
    """The jobs first: what they wait for while they tidy up, such as the end of a child, is left alone until then."""
    import asyncio

    def others() -> list[asyncio.Task[Any]]:
        return [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]

    async def cancel(tasks: list[asyncio.Task[Any]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    await cancel([task for task in others() if task.get_name() == _JOB])
    await cancel(others())


def _report(error: BaseException) -> None:
    sys.excepthook(type(error), error, error.__traceback__)
