"""The queue of downloads: what is on its way, how fast, what became of it, and what a person does about it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from desktop.bridge import Bridge, Job
from desktop.i18n import tr
from desktop.library import Library
from desktop.paths import Paths
from desktop.viewmodels.hub_link import HubLink
from desktop.viewmodels.hub_words import hub_sentence
from desktop.viewmodels.model_words import one_line
from desktop.viewmodels.models import ModelsViewModel
from desktop.viewmodels.notice import Notice
from desktop.words.hub import hub_fault
from desktop.words.sentence import Sentence, gigabytes
from models.download_values import State
from models.hub_values import HubModel, Page
from providers.gate.hub_messages import (
    QueueChanged,
    Queued,
    QueueEvent,
    QueueFinished,
    QueueGone,
    QueueStanding,
)

if TYPE_CHECKING:
    from providers.gate.client import BrokerClient

_AT_WORK = (State.QUEUED, State.CHECKING, State.RUNNING, State.WAITING)


@dataclass(frozen=True, slots=True)
class Ready:
    """A model that came in this run: whole, checked, in its place. `path`: the file to load."""

    key: str
    repo: str
    path: str
    size: int


class DownloadsViewModel(QObject):
    """`changed` for everything that is shown, `finished` with a `Ready` when a model has come."""

    changed = Signal()
    finished = Signal(object)
    notice = Signal(object)

    def __init__(
        self,
        bridge: Bridge,
        link: HubLink,
        library: Library,
        models: ModelsViewModel,
        paths: Paths,
        online: bool,
        is_known: Callable[[str], bool],
        parent: QObject | None = None,
    ) -> None:
        """`online`: the network switch lets the hub be reached in this run. `is_known`: whether a model that can be
        used lies at a path.
        """
        super().__init__(parent)
        self._bridge = bridge
        self._link = link
        self._library = library
        self._models = models
        self._paths = paths
        self.online = online
        self._is_known = is_known
        self.queue: list[Queued] = []
        self.ready: list[Ready] = []
        self.elsewhere = False
        self.problem: Sentence | None = None  # why the queue is not seen
        self._watch: Job | None = None

    # ---- watching

    def begin(self) -> None:
        """Watch the queue from now on; what was under way in the last run goes on. Offline: see what waits."""
        if self._watch is not None:
            return
        if self.online:
            self._watch = self._bridge.submit(self._follow(), failed=self._lost)
        else:
            self._watch = self._bridge.submit(self._waiting(), self._show_waiting, self._lost)

    async def _follow(self) -> None:
        from desktop.hub import watch_queue

        async with aclosing(watch_queue(await self._link.client(), self._library)) as events:
            async for event in events:
                self._bridge.deliver(self._take, event)

    def _take(self, event: QueueEvent) -> None:
        match event:
            case QueueStanding(downloads, elsewhere):
                self.queue, self.elsewhere, self.problem = list(downloads), elsewhere, None
            case QueueChanged(download):
                self._put(download)
            case QueueGone(name):
                self.queue = [one for one in self.queue if one.id != name]
            case QueueFinished(name, repo, files):
                size = next((one.total_bytes for one in self.queue if one.id == name), 0)
                self.queue = [one for one in self.queue if one.id != name]
                came = Ready(name, repo, files[0].path if files else "", size)
                self.ready.insert(0, came)
                self.finished.emit(came)
        self.changed.emit()

    def _put(self, download: Queued) -> None:
        for place, one in enumerate(self.queue):
            if one.id == download.id:
                self.queue[place] = download
                return
        self.queue.append(download)

    def _lost(self, error: Exception) -> None:
        self._watch = None
        self.queue = []
        self.problem = (
            Sentence(tr("The list of downloads could not be read from this disk."), str(error))
            if isinstance(error, OSError)
            else hub_sentence(error)
        )
        self.changed.emit()

    async def _waiting(self) -> list[Queued]:
        import asyncio

        return await asyncio.to_thread(self._read)

    def _read(self) -> list[Queued]:
        from models.download_list import standing_on_disk

        return [
            Queued(
                one.id,
                one.wanted.repo,
                one.wanted.revision,
                tuple(file.path for file in one.wanted.files),
                one.state,
                one.done_bytes,
                one.total_bytes,
                code=one.code,
            )
            for one in standing_on_disk(self._paths.home / "downloads", self._paths.models)
        ]

    def _show_waiting(self, queue: list[Queued]) -> None:
        self.queue = queue
        self.changed.emit()

    # ---- what there is

    @property
    def at_work(self) -> list[Queued]:
        """What comes in now, or will by itself."""
        return [one for one in self.queue if self.online and one.state in _AT_WORK]

    @property
    def fraction(self) -> float:
        """How much of all that is at work has come, 0 to 1."""
        total = sum(one.total_bytes for one in self.at_work)
        return sum(one.done_bytes for one in self.at_work) / total if total else 0.0

    @property
    def summary(self) -> str:
        """One short line about what is at work; "" for nothing."""
        at_work = self.at_work
        if not at_work:
            return ""
        percent = int(self.fraction * 100)
        if len(at_work) == 1:
            return tr("Downloading · {percent} %", percent=percent)
        return tr("{count} downloads · {percent} %", count=len(at_work), percent=percent)

    def of(self, repo: str, paths: Sequence[str]) -> Queued | None:
        """The download that fetches these files, if one does."""
        wanted = set(paths)
        return next((one for one in self.queue if one.repo == repo and wanted <= set(one.paths)), None)

    def is_here(self, repo: str, paths: Sequence[str]) -> str:
        """Where the first of these files lies, once Alcove has fetched them; else ""."""
        place = str(self._paths.models.joinpath(repo, *paths[0].split("/")))
        return place if self._is_known(place) or any(one.path == place for one in self.ready) else ""

    # ---- what a person does

    def add(self, page: Page, models: Sequence[HubModel]) -> None:
        """Fetch these of a page together: a model, and the part that sees with it."""

        async def put(client: BrokerClient) -> None:
            from desktop.hub import add_to_queue

            await add_to_queue(client, page, models)

        self._do(put)

    def pause(self, download: str) -> None:
        from desktop.hub import pause

        self._ask(pause, download)

    def resume(self, download: str) -> None:
        """Go on, or try again."""
        from desktop.hub import resume

        self._ask(resume, download)

    def cancel(self, download: str) -> None:
        """Take it out of the queue, and what there is of it off the disk."""
        from desktop.hub import cancel

        self._ask(cancel, download)

    def move(self, download: str, by: int) -> None:
        """Before (-1) or behind (1) its neighbour in the queue."""
        here = next((place for place, one in enumerate(self.queue) if one.id == download), None)
        if here is None or not 0 <= here + by < len(self.queue):
            return

        async def go(client: BrokerClient) -> None:
            from desktop.hub import move

            await move(client, download, here + by)

        self._do(go)

    def use(self, path: str) -> None:
        """Answer with a model that has come, from now on."""
        self._models.choose(path)

    def forget_ready(self, key: str) -> None:
        """Take a model that has come off the list. It stays."""
        self.ready = [one for one in self.ready if one.key != key]
        self.changed.emit()

    def _ask(self, act: Callable[[BrokerClient, str], Coroutine[Any, Any, None]], download: str) -> None:
        self._do(lambda client: act(client, download))

    def _do(self, act: Callable[[BrokerClient], Coroutine[Any, Any, None]]) -> None:
        async def with_client() -> None:
            await act(await self._link.client())

        self.begin()
        self._bridge.submit(with_client(), failed=self._refused)

    def _refused(self, error: Exception) -> None:
        sentence = hub_sentence(error)
        if sentence.detail != "unknown":  # it has come or gone meanwhile, and the list says so
            self.notice.emit(Notice.of(sentence))


# ---- words


def came_notice(came: Ready, use: Callable[[], None]) -> Notice:
    """For whoever is somewhere else when a model has come."""
    name = download_name(came.repo, (came.path,))
    return Notice(tr("{name} is ready to use.", name=name), action_text=tr("Use it"), action=use, good=True)


def download_name(repo: str, paths: Sequence[str]) -> str:
    """What a download is called: its repository, and the file where it says more."""
    file = one_line(paths[0].rpartition("/")[2]) if paths else ""
    return file or one_line(repo)


def state_words(download: Queued, *, online: bool = True) -> str:
    """Where it stands, with numbers and, where it went wrong, the next step."""
    of_all = tr(
        "{done} of {total}", done=gigabytes(download.done_bytes), total=gigabytes(download.total_bytes)
    )
    match download.state:
        case State.FAILED:
            return failure_words(download)
        case State.PAUSED:
            return tr("Paused · {of_all}", of_all=of_all)
        case _ if not online:
            return tr("Waits until Alcove may reach the hub · {of_all}", of_all=of_all)
        case State.QUEUED:
            return tr("Waits for its turn · {of_all}", of_all=of_all)
        case State.CHECKING:
            return tr("Checking what is here already · {of_all}", of_all=of_all)
        case State.WAITING:
            return _waiting_words(download)
        case State.RUNNING if download.done_bytes >= download.total_bytes > 0:
            return tr("Comparing the SHA-256 · {size}", size=gigabytes(download.total_bytes))
    parts = (of_all, rate_words(download.bytes_per_second), left_words(download.seconds_left))
    return " · ".join(part for part in parts if part)


def failure_words(download: Queued) -> str:
    return hub_fault(download.code, download.facts).text


def _waiting_words(download: Queued) -> str:
    seconds = download.retry_seconds
    if seconds is None:
        return tr("Tries again soon")
    return tr("No answer from the hub · tries again in {seconds} s", seconds=max(1, round(seconds)))


def rate_words(bytes_per_second: float) -> str:
    if bytes_per_second <= 0:
        return ""
    if bytes_per_second < 1e6:
        return tr("{rate} kB/s", rate=f"{bytes_per_second / 1e3:.0f}")
    return tr("{rate} MB/s", rate=f"{bytes_per_second / 1e6:.1f}")


def left_words(seconds: float | None) -> str:
    """The remaining time, as coarse as it is certain."""
    if seconds is None:
        return ""
    if seconds < 60:
        return tr("less than a minute left")
    if seconds < 3600:
        return tr("about {minutes} min left", minutes=round(seconds / 60))
    return tr("about {hours} h left", hours=f"{seconds / 3600:.1f}")
