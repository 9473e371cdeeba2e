"""Models are found where people and other programs keep them, and nothing on a disk stops the search."""

from __future__ import annotations

import json
import os
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.library_files import (
    folder,
    into_hugging_face_cache,
    into_ollama_store,
    sha256_of,
    write_chat_model,
    write_projector,
    write_split,
)

from models.library.candidates import Candidate, Place, Unreadable
from models.library.entry import Source
from models.library.ollama import model_digests, model_name
from models.library.places import TRASH, look, usual_places
from models.library.splits import Splits, is_part, stem

needs_links = pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")


def found(place: Place) -> list[Candidate]:
    return [seen for seen in look(place) if isinstance(seen, Candidate)]


def paths_in(place: Place) -> set[str]:
    return {path for candidate in found(place) for path in candidate.paths}


def problems(place: Place) -> list[Unreadable]:
    return [seen for seen in look(place) if isinstance(seen, Unreadable)]


# ---- folders


def test_models_are_found_at_any_depth_and_other_files_are_not(tmp_path: Path) -> None:
    names = ["a.gguf", "B.GGUF", "deep/er/c.gguf", ".hidden/d.gguf"]
    for name in [*names, "notes.txt", "model.gguf.part", "gguf", "x.safetensors", f"{TRASH}/1/gone.gguf"]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    (tmp_path / "folder.gguf").mkdir()
    assert paths_in(folder(tmp_path)) == {str(tmp_path / name) for name in names}


@needs_links
def test_links_in_a_circle_end(tmp_path: Path) -> None:
    real = tmp_path / "real"
    (real / "sub").mkdir(parents=True)
    (real / "model.gguf").write_bytes(b"")
    (real / "sub" / "up").symlink_to(real)
    (real / "self").symlink_to("self")
    (real / "self.gguf").symlink_to("self.gguf")
    (tmp_path / "other").symlink_to(real)
    candidates = [candidate.paths[0] for candidate in found(folder(tmp_path))]
    assert [os.path.basename(path) for path in candidates].count("model.gguf") == 1


@needs_links
def test_a_link_whose_file_is_gone_is_listed_so_that_somebody_can_be_told(tmp_path: Path) -> None:
    (tmp_path / "gone.gguf").symlink_to(tmp_path / "nowhere")
    assert paths_in(folder(tmp_path)) == {str(tmp_path / "gone.gguf")}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are Unix's")
def test_a_pipe_that_looks_like_a_model_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.gguf")
    assert not found(folder(tmp_path))


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes are Linux's")
def test_names_of_any_bytes_are_found(tmp_path: Path) -> None:
    names = [b"\xff\xfe.gguf", "ü\u2028\n.gguf".encode(), b"-rf.gguf", b"\x1b[2J.gguf", b"$(x).gguf"]
    for name in names:
        Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name))).write_bytes(b"")
    assert {os.fsencode(os.path.basename(path)) for path in paths_in(folder(tmp_path))} == set(names)


@pytest.mark.skipif(sys.platform == "win32", reason="built with descriptors of folders")
def test_a_folder_that_cannot_be_listed_is_told_and_the_rest_is_found(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"")
    place = os.open(tmp_path, os.O_RDONLY)
    for _ in range(30):  # a path longer than the system takes
        os.mkdir("x" * 200, dir_fd=place)
        place, above = os.open("x" * 200, os.O_RDONLY, dir_fd=place), place
        os.close(above)
    os.close(place)
    assert paths_in(folder(tmp_path)) == {str(tmp_path / "model.gguf")}
    (problem,) = problems(folder(tmp_path))
    assert problem.reason == "ENAMETOOLONG"


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="nothing is closed to root")
def test_a_folder_without_permission_is_told_and_the_rest_is_found(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o000)
    try:
        assert paths_in(folder(tmp_path)) == {str(tmp_path / "model.gguf")}
        assert problems(folder(tmp_path)) == [Unreadable(str(closed), "EACCES")]
    finally:
        closed.chmod(0o700)


