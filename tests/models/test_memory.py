"""What a model is said to need is what its worker takes, a little more rather than less."""

from __future__ import annotations

import asyncio
import os
import shutil
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from support.gguf_files import write_model
from support.large_models import Large, write_large
from support.workers import GREEDY, ask, engine_with, starter

from models.fit import choose_fit, needs_of
from models.gguf import read_header
from models.hardware import peak_memory
from models.parts import read_model
from models.repacking import weights_are_copied
from models.runtime.engine import Engine
from models.runtime.faults import Fault, RuntimeFault
from models.runtime.values import CacheType, LoadOptions, RopeScaling, Turn

CONTEXT = LoadOptions(context_tokens=4096)
COPIED = Large(width=1024, heads=8, kv_heads=4, between=4096, layers=14, kind="Q4_0", words=8_000)


async def _use(path: Path, options: LoadOptions, words: int) -> tuple[int, int]:
    """The peak of a worker that has read `words`, and the bytes that it maps of files.

    A word is five tokens to a model without merges that fit: 110 are more than a batch.
    """
    async with engine_with(path, options) as engine:
        if words:
            async for _ in engine.generate([Turn("user", "word " * words)], GREEDY, 1):
                pass
        assert engine.pid is not None
        return peak_memory(engine.pid), _shared(engine)


def _shared(engine: Engine) -> int:
    return int(psutil.Process(engine.pid).memory_info().shared)


def test_a_worker_takes_what_was_said_and_never_more() -> None:
    measured, _ = asyncio.run(_use(starter(), CONTEXT, 600))
    estimated = needs_of(read_header(str(starter())), CONTEXT, 4096).total
    assert measured <= estimated <= 1.1 * measured


def test_weights_that_are_laid_out_anew_are_not_in_memory_twice(tmp_path: Path) -> None:
    path = write_large(tmp_path / "model.gguf", COPIED)
    header = read_header(str(path))
    assert weights_are_copied(header, "x86_64") and weights_are_copied(header, "aarch64")
    measured, mapped = asyncio.run(_use(path, CONTEXT, 110))
    assert mapped < header.weight_bytes
    assert measured <= needs_of(header, CONTEXT, 4096).total <= 1.1 * measured


def test_a_file_is_mapped_or_read_as_the_settings_say() -> None:
    weights = read_header(str(starter())).weight_bytes
    _, mapped = asyncio.run(_use(starter(), CONTEXT, 0))
    _, read = asyncio.run(_use(starter(), replace(CONTEXT, map_file=False), 0))
    assert mapped > weights > read


def test_less_precision_and_smaller_batches_need_less() -> None:
    header = read_header(str(starter()))
    usual = choose_fit(header, CONTEXT, 1 << 40).need_bytes
    assert choose_fit(header, replace(CONTEXT, cache_type=CacheType.Q4_0), 1 << 40).need_bytes < usual
    assert choose_fit(header, replace(CONTEXT, batch_tokens=64), 1 << 40).need_bytes < usual
    assert choose_fit(header, replace(CONTEXT, flash_attention=False), 1 << 40).need_bytes > usual


@pytest.mark.parametrize("scaling", [RopeScaling.YARN])
def test_stretched_positions_give_a_model_more_room_than_it_was_trained_for(
    tmp_path: Path, scaling: RopeScaling
) -> None:
    path = write_model(tmp_path / "model.gguf", context=512)
    options = LoadOptions(context_tokens=1024)

    async def room(options: LoadOptions) -> int:
        async with engine_with(path, options) as engine:
            await ask(engine, "Hello", max_tokens=2)
            assert engine.loaded is not None
            return engine.loaded.placement.context_tokens

    stretched = replace(options, rope_scaling=scaling, rope_stretch=2.0, rope_base=20_000)
    assert asyncio.run(room(stretched)) == 1024
    assert choose_fit(read_header(str(path)), options, 1 << 40).context_tokens == 512


def test_a_split_model_needs_what_all_its_files_need(tmp_path: Path) -> None:
    first, second = (tmp_path / f"model-0000{number}-of-00002.gguf" for number in (1, 2))
    write_model(first, numbers={}, split=(0, 2))
    write_model(second, split=(1, 2), layers=4)
    whole = read_model(str(first))
    parts = [read_header(str(path)) for path in (first, second)]
    assert whole.weight_bytes == sum(part.weight_bytes for part in parts)
    alone = tmp_path / "other-00001-of-00002.gguf"
    shutil.copy(first, alone)
    with pytest.raises(RuntimeFault) as caught:
        read_model(str(alone))
    assert caught.value.fault is Fault.PART_MISSING and caught.value.facts["parts"] == 2
    assert read_model(os.fspath(starter())) == read_header(os.fspath(starter()))
