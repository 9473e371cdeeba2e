"""A hub on loopback, the folders of one computer, and everything that its downloads told."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from support.hub_server import HubServer, Misbehaviour
from support.plain_http import PlainHttp, plain_client

from models.download import Downloads
from models.download_files import place_of
from models.download_values import (
    Backoff,
    Event,
    Wanted,
    WantedFile,
)
from models.http import Http

REPO = "ann/chat"
QUICK = Backoff(attempts=4, first=0.001, longest=0.01)
Told = TypeVar("Told")
DATA = random.Random(1).randbytes(3_000_000)


class Bench:
    """A hub, the folders of one computer, and everything that was told."""

    def __init__(self, hub: HubServer, home: Path, http: Http) -> None:
        self.hub, self.http = hub, http
        self.folder, self.models = home / "downloads", home / "models"
        self.events: list[Event] = []
        self.token: str | None = None
        self.then: Callable[[Event], None] = lambda event: None

    def emit(self, event: Event) -> None:
        self.events.append(event)
        self.then(event)

    def start(self) -> Downloads:
        """The queue as the program finds it when it starts."""
        return Downloads(self.http, self.folder, self.models, lambda _: self.token, self.emit, QUICK)

    def wanted(self, *paths: str, repo: str = REPO) -> Wanted:
        repository = self.hub.repositories[repo]
        files = tuple(
            WantedFile(path, repository.files[path].size, repository.files[path].sha256)
            for path in paths or ("chat.gguf",)
        )
        return Wanted(self.hub.url, repo, repository.sha, files)

    def fetch(self, *paths: str) -> str:
        downloads = self.start()
        name = downloads.add(self.wanted(*paths))
        downloads.run(until_idle=True)
        return name

    def told(self, kind: type[Told]) -> list[Told]:
        return [event for event in self.events if isinstance(event, kind)]

    def place(self, path: str = "chat.gguf") -> Path:
        return place_of(self.models, REPO, path)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with HubServer() as hub, plain_client() as client:
        hub.add(REPO, {"chat.gguf": DATA})
        yield Bench(hub, tmp_path, PlainHttp(client))


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def cut(dice: random.Random, number: int) -> Misbehaviour:
    return Misbehaviour(cut_after=dice.randrange(1, 600_000), reset=number % 2 == 1)


def running(downloads: Downloads) -> threading.Thread:
    thread = threading.Thread(target=downloads.run, daemon=True)
    thread.start()
    return thread
