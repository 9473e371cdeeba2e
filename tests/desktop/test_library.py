"""The library remembers what it found, reads nothing twice, and removes nothing that is not Alcove's."""

from __future__ import annotations

import json
import os
import sys
from contextlib import aclosing
from pathlib import Path

import pytest
from support.library_files import (
    into_hugging_face_cache,
    into_ollama_store,
    sha256_of,
    write_chat_model,
    write_gguf,
    write_projector,
    write_split,
)
from support.loops import in_a_loop
from support.shelves import by_name, library, opened, scanned, verified
from support.workers import starter

from desktop.library import as_record, this_persons_stores
from models.library.candidates import Place, Unreadable
from models.library.entry import Kind, LibraryEntry, Source
from models.runtime.faults import Fault, RuntimeFault


@in_a_loop
async def test_the_starter_model_is_there_without_any_folder(tmp_path: Path) -> None:
    reports = await scanned(library(tmp_path))
    (entry,) = [report for report in reports if isinstance(report, LibraryEntry)]
    assert entry.path == str(starter()) and entry.family == "SmolLM" and entry.problem is None


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
@in_a_loop
async def test_models_of_all_stores_are_one_library(tmp_path: Path) -> None:
    hub, ollama, studio, own = (tmp_path / name for name in ("hub", "ollama", "studio", "own"))
    into_hugging_face_cache(
        hub, "org/Gemma-GGUF", write_chat_model(tmp_path / "g.gguf", "gemma3", "Gemma 3 4B")
    )
    eyes = into_hugging_face_cache(hub, "org/Gemma-GGUF", write_projector(tmp_path / "mmproj.gguf", 64))
    name = ("registry.ollama.ai", "library", "qwen3", "4b")
    into_ollama_store(ollama, name, {"model": write_chat_model(tmp_path / "q", "qwen3", "Qwen3 4B", salt=1)})
    write_chat_model(studio / "pub" / "Phi-GGUF" / "phi.gguf", "phi3", "Phi 3.5 Mini", salt=2)
    write_chat_model(own / "Mixtral.gguf", "llama", "Mixtral 8x7B", salt=3)
    stores = (
        Place(Source.HUGGING_FACE, str(hub)),
        Place(Source.OLLAMA, str(ollama)),
        Place(Source.LM_STUDIO, str(studio)),
    )
    shelf = library(tmp_path, stores)
    # The hub's cache lies in one of the person's folders too: its models are still there once.
    reports = await scanned(shelf, own, hub)
    entries = {entry.name: entry for entry in (await by_name(shelf)).values()}
    assert set(entries) == {"Gemma 3 4B", "Projector", "qwen3:4b", "Phi 3.5 Mini", "Mixtral 8x7B"}
    assert entries["Gemma 3 4B"].projectors == (str(eyes),)
    assert entries["Projector"].family == "Gemma"  # by its repository
    assert entries["qwen3:4b"].source is Source.OLLAMA and entries["qwen3:4b"].family == "Qwen"
    assert entries["Phi 3.5 Mini"].repo == "pub/Phi-GGUF"
    # The model was told before its projector was known, and again after.
    told = [item for item in reports if isinstance(item, LibraryEntry) and item.name == "Gemma 3 4B"]
    assert [item.projectors for item in told] == [(), (str(eyes),)]


@in_a_loop
async def test_the_next_start_knows_everything_and_its_scan_opens_nothing(tmp_path: Path) -> None:
    place = tmp_path / "models"
    for number in range(3):
        write_chat_model(place / f"{number}.gguf", salt=number)
    write_projector(place / "mmproj.gguf", 64)
    write_split(place, "split", 2)
    (place / "damaged.gguf").write_bytes(b"no")
    shelf = library(tmp_path)
    assert opened(await scanned(shelf, place)) == 8
    before = await shelf.entries()
    written = (tmp_path / "alcove" / "library.json").stat().st_mtime_ns
    again = library(tmp_path)
    assert await again.entries() == before
    assert opened(await scanned(again, place)) == 0
    assert await again.entries() == before
    assert (
        tmp_path / "alcove" / "library.json"
    ).stat().st_mtime_ns == written  # nothing new, nothing written


@in_a_loop
async def test_what_is_gone_leaves_the_library_and_what_is_unplugged_stays_with_its_reason(
    tmp_path: Path,
) -> None:
    kept, plugged = tmp_path / "kept", tmp_path / "plugged"
    gone = write_chat_model(kept / "gone.gguf")
    write_chat_model(kept / "here.gguf", salt=1)
    write_chat_model(plugged / "there.gguf", salt=2)
    shelf = library(tmp_path)
    await scanned(shelf, kept, plugged)
    gone.unlink()
    plugged.rename(tmp_path / "pulled out")
    reports = await scanned(shelf, kept, plugged)
    assert Unreadable(str(plugged), "ENOENT") in reports
    entries = await by_name(shelf)
    assert set(entries) == {"here.gguf", "there.gguf"}
    assert entries["there.gguf"].problem is Fault.FILE_MISSING and entries["here.gguf"].problem is None
    (tmp_path / "pulled out").rename(plugged)
    await scanned(shelf, kept, plugged)
    assert (await by_name(shelf))["there.gguf"].problem is None
    await scanned(shelf, kept)  # the folder was taken off the list
    assert set(await by_name(shelf)) == {"here.gguf"}