def test_a_folder_that_is_not_there_is_told_and_a_store_that_is_not_there_is_no_news(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere")
    assert problems(Place(Source.FOLDER, nowhere)) == [Unreadable(nowhere, "ENOENT")]
    assert problems(Place(Source.FILE, nowhere)) == [Unreadable(nowhere, "ENOENT")]
    for source in (Source.OLLAMA, Source.HUGGING_FACE, Source.LM_STUDIO):
        assert not list(look(Place(source, nowhere)))


def test_a_folder_of_very_many_files_is_streamed(tmp_path: Path) -> None:
    for number in range(20_000):
        os.close(os.open(tmp_path / f"{number}.txt", os.O_CREAT | os.O_WRONLY))
    (tmp_path / "model.gguf").write_bytes(b"")
    tracemalloc.start()
    try:
        seen = list(look(folder(tmp_path)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len([item for item in seen if item is None]) > 70  # signs of life on the way
    assert [item for item in seen if item is not None] == [
        Candidate((str(tmp_path / "model.gguf"),), folder(tmp_path), str(tmp_path))
    ]
    assert peak < 200_000  # bytes; one listing of the names alone would be ten times that


# ---- split models


def test_the_parts_of_a_split_model_are_one_find(tmp_path: Path) -> None:
    first, second = write_split(tmp_path, "One", 2), write_split(tmp_path, "Two", 3)
    second[1].unlink()
    candidates = {candidate.paths: candidate.missing for candidate in found(folder(tmp_path))}
    assert candidates == {
        tuple(map(str, first)): (),
        (str(second[0]), str(second[2])): (2,),
    }


def test_any_part_stands_for_its_model(tmp_path: Path) -> None:
    paths = write_split(tmp_path, "One", 3)
    write_split(tmp_path, "Another", 3)
    for path in paths:
        (candidate,) = found(Place(Source.FILE, str(path)))
        assert candidate.paths == tuple(map(str, paths)) and not candidate.missing


@given(
    st.text(max_size=30),
    st.integers(0, 99_999),
    st.integers(0, 99_999),
    st.sampled_from([".gguf", ".GGUF", ""]),
)
def test_what_counts_as_a_part_names_a_part_that_can_be(name: str, number: int, count: int, end: str) -> None:
    file = f"{name}-{number:05}-of-{count:05}{end}"
    assert is_part(file) is (bool(name) and 1 <= number <= count and bool(end))
    if is_part(file):
        assert stem(file) == name
        splits = Splits()
        splits.add("/f", file)
        ((paths, missing),) = splits.all()
        assert paths == (os.path.join("/f", file),)
        assert len(missing) == min(100, count - 1) and number not in missing


# ---- other programs' stores


@needs_links
def test_the_cache_of_hugging_face_is_understood(tmp_path: Path) -> None:
    cache = tmp_path / "hub"
    first = write_chat_model(tmp_path / "Model-Q4_K_M.gguf")
    first_hash = sha256_of(first)
    link = into_hugging_face_cache(cache, "org/Model-GGUF", first)
    other = into_hugging_face_cache(
        cache, "org/Model-GGUF", write_projector(tmp_path / "p.gguf", 64), name="sub/p.gguf"
    )
    (cache / "models--org--Model-GGUF" / "blobs" / "unfinished.incomplete").write_bytes(b"GGUF")
    (cache / "datasets--org--data" / "snapshots" / "r").mkdir(parents=True)
    (cache / "datasets--org--data" / "snapshots" / "r" / "no.gguf").write_bytes(b"")
    (cache / "models--empty--repo").mkdir()
    candidates = {
        candidate.paths[0]: candidate for candidate in found(Place(Source.HUGGING_FACE, str(cache)))
    }
    assert set(candidates) == {str(link), str(other)}
    assert candidates[str(link)].repo == "org/Model-GGUF"
    assert candidates[str(link)].expected_sha256 == (first_hash,)


@needs_links
def test_the_cache_in_these_tests_is_one_to_huggingface_hub_itself(tmp_path: Path) -> None:
    import huggingface_hub

    file = write_chat_model(tmp_path / "m.gguf")
    size = file.stat().st_size
    link = into_hugging_face_cache(tmp_path / "hub", "org/Model-GGUF", file)
    assert huggingface_hub.try_to_load_from_cache("org/Model-GGUF", "m.gguf", tmp_path / "hub") == str(link)
    seen = huggingface_hub.scan_cache_dir(tmp_path / "hub")
    assert not seen.warnings and seen.size_on_disk == size
    assert [repo.repo_id for repo in seen.repos] == ["org/Model-GGUF"]


@needs_links
def test_the_revision_in_use_comes_before_older_ones(tmp_path: Path) -> None:
    cache = tmp_path / "hub"
    into_hugging_face_cache(cache, "o/m", write_chat_model(tmp_path / "m.gguf"), "1" * 40)
    newest = into_hugging_face_cache(cache, "o/m", write_chat_model(tmp_path / "m.gguf", salt=1), "2" * 40)
    candidates = found(Place(Source.HUGGING_FACE, str(cache)))
    assert len(candidates) == 2 and candidates[0].paths == (str(newest),)


def test_the_models_of_lm_studio_keep_their_publisher(tmp_path: Path) -> None:
    path = write_chat_model(tmp_path / "publisher" / "Model-GGUF" / "Q4" / "m.gguf")
    stray = write_chat_model(tmp_path / "stray.gguf")
    candidates = {item.paths[0]: item.repo for item in found(Place(Source.LM_STUDIO, str(tmp_path)))}
    assert candidates == {str(path): "publisher/Model-GGUF", str(stray): ""}


def test_the_store_of_ollama_gives_its_blobs_their_names(tmp_path: Path) -> None:
    model, projector = write_chat_model(tmp_path / "m"), write_projector(tmp_path / "p", 64)
    template = tmp_path / "t"
    template.write_text("{{ .Prompt }}")
    blobs = into_ollama_store(
        tmp_path,
        ("registry.ollama.ai", "library", "llava", "7b"),
        {"model": model, "projector": projector, "template": template},
    )
    candidates = found(Place(Source.OLLAMA, str(tmp_path)))
    assert {candidate.paths[0] for candidate in candidates} == {str(blobs["model"]), str(blobs["projector"])}
    for candidate in candidates:
        assert candidate.name == "llava:7b"
        assert candidate.paths[0].endswith(candidate.expected_sha256[0])
    assert len({candidate.group for candidate in candidates}) == 1


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("registry.ollama.ai", "library", "qwen3", "4b"), "qwen3:4b"),
        (("registry.ollama.ai", "somebody", "model", "latest"), "somebody/model:latest"),
        (("hf.co", "org", "Model-GGUF", "Q4_K_M"), "hf.co/org/Model-GGUF:Q4_K_M"),
        (("example.org", "library", "model", "v1"), "example.org/library/model:v1"),
    ],
)
def test_ollamas_names_are_what_one_types(parts: tuple[str, str, str, str], name: str) -> None:
    assert model_name(parts) == name


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["layers", "mediaType", "digest", "x"]), inner, max_size=4)
    ),
    max_leaves=20,
)
digests = st.sampled_from(
    [
        "sha256:" + "a" * 64,
        "sha256-" + "0" * 64,
        "sha256:../../../../etc/passwd",
        "sha256:" + "a" * 63 + "/",
        "sha256:" + "a" * 64 + "\n",
        "sha256:" + "A" * 64,
        "../" + "a" * 64,
        "sha256:" + "٣" * 64,
    ]
)
layers = st.fixed_dictionaries(
    {
        "mediaType": st.sampled_from(["model", "projector", "adapter", "template", "params", ""]).map(
            lambda kind: f"application/vnd.ollama.image.{kind}"
        )
        | json_values,
        "digest": digests | json_values,
    }
)


