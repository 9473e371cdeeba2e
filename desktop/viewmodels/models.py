"""The models to choose from, the one in use, and what its chip says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from desktop.bridge import Bridge, Job
from desktop.i18n import tr
from desktop.known_models import model_name
from desktop.own_settings import options_for
from desktop.settings import Settings
from desktop.viewmodels.notice import Notice
from desktop.viewmodels.remote_choice import EFFORTS, RemoteInUse
from desktop.words.models import model_fault
from desktop.words.sentence import gigabytes, graphics_cards
from models.starter import starter_path
from providers.errors import ProviderError

if TYPE_CHECKING:
    from desktop.chat.shelf import Loadable, Shelf
    from desktop.library import Library
    from desktop.templates import Templates
    from desktop.viewmodels.model_settings import ModelSettingsViewModel
    from desktop.viewmodels.remote import RemoteChoice
    from desktop.viewmodels.template import TemplateViewModel
    from models.library.entry import LibraryEntry
    from models.runtime.values import LoadOptions, ModelCard, Placement
    from providers.base import Provider
    from providers.events import LoadProgress, ModelReady

Inspect = Callable[[Path], Awaitable["ModelCard"]]
"""Read a file's header in a locked process. Raises `ProviderError`."""


REMOTE = "remote:"
"""What the path of a model elsewhere begins with, in the picker. No absolute path does."""

_STORES = {
    "hugging_face": "From the Hugging Face cache.",
    "lm_studio": "From LM Studio.",
    "ollama": "From Ollama.",
}
"""By `models.library.entry.Source`: English texts that pass through `tr` when shown."""


@dataclass(frozen=True, slots=True)
class ModelItem:
    """One line of the picker. `missing`: the file is not there now."""

    path: str
    name: str
    detail: str
    remark: str
    missing: bool


