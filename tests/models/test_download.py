"""A download ends in the right file or in none; it goes on where it was, whatever happened in between."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from support.download_bench import DATA, REPO, Bench, bench, cut, running, wait_for
from support.hub_server import HubServer, Misbehaviour

from models.download_files import origin_of
from models.download_values import (
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
)
from models.hub_faults import HubKind

__all__ = ["bench"]


# ---- whole or not there


def test_a_download_ends_as_a_file_with_the_hubs_hash_and_a_note_of_where_it_is_from(bench: Bench) -> None:
    name = bench.fetch()
    assert bench.place().read_bytes() == DATA
    assert bench.told(Finished) == [
        Finished(name, REPO, (str(bench.place()),), (hashlib.sha256(DATA).hexdigest(),))
    ]
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

    def put_another(event: Event) -> None:
        if isinstance(event, Retrying):
            bench.hub.replace(REPO, "chat.gguf", other)

    bench.then = put_another
    downloads.run(until_idle=True)
    assert [event.reason for event in bench.told(Restarted)] == [Restart.CHANGED]
    assert bench.place().read_bytes() == other
    origin = origin_of(bench.place())
    assert origin is not None and origin.sha256 == hashlib.sha256(other).hexdigest()
    assert bench.told(Finished)[0].id == name


def test_a_repository_that_was_renamed_is_followed_and_its_marks_still_count(bench: Bench) -> None:
    wanted = bench.wanted()
    place = f"/{REPO}/resolve/{wanted.revision}/chat.gguf"
    bench.hub.add("old/name", {"chat.gguf": b"never sent"})
    bench.hub.misbehave("/old/name/resolve/", Misbehaviour(status=307, headers={"Location": place}))
    bench.hub.replace(REPO, "chat.gguf", DATA[::-1])
    downloads = bench.start()
    downloads.add(replace(wanted, repo="old/name"))
    downloads.run(until_idle=True)
    assert [event.reason for event in bench.told(Restarted)] == [Restart.CHANGED]
    (finished,) = bench.told(Finished)
    assert Path(finished.files[0]).read_bytes() == DATA[::-1]


def test_on_a_mirror_without_the_hubs_marks_a_replaced_file_is_never_mixed_with_the_old(bench: Bench) -> None:
    with HubServer(redirect=False) as mirror:
        mirror.linked = False
        mirror.add(REPO, {"chat.gguf": DATA})
        bench.hub = mirror
        mirror.misbehave("/resolve/", Misbehaviour(cut_after=1_000_000))
        downloads = bench.start()
        downloads.add(bench.wanted())
        other = random.Random(3).randbytes(len(DATA))

        def put_another(event: Event) -> None:
            if isinstance(event, Retrying):
                mirror.replace(REPO, "chat.gguf", other)

        bench.then = put_another
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
