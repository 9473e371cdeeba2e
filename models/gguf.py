"""Reads the header of a GGUF file: what the model is, without loading it.

Format: ggml's docs/gguf.md (versions 2 and 3, either byte order). The file comes from a stranger, so nothing
in it is believed: every count and length is checked against a hard limit and against the end of the file,
long arrays are stepped over, and what is wrong is told as a `RuntimeFault`. Files are opened in the worker only;
the first bytes of a file that is still on a hub may be read elsewhere, because nothing but this reader sees them.
"""

from __future__ import annotations

import hashlib
import math
import mmap
import os
import re
import stat
import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from models.ggml_types import BLOCKS, FILE_TYPES
from models.gguf_tensors import Tensor as Tensor
from models.gguf_tensors import TooShort, read_tensors
from models.gguf_texts import Bytes, SeenLists, end_of_texts
from models.reading import read_per_token
from models.runtime.faults import Fault, RuntimeFault
from models.runtime.values import ModelCard

MAGIC = b"GGUF"

# Far above anything seen in a real file, low enough that reading to the limit takes less than a second.
_MAX_METADATA = 1 << 16
_MAX_TENSORS = 1 << 18
_MAX_NAME_BYTES = 1 << 16
_MAX_STRING_BYTES = 1 << 30
_MAX_KEPT_STRING = 1 << 20
_MAX_STRINGS = 1 << 22
_MAX_KEPT_STRINGS = 1 << 6
_MAX_NUMBERS = 1 << 28
_MAX_KEPT_NUMBERS = 1 << 12
_MAX_LAYERS = 1 << 12
_CARD_TEXT = 200

_STRING, _ARRAY = 8, 9
_SCALARS: dict[int, str] = {
    0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d",
}  # fmt: skip

_LAYOUTS = {order + code: struct.Struct(order + code) for order in "<>" for code in _SCALARS.values()}

Scalar = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Skipped:
    """An array too long to keep: only that it is there."""

    count: int


Value = Scalar | tuple[Scalar, ...] | Skipped


@dataclass(frozen=True, slots=True)
class Header:
    """A GGUF header that holds together. Texts in it are as the file has them: untrusted."""

    version: int
    big_endian: bool
    metadata: Mapping[str, Value]
    tensors: tuple[Tensor, ...]
    data_start: int
    file_bytes: int

    def text(self, key: str) -> str:
        """A string of the metadata; "" if absent or of another type."""
        value = self.metadata.get(key)
        return value if isinstance(value, str) else ""

    def number(self, key: str) -> int:
        """A whole number of the metadata; 0 if absent or of another type."""
        value = self.metadata.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else 0

    @property
    def architecture(self) -> str:
        return self.text("general.architecture")

    @property
    def vocabulary(self) -> int:
        """How many tokens the vocabulary has; 0 when the file has none."""
        tokens = self.metadata.get("tokenizer.ggml.tokens")
        if isinstance(tokens, Skipped):
            return tokens.count
        return len(tokens) if isinstance(tokens, tuple) else 0

    @property
    def weight_bytes(self) -> int:
        return sum(tensor.size for tensor in self.tensors)

    @property
    def parameters(self) -> int:
        """How many numbers the tensors hold."""
        return sum(math.prod(tensor.shape) for tensor in self.tensors)


class Incomplete(RuntimeFault):
    """TRUNCATED after a header that is whole: what the model is can be told, though its end is missing."""

    def __init__(self, header: Header, expected_bytes: int) -> None:
        facts: dict[str, int | str] = {"file_bytes": header.file_bytes, "expected_bytes": expected_bytes}
        super().__init__(Fault.TRUNCATED, f"{header.file_bytes} of {expected_bytes} bytes", facts)
        self.header = header


class NeedsMore(Exception):
    """The header goes on after the bytes at hand. `metadata`: what was read of it."""

    def __init__(self, metadata: Mapping[str, Value]) -> None:
        super().__init__("the header goes on")
        self.metadata = metadata


