"""What people read when something went wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from desktop.store.faults import StoreFault, StoreFaultKind
from desktop.words.models import model_fault
from desktop.words.sentence import gigabytes
from desktop.words.store import store_fault
from models.runtime.faults import Fault

JARGON = re.compile(r"SIG|errno|traceback|exception|worker|process|null|None|0x", re.IGNORECASE)


@pytest.mark.parametrize("fault", list(Fault))
def test_every_model_fault_is_a_plain_sentence(fault: Fault) -> None:
    text = model_fault(fault, "detail", {}, "/models/some.gguf").text
    assert text[0].isupper() or text.startswith("some.gguf")
    assert text.endswith(".")
    assert not JARGON.search(text)
    assert "/models" not in text


@pytest.mark.parametrize("kind", list(StoreFaultKind))
def test_every_store_fault_says_what_it_means_for_the_conversations(kind: StoreFaultKind) -> None:
    text = store_fault(StoreFault(kind, Path("conversations.db"))).text
    assert text.endswith(".")
    assert not JARGON.search(text)


def test_memory_is_told_in_numbers() -> None:
    facts: dict[str, int | str] = {"need_bytes": 5_100_000_000, "free_bytes": 3_200_000_000}
    text = model_fault(Fault.NOT_ENOUGH_MEMORY, "", facts, "big.gguf").text
    assert "5.1 GB" in text
    assert "3.2 GB" in text


@pytest.mark.parametrize(("count", "text"), [(98_000_000, "98 MB"), (5_100_000_000, "5.1 GB"), ("?", "0 MB")])
def test_bytes_are_said_as_people_say_them(count: object, text: str) -> None:
    assert gigabytes(count) == text
