"""The library tells about a model what its file says, and what is wrong with it before anybody loads it."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from support.gguf_files import write_encoder, write_model, write_recurrent_model
from support.library_files import folder, write_chat_model, write_gguf, write_projector, write_split
from support.workers import starter

from models.gguf_texts import SeenLists
from models.library.candidates import Candidate, Place
from models.library.describe import describe, look_at
from models.library.entry import Kind, LibraryEntry, Openness, Source
from models.library.places import look
from models.runtime.faults import Fault


def told(path: Path, repo: str = "") -> LibraryEntry:
    """The entry of one file."""
    candidate = Candidate((str(path),), folder(path.parent), str(path.parent), repo=repo)
    return describe(candidate, look_at(candidate), SeenLists())


def test_the_starter_model_is_told_whole() -> None:
    entry = told(starter())
    assert (entry.family, entry.quantization, entry.size_label) == ("SmolLM", "Q4_1", "135M")
    assert entry.parameters == 134_515_008 and entry.context_tokens == 8192
    assert entry.kinds == (Kind.CHAT, Kind.DRAFT)
    assert entry.languages == ("en",) and entry.licence == "apache-2.0"
    assert entry.openness is Openness.FULLY_OPEN
    assert entry.problem is None and entry.sha256 is None and not entry.verified
    assert entry.size == starter().stat().st_size


@pytest.mark.parametrize(
    ("architecture", "name", "family"),
    [
        ("llama", "Meta Llama 3.1 8B Instruct", "Llama"),
        ("llama", "Mistral 7B Instruct v0.3", "Mistral"),
        ("llama", "Mixtral 8x7B Instruct v0.1", "Mixtral"),
        ("llama", "DeepSeek R1 Distill Llama 8B", "DeepSeek"),
        ("qwen2", "DeepSeek R1 Distill Qwen 7B", "DeepSeek"),
        ("deepseek2", "V3", "DeepSeek"),
        ("qwen2", "Qwen2.5 0.5B Instruct", "Qwen"),
        ("qwen3", "Untitled", "Qwen"),
        ("gemma3", "Gemma 3 4b It", "Gemma"),
        ("gpt-oss", "Gpt Oss 20b", "gpt-oss"),
        ("phi3", "Phi 3.5 Mini Instruct", "Phi"),
        ("llama", "SmolLM2 1.7B Instruct", "SmolLM"),
        ("granite", "Granite 3", "other"),
    ],
)
def test_families_are_told_by_name_and_else_by_architecture(
    tmp_path: Path, architecture: str, name: str, family: str
) -> None:
    entry = told(write_chat_model(tmp_path / "model.gguf", architecture, name))
    assert (entry.family, entry.architecture, entry.name) == (family, architecture, name)
    assert entry.problem is None and Kind.CHAT in entry.kinds


def test_a_mixture_of_experts_counts_all_its_parameters(tmp_path: Path) -> None:
    path = write_gguf(
        tmp_path / "moe.gguf",
        texts={"general.name": "Mixtral 8x7B", "tokenizer.chat_template": "{{ messages }}"},
        numbers={".expert_count": 8, ".expert_used_count": 2, ".context_length": 32768},
        tensors={"blk.0.ffn_up_exps.weight": (8, 32, 64), "blk.0.attn_q.weight": (64, 64)},
    )
    entry = told(path)
    assert entry.parameters == 8 * 32 * 64 + 64 * 64
    assert entry.family == "Mixtral" and entry.context_tokens == 32768


@pytest.mark.parametrize(
    ("licence", "openness"),
    [
        ("apache-2.0", Openness.OPEN_WEIGHT),
        ("MIT", Openness.OPEN_WEIGHT),
        ("llama3.1", Openness.SEMI_OPEN),
        ("gemma", Openness.SEMI_OPEN),
        ("cc-by-nc-4.0", Openness.SEMI_OPEN),
        ("other", Openness.UNKNOWN),
        ("", Openness.UNKNOWN),
        ("apache-2.0 and more\n" * 50, Openness.UNKNOWN),
    ],
)
def test_openness_follows_the_licence_that_the_file_names(
    tmp_path: Path, licence: str, openness: Openness
) -> None:
    texts = {"general.name": "Somebody's model", "general.license": licence}
    assert told(write_gguf(tmp_path / "model.gguf", texts=texts)).openness is openness


def test_only_the_publisher_of_a_fully_open_model_makes_it_fully_open(tmp_path: Path) -> None:
    texts = {"general.name": "OLMo 2 7B", "general.license": "apache-2.0"}
    path = write_gguf(tmp_path / "olmo.gguf", "olmo2", texts=texts)
    assert told(path).openness is Openness.OPEN_WEIGHT
    assert told(path, "somebody/OLMo-2-7B-retrained").openness is Openness.OPEN_WEIGHT
    assert told(path, "allenai/OLMo-2-7B-GGUF").openness is Openness.FULLY_OPEN


def test_a_gemma_without_a_named_licence_is_under_the_terms_of_gemma(tmp_path: Path) -> None:
    assert told(write_chat_model(tmp_path / "g.gguf", "gemma3", "Gemma 3")).openness is Openness.SEMI_OPEN


def test_every_kind_of_file_is_told_from_the_others(tmp_path: Path) -> None:
    chat = write_model(tmp_path / "chat.gguf")
    base = write_model(tmp_path / "base.gguf", template=None)
    recurrent = write_recurrent_model(tmp_path / "mamba.gguf")
    assert told(chat).kinds == told(recurrent).kinds == (Kind.CHAT, Kind.DRAFT)
    assert told(base).kinds == (Kind.BASE, Kind.DRAFT)
    assert told(write_encoder(tmp_path / "bert.gguf")).kinds == (Kind.EMBEDDING,)
    pooling = write_gguf(tmp_path / "e.gguf", "qwen3", numbers={".pooling_type": 3})
    assert told(pooling).kinds == (Kind.EMBEDDING,)
    reranker = write_gguf(tmp_path / "r.gguf", "qwen3", numbers={".pooling_type": 4})
    assert told(reranker).kinds == (Kind.RERANKER,)
    adapter = write_gguf(
        tmp_path / "a.gguf",
        texts={
            "general.type": "adapter",
            "adapter.type": "lora",
            "general.name": "Lora",
            "general.base_model.0.name": "Llama 3.2 1B",
        },
        tensors={"blk.0.attn_q.weight.lora_a": (8, 64), "blk.0.attn_q.weight.lora_b": (64, 8)},
        vocabulary=0,
    )
    assert told(adapter).kinds == (Kind.ADAPTER,) and told(adapter).base == "Llama 3.2 1B"
    assert told(adapter).family == "Llama"
    projector = told(write_projector(tmp_path / "mmproj.gguf", 2560))
    assert projector.kinds == (Kind.PROJECTOR,) and 2560 in projector.widths
    for name, kind in (("imatrix", "imatrix"), ("vector", "controlvector")):
        other = write_gguf(tmp_path / f"{name}.gguf", texts={"general.type": kind}, vocabulary=0)
        assert told(other).kinds == (Kind.OTHER,) and told(other).problem is None


def test_a_large_model_drafts_for_nobody(tmp_path: Path) -> None:
    path = write_chat_model(tmp_path / "large.gguf")
    data = bytearray(path.read_bytes())
    place = data.index(b"token_embd.weight") + len(b"token_embd.weight") + 4
    struct.pack_into("<QQ", data, place, 1 << 16, 1 << 17)
    path.write_bytes(data)
    entry = told(path)
    assert entry.kinds == (Kind.CHAT,) and entry.parameters == 1 << 33
    assert entry.problem is Fault.TRUNCATED


def test_the_same_vocabulary_and_the_same_template_are_known_as_such(tmp_path: Path) -> None:
    first, second = (told(write_model(tmp_path / f"{name}.gguf")) for name in "ab")
    other = told(write_model(tmp_path / "c.gguf", words=10, template="{{ other }}"))
    assert first.tokenizer == second.tokenizer != other.tokenizer
    assert len(first.template_sha256) == 64
    assert first.template_sha256 == second.template_sha256 != other.template_sha256


# ---- what is wrong


def test_a_file_that_was_not_copied_whole_says_what_it_is_and_how_much_is_missing(tmp_path: Path) -> None:
    path = write_chat_model(tmp_path / "half.gguf", "qwen3", "Qwen3 4B")
    whole = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(whole - 100)
    entry = told(path)
    assert entry.problem is Fault.TRUNCATED and entry.family == "Qwen" and entry.name == "Qwen3 4B"
    assert entry.facts["file_bytes"] == whole - 100 and entry.facts["expected_bytes"] == whole


def test_an_architecture_that_the_shipped_library_does_not_have_is_told(tmp_path: Path) -> None:
    entry = told(write_chat_model(tmp_path / "new.gguf", "qwen99", "Qwen 99"))
    assert entry.problem is Fault.UNSUPPORTED_ARCHITECTURE and entry.facts == {"architecture": "qwen99"}
    assert entry.family == "Qwen" and entry.quantization == "F16"


def test_the_table_of_architectures_is_that_of_the_shipped_library() -> None:
    from importlib.util import find_spec

    from models.library.knowledge import _table

    spec = find_spec("llama_cpp")
    assert spec is not None and spec.origin is not None
    table = _table("architectures")
    assert table["version"] in str(next(Path(spec.origin).parents[1].glob("llama_cpp_python-*.dist-info")))
    libraries = [*Path(spec.origin).with_name("lib").glob("*llama*.*")]
    content = b"".join(file.read_bytes() for file in libraries if not file.is_symlink())
    assert b"\0granitehybrid\0" in content
    # The linker may keep a short name only as the end of a longer one.
    absent = [name for name in table["architectures"] if name.encode() + b"\0" not in content]
    assert not absent


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", Fault.NOT_GGUF),
        (b"<!DOCTYPE html>", Fault.NOT_GGUF),
        (b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 0), Fault.DAMAGED),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 60), Fault.DAMAGED),
        (b"GGUF" + struct.pack("<IQQ", 3, 5, 5), Fault.TRUNCATED),
        (b"GGUF" + struct.pack("<IQQ", 9, 5, 5), Fault.DAMAGED),
    ],
)
def test_what_is_no_model_is_listed_with_its_reason(tmp_path: Path, content: bytes, fault: Fault) -> None:
    path = tmp_path / "odd-model.gguf"
    path.write_bytes(content)
    entry = told(path)
    assert entry.problem is fault and entry.name == "odd-model" and entry.size == len(content)


def test_numbers_beyond_all_reason_still_make_an_entry_that_can_be_sent(tmp_path: Path) -> None:
    from models.library.messages import Found, decode_report, encode

    path = write_chat_model(tmp_path / "huge.gguf")
    data = bytearray(path.read_bytes())
    place = data.index(b"token_embd.weight") + len(b"token_embd.weight") + 4
    struct.pack_into("<QQ", data, place, 1 << 62, 1 << 62)
    path.write_bytes(data)
    entry = told(path)
    assert entry.problem is not None
    assert decode_report(encode(Found(entry))) == Found(entry)


def test_texts_of_a_header_are_cut_and_cannot_disturb_the_screen(tmp_path: Path) -> None:
    texts = {"general.name": "\x1b[2J\u202eevil\n" + "x" * 9_000, "general.license": "\a" * 300}
    entry = told(write_gguf(tmp_path / "evil.gguf", texts=texts, languages=["e\nn", "\x00", "x" * 400]))
    assert len(entry.name) <= 200 and entry.name.isprintable() and entry.licence == ""
    assert entry.languages == ("e n", "x" * 20)


def test_a_split_model_is_one_model(tmp_path: Path) -> None:
    paths = write_split(tmp_path, "Split-7B-Q8", 3)
    candidates = [seen for seen in look(folder(tmp_path)) if isinstance(seen, Candidate)]
    (candidate,) = candidates
    entry = describe(candidate, look_at(candidate), SeenLists())
    assert [file.path for file in entry.files] == [str(path) for path in paths]
    assert entry.parameters == 3 * 64 * 64 and entry.problem is None and entry.name == "Split model"
    assert entry.size == sum(path.stat().st_size for path in paths) and entry.path == str(paths[0])


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_a_missing_part_is_named(tmp_path: Path, gone: int) -> None:
    write_split(tmp_path, "Split", 3)[gone].unlink()
    (candidate,) = [seen for seen in look(folder(tmp_path)) if isinstance(seen, Candidate)]
    entry = describe(candidate, look_at(candidate), SeenLists())
    assert entry.problem is Fault.PART_MISSING
    assert (entry.facts["parts"], entry.facts["missing"]) == (3, str(gone + 1))


def test_a_part_that_was_renamed_to_stand_alone_is_no_whole_model(tmp_path: Path) -> None:
    write_split(tmp_path, "Split", 3)[0].rename(tmp_path / "alone.gguf")
    entry = told(tmp_path / "alone.gguf")
    assert entry.problem is Fault.PART_MISSING and entry.facts["parts"] == 3


def test_a_part_that_was_cut_is_named(tmp_path: Path) -> None:
    paths = write_split(tmp_path, "Split", 2)
    with paths[1].open("r+b") as file:
        file.truncate(paths[1].stat().st_size - 10)
    place = Place(Source.FILE, str(paths[1]))
    (candidate,) = [seen for seen in look(place) if isinstance(seen, Candidate)]
    entry = describe(candidate, look_at(candidate), SeenLists())
    assert entry.problem is Fault.TRUNCATED and entry.facts["file"] == paths[1].name
