"""Whatever ends a worker, the parent says so and the next answer comes from a new one."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import pytest
from support.gguf_files import write_model
from support.workers import GREEDY, ask, engine_with, spawn_worker, starter

from desktop.processes.child import ChildProcess, launch
from models.runtime.engine import Engine
from models.runtime.faults import Fault, RuntimeFault, StopReason
from models.runtime.protocol import Loaded, Piece
from models.runtime.values import LoadOptions, Turn
from models.runtime.watched import is_stuck

STORY = [Turn("user", "Count from 1 to 1000: 1, 2, 3,")]


async def wait_for(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are a Unix thing")
def test_a_worker_killed_while_answering_is_told_and_replaced(runner: asyncio.Runner, engine: Engine) -> None:
    async def kill_while_answering() -> RuntimeFault:
        try:
            async for report in engine.generate(STORY, GREEDY, 500):
                if isinstance(report, Piece) and engine.pid is not None:
                    os.kill(engine.pid, signal.SIGKILL)
        except RuntimeFault as fault:
            return fault
        raise AssertionError("the answer went on without a worker")

    before = engine.pid
    fault = runner.run(kill_while_answering())
    assert fault.fault is Fault.WORKER_STOPPED and fault.facts["signal"] == "SIGKILL"
    assert engine.loaded is None
    assert runner.run(ask(engine, "Say hello.")).text
    assert engine.pid not in (None, before)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are a Unix thing")
def test_a_worker_that_dies_while_idle_is_replaced_without_a_word(
    runner: asyncio.Runner, engine: Engine
) -> None:
    async def kill_and_ask() -> list[object]:
        await ask(engine, "Say hello.", max_tokens=1)
        assert engine.pid is not None
        os.kill(engine.pid, signal.SIGSEGV)
        await wait_for(lambda: engine.loaded is None)
        return [report async for report in engine.generate(STORY, GREEDY, 3)]

    reports = runner.run(kill_and_ask())
    assert any(isinstance(report, Loaded) for report in reports)
    assert any(isinstance(report, Piece) for report in reports)


def test_a_file_deleted_while_loaded_is_missed_only_at_the_next_load(tmp_path: Path) -> None:
    async def talk() -> Fault:
        path = write_model(tmp_path / "gone.gguf")
        async with engine_with(path) as engine:
            path.unlink()
            assert (await ask(engine, "Hello", max_tokens=4)).completed.reason is not StopReason.CANCELLED
            await engine.close()
            with pytest.raises(RuntimeFault) as caught:
                await ask(engine, "Hello")
            return caught.value.fault

    assert asyncio.run(talk()) is Fault.FILE_MISSING


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a mapped file cannot be cut")
def test_a_file_that_vanishes_under_the_model_stops_the_worker_and_not_the_program(tmp_path: Path) -> None:
    async def talk() -> RuntimeFault:
        path = tmp_path / "unplugged.gguf"
        shutil.copyfile(write_model(tmp_path / "whole.gguf"), path)
        async with engine_with(path) as engine:
            os.truncate(path, 0)
            with pytest.raises(RuntimeFault) as caught:
                await ask(engine, "Hello")
            assert engine.loaded is None
            return caught.value

    fault = asyncio.run(talk())
    assert fault.fault is Fault.WORKER_STOPPED and fault.facts["signal"] == "SIGBUS"


def test_other_options_load_the_model_again_and_the_same_do_not(
    runner: asyncio.Runner, engine: Engine
) -> None:
    async def load(options: LoadOptions) -> int | None:
        async for _ in engine.load(starter(), options):
            pass
        return engine.pid

    first = runner.run(load(LoadOptions(context_tokens=512)))
    assert runner.run(load(LoadOptions(context_tokens=512))) == first
    assert engine.loaded is not None and engine.loaded.placement.context_tokens == 512
    assert runner.run(load(LoadOptions(context_tokens=768))) != first
    assert engine.loaded.placement.context_tokens == 768


@pytest.mark.parametrize("answering", [True, False])
def test_closing_the_engine_ends_whoever_waits_for_it(answering: bool) -> None:
    async def close_meanwhile() -> Fault:
        engine = Engine(spawn_worker)
        reports: AsyncGenerator[object] = engine.load(starter())
        await anext(reports)
        if answering:
            async for _ in reports:
                pass
            reports = engine.generate(STORY, GREEDY, 500)
            await anext(reports)
        await engine.close()
        with pytest.raises(RuntimeFault) as caught:
            async for _ in reports:
                pass
        return caught.value.fault

    assert asyncio.run(close_meanwhile()) is (Fault.WORKER_STOPPED if answering else Fault.LOAD_CANCELLED)


def stand_in(words: str, *, works: bool = False) -> Callable[[], Awaitable[ChildProcess]]:
    """A child that is no worker: it says these words, line by line, and then waits, or `works`, for ever."""

    async def spawn() -> ChildProcess:
        end = "while True: pass" if works else "time.sleep(600)"
        code = f"import sys, time\nsys.stdout.write({words!r}); sys.stdout.flush()\n{end}"
        return await launch([sys.executable, "-c", code])

    return spawn


READY = '{"kind":"Ready","llama_cpp":"x","lock":"x","locked":true}\n'


@pytest.mark.parametrize(
    "words",
    [
        "hello\n",
        '{"kind":"Piece","text":"a","reasoning":false}\n',
        READY + '{"kind":"Loaded"}\n',
        READY + '{"kind":"Stage","name":"lunch","seconds":0}\n',
        READY + '{"kind":"Piece","text":"a","reasoning":false}\n',
        READY + "[1]\n",
    ],
)
def test_a_worker_that_breaks_the_protocol_is_ended(tmp_path: Path, words: str) -> None:
    async def load() -> Fault:
        engine = Engine(stand_in(words))
        with pytest.raises(RuntimeFault) as caught:
            async for _ in engine.load(tmp_path / "any.gguf"):
                pass
        assert engine.pid is None
        return caught.value.fault

    assert asyncio.run(asyncio.wait_for(load(), 30)) is Fault.WORKER_STOPPED


def test_a_worker_that_hangs_over_a_header_is_ended_as_damage(tmp_path: Path) -> None:
    async def load() -> RuntimeFault:
        engine = Engine(stand_in(READY + '{"kind":"Stage","name":"header","seconds":0}\n', works=True))
        with pytest.raises(RuntimeFault) as caught:
            async for _ in engine.load(tmp_path / "any.gguf"):
                pass
        return caught.value

    fault = asyncio.run(asyncio.wait_for(load(), 30))
    assert fault.fault is Fault.DAMAGED and fault.facts["stage"] == "header"


def test_a_worker_that_gets_no_processor_is_given_more_time_before_its_file_is_blamed() -> None:
    assert is_stuck(silent=4.0, worked=4.0, allowed=4.0) and is_stuck(silent=4.1, worked=2.0, allowed=4.0)
    assert not is_stuck(silent=3.9, worked=3.9, allowed=4.0)
    assert not is_stuck(silent=15.0, worked=0.5, allowed=4.0)
    assert is_stuck(silent=20.0, worked=0.0, allowed=4.0)


def test_a_program_that_cannot_be_started_is_told(tmp_path: Path) -> None:
    async def spawn() -> ChildProcess:
        return await launch(["/nowhere/to/be/found"])

    async def load() -> Fault:
        with pytest.raises(RuntimeFault) as caught:
            async for _ in Engine(spawn).load(tmp_path / "any.gguf"):
                pass
        return caught.value.fault

    assert asyncio.run(load()) is Fault.WORKER_STOPPED
