"""What went wrong, from what llama.cpp wrote about it. It has no error codes, only lines of a log.

The wordings are those of llama.cpp in llama-cpp-python 0.3.36 (llama-model.cpp, llama-model-loader.cpp,
ggml). A line this file does not know makes the file "damaged", with the line in the details.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from models.gguf import Header
from models.runtime.faults import Fault, RuntimeFault

_DETAIL = 500
_KEPT_LINES = 3

_OTHER_PROGRAM = re.compile(r"(?:unknown|unsupported) model architecture: '(.*?)'")
_UNKNOWN_PARTS = (
    "unknown pre-tokenizer type",
    "unknown tokenizer",
    "model and host endianness",
    "this GGUF file is version",
)
_NO_MEMORY = (
    "unable to allocate",
    "failed to allocate",
    "out of memory",
    "OutOfDeviceMemory",
    "bad_alloc",
    "alloc_tensor_range",
    "insufficient memory",
    "failed to reserve",
)
_OPTIONS = ("requires flash_attn", "requires Flash Attention", "V cache quantization")
_NO_FILE = ("failed to open", "failed to load GGUF split", "mmap failed", "read error")


def load_fault(lines: Sequence[str], architecture: str, cancelled: bool) -> RuntimeFault:
    """Why a model or its context could not be made. Facts: architecture, where that is why."""
    if cancelled:
        return RuntimeFault(Fault.LOAD_CANCELLED)
    detail = "\n".join([line for line in lines if _tells_something(line)][-_KEPT_LINES:])[-_DETAIL:]
    text = "\n".join(lines)
    if (unknown := _OTHER_PROGRAM.search(text)) is not None:
        return RuntimeFault(Fault.UNSUPPORTED_ARCHITECTURE, detail, {"architecture": unknown[1][:60]})
    if any(part in text for part in _UNKNOWN_PARTS):
        return RuntimeFault(Fault.UNSUPPORTED_ARCHITECTURE, detail, {"architecture": architecture[:60]})
    if any(part in text for part in _NO_MEMORY):
        return RuntimeFault(Fault.NOT_ENOUGH_MEMORY, detail)
    if any(part in text for part in _OPTIONS):
        return RuntimeFault(Fault.OPTIONS_DO_NOT_FIT, detail)
    if any(part in text for part in _NO_FILE):
        return RuntimeFault(Fault.FILE_UNREADABLE, detail)
    return RuntimeFault(Fault.DAMAGED, detail)


def chat_fault(header: Header) -> RuntimeFault | None:
    """Why a file that may be whole is nothing to chat with, as far as its header tells. Facts: architecture.

    Projectors, adapters and the like say what they are; embedding models say how they pool; encoders that
    they look both ways; base models have no template.
    """
    architecture = header.architecture
    facts: dict[str, int | str] = {"architecture": architecture[:60]}
    kind = header.text("general.type") or "model"
    pools = header.number(f"{architecture}.pooling_type") > 0
    encodes = header.metadata.get(f"{architecture}.attention.causal") is False
    if kind != "model" or architecture == "clip" or pools or encodes or header.vocabulary == 0:
        return RuntimeFault(Fault.NOT_A_CHAT_MODEL, f"general.type is {kind[:60]!r}", facts)
    if not header.text("tokenizer.chat_template").strip():
        return RuntimeFault(Fault.NO_TEMPLATE, facts=facts)
    return None


def _tells_something(line: str) -> bool:
    return "error" in line or "fail" in line or "unable" in line or "invalid" in line or "missing" in line