class ModelsViewModel(QObject):
    """The starter model and the files the person opened. A model loads in the background once chosen."""

    changed = Signal()
    notice = Signal(object)
    template_wanted = Signal(str)  # the model's file, for which a chat template is to be chosen
    settings_wanted = Signal(str)  # the file of the model that is to have settings of its own
    smaller_wanted = Signal(str)  # the file of which a smaller version is to be made

    def __init__(
        self,
        bridge: Bridge,
        shelf: Shelf,
        inspect: Inspect,
        settings: Settings,
        library: Library | None = None,
        parent: QObject | None = None,
        forget_gpu: Callable[[str], None] = lambda path: None,
    ) -> None:
        """`library`: what finds the models of this disk; None looks for none.

        `forget_gpu`: forget, on core, what is known of a file and the GPUs.
        """
        super().__init__(parent)
        self._bridge = bridge
        self._shelf = shelf
        self._inspect = inspect
        self._settings = settings
        self._library = library
        self._forget_gpu = forget_gpu
        self._told_of_gpu: set[str] = set()
        self._found: dict[str, LibraryEntry] = {}
        self._adapters: tuple[LibraryEntry, ...] = ()
        self._scan: Job | None = None
        self._cards: dict[str, ModelCard] = {}
        self._placement: Placement | None = None
        self._in_memory: set[str] = set()
        self._loading_job: Job | None = None
        self._starter = starter_path()
        self.templates: Templates | None = (
            None  # the chat templates of models; set by what puts the parts together
        )
        self.loading: float | None = None
        self._efforts: tuple[str, ...] = ()  # of the model that was loaded last
        self._sees: bool | None = None  # None while nobody has looked
        self.elsewhere = RemoteInUse(settings)
        self._reload_later = QTimer(self, singleShot=True, interval=800)
        self._reload_later.timeout.connect(self.load)

    # ---- what there is

    @property
    def remote(self) -> RemoteChoice | None:
        """The model elsewhere that answers the next question; None for one on this device."""
        return self.elsewhere.current

    @property
    def efforts(self) -> tuple[str, ...]:
        """How much thinking may be asked for, of the model in use."""
        return EFFORTS if self.remote is not None else self._efforts

    @property
    def sees(self) -> bool | None:
        """Whether the model in use sees images; None while nobody knows."""
        return self._sees if self.remote is None else self.remote.sees

    @property
    def current_path(self) -> Path | None:
        chosen = self._settings.get("model.current")
        return Path(chosen) if chosen else self._starter

    @property
    def items(self) -> tuple[ModelItem, ...]:
        paths = [self._starter, *map(Path, self._settings.get("model.opened_files"))]
        own = [self._item(path) for path in dict.fromkeys(paths) if path is not None]
        known = {item.path for item in own}
        return (*own, *(_found_item(entry) for entry in self._found.values() if entry.path not in known))

    @property
    def remote_items(self) -> tuple[ModelItem, ...]:
        """The models elsewhere, as lines of the picker. Those that can't be asked for this conversation say why."""
        remote = self.elsewhere.models
        if remote is None:
            return ()
        why = ""
        if not remote.can_reach:
            why = tr("The network switch does not let remote models out.")
        elif self.elsewhere.stays:
            why = tr("This conversation never leaves this device.")
        return tuple(_remote_item(choice, remote.price_words(choice), why) for choice in remote.choices)

    @property
    def current(self) -> ModelItem | None:
        path = self.current_path
        return self._item(path) if path is not None else None

    def _item(self, path: Path) -> ModelItem:
        card = self._cards.get(str(path))
        missing = not path.exists()
        remark = tr("Small, for trying things out.") if path == self._starter else ""
        if missing:
            remark = tr("The file is not there now.")
        elif str(path) in self._in_memory:
            remark = " ".join(part for part in (remark, tr("In memory.")) if part)
        return ModelItem(str(path), model_name(path, card), _detail(path, card, missing), remark, missing)

    @property
    def adapters(self) -> tuple[LibraryEntry, ...]:
        """The LoRA adapters of this disk that may belong to the model in use: those for models of its kind."""
        path = str(self.current_path)
        card, entry = self._cards.get(path), self._found.get(path)
        kind = card.architecture if card is not None else entry.architecture if entry is not None else ""
        width = entry.embedding_length if entry is not None else 0
        return tuple(
            adapter
            for adapter in self._adapters
            if adapter.architecture == kind and (not width or adapter.embedding_length in (0, width))
        )

    @property
    def looking(self) -> bool:
        """Whether this disk is being looked through."""
        return self._scan is not None

    def look_around(self) -> None:
        """Look for models on this disk, in a locked process. Files that have not changed are not opened again."""
        if self._library is None or self._scan is not None:
            return
        self._scan = self._bridge.submit(self._look(self._library), self._looked, self._looked_in_vain)
        self.changed.emit()

    async def _look(self, library: Library) -> dict[str, LibraryEntry]:
        from models.library.entry import LibraryEntry

        seen: dict[str, LibraryEntry] = {}
        folders = [Path(folder) for folder in self._settings.get("model.folders")]
        async with aclosing(library.scan(folders)) as reports:
            async for report in reports:
                if isinstance(report, LibraryEntry):
                    seen[report.path] = report
        return seen

    def _looked(self, seen: dict[str, LibraryEntry]) -> None:
        self._scan = None
        self.show_found(seen)

    def show_found(self, seen: dict[str, LibraryEntry]) -> None:
        """Take over what a scan of this disk has found, by path."""
        from models.library.entry import Kind

        usable = {Kind.CHAT, Kind.BASE}
        self._adapters = tuple(
            entry
            for entry in sorted(seen.values(), key=_order)
            if Kind.ADAPTER in entry.kinds and entry.problem is None
        )
        self._found = {
            path: entry
            for path, entry in sorted(seen.items(), key=lambda found: _order(found[1]))
            if entry.problem is not None or usable & set(entry.kinds)
        }
        self.changed.emit()

    def _looked_in_vain(self, error: Exception) -> None:
        from models.runtime.faults import RuntimeFault

        self._scan = None
        self.changed.emit()
        if not isinstance(error, RuntimeFault | OSError):
            raise error
        self.notice.emit(Notice(tr("This disk could not be looked through for models."), str(error)))

    # ---- the chip

    @property
    def chip_text(self) -> str:
        if (remote := self.remote) is not None:
            return tr(
                "Leaves this device · {model} · {provider}", model=remote.name, provider=remote.provider_name
            )
        item = self.current
        if item is None:
            return tr("On this device · no model")
        if self._placement is None:
            return tr("On this device · {model}", model=item.name)
        return tr(
            "On this device · {model} · {device}",
            model=item.name,
            device=tr("GPU") if self._placement.on_gpu else tr("CPU"),
        )

    @property
    def chip_tooltip(self) -> str:
        if (remote := self.remote) is not None:
            return tr("What you ask goes to {host}. Choose a model", host=remote.host)
        placement = self._placement
        if placement is None:
            return tr("Choose a model")
        from desktop.viewmodels.model_settings import decided

        return "\n".join(decided(placement))

    @property
    def graphics_cards(self) -> tuple[str, ...]:
        """The GPUs that llama.cpp found when it loaded the model in use."""
        return tuple(graphics_cards(self._placement.devices)) if self._placement is not None else ()

    @property
    def gpu_failed(self) -> bool:
        """Whether the model in use does without a GPU because its driver failed."""
        return self._placement is not None and self._placement.gpu_failed

    # ---- what a person does

    def choose(self, path: str) -> None:
        """Use this model from now on; the conversation stays."""
        if path.startswith(REMOTE) and self.elsewhere.models is not None:
            choice = self.elsewhere.models.choice(path.removeprefix(REMOTE))
            if choice is not None:
                self.choose_remote(choice)
            return
        self.elsewhere.choose(None)
        self._settings.set("model.current", "" if Path(path) == self._starter else path)
        self._placement = None
        self._sees = None
        self._efforts = ()
        self.load()

    def choose_remote(self, choice: RemoteChoice) -> None:
        """Ask this model elsewhere from now on. Nothing is sent until something is asked."""
        self.elsewhere.choose(choice)
        self.cancel_loading()
        self.changed.emit()

    def keep_here(self, stays: bool) -> None:
        """Whether the open conversation never leaves this device: then the model on it answers, whatever is chosen."""
        if stays != self.elsewhere.stays:
            self.elsewhere.stays = stays
            self.changed.emit()

    def choose_starter(self) -> None:
        """Use the model that came with Alcove."""
        if self._starter is not None:
            self.choose(str(self._starter))

    def open_file(self, path: str) -> None:
        """Add a file from disk to the list and use it, if it is a model."""

        def readable(card: ModelCard) -> None:
            self._cards[path] = card
            opened = [other for other in self._settings.get("model.opened_files") if other != path]
            self._settings.set("model.opened_files", [path, *opened][:50])
            self.choose(path)

        self._bridge.submit(_awaiting(self._inspect(Path(path))), readable, lambda e: self._refused(path, e))

    def forget(self, path: str) -> None:
        """Take an opened file off the list. The file itself stays."""
        opened = [other for other in self._settings.get("model.opened_files") if other != path]
        self._settings.set("model.opened_files", opened)
        if self._settings.get("model.current") == path:
            self.choose(str(self._starter))
        self.changed.emit()

    def template_of(self, path: str) -> TemplateViewModel:
        """The chat template of a model, for its dialog. When another is chosen, the model in use is loaded anew."""
        from desktop.viewmodels.template import TemplateViewModel

        assert self.templates is not None
        name = model_name(Path(path), self._cards.get(path))

        def used() -> None:
            if Path(path) == self.current_path:
                self.load()

        return TemplateViewModel(self._bridge, self.templates, path, name, used)

    def settings_of(self, path: str) -> ModelSettingsViewModel:
        """The settings of one model. When they change, the model in use is loaded anew."""
        from desktop.viewmodels.model_settings import ModelSettingsViewModel

        is_current = Path(path) == self.current_path
        name = self._item(Path(path)).name
        if Path(path) != self._starter:  # which has a better name than the one in its header
            name = next((entry.name for entry in self._found.values() if entry.path == path), name)
        settings = ModelSettingsViewModel(
            self._settings, Path(path), name, self._placement if is_current else None, self
        )
        settings.changed.connect(lambda _: self._own_settings_changed(path))
        return settings

    def decided(self, path: str) -> tuple[str, ...]:
        """What was decided for a model and why; nothing while it is not the one in use, or not loaded."""
        from desktop.viewmodels.model_settings import decided

        if self._placement is None or Path(path) != self.current_path:
            return ()
        return decided(self._placement)

    def _own_settings_changed(self, path: str) -> None:
        if Path(path) == self.current_path:
            self.options_changed()

    def try_gpu_again(self) -> None:
        """Load the model in use as if no driver had ever failed."""
        path = self.current_path
        if path is not None:
            self._told_of_gpu.discard(str(path))
            self._bridge.submit(self._begin_anew(path), lambda _: self.load())

    async def _begin_anew(self, path: Path) -> None:
        self._forget_gpu(str(path))
        await self._shelf.drop(path)

    def _tell_of_gpu(self, placement: Placement) -> None:
        """Once for each model: the next step is a button."""
        path = str(self.current_path)
        if placement.gpu_failed and path not in self._told_of_gpu:
            self._told_of_gpu.add(path)
            again = tr("Try the GPU again")
            self.notice.emit(Notice(tr(placement.reason), "", again, self.try_gpu_again))

    def cancel_loading(self) -> None:
        if self._loading_job is not None:
            self._loading_job.cancel()
            self._loading_job = None
            self._set_loading(None)

    # ---- loading

    def options_changed(self) -> None:
        """A setting that needs the model loaded anew was changed: do it once the person stops changing it."""
        self._reload_later.start()

    def idle_limit_changed(self) -> None:
        """The time after which an idle model leaves memory was changed: it counts from now on."""
        self._bridge.submit(self._reconsider())

    async def _reconsider(self) -> None:
        self._shelf.reconsider()

    def freed(self, path: Path) -> None:
        """A model has left memory: nothing was asked of it, or another needed the room. A question loads it again."""
        self._in_memory.discard(str(path))
        if path == self.current_path:
            self._placement = None
        self.changed.emit()

    def load(self) -> None:
        """Load the chosen model in the background. Does nothing when it is loaded."""
        path = self.current_path
        self.cancel_loading()
        if self.remote is not None:  # the memory is not needed now
            return
        if path is None:
            self.notice.emit(Notice(tr("The starter model is missing. Open a model file to begin.")))
            return
        self._set_loading(0.0)
        self._loading_job = self._bridge.submit(
            self._load(path), self._loaded, lambda error: self._refused(str(path), error)
        )

    async def _load(self, path: Path) -> Loadable:
        model = await self._shelf.take(path, await self._options(path))
        async with aclosing(model.load()) as events:
            async for event in events:
                self._bridge.deliver(self.take, event)
        return model

    def take(self, event: LoadProgress | ModelReady) -> None:
        """News of a load, also of one that an answer started."""
        from providers.events import LoadProgress, ModelReady

        match event:
            case LoadProgress(fraction):
                self._set_loading(fraction)
            case ModelReady(placement, efforts):
                self._placement = placement
                self._efforts = efforts
                self._tell_of_gpu(placement)
                self._set_loading(None)

    def _loaded(self, model: Loadable) -> None:
        self._loading_job = None
        if model.card is not None:
            self._cards[model.card.path] = model.card
            if self._library is not None:
                self._bridge.submit(self._note_use(self._library, model.card.path), failed=_is_no_matter)
        self._placement = model.placement
        if self._placement is not None and self.current_path is not None:
            self._in_memory.add(str(self.current_path))
            self._tell_of_gpu(self._placement)
        self._set_loading(None)

    @staticmethod
    async def _note_use(library: Library, path: str) -> None:
        await library.mark_used(path)

    def _refused(self, path: str, error: Exception) -> None:
        self._loading_job = None
        self._placement = None
        self._set_loading(None)
        if not isinstance(error, ProviderError):
            raise error
        sentence = model_fault(error.kind, error.detail, error.facts, path)
        if error.kind.value == "no_template" and self.templates is not None:
            choose = tr("Choose a template…")
            self.notice.emit(
                Notice(sentence.text, sentence.detail, choose, lambda: self.template_wanted.emit(path))
            )
            return
        self.notice.emit(Notice.of(sentence))

    def _set_loading(self, fraction: float | None) -> None:
        self.loading = fraction
        self.changed.emit()

    async def provider(self, remote: RemoteChoice | None = None) -> Provider | None:
        """The model that answers a turn: this one elsewhere, else the one on this device. Runs on core."""
        if remote is not None and self.elsewhere.models is not None:
            return self.elsewhere.models.model_of(remote)
        path = self.current_path
        return None if path is None else await self._shelf.take(path, await self._options(path))

    async def _options(self, path: Path) -> LoadOptions:
        """How to load a model, with the file that lets it see if there is one. Runs on core."""
        from desktop.sight import projector_for

        projector = await projector_for(path, self._library)
        self._bridge.deliver(self._looked_for_projector, path, projector is not None)
        return replace(options_for(self._settings, path), projector=projector)

    def _looked_for_projector(self, path: Path, found: bool) -> None:
        if path == self.current_path and found is not self._sees:
            self._sees = found
            self.changed.emit()

    @property
    def seeing(self) -> tuple[ModelItem, ...]:
        """Models of this disk that see images."""
        found = (entry for entry in self._found.values() if entry.projectors and entry.problem is None)
        return tuple(_found_item(entry) for entry in found)


