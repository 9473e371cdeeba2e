"""The providers that Alcove knows, and the kinds of servers that a person can add: resources/providers/catalogue.json.

Another OpenAI-compatible provider is one more entry there (docs/adding-a-provider.md).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import resources
from providers.remote.values import Auth, Quirk, Service

_FILE = Path(resources.__path__[0]) / "providers" / "catalogue.json"


@cache
def catalogue() -> Mapping[str, Service]:
    """The providers, by their ids, in the order in which they are shown."""
    return {str(entry["id"]): service_from(entry) for entry in _read()["services"]}


@cache
def kinds_of_own_servers() -> Mapping[str, Service]:
    """What a server of one's own can be. Their addresses are only what is usual."""
    return {str(entry["id"]): service_from(entry) for entry in _read()["kinds_of_own_servers"]}


def service_from(entry: Mapping[str, object], *, own: bool = False, plain_http: bool = False) -> Service:
    """A service as an entry of the catalogue describes it. Raises ValueError, KeyError or TypeError for no entry."""
    known = {"id", "name", "dialect", "base_url", "auth", "quirks", "prices"}
    if not known >= entry.keys():
        raise ValueError(f"unknown names in an entry: {sorted(entry.keys() - known)}")
    quirks = entry.get("quirks", [])
    if not isinstance(quirks, list):
        raise TypeError("quirks are a list")
    return Service(
        id=str(entry["id"]),
        name=str(entry["name"]),
        dialect=str(entry["dialect"]),
        base_url=str(entry["base_url"]).rstrip("/"),
        auth=Auth(str(entry.get("auth", Auth.BEARER))),
        quirks=frozenset(Quirk(str(quirk)) for quirk in quirks),
        own=own,
        plain_http=plain_http,
        prices=str(entry.get("prices", "")),
    )


def _read() -> dict[str, list[dict[str, object]]]:
    read: dict[str, list[dict[str, object]]] = json.loads(_FILE.read_text(encoding="utf-8"))
    return read
