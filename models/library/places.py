"""Where models lie on a disk: folders, single files, and the stores of other programs.

Nothing here opens a model; names and folders are all that is read, and Ollama's manifests. Folders are listed as a
stream, so that one with 200,000 files takes little memory. What can't be listed is told and passed over.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from models.library import ollama
from models.library.candidates import Candidate, Place, Seen, unreadable
from models.library.entry import Source
from models.library.splits import Splits, is_part

SUFFIX = ".gguf"
TRASH = ".alcove-trash"
"""Folders of this name hold what was removed, and are not looked into."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_TICK = 256


def usual_places(home: Path, environ: Mapping[str, str]) -> tuple[Place, ...]:
    """The stores of other programs, whether they are there or not. Reads nothing.

    `environ` may have HF_HUB_CACHE, HF_HOME and XDG_CACHE_HOME (huggingface_hub's constants.py) and OLLAMA_MODELS
    (Ollama's docs/faq); `home` is the person's home folder.
    """
    cache = environ.get("XDG_CACHE_HOME") or home / ".cache"
    hugging_face = environ.get("HF_HUB_CACHE") or Path(
        environ.get("HF_HOME") or Path(cache, "huggingface"), "hub"
    )
    models = environ.get("OLLAMA_MODELS")
    stores = [
        (Source.OLLAMA, models or home / ".ollama" / "models"),
        *([] if models else [(Source.OLLAMA, "/usr/share/ollama/.ollama/models")]),  # its service on Linux
        (Source.HUGGING_FACE, hugging_face),
        (Source.LM_STUDIO, home / ".lmstudio" / "models"),
        (Source.LM_STUDIO, home / ".cache" / "lm-studio" / "models"),
    ]
    return tuple(Place(source, os.path.abspath(Path(path).expanduser())) for source, path in stores)


def look(place: Place) -> Iterator[Seen]:
    """Everything in a place that may be a model, as it is found.

    A store of another program that is not there is no news; a folder that was asked for is.
    """
    try:
        os.stat(place.path)
    except OSError as error:
        if place.source in (Source.FOLDER, Source.FILE) or not isinstance(error, FileNotFoundError):
            yield unreadable(place.path, error)
        return
    match place.source:
        case Source.FILE:
            yield from _file(place)
        case Source.FOLDER | Source.LM_STUDIO:
            yield from _tree(place, place.path)
        case Source.HUGGING_FACE:
            yield from _hugging_face(place)
        case Source.OLLAMA:
            yield from ollama.look_into(place)


def _file(place: Place) -> Iterator[Seen]:
    folder, name = os.path.split(place.path)
    if not is_part(name):
        yield Candidate((place.path,), place, folder)
        return
    splits = Splits()
    splits.add(folder, name)
    try:
        with os.scandir(folder) as names:
            for other in names:
                if is_part(other.name) and splits.knows(other.name):
                    splits.add(folder, other.name)
    except OSError:
        pass  # the parts that can be named are those that are there
    for paths, missing in splits.all():
        yield Candidate(paths, place, folder, missing=missing)


def _tree(place: Place, root: str, repo: str = "") -> Iterator[Seen]:
    """All model files below `root`. Links to folders are followed, each folder is listed once."""
    waiting = [root]
    listed: set[tuple[int, int]] = set()
    while waiting:
        folder = waiting.pop()
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in listed:
                continue
            listed.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as names:
                yield from _folder(place, folder, names, waiting, repo)
        except OSError as error:
            yield unreadable(folder, error)
        yield None


def _folder(
    place: Place, folder: str, names: Iterator[os.DirEntry[str]], waiting: list[str], repo: str
) -> Iterator[Seen]:
    repo = repo or _repo(place, folder)
    splits = Splits()
    for count, item in enumerate(names, 1):
        if count % _TICK == 0:
            yield None
        name = item.name
        if _is_folder(item):
            if name != TRASH:
                waiting.append(item.path)
        elif name.lower().endswith(SUFFIX) and _is_file(item):
            if is_part(name):
                splits.add(folder, name)
            else:
                yield candidate(place, (item.path,), folder, repo)
    for paths, missing in splits.all():
        yield candidate(place, paths, folder, repo, missing)


def candidate(
    place: Place, paths: tuple[str, ...], folder: str, repo: str, missing: tuple[int, ...] = ()
) -> Candidate:
    """A find in a folder, with the hashes that the names of linked blobs tell."""
    expected = tuple(map(_blob_hash, paths)) if place.source is Source.HUGGING_FACE else ()
    return Candidate(paths, place, folder, repo=repo, expected_sha256=expected, missing=missing)


def _is_folder(item: os.DirEntry[str]) -> bool:
    try:
        return item.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _is_file(item: os.DirEntry[str]) -> bool:
    """Ordinary files, and links that lead nowhere any more: those are listed with that as their reason."""
    try:
        return item.is_file() or (item.is_symlink() and not os.path.exists(item.path))
    except OSError:
        return item.is_symlink()


def _repo(place: Place, folder: str) -> str:
    """LM Studio: publisher/repository, the first two folders below its root."""
    if place.source is not Source.LM_STUDIO:
        return ""
    parts = Path(os.path.relpath(folder, place.path)).parts
    return "/".join(parts[:2]) if len(parts) >= 2 and ".." not in parts else ""


def _blob_hash(path: str) -> str:
    """huggingface_hub names the blob of a large file by its SHA-256 (of a small one by its git hash)."""
    try:
        name = os.path.basename(os.readlink(path))
    except OSError:  # on Windows without links, the file itself lies there
        return ""
    return name if _SHA256.fullmatch(name) else ""


def _hugging_face(place: Place) -> Iterator[Seen]:
    """models--ORG--NAME/snapshots/REVISION/…, the revision of refs/main first (huggingface_hub, "Manage cache")."""
    try:
        with os.scandir(place.path) as names:
            for item in names:
                if item.name.startswith("models--") and _is_folder(item):
                    yield from _repository(
                        place, item.path, item.name.removeprefix("models--").replace("--", "/")
                    )
                yield None
    except OSError as error:
        yield unreadable(place.path, error)


def _repository(place: Place, folder: str, repo: str) -> Iterator[Seen]:
    snapshots = os.path.join(folder, "snapshots")
    try:
        revisions = sorted(os.listdir(snapshots))
    except FileNotFoundError:
        return
    except OSError as error:
        yield unreadable(snapshots, error)
        return
    main = _main_revision(folder)
    for revision in sorted(revisions, key=lambda name: name != main):
        yield from _tree(place, os.path.join(snapshots, revision), repo)


def _main_revision(folder: str) -> str:
    try:
        with open(os.path.join(folder, "refs", "main"), encoding="ascii") as file:
            return file.read(100).strip()
    except (OSError, ValueError):
        return ""
