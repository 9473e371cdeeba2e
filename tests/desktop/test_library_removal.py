"""Nothing that is not Alcove's is removed, and what is removed can come back."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from support.library_files import write_chat_model, write_projector, write_split
from support.loops import in_a_loop
from support.shelves import by_name, library, scanned, verified
from support.workers import starter

from models.runtime.faults import Fault


@in_a_loop
async def test_nothing_that_alcove_did_not_download_can_be_removed(tmp_path: Path) -> None:
    path = write_chat_model(tmp_path / "mine" / "m.gguf")
    shelf = library(tmp_path)
    await scanned(shelf, tmp_path / "mine")
    for entry in await shelf.entries():
        assert not await shelf.can_remove(entry)
        with pytest.raises(PermissionError):
            await shelf.remove(entry)
    assert path.exists() and starter().exists()


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
@in_a_loop
async def test_a_way_around_through_the_models_folder_is_none(tmp_path: Path) -> None:
    path = write_chat_model(tmp_path / "mine" / "m.gguf")
    models = tmp_path / "alcove" / "models"
    models.mkdir(parents=True)
    (models / "link").symlink_to(tmp_path / "mine")
    shelf = library(tmp_path)
    await scanned(shelf)
    entry = (await by_name(shelf))["m.gguf"]
    dotted = str(models / ".." / ".." / "mine" / "m.gguf")
    for way in (entry, replace(entry, files=(replace(entry.files[0], path=dotted),))):
        with pytest.raises(PermissionError):
            await shelf.remove(way)
    assert path.exists()


@in_a_loop
async def test_a_downloaded_model_goes_to_the_trash_and_comes_back(tmp_path: Path) -> None:
    models = tmp_path / "alcove" / "models"
    paths = write_split(models / "org", "split", 2)
    shelf = library(tmp_path)
    await scanned(shelf)
    entry = (await by_name(shelf))[paths[0].name]
    assert await shelf.can_remove(entry)
    contents = [path.read_bytes() for path in paths]
    await shelf.remove(entry)
    assert not any(path.exists() for path in paths)
    await scanned(shelf)
    assert not await by_name(shelf)
    again = library(tmp_path)  # the trash outlives the program
    (removed,) = await again.trash()
    assert [Path(kept).read_bytes() for kept in removed.kept] == contents
    await again.restore(removed)
    await scanned(again)
    assert set(await by_name(again)) == {paths[0].name} and not await again.trash()
    assert [path.read_bytes() for path in paths] == contents
    assert not list(models.glob("**/.alcove-trash"))


@in_a_loop
async def test_a_removal_that_a_crash_cut_short_can_be_taken_back(tmp_path: Path) -> None:
    paths = write_split(tmp_path / "alcove" / "models", "split", 2)
    shelf = library(tmp_path)
    await scanned(shelf)
    removed = await shelf.remove((await by_name(shelf))[paths[0].name])
    os.rename(removed.kept[1], paths[1])  # as if the second part had never been moved
    again = library(tmp_path)
    await again.restore((await again.trash())[0])
    assert all(path.exists() for path in paths) and not await again.trash()
    # The same, cut short before anything was moved: there is nothing to restore.
    removed = await shelf.remove(await shelf.import_file(paths[0]))
    for kept, path in zip(removed.kept, paths, strict=True):
        os.rename(kept, path)
    assert not await library(tmp_path).trash()


@in_a_loop
async def test_what_was_downloaded_elsewhere_is_known_by_its_mark(tmp_path: Path) -> None:
    path = write_chat_model(tmp_path / "big disk" / "m.gguf")
    shelf = library(tmp_path)
    await shelf.mark_downloaded({str(path): "f" * 64})
    await scanned(shelf, path.parent)
    entry = (await by_name(shelf))["m.gguf"]
    assert (await verified(shelf, entry)).problem is Fault.DAMAGED  # it is not what was downloaded
    removed = await shelf.remove(entry)
    assert removed.sha256 == ("f" * 64,) and Path(removed.kept[0]).is_relative_to(path.parent)
    path.write_bytes(b"something new")
    with pytest.raises(FileExistsError):
        await shelf.restore(removed)
    assert path.read_bytes() == b"something new" and await shelf.trash() == (removed,)


@in_a_loop
async def test_emptying_the_trash_deletes_what_is_old_enough_and_nothing_else(tmp_path: Path) -> None:
    models = tmp_path / "alcove" / "models"
    path, other = (
        write_chat_model(models / name, salt=number) for number, name in enumerate(["a.gguf", "b.gguf"])
    )
    size = path.stat().st_size
    shelf = library(tmp_path)
    await scanned(shelf)
    removed = await shelf.remove((await by_name(shelf))["a.gguf"])
    assert await shelf.empty_trash(before=removed.removed_at) == 0
    assert await shelf.empty_trash() == size
    assert not await library(tmp_path).trash() and other.exists()
    assert [item.name for item in models.iterdir()] == ["b.gguf"]


@in_a_loop
async def test_a_model_without_its_projector_is_a_model_without_images(tmp_path: Path) -> None:
    models = tmp_path / "alcove" / "models"
    write_chat_model(models / "m.gguf")
    write_projector(models / "mmproj.gguf", 64)
    shelf = library(tmp_path)
    await scanned(shelf)
    entries = await by_name(shelf)
    assert entries["m.gguf"].projectors == (str(models / "mmproj.gguf"),)
    await shelf.remove(entries["mmproj.gguf"])
    assert (await by_name(shelf))["m.gguf"].projectors == ()
