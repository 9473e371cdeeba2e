"""A model is loaded with as much context as fits, and refused with figures when it cannot fit."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.gguf_files import write_model
from support.workers import starter

from models.fit import choose_fit
from models.gguf import Header, read_header
from models.runtime.faults import Fault, RuntimeFault
from models.runtime.values import CacheType, LoadOptions

AUTOMATIC = LoadOptions()
PLENTY = 1 << 40


@pytest.fixture(scope="module")
def header() -> Header:
    return read_header(str(starter()))


def test_the_cache_of_the_starter_model_is_what_llama_cpp_allocates(header: Header) -> None:
    # 30 layers, 3 heads of 64 numbers, keys and values, two bytes each; llama.cpp logs 180 MiB for 8,192 tokens.
    assert choose_fit(header, AUTOMATIC, PLENTY).cache_bytes == 180 << 20


def test_automatic_context_is_what_the_model_was_trained_for_up_to_8192(
    tmp_path: Path, header: Header
) -> None:
    assert choose_fit(header, AUTOMATIC, PLENTY).context_tokens == 8192
    short = read_header(str(write_model(tmp_path / "short.gguf", context=1024)))
    assert choose_fit(short, AUTOMATIC, PLENTY).context_tokens == 1024


def test_little_memory_shortens_the_automatic_context(header: Header) -> None:
    whole = choose_fit(header, AUTOMATIC, PLENTY)
    shorter = choose_fit(header, AUTOMATIC, whole.need_bytes - 1)
    assert shorter.context_tokens == 4096
    assert choose_fit(header, AUTOMATIC, shorter.need_bytes - 1).context_tokens == 2048


def test_a_chosen_context_is_kept_or_refused_but_not_beyond_the_training(header: Header) -> None:
    assert choose_fit(header, LoadOptions(context_tokens=3000), PLENTY).context_tokens == 3000
    assert choose_fit(header, LoadOptions(context_tokens=10**6), PLENTY).context_tokens == 8192
    assert choose_fit(header, LoadOptions(context_tokens=1), PLENTY).context_tokens == 256


def test_not_enough_memory_comes_with_the_figures(header: Header) -> None:
    with pytest.raises(RuntimeFault) as caught:
        choose_fit(header, AUTOMATIC, 100 << 20)
    assert caught.value.fault is Fault.NOT_ENOUGH_MEMORY
    assert caught.value.facts["free_bytes"] == 100 << 20
    assert int(caught.value.facts["need_bytes"]) > header.weight_bytes


@pytest.mark.parametrize(
    "number", ["block_count", "attention.head_count", "attention.head_count_kv", "embedding_length"]
)
def test_absurd_numbers_in_the_metadata_do_not_make_an_absurd_need(tmp_path: Path, number: str) -> None:
    path = write_model(tmp_path / "absurd.gguf", numbers={number: 4000})
    assert choose_fit(read_header(str(path)), AUTOMATIC, PLENTY).need_bytes < 200 << 20


@pytest.mark.parametrize(
    ("cache_type", "bytes_per_number"), [("f16", 2.0), ("q8_0", 1.0625), ("q4_0", 0.5625)]
)
def test_a_less_precise_cache_takes_less_memory(
    header: Header, cache_type: str, bytes_per_number: float
) -> None:
    full = choose_fit(header, LoadOptions(), PLENTY)
    chosen = choose_fit(header, LoadOptions(cache_type=CacheType(cache_type)), PLENTY)
    assert chosen.cache_bytes == full.cache_bytes * bytes_per_number / 2
    assert full.need_bytes - chosen.need_bytes == full.cache_bytes - chosen.cache_bytes
