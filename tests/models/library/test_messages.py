"""What a scanner says is exactly a message, or it is refused: it has opened files from strangers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.codec import ProtocolError
from models.library.candidates import Candidate, Place, Unreadable
from models.library.entry import Kind, LibraryEntry, ModelFile, Openness, Source
from models.library.messages import (
    Command,
    Entering,
    Failed,
    Finished,
    Found,
    Hashed,
    Hashing,
    KnownModel,
    Looking,
    Reading,
    Ready,
    Remember,
    Report,
    Scan,
    Unchanged,
    Verify,
    decode_command,
    decode_report,
    encode,
)
from models.runtime.faults import Fault

PLACE = Place(Source.OLLAMA, "/o")
FILE = ModelFile("/m\udcff.gguf", 10**12, 1 << 60, "a" * 64)
CANDIDATE = Candidate(("/m\udcff.gguf",), PLACE, "/g", "name:tag", "name", ("a" * 64,), (2, 5))
ENTRY = LibraryEntry(
    (FILE,),
    "Name",
    Source.HUGGING_FACE,
    "/p",
    "/g",
    kinds=(Kind.CHAT, Kind.DRAFT),
    languages=("de",),
    openness=Openness.SEMI_OPEN,
    widths=(1, 2),
    last_used=1.5,
    problem=Fault.TRUNCATED,
    facts={"file_bytes": 5, "file": "x"},
)
COMMANDS: list[Command] = [Remember((KnownModel((FILE,)),)), Scan((PLACE,)), Verify((FILE, FILE))]
REPORTS: list[Report] = [
    Ready("locked", True),
    Entering(PLACE),
    Reading(CANDIDATE, (FILE,)),
    Found(ENTRY),
    Found(LibraryEntry((FILE,), "", Source.FILE, "", "")),
    Unchanged("/m"),
    Unreadable("/m", "EACCES"),
    Looking(5),
    Finished(5, 0),
    Hashing(1, 2),
    Hashed(FILE),
    Failed("/m", Fault.FILE_MISSING, "why"),
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


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(REPORTS), st.data())
def test_any_field_of_another_type_is_refused_or_harmless(report: Report, data: st.DataObject) -> None:
    record = through_json(report)
    target = record
    while True:  # down to any depth of the message
        name = data.draw(st.sampled_from(sorted(target)))
        if not isinstance(target[name], dict) or data.draw(st.booleans()) or not target[name]:
            break
        target = target[name]
    target[name] = data.draw(json_values)
    try:
        decoded = decode_report(record)
    except ProtocolError:
        return
    assert type(decoded).__name__ == record["kind"]


def test_a_command_is_no_report_and_a_report_no_command() -> None:
    with pytest.raises(ProtocolError):
        decode_report(through_json(COMMANDS[1]))
    with pytest.raises(ProtocolError):
        decode_command(through_json(REPORTS[0]))
