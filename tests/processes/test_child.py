"""A child and its parent talk whatever the child does, and neither is left behind by the other's end."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from desktop.processes.channel import StdioChannel
from desktop.processes.child import ChildProcess, launch, spawn
from desktop.processes.roles import Network, Role
from models.runtime.link import ChildSide, Spawn, WorkerSide

PROBES = Path(__file__).parent / "probes"
PATIENCE = 20.0  # seconds; a limit for what should take milliseconds


def talk(
    conversation: Callable[[ChildProcess], Awaitable[None]],
    role: str = "worker",
    environ: dict[str, str] | None = None,
) -> None:
    """Start a child, hold the conversation, and see the child gone."""

    async def whole() -> None:
        child = await launch([sys.executable, str(PROBES / "talking_child.py"), role], environ)
        try:
            await conversation(child)
        finally:
            child.kill()
            await child.wait()

    asyncio.run(asyncio.wait_for(whole(), PATIENCE))


def test_the_two_ends_are_what_the_runtime_asks_for() -> None:
    async def started() -> WorkerSide:
        return await spawn(Role.WORKER)

    # mypy compares the signatures here; the names are compared below, for who runs only the tests.
    spawn_worker: Spawn = started
    child_side: type[ChildSide] = StdioChannel
    for contract, ours in ((WorkerSide, ChildProcess), (ChildSide, child_side)):
        asked = {name for name in dir(contract) if not name.startswith("_")}
        assert asked <= set(dir(ours))
    assert asyncio.iscoroutinefunction(spawn_worker)


@pytest.mark.parametrize("text", ["plain", "two\nlines\r\n", "\u2028\u2029\x85\x00", "🦜 ünï", "\ud800"])
def test_any_text_comes_back_as_it_was_sent(text: str) -> None:
    async def conversation(child: ChildProcess) -> None:
        child.send({"do": "echo", "text": text})
        assert await child.receive() == {"do": "echo", "text": text}

    talk(conversation)


def test_a_record_of_twenty_megabytes_goes_there_and_back() -> None:
    async def conversation(child: ChildProcess) -> None:
        text = "x" * 20_000_000
        child.send({"do": "echo", "text": text})
        assert await child.receive() == {"do": "echo", "text": text}

    talk(conversation)


def test_a_native_library_that_prints_or_reads_does_not_disturb_the_protocol() -> None:
    async def conversation(child: ChildProcess) -> None:
        child.send({"do": "print"})
        child.send({"do": "echo"})
        assert await child.receive() == {"printed": True}
        assert await child.receive() == {"do": "echo"}
        child.kill()
        await child.wait()
        for words in ("native words", "words to descriptor 1", "words to sys.stdout"):
            assert words in child.last_words

    talk(conversation)


def test_records_sent_from_several_threads_arrive_whole_and_in_each_threads_order() -> None:
    async def conversation(child: ChildProcess) -> None:
        child.send({"do": "send from threads", "threads": 4, "each": 200})
        numbers: dict[object, list[object]] = {thread: [] for thread in range(4)}
        for _ in range(4 * 200):
            record = await child.receive()
            assert record is not None
            numbers[record["thread"]].append(record["number"])
        assert all(seen == list(range(200)) for seen in numbers.values())

    talk(conversation)


@pytest.mark.skipif(sys.platform != "linux", reason="counts the child's bytes in /proc")
def test_a_child_that_sends_faster_than_the_parent_reads_has_to_wait_and_nothing_is_lost() -> None:
    records, size = 20_000, 1_000

    async def conversation(child: ChildProcess) -> None:
        child.send({"do": "send", "records": records, "bytes": size})
        written = await steady(lambda: bytes_written(child.pid))
        assert written < records * size / 4, "the parent took in everything"
        for number in range(records):
            record = await child.receive()
            assert record is not None and record["number"] == number

    talk(conversation)


def bytes_written(pid: int) -> int:
    counters = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(counters["wchar"])


async def steady(figure: Callable[[], int]) -> int:
    """The figure once it has grown and then stayed the same for thirty looks."""
    seen = [figure()]
    while seen[-1] < 100_000 or len(seen) < 30 or len(set(seen[-30:])) > 1:
        await asyncio.sleep(0.01)
        seen.append(figure())
    return seen[-1]


@pytest.mark.parametrize("rubbish", ["llama_load: ok\n", "[1]\n", "\n", '{"half": \n', "\x00\n"])
def test_a_child_that_breaks_the_protocol_is_ended_and_it_is_said_why(rubbish: str) -> None:
    async def conversation(child: ChildProcess) -> None:
        child.send({"do": "echo"})
        child.send({"do": "write", "text": rubbish, "times": 1})
        child.send({"do": "echo"})
        assert await child.receive() == {"do": "echo"}
        assert await child.receive() is None
        assert await child.receive() is None
        assert await child.wait() == -signal.SIGKILL
        assert "not a record" in child.last_words

    talk(conversation)


def test_a_child_that_never_ends_its_line_is_ended_at_the_limit() -> None:
    async def conversation(child: ChildProcess) -> None:
        child.send({"do": "write", "text": "x" * 1_000_000, "times": 1_000})
        assert await child.receive() is None
        assert await child.wait() == -signal.SIGKILL
        assert "a line is longer than" in child.last_words

    talk(conversation)


def test_the_end_of_what_a_crashed_child_wrote_is_kept_and_no_more() -> None:
    async def conversation(child: ChildProcess) -> None:
        child.send({"do": "complain", "text": "é" * 30_000 + "GGML_ASSERT failed"})
        assert await child.receive() is None
        assert await child.wait() == 3
        assert child.last_words.endswith("éGGML_ASSERT failed")
        assert len(child.last_words) == 4_000

    talk(conversation)


def test_a_child_that_crashes_or_is_killed_is_noticed_and_can_still_be_spoken_to() -> None:
    async def conversation(child: ChildProcess) -> None:
        child.send({"do": "crash"})
        assert await child.receive() is None
        assert await child.wait() == -signal.SIGSEGV
        for _ in range(20):
            child.send({"do": "echo"})
        child.kill()
        assert await child.receive() is None

    talk(conversation)


def test_a_receive_that_is_cancelled_loses_no_record() -> None:
    async def conversation(child: ChildProcess) -> None:
        for number in range(50):
            waiting = asyncio.ensure_future(child.receive())
            await asyncio.sleep(0)
            waiting.cancel()
            child.send({"do": "echo", "number": number})
            assert await child.receive() == {"do": "echo", "number": number}

    talk(conversation)


def test_no_secret_and_no_trick_in_the_environment_reaches_the_child() -> None:
    kept = {
        "HOME": "/home/person",
        "LANG": "de_DE.UTF-8",
        "ALCOVE_HOME": "/data/alcove",
        "CUDA_VISIBLE_DEVICES": "1",
        "GGML_VK_VISIBLE_DEVICES": "0",
        "VK_DRIVER_FILES": "/driver.json",
        "LC_TIME": "C",
    }
    withheld = {
        "HF_TOKEN": "secret",
        "OPENAI_API_KEY": "secret",
        "NVIDIA_API_KEY": "secret",
        "GGML_TOKEN": "secret",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "SSH_AUTH_SOCK": "/agent",
        "DBUS_SESSION_BUS_ADDRESS": "unix:path=/bus",
        "DISPLAY": ":0",
        "WAYLAND_DISPLAY": "wayland-0",
        "HTTPS_PROXY": "http://proxy",
        "PYTHONPATH": "/somewhere",
        "PYTHONSTARTUP": "/somewhere/else.py",
        "LD_PRELOAD": "",
        "GLIBC_TUNABLES": "",
    }

    async def conversation(child: ChildProcess) -> None:
        child.send({"do": "environment"})
        seen = await child.receive()
        assert seen is not None
        for name in ("LC_CTYPE", "__CF_USER_TEXT_ENCODING"):  # set by Python and by macOS themselves
            seen.pop(name, None)
        assert seen == {**kept, "GGML_NO_BACKTRACE": "1"}

    talk(conversation, environ=kept | withheld)


@pytest.mark.skipif(sys.platform != "linux", reason="lists descriptors in /proc")
def test_no_open_file_of_the_parent_reaches_the_child(tmp_path: Path) -> None:
    with (tmp_path / "conversations").open("w") as file:
        os.set_inheritable(file.fileno(), True)

        async def conversation(child: ChildProcess) -> None:
            child.send({"do": "descriptors"})
            seen = await child.receive()
            # 0 to 2, the channel's own two, and the listing's
            assert seen == {"open": [0, 1, 2, 3, 4, 5], "folder": "/"}

        talk(conversation)


def test_a_worker_is_not_started_with_a_looser_lock_than_it_may_have() -> None:
    with pytest.raises(ValueError):
        asyncio.run(spawn(Role.WORKER, network=Network.OPEN))


def test_a_program_that_does_not_exist_is_an_error_and_leaves_nothing_behind() -> None:
    with pytest.raises(FileNotFoundError):
        asyncio.run(launch(["/nowhere/at/all"]))


@pytest.mark.skipif(sys.platform != "linux", reason="the desktop's lock is seccomp's")
def test_a_locked_parent_runs_a_locked_child_from_another_thread() -> None:
    finished = subprocess.run(
        [sys.executable, "-X", "dev", str(PROBES / "locked_parent.py")],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr == ""


@pytest.mark.skipif(sys.platform != "linux", reason="watches the child through a pidfd")
def test_a_child_is_gone_a_moment_after_its_parent_was_killed() -> None:
    command = [sys.executable, str(PROBES / "locked_parent.py"), "wait"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
        ended, _, _ = select.select([child], [], [], PATIENCE)
        os.close(child)
    assert ended, "the child outlived its parent"
