"""Keys in the window: whether there is one, putting one in, removing and testing it. It is never shown again."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from PySide6.QtCore import QObject, Signal

from desktop.bridge import Bridge
from desktop.i18n import tr
from desktop.keys import (
    WITHOUT_A_KEYCHAIN,
    KeyFailed,
    KeyStatus,
    drop,
    hold,
    remove,
    save,
    status,
    test,
)
from desktop.viewmodels.hub_link import HubLink
from desktop.viewmodels.hub_words import hub_sentence
from desktop.words.keys import key_problem_words, keychain_words
from desktop.words.models import model_fault
from providers.errors import ProviderError
from providers.keys import HUB, KeyPlace


class KeysViewModel(QObject):
    """One key: the hub's, or that of a provider. `changed` for all that is shown."""

    changed = Signal()

    def __init__(
        self,
        bridge: Bridge,
        link: HubLink,
        place: KeyPlace,
        whose: str,
        online: bool,
        parent: QObject | None = None,
    ) -> None:
        """`whose`: what people call who takes it. `online`: whether there is a broker that may ask there."""
        super().__init__(parent)
        self._bridge = bridge
        self._link = link
        self._online = online
        self.place = place
        self.whose = whose
        self._status: KeyStatus | None = None
        self._held = False  # in the broker, for this run
        self.busy = False
        self.said = ""
        self.problem = ""

    # ---- what is shown

    @property
    def has_key(self) -> bool:
        return self._held or (self._status is not None and self._status.stored is True)

    @property
    def session_only(self) -> bool:
        """There is no keychain, so what is put in now is gone when Alcove is closed."""
        return self._status is not None and self._status.state in WITHOUT_A_KEYCHAIN

    @property
    def can_save(self) -> bool:
        return not self.busy and self._status is not None and (self._online or not self.session_only)

    @property
    def can_remove(self) -> bool:
        return not self.busy and self.has_key

    @property
    def can_test(self) -> bool:
        return not self.busy and self.has_key and self._online

    @property
    def state(self) -> str:
        """Whether there is a key, and where."""
        found = self._status
        if found is None:
            return tr("Looking into the keychain…")
        if self._held:
            return tr("A key is held in memory for this run.")
        match found.stored:
            case True:
                return tr("A key is stored in the keychain ({name}).", name=found.keychain)
            case False:
                return tr("No key is stored.")
            case None:
                return tr("Whether a key is stored is not known.")

    @property
    def keychain(self) -> str:
        """What a person has to know about the keychain; "" when it is simply open."""
        found = self._status
        if found is None or found.state.value == "keychain_ready":
            return ""
        words = keychain_words(found.state.value)
        if not self.session_only:
            return words
        return " ".join(
            (
                words,
                tr(
                    "A key that you put in here is held in memory, is written nowhere, and is gone when Alcove is "
                    "closed or started again."
                )
                if self._online
                else self._not_online,
            )
        )

    @property
    def _not_online(self) -> str:
        if self.place.owner == HUB:
            return tr("Turn the network switch to “Downloads” to put in a key for one run.")
        return tr("Turn the network switch to “Remote models” to put in a key for one run.")

    # ---- what a person can do

    def look(self) -> None:
        """See how things stand. Nobody is asked for a password."""
        self.said = self.problem = ""
        self._do(status(self.place), self._found)

    def save(self, key: str) -> None:
        """Keep this key instead of the one that was there."""
        if self.session_only:
            self._do(self._hold(key.strip()), self._is_held)
        else:
            self._do(save(self.place, key.strip()), self._is_saved)

    def remove(self) -> None:
        self._do(self._remove(), self._is_removed)

    def test(self) -> None:
        """Ask whose key it is, through the broker, whether it is taken."""
        self._do(self._test(), self._works)

    # ---- on core

    async def _hold(self, key: str) -> None:
        await hold(await self._link.client(), self.place, key)

    async def _remove(self) -> None:
        if self._held:
            await drop(await self._link.client(), self.place)
        if not self.session_only:
            await remove(self.place)

    async def _test(self) -> str:
        return await test(await self._link.client(), self.place)

    # ---- back on the main thread

    def _do(self, work: Coroutine[Any, Any, Any], then: Callable[[Any], None]) -> None:
        self.busy = True
        self.said = self.problem = ""
        self.changed.emit()
        self._bridge.submit(work, then, self._failed)

    def _failed(self, error: Exception) -> None:
        code = error.code if isinstance(error, KeyFailed) else ""
        if code.startswith("keychain_"):
            problem = keychain_words(code)
        elif code:
            problem = key_problem_words(code)
        else:
            problem = self._refusal(error)
        self._look_again("", problem)

    def _refusal(self, error: Exception) -> str:
        if isinstance(error, ProviderError):
            sentence = model_fault(error.kind, error.detail, {"provider": self.whose, **error.facts}, "")
            told = tr("It said: “{words}”", words=sentence.detail) if sentence.detail else ""
            return " ".join(part for part in (sentence.text, told) if part)
        return hub_sentence(error).text

    def _found(self, found: KeyStatus) -> None:
        self._status = found
        self.busy = False
        self.changed.emit()

    def _is_saved(self, _: None) -> None:
        self._look_again(tr("The key is in the keychain."))

    def _is_held(self, _: None) -> None:
        self._held = True
        self._look_again(tr("The key is held for this run."))

    def _is_removed(self, _: None) -> None:
        self._held = False
        self._look_again(tr("The key was removed."))

    def _works(self, account: str) -> None:
        if account:
            told = tr("{host} takes the key; it belongs to {account}.", host=self.place.host, account=account)
        else:
            told = tr("{host} takes the key.", host=self.place.host)
        self._look_again(told)

    def _look_again(self, said: str, problem: str = "") -> None:
        """Show how it stands now, with the outcome beside it."""

        def found(status: KeyStatus) -> None:
            self.said, self.problem = said, problem
            self._found(status)

        self._bridge.submit(status(self.place), found)
