"""HTTP through the gate: the only file that imports httpx, and the only place where a request is let go.

Every request, every redirect included, is judged by the address that will be connected to, gets its row on the
disk, and leaves after that. What comes back is counted, and the row that closes it is written at its end.
"""

from __future__ import annotations

import logging
import os
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import httpcore
import httpx

from providers.gate.address import plain_url, port_of
from providers.gate.errand import Errand, current_errand
from providers.gate.faults import GateError
from providers.gate.gate import MOST_REDIRECTS, Gate
from providers.gate.ledger import Ledger, LedgerError, LedgerKeyMissing
from providers.gate.protocol import GateFault
from providers.gate.proxies import ProxyNotUnderstood, place_of, proxy_for
from providers.gate.rows import EndRow, RequestRow
from providers.gate.rules import Address, Allowed, Outgoing, Purpose, Refused, Rule
from providers.gate.sending import USER_AGENT, carries_a_key, row_of, sent_headers
from providers.gate.wire import (
    Exchange,
    WatchedNetwork,
    is_odd,
    through,
    tls_or_name_fault,
    trusted_by_the_system,
    work_on,
)

log = logging.getLogger(__name__)

CONNECT_SECONDS, READ_SECONDS = 10.0, 300.0
MOST_BODY_BYTES = 64 * 1024 * 1024
_MOST_CONNECTIONS = 32
_TIMEOUTS = {"connect": CONNECT_SECONDS, "read": READ_SECONDS, "write": READ_SECONDS, "pool": CONNECT_SECONDS}

_HOP = "alcove.hop"
_SENT_ON_TO_NOBODY = (Purpose.CHAT, Purpose.TITLE, Purpose.TOOL, Purpose.MODELS)


class GateTransport(httpx.BaseTransport):
    """The one way out of this process. Safe for any thread."""

    def __init__(self, gate: Gate, ledger: Ledger, environ: Mapping[str, str] | None = None) -> None:
        self._gate = gate
        self._ledger = ledger
        self._environ = dict(os.environ if environ is None else environ)
        self._tls = trusted_by_the_system()
        self._pools: dict[str, httpcore.ConnectionPool] = {}
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Raises `GateError` when it may not leave, and httpx's own errors when it does not get through."""
        errand = current_errand() or Errand(Purpose.DOWNLOAD)
        if errand.given_up:
            raise GateError(GateFault.CANCELLED)
        body = request.read()
        address = _address(request.url)
        row, proxy = self._let_go(request, address, errand, body)
        exchange = Exchange(place_of(address, proxy))
        errand.in_use(exchange.cut)
        try:
            answer = self._send(request, address, errand.purpose, body, proxy, exchange)
        except BaseException as error:
            self._over(row, errand, exchange, error, 0)
            raise
        status = answer.status

        def over(error: BaseException | None) -> None:
            self._over(row, errand, exchange, error, status)

        headers = [(name, value) for name, value in answer.headers if name.lower() != b"set-cookie"]
        body_stream = _Body(answer, exchange, over, complete=request.method == "HEAD")
        return httpx.Response(status, headers=headers, stream=body_stream)

    def judge(self, method: str, url: httpx.URL, body: bytes, carries_key: bool) -> None:
        """Ask the gate about a request that is not complete yet. Writes the row of a refusal and raises `GateError`."""
        errand = current_errand() or Errand(Purpose.DOWNLOAD)
        outgoing = _outgoing(method, _address(url), errand, body, carries_key)
        decision = self._gate.decide(outgoing)
        if isinstance(decision, Allowed):
            return
        try:
            self._ledger.append(row_of(outgoing, errand, body, "", decision))
        except LedgerError as error:
            raise _not_written(error) from error
        raise GateError(GateFault.REFUSED, decision.rule.value)

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()

    def refuse_malformed(self, purpose: Purpose, method: str) -> GateError:
        """The row of what was not even an address, and the error to raise."""
        row = RequestRow(
            uuid.uuid4().hex, purpose.value, method[:16], "", "", 0, "", "refused", Rule.MALFORMED.value
        )
        try:
            self._ledger.append(row)
        except LedgerError as error:
            return _not_written(error)
        return GateError(GateFault.REFUSED, Rule.MALFORMED.value)

    def _let_go(
        self, request: httpx.Request, address: Address, errand: Errand, body: bytes
    ) -> tuple[RequestRow, str]:
        """Ask the gate and write the row. Returns it and the proxy to go through; raises `GateError`."""
        outgoing = replace(
            _outgoing(request.method, address, errand, body, carries_a_key(request.headers)),
            host_headers=tuple(request.headers.get_list("host")),
            hop=_hop(request),
        )
        decision = self._gate.decide(outgoing)
        fault, proxy = GateFault.REFUSED, ""
        if isinstance(decision, Allowed):
            try:
                proxy = proxy_for(address.scheme, address.host, port_of(address) or 0, self._environ)
            except ProxyNotUnderstood:
                decision, fault = Refused(Rule.PROXY), GateFault.PROXY
            if len(body) > MOST_BODY_BYTES:
                decision, fault = Refused(Rule.BODY), GateFault.TOO_LARGE
        row = row_of(outgoing, errand, body, proxy, decision)
        try:
            self._ledger.append(row)
        except LedgerError as error:
            raise _not_written(error) from error
        if isinstance(decision, Refused):
            raise GateError(fault, decision.rule.value)
        return row, proxy

    def _send(
        self,
        request: httpx.Request,
        address: Address,
        purpose: Purpose,
        body: bytes,
        proxy: str,
        exchange: Exchange,
    ) -> httpcore.Response:
        """The one line that sends. Only what the gate saw goes on: no option of the request's own."""
        plain = httpcore.Request(
            request.method,
            httpcore.URL(
                scheme=address.scheme.encode("ascii"),
                host=address.host.encode("ascii"),
                port=address.port,
                target=address.target.encode("ascii"),
            ),
            headers=sent_headers(request.headers.raw, address, purpose, len(body)),
            content=body,
            extensions={"timeout": dict(_TIMEOUTS)},
        )
        work_on(exchange)
        try:
            with _errors_of_httpx():
                answer = self._pool(proxy).handle_request(plain)
        finally:
            work_on(None)
        if is_odd(answer):
            exchange.cut()
            answer.close()
            raise httpx.RemoteProtocolError("an answer of an odd form")
        return answer

    def _over(
        self,
        row: RequestRow,
        errand: Errand,
        exchange: Exchange,
        error: BaseException | None,
        status: int,
    ) -> None:
        """The last row of a request. Whatever happens: it has left, and the row that says so stands."""
        errand.not_in_use(exchange.cut)
        if error is None and errand.given_up:
            error = GateError(
                GateFault.CANCELLED
            )  # a body without a length ends like this when it is cut as well
        outcome = "done" if error is None else fault_of(error, errand).value
        spent = errand.spent
        end = EndRow(
            id=row.id,
            outcome=outcome,
            status=status,
            bytes_out=exchange.bytes_out,
            bytes_in=exchange.bytes_in,
            tokens_in=spent.tokens_in,
            tokens_out=spent.tokens_out,
            cost=spent.cost,
            currency=spent.currency,
        )
        try:
            self._ledger.append(end, durable=False)
        except LedgerError as problem:
            log.warning("the end of a request is not in the ledger: %s", problem)

    def _pool(self, proxy: str) -> httpcore.ConnectionPool:
        with self._lock:
            if proxy not in self._pools:
                self._pools[proxy] = httpcore.ConnectionPool(
                    ssl_context=self._tls,
                    proxy=through(proxy) if proxy else None,
                    max_connections=_MOST_CONNECTIONS,
                    keepalive_expiry=30.0,
                    network_backend=WatchedNetwork(),
                )
            return self._pools[proxy]


