"""A scan finds every model, reads none twice, and outlives whatever a file does to the child that reads it."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

import pytest
from support.gguf_files import damaged_files, write_model
from support.library_files import folder, sha256_of, write_chat_model, write_split
from support.loops import in_a_loop

from desktop.processes.child import ChildProcess, launch, spawn
from desktop.processes.roles import Role
from models.library.candidates import Unreadable
from models.library.entry import LibraryEntry, ModelFile
from models.library.messages import (
    Finished,
    Found,
    Hashed,
    Hashing,
    Ready,
    Remember,
    Unchanged,
    decode_report,
)
from models.library.scan import ScanReport, scan, verify, with_hashes
from models.runtime.faults import Fault, RuntimeFault

FRAGILE = Path(__file__).parent / "probes" / "fragile_scanner.py"


async def spawn_scanner() -> ChildProcess:
    return await spawn(Role.SCANNER)


async def spawn_fragile() -> ChildProcess:
    return await launch([sys.executable, str(FRAGILE)])


async def all_of(place: Path, known: Sequence[LibraryEntry] = ()) -> list[ScanReport]:
    return [report async for report in scan(spawn_scanner, [folder(place)], known)]


def found(reports: Sequence[ScanReport]) -> dict[str, LibraryEntry]:
    return {os.path.basename(item.entry.path): item.entry for item in reports if isinstance(item, Found)}


def finished(reports: Sequence[ScanReport]) -> Finished:
    assert isinstance(reports[-1], Finished)
    return reports[-1]


@in_a_loop
async def test_a_scanner_is_locked() -> None:
    child = await spawn_scanner()
    record = await child.receive()
    child.kill()
    await child.wait()
    assert record is not None
    ready = decode_report(record)
    assert isinstance(ready, Ready)
    assert ready.locked or sys.platform == "win32"


@in_a_loop
async def test_every_model_is_found_and_the_second_scan_opens_none(tmp_path: Path) -> None:
    for number in range(5):
        write_chat_model(tmp_path / f"{number}.gguf", salt=number)
    write_split(tmp_path, "split", 3)
    (tmp_path / "damaged.gguf").write_bytes(b"nothing")
    first = await all_of(tmp_path)
    entries = found(first)
    assert len(entries) == 7 and entries["damaged.gguf"].problem is Fault.NOT_GGUF
    assert finished(first) == Finished(7, 9)
    # What the files hold now could not be read as what they were: nobody looks.
    for path in tmp_path.iterdir():
        status = path.stat()
        path.write_bytes(b"\0" * status.st_size)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    second = await all_of(tmp_path, list(entries.values()))
    assert finished(second) == Finished(7, 0)
    assert not found(second)
    assert {item.path for item in second if isinstance(item, Unchanged)} == {
        entry.path for entry in entries.values()
    }


@in_a_loop
async def test_a_file_that_changed_is_read_again_and_only_that_one(tmp_path: Path) -> None:
    write_chat_model(tmp_path / "same.gguf", name="Same")
    changing = write_chat_model(tmp_path / "changing.gguf", name="Before")
    entries = found(await all_of(tmp_path))
    write_chat_model(changing, name="After!")
    reports = await all_of(tmp_path, list(entries.values()))
    assert {name: entry.name for name, entry in found(reports).items()} == {"changing.gguf": "After!"}
    assert finished(reports).files_opened == 1


@in_a_loop
async def test_a_split_model_that_lost_or_regained_a_part_is_read_again(tmp_path: Path) -> None:
    paths = write_split(tmp_path, "split", 3)
    entries = found(await all_of(tmp_path))
    paths[2].rename(tmp_path / "away")
    entries = found(await all_of(tmp_path, list(entries.values())))
    assert entries[paths[0].name].problem is Fault.PART_MISSING
    (tmp_path / "away").rename(paths[2])
    entries = found(await all_of(tmp_path, list(entries.values())))
    assert entries[paths[0].name].problem is None


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
@in_a_loop
async def test_one_file_with_several_names_is_one_model(tmp_path: Path) -> None:
    path = write_chat_model(tmp_path / "a" / "m.gguf")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "link.gguf").symlink_to(path)
    os.link(path, tmp_path / "b" / "hard.gguf")
    assert finished(await all_of(tmp_path)).models == 1


@in_a_loop
async def test_damage_of_any_kind_is_listed_and_the_scanner_lives(tmp_path: Path) -> None:
    whole = write_model(tmp_path / "whole.gguf")
    place = tmp_path / "damaged"
    place.mkdir()
    for number, damaged in enumerate(damaged_files(tmp_path, whole, 80, seed=5)):
        shutil.copyfile(damaged.path, place / f"{number}.gguf")
    reports = await all_of(place)
    assert len(found(reports)) == 80 and finished(reports).models == 80
    problems = [entry.problem for entry in found(reports).values()]
    assert problems.count(Fault.TRUNCATED) >= 20 and Fault.DAMAGED in problems


@pytest.mark.skipif(sys.platform == "win32", reason="signals are Unix's")
@in_a_loop
async def test_a_header_that_ends_or_stops_the_scanner_costs_that_file_and_no_other(tmp_path: Path) -> None:
    bad = ["crash", "bus", "exit", "hang", "lie", "talk"]
    for name in [*bad, *"abcdef"]:
        write_chat_model(tmp_path / f"{name}.gguf")
    reports = [report async for report in scan(spawn_fragile, [folder(tmp_path)], (), patience=1.0)]
    entries = found(reports)
    assert len(entries) == len([item for item in reports if isinstance(item, Found)]) == 12
    assert finished(reports).models == 12
    problems = {name.removesuffix(".gguf"): entry.problem for name, entry in entries.items()}
    assert all(problems[name] is None for name in "abcdef")
    assert problems["bus"] is Fault.FILE_UNREADABLE
    assert all(problems[name] is Fault.DAMAGED for name in bad if name != "bus")
    assert entries["crash.gguf"].facts == {"reason": "SIGSEGV"}
    assert entries["exit.gguf"].facts == {"reason": "status 7"}
    assert entries["hang.gguf"].facts == {"reason": "silent for 1 s"}
    # Known to be bad, it is not opened again.
    again = [
        report async for report in scan(spawn_fragile, [folder(tmp_path)], entries.values(), patience=1.0)
    ]
    assert finished(again) == Finished(12, 0)


@in_a_loop
async def test_a_scan_can_be_left_at_any_time_and_leaves_no_child(tmp_path: Path) -> None:
    for number in range(50):
        write_chat_model(tmp_path / f"{number}.gguf", salt=number)
    children: list[ChildProcess] = []

    async def spawn_noted() -> ChildProcess:
        children.append(await spawn(Role.SCANNER))
        return children[-1]

    async with aclosing(scan(spawn_noted, [folder(tmp_path)], ())) as reports:
        async for report in reports:
            if isinstance(report, Found):
                break
    assert await asyncio.wait_for(children[0].wait(), 10) != 0
    assert len(children) == 1


@in_a_loop
async def test_a_scanner_that_never_starts_is_told(tmp_path: Path) -> None:
    async def spawn_nothing() -> ChildProcess:
        return await launch([sys.executable, "-c", "raise SystemExit('no')"])

    with pytest.raises(RuntimeFault) as caught:
        [report async for report in scan(spawn_nothing, [folder(tmp_path)], ())]
    assert caught.value.fault is Fault.WORKER_STOPPED and "no" in caught.value.detail


@in_a_loop
async def test_a_place_that_is_not_there_does_not_hide_the_others(tmp_path: Path) -> None:
    write_chat_model(tmp_path / "m.gguf")
    places = [folder(tmp_path / "nowhere"), folder(tmp_path)]
    reports = [report async for report in scan(spawn_scanner, places, ())]
    assert Unreadable(str(tmp_path / "nowhere"), "ENOENT") in reports and len(found(reports)) == 1


# ---- hashing


@in_a_loop
async def test_the_hash_is_that_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(9_000_001))
    status = path.stat()
    reports = [item async for item in verify(spawn_scanner, [ModelFile(str(path), status.st_size, 0)])]
    (hashed,) = [item for item in reports if isinstance(item, Hashed)]
    assert hashed.file == ModelFile(str(path), 9_000_001, status.st_mtime_ns, "", sha256_of(path))
    progress = [item for item in reports if isinstance(item, Hashing)]
    assert progress and all(item.done <= item.total == 9_000_001 for item in progress)


@in_a_loop
async def test_hashing_can_be_left_at_once(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(20 << 30)  # sparse: half a minute of hashing
    async with aclosing(verify(spawn_scanner, [ModelFile(str(path), 20 << 30, 0)])) as reports:
        async for report in reports:
            assert isinstance(report, Hashing) and report.done < 10 << 30
            break


@in_a_loop
async def test_what_cannot_be_hashed_is_told(tmp_path: Path) -> None:
    for name, fault in (("nowhere", Fault.FILE_MISSING), (".", Fault.FILE_UNREADABLE)):
        with pytest.raises(RuntimeFault) as caught:
            [item async for item in verify(spawn_scanner, [ModelFile(str(tmp_path / name), 1, 0)])]
        assert caught.value.fault is fault


def test_a_hash_that_is_not_the_stores_makes_an_entry_damaged(tmp_path: Path) -> None:
    file = ModelFile("/m", 5, 1, expected_sha256="a" * 64)
    entry = LibraryEntry((file,), "M", folder(tmp_path).source, "/", "/")
    good = with_hashes(entry, [ModelFile("/m", 5, 1, "a" * 64, "a" * 64)])
    assert good.verified and good.problem is None and good.sha256 == "a" * 64
    bad = with_hashes(entry, [ModelFile("/m", 5, 1, "a" * 64, "b" * 64)])
    assert not bad.verified and bad.problem is Fault.DAMAGED
    assert bad.facts == {"expected_sha256": "a" * 64, "sha256": "b" * 64}


# ---- what the kernel sees


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@in_a_loop
async def test_a_second_scan_opens_no_model_in_the_eyes_of_the_kernel(tmp_path: Path) -> None:
    models = tmp_path / "models"
    for number in range(3):
        write_chat_model(models / f"{number}.gguf", salt=number)
    known: list[LibraryEntry] = []
    for expected in (3, 0):
        trace = tmp_path / f"trace-{expected}"
        tracers: list[asyncio.subprocess.Process] = []

        async def spawn_traced(
            trace: Path = trace, tracers: list[asyncio.subprocess.Process] = tracers
        ) -> ChildProcess:
            child = await spawn(Role.SCANNER)
            command = ["strace", "-f", "-e", "trace=open,openat", "-o", str(trace), "-p", str(child.pid)]
            tracer = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
            assert tracer.stderr is not None
            line = await tracer.stderr.readline()
            if b"attached" not in line:
                child.kill()
                await child.wait()
                pytest.skip(f"strace may not attach here: {line!r}")
            tracers.append(tracer)
            return child

        reports = [report async for report in scan(spawn_traced, [folder(models)], known)]
        await asyncio.wait_for(tracers[0].communicate(), 30)
        known = list(found(reports).values())
        lines = trace.read_text(errors="replace").splitlines()
        assert any(f'"{models}"' in line for line in lines)  # it did look into the folder
        assert len([line for line in lines if ".gguf" in line]) == expected == finished(reports).files_opened


def test_what_a_scanner_is_told_is_sent_as_it_is() -> None:
    from models.library.messages import KnownModel, decode_command, encode

    message = Remember((KnownModel((ModelFile("/\udcff.gguf", 5, 1 << 60, "", "a"),)),))
    assert decode_command(encode(message)) == message
