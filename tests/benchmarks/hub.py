"""Downloads and headers from a hub on loopback: throughput beside huggingface_hub's own, and what cuts cost."""

from __future__ import annotations

import functools
import hashlib
import os
import random
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.row import Row
from support.hub_process import hub_process
from support.hub_server import HubServer, Misbehaviour
from support.plain_http import PlainHttp, plain_client

from desktop.processes.switch import Position, Switch, write_switch
from models.download import Downloads
from models.download_files import place_of
from models.download_values import Backoff, Wanted, WantedFile
from models.hub_values import file_url
from models.ranges import content_range
from models.remote_header import MOST_BYTES, MOST_REQUESTS, read_remote_header

REPO = "ann/chat"
CUTS = 50
WORDS = 150_000
AT_ONCE = 4
ROOT = Path(__file__).parents[2]
QUIET = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_XET": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
}


def run(quick: bool) -> list[Row]:
    """The rows of this area; `quick` uses a smaller file and repeats less."""
    with tempfile.TemporaryDirectory(prefix="alcove-bench-") as folder:
        return [*_throughput(Path(folder), quick), _cuts(Path(folder), quick), _header()]


# ---- throughput


def _throughput(folder: Path, quick: bool) -> list[Row]:
    size = (100 if quick else 300) << 20
    file = folder / "chat.gguf"
    _write_random(file, size)
    with hub_process(REPO, file) as hub:
        ways: dict[str, Callable[[Path], None]] = {
            "their command": lambda place: _command_theirs(hub, place),
            "our command": lambda place: _command_ours(hub, place),
            "theirs": lambda place: _fetch_theirs(hub, place),
            "ours": lambda place: _fetch_ours(hub, place),
            "ranges": lambda place: _fetch_in_ranges(hub, place),
            "hash": lambda place: _hash(file),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(3 if quick else 7):
            for name, fetch in ways.items():
                with tempfile.TemporaryDirectory(dir=folder) as place:
                    before = time.perf_counter()
                    fetch(Path(place))
                    times[name].append(time.perf_counter() - before)
    return _throughput_rows(size, times)


def _throughput_rows(size: int, times: dict[str, list[float]]) -> list[Row]:
    seconds = {name: median(taken) for name, taken in times.items()}
    speed = {name: f"{size / taken / 1e6:.0f} MB/s" for name, taken in seconds.items()}
    how = f"{size >> 20} MB from a hub on loopback, median of {len(times['ours'])} in turns"
    return [
        _ratio_row(
            "Download throughput, beside huggingface_hub's own command line",
            seconds["their command"] / seconds["our command"],
            f"{speed['our command']} and {speed['their command']}",
            f"{how}; from the start of a process (`alcove models pull`, `hf download`) to its end; ours goes "
            "through the broker and its gate, is hashed, synced, and in the library",
        ),
        _ratio_row(
            "Download throughput, beside hf_hub_download",
            seconds["theirs"] / seconds["ours"],
            f"{speed['ours']} and {speed['theirs']}",
            f"{how}, in one process; ours is hashed and on the disk at its end, theirs neither; SHA-256 alone "
            f"takes {speed['hash']} here",
        ),
        Row(
            name="Download throughput, beside hf_hub_download and a check of the hash",
            figure=f"{(seconds['theirs'] + seconds['hash']) / seconds['ours']:.2f}",
            target="",
            met=None,
            how="the same runs, with the time of SHA-256 over the file added to theirs",
        ),
        Row(
            name=f"{AT_ONCE} connections instead of one, without hashing",
            figure=speed["ranges"],
            target="",
            met=None,
            how=f"the same file in {AT_ONCE} ranges at once; a download is hashed, at {speed['hash']}, so it uses one",
        ),
    ]


def _ratio_row(name: str, ratio: float, figures: str, how: str) -> Row:
    return Row(name=name, figure=f"{ratio:.2f} ({figures})", target="0.95", met=ratio >= 0.95, how=how)


def _write_random(file: Path, size: int) -> None:
    dice = random.Random(1)
    with file.open("wb") as target:
        for _ in range(size >> 20):
            target.write(dice.randbytes(1 << 20))


def _wanted(hub: dict[str, Any]) -> Wanted:
    return Wanted(hub["url"], REPO, hub["revision"], (WantedFile("chat.gguf", hub["size"], hub["sha256"]),))


def _command_theirs(hub: dict[str, Any], place: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "from huggingface_hub.cli.hf import main; main()",
        "download",
        REPO,
        "chat.gguf",
    ]
    command += ["--revision", hub["revision"], "--cache-dir", str(place), "--quiet"]
    environment = {**os.environ, **QUIET, "HF_ENDPOINT": hub["url"], "HF_HOME": str(place / "home")}
    subprocess.run(command, env=environment, check=True, capture_output=True)
    assert [file for file in place.rglob("chat.gguf") if file.stat().st_size == hub["size"]]


def _command_ours(hub: dict[str, Any], place: Path) -> None:
    """The whole program: window's process, broker, gate, ledger, the hub's own list of files, and the library."""
    write_switch(str(place), Switch(Position.DOWNLOADS, hub["url"], plain_http=True))
    command = [sys.executable, "-m", "desktop", "models", "pull", REPO]
    subprocess.run(
        command, env={**os.environ, "ALCOVE_HOME": str(place)}, cwd=ROOT, check=True, capture_output=True
    )
    assert place_of(place / "models", REPO, "chat.gguf").stat().st_size == hub["size"]


@functools.cache
def _http() -> PlainHttp:
    """One client for all downloads, as huggingface_hub has one."""
    return PlainHttp(plain_client())


def _fetch_ours(hub: dict[str, Any], place: Path) -> None:
    downloads = Downloads(_http(), place / "downloads", place / "models", lambda _: None, lambda _: None)
    downloads.add(_wanted(hub))
    downloads.run(until_idle=True)
    assert place_of(place / "models", REPO, "chat.gguf").stat().st_size == hub["size"]


def _fetch_theirs(hub: dict[str, Any], place: Path) -> None:
    os.environ |= {
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_XET": "1",
    }
    from huggingface_hub import hf_hub_download

    got = hf_hub_download(
        REPO, "chat.gguf", revision=hub["revision"], cache_dir=place, endpoint=hub["url"], token=False
    )
    assert Path(got).stat().st_size == hub["size"]


def _fetch_in_ranges(hub: dict[str, Any], place: Path) -> None:
    """What several connections would bring where the network is not what limits."""
    target = place / "chat.gguf"
    with target.open("wb") as file:
        file.truncate(hub["size"])
    step = -(-hub["size"] // AT_ONCE)
    url = file_url(hub["url"], REPO, hub["revision"], "chat.gguf")

    def part(first: int) -> None:
        with plain_client() as client, target.open("r+b") as file:
            client.follow_redirects = True
            file.seek(first)
            asked = {
                "range": f"bytes={first}-{min(first + step, hub['size']) - 1}",
                "accept-encoding": "identity",
            }
            with client.stream("GET", url, headers=asked) as answer:
                assert content_range(answer.headers["content-range"]) is not None
                for piece in answer.iter_bytes():
                    file.write(piece)

    threads = [threading.Thread(target=part, args=(first,)) for first in range(0, hub["size"], step)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _hash(file: Path) -> None:
    digest = hashlib.sha256()
    with file.open("rb") as source:
        while piece := source.read(1 << 20):
            digest.update(piece)


# ---- cuts


@contextmanager
def _hub_with(data: bytes) -> Iterator[tuple[HubServer, PlainHttp]]:
    with HubServer() as hub, plain_client() as client:
        hub.add(REPO, {"chat.gguf": data})
        yield hub, PlainHttp(client)


def _cuts(folder: Path, quick: bool) -> Row:
    """Each download is cut fifty times at random places, and its program started again at half of them."""
    rounds = 2 if quick else 10
    right, again = 0, 0
    for number in range(rounds):
        dice = random.Random(number)
        data = dice.randbytes(20_000_000)
        with _hub_with(data) as (hub, http), tempfile.TemporaryDirectory(dir=folder) as place:
            cuts = [
                Misbehaviour(cut_after=dice.randrange(700_000), reset=dice.random() < 0.5)
                for _ in range(CUTS)
            ]
            hub.misbehave("/store/", *cuts)
            repository = hub.repositories[REPO]
            facts = {"url": hub.url, "revision": repository.sha, "size": len(data)}
            _through_cuts(http, facts | {"sha256": repository.files["chat.gguf"].sha256}, Path(place))
            got = place_of(Path(place) / "models", REPO, "chat.gguf").read_bytes()
            right += hashlib.sha256(got).digest() == hashlib.sha256(data).digest()
            again += sum(one.sent for one in hub.requests(server="store")) - len(data)
    return Row(
        name=f"Right hash after {CUTS} random cuts",
        figure=f"{right} of {rounds} downloads",
        target=f"{rounds} of {rounds}",
        met=right == rounds,
        how=f"20 MB each, half of the cuts resets, every other attempt in a new queue; {again / rounds / 1e6:.1f} MB "
        "of each sent again (what a reset loses)",
    )


def _through_cuts(http: PlainHttp, hub: dict[str, Any], place: Path) -> None:
    attempts = 2
    while not place_of(place / "models", REPO, "chat.gguf").exists():
        backoff = Backoff(attempts=attempts, first=0.0005, longest=0.001)
        downloads = Downloads(
            http, place / "downloads", place / "models", lambda _: None, lambda _: None, backoff
        )
        for standing in downloads.standing():
            downloads.resume(standing.id)
        if not downloads.standing():
            downloads.add(_wanted(hub))
        downloads.run(until_idle=True)


# ---- headers


def _header() -> Row:
    """As a model with a vocabulary of 150,000 words has it: words, kinds and merges, then 300 tensors."""
    data = _large_header()
    with _hub_with(data + bytes(20 << 20)) as (hub, http):
        url = file_url(hub.url, REPO, "main", "chat.gguf")
        before = time.perf_counter()
        read = read_remote_header(http, url)
        seconds = time.perf_counter() - before
        requests = len(hub.log)
    return Row(
        name="Header of a remote model with 150,000 words",
        figure=f"{requests} requests, {read.read_bytes / 1e6:.1f} MB",
        target=f"{MOST_REQUESTS} requests, {MOST_BYTES / 1e6:.0f} MB",
        met=requests <= MOST_REQUESTS and read.read_bytes <= MOST_BYTES and len(read.header.tensors) == 300,
        how=f"loopback, redirect included, {seconds * 1e3:.0f} ms; the header itself has {len(data) / 1e6:.1f} MB",
    )


def _large_header() -> bytes:
    dice = random.Random(2)
    words = b"".join(_text(dice.randbytes(dice.randrange(1, 14))) for _ in range(WORDS))
    merges = b"".join(_text(dice.randbytes(dice.randrange(3, 16))) for _ in range(WORDS))
    entries = [
        _text(b"general.architecture") + struct.pack("<I", 8) + _text(b"qwen2"),
        _text(b"tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, WORDS) + words,
        _text(b"tokenizer.ggml.token_type") + struct.pack("<IIQ", 9, 5, WORDS) + bytes(4 * WORDS),
        _text(b"tokenizer.ggml.merges") + struct.pack("<IIQ", 9, 8, WORDS) + merges,
    ]
    tensors = [
        _text(b"blk.%d.attn_k.weight" % n) + struct.pack("<IQQIQ", 2, 32, 32, 0, 4096 * n) for n in range(300)
    ]
    return (
        b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(entries)) + b"".join(entries) + b"".join(tensors)
    )


def _text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value
