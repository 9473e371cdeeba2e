"""A real broker child: what is asked of it, what becomes of it, and what is on the disk when it is killed."""

from __future__ import annotations

import asyncio
import json
import os
import random
import select
import sys
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

import pytest
from support.broker_kills import kill_again_and_again
from support.outside import (
    Answer,
    Outside,
    broker,
    certificates,
    ledger_rows,
    outside,
    requests_in,
    set_switch,
)
from support.store_files import small_disk

from desktop.processes.switch import Position
from desktop.processes.way_out import end_broker, start_broker
from models.codec import ProtocolError
from models.estimate import Estimate, Layer
from models.file_names import NameProblem
from models.hub_values import Found, Gate, HubFile, HubModel, Listing, Page, RefusedName
from models.runtime.faults import StopReason
from providers.events import (
    Billed,
    CostBasis,
    Finished,
    Limits,
    ReasoningDelta,
    ReasoningRecord,
    TextDelta,
    ToolCall,
    Usage,
    Waiting,
)
from providers.gate.broker import handlers
from providers.gate.chat_errands import ChatErrands
from providers.gate.chat_messages import ModelsFound, RemoteRefused
from providers.gate.client import BrokerClient
from providers.gate.enabled import Enabled
from providers.gate.faults import BrokerGone, GateError
from providers.gate.gate import Gate as TheGate
from providers.gate.hub_errands import HubErrands
from providers.gate.hub_messages import (
    HubFitted,
    HubFound,
    HubModelPage,
    HubRefused,
    Pulled,
    PulledFile,
    PullProgress,
    QueueAdded,
    QueueChanged,
    Queued,
    QueueFinished,
    QueueGone,
    QueueStanding,
)
from providers.gate.key_messages import KeyHeld, KeyWorks
from providers.gate.ledger import Ledger
from providers.gate.protocol import (
    EVENTS,
    REQUESTS,
    Began,
    Chunk,
    Ended,
    Event,
    Failed,
    Fetch,
    GateFault,
    Progress,
    Ready,
    read_event,
    read_request,
    to_record,
)
from providers.gate.rules import Position as GatePosition
from providers.gate.rules import Purpose, Setting
from providers.gate.transport import make_client
from providers.gate.verification import verify
from providers.remote.faults import RemoteFault
from providers.remote.values import RemoteModelInfo

PATIENCE = 60.0


def with_broker(
    home: Path,
    work: Callable[[BrokerClient], Awaitable[None]],
    environ: dict[str, str] | None = None,
) -> None:
    async def whole() -> None:
        async with broker(home, environ) as client:
            await work(client)

    asyncio.run(asyncio.wait_for(whole(), PATIENCE))
    assert verify(home / "ledger" / "ledger.jsonl").intact


def on(home: Path, server: Outside, work: Callable[[BrokerClient], Awaitable[None]]) -> None:
    set_switch(home, Position.DOWNLOADS, server)
    with_broker(home, work)


async def fails(client: BrokerClient, url: str, limit: int = 1000) -> GateError:
    with pytest.raises(GateError) as caught:
        await client.fetch(url, Purpose.DOWNLOAD, limit)
    return caught.value


def test_every_kind_of_request_has_a_handler() -> None:
    setting = Setting("/nowhere", GatePosition.DOWNLOADS)
    with make_client(TheGate(setting), Ledger(Path("/nowhere/ledger.jsonl"))) as client:
        hub = HubErrands(setting, client)
        chat = ChatErrands(Enabled(setting.home), hub.keys)
        assert set(handlers(hub, chat)) == set(REQUESTS)


def test_a_resource_is_fetched_and_its_row_closed(tmp_path: Path) -> None:
    async def work(client: BrokerClient) -> None:
        ready = await client.ready()
        assert ready.position.value == "downloads"
        assert ready.locked or sys.platform != "linux"
        assert await client.fetch(server.url + "/x", Purpose.SEARCH, 1000) == b"hello"

    with outside() as server:
        on(tmp_path, server, work)
    request, end = ledger_rows(tmp_path)
    assert (request["purpose"], end["outcome"]) == ("search", "done")


