"""Host names and addresses in their one plain form. Whatever can be written in two ways is refused."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from providers.gate.rules import Address, Mirror

_NAME = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*")  # RFC 1123, lower case
_TARGET = re.compile(r"/[!-~]*")  # visible ASCII: no blank, no line end
_LONGEST_NAME, _LONGEST_TARGET = 253, 8192
_USUAL_PORTS = {"https": 443, "http": 80}


def plain_url(url: str) -> str:
    """The URL itself. Raises ValueError for one with anything in it that two readers could take differently."""
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise ValueError("not the plain form of a URL")
    return url


def port_of(address: Address) -> int | None:
    """The port that would be connected to."""
    return _USUAL_PORTS.get(address.scheme) if address.port is None else address.port


def is_plain(address: Address) -> bool:
    """Whether every part is in its plain form, so that nobody further on can read it differently."""
    target = address.target
    return (
        is_plain_host(address.host)
        and _TARGET.fullmatch(target) is not None
        and len(target) <= _LONGEST_TARGET
        and "\\" not in target
        and "#" not in target
    )


def is_plain_host(host: str) -> bool:
    """A name in lower-case ASCII without a dot at its end, or an IP address as `ipaddress` would print it."""
    if len(host) > _LONGEST_NAME:
        return False
    if ":" in host or host.rpartition(".")[2].isdigit() or host.rpartition(".")[2].startswith("0x"):
        return _is_plain_ip(host)
    return _NAME.fullmatch(host) is not None


def _is_plain_ip(host: str) -> bool:
    try:
        return str(ipaddress.ip_address(host)) == host
    except ValueError:
        return False


def is_below(host: str, name: str) -> bool:
    """Whether `host` is `name` or a name below it: whole labels, so "xhf.co" is not below "hf.co"."""
    return host == name or host.endswith("." + name)


def is_this_machine(host: str) -> bool:
    """Loopback: "localhost" (RFC 6761) or an address of that kind."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def mirror_address(mirror: Mirror) -> Address | None:
    """Where a mirror is; None when there is none or its URL is not one that could be used."""
    try:
        parts = urlsplit(mirror.url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    address = Address(parts.scheme, host, port, parts.path or "/")
    usable = parts.scheme in _USUAL_PORTS and not (parts.query or parts.fragment or "@" in parts.netloc)
    return address if usable and is_plain(address) else None