@in_a_loop
async def test_a_scan_that_is_left_keeps_what_it_found(tmp_path: Path) -> None:
    for number in range(20):
        write_chat_model(tmp_path / "models" / f"{number}.gguf", salt=number)
    shelf = library(tmp_path)
    async with aclosing(shelf.scan([tmp_path / "models"])) as reports:
        seen = 0
        async for report in reports:
            seen += isinstance(report, LibraryEntry)
            if seen == 5:
                break
    again = library(tmp_path)
    assert len(await again.entries()) == 5
    assert opened(await scanned(again, tmp_path / "models")) == 16


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes are Linux's")
@in_a_loop
async def test_a_file_whose_name_is_no_text_is_remembered_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    odd = Path(os.fsdecode(os.fsencode(tmp_path / "models") + b"/\xff\xfe\n.gguf"))
    write_chat_model(tmp_path / "m.gguf").rename(odd)
    shelf = library(tmp_path)
    await scanned(shelf, tmp_path / "models")
    again = library(tmp_path)
    assert [os.fsencode(name) for name in await by_name(again)] == [b"\xff\xfe\n.gguf"]
    assert opened(await scanned(again, tmp_path / "models")) == 0


# ---- the catalogue's file


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"version": 99}', '{"version": 1, "marks": {"used": 5}}', "\0"]
)
def test_a_catalogue_that_cannot_be_read_is_kept_aside(tmp_path: Path, content: str) -> None:
    @in_a_loop
    async def scan_once() -> None:
        shelf = library(tmp_path)
        await scanned(shelf)
        assert len(await shelf.entries()) == 1

    file = tmp_path / "alcove" / "library.json"
    file.parent.mkdir()
    file.write_text(content)
    scan_once()
    (aside,) = file.parent.glob("library.json.unreadable-*")
    assert aside.read_text() == content
    assert json.loads(file.read_text())["version"] == 1


@in_a_loop
async def test_entries_of_another_version_are_read_anew_and_the_marks_stay(tmp_path: Path) -> None:
    shelf = library(tmp_path)
    await scanned(shelf)
    await shelf.mark_used(starter(), 1_000.5)
    await shelf.mark_downloaded({"/elsewhere/m.gguf": "a" * 64})
    file = tmp_path / "alcove" / "library.json"
    content = json.loads(file.read_text())
    content["entries"][0]["a field of tomorrow"] = 1
    file.write_text(json.dumps(content))
    again = library(tmp_path)
    assert not await again.entries()
    await scanned(again)
    (entry,) = await again.entries()
    assert entry.last_used == 1_000.5
    assert json.loads(file.read_text())["marks"]["downloaded"] == {"/elsewhere/m.gguf": "a" * 64}
    content["tables"] = "older tables"
    del content["entries"][0]["a field of tomorrow"]
    file.write_text(json.dumps(content))
    assert opened(await scanned(library(tmp_path))) == 1


@in_a_loop
async def test_the_last_use_of_a_model_is_remembered(tmp_path: Path) -> None:
    shelf = library(tmp_path)
    await scanned(shelf)
    assert (await shelf.entries())[0].last_used is None
    await shelf.mark_used(starter())
    used = (await library(tmp_path).entries())[0].last_used
    assert used is not None and used > 1.7e9
    await scanned(shelf)
    assert (await shelf.entries())[0].last_used == used


# ---- adding and finding


@in_a_loop
async def test_a_file_is_added_where_it_lies(tmp_path: Path) -> None:
    path = write_chat_model(tmp_path / "somewhere" / "m.gguf", name="My model")
    shelf = library(tmp_path)
    entry = await shelf.import_file(path)
    assert entry.problem is None and entry.path == str(path)
    await scanned(shelf)
    assert "m.gguf" in await by_name(library(tmp_path))
    assert path.exists() and not list((tmp_path / "alcove").glob("**/*.gguf"))
    await shelf.forget(entry)
    await scanned(shelf)
    assert not await by_name(shelf) and path.exists()


@in_a_loop
async def test_what_is_no_model_is_told_and_not_added(tmp_path: Path) -> None:
    (tmp_path / "text.gguf").write_text("no model at all")
    shelf = library(tmp_path)
    assert (await shelf.import_file(tmp_path / "text.gguf")).problem is Fault.NOT_GGUF
    with pytest.raises(RuntimeFault) as caught:
        await shelf.import_file(tmp_path / "nowhere.gguf")
    assert caught.value.fault is Fault.FILE_MISSING
    assert not await shelf.entries()


