"""Connections that are watched: opened only to where the gate let a request go, counted, and cut on demand."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import unquote, urlsplit

import httpcore
import truststore

from providers.gate.protocol import GateFault
from providers.gate.proxies import place_of
from providers.gate.rules import Address


class Exchange:
    """One request on the wire and its answer. Bytes are counted as they are before encryption."""

    def __init__(self, place: tuple[str, int]) -> None:
        self.place = place  # host and port of the server, or of the proxy before it
        self.bytes_out = self.bytes_in = 0
        self.given_up = False
        self._handle: socket.socket | None = None
        self._lock = threading.Lock()

    def on(self, handle: socket.socket) -> None:
        """This connection works for the exchange now. Raises `httpcore.ReadError` when it was given up."""
        with self._lock:
            self._handle = handle
            if self.given_up:
                raise httpcore.ReadError("given up")

    def cut(self) -> None:
        """End the connection from another thread: who waits for it wakes up, and the server sees the end."""
        with self._lock:
            self.given_up = True
            handle = self._handle
        if handle is not None:
            with suppress(OSError):  # it has ended by itself
                handle.shutdown(socket.SHUT_RDWR)


_here = threading.local()


def work_on(exchange: Exchange | None) -> None:
    """What this thread reads and writes from now on belongs to `exchange`."""
    _here.exchange = exchange


def _exchange() -> Exchange:
    exchange: Exchange | None = getattr(_here, "exchange", None)
    if exchange is None:
        raise httpcore.ConnectError("no request was let through here")
    return exchange


class WatchedStream(httpcore.NetworkStream):
    """A connection. `handle`: a second name of its socket, which stays valid while TLS takes the first over."""

    def __init__(self, inner: httpcore.NetworkStream, handle: socket.socket) -> None:
        self._inner = inner
        self._handle = handle

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        exchange = _exchange()
        exchange.on(self._handle)
        data = self._inner.read(max_bytes, timeout)
        exchange.bytes_in += len(data)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        exchange = _exchange()
        exchange.on(self._handle)
        exchange.bytes_out += len(buffer)
        self._inner.write(buffer, timeout)

    def close(self) -> None:
        self._inner.close()
        self._handle.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        _exchange().on(self._handle)
        # Its own, not the one that all connections share: that one is locked while it shakes hands, and a server
        # that does not answer would keep all others waiting.
        context = trusted_by_the_system()
        context.set_alpn_protocols(["http/1.1"])
        try:
            return WatchedStream(self._inner.start_tls(context, server_hostname, timeout), self._handle)
        except BaseException:
            self.close()
            raise

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class WatchedNetwork(httpcore.NetworkBackend):
    """Opens TCP connections, and only to the place of the exchange that this thread works on."""

    def __init__(self) -> None:
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        exchange = _exchange()
        if (host, port) != exchange.place:
            raise httpcore.ConnectError("this is not where the request was let go")
        stream = self._inner.connect_tcp(host, port, timeout, local_address, socket_options)
        way: socket.socket = stream.get_extra_info("socket")
        watched = WatchedStream(stream, way.dup())
        try:
            exchange.on(watched._handle)
        except httpcore.ReadError:
            watched.close()
            raise
        return watched

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        raise httpcore.ConnectError("not a way out")


def trusted_by_the_system() -> ssl.SSLContext:
    """TLS that trusts what the operating system trusts (and SSL_CERT_FILE, where OpenSSL reads it)."""
    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


MOST_HEADERS = 100  # of an answer; their size is limited to 100 kB by the library below


def is_odd(answer: httpcore.Response) -> bool:
    """Another protocol, far too many headers, or packed: it was asked for as it is, and a bomb comes packed."""
    coding = [value.lower() for name, value in answer.headers if name.lower() == b"content-encoding"]
    is_packed = any(value not in (b"", b"identity") for value in coding)
    return answer.status < 200 or len(answer.headers) > MOST_HEADERS or is_packed


def through(proxy: str) -> httpcore.Proxy:
    """A proxy by its URL, with the account in it, if there is one."""
    parts = urlsplit(proxy)
    host, port = place_of(Address("http", "", None, "/"), proxy)
    place = f"{parts.scheme}://{'[' + host + ']' if ':' in host else host}:{port}"
    account = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    tls = trusted_by_the_system() if parts.scheme == "https" else None
    return httpcore.Proxy(place, auth=account, ssl_context=tls)


def tls_or_name_fault(error: BaseException) -> GateFault | None:
    """Whether an error comes from who the server is, from the encryption, or from its name."""
    for cause in _causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                return GateFault.CERTIFICATE
            case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
                return GateFault.CUT_OFF
            case ssl.SSLError():
                return GateFault.TLS
            case socket.gaierror():
                return GateFault.NAME
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    at: BaseException | None = error
    for _ in range(10):  # they can form a ring
        if at is None:
            return
        yield at
        at = at.__cause__ or at.__context__
