"""What is asked of a remote model, and what its service is and tells: plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from models.runtime.values import Constraint, Effort, Tool, Turn


class Auth(StrEnum):
    """Which header carries the key."""

    BEARER = "bearer"  # Authorization: Bearer …
    X_API_KEY = "x-api-key"
    API_KEY = "api-key"
    X_GOOG_API_KEY = "x-goog-api-key"
    NONE = "none"  # a server of one's own that asks for no key


class Quirk(StrEnum):
    """Where a service differs from what its dialect says. Each dialect knows its own; the others ignore it."""

    MAX_COMPLETION_TOKENS = "max-completion-tokens"  # instead of max_tokens
    NO_STREAM_OPTIONS = "no-stream-options"  # refuses stream_options, and tells its usage all the same
    REPLAYS_REASONING = "replays-reasoning"  # wants reasoning_content back with a turn that called tools
    THINKING_SWITCH = (
        "thinking-switch"  # thinking: {type: …} turns it on and off; reasoning_effort knows no "none"
    )
    SHORT_CALL_IDS = "short-call-ids"  # takes ids of calls with nine letters and digits only
    NO_SCHEMA = "no-schema"  # JSON mode, but no JSON schema
    USAGE_ON_REQUEST = "usage-on-request"  # tells usage and cost when asked by usage: {include: true}
    REASONING_OBJECT = "reasoning-object"  # effort as reasoning: {effort: …} instead of reasoning_effort
    NO_DATA_COLLECTION = (
        "no-data-collection"  # passes on only to those who keep nothing and train on nothing, if asked
    )
    TAKES_GRAMMAR = "takes-grammar"  # GBNF under "grammar", and JSON schemas of llama.cpp's own
    NO_MODEL_CAPABILITIES = "no-model-capabilities"  # its list of models has names only


@dataclass(frozen=True, slots=True)
class Service:
    """One provider, as it is reached. `base_url` has no slash at its end; `id` is what everything else calls it by."""

    id: str
    name: str  # as people call it; not translated
    dialect: str
    base_url: str
    auth: Auth = Auth.BEARER
    quirks: frozenset[Quirk] = frozenset()
    own: bool = False  # a server of the person's or of the organisation's, added by them
    kind: str = ""  # of such a server: its entry in the catalogue
    plain_http: bool = False  # may be reached without encryption: a server of one's own
    prices: str = ""  # under which name the price list knows it; "" when it does not


@dataclass(frozen=True, slots=True)
class ChatCall:
    """One answer wanted from a remote model. None: the service's own choice, and nothing is said about it.

    Local sampling does not carry over: several services refuse what they do not know, some models any temperature.
    """

    model: str
    turns: tuple[Turn, ...]
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    max_tokens: int | None = None
    constraint: Constraint | None = None
    tools: tuple[Tool, ...] = ()
    effort: Effort = Effort.AUTOMATIC


@dataclass(frozen=True, slots=True)
class HttpCall:
    """A request as a dialect makes it, before it has a key. `path` follows the service's base URL: "/models"."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class RemoteModelInfo:
    """A model as its service lists it. 0, "" and None: the service does not tell. Texts are untrusted."""

    id: str
    name: str = ""
    context_tokens: int = 0
    most_output_tokens: int = 0
    sees: bool | None = None  # takes images
    reasons: bool | None = None
    calls_tools: bool | None = None
    keeps_to_json: bool | None = None
