"""Model files for the library, as other programs write them, and the stores they lie in. Some kilobytes each."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from gguf import GGUFWriter

from models.library.candidates import Place
from models.library.entry import Source

Number = int | float | bool


def write_gguf(
    path: Path,
    architecture: str = "llama",
    *,
    texts: Mapping[str, str] | None = None,
    numbers: Mapping[str, int] | None = None,
    flags: Mapping[str, bool] | None = None,
    tensors: Mapping[str, tuple[int, ...]] | None = None,
    languages: Sequence[str] = (),
    vocabulary: int = 64,
    file_type: int | None = 1,
    salt: int = 0,
) -> Path:
    """A file with this metadata. Keys that begin with a dot belong to the architecture.

    `tensors`: shapes as numpy has them (rows first). `salt` makes two files differ in their weights.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = GGUFWriter(path, architecture)
    if file_type is not None:
        writer.add_file_type(file_type)
    for key, text in (texts or {}).items():
        writer.add_string(_key(architecture, key), text)
    for key, number in (numbers or {}).items():
        writer.add_uint32(_key(architecture, key), number)
    for key, flag in (flags or {}).items():
        writer.add_bool(_key(architecture, key), flag)
    if languages:
        writer.add_languages(list(languages))
    if vocabulary:
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre("gpt-2")
        writer.add_token_list([f"word{number}" for number in range(vocabulary)])
    for name, shape in (tensors or {"token_embd.weight": (vocabulary or 8, 64)}).items():
        writer.add_tensor(name, np.full(shape, salt, np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _key(architecture: str, key: str) -> str:
    return architecture + key if key.startswith(".") else key


def write_chat_model(
    path: Path, architecture: str = "llama", name: str = "Tiny", *, width: int = 64, salt: int = 0
) -> Path:
    """A chat model that says it is `width` numbers wide."""
    return write_gguf(
        path,
        architecture,
        texts={"general.type": "model", "general.name": name, "tokenizer.chat_template": "{{ messages }}"},
        numbers={".block_count": 1, ".context_length": 4096, ".embedding_length": width},
        tensors={"token_embd.weight": (64, width)},
        salt=salt,
    )


def write_projector(path: Path, width: int, file_type: int = 1) -> Path:
    """What llama.cpp's converter writes with --mmproj."""
    return write_gguf(
        path,
        "clip",
        texts={"general.type": "mmproj", "general.name": "Projector", "clip.projector_type": "gemma3"},
        numbers={"clip.vision.projection_dim": width, "clip.vision.block_count": 1},
        flags={"clip.has_vision_encoder": True},
        tensors={"mm.input_projection.weight": (8, width), "v.blk.0.attn_q.weight": (8, 8)},
        vocabulary=0,
        file_type=file_type,
    )


def write_split(folder: Path, name: str, parts: int, salt: int = 0) -> list[Path]:
    """A model in several files, as gguf-split writes it: only the first says what it is."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}-{number:05}-of-{parts:05}.gguf" for number in range(1, parts + 1)]
    for number, path in enumerate(paths):
        writer = GGUFWriter(path, "llama")
        if number == 0:
            writer.add_name("Split model")
            writer.add_context_length(2048)
            writer.add_file_type(1)
            writer.add_chat_template("{{ messages }}")
        else:
            del writer.kv_data[0]["general.architecture"]
        writer.add_uint16("split.no", number)
        writer.add_uint16("split.count", parts)
        writer.add_int32("split.tensors.count", parts)
        writer.add_tensor(f"blk.{number}.attn_q.weight", np.full((64, 64), salt, np.float16))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    return paths


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def into_hugging_face_cache(
    cache: Path, repo: str, file: Path, revision: str = "a" * 40, name: str = ""
) -> Path:
    """Put a file into a cache laid out as huggingface_hub does it. Returns the link in its snapshot."""
    root = cache / ("models--" + repo.replace("/", "--"))
    blob = root / "blobs" / sha256_of(file)
    link = root / "snapshots" / revision / (name or file.name)
    for path in (blob, link, root / "refs" / "main"):
        path.parent.mkdir(parents=True, exist_ok=True)
    file.replace(blob)
    link.symlink_to(os.path.relpath(blob, link.parent))
    (root / "refs" / "main").write_text(revision)
    return link


def into_ollama_store(
    store: Path, name: tuple[str, str, str, str], layers: Mapping[str, Path], *, media: str = ""
) -> dict[str, Path]:
    """Put files into a store laid out as Ollama does it. `layers`: what each is ("model", "projector", …).

    Returns their blobs.
    """
    blobs = {}
    described = []
    for kind, file in layers.items():
        digest = sha256_of(file)
        blob = store / "blobs" / f"sha256-{digest}"
        blob.parent.mkdir(parents=True, exist_ok=True)
        described.append(
            {
                "mediaType": f"application/vnd.ollama.image.{kind}",
                "digest": f"sha256:{digest}",
                "size": file.stat().st_size,
            }
        )
        file.replace(blob)
        blobs[kind] = blob
    manifest = store.joinpath("manifests", *name)
    manifest.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "digest": "sha256:" + "0" * 64,
        },
        "layers": described,
    }
    manifest.write_text(json.dumps(content))
    return blobs


def folder(path: Path) -> Place:
    return Place(Source.FOLDER, str(path))