def read_header(path: str, seen: SeenLists | None = None) -> Header:
    """Read and check the header of a file. `seen` makes the next of many headers faster to read.

    Raises `RuntimeFault`: FILE_MISSING, FILE_UNREADABLE, NOT_GGUF, TRUNCATED (facts: file_bytes, and
    expected_bytes where the header says how long the file should be: then it is `Incomplete`) or DAMAGED.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError as error:
        raise RuntimeFault(Fault.FILE_MISSING, str(error)) from error
    except (OSError, ValueError) as error:
        raise RuntimeFault(Fault.FILE_UNREADABLE, str(error)) from error
    try:
        return _read(descriptor, seen)
    except OSError as error:
        raise RuntimeFault(Fault.FILE_UNREADABLE, str(error)) from error
    finally:
        os.close(descriptor)


def parse_header(view: Bytes, file_bytes: int, seen: SeenLists | None = None) -> Header:
    """Read and check a header from the first bytes of a file that is `file_bytes` long.

    Raises `NeedsMore` when the header goes on after these bytes and the file does too, else as `read_header`.
    """
    if file_bytes < len(MAGIC):
        raise RuntimeFault(Fault.NOT_GGUF, f"{file_bytes} bytes", {"file_bytes": file_bytes})
    if len(view) < len(MAGIC):
        raise NeedsMore({})
    if view[:4] != MAGIC:
        raise RuntimeFault(Fault.NOT_GGUF, f"starts with {view[:4]!r}")
    return _Reader(view, file_bytes, seen).header()


def card(header: Header, path: str) -> ModelCard:
    """What a person is told about the model. Its texts are cut and hold printable characters only."""
    architecture = header.architecture
    template = header.text("tokenizer.chat_template")
    return ModelCard(
        path=path,
        name=_clean(header.text("general.name")) or _clean(Path(path).stem),
        architecture=_clean(architecture),
        size_label=_clean(header.text("general.size_label")) or _size_label(header),
        quantization=_quantization(header),
        trained_context=max(0, header.number(f"{architecture}.context_length")),
        file_bytes=header.file_bytes,
        licence=_clean(header.text("general.license")),
        has_template=bool(template),
        template_sha256=hashlib.sha256(template.encode("utf-8", "surrogatepass")).hexdigest()
        if template
        else "",
        read_bytes=read_per_token(header),
    )


def _clean(text: str) -> str:
    """Without line breaks, control characters and marks that reorder text on the screen."""
    return "".join(character if character.isprintable() else " " for character in text)[:_CARD_TEXT].strip()


def _size_label(header: Header) -> str:
    for unit, letter in ((10**9, "B"), (10**6, "M")):
        if header.parameters >= unit:
            return f"{header.parameters / unit:.3g}{letter}"
    return ""


def _quantization(header: Header) -> str:
    named = (
        FILE_TYPES.get(header.number("general.file_type")) if "general.file_type" in header.metadata else None
    )
    if named is not None:
        return named
    sizes: Counter[int] = Counter()
    for tensor in header.tensors:
        sizes[tensor.type] += tensor.size
    commonest = sizes.most_common(1)
    return BLOCKS[commonest[0][0]][0] if commonest and commonest[0][0] in BLOCKS else ""


def _read(descriptor: int, seen: SeenLists | None) -> Header:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise RuntimeFault(Fault.FILE_UNREADABLE, "not an ordinary file")
    if status.st_size < len(MAGIC):
        raise RuntimeFault(Fault.NOT_GGUF, f"{status.st_size} bytes", {"file_bytes": status.st_size})
    with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as view:
        return parse_header(view, status.st_size, seen)


def _damaged(detail: str) -> RuntimeFault:
    return RuntimeFault(Fault.DAMAGED, detail)


class _Reader:
    """A place in the file that only moves forward."""

    def __init__(self, view: Bytes, file_bytes: int, seen: SeenLists | None) -> None:
        self._view = view
        self._seen = seen
        self._end = min(len(view), file_bytes)
        self._file_bytes = file_bytes
        self._metadata: dict[str, Value] = {}
        self._at = len(MAGIC)
        self._order = "<"

    def header(self) -> Header:
        version = self._version()
        tensor_count = self._count("Q", _MAX_TENSORS, "tensors")
        metadata_count = self._count("Q", _MAX_METADATA, "metadata entries")
        metadata = self._metadata
        for _ in range(metadata_count):
            key = self._string(_MAX_NAME_BYTES, "the name of an entry")
            if key in metadata:
                raise _damaged(f"the entry {key!r:.80} is there twice")
            metadata[key] = self._value(self._number("I"), key)
        alignment = self._alignment(metadata)
        tensors = self._tensors(tensor_count)
        start = -(-self._at // alignment) * alignment
        header = Header(version, self._order == ">", metadata, tensors, start, self._file_bytes)
        _check(header)
        return header

    def _version(self) -> int:
        raw = self._number("I")
        if raw & 0xFFFF == 0:  # 3 written by a machine of the other byte order
            self._order = ">"
            raw = int.from_bytes(raw.to_bytes(4, "little"), "big")
        if raw not in (2, 3):
            raise _damaged(f"GGUF version {raw}")
        return raw

    def _number(self, code: str) -> int:
        return int(self._scalar(code))

    def _scalar(self, code: str) -> int | float | bool:
        layout = _LAYOUTS[self._order + code]
        if layout.size > self._end - self._at:
            self._need(layout.size)
        value: int | float | bool = layout.unpack_from(self._view, self._at)[0]
        self._at += layout.size
        return value

    def _count(self, code: str, limit: int, what: str) -> int:
        count = self._number(code)
        if count > limit:
            raise _damaged(f"{count} {what}")
        return count

    def _need(self, size: int) -> None:
        if size > self._end - self._at:
            raise self._too_short(size, "the file ends inside its header")

    def _too_short(self, size: int, detail: str) -> Exception:
        """Whether the rest is still to come, or the file has no more."""
        if self._end < self._file_bytes and size <= self._file_bytes - self._at:
            return NeedsMore(self._metadata)
        return RuntimeFault(Fault.TRUNCATED, detail, {"file_bytes": self._file_bytes})

    def _string(self, limit: int, what: str) -> str:
        """A header has a hundred of them, so this asks for their bytes without a call for each number."""
        start = self._at + 8
        if start > self._end:
            self._need(8)
        (size,) = _LAYOUTS[self._order + "Q"].unpack_from(self._view, self._at)
        if size > limit:
            raise _damaged(f"{size} bytes in {what}")
        self._at = start
        if size > self._end - start:
            self._need(size)
        self._at = start + size
        return self._view[start : start + size].decode("utf-8", "replace")

    def _value(self, kind: int, key: str) -> Value:
        if kind == _STRING:
            return self._kept_string(key)
        if kind == _ARRAY:
            return self._array(key)
        code = _SCALARS.get(kind)
        if code is None:
            raise _damaged(f"the entry {key!r:.80} is of the unknown type {kind}")
        return self._scalar(code)

    def _kept_string(self, key: str) -> str:
        text = self._string(_MAX_STRING_BYTES, f"the entry {key!r:.80}")
        if len(text) > _MAX_KEPT_STRING:
            raise _damaged(f"the entry {key!r:.80} has {len(text)} characters")
        return text

    def _array(self, key: str) -> Value:
        kind = self._number("I")
        if kind == _STRING:
            return self._texts(key)
        code = _SCALARS.get(kind)
        if code is None:  # lists of lists are in the format, but llama.cpp refuses them and no model has one
            raise _damaged(f"the list {key!r:.80} is of the unknown type {kind}")
        count = self._count("Q", _MAX_NUMBERS, f"numbers in {key!r:.80}")
        size = count * struct.calcsize(self._order + code)
        self._need(size)
        place, self._at = self._at, self._at + size
        if count > _MAX_KEPT_NUMBERS:
            return Skipped(count)
        return struct.unpack_from(f"{self._order}{count}{code}", self._view, place)

    def _texts(self, key: str) -> Value:
        """A short list of short texts is kept: languages, tags. Others are stepped over."""
        count = self._count("Q", _MAX_STRINGS, f"texts in {key!r:.80}")
        self._need(8 * count)
        start = self._at
        end = end_of_texts(self._view, start, count, self._order, self._seen)
        if end > self._end:
            raise self._too_short(end - start, "the file ends inside a list of texts")
        self._at = end
        if count > _MAX_KEPT_STRINGS or self._at - start > _MAX_NAME_BYTES:
            return Skipped(count)
        self._at = start
        return tuple(self._string(_MAX_NAME_BYTES, f"a text of {key!r:.80}") for _ in range(count))

    def _alignment(self, metadata: Mapping[str, Value]) -> int:
        alignment = metadata.get("general.alignment", 32)
        if not isinstance(alignment, int) or not 1 <= alignment <= 1 << 20 or alignment & (alignment - 1):
            raise _damaged(f"alignment {alignment!r:.40}")
        return alignment

    def _tensors(self, count: int) -> tuple[Tensor, ...]:
        known = self._seen.tensors if self._seen is not None and self._order == "<" else {}
        try:
            tensors, self._at = read_tensors(self._view, self._at, self._end, count, self._order, known)
        except TooShort as short:
            self._at = short.at
            raise self._too_short(short.size, "the file ends inside its header") from None
        return tensors


def _check(header: Header) -> None:
    """What no header that holds together can say, and whether the file is as long as its tensors need."""
    layers = header.number(f"{header.architecture}.block_count")
    if layers > _MAX_LAYERS:
        raise _damaged(f"{layers} layers")
    if not header.architecture and header.tensors and not _needs_no_architecture(header):
        raise _damaged("the architecture is not named")
    if not header.tensors:
        return
    expected = header.data_start + max(tensor.offset + tensor.size for tensor in header.tensors)
    if expected <= header.file_bytes:
        return
    if expected > header.file_bytes + _MAX_MISSING:
        raise _damaged(f"a tensor at byte {expected}")
    raise Incomplete(header, expected)


def _needs_no_architecture(header: Header) -> bool:
    """The later parts of a split model name nothing but their number; an importance matrix is no model."""
    return header.number("split.no") > 0 or header.text("general.type") == "imatrix"


_MAX_MISSING = 1 << 44
"""More than 16 TB missing is not an interrupted download, it is a number that was damaged."""

_LAYER = re.compile(r"blk\.(\d+)\.(.+)")


def layer_tensors(header: Header) -> list[dict[str, Tensor]]:
    """The tensors of each layer by their name within it: "attn_k.weight", … . In the order of the layers."""
    layers: dict[int, dict[str, Tensor]] = {}
    for tensor in header.tensors:
        match = _LAYER.fullmatch(tensor.name)
        if match and len(match[1]) <= 6:
            layers.setdefault(int(match[1]), {})[match[2]] = tensor
    return [layers[number] for number in sorted(layers)]
