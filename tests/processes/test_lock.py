"""What a locked process is in the kernel's eyes, what it can still do, and what it says when it is not."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from desktop.processes.report import Gap, LockReport, Mechanism, Remaining
from desktop.processes.roles import Network, Role

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="seccomp and Landlock are Linux's")

ROOT = Path(__file__).parents[2]
LOCKS = [
    "lock_down(Role.DESKTOP)",
    "lock_down(Role.WORKER)",
    "lock_down(Role.WORKER, Network.UNIX_ONLY)",
    "lock_down(Role.SCANNER)",
    "lock_down(Role.QUANTIZER)",
    "lock_down(Role.EMBEDDER)",
]
WORKERS = LOCKS[1:]

# landlock_create_ruleset, asked for its version. What the report says without it is tested in any case.
HAS_LANDLOCK = sys.platform == "linux" and ctypes.CDLL(None).syscall(444, None, 0, 1) >= 2
needs_landlock = pytest.mark.skipif(not HAS_LANDLOCK, reason="this kernel has no Landlock")

PRELUDE = f"""
import ctypes, json, os, socket, subprocess, sys
sys.path.insert(0, {str(ROOT)!r})
from desktop.processes.lockdown import lock_down
from desktop.processes.roles import Network, Role

def refused(attempt):
    try:
        attempt()
    except OSError as error:
        return error.strerror
    return "not refused"

def locks(text):
    lines = [line.split(":\\t") for line in text.splitlines()]
    return {{name: value for name, value in lines if name in ("NoNewPrivs", "Seccomp")}}
