"""The gate lets out what it names, and nothing that only looks like it."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from desktop.processes import switch
from providers.gate.address import is_plain_host
from providers.gate.gate import HUB_HOSTS, MOST_REDIRECTS, Gate
from providers.gate.rules import (
    Address,
    Allowed,
    Decision,
    Endpoint,
    Label,
    Mirror,
    Outgoing,
    Policy,
    Position,
    Purpose,
    Refused,
    Rule,
    Setting,
)

HUB = Address("https", "huggingface.co", None, "/api/models")
DOWNLOAD = Outgoing(Purpose.DOWNLOAD, "GET", HUB)
PROVIDER = {"acme": Endpoint("api.acme.test")}


def gate(position: Position = Position.DOWNLOADS, **more: object) -> Gate:
    return Gate(replace(Setting("/home", position), **more))  # type: ignore[arg-type]


def to(url: str, **more: object) -> Outgoing:
    """A download of a URL, as httpx takes it apart: what would be connected to."""
    parsed = httpx.URL(url)
    address = Address(
        parsed.scheme,
        parsed.raw_host.decode("ascii"),
        parsed.port,
        parsed.raw_path.decode("ascii"),
        bool(parsed.userinfo),
    )
    return replace(Outgoing(Purpose.DOWNLOAD, "GET", address), **more)  # type: ignore[arg-type]


def refused(decision: Decision) -> Rule:
    assert isinstance(decision, Refused), decision
    return decision.rule


def test_the_switch_has_the_same_words_before_and_behind_the_lock() -> None:
    assert [p.value for p in Position] == [p.value for p in switch.Position]


@pytest.mark.parametrize(("position", "purpose"), [*product(Position, Purpose)])
def test_each_position_lets_out_its_purposes_and_no_other(position: Position, purpose: Purpose) -> None:
    within = {
        Position.OFFLINE: set(),
        Position.DOWNLOADS: {Purpose.DOWNLOAD, Purpose.SEARCH, Purpose.UPDATE},
        Position.REMOTE: set(Purpose),
    }[position]
    rule = gate(position, endpoints=PROVIDER).decide(replace(DOWNLOAD, purpose=purpose)).rule
    assert (rule is Rule.POSITION) is (purpose not in within)


@pytest.mark.parametrize(("position", "cap"), [*product(Position, Position)])
def test_an_administrators_cap_only_ever_closes(position: Position, cap: Position) -> None:
    capped = gate(position, policy=Policy(cap))
    order = list(Position)
    assert capped.setting.position == order[min(order.index(position), order.index(cap))]


def test_a_purpose_that_the_administrator_closed_stays_closed() -> None:
    closed = gate(Position.REMOTE, policy=Policy(purposes_off=frozenset({Purpose.DOWNLOAD})))
    assert refused(closed.decide(DOWNLOAD)) is Rule.POLICY


@pytest.mark.parametrize(
    "url",
    [
        "https://huggingface.co/a?b=c",
        "https://hf.co/x",
        "https://HuggingFace.co:443/x",
        "https://cdn-lfs-us-1.hf.co/x",
        "https://cas-bridge.xethub.hf.co/xet?Signature=x",
        "https://cdn-lfs.huggingface.co/x",
    ],
)
def test_the_hub_and_its_storage_can_be_reached(url: str) -> None:
    assert gate().decide(to(url)) == Allowed(Rule.HUB)


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("https://huggingface.co.evil.test/", Rule.HOST),
        ("https://huggingface.co@evil.test/", Rule.HOST),
        ("https://evil.test#huggingface.co", Rule.HOST),
        ("https://evil.test/huggingface.co", Rule.HOST),
        ("https://xhuggingface.co/", Rule.HOST),
        ("https://hugging-face.co/", Rule.HOST),
        ("https://notahf.co/", Rule.HOST),
        ("https://co/", Rule.HOST),
        ("https://huggingface.com/", Rule.HOST),
        ("https://hf.space/", Rule.HOST),
        ("https://127.0.0.1/", Rule.HOST),
        ("https://[::1]/", Rule.HOST),
        ("https://[::ffff:127.0.0.1]/", Rule.MALFORMED),
        ("https://2130706433/", Rule.MALFORMED),
        ("https://0x7f.1/", Rule.MALFORMED),
        ("https://127.1/", Rule.MALFORMED),
        ("https://huggingface.co./", Rule.MALFORMED),
        ("https://huggingface%2eco/", Rule.MALFORMED),
        ("https://huggingfаce.co/", Rule.HOST),  # a Cyrillic а
        ("http://huggingface.co/", Rule.SCHEME),
        ("ftp://huggingface.co/", Rule.SCHEME),
        ("https://huggingface.co:80/", Rule.PORT),
        ("https://huggingface.co:8443/", Rule.PORT),
        ("https://name:word@huggingface.co/", Rule.CREDENTIALS_IN_URL),
        ("https:///x", Rule.MALFORMED),
        ("/relative", Rule.MALFORMED),
    ],
)
def test_what_looks_like_the_hub_is_refused_and_the_rule_is_said(url: str, rule: Rule) -> None:
    assert refused(gate().decide(to(url))) is rule


@pytest.mark.parametrize("path", ["/api/telemetry/models/x", "/api/agent-harnesses", "/API/Telemetry?x=1"])
def test_what_a_library_would_report_by_itself_does_not_leave(path: str) -> None:
    assert refused(gate().decide(to("https://huggingface.co" + path))) is Rule.TELEMETRY


def test_a_download_sends_nothing_but_its_question() -> None:
    assert refused(gate().decide(replace(DOWNLOAD, body_bytes=1))) is Rule.BODY
    for method in ("POST", "PUT", "DELETE", "PATCH", "CONNECT", "get", "", "GET /x"):
        assert refused(gate().decide(replace(DOWNLOAD, method=method))) is Rule.METHOD


def test_a_key_goes_to_the_hub_and_never_to_where_it_sends_on_to() -> None:
    assert gate().decide(replace(DOWNLOAD, credentials=True)) == Allowed(Rule.HUB)
    storage = to("https://cdn-lfs.hf.co/x", credentials=True, hop=1)
    assert refused(gate().decide(storage)) is Rule.CREDENTIALS


def test_a_redirect_goes_to_hosts_on_the_list_only_and_ends() -> None:
    assert gate().decide(to("https://cdn-lfs.hf.co/x", hop=1)) == Allowed(Rule.HUB)
    assert refused(gate().decide(to("https://evil.test/", hop=1))) is Rule.REDIRECT
    assert refused(gate().decide(to("https://hf.co/", hop=MOST_REDIRECTS + 1))) is Rule.REDIRECT
    assert refused(gate().decide(to("http://hf.co/", hop=1))) is Rule.SCHEME


def test_a_request_names_no_other_host_than_the_one_it_goes_to() -> None:
    assert gate().decide(replace(DOWNLOAD, host_headers=("huggingface.co",))) == Allowed(Rule.HUB)
    for fronted in (("evil.test",), ("huggingface.co", "evil.test"), ("huggingface.co:80",)):
        assert refused(gate().decide(replace(DOWNLOAD, host_headers=fronted))) is Rule.HOST


def test_a_mirror_is_reached_at_its_own_host_scheme_and_port_beside_the_hub() -> None:
    mirrored = gate(mirror=Mirror("https://models.corp.test:8443/hub"))
    assert mirrored.decide(to("https://models.corp.test:8443/hub/x", credentials=True)) == Allowed(
        Rule.MIRROR
    )
    assert mirrored.decide(DOWNLOAD) == Allowed(Rule.HUB)
    for url in (
        "https://models.corp.test/x",
        "https://sub.models.corp.test:8443/",
        "https://corp.test:8443/",
    ):
        assert refused(mirrored.decide(to(url))) is Rule.HOST
    assert refused(mirrored.decide(to("http://models.corp.test:8443/x"))) is Rule.SCHEME


@pytest.mark.parametrize(
    ("mirror", "url", "allowed"),
    [
        (Mirror("http://127.0.0.1:8000", True), "http://127.0.0.1:8000/x", True),
        (Mirror("http://[::1]:8000", True), "http://[::1]:8000/x", True),
        (Mirror("http://localhost:8000", True), "http://localhost:8000/x", True),
        (Mirror("http://127.0.0.1:8000", False), "http://127.0.0.1:8000/x", False),
        (Mirror("http://192.0.2.7:8000", True), "http://192.0.2.7:8000/x", False),
        (Mirror("http://models.corp.test", True), "http://models.corp.test/x", False),
        (Mirror("http://localhost.evil.test:8000", True), "http://localhost.evil.test:8000/x", False),
        (Mirror("https://127.0.0.1:8000", True), "http://127.0.0.1:8000/x", False),
        (Mirror("ftp://127.0.0.1", True), "ftp://127.0.0.1/x", False),
        (Mirror("http://name@127.0.0.1:8000", True), "http://127.0.0.1:8000/x", False),
        (Mirror("http://127.0.0.1:99999", True), "http://127.0.0.1:99/x", False),
        (Mirror("//[", True), "http://127.0.0.1/x", False),
    ],
)
def test_plain_http_only_to_a_mirror_on_this_machine_that_says_so(
    mirror: Mirror, url: str, allowed: bool
) -> None:
    assert isinstance(gate(mirror=mirror).decide(to(url)), Allowed) is allowed


ADDRESS = Address("https", "api.acme.test", None, "/v1/chat")
CHAT = Outgoing(
    Purpose.CHAT,
    "POST",
    ADDRESS,
    10,
    True,
    provider="acme",
    model="m1",
    conversation="7",
    label=Label.MAY_LEAVE,
)


def test_a_conversation_goes_to_its_enabled_provider_and_nowhere_else() -> None:
    remote = gate(Position.REMOTE, endpoints=PROVIDER)
    assert remote.decide(CHAT) == Allowed(Rule.PROVIDER)
    assert refused(remote.decide(replace(CHAT, provider="other"))) is Rule.NO_PROVIDER
    assert refused(remote.decide(replace(CHAT, address=HUB))) is Rule.HOST
    assert refused(remote.decide(replace(CHAT, address=HUB, hop=1))) is Rule.REDIRECT
    assert refused(remote.decide(replace(CHAT, address=replace(ADDRESS, port=8443)))) is Rule.PORT
    assert refused(remote.decide(replace(CHAT, address=replace(ADDRESS, scheme="http")))) is Rule.SCHEME
    assert refused(remote.decide(replace(CHAT, purpose=Purpose.DOWNLOAD))) is Rule.HOST
    assert refused(gate(endpoints=PROVIDER).decide(CHAT)) is Rule.POSITION
    assert refused(gate(Position.REMOTE).decide(CHAT)) is Rule.NO_PROVIDER


def over_budget(provider: str, model: str) -> bool:
    return False


def broken_budget(provider: str, model: str) -> bool:
    raise OSError("no such ledger")


def test_what_is_wrong_is_found_in_the_promised_order() -> None:
    """Position, policy, provider, model, label, budget: the first one counts, whatever else is wrong."""
    model = {"acme": Endpoint("api.acme.test", models=frozenset({"m1"}))}
    wrong = replace(CHAT, provider="other", model="m2", label=Label.STAYS, address=HUB)
    shut = Policy(purposes_off=frozenset({Purpose.CHAT}))
    closed = gate(policy=shut, within_budget=over_budget)
    assert refused(closed.decide(wrong)) is Rule.POSITION
    closed = gate(Position.REMOTE, policy=shut, within_budget=over_budget)
    assert refused(closed.decide(wrong)) is Rule.POLICY
    open_gate = gate(Position.REMOTE, endpoints=model, within_budget=over_budget)
    assert refused(open_gate.decide(wrong)) is Rule.NO_PROVIDER
    wrong = replace(wrong, provider="acme")
    assert refused(open_gate.decide(wrong)) is Rule.MODEL
    wrong = replace(wrong, model="m1")
    assert refused(open_gate.decide(wrong)) is Rule.LABEL
    wrong = replace(wrong, label=Label.MAY_LEAVE)
    assert refused(open_gate.decide(wrong)) is Rule.BUDGET
    assert refused(gate(Position.REMOTE, endpoints=model).decide(wrong)) is Rule.HOST


@pytest.mark.parametrize("model", ["", "m" * 201, "m\n1", "m\x00"])
def test_a_conversation_goes_to_a_model_that_has_a_name(model: str) -> None:
    remote = gate(Position.REMOTE, endpoints=PROVIDER)
    assert refused(remote.decide(replace(CHAT, model=model))) is Rule.MODEL


def test_a_budget_that_can_not_be_asked_is_spent() -> None:
    remote = gate(Position.REMOTE, endpoints=PROVIDER, within_budget=broken_budget)
    assert isinstance(remote.decide(CHAT), Refused)
    unsure = gate(Position.REMOTE, endpoints=PROVIDER, within_budget=lambda provider, model: None)
    assert refused(unsure.decide(CHAT)) is Rule.BUDGET


def test_a_list_of_models_is_asked_for_without_a_conversation_or_a_body() -> None:
    remote = gate(Position.REMOTE, endpoints=PROVIDER, within_budget=over_budget)
    asked = Outgoing(Purpose.MODELS, "GET", ADDRESS, 0, True, provider="acme")
    assert remote.decide(asked) == Allowed(Rule.PROVIDER)
    assert refused(remote.decide(replace(asked, method="POST"))) is Rule.METHOD
    assert refused(remote.decide(replace(asked, body_bytes=1))) is Rule.BODY
    assert refused(remote.decide(replace(asked, provider="other"))) is Rule.NO_PROVIDER


@pytest.mark.parametrize(
    ("target", "allowed"),
    [
        ("/api/v1", True),
        ("/api/v1/chat?x=1", True),
        ("/api/v1/..", False),
        ("/api/v1/../admin", False),
        ("/api/v1/%2e%2E/admin", False),
        ("/api/v1/a%2f..%2fb", False),
        ("/api/v10/chat", False),
        ("/api", False),
        ("/admin", False),
    ],
)
def test_a_key_goes_below_the_address_of_its_provider_and_nowhere_beside_it(
    target: str, allowed: bool
) -> None:
    endpoints = {"acme": Endpoint("api.acme.test", path="/api/v1")}
    decision = gate(Position.REMOTE, endpoints=endpoints).decide(
        replace(CHAT, address=replace(ADDRESS, target=target))
    )
    assert isinstance(decision, Allowed) is allowed


def test_a_server_of_ones_own_is_reached_without_encryption_only_where_that_was_said() -> None:
    plain = {"acme": Endpoint("192.0.2.7", 8080, "http")}
    there = replace(CHAT, address=Address("http", "192.0.2.7", 8080, "/v1/chat"))
    assert gate(Position.REMOTE, endpoints=plain).decide(there) == Allowed(Rule.PROVIDER)
    tls = {"acme": Endpoint("192.0.2.7", 8080)}
    assert refused(gate(Position.REMOTE, endpoints=tls).decide(there)) is Rule.SCHEME


@pytest.mark.parametrize("purpose", [Purpose.UPDATE, Purpose.TOOL])
def test_a_purpose_without_a_list_of_hosts_reaches_nobody(purpose: Purpose) -> None:
    assert refused(gate(Position.REMOTE).decide(replace(DOWNLOAD, purpose=purpose))) is Rule.HOST


@pytest.mark.parametrize(
    "broken",
    [
        {"purpose": "post"},
        {"purpose": None},
        {"address": None},
        {"method": None},
        {"hop": "1"},
        {"hop": None},
    ],
)
def test_what_the_gate_cannot_understand_stays_in(broken: dict[str, object]) -> None:
    assert isinstance(gate().decide(replace(DOWNLOAD, **broken)), Refused)  # type: ignore[arg-type]


_PLAIN_PIECES = (
    "huggingface.co hf.co evil.test 127.0.0.1 [::1] @ : / ? # . %2e %00 %40 xn-- а 。 a:b 443 0x7f .. - _"
)
_PIECES = st.sampled_from([*_PLAIN_PIECES.split(), "\\", "\r\n", "\t", " ", "https://", "http://"])
_HOSTS = st.lists(_PIECES | st.text(max_size=4), max_size=8).map("".join)


@given(_HOSTS, st.sampled_from(["https", "http", "HTTPS", "file", ""]), st.integers(-1, 70_000) | st.none())
def test_no_host_outside_the_list_is_ever_allowed_however_it_is_written(
    host: str, scheme: str, port: int | None
) -> None:
    decision = gate().decide(Outgoing(Purpose.DOWNLOAD, "GET", Address(scheme, host, port, "/")))
    if isinstance(decision, Allowed):
        assert scheme == "https" and port in (None, 443)
        assert host.isascii() and host == host.lower() and is_plain_host(host)
        assert any(host == name or host.endswith("." + name) for name in HUB_HOSTS)


@given(st.sampled_from(["https://", "http://", "HtTpS:/", "https:", "//"]), _HOSTS, _HOSTS)
def test_no_url_leads_anywhere_else_however_it_is_put_together(scheme: str, host: str, rest: str) -> None:
    try:
        outgoing = to(scheme + host + rest)
    except (httpx.InvalidURL, UnicodeError, ValueError):
        return  # nothing that could be connected to
    decision = gate().decide(outgoing)
    if isinstance(decision, Allowed):
        address = outgoing.address
        assert address.scheme == "https" and address.port in (None, 443) and not address.userinfo
        assert address.host.split(".")[-2:] in (["huggingface", "co"], ["hf", "co"])
        assert not set(address.target) & set("\r\n\t \\#")


@given(st.text(max_size=30))
def test_nothing_invisible_stands_in_what_is_sent(target: str) -> None:
    decision = gate().decide(replace(DOWNLOAD, address=replace(HUB, target="/" + target)))
    visible = all("!" <= letter <= "~" and letter not in "\\#" for letter in target)
    assert isinstance(decision, Allowed) is visible
