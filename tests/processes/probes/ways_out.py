"""Locks itself in a role, tries every way to the network, and prints what came of each as one JSON object.

    python ways_out.py ROLE OFFER        ROLE may be "unlocked": to see that the attempts can succeed
    OFFER: a JSON object with the ports, process and descriptors that the test holds ready

"out" means that the attempt succeeded; anything else is the error that stopped it.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from desktop.processes.lockdown import lock_down
from desktop.processes.roles import Network, Role

OFFER: dict[str, int] = json.loads(sys.argv[2])
LIBC = ctypes.CDLL(None, use_errno=True)
ADDRESS = struct.pack("=HH4s8x", socket.AF_INET, socket.htons(OFFER["tcp4"]), bytes([127, 0, 0, 1]))

# io_uring_setup, pidfd_open and pidfd_getfd have one number on every architecture.
IO_URING_SETUP, PIDFD_OPEN, PIDFD_GETFD = 425, 434, 438
# Python leaves some of these out where it was compiled without their headers.
AF_BLUETOOTH, AF_XDP, IPPROTO_MPTCP = 31, 44, 262
SOCKET, CONNECT = (41, 42) if os.uname().machine == "x86_64" else (198, 203)


def checked(result: int) -> int:
    """The result of a C call, or its error."""
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def tcp(family: int, host: str, port: int) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as way_out:
        way_out.connect((host, port))


def udp(family: int, host: str, port: int) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as way_out:
        way_out.sendto(b"out", (host, port))


def c_library() -> None:
    descriptor = checked(LIBC.socket(socket.AF_INET, socket.SOCK_STREAM, 0))
    checked(LIBC.connect(descriptor, ADDRESS, len(ADDRESS)))


def system_call() -> None:
    descriptor = checked(LIBC.syscall(SOCKET, socket.AF_INET, socket.SOCK_STREAM, 0))
    checked(LIBC.syscall(CONNECT, descriptor, ADDRESS, len(ADDRESS)))


def system_call_with_rubbish_in_the_upper_half() -> None:
    """The kernel reads an int; a filter that compares 64 bits would be fooled."""
    family, kind = 0xDEAD_BEEF_0000_0000 | socket.AF_INET, socket.SOCK_STREAM
    checked(LIBC.syscall(*map(ctypes.c_ulong, (SOCKET, family, kind, 0))))


def in_a_thread() -> None:
    failures: list[OSError] = []

    def attempt() -> None:
        try:
            tcp(socket.AF_INET, "127.0.0.1", OFFER["tcp4"])
        except OSError as error:
            failures.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


def in_a_child() -> None:
    code = f"import socket; socket.create_connection(('127.0.0.1', {OFFER['tcp4']}))"
    if subprocess.run([sys.executable, "-c", code], stderr=subprocess.DEVNULL).returncode:
        raise OSError(errno.EPERM, "the child failed")


def asyncio_connection() -> None:
    async def connect() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", OFFER["tcp4"])
        writer.close()

    asyncio.run(connect())


def inherited_socket() -> None:
    with socket.socket(fileno=OFFER["inherited"]) as way_out:
        way_out.send(b"out")


def stolen_socket() -> None:
    process = checked(LIBC.syscall(PIDFD_OPEN, OFFER["victim"], 0))
    checked(LIBC.syscall(PIDFD_GETFD, process, OFFER["victim_socket"], 0))


def io_uring() -> None:
    checked(LIBC.syscall(IO_URING_SETUP, 4, ctypes.create_string_buffer(120)))


def any_socket(family: int, kind: int, protocol: int = 0) -> None:
    socket.socket(family, kind, protocol).close()


def qt_tcp() -> None:
    from PySide6.QtNetwork import QTcpSocket

    way_out = QTcpSocket()
    way_out.connectToHost("127.0.0.1", OFFER["tcp4"])
    if not way_out.waitForConnected(5_000):
        raise OSError(errno.EPERM, way_out.errorString())


def qt_udp() -> None:
    from PySide6.QtNetwork import QHostAddress, QUdpSocket

    way_out = QUdpSocket()
    if way_out.writeDatagram(b"out", QHostAddress("127.0.0.1"), OFFER["udp4"]) < 0:
        raise OSError(errno.EPERM, way_out.errorString())


def qt_http() -> None:
    from PySide6.QtCore import QCoreApplication, QUrl
    from PySide6.QtNetwork import QNetworkAccessManager, QNetworkReply, QNetworkRequest

    application = QCoreApplication.instance() or QCoreApplication([])
    manager = QNetworkAccessManager()
    request = QNetworkRequest(QUrl(f"http://127.0.0.1:{OFFER['tcp4']}/"))
    request.setTransferTimeout(1_000)
    reply = manager.get(request)
    reply.finished.connect(application.quit)
    application.exec()
    # The test's server never answers: a request that got through ends by its own time limit.
    if reply.error() is not QNetworkReply.NetworkError.TimeoutError:
        raise OSError(errno.EPERM, reply.errorString())


def typing_into_the_terminal() -> None:
    import fcntl
    import pty

    _, terminal = pty.openpty()
    fcntl.ioctl(terminal, 0x5412, b"x")


ATTEMPTS: dict[str, Callable[[], object]] = {
    "IPv4 TCP": lambda: tcp(socket.AF_INET, "127.0.0.1", OFFER["tcp4"]),
    "IPv6 TCP": lambda: tcp(socket.AF_INET6, "::1", OFFER["tcp6"]),
    "IPv4 UDP": lambda: udp(socket.AF_INET, "127.0.0.1", OFFER["udp4"]),
    "IPv6 UDP": lambda: udp(socket.AF_INET6, "::1", OFFER["udp6"]),
    "C library": c_library,
    "system call": system_call,
    "system call, upper half": system_call_with_rubbish_in_the_upper_half,
    "thread": in_a_thread,
    "child process": in_a_child,
    "asyncio": asyncio_connection,
    "inherited socket": inherited_socket,
    "QTcpSocket": qt_tcp,
    "QUdpSocket": qt_udp,
    "QNetworkAccessManager": qt_http,
    # The machine decides whether the following would succeed without the lock.
    "stolen socket": stolen_socket,
    "io_uring": io_uring,
    "raw": lambda: any_socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
    "MPTCP": lambda: any_socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP),
    "netlink": lambda: any_socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "packet": lambda: any_socket(socket.AF_PACKET, socket.SOCK_RAW),
    "vsock": lambda: any_socket(socket.AF_VSOCK, socket.SOCK_STREAM),
    "Bluetooth": lambda: any_socket(AF_BLUETOOTH, socket.SOCK_SEQPACKET),
    "kernel crypto": lambda: any_socket(socket.AF_ALG, socket.SOCK_SEQPACKET),
    "XDP": lambda: any_socket(AF_XDP, socket.SOCK_RAW),
    "typing into the terminal": typing_into_the_terminal,
}


def outcome(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except OSError as error:
        return f"{errno.errorcode.get(error.errno or 0, '?')} {error.strerror}"
    return "out"


def main() -> None:
    if sys.argv[1] != "unlocked":
        role, _, network = sys.argv[1].partition("/")
        lock_down(Role(role), Network(network) if network else None)
    outcomes = {name: outcome(attempt) for name, attempt in ATTEMPTS.items()}
    json.dump(outcomes, sys.stdout)


main()
