"""A projector goes with the model it was published for, and with no other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from models.library.entry import Kind, LibraryEntry, ModelFile, Source
from models.library.projectors import pair


def entry(path: str, kinds: tuple[Kind, ...], source: Source = Source.FOLDER, repo: str = "") -> LibraryEntry:
    folder = str(PurePosixPath(path).parent)
    return LibraryEntry((ModelFile(path, 1, 1),), "", source, "/place", folder, repo=repo, kinds=kinds)


def model(
    path: str, width: int, source: Source = Source.FOLDER, repo: str = "", size: int = 1
) -> LibraryEntry:
    return replace(
        entry(path, (Kind.CHAT,), source, repo),
        embedding_length=width,
        architecture="gemma3",
        parameters=size,
        name=PurePosixPath(path).stem,
    )


def projector(
    path: str, *widths: int, source: Source = Source.FOLDER, repo: str = "", quantization: str = "F16"
) -> LibraryEntry:
    return replace(
        entry(path, (Kind.PROJECTOR,), source, repo), widths=tuple(widths), quantization=quantization
    )


def paired(entries: Sequence[LibraryEntry]) -> dict[str, tuple[str, ...]]:
    return {path: changed.projectors for path, changed in pair(entries).items()}


def test_a_folder_with_one_model_pairs_it_with_its_projector() -> None:
    entries = [model("/f/gemma-3-4b-it-Q4_K_M.gguf", 2560), projector("/f/mmproj-model-f16.gguf", 2560)]
    assert paired(entries) == {"/f/gemma-3-4b-it-Q4_K_M.gguf": ("/f/mmproj-model-f16.gguf",)}


def test_quantizations_of_one_model_share_its_projector() -> None:
    entries = [
        model("/f/gemma-3-4b-Q4_K_M.gguf", 2560),
        model("/f/gemma-3-4b-Q8_0.gguf", 2560),
        projector("/f/mmproj.gguf", 2560),
    ]
    assert set(paired(entries)) == {"/f/gemma-3-4b-Q4_K_M.gguf", "/f/gemma-3-4b-Q8_0.gguf"}


def test_a_projector_of_another_width_belongs_to_nobody() -> None:
    assert not paired([model("/f/gemma-3-12b.gguf", 3840), projector("/f/mmproj.gguf", 2560)])


def test_a_projector_in_another_folder_belongs_to_nobody() -> None:
    assert not paired([model("/f/a.gguf", 2560), projector("/g/mmproj.gguf", 2560)])


def test_in_a_folder_of_many_models_the_name_decides() -> None:
    entries = [
        model("/f/gemma-3-4b-it-Q4_0.gguf", 2560, size=4),
        model("/f/gemma-2-4b-it-Q4_0.gguf", 2560, size=6),
        model("/f/qwen-vl-4b-Q4_0.gguf", 2560, size=5),
        projector("/f/mmproj-gemma-3-4b-it-f16.gguf", 2560),
        projector("/f/qwen-vl-4b-mmproj-F16.gguf", 2560),
        projector("/f/mmproj-f16.gguf", 2560),  # of which of the two, nobody can tell
    ]
    assert paired(entries) == {
        "/f/gemma-3-4b-it-Q4_0.gguf": ("/f/mmproj-gemma-3-4b-it-f16.gguf",),
        "/f/qwen-vl-4b-Q4_0.gguf": ("/f/qwen-vl-4b-mmproj-F16.gguf",),
    }


def test_a_repository_pairs_what_fits_whatever_it_is_called_and_wherever_it_lies() -> None:
    hub, repo = Source.HUGGING_FACE, "org/Model-GGUF"
    entries = [
        model("/hub/s/1/Q4/m.gguf", 64, hub, repo),
        projector("/hub/s/1/vision-BF16.gguf", 64, source=hub, repo=repo, quantization="BF16"),
        projector("/hub/s/1/vision-F16.gguf", 64, source=hub, repo=repo, quantization="F16"),
        projector("/hub/s/1/vision-F32.gguf", 64, source=hub, repo=repo, quantization="F32"),
        projector("/hub/s/1/other.gguf", 64, source=hub, repo="org/Other-GGUF"),
    ]
    assert paired(entries) == {
        "/hub/s/1/Q4/m.gguf": (
            "/hub/s/1/vision-F16.gguf",
            "/hub/s/1/vision-BF16.gguf",
            "/hub/s/1/vision-F32.gguf",
        )
    }


def test_the_layers_of_one_ollama_model_belong_together_and_of_two_do_not() -> None:
    first = replace(model("/o/blobs/1", 64, Source.OLLAMA, "llava"), group="/o/manifests/llava/7b")
    second = replace(model("/o/blobs/2", 64, Source.OLLAMA, "llava"), group="/o/manifests/llava/13b")
    eyes = replace(
        projector("/o/blobs/3", 64, source=Source.OLLAMA, repo="llava"), group="/o/manifests/llava/7b"
    )
    assert paired([first, second, eyes]) == {"/o/blobs/1": ("/o/blobs/3",)}


def test_only_changes_are_told_and_a_projector_that_is_gone_is_taken_away() -> None:
    entries = [model("/f/m.gguf", 64), projector("/f/mmproj.gguf", 64)]
    changed = pair(entries)["/f/m.gguf"]
    assert not paired([changed, entries[1]])
    assert paired([changed]) == {"/f/m.gguf": ()}