def test_a_large_resource_arrives_whole_and_a_larger_one_than_allowed_does_not(tmp_path: Path) -> None:
    body = random.Random(1).randbytes(5_000_000)

    async def work(client: BrokerClient) -> None:
        assert await client.fetch(server.url + "/big", Purpose.DOWNLOAD, len(body)) == body
        assert (await fails(client, server.url + "/big", len(body) - 1)).fault is GateFault.TOO_LARGE
        assert (await fails(client, server.url + "/no-length", 10)).fault is GateFault.TOO_LARGE

    with outside() as server:
        server.answers["/big"] = Answer(body=body)
        chunks = b"".join(b"64\r\n" + b"y" * 100 + b"\r\n" for _ in range(50)) + b"0\r\n\r\n"
        server.answers["/no-length"] = Answer(headers={"Transfer-Encoding": "chunked"}, body=chunks)
        on(tmp_path, server, work)


def test_refusals_come_back_with_their_rule(tmp_path: Path) -> None:
    async def work(client: BrokerClient) -> None:
        for url, rule in (
            ("https://evil.test/", "host"),
            ("http://huggingface.co/", "scheme"),
            ("https://a:b@huggingface.co/", "credentials-in-url"),
            ("https://x y/", "malformed"),
        ):
            error = await fails(client, url)
            assert (error.fault, error.rule) == (GateFault.REFUSED, rule)
        with pytest.raises(GateError, match="position"):
            await client.fetch(server.url, Purpose.CHAT, 10)

    with outside() as server:
        on(tmp_path, server, work)
        assert server.asked == []
    assert [row["rule"] for row in requests_in(tmp_path)] == [
        *("host", "scheme", "credentials-in-url", "malformed", "position"),
    ]


def test_a_certificate_is_judged_by_what_this_system_trusts(tmp_path: Path) -> None:
    home, keys = tmp_path / "home", tmp_path / "keys"
    keys.mkdir()
    made = certificates(keys)

    async def untrusted(client: BrokerClient) -> None:
        assert (await fails(client, server.url + "/x")).fault is GateFault.CERTIFICATE
        assert server.asked == []

    async def trusted(client: BrokerClient) -> None:
        assert await client.fetch(server.url + "/x", Purpose.DOWNLOAD, 10) == b"hello"

    with outside(made.context) as server:
        set_switch(home, Position.DOWNLOADS, server)
        with_broker(home, untrusted)
        with_broker(home, trusted, {"SSL_CERT_FILE": str(made.authority)})


def test_a_key_with_a_line_break_goes_nowhere_and_is_quoted_nowhere(tmp_path: Path) -> None:
    canary = "sk-canary-7431"

    async def work(client: BrokerClient) -> None:
        for name, value in (
            ("Authorization", f"Bearer {canary}\r\nX-More: 1"),
            ("Authorization", f"Bearer {canary}\n"),
            ("Authorization", f"Bearer {canary}\x00"),
            (f"X-{canary}\r\n", "x"),
            ("Accept", f"{canary}é\ud800"),
        ):
            message = Fetch(server.url + "/x", Purpose.DOWNLOAD, 10, {name: value})
            said = ""
            try:
                async for event in client.request(message):
                    said += repr(event)
            except GateError as error:
                said += str(error)
            assert canary not in said
        assert canary not in client._link.last_words

    with outside() as server:
        on(tmp_path, server, work)
        assert not any("x-more" in headers for _, _, headers in server.asked)
        assert canary not in repr([headers for _, _, headers in server.asked])
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or canary.encode() not in file.read_bytes()


def test_closing_the_stream_reaches_the_server(tmp_path: Path) -> None:
    async def work(client: BrokerClient) -> None:
        async with aclosing(client.request(Fetch(server.url + "/slow", Purpose.DOWNLOAD, 10_000))) as events:
            async for event in events:
                if isinstance(event, Chunk):
                    break
        assert await asyncio.to_thread(server.went_away.wait, 20)
        assert await client.fetch(server.url + "/x", Purpose.DOWNLOAD, 10) == b"hello"

    with outside() as server:
        server.answers["/slow"] = Answer(body=b"x" * 1000, held=True)
        on(tmp_path, server, work)
    assert [row["outcome"] for row in ledger_rows(tmp_path) if row["kind"] == "end"] == ["cancelled", "done"]


def test_many_requests_at_once_are_kept_apart_and_too_many_are_refused(tmp_path: Path) -> None:
    async def work(client: BrokerClient) -> None:
        async def one(number: int) -> bytes | GateFault:
            try:
                return await client.fetch(f"{server.url}/{number}", Purpose.DOWNLOAD, 1000)
            except GateError as error:
                return error.fault

        got = await asyncio.gather(*(one(number) for number in range(40)))
        assert all(answer in (str(number).encode(), GateFault.BUSY) for number, answer in enumerate(got))
        assert GateFault.BUSY not in got[:10]

    with outside() as server:
        server.answers.update({f"/{number}": Answer(body=str(number).encode()) for number in range(40)})
        on(tmp_path, server, work)


