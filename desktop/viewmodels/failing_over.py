"""Going on with the model on this device when one elsewhere could not answer: by a click, or by itself if so set."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from desktop.i18n import tr
from desktop.settings import Settings
from desktop.viewmodels.notice import Notice
from desktop.words.models import model_fault
from providers.errors import kind_of
from providers.remote.faults import RemoteFault

if TYPE_CHECKING:
    from desktop.store.records import Message

# Where another model can help: the question was fine, and nobody refused it for what is in it.
_NOT_THERE = frozenset({
    RemoteFault.OFFLINE, RemoteFault.NO_BROKER, RemoteFault.NO_KEY, RemoteFault.KEY_REFUSED, RemoteFault.NO_CREDIT,
    RemoteFault.FORBIDDEN, RemoteFault.MODEL_RETIRED, RemoteFault.MODEL_UNKNOWN, RemoteFault.RATE_LIMITED,
    RemoteFault.OVERLOADED, RemoteFault.SERVER_FAILED, RemoteFault.CUT_OFF, RemoteFault.GATE, RemoteFault.REDIRECTED,
})  # fmt: skip

Again = Callable[[int, tuple[str, str]], bool]
"""Answer the question of this answer again, here, instead of that provider and for that reason. False when it can't be
done now: another conversation is open, or another answer is under way."""


class FailingOver:
    """Told of every answer that is over."""

    def __init__(self, settings: Settings, again: Again, tell: Callable[[Notice], None]) -> None:
        self._settings = settings
        self._again = again
        self._tell = tell

    def over(self, answer: Message) -> None:
        """Offer the model on this device, or ask it at once; nothing for an answer that did not fail elsewhere."""
        fault = kind_of(answer.fault) if answer.fault else None
        if not answer.provider or not isinstance(fault, RemoteFault) or fault not in _NOT_THERE:
            return
        instead_of = (str(answer.fault_facts.get("provider", "")), fault.value)
        goes_on = self._settings.get("remote.go_on_here") and not answer.text
        if goes_on and self._again(answer.id, instead_of):
            return
        sentence = model_fault(fault, answer.fault_detail, answer.fault_facts, answer.model)
        here = tr("Answer on this device")

        def again() -> None:
            if not self._again(answer.id, instead_of):
                self._tell(
                    Notice(
                        tr(
                            "It can be answered here once its conversation is open and nothing else is being answered."
                        ),
                        "",
                        here,
                        again,
                    )
                )

        self._tell(Notice(sentence.text, sentence.detail, here, again))