class _Body(httpx.SyncByteStream):
    """The body of an answer on its way in. `over` is called once, with what ended it early, if anything did."""

    def __init__(
        self,
        answer: httpcore.Response,
        exchange: Exchange,
        over: Callable[[BaseException | None], None],
        complete: bool,
    ) -> None:
        self._answer = answer
        self._exchange = exchange
        self._report: Callable[[BaseException | None], None] | None = over
        self._complete = complete  # nothing more has to come

    def __iter__(self) -> Iterator[bytes]:
        pieces = self._answer.iter_stream()
        try:
            with _errors_of_httpx():  # once: there are thousands of pieces
                while True:
                    work_on(self._exchange)
                    try:
                        piece = next(pieces, None)
                    finally:
                        work_on(None)
                    if piece is None:
                        self._complete = True
                        return
                    yield piece
        except GeneratorExit:
            raise
        except BaseException as error:
            self._over(error)
            raise

    def close(self) -> None:
        # Cutting first: closing waits for nothing, and the server sees at once that nobody listens any more.
        if not self._complete:
            self._exchange.cut()
        work_on(self._exchange)
        try:
            with suppress(httpx.HTTPError), _errors_of_httpx():
                self._answer.close()
        finally:
            work_on(None)
            self._over(None if self._complete else GateError(GateFault.CANCELLED))

    def _over(self, error: BaseException | None) -> None:
        report, self._report = self._report, None
        if report is not None:
            report(error)


class GatedClient(httpx.Client):
    """An httpx client whose every request passes the gate. Made by `make_client`."""

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """As httpx does it; counts the redirects that a request leads to."""
        request.extensions = {**request.extensions, _HOP: [-1]}
        return super().send(request, **options)


def make_client(
    gate: Gate, ledger: Ledger, environ: Mapping[str, str] | None = None, follow_redirects: bool = True
) -> GatedClient:
    """A client for `GatedHttp`, or for a library that takes an httpx client. Close it when done.

    What is sent is sent for the errand of the calling thread (`Errand.running`), else for a download. It keeps
    no cookies, reads no .netrc, and takes proxies from `environ` (None: this process's own).
    """
    return GatedClient(
        transport=GateTransport(gate, ledger, environ),
        trust_env=False,
        follow_redirects=follow_redirects,
        # One more than the gate allows: the gate is to refuse, so that there is a row of it.
        max_redirects=MOST_REDIRECTS + 2,
        timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
        headers={"User-Agent": USER_AGENT},
    )


