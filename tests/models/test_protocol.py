"""A record is exactly a message of the protocol, or it is refused: the other side has opened a stranger's file."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.runtime.faults import Fault, StopReason
from models.runtime.protocol import (
    Cancel,
    Command,
    Completed,
    Failed,
    Generate,
    Gpus,
    Inspect,
    Inspected,
    Load,
    Loaded,
    LoadProgress,
    LookForGpus,
    Piece,
    PromptProgress,
    ProtocolError,
    Ready,
    Report,
    Stage,
    decode_command,
    decode_report,
    encode,
)
from models.runtime.values import Gpu, LoadOptions, ModelCard, Placement, Sampling, Turn

CARD = ModelCard("/m.gguf", "M", "llama", "1B", "Q4_1", 8192, 10**9, "mit", True, "0" * 64)
PLACE = Placement("CPU", False, 0, 30, "No supported GPU was found.", 1, 2, 8192)
COMMANDS: list[Command] = [
    Inspect("/m.gguf"),
    Load("/m.gguf", LoadOptions(threads=2)),
    Generate((Turn("user", "ü\ud800\u2028"),), Sampling(seed=3), None),
    Generate((), Sampling(), 5),
    LookForGpus(),
    Cancel(),
]
REPORTS: list[Report] = [
    Ready("0.5", "locked", True),
    Inspected(CARD),
    Gpus((Gpu("A card", 5, 6),)),
    Stage("header"),
    Stage("context", 12.5),
    LoadProgress(0.25),
    Loaded(CARD, PLACE, 105.5),
    PromptProgress(512, 1000, 0),
    Piece("text"),
    Piece("hm", reasoning=True),
    Completed(StopReason.CONTEXT_FULL, 1, 2, 3, 4, 1.5, 2.5, 3.5, 6),
    Failed(Fault.DAMAGED, "why", {"bytes": 5, "name": "x"}),
]


def through_json(message: Command | Report) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(json.dumps(encode(message)))
    return record


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_arrives_as_it_was_sent(command: Command) -> None:
    assert decode_command(through_json(command)) == command


@pytest.mark.parametrize("report", REPORTS)
def test_every_report_arrives_as_it_was_sent(report: Report) -> None:
    assert decode_report(through_json(report)) == report


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"kind": "Piece"},
        {"kind": "Piece", "text": "a"},
        {"kind": "Piece", "text": "a", "reasoning": 1},
        {"kind": "Piece", "text": None, "reasoning": False},
        {"kind": "Piece", "text": "a", "reasoning": False, "more": 1},
        {"kind": "Cancel"},
        {"kind": "LoadProgress", "fraction": "0.5"},
        {"kind": "LoadProgress", "fraction": float("nan")},
        {"kind": "LoadProgress", "fraction": 10**400},
        {"kind": "PromptProgress", "done": True, "total": 1, "reused": 0},
        {"kind": "PromptProgress", "done": 2**80, "total": 1, "reused": 0},
        {"kind": "Failed", "fault": "no_such", "detail": "", "facts": {}},
        {"kind": "Failed", "fault": "damaged", "detail": "", "facts": {"a": [1]}},
        {"kind": ["Piece"]},
    ],
)
def test_what_does_not_fit_exactly_is_refused(record: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        decode_report(record)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(REPORTS), st.data())
def test_any_field_of_another_type_is_refused_or_harmless(report: Report, data: st.DataObject) -> None:
    record = through_json(report)
    name = data.draw(st.sampled_from(sorted(record)))
    record[name] = data.draw(json_values)
    try:
        decoded = decode_report(record)
    except ProtocolError:
        return
    assert type(decoded).__name__ == record["kind"]
