"""The composition root: makes every part of the window's process and joins them. Nothing imports it but the entry.

In the order of what a person waits for: the window is shown first, the database opens meanwhile on its own
thread (calls to it queue behind), and the model loads once the window can be typed into.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from dataclasses import replace
from functools import cached_property, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from desktop.display import display_problem
from desktop.i18n import tr
from desktop.instance import Instance
from desktop.later import later
from desktop.paths import Paths
from desktop.processes.again import can_start_again, start_again
from desktop.processes.report import LockReport
from desktop.processes.switch import Position, Switch, read_stored, read_switch, write_switch
from desktop.settings import LOADED_WITH, Settings

if TYPE_CHECKING:
    from desktop.chat.session import Session
    from desktop.chat.shelf import Shelf
    from desktop.library import Library
    from desktop.placements import Placements
    from desktop.store.store import Store
    from desktop.templates import Templates
    from desktop.viewmodels.budget_watch import BudgetWatch
    from desktop.viewmodels.downloads import Ready
    from desktop.viewmodels.keys import KeysViewModel
    from desktop.viewmodels.models_page import ModelsPageViewModel
    from desktop.viewmodels.power_watch import PowerWatch
    from desktop.viewmodels.quantize import QuantizeViewModel
    from desktop.views.page import Page
    from desktop.views.theme import Theme
    from desktop.views.window import PageMaker
    from models.runtime.values import ModelCard

log = logging.getLogger(__name__)

_FOR_THE_FIRST_TURN = (
    "asyncio",
    "desktop.store.store",
    "desktop.viewmodels.entries",
    "desktop.chat.session",
    "desktop.local_models",
)
_FOR_THE_FIRST_CONVERSATION = ("desktop.views.transcript.view", "markdown_it", "pygments")
"""What the window does without until it is on screen."""


def open_window(paths: Paths, report: LockReport) -> int:
    """Show the window until it is closed. Exit status 0, or 1 with a sentence on standard error."""
    if problem := display_problem(os.environ, sys.platform):
        return _refuse(problem)
    instance = Instance(paths.lock)
    try:
        if not instance.acquire():
            instance.ask_to_show()
            print(tr("Alcove is already open: its window comes to the front."))
            return 0
    except OSError as error:
        return _refuse(
            tr("Alcove can't write to its folder {folder}: {why}.", folder=paths.home, why=error.strerror)
        )
    try:
        return _run(paths, report, instance)
    finally:
        instance.release()


def _refuse(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1


def _run(paths: Paths, report: LockReport, instance: Instance) -> int:
    from PySide6.QtWidgets import QApplication

    qt = QApplication(["alcove"])
    qt.setApplicationName("Alcove")
    qt.setDesktopFileName("alcove")
    settings = Settings(paths.settings)
    settings.load()
    parts = Parts(paths, report, settings, instance)
    parts.window.show()
    parts.start()
    status = qt.exec()
    parts.close()
    return status


class Parts:
    """Everything the window's process is made of."""

    def __init__(self, paths: Paths, report: LockReport, settings: Settings, instance: Instance) -> None:
        from desktop.bridge import Bridge
        from desktop.viewmodels.chat import ChatViewModel
        from desktop.viewmodels.conversations import ConversationsViewModel
        from desktop.viewmodels.hub_link import HubLink
        from desktop.viewmodels.models import ModelsViewModel
        from desktop.viewmodels.network import NetworkViewModel
        from desktop.viewmodels.opening import Opening
        from desktop.viewmodels.remote import RemoteViewModel
        from desktop.viewmodels.settings import SettingsViewModel
        from desktop.viewmodels.window import WindowState
        from desktop.views.window import MainWindow

        self._paths = paths
        self._settings = settings
        self._report = report
        self.first_run = not paths.database.exists()
        self.bridge = Bridge()
        self.store = later(partial(_make_store, paths))
        self.session = later(lambda: _make_session(self.store))
        self.shelf = later(self._make_shelf)
        self.window_state = WindowState(paths.home / "window.json")
        self.conversations = ConversationsViewModel(self.bridge, self.store)
        self.library = later(partial(_make_library, paths))
        self.placements = later(partial(_make_placements, paths))
        self.models = ModelsViewModel(
            self.bridge,
            self.shelf,
            _inspect,
            settings,
            self.library,
            forget_gpu=lambda path: self.placements.forget(path),
        )
        self.models.templates = self.templates = later(partial(_make_templates, paths))
        self.chat = ChatViewModel(
            self.bridge, self.store, self.session, self.conversations, self.models, settings
        )
        self.settings = SettingsViewModel(settings)
        self.network = NetworkViewModel(
            report, read_switch(str(paths.home)), self._turn_switch if can_start_again() else None
        )
        self.hub_link = HubLink()
        self.models_page = later(self._make_models_page)
        self.remote = RemoteViewModel(self.bridge, self.hub_link, paths.home, self.network.position)
        self.models.elsewhere.models = self.remote
        self.remote.changed.connect(self.models.changed)
        self.chat.answered_elsewhere.connect(lambda provider: self._budget_watch.answered(provider))
        self.chat.state_changed.connect(lambda: self._power_watch)  # made with the first question
        self.keys = later(self._make_keys)
        self.window = MainWindow(
            self.conversations,
            self.chat,
            self.models,
            self.network,
            self.settings,
            self.window_state,
            self.first_run,
            self.models_page,
            self.keys,
            self._pages(),
        )
        self.network.restart_wanted.connect(self._start_again)  # after the window has remembered where it is
        self.window.quantizer = self._quantizer
        self.conversations.notice.connect(self.chat.notice)
        self.models.notice.connect(self.chat.notice)
        self.settings.changed.connect(self._setting_changed)
        self.chat.draft_replaced.connect(lambda: self._trace("restored"))
        self._instance = instance
        self._opening = Opening(
            self.bridge, self.store, self.conversations, self.chat, self.window_state, settings.put_aside
        )

    def _pages(self) -> dict[str, PageMaker]:
        """The pages in front of the conversation, by their names, and how each is made when it is first shown."""
        from desktop.views.main_area import COSTS, LEDGER, REMOTE

        return {
            REMOTE: self._make_remote_page,
            LEDGER: self._make_ledger_page,
            COSTS: self._make_costs_page,
        }

    def _make_costs_page(self, theme: Theme) -> Page:
        from desktop.viewmodels.costs import CostsViewModel
        from desktop.views.costs_page.page import CostsPage

        def title_of(conversation: str) -> str:
            found = (item.title for item in self.conversations.items if str(item.id) == conversation)
            return next(found, tr("a conversation that was deleted"))

        paths, settings = self._paths, self._settings
        costs = CostsViewModel(self.bridge, paths.home, paths.ledger, settings, title_of, self.window)
        return CostsPage(theme, costs, self.models, self.network)

    def _make_ledger_page(self, theme: Theme) -> Page:
        from desktop.viewmodels.ledger import LedgerViewModel
        from desktop.views.ledger_page.page import LedgerPage

        ledger = LedgerViewModel(self.bridge, self._paths.ledger, self.window)
        return LedgerPage(theme, ledger, self.models, self.network)

    @cached_property
    def _budget_watch(self) -> BudgetWatch:
        from desktop.viewmodels.budget_watch import BudgetWatch

        paths = self._paths
        watch = BudgetWatch(
            self.bridge, paths.home, paths.ledger, lambda: self.window.run("costs"), self.window
        )
        watch.notice.connect(self.chat.notice)
        return watch

    @cached_property
    def _power_watch(self) -> PowerWatch:
        from desktop.viewmodels.power_watch import PowerWatch

        return PowerWatch(self.chat, self._settings, self.window)

    def _make_remote_page(self, theme: Theme) -> Page:
        from desktop.views.remote_page.page import RemotePage

        return RemotePage(theme, self.remote, self.models, self.network)

    def _make_models_page(self) -> ModelsPageViewModel:
        from desktop.viewmodels.models_page import make_models_page

        made = make_models_page(
            self.bridge, self.library, self.models, self.settings, self.network, self.hub_link, self._paths
        )
        downloads = made.downloads
        downloads.changed.connect(
            lambda: self.window.sidebar.show_downloads(downloads.summary, downloads.fraction)
        )
        downloads.finished.connect(self._model_came)
        return made

    def _make_keys(self) -> KeysViewModel:
        from desktop.keys import places
        from desktop.viewmodels.keys import KeysViewModel

        online = self.network.position is not Position.OFFLINE
        (place,) = places(self.network.hub)
        return KeysViewModel(self.bridge, self.hub_link, place, place.host, online)

    def _model_came(self, came: Ready) -> None:
        """Say it where the person is; on the models page the list says it."""
        from desktop.viewmodels.downloads import came_notice

        if self.window.area.models is None:
            self.chat.notice.emit(came_notice(came, lambda: self.models.choose(came.path)))

    def _make_shelf(self) -> Shelf:
        from desktop.chat.shelf import Shelf
        from desktop.kept_states import KeptStateFiles
        from desktop.local_models import make_model
        from desktop.this_machine import ThisMachine

        kept = KeptStateFiles(
            self._paths.kept_states, lambda: int(self._settings.get("model.kept_gigabytes") * 1e9)
        )

        machine = ThisMachine(self._paths.machine)

        def freed(path: Path) -> None:
            self.bridge.deliver(self.models.freed, path)

        make = partial(
            make_model,
            kept=kept,
            answered=machine.answered,
            templates=self.templates,
            experience=self.placements,
        )
        return Shelf(make, self._idle_seconds, freed, lambda: self._settings.get("model.most_loaded"))

    @cached_property
    def _quantizer_model(self) -> QuantizeViewModel:
        from desktop.viewmodels.quantize import QuantizeViewModel

        model = QuantizeViewModel(self.bridge, self._paths, self.library)
        model.notice.connect(self.chat.notice)
        model.made.connect(lambda _: self.models.look_around())
        return model

    def _quantizer(self) -> QuantizeViewModel:
        return self._quantizer_model

    def _idle_seconds(self) -> float | None:
        minutes: int | None = self._settings.get("model.idle_minutes")
        return None if minutes is None else minutes * 60.0

    def start(self) -> None:
        """Everything that can wait until the window is on screen, once it is."""
        from PySide6.QtCore import QTimer

        QTimer.singleShot(0, self._on_screen)

    def _on_screen(self) -> None:
        import gc

        from desktop.logs import write_to

        self._trace("usable")
        gc.enable()
        write_to(self._paths.log)
        log.info("lock: %s", self._report.summary)
        threading.Thread(target=self._load_the_rest, name="loading").start()

    def _load_the_rest(self) -> None:
        """Import, beside the window, what the store, the turns and the models are made of."""
        for name in _FOR_THE_FIRST_TURN:
            import_module(name)
        self.bridge.deliver(self._begin)
        for name in _FOR_THE_FIRST_CONVERSATION:
            import_module(name)
        self.bridge.deliver(self.window.page.prepare)

    def _begin(self) -> None:
        from PySide6.QtCore import QFileSystemWatcher

        self._watcher = QFileSystemWatcher([str(self._instance.request_file)])
        self._watcher.fileChanged.connect(self._show_window)
        self._opening.begin()
        self.models.load()
        if self.network.position is not Position.OFFLINE:
            self.models_page.downloads.begin()  # what was under way goes on

    def _turn_switch(self, switch: Switch) -> None:
        write_switch(
            str(self._paths.home), replace(read_stored(str(self._paths.home)), position=switch.position)
        )

    def _start_again(self) -> None:
        """End in good order. A helper from before the lock starts Alcove anew once this process has gone."""
        from PySide6.QtWidgets import QApplication

        start_again()
        QApplication.quit()

    def _trace(self, what: str) -> None:
        """For measuring: how long after its start the process was at this point, on standard error."""
        if os.environ.get("ALCOVE_TRACE_START"):
            print(f"{what} {_seconds_since_start():.3f}", file=sys.stderr, flush=True)

    def _setting_changed(self, key: str) -> None:
        if key in LOADED_WITH:
            self.models.options_changed()
        elif key in ("model.idle_minutes", "model.most_loaded"):
            self.models.idle_limit_changed()

    def _show_window(self, _: str) -> None:
        from PySide6.QtCore import Qt

        self.window.setWindowState(self.window.windowState() & ~Qt.WindowState.WindowMinimized)
        self.window.show()
        self.window.raise_()
        self.window.activateWindow()

    def close(self) -> None:
        """Store what is not stored yet and end the children."""
        self.chat.store_draft()
        self.chat.stop()
        self.window_state.save()
        self.bridge.close(self._last_things())

    async def _last_things(self) -> None:
        await self.session.close()
        await self.store.close()  # before the model, which may take seconds to write down what it has read
        await self.shelf.close()
        await self.hub_link.close()
        await self.chat.images.close()


def _make_store(paths: Paths) -> Store:
    from desktop.store.store import Store

    return Store(paths.database)


def _make_session(store: Store) -> Session:
    from desktop.chat.session import Session

    return Session(store)


def _make_placements(paths: Paths) -> Placements:
    from desktop.placements import Placements

    return Placements(paths.placements)


def _make_library(paths: Paths) -> Library:
    from desktop.library import Library

    return Library(paths)


def _make_templates(paths: Paths) -> Templates:
    from desktop.local_models import make_templates

    return make_templates(paths.templates)


async def _inspect(path: Path) -> ModelCard:
    from desktop.local_models import inspect_model

    return await inspect_model(path)


def _seconds_since_start() -> float:
    """Seconds since the operating system started this process."""
    import time

    if sys.platform == "linux":  # proc(5): field 22 of stat, in clock ticks since the machine started
        with open("/proc/self/stat", encoding="ascii", errors="replace") as stat:
            ticks = int(stat.read().rpartition(")")[2].split()[19])
        return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    import psutil

    return time.time() - psutil.Process().create_time()
