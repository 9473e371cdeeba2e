"""Ollama's store: manifests name the models, blobs hold them.

manifests/REGISTRY/NAMESPACE/NAME/TAG is a small JSON file with layers; a layer's digest names its blob
(ollama/ollama, server/manifest.go and server/modelpath.go). A manifest may come from anybody: what does not look
as it should is passed over, and a digest never becomes a path unless it is one.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import Any

from models.library.candidates import Candidate, Place, Seen, unreadable

_MEDIA = "application/vnd.ollama.image."
_MODELS = ("model", "projector", "adapter")
_DIGEST = re.compile(r"sha256[:-]([0-9a-f]{64})")
_MANIFEST_BYTES = 1 << 20
_DEPTH = 4  # registry, namespace, name, tag
_MOST_LAYERS = 1_000


def look_into(place: Place) -> Iterator[Seen]:
    """The models, projectors and adapters of all manifests."""
    yield from _manifests(place, os.path.join(place.path, "manifests"), ())


def _manifests(place: Place, folder: str, parts: tuple[str, ...]) -> Iterator[Seen]:
    try:
        with os.scandir(folder) as names:
            items = [item for item in names if not item.is_symlink()]
    except FileNotFoundError:
        return
    except OSError as error:
        yield unreadable(folder, error)
        return
    for item in items:
        yield None
        if len(parts) + 1 < _DEPTH:
            if item.is_dir():
                yield from _manifests(place, item.path, (*parts, item.name))
        elif item.is_file():
            yield from _manifest(place, item.path, model_name((*parts, item.name)))


def model_name(parts: tuple[str, ...]) -> str:
    """What one types after `ollama run`: (registry, namespace, name, tag) without what Ollama leaves out."""
    registry, namespace, name, tag = parts
    host = "" if registry == "registry.ollama.ai" else f"{registry}/"
    owner = "" if namespace == "library" and not host else f"{namespace}/"
    return f"{host}{owner}{name}:{tag}"


def _manifest(place: Place, path: str, name: str) -> Iterator[Seen]:
    try:
        with open(path, "rb") as file:
            content = file.read(_MANIFEST_BYTES + 1)
    except OSError as error:
        yield unreadable(path, error)
        return
    for digest in model_digests(content):
        blob = _blob(place, digest)
        yield Candidate((blob,), place, path, name, repo=name.partition(":")[0], expected_sha256=(digest,))


def model_digests(manifest: bytes) -> Iterator[str]:
    """The SHA-256, in hexadecimal, of each layer that is a model file. None for what is no manifest."""
    if len(manifest) > _MANIFEST_BYTES:
        return
    try:
        content: Any = json.loads(manifest)
    except (ValueError, RecursionError):
        return
    layers = content.get("layers") if isinstance(content, dict) else None
    for layer in layers[:_MOST_LAYERS] if isinstance(layers, list) else ():
        if not isinstance(layer, dict):
            continue
        kind, digest = layer.get("mediaType"), layer.get("digest")
        if not isinstance(kind, str) or not isinstance(digest, str):
            continue
        match = _DIGEST.fullmatch(digest)
        if match and kind.startswith(_MEDIA) and kind.removeprefix(_MEDIA) in _MODELS:
            yield match[1]


def _blob(place: Place, digest: str) -> str:
    """blobs/sha256-…; versions before 0.1.36 wrote sha256:… where a name may have a colon."""
    blobs = os.path.join(place.path, "blobs")
    older = os.path.join(blobs, f"sha256:{digest}")
    return older if os.name != "nt" and os.path.exists(older) else os.path.join(blobs, f"sha256-{digest}")
