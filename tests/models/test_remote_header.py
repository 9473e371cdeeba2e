"""Whether a model fits is known before its download: from the first bytes of its file, and few of them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.gguf_files import write_model
from support.hub_server import HubServer, Misbehaviour
from support.plain_http import PlainHttp, plain_client

from models.gguf import NeedsMore, parse_header, read_header
from models.hub_faults import HubFault, HubKind
from models.hub_values import file_url
from models.ranges import content_range, strong
from models.remote_header import (
    MOST_BYTES,
    MOST_REQUESTS,
    HeaderTooLong,
    RemoteHeader,
    read_remote_header,
    read_remote_parts,
)
from models.runtime.faults import Fault, RuntimeFault

REPO = "ann/chat"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("remote") / "chat.gguf", words=20_000)


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as server:
        yield server


def remote(hub: HubServer, token: str | None = None) -> RemoteHeader:
    with plain_client() as client:
        return read_remote_header(PlainHttp(client), file_url(hub.url, REPO, "main", "chat.gguf"), token)


def test_a_remote_header_is_the_one_of_the_file(hub: HubServer, file: Path) -> None:
    hub.add(REPO, {"chat.gguf": file})
    read = remote(hub)
    assert read.header == read_header(str(file))
    assert read.requests == len(hub.log) <= MOST_REQUESTS
    assert read.read_bytes < file.stat().st_size // 4


def test_a_split_model_has_the_tensors_of_all_its_parts(hub: HubServer, tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "llama", split_max_tensors=2)
    for number in range(5):
        writer.add_tensor(f"blk.{number}.attn_k.weight", np.ones((8, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    files = sorted(tmp_path.glob("m-*.gguf"))
    hub.add(REPO, {file.name: file for file in files})
    with plain_client() as client:
        urls = [file_url(hub.url, REPO, "main", file.name) for file in files]
        read = read_remote_parts(PlainHttp(client), urls)
    assert len(files) == 3 and read.header.architecture == "llama"
    assert [tensor.name for tensor in read.header.tensors] == [f"blk.{n}.attn_k.weight" for n in range(5)]
    assert read.header.weight_bytes == 5 * 8 * 32 * 4


def test_a_hub_without_a_store_is_asked_once(file: Path) -> None:
    with HubServer(redirect=False) as hub:
        hub.add(REPO, {"chat.gguf": file})
        assert remote(hub).requests == len(hub.log) == 1


def test_a_hub_without_ranges_gives_the_same_header(hub: HubServer, file: Path) -> None:
    hub.add(REPO, {"chat.gguf": file})
    hub.misbehave("/store/", Misbehaviour(ignore_range=True))
    assert remote(hub).header == read_header(str(file))


def test_a_lost_connection_is_taken_up_where_it_ended() -> None:
    data = b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + _text(b"words") + struct.pack("<IIQ", 9, 8, 30_000)
    data += _text(b"some word") * 30_000
    with HubServer(redirect=False) as hub:
        hub.add(REPO, {"chat.gguf": data})
        hub.misbehave("/resolve/", Misbehaviour(cut_after=200_000))
        read = remote(hub)
        assert read.header.metadata.keys() == {"words"} and read.requests == 2
        assert int(hub.log[1].headers["range"].partition("=")[2].partition("-")[0]) > 0


def test_connections_that_are_always_lost_end_after_three_requests(hub: HubServer, file: Path) -> None:
    hub.add(REPO, {"chat.gguf": file})
    hub.misbehave("/store/", *[Misbehaviour(cut_after=1000)] * 5)
    with pytest.raises(HubFault) as caught:
        remote(hub)
    assert caught.value.kind is HubKind.UNREACHABLE and len(hub.log) == MOST_REQUESTS


def test_a_header_of_more_than_8_mb_ends_in_a_fault_that_has_its_start(hub: HubServer) -> None:
    words = 700_000
    entries = _text(b"general.architecture") + struct.pack("<I", 8) + _text(b"llama")
    entries += _text(b"tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, words) + _text(b"a word") * words
    hub.add(REPO, {"chat.gguf": b"GGUF" + struct.pack("<IQQ", 3, 0, 2) + entries})
    with pytest.raises(HeaderTooLong) as caught:
        remote(hub)
    assert caught.value.facts["read_bytes"] == MOST_BYTES
    assert caught.value.start.architecture == "llama"


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 0), Fault.DAMAGED),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 60), Fault.DAMAGED),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 60_000) + bytes(100), Fault.TRUNCATED),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1 << 63), Fault.DAMAGED),
        (b"GGUF" + struct.pack("<IQQ", 3, 2000, 0), Fault.TRUNCATED),
        (b"GGUF", Fault.TRUNCATED),
        (b"GG", Fault.NOT_GGUF),
        (b"<html>not found</html>", Fault.NOT_GGUF),
    ],
)
def test_a_header_that_lies_ends_in_a_fault(hub: HubServer, data: bytes, fault: Fault) -> None:
    hub.add(REPO, {"chat.gguf": data})
    with pytest.raises(RuntimeFault) as caught:
        remote(hub)
    assert caught.value.fault is fault


def test_lengths_beyond_the_file_are_known_as_lies_before_8_mb_are_read(hub: HubServer) -> None:
    word = struct.pack("<Q", 1 << 40)
    entries = _text(b"words") + struct.pack("<IIQ", 9, 8, 2) + word + word
    hub.add(REPO, {"chat.gguf": b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + entries + bytes(20 << 20)})
    with pytest.raises(RuntimeFault) as caught:
        remote(hub)
    assert caught.value.fault is Fault.TRUNCATED
    assert sum(one.sent for one in hub.log) < MOST_BYTES


def test_a_gated_file_is_read_with_a_token_that_the_store_never_sees(hub: HubServer, file: Path) -> None:
    hub.add(REPO, {"chat.gguf": file}, gated="auto")
    hub.tokens |= {"hf_a", "hf_b"}
    hub.accepted.add("hf_a")
    for token, kind in ((None, HubKind.GATED_NO_TOKEN), ("hf_b", HubKind.GATED_NOT_ACCEPTED)):
        with pytest.raises(HubFault) as caught:
            remote(hub, token)
        assert caught.value.kind is kind
    assert remote(hub, "hf_a").header.architecture == "llama"
    assert all("authorization" not in one.headers for one in hub.requests(server="store"))


def test_a_part_that_was_not_asked_for_is_a_bad_answer(hub: HubServer, file: Path) -> None:
    hub.add(REPO, {"chat.gguf": file})
    hub.misbehave(
        "/store/", Misbehaviour(status=206, headers={"Content-Range": "bytes 5-9/10"}, body=b"12345")
    )
    with pytest.raises(HubFault) as caught:
        remote(hub)
    assert caught.value.kind is HubKind.BAD_ANSWER


@given(st.binary(max_size=300))
def test_any_start_of_a_file_is_a_header_or_a_fault(data: bytes) -> None:
    for file_bytes in (len(data) + 4, 1 << 40):
        with suppress(NeedsMore, RuntimeFault):
            parse_header(b"GGUF" + data, file_bytes)


@given(st.text(max_size=60) | st.from_regex(r"bytes [0-9]{1,20}-[0-9]{1,20}/[0-9]{1,20}", fullmatch=True))
def test_any_content_range_is_a_part_within_the_file_or_none(value: str) -> None:
    part = content_range(value)
    assert part is None or 0 <= part.first <= part.last < part.size
    assert strong(value) == ""


def _text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value
