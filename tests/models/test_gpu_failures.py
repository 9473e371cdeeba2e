"""A GPU's driver that ends the worker costs one attempt: the model runs on the processor, and that is remembered."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from support.gguf_files import write_model
from support.workers import spawn_worker

from desktop.placements import Placements
from desktop.processes.child import ChildProcess, launch
from models.runtime.engine import Engine
from models.runtime.faults import Fault, RuntimeFault
from models.runtime.placement import GPU_FAILED
from models.runtime.protocol import Loaded, encode
from models.runtime.values import Known, LoadOptions, ModelCard, Placement

DRIVEN = """
import json, os, signal, sys
def say(kind, **fields):
    print(json.dumps({"kind": kind, **fields}), flush=True)
say("Ready", llama_cpp="x", lock="x", locked=True)
command = json.loads(sys.stdin.readline())
say("Stage", name="header", seconds=0)
known = command["known"]
if not (known and known["failed"]):
    say("Trying", layers=33, devices="A card")
    END
say("Stage", name="vocabulary", seconds=0)
AFTER
print(LOADED, flush=True)
sys.stdin.readline()
"""
CARD = ModelCard("m", "Model", "llama", "", "", 0, 0, "", True, "")


def worker(end: str, after: str = "", layers: int = 0) -> Callable[[], Awaitable[ChildProcess]]:
    """A worker whose driver does `end` when the GPU is used, and which does `after` without it."""
    place = Placement(
        "CPU", False, layers, 32, GPU_FAILED, 1, 1, 512, devices="A card", gpu_failed=not layers
    )
    code = DRIVEN.replace("END", end).replace("AFTER", after)
    code = code.replace("LOADED", repr(json.dumps(encode(Loaded(CARD, place, 1.0)))))

    async def spawn() -> ChildProcess:
        return await launch([sys.executable, "-c", code])

    return spawn


def load(engine: Engine, path: Path) -> Loaded:
    async def loading() -> Loaded:
        try:
            return [report async for report in engine.load(path) if isinstance(report, Loaded)][-1]
        finally:
            await engine.close()

    return asyncio.run(loading())


@pytest.mark.parametrize("end", ["os.abort()", "os.kill(os.getpid(), signal.SIGSEGV)", "sys.exit(7)"])
def test_a_driver_that_ends_the_worker_is_done_without_and_remembered(tmp_path: Path, end: str) -> None:
    placements = Placements(tmp_path / "placements.json")
    model = tmp_path / "model.gguf"
    model.write_bytes(b"any")
    loaded = load(Engine(worker(end), experience=placements), model)
    assert loaded.placement.reason == GPU_FAILED
    again = Placements(tmp_path / "placements.json")
    assert again.known(str(model), LoadOptions()) == Known("A card", 0, failed=True)
    assert again.known(str(model), LoadOptions(context_tokens=512)) == Known("A card", 0, failed=True)
    # The next start does not begin with the GPU: this worker would say so before it does anything else.
    load(Engine(worker("say('Piece', text='the GPU was tried', reasoning=False)"), experience=again), model)
    again.forget(str(model))
    assert Placements(tmp_path / "placements.json").known(str(model), LoadOptions()) is None


def test_a_driver_that_ends_the_worker_before_it_names_a_device_is_hidden_from_the_next(
    tmp_path: Path,
) -> None:
    placements = Placements(tmp_path / "placements.json")
    model = tmp_path / "model.gguf"
    model.write_bytes(b"any")
    end = "say('Trying', layers=-1, devices=''); os.abort()"
    assert load(Engine(worker(end), experience=placements), model).placement.reason == GPU_FAILED
    assert placements.known(str(model), LoadOptions()) == Known("", 0, failed=True)


def test_a_worker_from_which_the_drivers_are_hidden_runs_on_the_processor(tmp_path: Path) -> None:
    placements = Placements(tmp_path / "placements.json")
    model = write_model(tmp_path / "model.gguf")
    placements.keep(str(model), LoadOptions(), Known("", 0, failed=True))
    loaded = load(Engine(spawn_worker, experience=placements), model)
    assert not loaded.placement.on_gpu and loaded.placement.devices == ""


def test_a_file_that_ends_the_worker_without_a_gpu_too_is_damaged_and_no_driver_is_blamed(
    tmp_path: Path,
) -> None:
    placements = Placements(tmp_path / "placements.json")
    with pytest.raises(RuntimeFault) as caught:
        load(Engine(worker("os.abort()", "os.abort()"), experience=placements), tmp_path / "model.gguf")
    assert caught.value.fault is Fault.DAMAGED
    assert placements.known(str(tmp_path / "model.gguf"), LoadOptions()) is None


def test_what_worked_is_remembered_for_this_file_and_these_options(tmp_path: Path) -> None:
    placements = Placements(tmp_path / "placements.json")
    model = tmp_path / "model.gguf"
    model.write_bytes(b"any")
    load(Engine(worker("pass", layers=20), experience=placements), model)
    again = Placements(tmp_path / "placements.json")
    assert again.known(str(model), LoadOptions()) == Known("A card", 20)
    assert again.known(str(model), LoadOptions(context_tokens=512)) is None
    model.write_bytes(b"another")
    assert again.known(str(model), LoadOptions()) is None


@pytest.mark.parametrize("content", ["", "[]", '{"loads": 3}', '{"loads": {"x": ["a", -1, 0]}}'])
def test_an_unreadable_memory_is_begun_anew(tmp_path: Path, content: str) -> None:
    file = tmp_path / "placements.json"
    file.write_text(content)
    placements = Placements(file)
    assert placements.known("x", LoadOptions()) is None
    placements.keep("x", LoadOptions(), Known("A card", 3))
    assert Placements(file).known("x", LoadOptions()) == Known("A card", 3)