@in_a_loop
async def test_a_model_is_found_by_what_a_person_calls_it(tmp_path: Path) -> None:
    place = tmp_path / "m"
    paths = [
        write_chat_model(place / f"qwen3-{size}-Q4_K_M.gguf", name=f"Qwen3 {size}") for size in ("4b", "14b")
    ]
    shelf = library(tmp_path)
    await scanned(shelf, place)
    for text, expected in [
        ("qwen3", [0, 1]),
        ("QWEN3 4B", [0]),
        ("qwen3-14b-q4_k_m.gguf", [1]),
        ("qwen3-14b-Q4_K_M", [1]),
        (str(paths[1]), [1]),
        ("nothing like it", []),
    ]:
        assert {entry.path for entry in await shelf.matches(text)} == {
            str(paths[number]) for number in expected
        }


@in_a_loop
async def test_an_entry_can_be_printed_as_json(tmp_path: Path) -> None:
    shelf = library(tmp_path)
    await scanned(shelf)
    (entry,) = await shelf.entries()
    record = json.loads(json.dumps(as_record(entry)))
    assert record["path"] == str(starter()) and record["size"] == entry.size and record["sha256"] is None
    assert record["openness"] == "fully open" and record["kinds"] == ["chat", "draft"]


# ---- hashes


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
@in_a_loop
async def test_a_model_of_the_hub_is_verified_against_the_hash_in_its_cache(tmp_path: Path) -> None:
    hub = tmp_path / "hub"
    link = into_hugging_face_cache(hub, "o/m", write_chat_model(tmp_path / "m.gguf"))
    shelf = library(tmp_path, (Place(Source.HUGGING_FACE, str(hub)),))
    await scanned(shelf)
    checked = await verified(shelf, (await by_name(shelf))["m.gguf"])
    assert checked.verified and checked.sha256 == sha256_of(link) and checked.problem is None
    await scanned(shelf)
    assert (await by_name(library(tmp_path)))["m.gguf"].sha256 == checked.sha256
    with link.open("r+b") as blob:  # one bit of a weight, which no header shows
        blob.seek(-1, os.SEEK_END)
        blob.write(b"\x01")
    await scanned(shelf)
    entry = (await by_name(shelf))["m.gguf"]
    assert entry.sha256 is None and entry.problem is None
    wrong = await verified(shelf, entry)
    assert wrong.problem is Fault.DAMAGED and not wrong.verified
    again = library(tmp_path, (Place(Source.HUGGING_FACE, str(hub)),))
    await scanned(again)
    assert (await by_name(again))["m.gguf"].problem is Fault.DAMAGED


@in_a_loop
async def test_a_split_model_is_hashed_part_by_part(tmp_path: Path) -> None:
    paths = write_split(tmp_path / "m", "split", 3)
    shelf = library(tmp_path)
    await scanned(shelf, tmp_path / "m")
    checked = await verified(shelf, (await by_name(shelf))[paths[0].name])
    assert [file.sha256 for file in checked.files] == [sha256_of(path) for path in paths]
    assert checked.verified and checked.sha256 is None


@in_a_loop
async def test_a_file_that_changed_since_the_scan_is_read_again_after_it_was_hashed(tmp_path: Path) -> None:
    path = write_chat_model(tmp_path / "m" / "m.gguf", name="Before")
    shelf = library(tmp_path)
    await scanned(shelf, tmp_path / "m")
    entry = (await by_name(shelf))["m.gguf"]
    write_chat_model(path, name="Afterwards")
    assert (await verified(shelf, entry)).sha256 == sha256_of(path)
    await scanned(shelf, tmp_path / "m")
    assert (await by_name(shelf))["m.gguf"].name == "Afterwards"


@in_a_loop
async def test_kinds_that_are_no_models_to_chat_with_are_in_the_library_too(tmp_path: Path) -> None:
    lora = {"general.type": "adapter", "adapter.type": "lora"}
    write_gguf(tmp_path / "m" / "lora.gguf", texts=lora, vocabulary=0)
    write_gguf(tmp_path / "m" / "embed.gguf", "bert", numbers={".pooling_type": 1})
    shelf = library(tmp_path)
    await scanned(shelf, tmp_path / "m")
    kinds = {name: entry.kinds for name, entry in (await by_name(shelf)).items()}
    assert kinds == {"lora.gguf": (Kind.ADAPTER,), "embed.gguf": (Kind.EMBEDDING,)}


def test_the_stores_of_this_machine_are_named_and_not_looked_into() -> None:
    sources = {place.source for place in this_persons_stores({})}
    assert sources == {Source.OLLAMA, Source.HUGGING_FACE, Source.LM_STUDIO}
