"""The real window with the real view-models, store and bridge; only the model is the echo provider, which is quick."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop.bridge import Bridge
from desktop.chat.session import Session
from desktop.chat.shelf import Shelf
from desktop.library import Library
from desktop.paths import Paths
from desktop.processes.report import LockReport, Mechanism, Remaining
from desktop.processes.roles import Network, Role
from desktop.settings import Settings
from desktop.store.store import Store
from desktop.viewmodels.chat import ChatState, ChatViewModel
from desktop.viewmodels.conversations import ConversationsViewModel
from desktop.viewmodels.hub_link import HubLink
from desktop.viewmodels.keys import KeysViewModel
from desktop.viewmodels.models import ModelsViewModel
from desktop.viewmodels.models_page import make_models_page
from desktop.viewmodels.network import NetworkViewModel, Turn
from desktop.viewmodels.opening import Opening
from desktop.viewmodels.settings import SettingsViewModel
from desktop.viewmodels.window import WindowState
from desktop.views.window import MainWindow
from models.runtime.faults import Fault
from models.runtime.values import LoadOptions, ModelCard, Placement
from providers.base import ChatRequest
from providers.echo import Echo
from providers.errors import ProviderError
from providers.events import Event, LoadProgress, ModelReady, PromptProgress
from providers.keys import hub_key

PLACEMENT = Placement("CPU", False, 0, 30, "No graphics card was found.", 1, 2, 8192)
LOCKED = LockReport(
    role=Role.DESKTOP,
    mechanism=Mechanism.SECCOMP,
    enforced=True,
    network=Network.UNIX_ONLY,
    self_test=(("inet tcp", True), ("inet6 udp", True)),
    remaining=(Remaining.LOCAL_SERVICES, Remaining.CHANGE_FILES),
)


class EchoModel:
    """A “model” that is loaded at once and says the question back."""

    def __init__(self, path: Path, echo: Echo) -> None:
        self.card: ModelCard | None = None
        self.placement: Placement | None = None
        self.name = "Echo"
        self.idle_since: float | None = None
        self._echo = echo
        self.origin = ""

    async def load(self) -> AsyncGenerator[LoadProgress | ModelReady, None]:
        self.placement = PLACEMENT
        yield LoadProgress(1.0)
        yield ModelReady(PLACEMENT)

    def use_room(self, can_make: Callable[[], bool], make: Callable[[], Awaitable[bool]]) -> None:
        """It needs none."""

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Event, None]:
        async for event in self._echo.stream(request):
            yield event

    async def close(self) -> None:
        await self._echo.close()


class EndlessReader(Echo):
    """Reads the question forever: the state in which Esc matters most."""

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Event, None]:
        yield PromptProgress(1, 100, 0)
        await asyncio.Event().wait()


async def inspect(path: Path) -> ModelCard:
    """Takes files named good.gguf and refuses every other."""
    if path.stem != "good":
        raise ProviderError(Fault.NOT_GGUF)
    return ModelCard(str(path), "Good", "llama", "1B", "Q4_K_M", 4096, path.stat().st_size, "MIT", True, "")


class WindowParts:
    """Everything a window needs, below one folder. `close` ends the threads."""

    def __init__(
        self,
        home: Path,
        *,
        echo: Echo | None = None,
        first_run: bool = False,
        report: LockReport = LOCKED,
        managed: dict[str, Any] | None = None,
        turn: Turn | None = None,
        finds_models: bool = False,
    ) -> None:
        """`turn`: what turning the network switch does; None where it can't be turned."""
        said = echo or Echo()
        self.plain_settings = Settings(home / "settings.json", managed or {})
        self.plain_settings.load()
        self.bridge = Bridge()
        self.store = Store(home / "conversations.db")
        self.session = Session(self.store)
        self.shelf = Shelf(lambda path, options: _made(path, options, said))
        self.state = WindowState(home / "window.json")
        self.conversations = ConversationsViewModel(self.bridge, self.store)
        found = Library(Paths(home), stores=()) if finds_models else None
        self.models = ModelsViewModel(self.bridge, self.shelf, inspect, self.plain_settings, found)
        self.chat = ChatViewModel(
            self.bridge, self.store, self.session, self.conversations, self.models, self.plain_settings
        )
        self.settings = SettingsViewModel(self.plain_settings)
        self.network = NetworkViewModel(report, None, turn)
        self.link = HubLink()
        self.models_page = make_models_page(
            self.bridge,
            Library(Paths(home), stores=()),
            self.models,
            self.settings,
            self.network,
            self.link,
            Paths(home),
        )
        self.library = self.models_page.library
        self.keys = KeysViewModel(self.bridge, self.link, hub_key(self.network.hub), "the hub", online=False)
        self.window = MainWindow(
            self.conversations,
            self.chat,
            self.models,
            self.network,
            self.settings,
            self.state,
            first_run,
            self.models_page,
            self.keys,
        )
        self.conversations.notice.connect(self.chat.notice)
        self.models.notice.connect(self.chat.notice)
        self._opening = Opening(self.bridge, self.store, self.conversations, self.chat, self.state, None)

        self.list_was_read = False
        self.conversations.changed.connect(self._take_note)

    def _take_note(self) -> None:
        self.list_was_read = True

    def start(self) -> None:
        self.window.show()
        self._opening.begin()

    def close(self) -> None:
        self.window.close()
        self.chat.store_draft()
        self.chat.stop()
        self.state.save()
        self.bridge.close(self._last_things())
        self.window.deleteLater()
        QApplication.processEvents()

    async def _last_things(self) -> None:
        await self.session.close()
        await self.shelf.close()
        await self.chat.images.close()
        await self.store.close()
        await self.link.close()


def _made(path: Path, options: LoadOptions, echo: Echo) -> EchoModel:
    return EchoModel(path, echo)


@contextmanager
def shown(qtbot: QtBot, home: Path, **choices: Any) -> Iterator[WindowParts]:
    """A window that is on screen and complete: its database is open and its shortcuts work."""
    parts = WindowParts(home, **choices)
    parts.start()
    try:
        qtbot.waitUntil(lambda: parts.list_was_read and parts.window.is_complete, timeout=20_000)
        parts.window.activateWindow()
        yield parts
    finally:
        parts.close()


def ask(qtbot: QtBot, parts: WindowParts, text: str) -> None:
    """Send a message and wait for its whole answer."""
    qtbot.waitUntil(lambda: parts.chat.can_send, timeout=20_000)
    before = len(parts.chat.transcript.entries)
    assert parts.chat.send(text)
    qtbot.waitUntil(
        lambda: parts.chat.state is ChatState.IDLE and len(parts.chat.transcript.entries) >= before + 2,
        timeout=20_000,
    )
