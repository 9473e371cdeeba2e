"""What can be wrong with an answer from a remote model. The words for a person are made in `desktop.words.remote`."""

from __future__ import annotations

from enum import StrEnum


class RemoteFault(StrEnum):
    """Why a remote model did not answer, or not to the end. Stored with the answer: never renamed."""

    # Nothing left this machine:
    OFFLINE = "remote_offline"  # the network switch does not let remote models out
    STAYS = "remote_stays"  # the conversation never leaves this device
    NOT_CONFIRMED = "remote_not_confirmed"  # nobody has agreed that this conversation may leave yet
    NO_KEY = "remote_no_key"
    NO_BROKER = "remote_no_broker"  # the broker ended, or never began
    GATE = "remote_gate"  # facts: gate (a GateFault), rule
    UNSUPPORTED = (
        "remote_unsupported"  # the dialect can't ask for it. facts: what ("grammar", "schema", "images", …)
    )

    # The service refused it; `detail` is what it said:
    KEY_REFUSED = "remote_key_refused"  # wrong or expired
    NO_CREDIT = "remote_no_credit"
    FORBIDDEN = "remote_forbidden"  # the key may not do this: another plan, region or project
    MODEL_UNKNOWN = "remote_model_unknown"
    MODEL_RETIRED = "remote_model_retired"
    CONTEXT_TOO_LONG = "remote_context_too_long"
    CONTENT_REFUSED = "remote_content_refused"
    IMAGE_REFUSED = "remote_image_refused"  # too large, of another type, or the model takes none
    REQUEST_REFUSED = "remote_request_refused"  # for another reason
    RATE_LIMITED = "remote_rate_limited"  # facts: retry_after in seconds, if the service said
    OVERLOADED = "remote_overloaded"
    SERVER_FAILED = "remote_server_failed"
    REDIRECTED = "remote_redirected"  # to somewhere else: nothing is sent on

    # The answer broke, after the request had left:
    CUT_OFF = "remote_cut_off"  # it ended before the service said that it was over
    UNREADABLE = "remote_unreadable"  # not what this dialect says
    TOO_LARGE = "remote_too_large"


class RemoteFailure(Exception):
    """A `RemoteFault` with what is known of it.

    `detail`: what the service said, cut to 300 characters, a stranger's words. `retry_after`: seconds, when the
    service said after which it may be asked again.
    """

    def __init__(
        self,
        fault: RemoteFault,
        detail: str = "",
        facts: dict[str, int | str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(fault.value)
        self.fault = fault
        self.detail = detail[:300]
        self.facts = facts or {}
        self.retry_after = retry_after
