"""Models on a hub are found, shown and listed; a hub that lies, stalls or refuses ends in a fault that says so.

The hub is a real server on loopback, asked by the real huggingface_hub client.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.hub_server import HubServer, Misbehaviour
from support.plain_http import plain_client

from models import hub as hubs
from models.file_names import NameProblem, file_problem, repository_problem
from models.http import HttpFault, Refused, open_following, redirect_target
from models.hub_faults import HubFault, HubKind, retry_after
from models.hub_values import Gate, Query, Sort

TOKEN = "hf_" + "S3cret" * 5


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as server:
        hubs.use_client(plain_client)
        yield server


def fault_of(call: object) -> HubFault:
    assert callable(call)
    with pytest.raises(HubFault) as caught:
        call()
    return caught.value


# ---- search and pages


def test_models_are_found_by_words_task_licence_and_author_in_the_order_asked_for(hub: HubServer) -> None:
    hub.add("ann/small-chat", {}, downloads=5, likes=9, updated="2026-03-01T00:00:00.000Z")
    hub.add("ann/large-chat", {}, downloads=50, likes=1, licence="mit")
    hub.add("bob/embed", {}, downloads=500, task="feature-extraction")

    def names(query: Query) -> list[str]:
        return [found.repo for found in hubs.search(hub.url, query)]

    assert names(Query()) == ["bob/embed", "ann/large-chat", "ann/small-chat"]
    assert names(Query(text="chat", sort=Sort.LIKES)) == ["ann/small-chat", "ann/large-chat"]
    assert names(Query(text="chat", sort=Sort.UPDATED)) == ["ann/small-chat", "ann/large-chat"]
    assert names(Query(licence="mit")) == ["ann/large-chat"]
    assert names(Query(author="bob")) == ["bob/embed"]
    assert names(Query(task="feature-extraction")) == ["bob/embed"]
    assert names(Query(limit=1)) == ["bob/embed"]


def test_a_search_asks_once_for_as_many_as_are_shown(hub: HubServer) -> None:
    for number in range(150):
        hub.add(f"ann/model-{number}", {})
    assert len(hubs.search(hub.url, Query(limit=10**6))) == 100
    assert len(hub.requests("/api/models")) == 1


def test_a_page_has_the_card_without_its_metadata_the_licence_and_the_revision(hub: HubServer) -> None:
    added = hub.add(
        "ann/chat", {}, card="---\nlicense: mit\n---\n# Chat\n\n<script>x</script>", gated="manual"
    )
    hub.accepted.add(TOKEN)
    hub.tokens.add(TOKEN)
    page = hubs.page(hub.url, "ann/chat", token=TOKEN)
    assert (page.card, page.card_cut) == ("# Chat\n\n<script>x</script>", False)
    assert page.sha == added.sha
    assert page.found.licence == "apache-2.0" and page.found.gate is Gate.MANUAL


def test_the_page_of_a_gated_model_is_shown_to_somebody_without_a_token(hub: HubServer) -> None:
    hub.add("ann/gated", {}, gated="auto")
    page = hubs.page(hub.url, "ann/gated")
    assert page.found.gate is Gate.AUTOMATIC and page.card == ""


def test_an_endless_card_is_cut(hub: HubServer) -> None:
    hub.add("ann/wordy", {}, card="word " * 200_000)
    page = hubs.page(hub.url, "ann/wordy")
    assert page.card_cut and len(page.card) == 200_000


# ---- files


def test_files_are_listed_with_size_and_hash_and_parts_of_one_model_together(hub: HubServer) -> None:
    names = [
        "Big-Q8_0-00002-of-00002.gguf", "Big-Q8_0-00001-of-00002.gguf", "chat-Q4_K_M.gguf", "mmproj-chat-f16.gguf",
        "half/Half-IQ2_XXS-00001-of-00003.gguf", "README.md", "weights.safetensors",
    ]  # fmt: skip
    added = hub.add("ann/many", {name: name.encode() for name in names})
    listing = hubs.files(hub.url, "ann/many", added.sha)
    models = {model.name: model for model in listing.models}
    assert set(models) == {"Big-Q8_0", "chat-Q4_K_M", "mmproj-chat-f16", "Half-IQ2_XXS"}
    assert [file.path for file in models["Big-Q8_0"].files] == sorted(names[:2])
    assert models["Big-Q8_0"].complete and not models["Half-IQ2_XXS"].complete
    assert models["mmproj-chat-f16"].projector and not models["chat-Q4_K_M"].projector
    assert [models[name].quantization for name in sorted(models)] == ["Q8_0", "IQ2_XXS", "Q4_K_M", "F16"]
    (file,) = models["chat-Q4_K_M"].files
    assert (file.size, file.sha256) == (16, added.files["chat-Q4_K_M.gguf"].sha256)
    assert listing.whole and listing.seen_files == len(names)


def test_a_repository_of_two_hundred_thousand_files_ends_after_twenty_pages(hub: HubServer) -> None:
    added = hub.add("ann/huge", {"a.gguf": b"x"}, filler=200_000)
    listing = hubs.files(hub.url, "ann/huge", added.sha)
    assert not listing.whole and listing.seen_files == 20_000
    assert [model.name for model in listing.models] == ["a"]
    assert len(hub.requests("/tree/")) <= 21


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("../../.bashrc.gguf", NameProblem.TRAVERSAL),
        ("a/../../b.gguf", NameProblem.TRAVERSAL),
        ("..\\..\\b.gguf", NameProblem.TRAVERSAL),
        ("/etc/cron.d/x.gguf", NameProblem.ABSOLUTE),
        ("\\\\host\\share\\x.gguf", NameProblem.ABSOLUTE),
        ("C:/x.gguf", NameProblem.ABSOLUTE),
        ("nul\x00.gguf", NameProblem.CONTROL),
        ("line\nbreak.gguf", NameProblem.CONTROL),
        ("con.gguf", NameProblem.RESERVED),
        ("COM1.model.gguf", NameProblem.RESERVED),
        ("ab:c.gguf", NameProblem.RESERVED),
        ("x/ /y.gguf", NameProblem.TRAVERSAL),
        ("fdp\u202eexe.gguf", NameProblem.INVISIBLE),
        ("a\u200bb.gguf", NameProblem.INVISIBLE),
        ("a//b.gguf", NameProblem.EMPTY),
        ("x" * 300 + ".gguf", NameProblem.TOO_LONG),
        ("d/" * 20 + "x.gguf", NameProblem.TOO_LONG),
    ],
)
def test_a_malicious_name_is_never_offered_and_the_rest_of_the_repository_is(
    hub: HubServer, name: str, problem: NameProblem
) -> None:
    added = hub.add("ann/trap", {name: b"trap", "good.gguf": b"good"})
    listing = hubs.files(hub.url, "ann/trap", added.sha)
    assert [model.name for model in listing.models] == ["good"]
    assert [refused.problem for refused in listing.refused] == [problem]
    assert listing.refused[0].shown.isprintable()


@given(st.text(max_size=40), st.text(alphabet="./\\:\x00 a\u202econ", max_size=20))
def test_a_name_that_is_taken_stays_below_its_folder(free: str, nasty: str) -> None:
    folder = Path("/a/b").absolute()
    for name in (free, nasty, f"{nasty}/{free}"):
        if file_problem(name) is None:
            place = Path(os.path.normpath(folder / name))
            assert place != folder and place.is_relative_to(folder) and "\x00" not in name


@pytest.mark.parametrize(
    "repo", ["", "a", "a/b/c", "../b", "a/..", "a/b--c", "a/b.git", "a b/c", "a/\u202eb", "CON/x"]
)
def test_what_is_no_repository_is_not_asked_for(hub: HubServer, repo: str) -> None:
    assert repository_problem(repo) is not None
    assert fault_of(lambda: hubs.page(hub.url, repo)).kind is HubKind.BAD_NAME
    assert not hub.log


# ---- refusals and bad days


def test_each_refusal_of_a_hub_is_told_apart(hub: HubServer) -> None:
    hub.add("ann/open", {"a.gguf": b"a"})
    hub.add("ann/private", {}, private=True)
    hub.tokens.add(TOKEN)

    def kind(repo: str, token: str | None = None) -> HubKind:
        return fault_of(lambda: hubs.page(hub.url, repo, token=token)).kind

    assert kind("ann/none") is HubKind.NOT_FOUND
    assert kind("ann/private") is HubKind.NOT_FOUND
    assert kind("ann/open", "hf_unknown") is HubKind.TOKEN_WRONG
    assert kind("ann/open", "with a\nline break") is HubKind.TOKEN_WRONG
    hub.misbehave("/api/", Misbehaviour(status=403, headers={"X-Error-Code": "GatedRepo"}))
    assert kind("ann/open", TOKEN) is HubKind.GATED_NOT_ACCEPTED
    hub.misbehave("/api/", Misbehaviour(status=401, headers={"X-Error-Code": "GatedRepo"}))
    assert kind("ann/open") is HubKind.GATED_NO_TOKEN
    hub.misbehave("/api/", Misbehaviour(status=403))
    assert kind("ann/open", TOKEN) is HubKind.FORBIDDEN
    assert fault_of(lambda: hubs.files(hub.url, "ann/open", "no/../rev")).kind is HubKind.BAD_NAME


def test_a_hub_that_has_enough_of_us_says_for_how_long(hub: HubServer) -> None:
    hub.add("ann/open", {})
    hub.misbehave("/api/", Misbehaviour(status=429, headers={"Retry-After": "17"}))
    fault = fault_of(lambda: hubs.page(hub.url, "ann/open"))
    assert fault.kind is HubKind.RATE_LIMITED and fault.facts["retry_after"] == 17
    hub.misbehave("/api/", Misbehaviour(status=503))
    assert fault_of(lambda: hubs.page(hub.url, "ann/open")).facts["status"] == 503


def test_a_hub_that_fails_between_two_pages_is_not_waited_for(hub: HubServer) -> None:
    added = hub.add("ann/huge", {}, filler=3000)
    hub.misbehave("cursor=1000", Misbehaviour(status=429, headers={"RateLimit": '"api";r=0;t=86000'}))
    fault = fault_of(lambda: hubs.files(hub.url, "ann/huge", added.sha))
    assert fault.kind is HubKind.RATE_LIMITED and fault.facts["retry_after"] == 86_000


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<html>", b"[]", b"null", b'{"id": 5}', b'{"id": "ann/open"}', b"[" * 100_000, b'{"id": "ann/other"}',
        b'{"id": "ann/open", "sha": "../../x"}', b'{"id":"ann/open","inferenceProviderMapping":7}', b"\xff\xfe",
        b'{"id": "ann/open", "lastModified": "yesterday"}',
    ],
)  # fmt: skip
def test_an_answer_that_is_not_the_hubs_is_a_fault(hub: HubServer, body: bytes) -> None:
    hub.add("ann/open", {})
    hub.misbehave("/api/", Misbehaviour(body=body))
    assert fault_of(lambda: hubs.page(hub.url, "ann/open")).kind is HubKind.BAD_ANSWER


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=8), lambda inner: st.lists(
    inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "sha", "tags", "gated", "lfs", "path", "size", "type",
    "oid", "lastModified", "downloads", "cardData"]), inner, max_size=6), max_leaves=12))  # fmt: skip
def test_any_json_is_an_answer_or_a_fault(value: object) -> None:
    hub = _shared_hub()
    hub.misbehave(
        "/api/", Misbehaviour(body=json.dumps([value] if isinstance(value, dict) else value).encode())
    )
    with suppress(HubFault):
        hubs.files(hub.url, "ann/open", "main")
    hub.misbehave("/api/", Misbehaviour(body=json.dumps(value).encode()))
    with suppress(HubFault):
        hubs.search(hub.url, Query())


_shared: list[HubServer] = []


def _shared_hub() -> HubServer:
    if not _shared:
        _shared.append(HubServer().__enter__())
        _shared[0].add("ann/open", {})
        hubs.use_client(plain_client)
    return _shared[0]


@pytest.fixture(scope="module", autouse=True)
def _close_shared() -> Iterator[None]:
    yield
    while _shared:
        _shared.pop().__exit__()


def test_an_answer_larger_than_any_real_one_is_not_read_to_its_end(hub: HubServer) -> None:
    hub.add("ann/open", {})
    hub.misbehave("/api/", Misbehaviour(body=b" " * (40 << 20)))
    assert fault_of(lambda: hubs.page(hub.url, "ann/open")).kind is HubKind.BAD_ANSWER


def test_a_hub_that_is_not_there_or_cuts_the_line_is_unreachable(hub: HubServer) -> None:
    hub.add("ann/open", {})
    hub.misbehave("/api/", Misbehaviour(cut_after=10))
    assert fault_of(lambda: hubs.page(hub.url, "ann/open")).kind is HubKind.UNREACHABLE
    with HubServer() as gone:
        address = gone.url
    assert fault_of(lambda: hubs.page(address, "ann/open")).kind is HubKind.UNREACHABLE
    assert fault_of(lambda: hubs.page("http://[bad", "ann/open")).kind is HubKind.UNREACHABLE


def test_a_hub_without_a_certificate_this_machine_trusts_is_told_as_that(hub: HubServer) -> None:
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # no certificate at all: every handshake fails
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=True)
    server.timeout = 5
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    address = f"https://127.0.0.1:{server.server_port}"
    assert fault_of(lambda: hubs.page(address, "ann/open")).kind is HubKind.TLS
    thread.join()
    server.server_close()


def test_what_the_gate_refuses_is_told_as_that() -> None:
    class Gate(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            raise Refused("offline", request.url.host)

    hubs.use_client(lambda: httpx.Client(transport=Gate()))
    fault = fault_of(lambda: hubs.page("http://127.0.0.1:9", "ann/open"))
    assert fault.kind is HubKind.REFUSED_BY_GATE
    assert fault.facts == {"reason": "offline", "host": "127.0.0.1"}


# ---- secrets and what the library would do by itself


def test_a_token_goes_to_its_hub_only_and_is_in_no_fault(hub: HubServer) -> None:
    added = hub.add("ann/huge", {}, filler=3000)
    hub.tokens.add(TOKEN)
    with HubServer() as stranger:
        hub.next_page_at = stranger.url
        fault = fault_of(lambda: hubs.files(hub.url, "ann/huge", added.sha, token=TOKEN))
        assert fault.kind is HubKind.BAD_ANSWER and not stranger.log
        hub.misbehave(
            "/api/", Misbehaviour(status=302, headers={"Location": f"{stranger.url}/api/models/ann/x"})
        )
        fault = fault_of(lambda: hubs.page(hub.url, "ann/huge", token=TOKEN))
        assert "authorization" not in stranger.log[0].headers
    assert hub.log[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert TOKEN not in repr(fault) + str(fault) + repr(fault.facts)


def test_a_token_with_a_line_break_is_quoted_nowhere(hub: HubServer) -> None:
    fault = fault_of(lambda: hubs.search(hub.url, Query(), token=TOKEN + "\nX-Other: 1"))
    assert fault.kind is HubKind.TOKEN_WRONG and TOKEN not in str(fault) and not hub.log


def test_requests_name_neither_versions_nor_other_programs(hub: HubServer) -> None:
    hub.add("ann/open", {})
    hubs.page(hub.url, "ann/open")
    assert {request.headers["user-agent"] for request in hub.log} == {"alcove"}
    assert all("x-amzn-trace-id" not in request.headers for request in hub.log)


def test_tokens_of_other_programs_are_not_used_and_no_file_is_written(hub: HubServer, tmp_path: Path) -> None:
    hub.add("ann/open", {"a.gguf": b"a"})
    home = tmp_path / "home"
    home.mkdir()
    (home / "token").write_text(TOKEN, encoding="utf-8")
    script = (
        "import sys; from support.plain_http import plain_client; from models import hub\n"
        "hub.use_client(plain_client); page = hub.page(sys.argv[1], 'ann/open')\n"
        "hub.files(sys.argv[1], 'ann/open', page.sha)"
    )
    environment = {
        **os.environ, "HF_TOKEN": TOKEN, "HF_HOME": str(home), "HF_DEBUG": "1", "HF_HUB_USER_AGENT_ORIGIN": "me",
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", script, hub.url], env=environment, capture_output=True, text=True, check=True
    )
    assert all("authorization" not in request.headers for request in hub.log)
    assert [file.name for file in home.rglob("*")] == ["token"]
    assert done.stdout == done.stderr == ""


def test_a_redirect_leads_neither_to_a_file_nor_out_of_encryption(hub: HubServer) -> None:
    for location in (
        "",
        "file:///etc/passwd",
        "http://host/x",
        "https://host:99999/",
        "https://[",
        "javascript:1",
    ):
        with pytest.raises(HttpFault):
            redirect_target("https://hub.example/a", location)
    assert redirect_target("https://hub.example/a", "/b") == "https://hub.example/b"


def test_redirects_without_end_are_a_fault(hub: HubServer) -> None:
    from support.plain_http import PlainHttp

    hub.misbehave("/loop", *[Misbehaviour(status=302, headers={"Location": "/loop"})] * 20)
    with (
        plain_client() as client,
        pytest.raises(HttpFault),
        open_following(PlainHttp(client), "GET", f"{hub.url}/loop", {}),
    ):
        pass
    assert len(hub.log) == 6


@given(st.text(max_size=20) | st.from_regex(r"[0-9]{1,30}", fullmatch=True))
def test_any_retry_after_is_a_day_at_most_or_nothing(value: str) -> None:
    for header in ("retry-after", "ratelimit"):
        seconds = retry_after({header: value})
        assert seconds is None or 0 <= seconds <= 86_400


def test_a_date_to_retry_after_becomes_seconds() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert retry_after({"retry-after": "Thu, 01 Jan 2026 00:00:30 GMT"}, now) == 30
    assert retry_after({"retry-after": "Wed, 31 Dec 2025 00:00:30 GMT"}, now) == 0
