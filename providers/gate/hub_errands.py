"""The broker's work with a model hub: searching, looking at a model, fetching one. All of it through the gate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from models.download import Downloads
from models.download_values import (
    DownloadFault,
    Failed,
    Finished,
    Progress,
    State,
    StateChanged,
    Wanted,
    WantedFile,
)
from models.download_values import Event as DownloadEvent
from models.http import HttpFault, HttpProblem, Refused, Response
from models.hub_faults import HubFault, HubKind
from models.hub_values import PUBLIC_HUB
from models.runtime.faults import RuntimeFault
from providers.gate.errand import current_errand
from providers.gate.faults import GateError
from providers.gate.hub_headers import HeaderShelf
from providers.gate.hub_messages import (
    HubEvent,
    HubFit,
    HubFound,
    HubLook,
    HubModelPage,
    HubPull,
    HubRefused,
    HubSearch,
    Pulled,
    PulledFile,
    PullProgress,
    QueueAdd,
    QueueAdded,
    QueueCancel,
    QueueMove,
    QueuePause,
    QueueResume,
    QueueWatch,
)
from providers.gate.hub_queue import HubQueue
from providers.gate.key_errands import KeyErrands
from providers.gate.lazy_hub import LazyHub
from providers.gate.protocol import GateFault
from providers.gate.rules import Setting
from providers.gate.transport import GatedClient, GatedHttp
from providers.keys import KeyPlace

Send = Callable[[HubEvent], None]

_PROBLEMS = {
    GateFault.NAME: HttpProblem.OFFLINE,
    GateFault.UNREACHABLE: HttpProblem.UNREACHABLE,
    GateFault.PROXY: HttpProblem.UNREACHABLE,
    GateFault.TIMED_OUT: HttpProblem.UNREACHABLE,
    GateFault.CERTIFICATE: HttpProblem.TLS,
    GateFault.TLS: HttpProblem.TLS,
    GateFault.CUT_OFF: HttpProblem.CUT,
    GateFault.CANCELLED: HttpProblem.CUT,
}


class HubErrands:
    """What a broker does with its hub. Each method runs in a thread of its own and may be given up."""

    def __init__(
        self,
        setting: Setting,
        client: GatedClient,
        place_of: Callable[[str], KeyPlace | None] = lambda owner: None,
    ) -> None:
        """`place_of`: where the key of a provider is kept, which the hub's are kept beside."""
        self._library = LazyHub(client)
        self.keys = KeyErrands(setting, self._library, place_of)
        self._endpoint = setting.mirror.url.rstrip("/") or PUBLIC_HUB
        self._home = Path(setting.home)
        self._http = _HopByHop(GatedHttp(client, follow_redirects=False))
        self._queue = HubQueue(self._http, self._home, self.token_for)
        self._headers = HeaderShelf(self._http)

    def token_for(self, endpoint: str) -> str | None:
        """The person's token for a hub, asked for before each request that may need one; None for none.

        The one place where tokens come in: for searching, pages, headers and downloads.
        """
        return self.keys.token_for(endpoint)

    def end(self) -> None:
        """For the end of the process: the queue stops where it is."""
        self._queue.end()

    # ---- looking

    def search(self, asked: HubSearch, _: GatedHttp, send: Send) -> None:
        with _refusals(send):
            send(
                HubFound(self._library().search(self._endpoint, asked.query, self.token_for(self._endpoint)))
            )

    def look(self, asked: HubLook, _: GatedHttp, send: Send) -> None:
        with _refusals(send):
            token = self.token_for(self._endpoint)
            page = self._library().page(self._endpoint, asked.repo, token=token)
            send(HubModelPage(page, self._library().files(self._endpoint, asked.repo, page.sha, token)))

    def fit(self, asked: HubFit, _: GatedHttp, send: Send) -> None:
        with _refusals(send):
            send(self._headers.fit(asked, self._endpoint, self.token_for(self._endpoint)))

    # ---- the queue

    def watch(self, asked: QueueWatch, _: GatedHttp, send: Send) -> None:
        with _refusals(send):
            self._queue.watch(send)

    def add(self, asked: QueueAdd, _: GatedHttp, send: Send) -> None:
        with _refusals(send):
            wanted = self._wanted(asked.repo, asked.revision, asked.paths)
            send(QueueAdded(self._queue.add(wanted, asked.replace)))

    def pause(self, asked: QueuePause, _: GatedHttp, send: Send) -> None:
        with _refusals(send):
            self._queue.pause(asked.download)

    def resume(self, asked: QueueResume, _: GatedHttp, send: Send) -> None:
        with _refusals(send):
            self._queue.resume(asked.download)

    def cancel(self, asked: QueueCancel, _: GatedHttp, send: Send) -> None:
        with _refusals(send):
            self._queue.cancel(asked.download)

    def move(self, asked: QueueMove, _: GatedHttp, send: Send) -> None:
        with _refusals(send):
            self._queue.move(asked.download, asked.place)

    # ---- one download for a command that waits for it

    def pull(self, asked: HubPull, _: GatedHttp, send: Send) -> None:
        with _refusals(send), self._queue.alone():
            wanted = self._wanted(asked.repo, asked.revision, asked.paths)
            self._pull(self._queue.missing_of(wanted), send)

    def _wanted(self, repo: str, revision: str, paths: tuple[str, ...]) -> Wanted:
        """The files with the sizes and hashes that the hub gives for them, not that somebody else says."""
        listing = self._library().files(self._endpoint, repo, revision, self.token_for(self._endpoint))
        known = {file.path: file for model in listing.models for file in model.files}
        missing = [path for path in paths if path not in known]
        if missing:
            raise HubFault(HubKind.NOT_FOUND, missing[0])
        files = tuple(WantedFile(path, known[path].size, known[path].sha256) for path in paths)
        return Wanted(self._endpoint, repo, revision, files)

    def _pull(self, wanted: Wanted, send: Send) -> None:
        """This download alone; others that wait in the folder stay as they are."""
        watcher = _Watcher(wanted, send)
        downloads = Downloads(
            self._http, self._home / "downloads", self._home / "models", self.token_for, watcher.take
        )
        watcher.id = downloads.add(wanted)
        downloads.resume(watcher.id)
        errand = current_errand()
        if errand is not None:
            errand.in_use(downloads.end)
        try:
            downloads.run(until_idle=True, only=watcher.id)
        finally:
            if errand is not None:
                errand.not_in_use(downloads.end)


