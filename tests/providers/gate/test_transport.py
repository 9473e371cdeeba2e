"""What really goes over the wire, with real servers: rows first, no more than was asked, every hop through the gate."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.outside import Answer, Outside, certificates, ledger_rows, outside, requests_in
from support.proxies import Proxy

from providers.gate.errand import Errand
from providers.gate.faults import GateError
from providers.gate.gate import MOST_REDIRECTS, Gate
from providers.gate.ledger import Ledger
from providers.gate.protocol import GateFault
from providers.gate.rules import Endpoint, Label, Mirror, Position, Purpose, Setting
from providers.gate.transport import GatedClient, GatedHttp, make_client
from providers.gate.verification import verify


@contextmanager
def client_for(
    home: Path, server: Outside | str, environ: Mapping[str, str] | None = None, **more: object
) -> Iterator[GatedClient]:
    url = server if isinstance(server, str) else server.url
    setting = Setting(str(home), Position.DOWNLOADS, Mirror(url, plain_http=True))
    gate = Gate(replace(setting, **more))  # type: ignore[arg-type]
    ledger = Ledger(home / "ledger" / "ledger.jsonl")
    with make_client(gate, ledger, environ or {}) as client:
        yield client
    ledger.close()
    assert verify(home / "ledger" / "ledger.jsonl").intact


def get(client: GatedClient, url: str, headers: Mapping[str, str] | None = None) -> bytes:
    with GatedHttp(client).stream("GET", url, headers) as answer:
        return b"".join(answer.iter_bytes())


def failure(client: GatedClient, url: str, headers: Mapping[str, str] | None = None) -> GateError:
    with pytest.raises(GateError) as caught:
        get(client, url, headers)
    return caught.value


def outcomes(home: Path) -> list[object]:
    return [row["outcome"] for row in ledger_rows(home) if row["kind"] == "end"]


def test_an_allowed_request_arrives_and_has_a_row_and_an_end(tmp_path: Path) -> None:
    with outside() as server, client_for(tmp_path, server) as client:
        assert get(client, server.url + "/model?revision=secret") == b"hello"
    (asked,) = requests_in(tmp_path)
    assert (asked["host"], asked["path"], asked["verdict"]) == ("127.0.0.1", "/model?revision", "allowed")
    end = ledger_rows(tmp_path)[-1]
    assert (end["outcome"], end["status"], end["id"]) == ("done", 200, asked["id"])
    assert int(str(end["bytes_in"])) > 5 and int(str(end["bytes_out"])) > 20


def test_the_row_is_on_the_disk_before_the_server_hears_anything(tmp_path: Path) -> None:
    with outside() as server, client_for(tmp_path, server) as client:
        for number in range(20):
            server.answers[f"/{number}"] = Answer(body=b"x")
            get(client, f"{server.url}/{number}")
            # The server appended to `asked` when the request came; its row was written before that.
            assert [row["path"] for row in requests_in(tmp_path)] == server.paths


def test_next_to_nothing_about_this_machine_is_told(tmp_path: Path) -> None:
    told = {
        "Cookie": "a=b",
        "X-Amzn-Trace-Id": "x",
        "User-Agent": "python/3; who I am",
        "Referer": "x",
        "Range": "bytes=0-",
    }
    with outside() as server, client_for(tmp_path, server) as client:
        server.answers["/"] = Answer(headers={"Set-Cookie": "id=1"})
        get(client, server.url + "/", told)
        get(client, server.url + "/", told)
    for _, _, headers in server.asked:
        assert set(headers) == {"host", "user-agent", "accept-encoding", "accept", "range"}
        assert headers["user-agent"].startswith("Alcove/")
        assert headers["accept-encoding"] == "identity"


def test_a_refused_request_never_reaches_a_server_and_is_recorded(tmp_path: Path) -> None:
    with outside() as server, outside() as other, client_for(tmp_path, server) as client:
        error = failure(client, other.url + "/x")
        assert (error.fault, error.rule) == (GateFault.REFUSED, "host")
        assert other.asked == []
    (asked,) = requests_in(tmp_path)
    assert (asked["verdict"], asked["rule"], asked["port"]) == ("refused", "host", other.port)


@pytest.mark.parametrize(
    "url",
    [
        "https://hf.co/a b",
        "https://hf.co/\r\nHost: x",
        "https://hf.co\\@evil.test/",
        "https://hf.co/é",
        "https://[::1",
        "https://hf.co:port/",
        "",
    ],
)
def test_what_is_no_plain_url_is_refused_and_recorded(tmp_path: Path, url: str) -> None:
    with client_for(tmp_path, "") as client:
        error = failure(client, url)
    assert (error.fault, error.rule) == (GateFault.REFUSED, "malformed")
    assert [row["rule"] for row in requests_in(tmp_path)] == ["malformed"]


def test_a_redirect_to_another_host_is_refused_and_recorded(tmp_path: Path) -> None:
    with outside() as server, outside() as other, client_for(tmp_path, server) as client:
        server.answers["/"] = Answer(302, {"Location": other.url + "/stolen"})
        error = failure(client, server.url + "/", {"Authorization": "Bearer canary"})
        assert (error.fault, error.rule) == (GateFault.REFUSED, "redirect")
        assert other.asked == []
    assert [(row["verdict"], row["hop"], row["port"]) for row in requests_in(tmp_path)] == [
        ("allowed", 0, server.port),
        ("refused", 1, other.port),
    ]
    assert b"canary" not in (tmp_path / "ledger/ledger.jsonl").read_bytes()


def test_each_hop_of_a_redirect_has_its_row_and_a_ring_ends(tmp_path: Path) -> None:
    with outside() as server, client_for(tmp_path, server) as client:
        server.answers["/a"] = Answer(307, {"Location": "/b"})
        assert get(client, server.url + "/a") == b"hello"
        assert [row["path"] for row in requests_in(tmp_path)] == ["/a", "/b"]
        server.answers["/ring"] = Answer(302, {"Location": "/ring"})
        assert failure(client, server.url + "/ring").rule == "redirect"
    assert server.paths.count("/ring") == MOST_REDIRECTS + 1


def test_a_redirect_to_plain_http_elsewhere_is_refused(tmp_path: Path) -> None:
    with outside() as server, client_for(tmp_path, server) as client:
        server.answers["/"] = Answer(302, {"Location": "http://huggingface.co/x"})
        assert failure(client, server.url + "/").rule == "scheme"


def test_what_carries_a_conversation_is_sent_on_to_nobody(tmp_path: Path) -> None:
    made = certificates(tmp_path)
    with outside(made.context) as server:
        endpoints = {"acme": Endpoint("localhost", server.port)}
        server.answers["/v1"] = Answer(307, {"Location": "/elsewhere"})
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SSL_CERT_FILE", str(made.authority))  # OpenSSL reads it from the process itself
            errand = Errand(Purpose.CHAT, "acme", "m1", "7", {"names": 3}, label=Label.MAY_LEAVE)
            headers = {"Authorization": "Bearer canary", "anthropic-version": "1", "Cookie": "x"}
            with (
                client_for(tmp_path, "", position=Position.REMOTE, endpoints=endpoints) as client,
                errand.running(),
                GatedHttp(client).stream("POST", server.url + "/v1", headers, b"my words") as answer,
            ):
                assert answer.status == 307
    ((method, path, headers_there),) = server.asked
    assert (method, path, headers_there["authorization"]) == ("POST", "/v1", "Bearer canary")
    assert "cookie" not in headers_there and headers_there["anthropic-version"] == "1"
    (asked,) = requests_in(tmp_path)
    facts = [
        asked[name] for name in ("purpose", "provider", "model", "conversation", "body_bytes", "redacted")
    ]
    assert facts == ["chat", "acme", "m1", "7", 8, {"names": 3}]
    written = (tmp_path / "ledger/ledger.jsonl").read_bytes()
    assert b"canary" not in written and b"my words" not in written


def test_no_option_of_a_library_changes_where_a_request_goes(tmp_path: Path) -> None:
    with outside() as server, client_for(tmp_path, server) as client:
        tricks = {"sni_hostname": "evil.test", "target": b"/other", "timeout": {"read": 0.0}}
        with pytest.raises(GateError):
            client.get(server.url + "/x", headers={"Host": "evil.test"})
        client.send(httpx.Request("GET", server.url + "/x", extensions=tricks))
        assert server.paths == ["/x"]


def test_a_server_that_vouches_for_itself_is_refused(tmp_path: Path) -> None:
    made = certificates(tmp_path, trusted=False)
    with outside(made.context) as server, client_for(tmp_path, server) as client:
        error = failure(client, server.url + "/x")
        assert error.fault is GateFault.CERTIFICATE
        assert server.asked == []
    assert outcomes(tmp_path) == ["certificate"]


@pytest.mark.parametrize(("name", "fault"), [("localhost", None), ("other.test", GateFault.CERTIFICATE)])
def test_a_trusted_certificate_opens_its_own_name_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, fault: GateFault | None
) -> None:
    made = certificates(tmp_path, name)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.authority))
    with outside(made.context) as server, client_for(tmp_path, server) as client:
        if fault is None:
            assert get(client, server.url + "/x") == b"hello"
        else:
            assert failure(client, server.url + "/x").fault is fault
            assert server.asked == []


def test_a_connection_that_is_refused_and_a_name_that_is_unknown_are_said(tmp_path: Path) -> None:
    with outside() as server:
        url = server.url
    with client_for(tmp_path, url) as client:
        assert failure(client, url + "/").fault is GateFault.UNREACHABLE
    with client_for(tmp_path, "https://no-such-name.invalid") as client:
        assert failure(client, "https://no-such-name.invalid/").fault is GateFault.NAME
    assert outcomes(tmp_path) == ["unreachable", "name"]


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (Answer(headers={"Content-Length": "100"}), GateFault.CUT_OFF),
        (
            Answer(headers={"Content-Encoding": "gzip"}, body=gzip.compress(b"0" * 10_000_000)),
            GateFault.UNREADABLE,
        ),
        (Answer(headers={f"x-{n}": "y" for n in range(150)}), GateFault.UNREADABLE),
        (Answer(headers={"x": "y" * 200_000}), GateFault.UNREADABLE),
        (Answer(101, {"Upgrade": "x", "Connection": "upgrade"}), GateFault.UNREADABLE),
        (Answer(302, {"Location": "https://[broken"}), GateFault.REFUSED),
    ],
)
def test_an_answer_of_an_odd_form_is_a_fault_and_no_crash(
    tmp_path: Path, answer: Answer, fault: GateFault
) -> None:
    with outside() as server, client_for(tmp_path, server) as client:
        server.answers["/"] = replace(answer, headers={"Connection": "close", **answer.headers})
        assert failure(client, server.url + "/").fault is fault


def test_giving_up_cuts_the_connection_while_the_server_is_silent(tmp_path: Path) -> None:
    with outside() as server, client_for(tmp_path, server) as client:
        server.answers["/"] = Answer(body=b"x" * 1000, held=True)
        errand, begun, faults = Errand(Purpose.DOWNLOAD), threading.Event(), list[GateFault]()

        def work() -> None:
            try:
                with errand.running(), GatedHttp(client).stream("GET", server.url + "/") as answer:
                    for _ in answer.iter_bytes():
                        begun.set()
            except GateError as error:
                faults.append(error.fault)

        thread = threading.Thread(target=work)
        thread.start()
        assert begun.wait(20)
        errand.give_up()
        thread.join(20)
        assert not thread.is_alive() and server.went_away.wait(20)
        assert faults == [GateFault.CANCELLED]
        assert failure_of(errand, client, server.url + "/again") is GateFault.CANCELLED
        assert "/again" not in server.paths
    assert outcomes(tmp_path) == ["cancelled"]


@pytest.mark.parametrize("encrypted", [False, True])
def test_giving_up_wakes_who_waits_for_a_server_that_says_nothing(tmp_path: Path, encrypted: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"{'https' if encrypted else 'http'}://127.0.0.1:{silent.getsockname()[1]}"
        with client_for(tmp_path, url) as client:
            errand, faults = Errand(Purpose.DOWNLOAD), list[GateFault]()
            thread = threading.Thread(target=lambda: faults.append(failure_of(errand, client, url + "/")))
            thread.start()
            connection, _ = silent.accept()
            with connection:
                assert connection.recv(1)  # the request, or the first word of TLS
                errand.give_up()
                thread.join(8)
                assert not thread.is_alive()
    assert faults == [GateFault.CANCELLED]
    assert outcomes(tmp_path) == ["cancelled"]


def test_giving_up_cuts_an_encrypted_connection_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = certificates(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.authority))
    with outside(made.context) as server, client_for(tmp_path, server) as client:
        server.answers["/"] = Answer(body=b"x" * 1000, held=True)
        errand, begun, faults = Errand(Purpose.DOWNLOAD), threading.Event(), list[GateFault]()

        def work() -> None:
            try:
                with errand.running(), GatedHttp(client).stream("GET", server.url + "/") as answer:
                    for _ in answer.iter_bytes():
                        begun.set()
            except GateError as error:
                faults.append(error.fault)

        thread = threading.Thread(target=work)
        thread.start()
        assert begun.wait(20)
        errand.give_up()
        thread.join(20)
        assert not thread.is_alive() and server.went_away.wait(20)
    assert faults == [GateFault.CANCELLED]


def failure_of(errand: Errand, client: GatedClient, url: str) -> GateFault:
    with errand.running():
        return failure(client, url).fault


def test_leaving_early_cuts_the_connection_as_well(tmp_path: Path) -> None:
    with outside() as server, client_for(tmp_path, server) as client:
        server.answers["/"] = Answer(body=b"x" * 1000, held=True)
        with GatedHttp(client).stream("GET", server.url + "/") as answer:
            next(answer.iter_bytes())
        assert server.went_away.wait(20)
    assert outcomes(tmp_path) == ["cancelled"]


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy() as server:
        yield server
        server.shutdown()


def test_the_proxy_of_the_environment_is_used_and_noted_without_its_account(
    tmp_path: Path, proxy: Proxy
) -> None:
    with client_for(tmp_path, "", {"https_proxy": f"http://me:canary@{proxy.place}"}) as client:
        assert failure(client, "https://huggingface.co/x").fault is GateFault.PROXY
    ((asked, account),) = proxy.asked
    assert asked == "huggingface.co:443" and account.startswith("Basic ")
    (row,) = requests_in(tmp_path)
    assert (row["host"], row["via"]) == ("huggingface.co", proxy.place)
    assert b"canary" not in (tmp_path / "ledger/ledger.jsonl").read_bytes()


def test_through_a_proxy_the_hub_is_who_it_says_and_its_key_stays_with_it(
    tmp_path: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = certificates(tmp_path, "huggingface.co", "cdn-lfs.hf.co")
    monkeypatch.setenv("SSL_CERT_FILE", str(made.authority))
    key = {"Authorization": "Bearer canary"}
    with outside(made.context) as server, client_for(tmp_path, "", {"ALL_PROXY": proxy.place}) as client:
        proxy.leads_to = server.port
        server.answers["/file"] = Answer(302, {"Location": "https://cdn-lfs.hf.co/stored?Signature=secret"})
        assert get(client, "https://huggingface.co/file", key) == b"hello"
        assert [headers.get("authorization") for _, _, headers in server.asked] == ["Bearer canary", None]
        assert failure(client, "https://cdn-lfs.hf.co/stored", key).rule == "credentials"
        # Not in the certificate: somebody in the middle.
        assert failure(client, "https://hf.co/x").fault is GateFault.CERTIFICATE
        assert len(server.asked) == 2
    assert [asked for asked, _ in proxy.asked] == ["huggingface.co:443", "cdn-lfs.hf.co:443", "hf.co:443"]
    noted = [(row["host"], row["path"], row["via"]) for row in requests_in(tmp_path)][:2]
    assert noted == [
        ("huggingface.co", "/file", proxy.place),
        ("cdn-lfs.hf.co", "/stored?Signature", proxy.place),
    ]


def test_this_machine_is_never_reached_through_a_proxy(tmp_path: Path, proxy: Proxy) -> None:
    everywhere = {"HTTP_PROXY": proxy.place, "HTTPS_PROXY": proxy.place, "ALL_PROXY": proxy.place}
    with outside() as server, client_for(tmp_path, server, everywhere) as client:
        assert get(client, server.url + "/x") == b"hello"
    assert proxy.asked == []


_PLAIN_PIECES = (
    "huggingface.co hf.co evil.test 127.0.0.1 [::1] localhost @ : / ? # . %2e %00 а 。 a:b 443 .. -"
)
_PIECES = st.sampled_from([*_PLAIN_PIECES.split(), "\\", "\r\n", " "])


def test_whatever_url_is_asked_for_only_the_hub_is_ever_reached_and_every_way_has_its_row(
    tmp_path: Path, proxy: Proxy
) -> None:
    with client_for(tmp_path, "", {"ALL_PROXY": proxy.place}) as client:

        @settings(max_examples=300)
        @given(
            st.sampled_from(["https://", "http://", "HTTPS:", ""]), st.lists(_PIECES, max_size=6).map("".join)
        )
        def ask(scheme: str, rest: str) -> None:
            before = len(requests_in(tmp_path))
            failure(client, scheme + rest)  # the proxy lets nobody through
            assert len(requests_in(tmp_path)) == before + 1

        ask()
    allowed = [f"{row['host']}:{row['port']}" for row in requests_in(tmp_path) if row["verdict"] == "allowed"]
    assert [asked for asked, _ in proxy.asked] == allowed
    assert allowed and all(("." + place).endswith((".hf.co:443", ".huggingface.co:443")) for place in allowed)


@pytest.mark.parametrize("value", ["socks5://127.0.0.1:1", "ftp://x", "http://", "http://[", "http://x:0"])
def test_a_proxy_that_cannot_be_used_is_not_gone_around(tmp_path: Path, value: str) -> None:
    with client_for(tmp_path, "", {"HTTPS_PROXY": value}) as client:
        assert failure(client, "https://huggingface.co/x").fault is GateFault.PROXY
    assert [(row["verdict"], row["rule"]) for row in requests_in(tmp_path)] == [("refused", "proxy")]


def test_without_a_row_nothing_is_sent(tmp_path: Path) -> None:
    (tmp_path / "ledger").write_text("a file where the folder should be")
    with outside() as server:
        gate = Gate(Setting(str(tmp_path), Position.DOWNLOADS, Mirror(server.url, True)))
        with make_client(gate, Ledger(tmp_path / "ledger" / "ledger.jsonl"), {}) as client:
            assert failure(client, server.url + "/x").fault is GateFault.LEDGER
        assert server.asked == []


def test_nothing_connects_without_a_request_that_was_let_go(tmp_path: Path) -> None:
    from providers.gate.wire import Exchange, WatchedNetwork, work_on

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(Exception, match="no request was let through"):
            WatchedNetwork().connect_tcp("127.0.0.1", port)
        work_on(Exchange(("127.0.0.1", port + 1)))
        with pytest.raises(Exception, match="not where"):
            WatchedNetwork().connect_tcp("127.0.0.1", port)
        work_on(None)
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_the_hubs_own_library_goes_through_the_gate(tmp_path: Path) -> None:
    huggingface_hub = pytest.importorskip("huggingface_hub")
    with outside() as server, outside() as other, client_for(tmp_path, server) as client:
        server.answers["/api/models/a/b"] = Answer(
            headers={"Content-Type": "application/json"}, body=b'{"id":"a/b","_id":"1"}'
        )
        huggingface_hub.set_client_factory(lambda: client)
        try:
            assert huggingface_hub.HfApi(endpoint=server.url, token=False).model_info("a/b").id == "a/b"
            with pytest.raises(GateError):
                huggingface_hub.HfApi(endpoint=other.url, token=False).model_info("a/b")
        finally:
            huggingface_hub.close_session()
            huggingface_hub.utils._http._GLOBAL_CLIENT_FACTORY = (
                huggingface_hub.utils._http.default_client_factory
            )
    assert other.asked == []
    rows = requests_in(tmp_path)
    assert [row["path"] for row in rows if row["verdict"] == "allowed"] == server.paths == ["/api/models/a/b"]
    # What the library asks for by itself, to know what to tell about its users, does not leave.
    assert {row["rule"] for row in rows if row["verdict"] == "refused"} <= {"host", "telemetry"}
    assert all(headers["user-agent"].startswith("Alcove/") for _, _, headers in server.asked)