def _remote_item(choice: RemoteChoice, price: str, why: str) -> ModelItem:
    """A model elsewhere as a line of the picker. `why` it can't be asked now; "" when it can."""
    size = tr("reads {count} tokens", count=f"{choice.context_tokens:,}") if choice.context_tokens else ""
    sees = tr("sees images") if choice.sees else ""
    parts = (tr("Leaves this device"), choice.provider_name, price, size, sees)
    detail = " · ".join(part for part in parts if part)
    return ModelItem(REMOTE + choice.key, choice.name, detail, why, bool(why))


def _is_no_matter(error: Exception) -> None:
    """When a model was used last is worth no sentence if the disk refuses it."""
    if not isinstance(error, OSError):
        raise error


async def _awaiting(card: Awaitable[ModelCard]) -> ModelCard:
    return await card


def _order(entry: LibraryEntry) -> tuple[bool, str, int]:
    """By name, the smaller one first; what can't be used comes last."""
    return entry.problem is not None, entry.name.casefold(), entry.size


def _found_item(entry: LibraryEntry) -> ModelItem:
    """A model of this disk as a line of the picker; one that can't be used says why and can't be chosen."""
    sees = tr("sees images") if entry.projectors else ""
    detail = (entry.size_label, entry.quantization, gigabytes(entry.size), entry.licence, sees)
    remark = _STORES.get(entry.source.value, "")
    if entry.problem is not None:
        remark = model_fault(entry.problem, entry.detail, entry.facts, entry.path).text
    text = " · ".join(part for part in detail if part)
    name = entry.name if entry.quantization in entry.name else f"{entry.name} {entry.quantization}"
    return ModelItem(entry.path, name, text, tr(remark) if remark else "", entry.problem is not None)


def _detail(path: Path, card: ModelCard | None, missing: bool) -> str:
    if card is None:
        return "" if missing else gigabytes(path.stat().st_size)
    parts = (card.size_label, card.quantization, gigabytes(card.file_bytes), card.licence)
    return " · ".join(part for part in parts if part)
