"""The remote model in use: chosen in the picker, and only as long as nothing speaks against asking it."""

from __future__ import annotations

from desktop.settings import Settings
from desktop.viewmodels.remote import RemoteChoice, RemoteViewModel

EFFORTS = ("off", "low", "medium", "high")
"""How much thinking a remote model can be asked for; one that does not think takes no notice, or says so."""

_SETTING = "model.remote"


class RemoteInUse:
    """`models`: what there is to choose from; None where there are no remote models at all.

    `stays`: the open conversation never leaves this device, so nothing elsewhere is in use for it.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.models: RemoteViewModel | None = None
        self.stays = False

    @property
    def chosen(self) -> RemoteChoice | None:
        """The model that was chosen, if it can be asked now; the conversation aside."""
        key = self._settings.get(_SETTING)
        return self.models.choice(key) if key and self.models is not None else None

    @property
    def current(self) -> RemoteChoice | None:
        """What answers the next question; None for the model on this device."""
        return None if self.stays else self.chosen

    def choose(self, choice: RemoteChoice | None) -> None:
        """Ask this model from now on; None: the one on this device."""
        key = choice.key if choice is not None else ""
        if key != self._settings.get(_SETTING):
            self._settings.set(_SETTING, key)