def only_digests(content: Iterator[str]) -> None:
    assert all(len(digest) == 64 and set(digest) <= set("0123456789abcdef") for digest in content)


@given(json_values | st.fixed_dictionaries({"layers": st.lists(layers | json_values, max_size=6)}))
def test_no_manifest_leads_anywhere_but_to_a_blob(content: object) -> None:
    only_digests(model_digests(json.dumps(content).encode("utf-8", "surrogatepass")))


@given(st.binary(max_size=200))
def test_bytes_that_are_no_manifest_name_nothing(content: bytes) -> None:
    only_digests(model_digests(content))


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b" " * (2 << 20), b'{"layers":[' + b"{}," * 10_000 + b"{}]}"]
)
def test_a_manifest_made_to_exhaust_the_reader_names_nothing(content: bytes) -> None:
    assert list(model_digests(content)) == []


@given(st.text(max_size=100))
def test_any_name_can_be_asked_whether_it_is_a_part(name: str) -> None:
    assert isinstance(is_part(name), bool) and isinstance(stem(name), str)


# ---- where to look


def test_the_usual_places_follow_the_variables_of_each_program(tmp_path: Path) -> None:
    def place(source: Source, environ: dict[str, str]) -> str:
        return next(item.path for item in usual_places(tmp_path, environ) if item.source is source)

    hub = tmp_path / ".cache" / "huggingface" / "hub"
    assert place(Source.HUGGING_FACE, {}) == str(hub)
    assert place(Source.HUGGING_FACE, {"XDG_CACHE_HOME": "/c"}) == os.path.abspath("/c/huggingface/hub")
    assert place(Source.HUGGING_FACE, {"HF_HOME": "/h"}) == os.path.abspath("/h/hub")
    assert place(Source.HUGGING_FACE, {"HF_HOME": "/h", "HF_HUB_CACHE": "/d"}) == os.path.abspath("/d")
    assert place(Source.OLLAMA, {}) == str(tmp_path / ".ollama" / "models")
    assert place(Source.OLLAMA, {"OLLAMA_MODELS": "/o"}) == os.path.abspath("/o")
    assert place(Source.LM_STUDIO, {}) == str(tmp_path / ".lmstudio" / "models")
