"""Models on a hub: searched, looked at and fetched through the broker. asyncio; no Qt, no network of its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator
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
)

SMALL_ENOUGH = ("Q4_K_M", "Q4_K_S", "Q4_0", "Q4_1", "Q5_K_M", "Q8_0")
"""Quantizations that most machines run well, the usual choice first."""


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
    return (await _answer(client, HubSearch(query), HubFound)).found


async def look(client: BrokerClient, repo: str) -> tuple[Page, Listing]:
    """A model's page, and its files at that page's commit. Raises as `search`."""
    answer = await _answer(client, HubLook(repo), HubModelPage)
    return answer.page, answer.listing


async def pull(
    client: BrokerClient, library: Library, page: Page, model: HubModel
) -> AsyncGenerator[PullProgress | Pulled, None]:
    """Fetch a model; ends with `Pulled`, when the library knows it as ours. Raises as `search`.

    Closing it gives the download up; what there is of it stays for the next time.
    """
    asked = HubPull(page.found.repo, page.sha, tuple(file.path for file in model.files))
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


def usual_choice(listing: Listing) -> HubModel | None:
    """The quantization to take when nobody says which: small enough, good enough. None when there is none."""
    models = [model for model in listing.models if model.complete and not model.projector]
    for wanted in SMALL_ENOUGH:
        for model in models:
            if model.quantization == wanted:
                return model
    return models[0] if models else None


async def _answer(client: BrokerClient, asked: object, kind: type[T]) -> T:
    async with aclosing(client.request(asked)) as events:
        async for event in events:
            if isinstance(event, kind):
                return event
            if isinstance(event, HubRefused):
                raise HubFailed(event.code, event.detail, event.facts)
    raise HubFailed("bad_answer", "the broker said nothing", {})
