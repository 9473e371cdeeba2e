"""The queue of downloads in a real broker, and what it says of models on a hub before they are fetched."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from threading import Event as ThreadEvent
from typing import TypeVar

import pytest
from support.gguf_files import write_model
from support.hub_server import HubServer, Misbehaviour
from support.outside import broker, certificates, requests_in
from support.proxies import Proxy

from desktop import hub as desk
from desktop.catalogue import read_catalogue
from desktop.hub import HubFailed
from desktop.hub_fit import Fitting, fit, fit_all
from desktop.library import Library
from desktop.paths import Paths
from desktop.processes.switch import Position, Switch, write_switch
from models.download_values import State
from models.estimate import Machine, Verdict
from models.hub_values import HubFile, HubModel, Listing, Page, Query
from models.remote_header import MOST_BYTES, MOST_REQUESTS
from providers.gate.client import BrokerClient
from providers.gate.faults import BrokerGone, GateError
from providers.gate.hub_messages import (
    HubFit,
    HubFitted,
    QueueAdd,
    QueueAdded,
    QueueChanged,
    Queued,
    QueueEvent,
    QueueFinished,
    QueueGone,
    QueueStanding,
)
from providers.gate.protocol import GateFault

REPO = "ann/Chat-GGUF"
DATA = os.urandom(400_000)
OTHER = os.urandom(300_000)
MACHINE = Machine(memory_free=8 << 30, memory_bandwidth=10e9)
PATIENCE = 60.0
T = TypeVar("T")


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer(redirect=False) as server:
        server.add(REPO, {"chat-Q4_K_M.gguf": DATA, "chat-Q8_0.gguf": OTHER})
        yield server


@pytest.fixture
def home(tmp_path: Path, hub: HubServer) -> Path:
    write_switch(str(tmp_path), Switch(Position.DOWNLOADS, hub.url, plain_http=True))
    return tmp_path


class Desk:
    """A desktop on one home, as far as downloads go."""

    def __init__(self, home: Path, client: BrokerClient) -> None:
        self.client = client
        self.home = home
        self.library = Library(Paths(home), stores=())

    async def models(self, repo: str = REPO) -> tuple[Page, list[HubModel]]:
        page, listing = await desk.look(self.client, repo)
        return page, list(listing.models)

    async def add(self, quantization: str = "Q4_K_M", **more: bool) -> str:
        page, models = await self.models()
        chosen = [model for model in models if model.quantization == quantization]
        return await desk.add_to_queue(self.client, page, chosen, **more)

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[_Watch]:
        async with aclosing(desk.watch_queue(self.client, self.library)) as events:
            yield _Watch(events)

    def place(self, name: str = "chat-Q4_K_M.gguf") -> Path:
        return self.home / "models" / REPO / name

    def known(self) -> dict[str, str]:
        """What the library has on the disk as fetched by Alcove."""
        return read_catalogue(self.home / "library.json").downloaded


class _Watch:
    def __init__(self, events: AsyncIterator[QueueEvent]) -> None:
        self.events = events
        self.seen: list[QueueEvent] = []

    async def until(self, kind: type[T], what: Callable[[T], bool] = lambda _: True) -> T:
        """The next event of this kind that is so."""
        async with asyncio.timeout(PATIENCE):
            async for event in self.events:
                self.seen.append(event)
                if isinstance(event, kind) and what(event):
                    return event
        raise AssertionError("the watch ended")

    async def until_state(self, state: State) -> Queued:
        changed = await self.until(QueueChanged, lambda event: event.download.state == state)
        return changed.download


def with_desk(home: Path, work: Callable[[Desk], Awaitable[None]], **environ: str) -> None:
    async def run() -> None:
        async with broker(home, {"PATH": os.environ["PATH"], **environ}) as client:
            await work(Desk(home, client))

    asyncio.run(run())


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# ---- the queue


def test_a_download_is_watched_from_its_place_in_the_queue_into_the_library(
    home: Path, hub: HubServer
) -> None:
    async def work(here: Desk) -> None:
        async with here.watching() as watch:
            assert await watch.until(QueueStanding) == QueueStanding(())
            name = await here.add()
            over = await watch.until(QueueFinished)
            assert over.download == name and over.repo == REPO
            ((path, digest),) = [(file.path, file.sha256) for file in over.files]
            assert (path, digest) == (str(here.place()), sha256(DATA))
            assert here.place().read_bytes() == DATA
            assert here.known() == {path: digest}
        told = [event.download for event in watch.seen if isinstance(event, QueueChanged)]
        assert told[0].state == State.QUEUED and told[0].paths == ("chat-Q4_K_M.gguf",)
        assert told[-1].done_bytes == told[-1].total_bytes == len(DATA)
        with pytest.raises(HubFailed) as refused:
            await here.add()
        assert refused.value.code == "exists" and refused.value.facts["same"] == 1

    with_desk(home, work)


def test_closing_the_watch_stops_nothing_and_the_library_learns_of_it_later(
    home: Path, hub: HubServer
) -> None:
    go_on = ThreadEvent()
    hub.misbehave("chat-Q4_K_M", Misbehaviour(wait=go_on))

    async def work(here: Desk) -> None:
        async with here.watching() as watch:
            await watch.until(QueueStanding)
            await here.add()
            await watch.until_state(State.RUNNING)
        go_on.set()
        async with asyncio.timeout(PATIENCE):
            while not here.place().exists():
                await asyncio.sleep(0.02)
        assert here.known() == {}
        async with here.watching() as watch:
            if (await watch.until(QueueStanding)).downloads:  # in its place, and not yet off the list
                await watch.until(QueueFinished)
        assert here.known() == {str(here.place()): sha256(DATA)}

    with_desk(home, work)


def test_after_a_killed_broker_the_queue_goes_on_by_itself_and_what_was_stopped_stays_stopped(
    home: Path, hub: HubServer
) -> None:
    hub.add("ann/Paused", {"paused-Q4_0.gguf": OTHER})
    hub.add("ann/Broken", {"broken-Q4_0.gguf": OTHER})
    hub.misbehave("broken-", Misbehaviour(body=bytes(len(OTHER))))
    hub.misbehave("chat-Q4_K_M", Misbehaviour(bytes_per_second=100_000))

    async def add(here: Desk, repo: str) -> str:
        page, models = await here.models(repo)
        return await desk.add_to_queue(here.client, page, models[:1])

    async def before(here: Desk) -> None:
        async with here.watching() as watch:
            await watch.until(QueueStanding)
            broken = await add(here, "ann/Broken")
            failed = await watch.until_state(State.FAILED)
            assert (failed.id, failed.code) == (broken, "hash_mismatch")
            aside = Path(str(failed.facts["aside"]))
            assert aside.read_bytes() == bytes(len(OTHER))
            await here.add()
            await watch.until(QueueChanged, lambda event: 0 < event.download.done_bytes < len(DATA))
            paused = await add(here, "ann/Paused")
            await desk.pause(here.client, paused)
            os.kill(here.client._link.pid, signal.SIGKILL)
            with pytest.raises(BrokerGone):
                await watch.until(QueueFinished)

    async def after(here: Desk) -> None:
        async with here.watching() as watch:
            states = {row.repo: (row.state, row.code) for row in (await watch.until(QueueStanding)).downloads}
            assert states.pop(REPO)[0] in (State.QUEUED, State.RUNNING, State.CHECKING)
            assert states == {"ann/Broken": ("failed", "hash_mismatch"), "ann/Paused": ("paused", "")}
            await watch.until(QueueFinished, lambda over: over.repo == REPO)
            assert here.place().read_bytes() == DATA
            assert not (home / "models/ann/Broken/broken-Q4_0.gguf").exists()
            (again,) = [row.id for row in (await _standing(here)).downloads if row.repo == "ann/Broken"]
            await desk.resume(here.client, again)  # the hub sends the right one now
            over = await watch.until(QueueFinished)
            assert over.files[0].sha256 == sha256(OTHER)

    with_desk(home, before)
    with_desk(home, after)


async def _standing(here: Desk) -> QueueStanding:
    async with here.watching() as watch:
        return await watch.until(QueueStanding)


def test_a_silent_server_holds_up_neither_a_pause_nor_the_downloads_behind_it(
    home: Path, hub: HubServer
) -> None:
    go_on = ThreadEvent()
    hub.misbehave("chat-Q4_K_M", *[Misbehaviour(wait=go_on)] * 2)

    async def work(here: Desk) -> None:
        async with here.watching() as watch:
            await watch.until(QueueStanding)
            silent = await here.add("Q4_K_M")
            await watch.until_state(State.RUNNING)
            other = await here.add("Q8_0")
            await _until(lambda: hub.requests("chat-Q4_K_M"))
            await desk.pause(here.client, silent)
            over = await watch.until(QueueFinished)
            assert over.download == other
            assert [(row.id, row.state) for row in (await _standing(here)).downloads] == [(silent, "paused")]
            await desk.resume(here.client, silent)
            await _until(lambda: len(hub.requests("chat-Q4_K_M")) == 2)
            await desk.cancel(here.client, silent)
            await watch.until(QueueGone)
            assert [path.name for path in (home / "downloads").iterdir()] == [".lock"]
            with pytest.raises(HubFailed) as unknown:
                await desk.resume(here.client, silent)
            assert unknown.value.code == "unknown"
        go_on.set()

    with_desk(home, work)


async def _until(there: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not there():
            await asyncio.sleep(0.01)


def test_of_two_alcoves_on_one_home_one_has_the_queue_and_the_other_takes_it_over(
    home: Path, hub: HubServer
) -> None:
    go_on = ThreadEvent()
    hub.misbehave("chat-Q4_K_M", *[Misbehaviour(wait=go_on)] * 2)

    async def run() -> None:
        async with broker(home) as second:
            other = Desk(home, second)
            async with broker(home) as first:
                here = Desk(home, first)
                name = await here.add()
                async with other.watching() as watch:
                    seen = await watch.until(QueueStanding)
                    assert seen.elsewhere and [row.id for row in seen.downloads] == [name]
                    page, models = await other.models()
                    with pytest.raises(GateError) as busy:
                        await desk.add_to_queue(second, page, models[:1])
                    assert busy.value.fault is GateFault.BUSY
                    with pytest.raises(GateError) as busy:
                        async for _ in desk.pull(second, other.library, page, models[:1]):
                            pass
                    assert busy.value.fault is GateFault.BUSY
                    await first.close()
                    mine = await watch.until(QueueStanding, lambda standing: not standing.elsewhere)
                    assert [row.id for row in mine.downloads] == [name]
                    go_on.set()
                    await watch.until(QueueFinished)
        assert here.place().read_bytes() == DATA

    asyncio.run(run())


def test_a_file_that_is_replaced_on_the_hub_meanwhile_is_fetched_anew_and_known_by_its_new_hash(
    home: Path, hub: HubServer
) -> None:
    hub.misbehave("chat-Q4_K_M", Misbehaviour(bytes_per_second=200_000, cut_after=150_000))

    async def work(here: Desk) -> None:
        async with here.watching() as watch:
            await watch.until(QueueStanding)
            await here.add()
            await watch.until(QueueChanged, lambda event: event.download.done_bytes > 0)
            hub.replace(REPO, "chat-Q4_K_M.gguf", OTHER)
            over = await watch.until(QueueFinished)
            assert over.files[0].sha256 == sha256(OTHER)
            assert here.place().read_bytes() == OTHER and here.known() == {str(here.place()): sha256(OTHER)}

    with_desk(home, work)


def test_what_cannot_be_fetched_is_refused_with_its_reason_before_a_byte_of_it(
    home: Path, hub: HubServer
) -> None:
    huge = hub.add("ann/Huge", {"huge-Q4_0.gguf": b"x"})
    huge.files["huge-Q4_0.gguf"].size = 1 << 43
    added = hub.add("ann/Gated", {"gated-Q4_0.gguf": DATA}, gated="auto")

    async def asked(here: Desk, repo: str, revision: str, *paths: str) -> str:
        with pytest.raises(HubFailed) as refused:
            await desk.answer(here.client, QueueAdd(repo, revision, paths), QueueAdded)
        return refused.value.code

    async def work(here: Desk) -> None:
        assert await asked(here, "ann/Huge", huge.sha, "huge-Q4_0.gguf") == "no_space"
        assert await asked(here, REPO, hub.repositories[REPO].sha, "../../../evil.gguf") == "not_found"
        assert await asked(here, "../..", "0" * 40, "chat-Q4_K_M.gguf") == "bad_name"
        assert hub.requests("/resolve/") == []
        async with here.watching() as watch:
            await watch.until(QueueStanding)
            page, models = await here.models("ann/Gated")
            with pytest.raises(HubFailed) as closed:
                await fit(here.client, page, models[0], MACHINE)
            assert closed.value.code == "gated_no_token"
            await desk.add_to_queue(here.client, page, models)
            assert (await watch.until_state(State.FAILED)).code == "gated_no_token"
        assert added.files and not list((home / "models").rglob("*.gguf"))

    with_desk(home, work)


# ---- fits, before a download


def test_a_header_is_read_once_for_all_contexts_and_judged_for_this_machine(
    home: Path, hub: HubServer
) -> None:
    data = write_model(home / "made.gguf", context=4096).read_bytes()
    hub.add("ann/Fit", {"fit-Q4_K_M.gguf": data, "fit-Q8_0.gguf": data + bytes(len(data) - 10_000)})

    async def work(here: Desk) -> None:
        page, listing = await desk.look(here.client, "ann/Fit")
        small, large = listing.models
        short = await fit(here.client, page, small, MACHINE)
        assert (short.context_tokens, short.trained_context, short.rough) == (4096, 4096, False)
        asked = len(hub.requests("/resolve/"))
        assert asked - 1 <= MOST_REQUESTS  # one is the card
        half = await fit(here.client, page, small, MACHINE, 2048)
        eighth = await fit(here.client, page, small, MACHINE, 2048, ("Q8_0", "Q8_0"))
        assert short.cache_bytes == 2 * half.cache_bytes > eighth.cache_bytes * 1.8
        judged = {model: found async for model, found in fit_all(here.client, page, listing, MACHINE)}
        assert len(hub.requests("/resolve/")) == asked
        assert judged[small] == short
        other = judged[large]
        assert isinstance(other, Fitting) and other.rough and other.verdict is Verdict.CPU
        assert other.weights_bytes - short.weights_bytes == pytest.approx(len(data) - 10_000, abs=100)
        too_small = await fit(here.client, page, small, Machine(short.needed_bytes - 1))
        assert too_small.verdict is Verdict.WONT_FIT and too_small.tokens_per_second is None
        read = await desk.answer(here.client, HubFit("ann/Fit", page.sha, ("fit-Q8_0.gguf",)), HubFitted)
        assert read.requests <= MOST_REQUESTS and 0 < read.read_bytes <= MOST_BYTES

    with_desk(home, work)


def test_a_file_that_is_no_model_or_claims_too_much_is_said_to_be_damaged(home: Path, hub: HubServer) -> None:
    endless = b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 0) + bytes(1000)
    hub.add(
        "ann/Odd", {"odd-Q4_0.gguf": endless, "odd-Q8_0.gguf": b"PK" + bytes(2000), "good-Q4_0.gguf": DATA}
    )

    async def work(here: Desk) -> None:
        page, listing = await desk.look(here.client, "ann/Odd")
        codes = {}
        for model in listing.models:
            with pytest.raises(HubFailed) as refused:
                await fit(here.client, page, model, MACHINE)
            codes[model.name] = refused.value.code
        assert codes == {"odd-Q4_0": "damaged", "odd-Q8_0": "not_gguf", "good-Q4_0": "not_gguf"}
        judged = [found async for _, found in fit_all(here.client, page, listing, MACHINE)]
        assert all(isinstance(found, HubFailed) for found in judged)
        for repo, revision, path in (
            ("ann/Odd", page.sha, "../odd-Q4_0.gguf"),
            ("ann/Odd", "main", "odd-Q4_0.gguf"),
            ("ann/../x", page.sha, "odd-Q4_0.gguf"),
        ):
            with pytest.raises(HubFailed) as refused:
                await desk.answer(here.client, HubFit(repo, revision, (path,)), HubFitted)
            assert refused.value.code == "bad_name"

    with_desk(home, work)


# ---- an organisation's own hub


def test_an_organisations_hub_is_searched_judged_and_fetched_from_through_its_proxy_and_by_its_authority(
    tmp_path: Path,
) -> None:
    made = certificates(tmp_path, "hub.example")
    data = write_model(tmp_path / "made.gguf").read_bytes()
    home = tmp_path / "alcove"
    with HubServer(redirect=False, tls=made.context, host="hub.example") as hub, Proxy() as proxy:
        hub.add(REPO, {"chat-Q4_K_M.gguf": data})
        proxy.leads_to = hub.port
        write_switch(str(home), Switch(Position.DOWNLOADS, hub.url))

        async def work(here: Desk) -> None:
            assert [row.repo for row in await desk.search(here.client, Query("chat"))] == [REPO]
            page, listing = await desk.look(here.client, REPO)
            assert (await fit(here.client, page, listing.models[0], MACHINE)).verdict is Verdict.CPU
            async with here.watching() as watch:
                await watch.until(QueueStanding)
                await here.add()
                await watch.until(QueueFinished)
            assert here.place().read_bytes() == data

        with_desk(home, work, HTTPS_PROXY=proxy.place, SSL_CERT_FILE=str(made.authority))
        proxy.shutdown()
    assert {asked for asked, _ in proxy.asked} == {f"hub.example:{hub.port}"}
    rows = requests_in(home)
    assert {(row["host"], row["via"], row["rule"]) for row in rows} == {
        ("hub.example", proxy.place, "mirror")
    }


# ---- choices


def test_a_projector_goes_with_its_vision_model_the_most_exact_of_its_folder_first() -> None:
    assert desk.projector_for(_listing("chat-Q4_0.gguf"), _model("chat-Q4_0.gguf")) is None
    names = [
        "mmproj-Q4_0.gguf",
        "mmproj-BF16.gguf",
        "mmproj-F16.gguf",
        "b/mmproj-F16.gguf",
        "b/mmproj-Q8_0.gguf",
    ]
    listing = _listing("chat-Q4_0.gguf", *names)

    def of(path: str) -> str:
        found = desk.projector_for(listing, _model(path))
        assert found is not None
        return found.files[0].path

    assert of("chat-Q4_0.gguf") == "mmproj-F16.gguf"
    assert of("b/chat-Q4_0.gguf") == "b/mmproj-F16.gguf"
    assert desk.projector_for(listing, _model("mmproj-F16.gguf")) is None


def _listing(*paths: str) -> Listing:
    return Listing(tuple(map(_model, paths)), (), len(paths), True)


def _model(path: str) -> HubModel:
    name = path.rpartition("/")[2].removesuffix(".gguf")
    quantization, projector = name.rpartition("-")[2], name.startswith("mmproj")
    return HubModel(name, quantization, (HubFile(path, 100, "0" * 64),), projector, complete=True)
