"""Remote models in the window: which providers are switched on, which models they have, and which one was chosen.

Switching a provider writes one small file, which the broker reads at its next request. A list of models is asked for
when somebody wants it, and remembered: the model picker sends nothing.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from desktop.bridge import Bridge, Job
from desktop.i18n import tr
from desktop.processes.switch import Position
from desktop.viewmodels.hub_link import HubLink
from desktop.words.remote import money

if TYPE_CHECKING:
    from desktop.remote import Remembered
    from desktop.viewmodels.keys import KeysViewModel
    from providers.costs.prices import Price
    from providers.events import Limits
    from providers.remote.chosen import Chosen
    from providers.remote.facts import ProviderFacts
    from providers.remote.values import RemoteModelInfo, Service
    from providers.remote_model import RemoteModel


_FEW_LEFT = 3  # requests: from there on it is said before a question is sent


@dataclass(frozen=True, slots=True)
class RemoteChoice:
    """One model that can be chosen to answer elsewhere. `context_tokens` 0, `sees` None: the service does not tell."""

    provider: str  # its id
    provider_name: str
    model: str  # as its service calls it
    name: str  # as people do
    context_tokens: int = 0
    sees: bool | None = None
    host: str = ""

    @property
    def key(self) -> str:
        """How a setting names it. No id of a provider has a slash in it."""
        return f"{self.provider}/{self.model}"


class RemoteViewModel(QObject):
    """`changed` for all that is shown. Reads its files when it is first asked for something."""

    changed = Signal()

    def __init__(
        self, bridge: Bridge, link: HubLink, home: Path, position: Position, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._link = link
        self._home = home
        self.position = position
        self._chosen_now: Chosen | None = None
        self._remembered_now: dict[str, Remembered] | None = None
        self._keys: dict[str, KeysViewModel] = {}
        self._limits: dict[str, tuple[float, Limits]] = {}  # by provider: until when, and what it said
        self._fetch_job: Job | None = None
        self.fetching = ""  # the provider whose models are being asked for
        self.problem = ""  # what went wrong with what the person wanted last
        self.said = ""

    # ---- what there is

    @property
    def can_reach(self) -> bool:
        """Whether the network switch lets remote models out."""
        return self.position is Position.REMOTE

    @property
    def _chosen(self) -> Chosen:
        if self._chosen_now is None:
            from providers.remote.chosen import read_chosen

            self._chosen_now = read_chosen(str(self._home))
        return self._chosen_now

    @property
    def is_damaged(self) -> bool:
        """Whether it can't be read any more what was switched on and added."""
        return self._chosen.damaged

    @property
    def services(self) -> tuple[Service, ...]:
        """Every provider, those of the catalogue first."""
        return tuple(self._chosen.known.values())

    def service(self, provider: str) -> Service | None:
        return self._chosen.known.get(provider)

    def is_on(self, provider: str) -> bool:
        return provider in self._chosen.services

    @property
    def enabled(self) -> tuple[Service, ...]:
        return tuple(self._chosen.services.values())

    @property
    def places(self) -> tuple[str, ...]:
        """The providers that are on, each with its host, for a person."""
        from urllib.parse import urlsplit

        return tuple(f"{service.name} ({urlsplit(service.base_url).netloc})" for service in self.enabled)

    def facts(self, provider: str) -> ProviderFacts | None:
        """What is known of what a provider does with what it gets."""
        from providers.remote.facts import facts_of

        return facts_of(provider)

    def models(self, provider: str) -> tuple[RemoteModelInfo, ...]:
        """What a provider had when it was asked last."""
        found = self._remembered.get(provider)
        return found.models if found is not None else ()

    def may_ask(self, provider: str, model: str) -> bool:
        """Whether a person lets this model be asked."""
        return self._chosen.allows(provider, model)

    def is_restricted(self, provider: str) -> bool:
        """Whether only models that a person named may be asked, so that new ones may not."""
        return provider in self._chosen.models

    def listed_models(self, provider: str) -> tuple[RemoteModelInfo, ...]:
        """What a provider had when it was asked last, and what else of it may be asked."""
        from providers.remote.values import RemoteModelInfo

        known = self.models(provider)
        ids = {info.id for info in known}
        more = (model for model in self._chosen.models.get(provider, ()) if model not in ids)
        return (*known, *map(RemoteModelInfo, more))

    def asked_at(self, provider: str) -> str:
        """When that was, for a person; "" for never."""
        found = self._remembered.get(provider)
        return time.strftime("%x %H:%M", time.localtime(found.asked_at)) if found is not None else ""

    @property
    def _remembered(self) -> dict[str, Remembered]:
        if self._remembered_now is None:
            from desktop.remote import remembered

            self._remembered_now = remembered(self._home)
        return self._remembered_now

    @property
    def choices(self) -> tuple[RemoteChoice, ...]:
        """The models of the enabled providers, as far as they are known and may be asked."""
        return tuple(
            self._choice(service, info)
            for service in self.enabled
            for info in self.models(service.id)
            if self._chosen.allows(service.id, info.id)
        )

    def choice(self, key: str) -> RemoteChoice | None:
        """The choice of this name, if it can be made now: its provider is on, and the switch lets it out."""
        provider, _, model = key.partition("/")
        service = self._chosen.services.get(provider)
        if not (self.can_reach and service is not None and model and self._chosen.allows(provider, model)):
            return None
        from providers.remote.values import RemoteModelInfo

        info = next((found for found in self.models(provider) if found.id == model), RemoteModelInfo(model))
        return self._choice(service, info)

    @staticmethod
    def _choice(service: Service, info: RemoteModelInfo) -> RemoteChoice:
        from urllib.parse import urlsplit

        name = " ".join((info.name or info.id).split())
        host = urlsplit(service.base_url).netloc
        return RemoteChoice(service.id, service.name, info.id, name, info.context_tokens, info.sees, host)

    def price_words(self, choice: RemoteChoice) -> str:
        """What a model costs, by the list; "" where no price is known."""
        price = self._price(choice)
        if price is None or price.input is None or price.output is None:
            return ""
        return tr(
            "{paid_in} in, {paid_out} out for a million tokens",
            paid_in=money(f"{price.input:f}", "USD"),
            paid_out=money(f"{price.output:f}", "USD"),
        )

    def estimate(self, choice: RemoteChoice, characters: int, images: int) -> str:
        """About what a question of this length costs, in a sentence. Unknown is said to be unknown."""
        from desktop.words.leaving import estimate_words

        return estimate_words(self._price(choice), characters, images)

    def ahead(self, choice: RemoteChoice, characters: int, images: int) -> str:
        """Where a question of this length goes and about what that costs, in a few words."""
        from desktop.words.leaving import estimate_in_short

        place = tr("Goes to {provider}", provider=choice.provider_name) + self._few_left(choice.provider)
        if not characters and not images:
            return place
        return f"{place} · {estimate_in_short(self._price(choice), characters, images)}"

    def take_limits(self, provider: str, limits: Limits) -> None:
        """What a provider has said may still be asked of it."""
        if limits.resets_in is not None:
            self._limits[provider] = (time.time() + limits.resets_in, limits)

    def _few_left(self, provider: str) -> str:
        """That little more can be asked for a while; "" otherwise."""
        until, limits = self._limits.get(provider, (0.0, None))
        left = limits.requests_left if limits is not None else None
        if left is None or left > _FEW_LEFT or time.time() >= until:
            return ""
        when = time.strftime("%H:%M", time.localtime(until))
        if left == 0:
            return " · " + tr("takes no more questions until {when}", when=when)
        return " · " + tr("takes {count} more until {when}", count=left, when=when)

    def _price(self, choice: RemoteChoice) -> Price | None:
        from providers.costs.prices import read_own

        service = self.service(choice.provider)
        return None if service is None else read_own(str(self._home)).price_of(service, choice.model)

    def model_of(self, choice: RemoteChoice) -> RemoteModel:
        """What answers a turn with this choice. For core."""
        from providers.remote_model import RemoteModel

        service = self.service(choice.provider)
        # Of a server of one's own nothing else remembers what it was called when it answered.
        is_own = service is not None and service.own
        name = f"{choice.name} ({choice.provider_name})" if is_own else choice.name
        return RemoteModel(self._client, choice.provider, choice.provider_name, choice.model, name)

    def keys_of(self, provider: str) -> KeysViewModel:
        """The key of a provider."""
        service = self.service(provider)
        assert service is not None
        from desktop.remote import key_place
        from desktop.viewmodels.keys import KeysViewModel

        place = key_place(service)
        found = self._keys.get(place.service)
        if found is None:
            found = self._keys[place.service] = KeysViewModel(
                self._bridge, self._link, place, service.name, self.can_reach, self
            )
        return found

    async def _client(self) -> Any:
        from desktop.hub import Offline

        try:
            return await self._link.client()
        except Offline as error:
            raise LookupError from error

    # ---- what a person does

    def switch(self, provider: str, on: bool) -> None:
        """Use a provider, or don't, from the next request on."""
        self._write(self._fresh().switched(provider, on))

    def let_ask(self, provider: str, model: str, on: bool) -> None:
        """Let one model of a provider be asked, or don't. When all that are listed may be, any may."""
        chosen = self._fresh()
        listed = [info.id for info in self.listed_models(provider)]
        asked = [name for name in listed if (on if name == model else chosen.allows(provider, name))]
        self._write(chosen.only(provider, None if asked == listed else asked))

    def add(
        self, kind: str, name: str, url: str, has_key: bool, plain_http: bool, instead_of: str = ""
    ) -> str:
        """Add a server of one's own, switched off. Returns its id; "" when `problem` says why it was not added.

        `instead_of`: the id of one that is told of anew. With another address it is another server, off, and no
        conversation goes there that was let go to the old one.
        """
        from providers.remote.catalogue import kinds_of_own_servers
        from providers.remote.chosen import own_service
        from providers.remote.values import Auth

        chosen, known = self._fresh(), kinds_of_own_servers()[kind]
        auth = (Auth.BEARER if known.auth is Auth.NONE else known.auth) if has_key else Auth.NONE
        try:
            service = own_service(
                chosen.last_number + 1, kind, name.strip() or known.name, url.strip(), auth, plain_http
            )
        except ValueError:
            self._tell(_address_problem(url.strip(), plain_http))
            return ""
        before = chosen.known.get(instead_of)
        if before is None:
            return service.id if self._write(chosen.with_own(service)) else ""
        if before.base_url == service.base_url:
            return instead_of if self._write(chosen.with_own_changed(instead_of, service)) else ""
        if not self._write(chosen.with_own(service).without_own(instead_of)):
            return ""
        self._forget(instead_of)
        return service.id

    def remove(self, provider: str) -> None:
        """Take a server of one's own off the list, with what was known of its models.

        Its key stays in the keychain until it is removed there.
        """
        if self._write(self._fresh().without_own(provider)):
            self._forget(provider)

    def _forget(self, provider: str) -> None:
        from desktop.remote import forget

        self._remembered.pop(provider, None)
        try:
            forget(self._home, provider)
        except OSError as error:
            self._tell(tr("The list of its models could not be removed: {why}.", why=error.strerror))

    def fetch_models(self, provider: str) -> None:
        """Ask a provider, now, which models it has."""
        if self.fetching or not (self.can_reach and self.is_on(provider)):
            return
        self.fetching = provider
        self._tell("")
        self._fetch_job = self._bridge.submit(
            self._fetch(provider),
            lambda kept: self._fetched(provider, kept),
            lambda error: self._not_fetched(provider, error),
        )

    def stop_fetching(self) -> None:
        """Ask no longer; the connection is cut, and the list that was there stays."""
        if self.fetching and self._fetch_job is not None:
            self._fetch_job.cancel()
            self.fetching = ""
            self._tell("")

    async def _fetch(self, provider: str) -> Remembered:
        from desktop.remote import models_of, remember
        from providers.errors import ProviderError
        from providers.remote.faults import RemoteFault

        try:
            client = await self._client()
        except LookupError as error:
            raise ProviderError(RemoteFault.OFFLINE) from error
        return remember(self._home, provider, await models_of(client, provider))

    def _fetched(self, provider: str, kept: Remembered) -> None:
        if self.fetching != provider:  # it was given up as it came
            return
        self.fetching = ""
        self._remembered[provider] = kept
        self._tell("", tr("{count} models.", count=len(kept.models)))

    def _not_fetched(self, provider: str, error: Exception) -> None:
        from desktop.words.models import model_fault
        from providers.errors import ProviderError

        if self.fetching != provider:
            return
        self.fetching = ""
        if isinstance(error, OSError):
            self._tell(tr("The list could not be kept: {why}.", why=error.strerror))
            return
        if not isinstance(error, ProviderError):
            raise error
        service = self.service(provider)
        facts: Mapping[str, int | str] = {
            "provider": service.name if service is not None else "",
            **error.facts,
        }
        sentence = model_fault(error.kind, error.detail, dict(facts), "")
        told = tr("It said: “{words}”", words=sentence.detail) if sentence.detail else ""
        self._tell(" ".join(part for part in (sentence.text, told) if part))

    def _fresh(self) -> Chosen:
        """What is chosen now: the command line may have changed it since."""
        self._chosen_now = None
        return self._chosen

    def _write(self, chosen: Chosen) -> bool:
        from providers.remote.chosen import write_chosen

        try:
            write_chosen(str(self._home), chosen)
        except OSError as error:
            self._tell(tr("This could not be stored: {why}. Nothing was changed.", why=error.strerror))
            return False
        self._chosen_now = replace(chosen, damaged=False)
        self._tell("")
        return True

    def _tell(self, problem: str, said: str = "") -> None:
        self.problem, self.said = problem, said
        self.changed.emit()


def _address_problem(url: str, plain_http: bool) -> str:
    if url.startswith("http://") and not plain_http:
        return tr(
            "This address is not encrypted: what is sent there can be read on the way. Tick that you want it, or use "
            "https://."
        )
    return tr(
        "This is not the address of a server: it begins with https:// and has no user name, “?” or “#” in it. "
        "Nothing was added."
    )
