"""Which proxy a request goes through, by the environment variables that programs agree on."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from providers.gate.address import is_below, is_this_machine, port_of
from providers.gate.rules import Address

PROXY_SCHEMES = ("http", "https")


class ProxyNotUnderstood(ValueError):
    """A proxy is asked for that can't be used. Going around it would be worse."""


def proxy_for(scheme: str, host: str, port: int, environ: Mapping[str, str]) -> str:
    """The URL of the proxy for a request; "" when it goes straight. Raises `ProxyNotUnderstood`.

    HTTPS_PROXY or HTTP_PROXY by the scheme, else ALL_PROXY; in small letters first, as curl reads them. This
    machine itself is never reached through a proxy. NO_PROXY: names (with what is below them), addresses,
    networks, each with a port if wanted, or "*".
    """
    proxy = _value(f"{scheme}_proxy", environ) or _value("all_proxy", environ)
    if not proxy or is_this_machine(host) or _is_excepted(host, port, _value("no_proxy", environ)):
        return ""
    if "://" not in proxy:
        proxy = "http://" + proxy
    try:
        parts = urlsplit(proxy)
        usable = parts.scheme in PROXY_SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ProxyNotUnderstood("the proxy is not an http:// or https:// address")
    return proxy


def place_of(address: Address, proxy: str) -> tuple[str, int]:
    """Host and port that are connected to: the proxy's, if there is one."""
    if not proxy:
        return address.host, port_of(address) or 0
    parts = urlsplit(proxy)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def without_account(proxy: str) -> str:
    """A proxy's host and port, for the ledger; "" for none."""
    host, port = place_of(Address("http", "", None, "/"), proxy)
    return f"{host}:{port}" if proxy else ""


def _value(name: str, environ: Mapping[str, str]) -> str:
    return (environ.get(name) or environ.get(name.upper()) or "").strip()


def _is_excepted(host: str, port: int, exceptions: str) -> bool:
    return any(_fits(host, port, entry.strip().lower()) for entry in exceptions.split(",") if entry.strip())


def _fits(host: str, port: int, entry: str) -> bool:
    if entry == "*":
        return True
    name, colon, number = entry.rpartition(":")
    if colon and number.isdigit() and (name.startswith("[") or ":" not in name):
        if int(number) != port:
            return False
        entry = name
    entry = entry.strip("[]").removeprefix("*").removeprefix(".")
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return bool(entry) and is_below(host, entry)
