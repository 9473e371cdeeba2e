"""The gate: whether a request may leave. Pure, and closed wherever it is not sure."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace

from providers.gate.address import is_below, is_plain, is_this_machine, mirror_address, port_of
from providers.gate.rules import (
    Address,
    Allowed,
    Decision,
    Label,
    Outgoing,
    Position,
    Purpose,
    Refused,
    Rule,
    Setting,
)

# The hub, its storage and its content network: the names its own guide for firewalls gives, with what is below
# them ("Downloading behind a proxy or firewall" in the hub's documentation).
HUB_HOSTS = ("huggingface.co", "hf.co")
# Where the hub's own key may go: not to the storage that downloads are sent on to.
HUB_ENDPOINTS = ("huggingface.co", "hf.co")

MOST_REDIRECTS = 5

# Where the hub's own library reports what it is used for, and asks by which programs it may be used; it does the
# latter by itself before any request, whatever it is told about telemetry.
TELEMETRY_PATHS = ("/api/telemetry", "/api/agent-harnesses")

_FROM_THE_HUB = (Purpose.DOWNLOAD, Purpose.SEARCH)
_WITH_A_MODEL = (Purpose.CHAT, Purpose.TITLE)
_WITH_A_PROVIDER = (*_WITH_A_MODEL, Purpose.MODELS)
_LONGEST_NAME_OF_A_MODEL = 200
_OF_POSITION: dict[Position, tuple[Purpose, ...]] = {
    Position.OFFLINE: (),
    Position.DOWNLOADS: (Purpose.DOWNLOAD, Purpose.SEARCH, Purpose.UPDATE),
    Position.REMOTE: tuple(Purpose),
}
# What only takes sends nothing: neither a body nor a method that changes something there.
_METHODS: dict[Purpose, tuple[str, ...]] = {
    Purpose.DOWNLOAD: ("GET", "HEAD"),
    Purpose.SEARCH: ("GET", "HEAD"),
    Purpose.UPDATE: ("GET", "HEAD"),
    Purpose.CHAT: ("GET", "POST"),
    Purpose.TITLE: ("GET", "POST"),
    Purpose.MODELS: ("GET",),
}
_MAY_HAVE_A_BODY = _WITH_A_MODEL

Check = Callable[["Gate", Outgoing], Rule | None]
"""The rule that a request breaks, or None when this check has nothing against it."""


class Gate:
    """Decides for one setting, which can't change during a broker's life."""

    def __init__(self, setting: Setting) -> None:
        order = list(Position)
        self.setting = replace(setting, position=min(setting.position, setting.policy.cap, key=order.index))
        self.mirror = mirror_address(setting.mirror)

    def decide(self, outgoing: Outgoing) -> Decision:
        """The first rule that a request breaks, or the rule that lets it out. Never raises."""
        try:
            looked = self._at_this_moment(outgoing.provider)
            for check in _CHECKS:
                if (broken := check(looked, outgoing)) is not None:
                    return Refused(broken)
            reason = looked._destination(outgoing)
        except Exception:  # a request that the gate can't understand must not be what opens it
            return Refused(Rule.ERROR)
        return Refused(Rule.HOST) if reason is None else Allowed(reason)

    def _at_this_moment(self, provider: str) -> Gate:
        """The gate with what is known of one provider now: a change between two checks counts for the next request."""
        endpoint = self.setting.endpoints.get(provider) if provider else None
        looked = copy(self)
        looked.setting = replace(self.setting, endpoints={} if endpoint is None else {provider: endpoint})
        return looked

    def _destination(self, outgoing: Outgoing) -> Rule | None:
        """The list that the host stands on, for this purpose."""
        address = outgoing.address
        if outgoing.purpose in _WITH_A_PROVIDER:
            endpoint = self.setting.endpoints.get(outgoing.provider)
            there = endpoint is not None and address.host == endpoint.host and _is_in(address, endpoint.path)
            return Rule.PROVIDER if there else None
        if outgoing.purpose not in _FROM_THE_HUB:
            return None
        if self.mirror is not None and (address.host, port_of(address)) == _place(self.mirror):
            return Rule.MIRROR
        return Rule.HUB if any(is_below(address.host, name) for name in HUB_HOSTS) else None

    # The checks, in the order in which they are made.

    def _position(self, outgoing: Outgoing) -> Rule | None:
        return None if outgoing.purpose in _OF_POSITION[self.setting.position] else Rule.POSITION

    def _policy(self, outgoing: Outgoing) -> Rule | None:
        return Rule.POLICY if outgoing.purpose in self.setting.policy.purposes_off else None

    def _provider(self, outgoing: Outgoing) -> Rule | None:
        asked = outgoing.purpose in _WITH_A_PROVIDER
        return Rule.NO_PROVIDER if asked and outgoing.provider not in self.setting.endpoints else None

    def _model(self, outgoing: Outgoing) -> Rule | None:
        if outgoing.purpose not in _WITH_A_MODEL:
            return None
        model, allowed = outgoing.model, self.setting.endpoints[outgoing.provider].models
        named = 0 < len(model) <= _LONGEST_NAME_OF_A_MODEL and model.isprintable()
        return None if named and (allowed is None or model in allowed) else Rule.MODEL

    def _label(self, outgoing: Outgoing) -> Rule | None:
        of_a_conversation = outgoing.purpose in _WITH_A_MODEL
        return Rule.LABEL if of_a_conversation and outgoing.label is not Label.MAY_LEAVE else None

    def _budget(self, outgoing: Outgoing) -> Rule | None:
        if outgoing.purpose not in _WITH_A_MODEL:
            return None
        within = self.setting.within_budget(outgoing.provider, outgoing.model)
        return None if within is True else Rule.BUDGET

    def _form(self, outgoing: Outgoing) -> Rule | None:
        return None if is_plain(outgoing.address) else Rule.MALFORMED

    def _host(self, outgoing: Outgoing) -> Rule | None:
        if self._destination(outgoing) is None:
            return Rule.REDIRECT if outgoing.hop else Rule.HOST
        if outgoing.hop > MOST_REDIRECTS:
            return Rule.REDIRECT
        # Behind one address there can be many sites: the request must name the one that it is allowed to.
        named = all(name in _names(outgoing.address) for name in outgoing.host_headers)
        return None if named and len(outgoing.host_headers) <= 1 else Rule.HOST

    def _telemetry(self, outgoing: Outgoing) -> Rule | None:
        return Rule.TELEMETRY if outgoing.address.target.lower().startswith(TELEMETRY_PATHS) else None

    def _scheme(self, outgoing: Outgoing) -> Rule | None:
        if self._destination(outgoing) is Rule.PROVIDER:  # a server of one's own can be asked for without TLS
            right = self.setting.endpoints[outgoing.provider].scheme
            return None if outgoing.address.scheme == right else Rule.SCHEME
        if outgoing.address.scheme == "https":
            return None
        may_be_plain = (
            outgoing.address.scheme == "http"
            and self._destination(outgoing) is Rule.MIRROR
            and self.setting.mirror.plain_http
            and self.mirror is not None
            and self.mirror.scheme == "http"
            and is_this_machine(outgoing.address.host)
        )
        return None if may_be_plain else Rule.SCHEME

    def _port(self, outgoing: Outgoing) -> Rule | None:
        match self._destination(outgoing):
            case Rule.MIRROR:
                allowed = None if self.mirror is None else port_of(self.mirror)
            case Rule.PROVIDER:
                allowed = self.setting.endpoints[outgoing.provider].port
            case _:
                allowed = 443
        return None if allowed is not None and port_of(outgoing.address) == allowed else Rule.PORT

    def _userinfo(self, outgoing: Outgoing) -> Rule | None:
        return Rule.CREDENTIALS_IN_URL if outgoing.address.userinfo else None

    def _method(self, outgoing: Outgoing) -> Rule | None:
        return None if outgoing.method in _METHODS.get(outgoing.purpose, ()) else Rule.METHOD

    def _body(self, outgoing: Outgoing) -> Rule | None:
        may = outgoing.purpose in _MAY_HAVE_A_BODY
        return Rule.BODY if outgoing.body_bytes and not may else None

    def _credentials(self, outgoing: Outgoing) -> Rule | None:
        if not outgoing.credentials:
            return None
        match self._destination(outgoing):
            case Rule.MIRROR | Rule.PROVIDER:
                return None
            case Rule.HUB if outgoing.address.host in HUB_ENDPOINTS:
                return None
        return Rule.CREDENTIALS


_CHECKS: tuple[Check, ...] = (
    Gate._position,
    Gate._policy,
    Gate._provider,
    Gate._model,
    Gate._label,
    Gate._budget,
    Gate._form,
    Gate._host,
    Gate._telemetry,
    Gate._scheme,
    Gate._port,
    Gate._userinfo,
    Gate._method,
    Gate._body,
    Gate._credentials,
)


def _is_in(address: Address, path: str) -> bool:
    """Whether an address is below a path, and no ".." or "." leads out of it again, in whatever way it is written."""
    target = address.target.partition("?")[0]
    steps = target.lower().replace("%2e", ".").replace("%2f", "/").split("/")
    return (not path or target == path or target.startswith(path + "/")) and not {".", ".."} & set(steps)


def _place(address: Address) -> tuple[str, int | None]:
    return address.host, port_of(address)


def _names(address: Address) -> tuple[str, ...]:
    """How a Host header may name an address."""
    host = f"[{address.host}]" if ":" in address.host else address.host
    with_port = f"{host}:{port_of(address)}"
    return (with_port,) if address.port is not None else (host, with_port)
