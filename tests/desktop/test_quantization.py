"""A smaller version of a model is made whole, or not at all, and the model it is made from is never touched."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path

import psutil
import pytest
from support.gguf_files import write_model
from support.library_files import write_chat_model, write_projector, write_split
from support.loops import in_a_loop
from support.shelves import by_name, library, scanned
from support.store_files import small_disk
from support.workers import ask, engine_with, starter

from desktop.cli.quantize import run as list_types
from desktop.library import Library
from desktop.paths import Paths
from desktop.quantization import MAKING, Planned, Ready, Wish, choices, quantize
from desktop.words.quantization import quantization_fault
from models.library.entry import LibraryEntry
from models.quantization.making import QuantizeFailed
from models.quantization.messages import Checking, Making, Problem
from models.quantization.types import find_type, quant_types
from models.runtime.faults import Fault

linux_only = pytest.mark.skipif(
    sys.platform != "linux", reason="looks at processes and disks as Linux has them"
)


def paths_of(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "alcove")


async def made(tmp_path: Path, wish: Wish, shelf: Library | None = None) -> LibraryEntry:
    """The new entry of the library. Raises what `quantize` does."""
    entry: LibraryEntry | None = None
    async for report in quantize(paths_of(tmp_path), shelf or library(tmp_path), wish):
        if isinstance(report, Ready):
            entry = report.entry
    assert entry is not None
    return entry


async def failure(tmp_path: Path, wish: Wish) -> QuantizeFailed:
    """Why nothing is made. Nothing is left of it, and the source is as it was."""
    before = wish.source.read_bytes() if wish.source.is_file() else b""
    with pytest.raises(QuantizeFailed) as raised:
        await made(tmp_path, wish)
    assert not left_over(tmp_path)
    assert (wish.source.read_bytes() if wish.source.is_file() else b"") == before
    sentence = quantization_fault(
        raised.value.problem, raised.value.detail, raised.value.facts, wish.source.name
    )
    assert sentence.text.endswith(".") and "{" not in sentence.text
    return raised.value


async def problem_after_the_plan(tmp_path: Path, wish: Wish, act: Callable[[], object]) -> QuantizeFailed:
    """What comes of it when something happens between the plan and the making."""
    try:
        async for report in quantize(paths_of(tmp_path), library(tmp_path), wish):
            if isinstance(report, Planned):
                act()
    except QuantizeFailed as failed:
        return failed
    raise AssertionError("it was made")


def write(path: Path) -> None:
    path.write_bytes(b"mine")


def left_over(tmp_path: Path) -> list[Path]:
    return [
        path for path in (tmp_path / "alcove").rglob("*") if path.is_file() and path.name != "library.json"
    ]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_model(tmp_path / "mine" / "tiny-F16.gguf", half=True, layers=3)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()


@in_a_loop
async def test_a_smaller_version_is_announced_made_checked_listed_and_answers(
    tmp_path: Path, source: Path
) -> None:
    shelf = library(tmp_path)
    wish = Wish(source, "q4_0")
    reports = [report async for report in quantize(paths_of(tmp_path), shelf, wish)]
    planned, ready = reports[0], reports[-1]
    assert isinstance(planned, Planned) and isinstance(ready, Ready) and isinstance(reports[-2], Checking)
    steps = [report for report in reports if isinstance(report, Making)]
    assert [step.done for step in steps] == list(range(1, steps[0].total + 1))
    entry = ready.entry
    assert Path(entry.path) == tmp_path / "alcove" / "models" / "tiny" / "tiny-Q4_0.gguf" == planned.target
    assert entry.quantization == "Q4_0" and entry.problem is None
    assert abs(planned.bytes - entry.size) < 10_000 and entry.size < source.stat().st_size / 2
    assert left_over(tmp_path) == [Path(entry.path)]
    async with engine_with(Path(entry.path)) as engine:
        answer = await ask(engine, "Hello", max_tokens=8)
    assert answer.completed.generated_tokens > 0


@in_a_loop
async def test_it_is_alcoves_own_says_what_it_was_made_from_and_can_be_removed_and_restored(
    tmp_path: Path, source: Path
) -> None:
    shelf = library(tmp_path)
    entry = await made(tmp_path, Wish(source, "Q8_0"), shelf)
    assert entry.made_from == str(source) and entry.made_at is not None
    assert entry.made_at == pytest.approx(time.time(), abs=600) and entry.verified
    again = library(tmp_path)
    await scanned(again, source.parent)
    found = await by_name(again)
    assert found["tiny-Q8_0.gguf"].made_from == str(source) and not found["tiny-F16.gguf"].made_from
    assert not await again.can_remove(found["tiny-F16.gguf"])
    removed = await again.remove(found["tiny-Q8_0.gguf"])
    assert not Path(entry.path).exists()
    await again.restore(removed)
    await scanned(again)
    assert (await by_name(again))["tiny-Q8_0.gguf"].made_at == entry.made_at


@in_a_loop
async def test_the_file_may_lie_in_another_folder_and_is_known_from_there(
    tmp_path: Path, source: Path
) -> None:
    shelf = library(tmp_path)
    entry = await made(tmp_path, Wish(source, "Q5_1", tmp_path / "other disk" / "small.gguf"), shelf)
    assert Path(entry.path) == tmp_path / "other disk" / "small.gguf"
    assert os.listdir(tmp_path / "other disk") == ["small.gguf"]
    await scanned(shelf)
    assert await shelf.can_remove((await by_name(shelf))["small.gguf"])


@in_a_loop
async def test_a_split_model_becomes_one_file(tmp_path: Path) -> None:
    parts = write_split(tmp_path / "mine", "whole-F16", 2)
    with pytest.raises(QuantizeFailed):  # no layers: llama.cpp refuses it, but it was read as one model
        await made(tmp_path, Wish(parts[0], "Q8_0"))
    parts[1].unlink()
    assert (await failure(tmp_path, Wish(parts[0], "Q8_0"))).problem is Fault.PART_MISSING


@in_a_loop
async def test_what_cannot_be_made_is_told_before_anything_is_written(tmp_path: Path, source: Path) -> None:
    async def problem(path: Path, kind: str, *, again: bool = False) -> Problem | Fault:
        return (await failure(tmp_path, Wish(path, kind, again=again))).problem

    assert await problem(source, "Q9_Z") is Problem.UNKNOWN_TYPE
    assert await problem(source, "IQ1_S") is Problem.NEEDS_MEASURING
    assert await problem(source, "F32") is Problem.NOT_SMALLER
    assert await problem(starter(), "Q4_0") is Problem.QUANTIZED_ALREADY
    assert await problem(starter(), "Q8_0", again=True) is Problem.NOT_SMALLER
    assert (
        await problem(write_projector(tmp_path / "mine" / "mmproj.gguf", 64), "Q8_0") is Problem.NOT_A_MODEL
    )
    assert await problem(tmp_path / "mine" / "none.gguf", "Q8_0") is Fault.FILE_MISSING
    other = write_chat_model(tmp_path / "mine" / "other.gguf", "unheard-of")
    assert await problem(other, "Q8_0") is Fault.UNSUPPORTED_ARCHITECTURE


@in_a_loop
async def test_damaged_sources_are_sentences(tmp_path: Path, source: Path) -> None:
    whole = source.read_bytes()
    cut = tmp_path / "mine" / "cut.gguf"
    cut.write_bytes(whole[:-5_000])
    assert (await failure(tmp_path, Wish(cut, "Q8_0"))).problem is Fault.TRUNCATED
    text = tmp_path / "mine" / "text.gguf"
    text.write_text("not a model")
    assert (await failure(tmp_path, Wish(text, "Q8_0"))).problem is Fault.NOT_GGUF
    absurd = write_model(tmp_path / "mine" / "absurd.gguf", half=True, numbers={"block_count": 513})
    aborted = await failure(tmp_path, Wish(absurd, "Q8_0"))
    assert aborted.problem is Fault.DAMAGED
    nonsense = tmp_path / "mine" / "nonsense.gguf"
    nonsense.write_bytes(whole[:-4_096] + b"\xff\x7f" * 2_048)  # F16 for "not a number"
    assert (await failure(tmp_path, Wish(nonsense, "Q8_0"))).problem in (Problem.REFUSED, Fault.DAMAGED)


@in_a_loop
async def test_a_file_that_is_there_is_never_written_over(tmp_path: Path, source: Path) -> None:
    there = tmp_path / "other" / "small.gguf"
    there.parent.mkdir()
    there.write_bytes(b"mine")
    assert (await failure(tmp_path, Wish(source, "Q8_0", there))).problem is Problem.EXISTS
    assert there.read_bytes() == b"mine"


@in_a_loop
async def test_one_that_comes_to_lie_there_meanwhile_is_not_written_over_either(
    tmp_path: Path, source: Path
) -> None:
    there = tmp_path / "other" / "small.gguf"
    problem = await problem_after_the_plan(tmp_path, Wish(source, "Q8_0", there), lambda: write(there))
    assert problem.problem is Problem.EXISTS
    assert there.read_bytes() == b"mine" and os.listdir(there.parent) == ["small.gguf"]


@linux_only
@in_a_loop
async def test_a_disk_without_room_is_told_before_and_one_that_refuses_in_the_middle_leaves_nothing(
    tmp_path: Path, source: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with small_disk(disk, kilobytes=64) as mounted:
        if mounted:
            failed = await failure(tmp_path, Wish(source, "Q8_0", disk / "m.gguf"))
            assert failed.problem is Problem.NO_SPACE and int(failed.facts["free_bytes"]) <= 64 * 1024
            assert os.listdir(disk) == []
    with files_of_at_most(60_000):
        assert (await failure(tmp_path, Wish(source, "Q8_0"))).problem is Problem.DISK


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """What a full disk does to who writes: the limit holds for the children of this process too."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@in_a_loop
async def test_stopping_ends_it_at_once_and_nothing_is_left(tmp_path: Path) -> None:
    wish = Wish(starter(), "Q2_K", again=True)
    async with aclosing(quantize(paths_of(tmp_path), library(tmp_path), wish)) as reports:
        async for report in reports:
            if isinstance(report, Making):
                break
    assert not left_over(tmp_path) and not children()
    assert not any((tmp_path / "alcove" / "models").iterdir())


