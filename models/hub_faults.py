"""What can be wrong between this machine and a hub, as codes and facts. No words for people, and no secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

from models.http import HttpFault, HttpProblem, Refused

LONGEST_RETRY_AFTER = 24 * 3600
_DETAIL = 300


class HubKind(StrEnum):
    """Environment faults, never bugs of ours."""

    OFFLINE = "offline"
    UNREACHABLE = "unreachable"
    TLS = "tls"
    NOT_FOUND = "not_found"  # also what a hub says of a private repository to a stranger
    GATED_NO_TOKEN = "gated_no_token"
    GATED_NOT_ACCEPTED = (
        "gated_not_accepted"  # the token is good, but its owner has not accepted the conditions
    )
    TOKEN_WRONG = "token_wrong"
    FORBIDDEN = "forbidden"
    RATE_LIMITED = "rate_limited"  # fact: retry_after, seconds; absent where the hub names none
    SERVER = "server"  # fact: status
    BAD_ANSWER = "bad_answer"  # an answer that is not the hub's API, or larger than any real one
    BAD_NAME = "bad_name"  # fact: problem, see models.file_names
    HEADER_TOO_LONG = "header_too_long"  # facts: read_bytes, file_bytes
    REFUSED_BY_GATE = "refused_by_gate"  # fact: reason


class HubFault(Exception):
    """A `HubKind` with its facts. `detail` is cut, printable, and holds nothing that was sent."""

    def __init__(self, kind: HubKind, detail: str = "", facts: dict[str, int | str] | None = None) -> None:
        detail = "".join(letter if letter.isprintable() else " " for letter in detail[:_DETAIL])
        super().__init__(f"{kind.value}: {detail}" if detail else kind.value)
        self.kind = kind
        self.detail = detail
        self.facts = facts or {}


_PROBLEMS = {
    HttpProblem.OFFLINE: HubKind.OFFLINE,
    HttpProblem.UNREACHABLE: HubKind.UNREACHABLE,
    HttpProblem.TLS: HubKind.TLS,
    HttpProblem.CUT: HubKind.UNREACHABLE,
    HttpProblem.BAD_ANSWER: HubKind.BAD_ANSWER,
}


def transport_fault(error: HttpFault | Refused) -> HubFault:
    """The fault for a request that had no answer."""
    if isinstance(error, Refused):
        facts: dict[str, int | str] = {"reason": error.reason, "host": error.host}
        return HubFault(HubKind.REFUSED_BY_GATE, error.reason, facts)
    return HubFault(_PROBLEMS[error.problem], error.detail, {"problem": error.problem.value})


def status_fault(status: int, headers: Mapping[str, str], with_token: bool) -> HubFault:
    """The fault for an answer that is not a success.

    The hub says in `X-Error-Code` what is behind a 401 or 403; a mirror often does not. Source:
    huggingface_hub.utils.hf_raise_for_status.
    """
    code = headers.get("x-error-code", "")
    facts: dict[str, int | str] = {"status": status}
    if status == 429:
        wait = retry_after(headers)
        return HubFault(HubKind.RATE_LIMITED, facts=facts if wait is None else facts | {"retry_after": wait})
    if status >= 500:
        wait = retry_after(headers)
        return HubFault(HubKind.SERVER, facts=facts if wait is None else facts | {"retry_after": wait})
    if code == "GatedRepo":
        gated = HubKind.GATED_NOT_ACCEPTED if with_token else HubKind.GATED_NO_TOKEN
        return HubFault(gated, facts=facts)
    if code in ("RepoNotFound", "RevisionNotFound", "EntryNotFound") or status in (404, 410):
        return HubFault(HubKind.NOT_FOUND, code, facts)
    if status == 401:
        return HubFault(HubKind.TOKEN_WRONG if with_token else HubKind.NOT_FOUND, facts=facts)
    if status == 403:
        return HubFault(HubKind.FORBIDDEN, facts=facts)
    return HubFault(HubKind.BAD_ANSWER, f"status {status}", facts)


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> int | None:
    """Seconds to wait, at most a day; None when the answer does not say.

    `Retry-After` in seconds or as a date (RFC 9110, 10.2.3), else the hub's `RateLimit: "api";r=0;t=55`.
    """
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", value):
        return min(int(value), LONGEST_RETRY_AFTER)
    if value:
        try:
            date = parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return None
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        seconds = (date - (now or datetime.now(UTC))).total_seconds()
        return min(max(0, round(seconds)), LONGEST_RETRY_AFTER)
    limit = re.search(r";\s*r\s*=\s*0\s*;\s*t\s*=\s*([0-9]{1,9})(?![0-9])", headers.get("ratelimit", ""))
    return min(int(limit[1]), LONGEST_RETRY_AFTER) if limit else None
