"""Remote models: what the broker adds to an answer, in time and in work, and how soon a server learns of a stop."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import aclosing
from pathlib import Path
from statistics import median

import httpx
from benchmarks.row import Row
from support.chat_server import MODEL, PROVIDER, ChatServer, Reply, chat_server, chunk, completion, enable
from support.outside import broker

from models.runtime.values import Turn
from providers.events import Event, TextDelta
from providers.gate.chat_messages import ChatSend
from providers.gate.client import BrokerClient
from providers.gate.rules import Label
from providers.remote.catalogue import kinds_of_own_servers
from providers.remote.dialects import dialect
from providers.remote.values import Auth, ChatCall

CALL = ChatCall(MODEL, (Turn("system", "Be brief."), Turn("user", "Hello")))
SEND = ChatSend(PROVIDER, "1", CALL, Label.MAY_LEAVE)
PIECES = 1_000
_AT_ONCE = 5  # answers, one after the other
SERVICE = kinds_of_own_servers()["openai-compatible"]


def run(quick: bool) -> list[Row]:
    """The rows of this area; `quick` repeats less."""
    times, answers = (20, 3) if quick else (200, 20)
    with tempfile.TemporaryDirectory() as folder, chat_server() as server:
        home = Path(folder)
        enable(home, server, auth=Auth.NONE)
        return asyncio.run(_rows(home, server, times, answers))


async def _rows(home: Path, server: ChatServer, times: int, answers: int) -> list[Row]:
    long = completion(*[f"word {number} " for number in range(PIECES)])
    async with broker(home, dict(os.environ)) as client:
        server.replies = deque([completion("Hello")])
        await _first_words(client, 3)  # what is imported for the first answer
        through = await _first_words(client, times)
        cancelled = await _cancels(client, server, max(5, times // 10))
        server.replies = deque([long])
        pid = client._link._process.pid  # type: ignore[attr-defined]
        # In processes of their own, and by turns: the server is in this one, and the machine is not always as quick.
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
            loop = asyncio.get_running_loop()
            broker_seconds = broker_wall = direct_seconds = direct_wall = 0.0
            for turn in range(answers):
                before, began = _cpu(pid), time.perf_counter()
                for _ in range(_AT_ONCE):
                    await _whole(client)
                used, took = _cpu(pid) - before, time.perf_counter() - began
                directly = await loop.run_in_executor(alone, whole_directly, server.url, _AT_ONCE)
                if turn or answers == 1:  # the first is for what is imported
                    broker_seconds, broker_wall = broker_seconds + used, broker_wall + took
                    direct_seconds, direct_wall = direct_seconds + directly[0], direct_wall + directly[1]
    answers = _AT_ONCE * max(1, answers - 1)
    server.replies = deque([completion("Hello")])
    direct = await asyncio.to_thread(_first_words_directly, server, times)
    added = median(through) - median(direct)
    return [
        Row(
            name="What the broker adds to the first word of a remote model's answer",
            figure=f"{added * 1e3:.1f} ms ({median(through) * 1e3:.1f} against {median(direct) * 1e3:.1f})",
            target="5 ms",
            met=added <= 0.005,
            how=f"medians of {times} answers of a server on loopback, its row synced; httpx and dialect directly",
        ),
        Row(
            name=f"Processor time that the broker adds to an answer of {PIECES:,} pieces at full speed",
            figure=f"{broker_seconds / direct_seconds - 1:+.0%} ({broker_seconds / answers * 1e3:.1f} ms against "
            f"{direct_seconds / answers * 1e3:.1f} ms)",
            target="5 %",
            met=broker_seconds / direct_seconds <= 1.05,
            how=f"{answers} answers as fast as the server sends them, by turns with httpx and dialect in a process of "
            f"their own; {broker_wall / answers:.3f} s against {direct_wall / answers:.3f} s each",
        ),
        Row(
            name="The broker's processor time for an answer at 100 words a second",
            figure=f"{(broker_seconds - direct_seconds) / answers / (PIECES / 100):.2%} of one core more than directly",
            target="5 %",
            met=(broker_seconds - direct_seconds) / answers / (PIECES / 100) <= 0.05,
            how="from the work above: a model that writes so fast takes ten seconds for it",
        ),
        Row(
            name="A stop, until the server sees the closed connection",
            figure=f"{median(cancelled) * 1e3:.1f} ms (longest {max(cancelled) * 1e3:.1f})",
            target="50 ms",
            met=max(cancelled) <= 0.050,
            how=f"{len(cancelled)} answers stopped after their first word",
        ),
    ]


async def _first_words(client: BrokerClient, times: int) -> list[float]:
    found = []
    for _ in range(times):
        before = time.perf_counter()
        async with aclosing(client.request(SEND)) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    found.append(time.perf_counter() - before)
    return found


async def _whole(client: BrokerClient) -> None:
    async with aclosing(client.request(SEND)) as events:
        async for _ in events:
            pass


async def _cancels(client: BrokerClient, server: ChatServer, times: int) -> list[float]:
    server.replies = deque([Reply((chunk("Begun"),), hangs=True)])
    found = []
    for _ in range(times):
        server.went_away.clear()
        events = client.request(SEND)
        async for event in events:
            if isinstance(event, TextDelta):
                break
        before = time.perf_counter()
        await events.aclose()
        await asyncio.to_thread(server.went_away.wait, 10)
        found.append(time.perf_counter() - before)
    return found


def _first_words_directly(server: ChatServer, times: int) -> list[float]:
    found = []
    with httpx.Client(trust_env=False) as client:
        for _ in range(times):
            before = time.perf_counter()
            for event in _answer(client, server.url):
                if isinstance(event, TextDelta):
                    found.append(time.perf_counter() - before)
    return found


def whole_directly(url: str, answers: int) -> tuple[float, float]:
    """Processor seconds of this process, and seconds on the clock."""
    with httpx.Client(trust_env=False) as client:  # reads the certificates, which the broker did at its start
        before, began = time.process_time(), time.perf_counter()
        for _ in range(answers):
            for _ in _answer(client, url):
                pass
        return time.process_time() - before, time.perf_counter() - began


def _answer(client: httpx.Client, url: str) -> Iterator[Event]:
    speaks = dialect("openai_chat")
    call = speaks.chat(CALL, SERVICE)
    reader = speaks.reader(SERVICE)
    with client.stream(call.method, url + call.path, headers=call.headers, content=call.body) as response:
        for data in response.iter_raw():
            yield from reader.take(data)
        yield from reader.end()


def _cpu(pid: int) -> float:
    """Processor seconds of a process so far."""
    import psutil

    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)
