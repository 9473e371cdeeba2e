"""A download ends in the right file or in none; it goes on where it was, whatever happened in between."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.hub_server import HubServer, Misbehaviour
from support.plain_http import PlainHttp, plain_client

from models.download import RESERVE, Downloads
from models.download_files import origin_of, place_of
from models.download_ticket import FileTicket, Ticket, id_of, read_tickets, write_ticket
from models.download_values import (
    Backoff,
    DownloadFault,
    Event,
    Failed,
    Finished,
    Problem,
    Progress,
    Restart,
    Restarted,
    Retrying,
    State,
    StateChanged,
    Wanted,
    WantedFile,
)
from models.http import Http
from models.hub_faults import HubKind

REPO = "ann/chat"
QUICK = Backoff(attempts=4, first=0.001, longest=0.01)
Told = TypeVar("Told")
DATA = random.Random(1).randbytes(3_000_000)


class Bench:
    """A hub, the folders of one computer, and everything that was told."""

    def __init__(self, hub: HubServer, home: Path, http: Http) -> None:
        self.hub, self.http = hub, http
        self.folder, self.models = home / "downloads", home / "models"
        self.events: list[Event] = []
        self.token: str | None = None
        self.then: Callable[[Event], None] = lambda event: None

    def emit(self, event: Event) -> None:
        self.events.append(event)
        self.then(event)

    def start(self) -> Downloads:
        """The queue as the program finds it when it starts."""
        return Downloads(self.http, self.folder, self.models, lambda _: self.token, self.emit, QUICK)

    def wanted(self, *paths: str, repo: str = REPO) -> Wanted:
        repository = self.hub.repositories[repo]
        files = tuple(
            WantedFile(path, repository.files[path].size, repository.files[path].sha256)
            for path in paths or ("chat.gguf",)
        )
        return Wanted(self.hub.url, repo, repository.sha, files)

    def fetch(self, *paths: str) -> str:
        downloads = self.start()
        name = downloads.add(self.wanted(*paths))
        downloads.run(until_idle=True)
        return name

    def told(self, kind: type[Told]) -> list[Told]:
        return [event for event in self.events if isinstance(event, kind)]

    def place(self, path: str = "chat.gguf") -> Path:
        return place_of(self.models, REPO, path)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with HubServer() as hub, plain_client() as client:
        hub.add(REPO, {"chat.gguf": DATA})
        yield Bench(hub, tmp_path, PlainHttp(client))


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def cut(dice: random.Random, number: int) -> Misbehaviour:
    return Misbehaviour(cut_after=dice.randrange(1, 600_000), reset=number % 2 == 1)


def running(downloads: Downloads) -> threading.Thread:
    thread = threading.Thread(target=downloads.run, daemon=True)
    thread.start()
    return thread


# ---- whole or not there


def test_a_download_ends_as_a_file_with_the_hubs_hash_and_a_note_of_where_it_is_from(bench: Bench) -> None:
    name = bench.fetch()
    assert bench.place().read_bytes() == DATA
    assert bench.told(Finished) == [Finished(name, (str(bench.place()),))]
    origin = origin_of(bench.place())
    assert origin is not None and origin.sha256 == hashlib.sha256(DATA).hexdigest() and origin.repo == REPO
    assert list(bench.folder.iterdir()) == []
    states = [event.state for event in bench.told(StateChanged)]
    assert states == [State.QUEUED, State.RUNNING, State.READY]


def test_progress_ends_at_the_whole_and_never_goes_beyond(bench: Bench) -> None:
    bench.fetch()
    last = bench.told(Progress)[-1]
    assert last.done_bytes == last.total_bytes == len(DATA)
    assert all(event.done_bytes <= event.total_bytes for event in bench.told(Progress))


def test_a_file_with_another_hash_is_kept_aside_and_offered_again(bench: Bench) -> None:
    bench.hub.misbehave("/store/", Misbehaviour(body=bytes(len(DATA))))
    downloads = bench.start()
    name = downloads.add(bench.wanted())
    downloads.run(until_idle=True)
    (failed,) = bench.told(Failed)
    assert failed.code == Problem.HASH_MISMATCH and not bench.place().exists()
    assert Path(str(failed.facts["aside"])).read_bytes() == bytes(len(DATA))
    assert bench.start().standing()[0].state is State.FAILED  # also after a restart
    downloads.resume(name)
    downloads.run(until_idle=True)
    assert bench.place().read_bytes() == DATA and list(bench.folder.iterdir()) == []


def test_parts_of_a_split_model_are_there_together_or_not_at_all(bench: Bench) -> None:
    names = [f"big/m-0000{number}-of-00003.gguf" for number in (1, 2, 3)]
    bench.hub.add(REPO, {name: random.Random(name).randbytes(400_000) for name in names})
    bench.hub.misbehave("00003-of", Misbehaviour(status=404))
    downloads = bench.start()
    name = downloads.add(bench.wanted(*names))
    downloads.run(until_idle=True)
    assert bench.told(Failed)[0].code == HubKind.NOT_FOUND
    assert list(bench.models.rglob("*.gguf")) == []
    asked = len(bench.hub.requests("00001-of"))
    again = bench.start()
    again.resume(name)
    again.run(until_idle=True)
    assert all(
        hashlib.sha256(bench.place(n).read_bytes()).hexdigest() == bench.wanted(n).files[0].sha256
        for n in names
    )
    assert len(bench.hub.requests("00001-of")) == asked  # what was whole is not fetched again


def test_a_move_that_was_interrupted_between_two_files_is_ended_by_the_next_start(bench: Bench) -> None:
    names = ["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"]
    bench.hub.add(REPO, {name: name.encode() * 1000 for name in names})
    downloads = bench.start()
    name = downloads.add(bench.wanted(*names))
    for number, path in enumerate(names):
        (bench.folder / f"{name}.{number}.part").write_bytes(path.encode() * 1000)
    ticket = json.loads((bench.folder / f"{name}.json").read_text())
    for file in ticket["files"]:
        file["verified"] = True
    (bench.folder / f"{name}.json").write_text(json.dumps(ticket))
    bench.place(names[0]).parent.mkdir(parents=True)
    (bench.folder / f"{name}.0.part").replace(bench.place(names[0]))
    bench.start().run(until_idle=True)
    assert [bench.place(path).read_bytes() for path in names] == [path.encode() * 1000 for path in names]
    assert not bench.hub.log and list(bench.folder.iterdir()) == []


# ---- going on


def test_random_cuts_end_in_the_right_file_and_nothing_is_fetched_twice(bench: Bench) -> None:
    dice = random.Random(7)
    bench.hub.misbehave("/store/", *[cut(dice, number) for number in range(5)])
    bench.fetch()
    assert bench.place().read_bytes() == DATA
    stored = bench.hub.requests(server="store")
    assert len(stored) == 6 and len(bench.told(Retrying)) == 5
    starts = [int(one.headers.get("range", "bytes=0-")[6:-1]) for one in stored]
    assert starts == sorted(starts) and all(
        "if-range" in one.headers for one in stored[1:] if "range" in one.headers
    )
    assert not bench.told(Restarted)


def test_a_program_that_was_killed_goes_on_where_it_was(bench: Bench) -> None:
    bench.hub.misbehave("/store/", Misbehaviour(bytes_per_second=2_000_000))
    name = bench.start().add(bench.wanted())
    script = (
        "import sys; from pathlib import Path; from support.plain_http import PlainHttp, plain_client\n"
        "from models.download import Downloads\n"
        "home = Path(sys.argv[1]); http = PlainHttp(plain_client())\n"
        "Downloads(http, home / 'downloads', home / 'models', lambda _: None, lambda _: None).run()"
    )
    roots = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(roots)}
    child = subprocess.Popen([sys.executable, "-c", script, str(bench.folder.parent)], env=environment)
    part = bench.folder / f"{name}.0.part"
    wait_for(lambda: part.exists() and part.stat().st_size > 1_000_000)
    child.send_signal(signal.SIGKILL)
    child.wait()
    had = part.stat().st_size
    assert 0 < had < len(DATA)
    bench.start().run(until_idle=True)
    assert bench.place().read_bytes() == DATA
    assert bench.hub.requests(server="store")[-1].headers["range"] == f"bytes={had}-"


def test_pausing_stops_it_resuming_goes_on_and_a_restart_remembers_the_pause(bench: Bench) -> None:
    bench.hub.misbehave("/store/", Misbehaviour(bytes_per_second=1_000_000))
    downloads = bench.start()
    name = downloads.add(bench.wanted())
    thread = running(downloads)
    wait_for(lambda: downloads.standing()[0].done_bytes > 100_000)
    downloads.pause(name)
    wait_for(lambda: downloads.standing()[0].state is State.PAUSED)
    later = bench.start()
    assert later.standing()[0].state is State.PAUSED and later.standing()[0].done_bytes > 100_000
    downloads.resume(name)
    wait_for(lambda: not downloads.standing())
    downloads.end()
    thread.join(30)
    assert bench.place().read_bytes() == DATA and not bench.told(Restarted)


def test_the_end_of_the_program_leaves_a_running_download_queued(bench: Bench) -> None:
    bench.hub.misbehave("/store/", Misbehaviour(bytes_per_second=500_000))
    downloads = bench.start()
    downloads.add(bench.wanted())
    thread = running(downloads)
    wait_for(lambda: downloads.standing()[0].done_bytes > 0)
    downloads.end()
    thread.join(30)
    assert not thread.is_alive() and bench.start().standing()[0].state is State.QUEUED


@pytest.mark.parametrize("started", [False, True])
def test_cancelling_removes_what_was_fetched(bench: Bench, started: bool) -> None:
    bench.hub.misbehave("/store/", Misbehaviour(bytes_per_second=500_000))
    downloads = bench.start()
    name = downloads.add(bench.wanted())
    if started:
        thread = running(downloads)
        wait_for(lambda: downloads.standing()[0].done_bytes > 0)
    downloads.cancel(name)
    wait_for(lambda: not downloads.standing())
    downloads.end()
    if started:
        thread.join(30)
    assert list(bench.folder.iterdir()) == [] and list(bench.models.rglob("*")) == []
    with pytest.raises(DownloadFault) as caught:
        downloads.cancel(name)
    assert caught.value.problem is Problem.UNKNOWN


def test_downloads_run_in_the_order_of_the_queue_which_can_be_changed_and_is_remembered(bench: Bench) -> None:
    for letter in "abc":
        bench.hub.add(f"ann/{letter}", {"m.gguf": letter.encode() * 10})
    downloads = bench.start()
    names = [downloads.add(bench.wanted("m.gguf", repo=f"ann/{letter}")) for letter in "abc"]
    assert downloads.add(bench.wanted("m.gguf", repo="ann/a")) == names[0]  # twice is once
    downloads.move(names[2], 0)
    bench.start().run(until_idle=True)
    assert [event.id for event in bench.told(Finished)] == [names[2], names[0], names[1]]


# ---- the file changes


def test_a_file_replaced_on_the_hub_meanwhile_is_fetched_from_its_start_and_told(bench: Bench) -> None:
    other = random.Random(2).randbytes(2_000_000)
    bench.hub.misbehave("/store/", Misbehaviour(cut_after=1_000_000))
    downloads = bench.start()
    name = downloads.add(bench.wanted())

    def replace(event: Event) -> None:
        if isinstance(event, Retrying):
            bench.hub.replace(REPO, "chat.gguf", other)

    bench.then = replace
    downloads.run(until_idle=True)
    assert [event.reason for event in bench.told(Restarted)] == [Restart.CHANGED]
    assert bench.place().read_bytes() == other
    origin = origin_of(bench.place())
    assert origin is not None and origin.sha256 == hashlib.sha256(other).hexdigest()
    assert bench.told(Finished)[0].id == name


def test_on_a_mirror_without_the_hubs_marks_a_replaced_file_is_never_mixed_with_the_old(bench: Bench) -> None:
    with HubServer(redirect=False) as mirror:
        mirror.linked = False
        mirror.add(REPO, {"chat.gguf": DATA})
        bench.hub = mirror
        mirror.misbehave("/resolve/", Misbehaviour(cut_after=1_000_000))
        downloads = bench.start()
        downloads.add(bench.wanted())
        other = random.Random(3).randbytes(len(DATA))

        def replace(event: Event) -> None:
            if isinstance(event, Retrying):
                mirror.replace(REPO, "chat.gguf", other)

        bench.then = replace
        downloads.run(until_idle=True)
    assert [event.reason for event in bench.told(Restarted)] == [Restart.CHANGED]
    assert bench.told(Failed)[0].code == Problem.HASH_MISMATCH
    assert Path(str(bench.told(Failed)[0].facts["aside"])).read_bytes() == other


def test_the_same_file_at_another_store_goes_on(bench: Bench) -> None:
    bench.hub.misbehave(
        "/store/", Misbehaviour(cut_after=1_000_000), Misbehaviour(headers={"ETag": '"b"'}, ignore_range=True)
    )
    bench.fetch()
    assert bench.place().read_bytes() == DATA and not bench.told(Restarted)
    assert bench.hub.requests(server="store")[-1].sent < len(DATA)


def test_a_server_without_ranges_gives_the_file_from_its_start(bench: Bench) -> None:
    bench.hub.misbehave("/store/", Misbehaviour(cut_after=1_000_000), *[Misbehaviour(ignore_range=True)] * 2)
    bench.fetch()
    assert [event.reason for event in bench.told(Restarted)] == [Restart.NO_RANGES]
    assert bench.place().read_bytes() == DATA


def test_a_partial_file_that_was_tampered_with_is_noticed_by_the_hash(bench: Bench) -> None:
    downloads = bench.start()
    name = downloads.add(bench.wanted())
    (bench.folder / f"{name}.0.part").write_bytes(b"x" * 1_000_000)
    downloads.run(until_idle=True)
    assert bench.told(Failed)[0].code == Problem.HASH_MISMATCH and not bench.place().exists()


def test_a_partial_file_longer_than_the_file_is_not_used(bench: Bench) -> None:
    downloads = bench.start()
    name = downloads.add(bench.wanted())
    (bench.folder / f"{name}.0.part").write_bytes(bytes(len(DATA) + 1))
    downloads.run(until_idle=True)
    assert [event.reason for event in bench.told(Restarted)] == [Restart.UNUSABLE]
    assert bench.place().read_bytes() == DATA


# ---- bad days


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_hub_is_asked_again_after_as_long_as_it_says(bench: Bench, status: int) -> None:
    bench.hub.misbehave("/resolve/", Misbehaviour(status=status, headers={"Retry-After": "1"}))
    before = time.monotonic()
    bench.fetch()
    (retry,) = bench.told(Retrying)
    assert 1 <= retry.seconds < 2 and time.monotonic() - before >= 1
    assert bench.place().read_bytes() == DATA


def test_a_wait_that_a_hub_asks_for_can_be_ended(bench: Bench) -> None:
    bench.hub.misbehave("/resolve/", Misbehaviour(status=429, headers={"Retry-After": "3600"}))
    downloads = bench.start()
    name = downloads.add(bench.wanted())
    thread = running(downloads)
    wait_for(lambda: downloads.standing()[0].state is State.WAITING)
    downloads.pause(name)
    wait_for(lambda: downloads.standing()[0].state is State.PAUSED)
    downloads.end()
    thread.join(30)


def test_a_hub_that_is_gone_is_given_up_after_a_few_attempts_and_what_is_there_is_kept(bench: Bench) -> None:
    bench.hub.misbehave("/store/", Misbehaviour(cut_after=1_000_000))
    bench.hub.misbehave("/resolve/", Misbehaviour(), *[Misbehaviour(status=503)] * 10)
    downloads = bench.start()
    name = downloads.add(bench.wanted())
    downloads.run(until_idle=True)
    assert bench.told(Failed)[0].code == HubKind.SERVER
    assert len(bench.told(Retrying)) == QUICK.attempts - 1
    assert (bench.folder / f"{name}.0.part").stat().st_size == 1_000_000


def test_a_gated_file_is_asked_for_once_and_the_token_goes_to_the_hub_only(bench: Bench) -> None:
    bench.hub.add(REPO, {"chat.gguf": DATA}, gated="manual")
    bench.hub.tokens |= {"hf_a", "hf_b"}
    bench.hub.accepted.add("hf_a")
    for token, kind in (
        (None, HubKind.GATED_NO_TOKEN),
        ("hf_b", HubKind.GATED_NOT_ACCEPTED),
        ("x", HubKind.TOKEN_WRONG),
    ):
        bench.token = token
        downloads = bench.start()
        name = downloads.add(bench.wanted())
        downloads.resume(name)
        downloads.run(until_idle=True)
        assert bench.told(Failed)[-1].code == kind
    assert len(bench.hub.log) == 3
    bench.token = "hf_a"
    downloads.resume(name)
    downloads.run(until_idle=True)
    assert bench.place().read_bytes() == DATA
    assert all("authorization" not in one.headers for one in bench.hub.requests(server="store"))
    assert all(b"hf_a" not in path.read_bytes() for path in bench.models.rglob("*.json"))


@pytest.mark.parametrize(
    "odd",
    [
        Misbehaviour(body=DATA + b"more"),
        Misbehaviour(body=DATA + b"more", without_length=True),
        Misbehaviour(body=b"<html>"),
        Misbehaviour(status=206, headers={"Content-Range": "bytes 0-1/2"}, body=b"ab"),
        Misbehaviour(status=416, headers={"Content-Range": "bytes */0"}),
        Misbehaviour(status=302, headers={"Location": "file:///etc/passwd"}),
        Misbehaviour(status=418),
    ],
)
def test_an_answer_that_is_not_the_file_leaves_no_file(bench: Bench, odd: Misbehaviour) -> None:
    bench.hub.misbehave("/store/", *[odd] * 20)
    bench.fetch()
    assert bench.told(Failed)[0].code == HubKind.BAD_ANSWER
    assert not bench.place().exists()


# ---- before anything is fetched


def test_a_disk_without_room_for_all_that_is_queued_is_told_with_the_figures(bench: Bench) -> None:
    downloads = bench.start()
    free = os.statvfs(bench.folder).f_bavail * os.statvfs(bench.folder).f_frsize
    half = WantedFile("half.gguf", free * 3 // 5, "0" * 64)
    first = Wanted(bench.hub.url, REPO, "1" * 40, (half,))
    downloads.add(first)
    with pytest.raises(DownloadFault) as caught:
        downloads.add(Wanted(bench.hub.url, REPO, "2" * 40, (half,)))
    assert caught.value.problem is Problem.NO_SPACE
    assert caught.value.facts["need_bytes"] == 2 * half.size + RESERVE
    assert len(downloads.standing()) == 1 and not bench.hub.log


def test_what_is_there_already_is_not_overwritten_unless_asked(bench: Bench) -> None:
    bench.fetch()
    with pytest.raises(DownloadFault) as caught:
        bench.start().add(bench.wanted())
    assert caught.value.problem is Problem.EXISTS and caught.value.facts["same"] == 1
    bench.place().write_bytes(b"mine")
    downloads = bench.start()
    downloads.add(bench.wanted(), replace=True)
    downloads.run(until_idle=True)
    assert bench.place().read_bytes() == DATA


@pytest.mark.parametrize(
    "path", ["../x.gguf", "/x.gguf", "a/../../x.gguf", "nul\x00.gguf", "con.gguf", "\u202ex.gguf"]
)
def test_a_malicious_name_is_refused_and_touches_nothing(bench: Bench, path: str) -> None:
    wanted = Wanted(bench.hub.url, REPO, "1" * 40, (WantedFile(path, 1, "0" * 64),))
    with pytest.raises(DownloadFault) as caught:
        bench.start().add(wanted)
    assert caught.value.problem is Problem.BAD_NAME
    assert list(bench.folder.iterdir()) == list(bench.models.iterdir()) == []


def test_a_file_without_a_hash_is_not_fetched_nor_two_that_would_be_one(bench: Bench) -> None:
    for files, problem in (
        ((WantedFile("x.gguf", 1, ""),), Problem.NO_HASH),
        ((WantedFile("x.gguf", 1, "0" * 64), WantedFile("X.gguf", 1, "1" * 64)), Problem.BAD_NAME),
        ((), Problem.INCOMPLETE),
    ):
        with pytest.raises(DownloadFault) as caught:
            bench.start().add(Wanted(bench.hub.url, REPO, "1" * 40, files))
        assert caught.value.problem is problem


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit of the size of files")
def test_a_disk_that_becomes_full_ends_the_download_and_what_is_there_is_gone_on_from(bench: Bench) -> None:
    downloads = bench.start()
    name = downloads.add(bench.wanted())
    script = (
        "import resource, sys; from pathlib import Path; from support.plain_http import PlainHttp, plain_client\n"
        "from models.download import Downloads\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, 1_500_000))\n"
        "home = Path(sys.argv[1]); http = PlainHttp(plain_client())\n"
        "downloads = Downloads(http, home / 'downloads', home / 'models', lambda _: None, lambda _: None)\n"
        "downloads.run(until_idle=True); print([one.code for one in downloads.standing()])"
    )
    roots = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(roots)}
    done = subprocess.run(
        [sys.executable, "-c", script, str(bench.folder.parent)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "['no_space']", done.stderr
    part = bench.folder / f"{name}.0.part"
    assert part.stat().st_size == 1_500_000
    downloads = bench.start()
    downloads.resume(name)
    downloads.run(until_idle=True)
    assert bench.place().read_bytes() == DATA
    assert bench.hub.requests(server="store")[-1].headers["range"] == "bytes=1500000-"


def test_a_folder_that_cannot_be_written_is_a_fault_of_the_disk(bench: Bench) -> None:
    downloads = bench.start()
    downloads.add(bench.wanted())
    (bench.models / "ann").write_text("a file where a folder has to be")
    downloads.run(until_idle=True)
    assert bench.told(Failed)[0].code == Problem.DISK
    (bench.models / "ann").unlink()
    asked = len(bench.hub.log)
    downloads.resume(downloads.standing()[0].id)
    downloads.run(until_idle=True)
    assert bench.place().read_bytes() == DATA and len(bench.hub.log) == asked


@pytest.mark.skipif(not os.path.ismount("/dev/shm"), reason="needs a second file system")
def test_models_on_another_disk_arrive_whole(bench: Bench) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        if os.stat(other).st_dev == bench.folder.parent.stat().st_dev:
            pytest.skip("both folders are on one file system")
        bench.models = Path(other) / "models"
        bench.fetch()
        assert bench.place().read_bytes() == DATA
        assert sorted(path.suffix for path in bench.place().parent.iterdir()) == [".gguf", ".json"]


@given(st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["endpoint", "repo", "revision",
    "files", "place", "paused", "code", "path", "size", "sha256"]), inner, max_size=8), max_leaves=10,
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_any_ticket_on_the_disk_is_read_or_set_aside(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{'0' * 16}.json"
        path.write_bytes(data)
        assert read_tickets(Path(folder)) == {}
        assert path.with_suffix(".damaged").exists() and not path.exists()


def test_a_ticket_that_was_edited_to_point_elsewhere_is_set_aside(bench: Bench) -> None:
    name = bench.start().add(bench.wanted())
    path = bench.folder / f"{name}.json"
    path.write_text(path.read_text().replace("chat.gguf", "../../../x.gguf"))
    assert bench.start().standing() == () and path.with_suffix(".damaged").exists()


def test_a_ticket_that_is_consistent_but_leads_out_of_the_folder_is_set_aside(tmp_path: Path) -> None:
    for path in ("../../x.gguf", "/x.gguf", "x\x00.gguf"):
        file = FileTicket(path, 1, "0" * 64)
        ticket = Ticket("http://127.0.0.1", REPO, "1" * 40, [file])
        name = id_of(ticket.wanted)
        write_ticket(tmp_path, name, ticket)
        assert read_tickets(tmp_path) == {} and (tmp_path / f"{name}.damaged").exists()