def test_a_broker_that_is_killed_is_said_to_be_gone_at_once_and_afterwards(tmp_path: Path) -> None:
    async def work(client: BrokerClient) -> None:
        events = client.request(Fetch(server.url + "/slow", Purpose.DOWNLOAD, 10_000))
        assert isinstance(await anext(events), Began)
        client._link.kill()
        with pytest.raises(BrokerGone):
            async for _ in events:
                pass
        with pytest.raises(BrokerGone):
            await client.fetch(server.url + "/x", Purpose.DOWNLOAD, 10)

    with outside() as server:
        server.answers["/slow"] = Answer(body=b"x" * 1000, held=True)
        on(tmp_path, server, work)


def test_offline_there_is_no_broker_even_if_one_is_started(tmp_path: Path) -> None:
    process = start_broker(str(tmp_path), {"PATH": os.environ["PATH"]})
    assert process.stderr is not None
    assert b"offline" in process.stderr.read()
    assert process.wait(PATIENCE) == 1
    end_broker(process)
    assert not (tmp_path / "ledger").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="watches it through a pidfd and /proc")
def test_a_broker_ends_with_its_parents_end_of_the_pipe_and_knows_no_secret(tmp_path: Path) -> None:
    set_switch(tmp_path, Position.DOWNLOADS)
    secrets = {"HF_TOKEN": "canary", "OPENAI_API_KEY": "canary", "HUGGING_FACE_HUB_TOKEN": "canary",
               "AWS_SECRET_ACCESS_KEY": "canary", "NETRC": "canary", "PYTHONPATH": "canary"}  # fmt: skip
    given = {
        **secrets,
        "PATH": os.environ["PATH"],
        "HTTPS_PROXY": "http://proxy.test:3128",
        "SSL_CERT_FILE": "/x",
    }
    process = start_broker(str(tmp_path), given)
    assert process.stdout is not None and process.stdin is not None
    assert json.loads(process.stdout.readline())["kind"] == "Ready"
    environ = Path(f"/proc/{process.pid}/environ").read_bytes()
    assert b"canary" not in environ and b"canary" not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
    assert b"HTTPS_PROXY=http://proxy.test:3128" in environ and b"HF_HUB_DISABLE_TELEMETRY=1" in environ
    watched = os.pidfd_open(process.pid)
    process.stdin.close()
    ended, _, _ = select.select([watched], [], [], PATIENCE)
    os.close(watched)
    assert ended and process.wait() == 0
    end_broker(process)


def test_what_is_under_way_when_the_window_goes_has_its_end_in_the_ledger(tmp_path: Path) -> None:
    set_switch(tmp_path, Position.DOWNLOADS)
    with outside() as server:
        server.answers["/slow"] = Answer(body=b"x" * 1000, held=True)
        set_switch(tmp_path, Position.DOWNLOADS, server)
        process = start_broker(str(tmp_path), {"PATH": os.environ["PATH"]})
        assert process.stdout is not None and process.stdin is not None
        message = to_record(1, Fetch(server.url + "/slow", Purpose.DOWNLOAD, 10_000))
        process.stdin.write(json.dumps(message).encode() + b"\n")
        while json.loads(process.stdout.readline())["kind"] != "Chunk":
            pass
        end_broker(process)
        assert process.returncode == 0
        assert server.went_away.wait(20)
    assert [row["kind"] for row in ledger_rows(tmp_path)] == ["request", "end"]


def test_a_line_that_is_no_request_ends_the_broker(tmp_path: Path) -> None:
    set_switch(tmp_path, Position.DOWNLOADS)
    process = start_broker(str(tmp_path), {"PATH": os.environ["PATH"]})
    assert process.stdin is not None and process.stderr is not None
    process.stdin.write(
        b'{"kind":"Fetch","request":1,"url":"https://hf.co/","purpose":"everything","limit":1}\n'
    )
    assert process.wait(PATIENCE) == 1
    assert b"ProtocolError" in process.stderr.read()
    end_broker(process)
    assert not (tmp_path / "ledger" / "ledger.jsonl").exists()


