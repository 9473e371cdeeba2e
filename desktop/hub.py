"""Models on a hub: searched, looked at and fetched through the broker. asyncio; no Qt, no network of its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TypeVar

from desktop.library import Library
from desktop.processes.adopted import AdoptedProcess
from desktop.processes.way_out import broker
from models.hub_values import Found, HubModel, Listing, Page, Query
from providers.gate.client import BrokerClient
from providers.gate.hub_messages import (
    HubFound,
    HubLook,
    HubModelPage,
    HubPull,
    HubRefused,
    HubSearch,
    Pulled,
    PullProgress,
    QueueAdd,
    QueueAdded,
    QueueCancel,
    QueueChanged,
    QueueEvent,
    QueueFinished,
    QueueGone,
    QueueMove,
    QueuePause,
    QueueResume,
    QueueStanding,
    QueueWatch,
)

SMALL_ENOUGH = ("Q4_K_M", "Q4_K_S", "Q4_0", "Q4_1", "Q5_K_M", "Q8_0")
"""Quantizations that most machines run well, the usual choice first."""

_PROJECTORS = ("F16", "FP16", "BF16", "Q8_0", "F32", "FP32")

T = TypeVar("T")


class Offline(Exception):
    """The network switch is offline, so there is no broker to ask."""


class HubFailed(Exception):
    """The hub, or the disk, refused. `code`: a `HubKind` or a `Problem`, with its facts."""

    def __init__(self, code: str, detail: str, facts: dict[str, int | str]) -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail
        self.facts = facts


def connect() -> BrokerClient:
    """The broker that was started with this process. Once per process. Raises `Offline`."""
    process = broker()
    if process is None:
        raise Offline
    return BrokerClient(AdoptedProcess(process))


async def search(client: BrokerClient, query: Query) -> tuple[Found, ...]:
    """Raises `HubFailed`, `GateError`, `BrokerGone`."""
    return (await answer(client, HubSearch(query), HubFound)).found


async def look(client: BrokerClient, repo: str) -> tuple[Page, Listing]:
    """A model's page, and its files at that page's commit. Raises as `search`."""
    seen = await answer(client, HubLook(repo), HubModelPage)
    return seen.page, seen.listing


async def pull(
    client: BrokerClient, library: Library, page: Page, models: Sequence[HubModel]
) -> AsyncGenerator[PullProgress | Pulled, None]:
    """Fetch a model, its projector with it; ends with `Pulled`, when the library knows it as ours.

    Closing it gives the download up; what there is of it stays for the next time. Raises as `search`.
    """
    asked = HubPull(page.found.repo, page.sha, _paths(models))
    async with aclosing(client.request(asked)) as events:
        async for event in events:
            match event:
                case PullProgress():
                    yield event
                case Pulled(files):
                    await library.mark_downloaded({file.path: file.sha256 for file in files})
                    yield event
                case HubRefused(code, detail, facts):
                    raise HubFailed(code, detail, facts)


# ---- the queue of downloads


async def watch_queue(client: BrokerClient, library: Library) -> AsyncGenerator[QueueEvent, None]:
    """The queue, and then every change of it, until this is closed or the broker has gone. Starts the queue.

    First a `QueueStanding` with all of it; later ones replace everything. What has finished is in the library
    before it is told here, also what finished while nobody looked. Raises as `search`.
    """
    async with aclosing(client.request(QueueWatch())) as events:
        async for event in events:
            match event:
                case QueueStanding():
                    # After the watch began: what finishes from now on is told below.
                    await library.note_fetched()
                    yield event
                case QueueFinished(files=files):
                    await library.mark_downloaded({file.path: file.sha256 for file in files})
                    yield event
                case QueueChanged() | QueueGone():
                    yield event
                case HubRefused(code, detail, facts):
                    raise HubFailed(code, detail, facts)


async def add_to_queue(
    client: BrokerClient, page: Page, models: Sequence[HubModel], *, replace: bool = False
) -> str:
    """Fetch a model of this page, its projector with it: the id of the download. Raises as `search`.

    Code "exists": all its files are on the disk already; the fact "same" is 1 when they are the very ones. What
    is in the queue already goes on and is not there twice.
    """
    asked = QueueAdd(page.found.repo, page.sha, _paths(models), replace)
    return (await answer(client, asked, QueueAdded)).download


async def pause(client: BrokerClient, download: str) -> None:
    """Keep what there is, and go on when asked to. Raises as `search`; code "unknown": it is not in the queue."""
    await _done(client, QueuePause(download))


async def resume(client: BrokerClient, download: str) -> None:
    """Go on with what was paused or has failed. Raises as `pause`."""
    await _done(client, QueueResume(download))


async def cancel(client: BrokerClient, download: str) -> None:
    """Take it out of the queue and remove what there is of it. Raises as `pause`."""
    await _done(client, QueueCancel(download))


async def move(client: BrokerClient, download: str, place: int) -> None:
    """To another place in the queue, 0 the first. Raises as `pause`."""
    await _done(client, QueueMove(download, place))


# ---- what to take of a repository


def usual_choice(listing: Listing) -> HubModel | None:
    """The quantization to take when nothing is known of this machine: small enough, good enough. None: none there."""
    models = whole_models(listing)
    for wanted in SMALL_ENOUGH:
        for model in models:
            if model.quantization == wanted:
                return model
    return models[0] if models else None


def whole_models(listing: Listing) -> list[HubModel]:
    """The models that can be fetched, from the smallest to the largest; no projectors."""
    return [model for model in listing.models if model.complete and not model.projector]


def projector_for(listing: Listing, model: HubModel) -> HubModel | None:
    """What a vision model sees with, of the same repository; None where there is none.

    In the same folder before another; F16 before BF16, Q8_0, F32 and the rest: it is small, and errors of the
    eye are not made good by the model.
    """
    projectors = [one for one in listing.models if one.projector and one.complete]
    if model.projector or not projectors:
        return None
    folder = model.files[0].path.rpartition("/")[0]

    def order(one: HubModel) -> tuple[bool, int, int]:
        kind = _PROJECTORS.index(one.quantization) if one.quantization in _PROJECTORS else len(_PROJECTORS)
        return one.files[0].path.rpartition("/")[0] != folder, kind, one.size

    return min(projectors, key=order)


def _paths(models: Sequence[HubModel]) -> tuple[str, ...]:
    return tuple(file.path for model in models for file in model.files)


async def _done(client: BrokerClient, asked: object) -> None:
    async with aclosing(client.request(asked)) as events:
        async for event in events:
            if isinstance(event, HubRefused):
                raise HubFailed(event.code, event.detail, event.facts)


async def answer(client: BrokerClient, asked: object, kind: type[T]) -> T:
    """The one answer of this kind to a request. Raises as `search`."""
    async with aclosing(client.request(asked)) as events:
        async for event in events:
            if isinstance(event, kind):
                return event
            if isinstance(event, HubRefused):
                raise HubFailed(event.code, event.detail, event.facts)
    raise HubFailed("bad_answer", "the broker said nothing", {})