"""


def run(*steps: str, arguments: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """A fresh Python that takes these steps; `answer` is printed as JSON at the end."""
    body = "\n".join(textwrap.dedent(step) for step in steps)
    code = f"{PRELUDE}\nanswer = None\n{body}\nprint(json.dumps(answer))"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def answer(*steps: str, arguments: tuple[str, ...] = ()) -> Any:
    finished = run(*steps, arguments=arguments)
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


def report_of(*steps: str) -> LockReport:
    return LockReport.from_record(answer(*steps, "answer = report.to_record()"))


@pytest.mark.parametrize("lock", LOCKS)
def test_the_kernel_says_that_the_process_its_threads_and_its_children_are_locked(lock: str) -> None:
    locked = {"NoNewPrivs": "1", "Seccomp": "2"}
    seen = answer(
        # A thread that was there before the lock.
        """
        import threading
        def look():
            may_look.wait()
            seen.append(locks(open("/proc/thread-self/status").read()))
        seen, may_look, thread = [], threading.Event(), threading.Thread(target=look)
        thread.start()
        """,
        lock,
        """
        may_look.set()
        thread.join()
        seen.append(locks(open("/proc/self/status").read()))
        if "DESKTOP" in sys.argv[1]:
            seen.append(locks(subprocess.check_output(["cat", "/proc/self/status"], text=True)))
        answer = seen
        """,
        arguments=(lock,),
    )
    assert seen == [locked] * (3 if "DESKTOP" in lock else 2)


@pytest.mark.parametrize(
    ("lock", "network", "remaining"),
    [
        (LOCKS[0], Network.UNIX_ONLY, {Remaining.LOCAL_SERVICES, Remaining.CHANGE_FILES}),
        (LOCKS[1], Network.NONE, set()),
        (LOCKS[2], Network.UNIX_ONLY, {Remaining.LOCAL_SERVICES}),
    ],
)
def test_the_report_says_what_was_tried_and_what_is_left(
    lock: str, network: Network, remaining: set[Remaining]
) -> None:
    report = report_of(f"report = {lock}")
    assert report.enforced
    assert report.mechanism is Mechanism.SECCOMP
    assert report.network is network
    assert len(report.self_test) >= 13
    assert all(refused for _, refused in report.self_test)
    assert {"IPv4 TCP", "IPv6 UDP", "netlink", "vsock", "io_uring", "ptrace"} <= {
        name for name, _ in report.self_test
    }
    if not HAS_LANDLOCK:
        remaining |= {Remaining.OTHER_PROGRAMS, Remaining.CHANGE_FILES}
    assert set(report.remaining) == remaining
    assert report.weaker_than_planned is (lock == LOCKS[2])


@pytest.mark.parametrize("lock", LOCKS)
def test_a_worker_inside_a_locked_desktop_is_locked_as_well(lock: str) -> None:
    report = report_of("lock_down(Role.DESKTOP)", f"report = {lock}")
    assert report.enforced


def test_the_desktop_can_use_unix_sockets_start_programs_and_move_files_between_folders(
    tmp_path: Path,
) -> None:
    (tmp_path / "from").mkdir()
    (tmp_path / "to").mkdir()
    (tmp_path / "from" / "chat").write_text("kept")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "display"))
        server.listen()
        seen = answer(
            LOCKS[0],
            """
            os.chdir(sys.argv[1])
            os.rename("from/chat", "to/chat")
            client = socket.socket(socket.AF_UNIX)
            client.connect("display")
            socket.socketpair()
            answer = [open("to/chat").read(), subprocess.check_output(["echo", "started"], text=True)]
            """,
            arguments=(str(tmp_path),),
        )
    assert seen == ["kept", "started\n"]


@pytest.mark.parametrize("lock", WORKERS)
def test_a_worker_cannot_start_a_program_or_a_process_and_can_start_threads(lock: str) -> None:
    seen = answer(
        lock,
        """
        import threading
        ran = []
        threads = [threading.Thread(target=ran.append, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
            thread.join()
        answer = [
            refused(lambda: os.execv("/bin/true", ["true"])),
            refused(os.fork),
            refused(lambda: subprocess.run(["/bin/true"])),
            refused(lambda: os.posix_spawn("/bin/true", ["true"], {})),
            ran,
        ]
        """,
    )
    assert seen == ["Operation not permitted"] * 4 + [[*range(8)]]


@needs_landlock
@pytest.mark.parametrize("lock", WORKERS)
def test_a_worker_can_read_files_and_change_none(lock: str, tmp_path: Path) -> None:
    (tmp_path / "model").write_text("weights")
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}
    seen = answer(
        lock,
        """
        os.chdir(sys.argv[1])
        attempts = [
            lambda: open("model", "w"), lambda: open("model", "a"), lambda: open("model", "r+"),
            lambda: open("new", "w"), lambda: os.truncate("model", 0), lambda: os.unlink("model"),
            lambda: os.rename("model", "other"), lambda: os.mkdir("folder"), lambda: os.mkfifo("fifo"),
            lambda: os.symlink("model", "link"), lambda: os.link("model", "hard"),
            lambda: os.chmod("model", 0o777), lambda: os.chown("model", os.getuid(), os.getgid()),
            lambda: os.setxattr("model", "user.label", b"x"),
        ]
        open("/dev/null", "w").write("swallowed")
        answer = [open("model").read(), *map(refused, attempts)]
        """,
        arguments=(str(tmp_path),),
    )
    assert seen[0] == "weights"
    assert "not refused" not in seen[1:]
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before


@needs_landlock
@pytest.mark.parametrize("lock", LOCKS)
def test_another_programs_memory_cannot_be_opened(lock: str) -> None:
    seen = answer(
        "answer = [refused(lambda: open(f'/proc/{os.getppid()}/mem', 'r+b'))]",
        lock,
        "answer.append(refused(lambda: open(f'/proc/{os.getppid()}/mem', 'r+b')))",
    )
    assert seen[-1] == "Permission denied"


def test_a_worker_yields_to_the_window_is_ended_before_it_and_has_limits() -> None:
    seen = answer(
        LOCKS[1],
        """
        import resource
        limits = [resource.getrlimit(what) for what in (resource.RLIMIT_CORE, resource.RLIMIT_DATA)]
        score = int(open("/proc/self/oom_score_adj").read())
        answer = [os.getpriority(os.PRIO_PROCESS, 0), score, *limits]
        """,
    )
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    niceness = min(19, os.getpriority(os.PRIO_PROCESS, 0) + 5)
    assert seen == [niceness, 500, [0, 0], [memory, memory]]


def test_a_worker_that_asks_for_more_memory_than_there_is_is_told_so_and_lives_on() -> None:
    seen = answer(
        LOCKS[1],
        """
        try:
            bytearray(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
        except MemoryError:
            answer = "told"
        """,
    )
    assert seen == "told"


def test_the_model_library_and_the_template_engine_load_in_a_locked_worker() -> None:
    seen = answer(
        LOCKS[1],
        """
        import jinja2, llama_cpp
        answer = [jinja2.Template("{{ 1 + 1 }}").render(), bool(llama_cpp.llama_print_system_info())]
        """,
    )
    assert seen == ["2", True]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_socket_to_the_network_that_was_open_before_is_closed_and_unix_sockets_stay(lock: str) -> None:
    seen = answer(
        """
        pair, inet = socket.socketpair(), [socket.socket(family, socket.SOCK_DGRAM) for family in (2, 16)]
        inet[0].bind(("127.0.0.1", 0))
        os.dup2(inet[0].fileno(), 0)
        """,
        lock,
        """
        os.write(pair[0].fileno(), b"x")
        answer = [refused(s.getsockname) for s in inet] + [os.readlink("/proc/self/fd/0")]
        answer.append(os.read(pair[1].fileno(), 1).decode())
        """,
    )
    assert seen == ["Socket operation on non-socket"] * 2 + ["/dev/null", "x"]


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="x86 alone has these two older sets of numbers")
@pytest.mark.parametrize("lock", LOCKS)
@pytest.mark.parametrize(
    "attempt",
    [
        # mov eax, 359 (socket); int 0x80; ret
        r"""
        import mmap
        page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        page.write(b"\xb8\x67\x01\x00\x00\xcd\x80\xc3")
        ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
        """,
        "ctypes.CDLL(None).syscall(ctypes.c_long(0x40000000 | 41), 2, 1, 0)",
    ],
    ids=["int 0x80", "x32"],
)
def test_a_process_that_calls_the_kernel_by_other_numbers_ends_at_once(lock: str, attempt: str) -> None:
    assert run(attempt).returncode != -signal.SIGSYS
    assert run(lock, attempt).returncode == -signal.SIGSYS


@pytest.mark.parametrize("role", Role)
def test_where_the_kernel_takes_no_filter_the_report_claims_nothing(role: Role) -> None:
    report = report_of(
        # An older lock that answers every further one with EINVAL, as a kernel without filters does.
        """
        from desktop.processes import seccomp
        libc, here = ctypes.CDLL(None, use_errno=True), seccomp.this_architecture()
        libc.syscall.restype = ctypes.c_long
        load_number, invalid, allow = (0x20, 0, 0, 0), (0x06, 0x50016, 0, 0), (0x06, 0x7FFF0000, 0, 0)
        seccomp.forbid_new_privileges(libc)
        seccomp.install(libc, here, [load_number, (0x15, here.number("seccomp"), 0, 1), invalid, allow])
        """,
        f"report = lock_down(Role.{role.name})",
    )
    assert (report.enforced, report.mechanism, report.network) == (False, Mechanism.NONE, Network.OPEN)
    assert (report.gap, report.remaining) == (Gap.KERNEL, tuple(Remaining))
    assert "seccomp filter refused" in report.summary


@pytest.mark.parametrize("role", Role)
def test_on_an_unknown_processor_the_report_claims_nothing(role: Role) -> None:
    # The kernel can be asked to name an older processor (as the command linux32 does).
    older = "assert ctypes.CDLL(None).personality(8) >= 0"
    report = report_of(older, f"report = lock_down(Role.{role.name})")
    assert (report.enforced, report.mechanism, report.network) == (False, Mechanism.NONE, Network.OPEN)
    assert report.gap is Gap.ARCHITECTURE
    assert report.remaining == tuple(Remaining)


@pytest.mark.parametrize("lock", LOCKS)
def test_locking_imports_nothing_but_the_standard_library(lock: str) -> None:
    modules = answer(lock, "answer = sorted({name.partition('.')[0] for name in sys.modules})")
    outside = set(modules) - set(sys.stdlib_module_names) - {"__main__", "desktop"}
    # What the environment itself imports at every start of Python.
    assert outside <= set(answer("answer = [name.partition('.')[0] for name in sys.modules]"))
