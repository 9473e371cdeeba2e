"""The way out: what the broker costs, and what its ledger withstands."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import tempfile
import time
from contextlib import aclosing
from pathlib import Path
from statistics import median

import httpx
from benchmarks.row import Row
from support.broker_kills import Killed, kill_again_and_again, kill_in_conversations
from support.outside import Answer, Outside, broker, outside, set_switch

from desktop.processes.switch import Position, read_switch
from providers.gate.client import BrokerClient
from providers.gate.ledger import Ledger
from providers.gate.protocol import Chunk, Fetch
from providers.gate.rows import EndRow, RequestRow
from providers.gate.rules import Purpose
from providers.gate.verification import verify


def run(quick: bool) -> list[Row]:
    """The rows of this area; `quick` repeats less."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        rows = [
            _switch_row(home),
            _append_row(home / "append"),
            _flips_row(home / "flips", 100 if quick else 1000),
        ]
        rows += asyncio.run(_broker_rows(home / "broker", 30 if quick else 200))
        if sys.platform != "win32":
            kills = 10 if quick else 200
            rows.append(_kills_row("Requests", kill_again_and_again(home / "kills", kills, seed=7)))
            rows.append(_kills_row("Conversations", kill_in_conversations(home / "chats", kills, seed=8)))
    return rows


def _switch_row(home: Path) -> Row:
    times = []
    for _ in range(2000):
        before = time.perf_counter()
        read_switch(str(home))
        times.append(time.perf_counter() - before)
    return Row(
        name="Reading the network switch at a start that is offline",
        figure=f"{median(times) * 1e6:.0f} µs",
        target="100 µs",
        met=median(times) <= 100e-6,
        how="median of 2,000 readings, no file there",
    )


def _request(number: int) -> RequestRow:
    return RequestRow(str(number), "download", "GET", "https", "hf.co", 443, f"/{number}", "allowed", "hub")


def _append_row(folder: Path) -> Row:
    ledger = Ledger(folder / "ledger.jsonl")
    times = []
    for number in range(300):
        before = time.perf_counter()
        ledger.append(_request(number))
        times.append(time.perf_counter() - before)
    ledger.close()
    return Row(
        name="Writing a row of the ledger, synced to the disk",
        figure=f"{median(times) * 1e3:.2f} ms",
        target="",
        met=None,
        how="median of 300; the disk of this machine decides",
    )


def _flips_row(folder: Path, flips: int) -> Row:
    path = folder / "ledger.jsonl"
    ledger = Ledger(path)
    for number in range(40):
        ledger.append(_request(number), durable=False)
        ledger.append(EndRow(str(number), "done", 200, 100, 2000), durable=False)
    ledger.close()
    whole, chance = path.read_bytes(), random.Random(6)
    found = 0
    for _ in range(flips):
        changed = bytearray(whole)
        changed[chance.randrange(len(whole))] ^= chance.randint(1, 255)
        path.write_bytes(changed)
        found += not verify(path).intact
    return Row(
        name="Single bytes changed in a ledger and found",
        figure=f"{found:,} of {flips:,}",
        target="all",
        met=found == flips,
        how="80 rows; a random byte at a random place, each time from the whole file",
    )


def _kills_row(what: str, outcome: Killed) -> Row:
    return Row(
        name=f"{what} that a server saw and that have their row, after kill -9 of the broker",
        figure=f"{outcome.seen - len(outcome.problems):,} of {outcome.seen:,} ({outcome.kills} kills)",
        target="all",
        met=not outcome.problems and outcome.seen > 0,
        how="killed within moments, every second after its first request was seen, 12 at once; "
        f"{outcome.torn} torn rows, all told of",
    )


async def _broker_rows(home: Path, times: int) -> list[Row]:
    with outside() as server:
        server.answers["/held"] = Answer(body=b"x" * 1000, held=True)
        set_switch(home, Position.DOWNLOADS, server)
        before = time.perf_counter()
        async with broker(home, dict(os.environ)) as client:
            started = time.perf_counter() - before
            through = await _first_bytes(client, server, times)
            cancelled = await _cancels(client, server, max(5, times // 10))
        direct = await asyncio.to_thread(_first_bytes_directly, server, times)
    added = median(through) - median(direct)
    return [
        Row(
            name="Starting a broker, to its first word",
            figure=f"{started * 1e3:.0f} ms",
            target="",
            met=None,
            how="once; it starts beside the window, which does not wait for it",
        ),
        Row(
            name="What the broker adds to the first byte of an answer",
            figure=f"{added * 1e3:.1f} ms ({median(through) * 1e3:.1f} against {median(direct) * 1e3:.1f})",
            target="5 ms",
            met=added <= 0.005,
            how=f"medians of {times} requests to a server on loopback, its row's sync included; httpx directly",
        ),
        Row(
            name="A cancel reaches the server",
            figure=f"{median(cancelled) * 1e3:.0f} ms, at most {max(cancelled) * 1e3:.0f} ms",
            target="50 ms",
            met=max(cancelled) <= 0.050,
            how=f"{len(cancelled)} streams closed in the middle; the server looks every 20 ms",
        ),
    ]


async def _first_bytes(client: BrokerClient, server: Outside, times: int) -> list[float]:
    taken = []
    for number in range(times):
        before = time.perf_counter()
        async for event in client.request(Fetch(f"{server.url}/{number}", Purpose.DOWNLOAD, 1000)):
            if isinstance(event, Chunk):
                taken.append(time.perf_counter() - before)
    return taken


def _first_bytes_directly(server: Outside, times: int) -> list[float]:
    taken = []
    with httpx.Client(trust_env=False) as client:
        for number in range(times):
            before = time.perf_counter()
            with client.stream("GET", f"{server.url}/{number}") as answer:
                pieces = answer.iter_raw()
                next(pieces)
                taken.append(time.perf_counter() - before)
                for _ in pieces:
                    pass
    return taken


async def _cancels(client: BrokerClient, server: Outside, times: int) -> list[float]:
    taken = []
    for _ in range(times):
        server.went_away.clear()
        async with aclosing(client.request(Fetch(server.url + "/held", Purpose.DOWNLOAD, 10_000))) as events:
            async for event in events:
                if isinstance(event, Chunk):
                    break
            before = time.perf_counter()
        await asyncio.to_thread(server.went_away.wait, 10)
        taken.append(time.perf_counter() - before)
    return taken