class GatedResponse:
    """An answer whose head has come. Header names in lower case."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}

    def iter_bytes(self) -> Iterator[bytes]:
        """The body in pieces as they come. Raises `GateError` when it breaks off."""
        # Not `iter_raw`, which closes at the end of the body, and with it the row of the end: what was used is told by
        # the last bytes, and read out of them afterwards.
        stream = self._response.stream
        assert isinstance(stream, httpx.SyncByteStream)
        with _as_gate_errors():
            yield from stream


class GatedHttp:
    """What the rest of the broker sends with: no library's words, only `GateError`."""

    def __init__(self, client: GatedClient, follow_redirects: bool = True) -> None:
        """`follow_redirects` False: whoever asks follows them, in requests of their own."""
        self._client = client
        self._follow = follow_redirects

    def judge(self, method: str, url: str, content: bytes, *, carries_key: bool) -> None:
        """Whether this would be let out, before its key is looked for. Raises `GateError`; then its row is written."""
        errand = current_errand()
        transport = self._client._transport
        assert isinstance(transport, GateTransport)
        try:
            parsed = httpx.URL(plain_url(url))
        except (httpx.InvalidURL, ValueError, TypeError) as error:
            raise transport.refuse_malformed(
                errand.purpose if errand else Purpose.DOWNLOAD, method
            ) from error
        transport.judge(method, parsed, content, carries_key)

    @contextmanager
    def stream(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, content: bytes = b""
    ) -> Iterator[GatedResponse]:
        """One request and its answer, for the errand of this thread. Raises `GateError`.

        Redirects are followed, each through the gate, but for what carries a conversation: that is sent on to
        nobody. Leaving early cuts the connection.
        """
        errand = current_errand()
        purpose = errand.purpose if errand is not None else Purpose.DOWNLOAD
        try:
            request = self._client.build_request(
                method, plain_url(url), headers=dict(headers or {}), content=content
            )
        except (httpx.InvalidURL, ValueError, TypeError) as error:
            transport = self._client._transport
            assert isinstance(transport, GateTransport)
            raise transport.refuse_malformed(purpose, method) from error
        redirects = self._follow and purpose not in _SENT_ON_TO_NOBODY
        with _as_gate_errors():
            response = self._client.send(request, stream=True, follow_redirects=redirects)
        try:
            yield GatedResponse(response)
        finally:
            response.close()


def fault_of(error: BaseException, errand: Errand | None) -> GateFault:
    """What an error of a request comes to."""
    if isinstance(error, GateError):
        return error.fault
    if errand is not None and errand.given_up:
        return GateFault.CANCELLED
    if (fault := tls_or_name_fault(error)) is not None:
        return fault
    match error:
        case httpx.ProxyError():
            return GateFault.PROXY
        case httpx.TimeoutException():
            return GateFault.TIMED_OUT
        case httpx.ConnectError():
            return GateFault.UNREACHABLE
        case httpx.RemoteProtocolError() if "closed" in str(error) or "disconnected" in str(error):
            return GateFault.CUT_OFF
        case httpx.NetworkError():
            return GateFault.CUT_OFF
        case httpx.HTTPError() | httpx.InvalidURL():
            return GateFault.UNREADABLE
    return GateFault.INTERNAL


@contextmanager
def _as_gate_errors() -> Iterator[None]:
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        # Not the library's words: they can quote a header, and with it a key.
        raise GateError(fault_of(error, current_errand()), detail=type(error).__name__) from error


@contextmanager
def _errors_of_httpx() -> Iterator[None]:
    """The errors of the library below become the ones of the same name that users of httpx know."""
    try:
        yield
    except Exception as error:
        for kind in type(error).__mro__:
            same = getattr(httpx, kind.__name__, None)
            if kind.__module__.startswith("httpcore") and isinstance(same, type):
                raise same(str(error)) from error
        raise


def _not_written(error: LedgerError) -> GateError:
    """Without its row nothing leaves."""
    rule = Rule.LEDGER_KEY if isinstance(error, LedgerKeyMissing) else Rule.LEDGER
    return GateError(GateFault.LEDGER, rule.value, str(error))


def _outgoing(method: str, address: Address, errand: Errand, body: bytes, credentials: bool) -> Outgoing:
    return Outgoing(
        purpose=errand.purpose,
        method=method,
        address=address,
        body_bytes=len(body),
        credentials=credentials,
        provider=errand.provider,
        model=errand.model,
        conversation=errand.conversation,
        label=errand.label,
    )


def _address(url: httpx.URL) -> Address:
    return Address(
        scheme=url.scheme,
        host=url.raw_host.decode("ascii"),
        port=url.port,
        target=url.raw_path.decode("ascii"),
        userinfo=bool(url.userinfo),
    )


def _hop(request: httpx.Request) -> int:
    counter = request.extensions.get(_HOP)
    if not isinstance(counter, list):
        return 0
    counter[0] += 1
    return int(counter[0])