class _Watcher:
    """From the events of a queue to those of one pull."""

    def __init__(self, wanted: Wanted, send: Send) -> None:
        self._wanted = wanted
        self._send = send
        self._state = State.QUEUED
        self.id = ""

    def take(self, event: DownloadEvent) -> None:
        if self.id and event.id != self.id:
            return
        total = sum(file.size for file in self._wanted.files)
        match event:
            case StateChanged(state=state):
                self._state = state
                if state is not State.READY:
                    self._send(PullProgress(state.value, 0, total, 0.0, None))
            case Progress():
                self._send(
                    PullProgress(
                        self._state.value,
                        event.done_bytes,
                        event.total_bytes,
                        event.bytes_per_second,
                        event.seconds_left,
                    )
                )
            case Finished(files=files, sha256=hashes):
                self._send(Pulled(tuple(map(PulledFile, files, hashes))))
            case Failed():
                self._send(HubRefused(event.code, event.detail, event.facts))
            case _:
                pass


class _HopByHop:
    """`models.http.Http` over the gate: the hub's code follows redirects itself, and each one passes the gate."""

    def __init__(self, http: GatedHttp) -> None:
        self._http = http

    @contextmanager
    def stream(self, method: str, url: str, headers: Mapping[str, str]) -> Iterator[Response]:
        with _as_http_faults(), self._http.stream(method, url, headers) as answer:
            yield _Answer(answer.status, answer.headers, answer.iter_bytes)


class _Answer:
    def __init__(
        self, status: int, headers: Mapping[str, str], pieces: Callable[[], Iterator[bytes]]
    ) -> None:
        self.status = status
        self.headers = headers
        self._pieces = pieces

    def iter_bytes(self) -> Iterator[bytes]:
        with _as_http_faults():
            yield from self._pieces()


@contextmanager
def _as_http_faults() -> Iterator[None]:
    try:
        yield
    except GateError as error:
        if error.fault in (GateFault.REFUSED, GateFault.LEDGER):
            raise Refused(error.rule or error.fault.value) from None
        raise HttpFault(_PROBLEMS.get(error.fault, HttpProblem.BAD_ANSWER), error.detail) from None


@contextmanager
def _refusals(send: Send) -> Iterator[None]:
    try:
        yield
    except HubFault as fault:
        send(HubRefused(fault.kind.value, fault.detail, fault.facts))
    except DownloadFault as fault:
        send(HubRefused(fault.problem.value, fault.detail, fault.facts))
    except RuntimeFault as fault:
        send(HubRefused(fault.fault.value, fault.detail, fault.facts))
