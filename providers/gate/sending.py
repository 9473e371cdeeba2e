"""What is really sent of a request, and what is noted of it: next to nothing about this machine."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable
from importlib.metadata import version

from providers.gate.address import port_of
from providers.gate.errand import Errand
from providers.gate.proxies import without_account
from providers.gate.rows import RequestRow, path_only
from providers.gate.rules import Address, Allowed, Decision, Outgoing, Purpose

USER_AGENT = f"Alcove/{version('alcove')}"

# What carries a key, in any of the ways providers ask for one.
CREDENTIALS = frozenset({"authorization", "x-api-key", "api-key", "x-goog-api-key"})
# All that a request without a model's turn may say about this machine.
_PLAIN_HEADERS = frozenset({"accept", "range", "if-range", "if-none-match", "if-modified-since"})
# Never taken over: what identifies the person or the machine, and what belongs to one connection.
_NEVER = frozenset(
    {"cookie", "host", "connection", "proxy-authorization", "proxy-connection", "te", "upgrade", "expect"}
    | {"transfer-encoding", "content-length", "user-agent", "accept-encoding", "forwarded", "referer"}
    | {"x-forwarded-for", "x-amzn-trace-id"}
)
_WITH_A_MODEL = (Purpose.CHAT, Purpose.TITLE, Purpose.TOOL, Purpose.MODELS)


def carries_a_key(names: Iterable[str]) -> bool:
    """Whether one of these headers does."""
    return any(name.lower() in CREDENTIALS for name in names)


def sent_headers(
    headers: Iterable[tuple[bytes, bytes]], address: Address, purpose: Purpose, body_bytes: int
) -> list[tuple[bytes, bytes]]:
    """The headers that leave. For a download that is next to nothing, whatever a library would like to tell."""
    host = f"[{address.host}]" if ":" in address.host else address.host
    own = {
        "Host": host if address.port is None else f"{host}:{address.port}",
        "User-Agent": USER_AGENT,
        "Accept-Encoding": "identity",
    }
    if body_bytes:
        own["Content-Length"] = str(body_bytes)
    chosen = [(name.encode("ascii"), value.encode("ascii")) for name, value in own.items()]
    for name, value in headers:
        plain = name.decode("latin-1").lower()
        if (
            plain in CREDENTIALS
            or plain in _PLAIN_HEADERS
            or (purpose in _WITH_A_MODEL and plain not in _NEVER)
        ):
            chosen.append((name, value))
    return chosen


def row_of(outgoing: Outgoing, errand: Errand, body: bytes, proxy: str, decision: Decision) -> RequestRow:
    """The row of a request that has been decided on."""
    address = outgoing.address
    return RequestRow(
        id=uuid.uuid4().hex,
        purpose=errand.purpose.value,
        method=outgoing.method[:16],
        scheme=address.scheme,
        host=address.host,
        port=port_of(address) or 0,
        path=path_only(address.target),
        verdict="allowed" if isinstance(decision, Allowed) else "refused",
        rule=decision.rule.value,
        provider=errand.provider,
        model=errand.model,
        conversation=errand.conversation,
        hop=outgoing.hop,
        via=without_account(proxy),
        body_bytes=len(body),
        body_sha256=hashlib.sha256(body).hexdigest() if body else "",
        redacted=errand.redacted,
    )
