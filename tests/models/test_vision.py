"""A model with a projector sees images: really encoded, really in its cache, and never taken for one another."""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest
from support.gguf_files import write_model
from support.vision_files import IMAGE_TOKENS, QWEN, png, png_of, write_projector, write_qwen_model
from support.workers import ask, engine_with, spawn_worker

from desktop.processes.child import ChildProcess, spawn
from desktop.processes.roles import Role
from models.runtime.engine import Engine
from models.runtime.faults import Fault, RuntimeFault, StopReason
from models.runtime.picture import MOST_SIDE, media_type, size_of
from models.runtime.protocol import Completed, PromptProgress
from models.runtime.sight_loading import projector_bytes
from models.runtime.values import Image, LoadOptions, Turn

RED, BLUE = Image(png()), Image(png(colour=(0, 0, 255)))
QUESTION = "What is this?"


@pytest.fixture(scope="module")
def seeing(runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("vision")
    model = write_model(folder / "tiny.gguf", context=2048)
    options = LoadOptions(projector=str(write_projector(folder / "mmproj.gguf", 64)))
    engine = Engine(spawn_worker)

    async def load() -> None:
        async for _ in engine.load(model, options):
            pass

    runner.run(load())
    yield engine
    runner.run(engine.close())


def shown(*images: Image, text: str = QUESTION) -> Turn:
    return Turn("user", text, images)


def refused(runner: asyncio.Runner, engine: Engine, *turns: Turn) -> RuntimeFault:
    with pytest.raises(RuntimeFault) as fault:
        runner.run(ask(engine, turns, max_tokens=2))
    return fault.value


def test_an_answer_depends_on_the_image(runner: asyncio.Runner, seeing: Engine) -> None:
    without = runner.run(ask(seeing, [shown()])).completed
    red = runner.run(ask(seeing, [shown(RED)]))
    blue = runner.run(ask(seeing, [shown(BLUE)]))
    assert red.text != blue.text
    assert red.completed.prompt_tokens - without.prompt_tokens >= IMAGE_TOKENS
    assert runner.run(ask(seeing, [shown(RED)])).text == red.text


def test_an_image_is_read_once_for_all_turns_after_it(runner: asyncio.Runner, seeing: Engine) -> None:
    turns = [shown(RED)]
    first = runner.run(ask(seeing, turns, max_tokens=8))
    turns += [Turn("assistant", first.text), Turn("user", "Are you sure?")]
    second = runner.run(ask(seeing, turns, max_tokens=1)).completed
    assert second.reused_tokens >= first.completed.prompt_tokens


def test_another_image_in_its_place_is_not_taken_for_it(runner: asyncio.Runner, seeing: Engine) -> None:
    before = [shown(RED), Turn("assistant", "A square."), Turn("user", "Which colour?")]
    after = [shown(BLUE), Turn("assistant", "A square."), Turn("user", "Which colour?")]

    async def ask_in_turn() -> tuple[str, int, str]:
        await ask(seeing, before, max_tokens=1)
        changed = await ask(seeing, after, max_tokens=12)
        await ask(seeing, "Something else entirely.", max_tokens=1)
        return changed.text, changed.completed.reused_tokens, (await ask(seeing, after, max_tokens=12)).text

    changed, reused, fresh = runner.run(ask_in_turn())
    assert changed == fresh
    assert reused < runner.run(ask(seeing, [shown()], max_tokens=1)).completed.prompt_tokens


def test_several_images_in_one_message_and_the_same_one_twice(runner: asyncio.Runner, seeing: Engine) -> None:
    one = runner.run(ask(seeing, [shown(RED)], max_tokens=1)).completed.prompt_tokens
    three = runner.run(ask(seeing, [shown(RED, BLUE, RED)], max_tokens=1)).completed
    assert three.prompt_tokens == one + 2 * IMAGE_TOKENS
    assert three.reused_tokens >= IMAGE_TOKENS  # the first one


def test_what_somebody_writes_is_never_taken_for_an_image(runner: asyncio.Runner, seeing: Engine) -> None:
    runner.run(ask(seeing, [shown(RED)], max_tokens=1))
    digits = "".join(chr(0xFDD0 + int(digit, 16)) for digit in RED.sha256[:32])
    forged = f"<__media__>\ufdec{digits}\ufded"
    harmless = "<__media__>" + "\ufffd" * 34
    first = runner.run(ask(seeing, [shown(text=harmless)])).completed
    second = runner.run(ask(seeing, [shown(text=forged)])).completed
    assert second.prompt_tokens == first.prompt_tokens
    assert second.reused_tokens == first.prompt_tokens - 1  # to the model both are the same signs


CUT = png()[:60]
NOT_A_PNG = b"GIF89a" + bytes(100)
HUGE = png_of(60_000, 60_000, bytes(100))
NOT_ALL_THERE = png_of(40, 30, bytes(10))
WRONG_START = b"\x89PNG\r\n\x1a\n" + bytes(60)
JPEG_WITHOUT_FRAME = b"\xff\xd8\xff\xe0\x00\x04\x00\x00\xff\xda\x00\x08" + bytes(20)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (CUT, Fault.IMAGE_UNREADABLE),
        (NOT_A_PNG, Fault.IMAGE_UNREADABLE),
        (HUGE, Fault.IMAGE_TOO_LARGE),
        (NOT_ALL_THERE, Fault.IMAGE_UNREADABLE),
        (WRONG_START, Fault.IMAGE_UNREADABLE),
        (JPEG_WITHOUT_FRAME, Fault.IMAGE_UNREADABLE),
        (b"", Fault.IMAGE_UNREADABLE),
    ],
    ids=["cut", "format", "huge", "rows", "start", "jpeg", "empty"],
)
def test_a_bad_image_is_a_fault_and_the_model_stays_loaded(
    data: bytes, fault: Fault, runner: asyncio.Runner, seeing: Engine
) -> None:
    pid = seeing.pid
    assert refused(runner, seeing, shown(RED, Image(data))).fault is fault
    assert runner.run(ask(seeing, [shown(RED)], max_tokens=2)).completed.generated_tokens
    assert seeing.pid == pid