def children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "quantizer" in child.cmdline()]


@linux_only
@in_a_loop
async def test_a_process_that_is_ended_from_outside_is_a_sentence(tmp_path: Path, source: Path) -> None:
    failed = await problem_after_the_plan(tmp_path, Wish(source, "Q8_0"), lambda: children()[0].kill())
    assert failed.problem is Problem.STOPPED and failed.facts["signal"] == "SIGKILL"
    assert not left_over(tmp_path)


@linux_only
def test_after_alcove_itself_was_ended_no_half_file_is_listed_and_the_next_one_tidies_up(
    alcove_home: Path,
) -> None:
    alcove = [sys.executable, "-X", "utf8", "-m", "desktop"]
    command = [*alcove, "models", "quantize", str(starter()), "Q2_K", "--again"]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (parts := list(alcove_home.rglob(f"{MAKING}/*/model.part"))):
        assert time.monotonic() < deadline and running.poll() is None
        time.sleep(0.01)
    running.kill()
    running.wait()
    listed = subprocess.run([*alcove, "models", "list", "--json"], capture_output=True, text=True, check=True)
    assert [entry["path"] for entry in json.loads(listed.stdout)] == [str(starter())]
    assert parts[0].exists()
    finished = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert finished.returncode == 0, finished.stderr
    (target,) = alcove_home.rglob("*.gguf")
    assert finished.stdout.split()[1] == str(target) and not list(alcove_home.rglob(MAKING))


