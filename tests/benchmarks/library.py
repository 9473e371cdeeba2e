"""Finding 2,000 models: how soon the first is there, how soon all, and what a second scan opens.

The real headers are the starter model's own, with its vocabulary of 49,152 words: 1.7 MB in front of a hole in the
file where the weights would be. Their names differ, so that each is read; their vocabulary is the same, as it is in a
collection of quantizations. The last row has it differ from file to file, which no collection does.
"""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from benchmarks.row import Row
from support.library_files import write_gguf

from desktop.library import Library
from desktop.paths import Paths
from models.gguf import read_header
from models.gguf_texts import SeenLists
from models.library.entry import LibraryEntry
from models.library.messages import Finished
from models.starter import starter_path

MODELS = 2_000
FIRST_SECONDS, ALL_SECONDS = 0.3, 5.0


def run(quick: bool) -> list[Row]:
    """The rows of this area; `quick` has a tenth of the real headers, and repeats less."""
    times = 1 if quick else 3
    real = MODELS // 10 if quick else MODELS
    with _folder() as folder:
        _write_small(folder / "small", MODELS)
        rows = asyncio.run(_scan_rows(folder / "small", MODELS, "small headers (500 words)", times))
    with _folder() as folder:
        _write_real(folder / "real", real, differing=False)
        rows += asyncio.run(_scan_rows(folder / "real", real, "real headers (49,152 words)", times))
    with _folder() as folder:
        count = real // 10
        _write_real(folder / "real", count, differing=True)
        first, whole, _, _ = asyncio.run(_timed(folder / "real", Paths(folder / "home")))
        rows.append(
            Row(
                f"Scanning {count:,} real headers, no vocabulary twice",
                f"first {first:.2f} s, {whole / count * 1e3:.1f} ms a model",
                "",
                None,
                "one scan in a locked child, files in the page cache",
            )
        )
    return [*rows, *_header_rows(5 if quick else 25)]


@contextmanager
def _folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="alcove-library-"))
    try:
        yield path
    finally:
        shutil.rmtree(path)


def _write_small(folder: Path, count: int) -> None:
    """Twenty models in each folder, each another file."""
    texts = {"general.name": "Model 0000", "tokenizer.chat_template": "{{ messages }}"}
    numbers = {".block_count": 1, ".context_length": 4096, ".embedding_length": 64}
    first = write_gguf(folder / "first.gguf", texts=texts, numbers=numbers, vocabulary=500)
    whole = first.read_bytes()
    first.unlink()
    for number in range(count):
        path = folder / f"{number // 20:03}" / f"model-{number:04}.gguf"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(whole.replace(b"Model 0000", b"Model %04d" % number))


def _write_real(folder: Path, count: int, *, differing: bool) -> None:
    starter = starter_path()
    assert starter is not None, "the starter model is missing"
    header = read_header(str(starter))
    start = starter.read_bytes()[: header.data_start]
    name = header.text("general.name").encode()
    place = start.index(name)
    words = start.index(b"tokenizer.ggml.tokens") + 1_000
    folder.mkdir()
    for number in range(count):
        data = bytearray(start)
        data[place : place + len(name)] = f"Model {number:04}".encode().ljust(len(name), b".")
        if differing:  # a letter of a word somewhere near the start of the vocabulary
            data[_letter(data, words)] = ord("A") + number % 26
            data[_letter(data, words + 200)] = ord("A") + number // 26 % 26
        with (folder / f"model-{number:04}.gguf").open("wb") as file:
            file.write(data)
            file.truncate(header.file_bytes)


def _letter(data: bytearray, start: int) -> int:
    return next(place for place in range(start, start + 200) if chr(data[place]).isalpha())


async def _timed(folder: Path, paths: Paths) -> tuple[float, float, int, float]:
    """Seconds to the first model of the folder and to the end, files opened, and seconds of processor time."""
    before, used = time.perf_counter(), _processor_seconds()
    first = whole = 0.0
    opened = 0
    async for report in Library(paths, stores=()).scan([folder]):
        match report:
            case LibraryEntry() if not first and report.place == str(folder):
                first = time.perf_counter() - before
            case Finished():
                whole, opened = time.perf_counter() - before, report.files_opened
            case _:
                pass
    return first, whole, opened, _processor_seconds() - used


def _processor_seconds() -> float:
    """Of this process, and of its children that have ended."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in usage)


async def _scan_rows(folder: Path, count: int, what: str, times: int) -> list[Row]:
    runs, again = [], []
    for number in range(times):
        paths = Paths(folder.parent / f"home-{number}")
        runs.append(await _timed(folder, paths))
        again.append(await _timed(folder, paths))
    how = f"median of {times} scans, the child's start included, files in the page cache"
    first, whole = median(run[0] for run in runs), median(run[1] for run in runs)
    opened = max(run[2] for run in again)
    assert all(run[2] == count + 1 for run in runs), "not every model was read"
    return [
        Row(f"First of {count:,} models, {what}", f"{first:.2f} s", "0.3 s", first <= FIRST_SECONDS, how),
        Row(
            f"All of {count:,} models, {what}",
            f"{whole:.2f} s ({median(run[3] for run in runs):.1f} s of processor time, both processes)",
            "5 s",
            whole <= ALL_SECONDS,
            how,
        ),
        Row(
            f"Scanning them again, {what}",
            f"{median(run[1] for run in again):.2f} s, {opened} files opened",
            "0 files",
            opened == 0,
            how,
        ),
    ]


def _header_rows(times: int) -> list[Row]:
    path = os.fspath(starter_path() or "")
    seen = SeenLists()
    read_header(path, seen)
    alone, known = [], []
    for _ in range(times):
        before = time.perf_counter()
        read_header(path)
        between = time.perf_counter()
        read_header(path, seen)
        alone.append(between - before)
        known.append(time.perf_counter() - between)
    return [
        Row(
            "Reading one header of 49,152 words",
            f"{median(alone) * 1e3:.1f} ms, {median(known) * 1e3:.1f} ms with a vocabulary seen before",
            "",
            None,
            f"median of {times}, in this process",
        )
    ]