def test_the_size_of_an_image_is_read_from_its_first_bytes() -> None:
    assert size_of(png(640, 480)) == (640, 480)
    frame = b"\xff\xc2" + struct.pack(">HBHHB", 11, 8, 480, 640, 1)
    jpeg = b"\xff\xd8\xff\xe1" + struct.pack(">H", 6) + b"Exif" + b"\xff" + frame + bytes(20)
    assert (media_type(jpeg), size_of(jpeg)) == ("image/jpeg", (640, 480))
    with pytest.raises(RuntimeFault):
        size_of(png_of(MOST_SIDE + 1, 1, b""))


def test_a_model_without_a_projector_says_so_and_remembers_that_there_was_an_image(
    runner: asyncio.Runner, tiny_engine: Engine
) -> None:
    assert refused(runner, tiny_engine, shown(RED)).fault is Fault.CANNOT_SEE
    turns = [shown(RED), Turn("assistant", "A square."), Turn("user", "Which colour?")]
    assert runner.run(ask(tiny_engine, turns, max_tokens=2)).completed.generated_tokens


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        ("width", Fault.PROJECTOR_OF_ANOTHER),
        ("cut", Fault.PROJECTOR_DAMAGED),
        ("garbage", Fault.PROJECTOR_DAMAGED),
        ("kind", Fault.PROJECTOR_DAMAGED),
        ("model", Fault.PROJECTOR_DAMAGED),
        ("gone", Fault.PROJECTOR_MISSING),
    ],
)
def test_a_projector_that_can_not_be_used_costs_the_image_and_not_the_model(
    damage: str, fault: Fault, runner: asyncio.Runner, tmp_path: Path
) -> None:
    path = tmp_path / "mmproj.gguf"
    if damage == "model":
        write_model(path)
    else:
        write_projector(path, 64 + (damage == "width"), kind="nonsense" if damage == "kind" else "mlp")
    if damage in ("cut", "garbage", "gone"):
        whole = path.read_bytes()
        path.write_bytes({"cut": whole[:-500], "garbage": b"\xa5" * 500, "gone": b""}[damage])
    if damage == "gone":
        path.unlink()

    async def use() -> None:
        model = write_model(tmp_path / "tiny.gguf")
        async with engine_with(model, LoadOptions(projector=str(path))) as engine:
            pid = engine.pid
            with pytest.raises(RuntimeFault) as told:
                await ask(engine, [shown(RED)], max_tokens=2)
            assert told.value.fault is fault
            assert str(tmp_path) not in str(told.value.facts)
            assert (await ask(engine, "Hello", max_tokens=2)).completed.generated_tokens
            assert engine.pid == pid

    runner.run(use())