def test_every_type_is_listed_with_what_it_costs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(list_types(Namespace(list=True, json=False), paths_of(tmp_path), library(tmp_path)))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [kind.name for kind in quant_types()]
    assert all(line.endswith(".") and "bits a weight" in line for line in lines)
    asyncio.run(list_types(Namespace(list=True, json=True), paths_of(tmp_path), library(tmp_path)))
    rows = {row["type"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["Q4_K_M"]["possible"] and not rows["IQ1_S"]["possible"]
    assert 0 < rows["Q8_0"]["perplexity"] < rows["Q4_K_M"]["perplexity"] < rows["Q2_K"]["perplexity"]


def test_the_sizes_that_are_offered_are_those_that_come_out(tmp_path: Path, source: Path) -> None:
    async def sizes() -> tuple[dict[str, int], frozenset[str], dict[str, int]]:
        offered = await choices(paths_of(tmp_path), source)
        came_out = {}
        for name in ("Q8_0", "Q4_K_M"):
            came_out[name] = (await made(tmp_path, Wish(source, name))).size
        return offered.bytes, offered.measured, came_out

    offered, measured, came_out = asyncio.run(sizes())
    assert offered.keys() == {kind.name for kind in quant_types()}
    for name, size in came_out.items():
        assert offered[name] == pytest.approx(size, abs=10_000), name
    # The table's word for it agrees with llama.cpp's own; a type it leaves to chance is none of them.
    assert measured <= {kind.name for kind in quant_types() if kind.measured}
    assert find_type("q4_k_m") is find_type("Q4_K_M")