@pytest.mark.parametrize(
    "record",
    [
        {"kind": "Fetch", "request": -1, "url": "", "purpose": "chat", "limit": 1, "headers": {}},
        {"kind": "Fetch", "request": True, "url": "", "purpose": "chat", "limit": 1, "headers": {}},
        {"kind": "Fetch", "request": 1, "url": None, "purpose": "chat", "limit": 1, "headers": {}},
        {"kind": "Fetch", "request": 1, "url": "", "purpose": "chat", "limit": 1, "headers": {"a": 1}},
        {"kind": "Fetch", "request": 1, "url": "", "purpose": "chat", "limit": 1, "headers": {}, "more": 1},
        {"kind": "Ready", "request": 1},
        {"kind": "Cancel"},
        {},
    ],
)
def test_a_record_that_does_not_fit_exactly_is_no_request(record: dict[str, object]) -> None:
    with pytest.raises(ProtocolError):
        read_request(record)


FOUND = Found("a/b", "a", "text-generation", "mit", Gate.OPEN, 3, 2, "2026-01-01T00:00:00", ("gguf",))
FILE = HubFile("b-Q4_0.gguf", 12, "ab" * 32)
LISTING = Listing(
    (HubModel("b", "Q4_0", (FILE,), False, True),), (RefusedName("x", NameProblem("empty")),), 1, True
)
QUEUED = Queued(
    "ab" * 8, "a/b", "0" * 40, ("b-Q4_0.gguf",), "waiting", 1, 12, 0.5, 22.0, "server", {"status": 503}, 2.5
)
SAMPLES: tuple[Event, ...] = (
    Ready(GatePosition.DOWNLOADS, "locked", True),
    Began(200, {"etag": "x"}),
    Chunk.of(b"\x00\xff"),
    Progress(1, 2, "a"),
    HubFound((FOUND,)),
    HubModelPage(Page(FOUND, "0" * 40, False, (), ("en",), "# card", False), LISTING),
    PullProgress("running", 1, 2, 3.5, None),
    Pulled((PulledFile("/m/b.gguf", "ab" * 32),)),
    KeyHeld(True),
    KeyWorks("somebody"),
    HubFitted(Estimate((Layer(9, 8, 7),), 1, 2, 3, 4, False), 4096, 8192, "llama", 30, 2, 20),
    QueueStanding((QUEUED,)),
    QueueAdded("ab" * 8),
    QueueChanged(QUEUED),
    QueueGone("ab" * 8),
    QueueFinished("ab" * 8, "a/b", (PulledFile("/m/b.gguf", "ab" * 32),)),
    HubRefused("no_space", "", {"need_bytes": 5}),
    TextDelta("word"),
    ReasoningDelta("hm"),
    ReasoningRecord('{"signature": "x"}'),
    ToolCall("1", "look", "{}"),
    Waiting(1.5, 1),
    Limits(1, None, 2.5),
    Usage(prompt_tokens=3, cache_write_tokens=1),
    Billed("0.10", "USD", CostBasis.COMPUTED, "2026-11-26"),
    Finished(StopReason.STOP),
    ModelsFound((RemoteModelInfo("m", sees=True),)),
    RemoteRefused(RemoteFault.RATE_LIMITED, "slow down", {"retry_after": 5}),
    Ended(),
    Failed(GateFault.REFUSED, "host", "detail"),
)


@pytest.mark.parametrize("event", SAMPLES, ids=lambda event: type(event).__name__)
def test_every_event_survives_its_way(event: Event) -> None:
    assert read_event(to_record(3, event)) == (3, event)


def test_every_kind_of_event_was_tried() -> None:
    assert {type(event) for event in SAMPLES} == set(EVENTS)


def test_on_a_full_disk_the_request_does_not_go_out(tmp_path: Path) -> None:
    async def work(client: BrokerClient) -> None:
        sent = 0
        while sent < 2000:
            try:
                await client.fetch(f"{server.url}/{sent}", Purpose.DOWNLOAD, 10)
            except GateError:
                break
            sent += 1
        assert 0 < sent < 2000
        assert len(server.asked) == sent
        assert (await fails(client, server.url + "/after")).fault is GateFault.LEDGER
        assert len(server.asked) == sent

    with small_disk(tmp_path, 96) as mounted, outside() as server:
        if not mounted:
            pytest.skip("this account may not mount a small disk")
        on(tmp_path, server, work)
        assert [row["path"] for row in requests_in(tmp_path)][: len(server.paths)] == server.paths


def test_every_request_that_a_server_saw_has_its_row_whenever_the_broker_was_killed(tmp_path: Path) -> None:
    outcome = kill_again_and_again(tmp_path, kills=20, seed=4)
    assert outcome.problems == []
    assert outcome.seen >= 10  # half of the kills wait for a request
