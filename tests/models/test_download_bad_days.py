"""A busy hub, a full disk, an answer that is not the file, a ticket that was changed: nothing is lost or let out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.download_bench import DATA, QUICK, REPO, Bench, bench, running, wait_for
from support.hub_server import Misbehaviour

from models.download import RESERVE
from models.download_ticket import FileTicket, Ticket, id_of, read_tickets, write_ticket
from models.download_values import (
    DownloadFault,
    Failed,
    Problem,
    Retrying,
    State,
    Wanted,
    WantedFile,
)
from models.hub_faults import HubKind

__all__ = ["bench"]


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
        Misbehaviour(status=302, headers={"Location": "http://127.0.0.1:99999/"}),
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


@pytest.mark.parametrize(
    "endpoint", ["", "file:///x", "http://", "http://[x", "https://host:port", "http://a b"]
)
def test_a_hub_without_an_address_is_refused(bench: Bench, endpoint: str) -> None:
    with pytest.raises(DownloadFault) as caught:
        bench.start().add(Wanted(endpoint, REPO, "1" * 40, (WantedFile("x.gguf", 1, "0" * 64),)))
    assert caught.value.problem is Problem.BAD_NAME


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
