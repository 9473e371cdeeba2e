"""The header of a whole model: of its one file, or of all files that it was split into."""

from __future__ import annotations

import os
import re
from dataclasses import replace

from models.gguf import Header, read_header
from models.runtime.faults import Fault, RuntimeFault

_FIRST = re.compile(r"(.*)-00001-of-([0-9]{5})\.gguf", re.IGNORECASE | re.DOTALL)
_MOST_PARTS = 1_000


def read_model(path: str) -> Header:
    """The header of a file and, where that is the first part of several, the tensors of them all.

    Raises `RuntimeFault` as `read_header`, and PART_MISSING (facts: parts, file).
    """
    header = read_header(path)
    count = header.number("split.count")
    match = _FIRST.fullmatch(os.path.basename(path))
    if match is None or not 1 < count <= _MOST_PARTS or int(match[2]) != count:
        return header
    folder = os.path.dirname(path)
    for number in range(2, count + 1):
        name = f"{match[1]}-{number:05}-of-{match[2]}.gguf"
        try:
            part = read_header(os.path.join(folder, name))
        except RuntimeFault as fault:
            missing = fault.fault is Fault.FILE_MISSING
            code = Fault.PART_MISSING if missing else fault.fault
            facts: dict[str, int | str] = {"parts": count, "file": os.path.basename(path)}
            raise RuntimeFault(code, fault.detail, {**fault.facts, **facts}) from fault
        tensors, size = (*header.tensors, *part.tensors), header.file_bytes + part.file_bytes
        header = replace(header, tensors=tensors, file_bytes=size)
    return header