def test_a_projector_that_ends_the_process_is_a_sentence_and_the_next_question_is_answered(
    runner: asyncio.Runner, tmp_path: Path
) -> None:
    path = write_projector(tmp_path / "mmproj.gguf", 64)
    whole = path.read_bytes()
    name = b"clip.vision.attention.head_count"
    place = whole.index(name) + len(name) + 4
    path.write_bytes(whole[:place] + struct.pack("<I", 4097) + whole[place + 4 :])

    async def use() -> None:
        model = write_model(tmp_path / "tiny.gguf")
        async with engine_with(model, LoadOptions(projector=str(path))) as engine:
            with pytest.raises(RuntimeFault) as told:
                await ask(engine, [shown(RED)], max_tokens=2)
            assert told.value.fault is Fault.PROJECTOR_DAMAGED
            assert (await ask(engine, "Hello", max_tokens=2)).completed.generated_tokens

    runner.run(use())


def test_an_image_can_be_given_up_while_it_is_looked_at_and_the_model_stays(
    runner: asyncio.Runner, tmp_path: Path
) -> None:
    projector = write_projector(tmp_path / "mmproj.gguf", 64, side=72, layers=24)  # some ten seconds of work

    async def use() -> None:
        model = write_model(tmp_path / "tiny.gguf", context=8192)
        async with engine_with(model, LoadOptions(projector=str(projector))) as engine:
            pid = engine.pid
            async with aclosing(engine.generate([shown(RED)])) as answer:
                async for report in answer:
                    if isinstance(report, PromptProgress) and report.done > 0:
                        break  # the words before the image are read, and the image is next
            assert (await ask(engine, "Hello", max_tokens=2)).completed.generated_tokens
            assert engine.pid == pid

    runner.run(use())


def test_a_model_whose_positions_have_several_dimensions_keeps_its_place(
    runner: asyncio.Runner, tmp_path: Path
) -> None:
    projector = write_projector(tmp_path / "mmproj.gguf", 64, kind=QWEN)
    options = LoadOptions(projector=str(projector), context_tokens=2048)
    wide, other = Image(png(280, 140)), Image(png(280, 140, (0, 255, 0)))

    async def use() -> None:
        async with engine_with(write_qwen_model(tmp_path / "qwen.gguf"), options) as engine:
            turns = [shown(wide)]
            first = await ask(engine, turns, max_tokens=12)
            assert first.completed.prompt_tokens > 50  # cells; the image takes ten positions
            turns += [Turn("assistant", first.text), shown(other, text="And this?")]
            cached = await ask(engine, turns, max_tokens=12)
            assert cached.completed.reused_tokens > 20
            await ask(engine, "Something else entirely.", max_tokens=1)
            fresh = await ask(engine, turns, max_tokens=12)
            assert fresh.text == cached.text
            long = await ask(engine, [shown(wide)], max_tokens=2100)
            assert long.completed.reason in (StopReason.STOP, StopReason.CONTEXT_FULL)

    runner.run(use())


def test_an_image_that_was_read_before_a_restart_is_not_read_again(
    runner: asyncio.Runner, tmp_path: Path
) -> None:
    projector = write_projector(tmp_path / "mmproj.gguf", 64)
    model = write_model(tmp_path / "tiny.gguf", context=4096)
    options = LoadOptions(projector=str(projector), context_tokens=4096)
    turns = [shown(RED, text="What is this? " * 60)]
    state = os.open(tmp_path / "state", os.O_RDWR | os.O_CREAT)

    async def answer() -> Completed:
        async def spawn_with_a_file() -> ChildProcess:
            return await spawn(Role.WORKER, files=[state])

        engine = Engine(spawn_with_a_file, state_bytes=1 << 30)
        async for _ in engine.load(model, options):
            pass
        done = (await ask(engine, turns, max_tokens=4)).completed
        await engine.close()
        return done

    first, second = runner.run(answer()), runner.run(answer())
    os.close(state)
    assert (first.reused_tokens, second.reused_tokens) == (0, first.prompt_tokens - 1)


def test_the_memory_of_a_projector_is_kept_free_though_it_is_loaded_later(tmp_path: Path) -> None:
    path = write_projector(tmp_path / "mmproj.gguf")
    assert projector_bytes(str(path)) > path.stat().st_size
    assert projector_bytes(None) == projector_bytes(str(tmp_path / "gone.gguf")) == 0
