"""A LoRA adapter changes the answers of the model it was made for, as strongly as asked, and of no other."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from support.gguf_files import write_adapter, write_model
from support.workers import GREEDY, Answer

from desktop.kept_states import KeptStateFiles
from desktop.processes.child import ChildProcess, spawn
from desktop.processes.roles import Role
from models.runtime.engine import Engine
from models.runtime.faults import Fault, RuntimeFault
from models.runtime.protocol import Completed, Piece
from models.runtime.values import Adapter, Turn

LONG = "The sea is wide and deep, and nobody knows all of it. " * 20


def adapter(tmp_path: Path, strength: float = 1.0, seed: int = 5) -> Adapter:
    path = tmp_path / f"adapter-{seed}.gguf"
    return Adapter(str(path if path.exists() else write_adapter(path, seed=seed)), strength)


async def answer(
    engine: Engine, adapters: Sequence[Adapter] = (), question: str = "Hello", tokens: int = 24
) -> Answer:
    text = ""
    reports = engine.generate([Turn("user", question)], GREEDY, tokens, "root ::= [a-z]{200}", adapters)
    async for report in reports:
        if isinstance(report, Piece):
            text += report.text
        elif isinstance(report, Completed):
            return Answer(text, "", report)
    raise AssertionError("the answer did not end")


def test_an_adapter_changes_the_answer_and_without_it_all_is_as_before(
    runner: asyncio.Runner, tiny_engine: Engine, tmp_path: Path
) -> None:
    async def talk() -> None:
        plain = await answer(tiny_engine)
        changed = await answer(tiny_engine, [adapter(tmp_path)])
        assert changed.text != plain.text
        assert changed.completed.reused_tokens == 0  # what was read without it counts for nothing
        again = await answer(tiny_engine, [adapter(tmp_path)])
        assert again.text == changed.text and again.completed.reused_tokens > 0
        assert (await answer(tiny_engine)).text == plain.text
        assert (await answer(tiny_engine, [adapter(tmp_path, 0.0)])).text == plain.text

    runner.run(talk())


def test_strength_and_several_adapters_count(
    runner: asyncio.Runner, tiny_engine: Engine, tmp_path: Path
) -> None:
    async def talk() -> None:
        ways = [
            [adapter(tmp_path)],
            [adapter(tmp_path, -1.0)],
            [adapter(tmp_path), adapter(tmp_path, seed=6)],
            [adapter(tmp_path, seed=6)],
        ]
        texts = [(await answer(tiny_engine, way)).text for way in ways]
        assert len(set(texts)) == len(ways)
        assert [(await answer(tiny_engine, way)).text for way in reversed(ways)] == texts[::-1]

    runner.run(talk())


def cut(path: Path) -> Path:
    path.write_bytes(write_adapter(path).read_bytes()[:-40])
    return path


def garbage(path: Path) -> Path:
    path.write_bytes(b"no model at all")
    return path


WRONG: dict[str, tuple[Callable[[Path], Path], Fault]] = {
    "gone": (lambda path: path, Fault.ADAPTER_MISSING),
    "no GGUF": (garbage, Fault.NOT_AN_ADAPTER),
    "a model": (lambda path: write_model(path), Fault.NOT_AN_ADAPTER),
    "a projector": (
        lambda path: write_adapter(path, architecture="clip", kind="mmproj"),
        Fault.NOT_AN_ADAPTER,
    ),
    "another kind": (lambda path: write_adapter(path, adapter="control"), Fault.NOT_AN_ADAPTER),
    "another family": (
        lambda path: write_adapter(path, architecture="qwen2"),
        Fault.ADAPTER_FOR_ANOTHER_MODEL,
    ),
    "another width": (lambda path: write_adapter(path, width=32), Fault.ADAPTER_FOR_ANOTHER_MODEL),
    "more layers": (
        lambda path: write_adapter(path, tensors=("blk.7.ffn_up.weight",)),
        Fault.ADAPTER_FOR_ANOTHER_MODEL,
    ),
    "cut": (cut, Fault.ADAPTER_DAMAGED),
    "empty": (lambda path: write_adapter(path, tensors=()), Fault.ADAPTER_DAMAGED),
    "no numbers": (lambda path: write_adapter(path, size=float("nan")), Fault.ADAPTER_DAMAGED),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_adapter_for_this_model_is_refused_and_the_model_stays(
    runner: asyncio.Runner, tiny_engine: Engine, tmp_path: Path, what: str
) -> None:
    make, fault = WRONG[what]
    path = make(tmp_path / "wrong.gguf")

    async def talk() -> None:
        plain, before = await answer(tiny_engine), tiny_engine.pid
        with pytest.raises(RuntimeFault) as caught:
            await answer(tiny_engine, [adapter(tmp_path), Adapter(str(path))])
        assert caught.value.fault is fault and caught.value.facts["adapter"] == "wrong.gguf"
        assert tiny_engine.pid == before
        assert (await answer(tiny_engine)).text == plain.text

    runner.run(talk())


def test_a_conversation_that_was_read_with_an_adapter_comes_back_with_that_adapter_only(
    runner: asyncio.Runner, tmp_path: Path
) -> None:
    path = write_model(tmp_path / "tiny.gguf", context=4096)
    kept = KeptStateFiles(tmp_path / "kept", lambda: 1 << 30)
    with_one = [adapter(tmp_path)]

    async def spawn_with_files() -> ChildProcess:
        files = kept.open(path)
        try:
            return await spawn(Role.WORKER, files=files)
        finally:
            for descriptor in files:
                os.close(descriptor)

    async def talk() -> None:
        engine = Engine(spawn_with_files, kept.slot_bytes)
        try:
            async for _ in engine.load(path):
                pass
            plain = await answer(engine, (), LONG, 4)
            changed = await answer(engine, with_one, LONG, 4)
            assert changed.completed.reused_tokens == 0
            back = await answer(engine, (), LONG, 4)
            assert back.text == plain.text and back.completed.reused_tokens > 500
            weaker = await answer(engine, [adapter(tmp_path, 0.5)], LONG, 4)
            assert weaker.completed.reused_tokens == 0
            await engine.close()  # and its worker with it
            again = await answer(engine, with_one, LONG, 4)
            assert again.text == changed.text and again.completed.reused_tokens > 500
        finally:
            await engine.close()

    runner.run(talk())
