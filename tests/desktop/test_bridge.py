"""The crossing between core and the main thread."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from desktop.bridge import Bridge


@pytest.fixture
def bridge(qapp: object) -> Iterator[Bridge]:
    made = Bridge()
    yield made
    made.close()


def test_work_runs_on_core_and_its_result_arrives_on_the_main_thread(bridge: Bridge, qtbot: QtBot) -> None:
    seen: list[tuple[str, bool]] = []

    async def work() -> str:
        return threading.current_thread().name

    def then(name: str) -> None:
        seen.append((name, threading.current_thread() is threading.main_thread()))

    bridge.submit(work(), then)
    qtbot.waitUntil(lambda: bool(seen))
    assert seen == [("core", True)]


def test_deliveries_arrive_in_the_order_they_were_made(bridge: Bridge, qtbot: QtBot) -> None:
    seen: list[int] = []

    async def work() -> None:
        for number in range(1000):
            bridge.deliver(seen.append, number)

    bridge.submit(work())
    qtbot.waitUntil(lambda: len(seen) == 1000)
    assert seen == list(range(1000))


def test_a_failure_reaches_the_one_who_asked(bridge: Bridge, qtbot: QtBot) -> None:
    seen: list[Exception] = []

    async def work() -> None:
        raise ValueError("no")

    bridge.submit(work(), failed=seen.append)
    qtbot.waitUntil(lambda: bool(seen))
    assert isinstance(seen[0], ValueError)


def test_a_failure_nobody_asked_about_is_reported_not_swallowed(
    bridge: Bridge, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, *_: seen.append(kind))

    async def work() -> None:
        raise RuntimeError("a mistake")

    bridge.submit(work())
    qtbot.waitUntil(lambda: bool(seen))
    assert seen == [RuntimeError]


def test_a_cancelled_job_calls_nobody(bridge: Bridge, qtbot: QtBot) -> None:
    called: list[object] = []
    cleaned: list[bool] = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            bridge.deliver(cleaned.append, True)

    job = bridge.submit(work(), called.append, called.append)
    job.cancel()
    finished: list[None] = []
    bridge.submit(asyncio.sleep(0), finished.append)
    qtbot.waitUntil(lambda: bool(finished))
    assert called == []


def test_closing_runs_the_last_thing_and_ends_the_thread(qapp: object) -> None:
    bridge = Bridge()
    done: list[str] = []

    async def last() -> None:
        done.append(threading.current_thread().name)

    bridge.close(last())
    assert done == ["core"]
    assert "core" not in {thread.name for thread in threading.enumerate()}


def test_after_the_end_nothing_is_run_and_nothing_complains(qapp: object) -> None:
    bridge = Bridge()
    ran: list[bool] = []

    async def work() -> None:
        ran.append(True)

    bridge.submit(work())
    bridge.close()
    too_late = bridge.submit(work())
    too_late.cancel()
    assert ran == [True]
