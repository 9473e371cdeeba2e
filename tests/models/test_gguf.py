"""The header of a model file is read exactly when it is whole, and told apart when it is not."""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from pathlib import Path

import gguf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.gguf_files import damaged_files, write_model
from support.workers import starter

from models.ggml_types import BLOCKS
from models.gguf import Skipped, card, layer_tensors, read_header
from models.gguf_texts import SeenLists
from models.runtime.faults import Fault, RuntimeFault


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "tiny.gguf")


def fault_of(path: Path) -> RuntimeFault:
    with pytest.raises(RuntimeFault) as caught:
        read_header(str(path))
    return caught.value


def test_the_starter_model_says_what_it_is() -> None:
    header = read_header(str(starter()))
    told = card(header, str(starter()))
    assert (told.architecture, told.size_label, told.quantization) == ("llama", "135M", "Q4_1")
    assert told.licence == "apache-2.0" and told.trained_context == 8192 and told.has_template
    assert told.file_bytes == starter().stat().st_size
    assert len(layer_tensors(header)) == 30


def test_the_header_agrees_with_the_reference_reader() -> None:
    ours = read_header(str(starter()))
    theirs = gguf.GGUFReader(starter())
    for tensor, reference in zip(ours.tensors, theirs.tensors, strict=True):
        assert tensor.name == reference.name
        assert tensor.size == reference.n_bytes
        assert tensor.offset + ours.data_start == reference.data_offset
    for name, value in ours.metadata.items():
        field = theirs.fields[name]
        if isinstance(value, Skipped):
            assert value.count == len(field.data)
        elif not isinstance(value, tuple):
            assert value == field.contents()


def test_block_sizes_agree_with_the_reference_table() -> None:
    newer_than_reference = {"NVFP4", "Q1_0", "Q2_0"}
    theirs = {kind.name: size for kind, size in gguf.constants.GGML_QUANT_SIZES.items()}
    for name, block, size in BLOCKS.values():
        if name not in newer_than_reference | {"Q8_1"}:
            assert theirs[name] == (block, size), name


def test_a_big_endian_file_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "big.gguf"
    writer = gguf.GGUFWriter(path, "llama", endianess=gguf.GGUFEndian.BIG)
    writer.add_name("From a mainframe")
    writer.add_block_count(7)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    header = read_header(str(path))
    assert header.big_endian
    assert header.text("general.name") == "From a mainframe" and header.number("llama.block_count") == 7


@pytest.mark.parametrize("content", [b"", b"GG", b"GGML and more", b"%PDF-1.7 " * 9, b"\0" * 100])
def test_another_kind_of_file_is_no_gguf(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    assert fault_of(path).fault is Fault.NOT_GGUF


def test_a_missing_file_and_things_that_are_no_file(tmp_path: Path) -> None:
    assert fault_of(tmp_path / "nowhere.gguf").fault is Fault.FILE_MISSING
    assert fault_of(tmp_path).fault is Fault.FILE_UNREADABLE


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are a Unix thing")
def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.gguf")
    assert fault_of(tmp_path / "pipe.gguf").fault is Fault.FILE_UNREADABLE


def test_an_interrupted_download_is_told_with_how_much_is_missing(tiny: Path, tmp_path: Path) -> None:
    whole = tiny.read_bytes()
    part = tmp_path / "part.gguf"
    part.write_bytes(whole[:-1000])
    fault = fault_of(part)
    assert fault.fault is Fault.TRUNCATED
    assert fault.facts["file_bytes"] == len(whole) - 1000 and int(fault.facts["expected_bytes"]) <= len(whole)


def test_every_cut_inside_the_header_is_told_as_incomplete(tiny: Path, tmp_path: Path) -> None:
    whole = tiny.read_bytes()
    part = tmp_path / "part.gguf"
    for size in range(4, read_header(str(tiny)).data_start - 32, 97):
        part.write_bytes(whole[:size])
        assert fault_of(part).fault is Fault.TRUNCATED, size


@pytest.mark.parametrize(("place", "value"), [(4, 99), (8, 2**63), (16, 2**40), (8, 2**64 - 1), (16, 2**17)])
def test_absurd_counts_are_damage(tiny: Path, tmp_path: Path, place: int, value: int) -> None:
    data = bytearray(tiny.read_bytes())
    struct.pack_into("<I" if place == 4 else "<Q", data, place, value)
    path = tmp_path / "absurd.gguf"
    path.write_bytes(data)
    assert fault_of(path).fault is Fault.DAMAGED


def test_names_are_shown_without_marks_that_reorder_text(tmp_path: Path) -> None:
    path = tmp_path / "odd.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("Model \u202egnp.exe\x1b[31m\nsecond line " + "x" * 500)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    name = card(read_header(str(path)), str(path)).name
    assert name.startswith("Model  gnp.exe") and name.isprintable() and len(name) <= 200


def test_damaged_headers_are_read_or_refused_but_never_crash(tiny: Path, tmp_path: Path) -> None:
    outcomes = set()
    for damaged in damaged_files(tmp_path, tiny, count=200, seed=11):
        try:
            card(read_header(str(damaged.path)), "x")
            outcomes.add("read")
        except RuntimeFault as fault:
            outcomes.add(fault.fault.value)
    assert {"damaged", "truncated", "not_gguf"} <= outcomes | {"not_gguf"}


def told(path: Path, seen: SeenLists | None) -> object:
    try:
        return repr(read_header(str(path), seen))
    except RuntimeFault as fault:
        return fault.fault, fault.detail, fault.facts


def test_what_was_read_before_changes_nothing_in_what_the_next_file_says(tiny: Path, tmp_path: Path) -> None:
    seen = SeenLists()
    told(tiny, seen)
    assert len(seen.tensors) == len(read_header(str(tiny)).tensors)
    for damaged in damaged_files(tmp_path, tiny, count=120, seed=12):
        assert told(damaged.path, seen) == told(damaged.path, None), damaged.what


@given(st.binary(max_size=400))
def test_any_bytes_after_the_magic_end_in_a_header_or_a_fault(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.gguf"
    path.write_bytes(b"GGUF" + data)
    with suppress(RuntimeFault):
        read_header(str(path))
