"""Remote models for the desktop: which a provider has, remembered from the last time somebody asked. asyncio; no Qt."""

from __future__ import annotations

import time
from contextlib import aclosing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from desktop.files import read_json, write_json
from providers.errors import ProviderError
from providers.gate.chat_messages import ModelsFound, ModelsList, RemoteRefused
from providers.gate.client import BrokerClient
from providers.gate.faults import BrokerGone, GateError
from providers.keys import KeyPlace, provider_key
from providers.remote.faults import RemoteFault
from providers.remote.values import RemoteModelInfo, Service
from providers.remote_model import gate_error

FILE = "remote-models.json"
_MOST_REMEMBERED = 2_000  # models of one provider


@dataclass(frozen=True, slots=True)
class Remembered:
    """The models of a provider, and when they were asked for (seconds since 1970)."""

    models: tuple[RemoteModelInfo, ...] = ()
    asked_at: float = 0.0


def key_place(service: Service) -> KeyPlace:
    """Where the key for a provider is kept, and the only host it goes to."""
    return provider_key(service.id, service.base_url, service.own)


async def models_of(client: BrokerClient, provider: str) -> tuple[RemoteModelInfo, ...]:
    """Ask a provider, now, which models it has. Raises `ProviderError`."""
    found: tuple[RemoteModelInfo, ...] = ()
    facts: dict[str, int | str] = {}
    try:
        async with aclosing(client.request(ModelsList(provider))) as events:
            async for event in events:
                match event:
                    case ModelsFound(models):
                        found = models
                    case RemoteRefused(fault, detail, told):
                        raise ProviderError(fault, detail, dict(told))
    except GateError as error:
        raise gate_error(error, facts) from error
    except BrokerGone as error:
        raise ProviderError(RemoteFault.NO_BROKER, error.detail, facts) from error
    return found


def remembered(home: Path) -> dict[str, Remembered]:
    """What each provider had when it was asked last. A damaged file remembers nothing."""
    try:
        record = read_json(home / FILE)
        return {provider: _remembered(entry) for provider, entry in record.items()}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def remember(home: Path, provider: str, models: tuple[RemoteModelInfo, ...]) -> Remembered:
    """Keep what a provider has just said. Raises OSError."""
    kept = Remembered(models[:_MOST_REMEMBERED], time.time())
    everything = {**remembered(home), provider: kept}
    write_json(home / FILE, {name: asdict(entry) for name, entry in everything.items()}, compact=True)
    return kept


def forget(home: Path, provider: str) -> None:
    """A server that is gone has no models. Raises OSError."""
    rest = {name: asdict(entry) for name, entry in remembered(home).items() if name != provider}
    write_json(home / FILE, rest, compact=True)


def _remembered(entry: Any) -> Remembered:
    models = tuple(RemoteModelInfo(**model) for model in entry["models"])
    if not all(type(model.id) is str and type(model.context_tokens) is int for model in models):
        raise ValueError("not what this version writes")
    return Remembered(models, float(entry["asked_at"]))
