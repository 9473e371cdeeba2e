"""How a request can come to nothing, as one exception for whoever asked for it."""

from __future__ import annotations

from providers.gate.protocol import GateFault


class GateError(Exception):
    """A request was refused, or did not get through. `rule`: the gate's, when it refused.

    `detail` is the system's own words: never an address, a header or a part of a message.
    """

    def __init__(self, fault: GateFault, rule: str = "", detail: str = "") -> None:
        super().__init__(" ".join(part for part in (fault.value, rule, detail) if part))
        self.fault = fault
        self.rule = rule
        self.detail = detail


class BrokerGone(Exception):
    """The broker ended, or was never there. `detail`: its last words."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
