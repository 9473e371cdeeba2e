"""Images for models that see: llama.cpp's mtmd, as this program uses it. Beside `llama.py`, it alone knows the binding.

A projector (an "mmproj" file) turns an image into rows that the model reads in place of tokens. mtmd.h and
mtmd-helper.h of llama-cpp-python 0.3.36. Its decoders (stb_image) see a stranger's bytes, so this runs in the
locked worker only, after `picture.size_of` has looked at them.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from models.runtime import llama
from models.runtime.faults import Fault, RuntimeFault
from models.runtime.picture import size_of
from models.runtime.values import Image

os.environ.pop("MTMD_CPP_LIB", None)  # a variable that can name a library to load

try:
    from llama_cpp import mtmd_cpp as M
except (FileNotFoundError, OSError, RuntimeError) as error:
    raise ImportError("llama.cpp was built without mtmd") from error

_TEXT, _IMAGE = M.MTMD_INPUT_CHUNK_TYPE_TEXT, M.MTMD_INPUT_CHUNK_TYPE_IMAGE
_OPERATIONS_AT_ONCE = 16
"""Of an image, between two looks at whether it is still wanted. A layer has some 20."""


@dataclass(frozen=True, slots=True)
class Rows:
    """A stretch of a prompt that an image takes: `cells` in the KV cache, at `positions` positions.

    They differ in models that count positions in several dimensions. `stands_for` is a negative number that no other
    image, and no other part of this one, has: it stands in the list of tokens once for each position.
    """

    stands_for: int
    positions: int
    cells: int


Part = tuple[int, ...] | Rows
"""What an image becomes: ordinary tokens around it ("<|vision_start|>"), and its rows, maybe in several parts."""


class Projector:
    """One mmproj file, loaded for one model and its context. Belongs to them and is closed before them."""

    def __init__(
        self,
        path: str,
        model: llama.Model,
        context: llama.Context,
        log: llama.Log,
        on_gpu: bool,
        threads: int,
    ) -> None:
        """Load it. Raises `llama.LoadRefused` when it is damaged or belongs to another model: see the log."""
        M.mtmd_helper_log_set(log.callback, ctypes.c_void_p(0))
        parameters = M.mtmd_context_params_default()
        parameters.use_gpu = on_gpu
        parameters.print_timings = False
        parameters.n_threads = threads
        # Warming up would take the memory of the largest image before anybody has shown one.
        parameters.warmup = False
        self._operations = 0
        # Asked before and after operations of the graph (ggml-backend.h): the only way to stop one under way.
        self._watch = llama.C.ggml_backend_sched_eval_callback(self._go_on)  # type: ignore[attr-defined]
        parameters.cb_eval = self._watch
        self._context = context
        self._pointer = M.mtmd_init_from_file(os.fsencode(path), model.pointer, parameters)
        self._at_hand: tuple[str, Any] | None = None  # the decoded parts of the newest image
        if not self._pointer:
            raise llama.LoadRefused
        self.sees: bool = M.mtmd_support_vision(self._pointer)

    def layout(self, image: Image) -> tuple[Part, ...]:
        """What an image takes in a prompt; only its size is looked at. Raises `RuntimeFault` as `size_of` does."""
        width, height = size_of(image.data)
        bitmap = M.mtmd_bitmap_init(width, height, None)  # a placeholder, for counting
        with self._tokenized(bitmap) as chunks:
            count = M.mtmd_input_chunks_size(chunks)
            return tuple(
                self._part(M.mtmd_input_chunks_get(chunks, index), image, index) for index in range(count)
            )

    def read(self, image: Image, number: int, position: int) -> llama.Decoded:
        """Put the rows of one part into the cache. `number`: of the part in `layout`.

        INTERRUPTED: nothing of it is to be relied on. Raises `RuntimeFault` IMAGE_UNREADABLE.
        """
        chunk = M.mtmd_input_chunks_get(self._decoded(image), number)
        cells = M.mtmd_input_chunk_get_n_tokens(chunk)
        if cells > self._context.batch_tokens and M.mtmd_decode_use_non_causal(self._pointer, chunk):
            raise RuntimeFault(Fault.GENERATION_FAILED, f"an image of {cells} tokens in one batch")
        if M.mtmd_encode_chunk(self._pointer, chunk) != 0:
            raise RuntimeFault(Fault.GENERATION_FAILED, "the image could not be computed")
        if self._context.interrupt.is_set:  # then the rows are half computed, and llama.cpp does not say so
            return llama.Decoded.INTERRUPTED
        after = ctypes.c_int32(0)  # llama_pos
        status = M.mtmd_helper_decode_image_chunk(
            *(self._pointer, self._context.pointer, chunk, M.mtmd_get_output_embd(self._pointer)),
            *(position, 0, self._context.batch_tokens, ctypes.byref(after)),
            *(M.mtmd_helper_post_decode_callback(0), None),
        )
        if status == 0:
            self._context.continue_at(after.value)
        return llama.status_of(status)

    def close(self) -> None:
        self._forget()
        M.mtmd_free(self._pointer)

    def _go_on(self, _: object, ask: bool, __: object) -> bool:
        """`ask`: whether to be called again after this operation. After it: False to stop."""
        if ask:
            self._operations += 1
            return self._operations % _OPERATIONS_AT_ONCE == 0
        return not self._context.interrupt.is_set

    def _part(self, chunk: Any, image: Image, index: int) -> Part:
        if M.mtmd_input_chunk_get_type(chunk) == _TEXT:
            count = ctypes.c_size_t()
            tokens = M.mtmd_input_chunk_get_tokens_text(chunk, ctypes.byref(count))
            return tuple(tokens[: count.value])
        digest = hashlib.sha256(f"{image.sha256} {index}".encode()).digest()
        return Rows(
            stands_for=-1 - (int.from_bytes(digest[:7]) & ~(0xFF << 48)),
            positions=M.mtmd_input_chunk_get_n_pos(chunk),
            cells=M.mtmd_input_chunk_get_n_tokens(chunk),
        )

    def _decoded(self, image: Image) -> Any:
        """The parts of an image with its pixels, as mtmd has prepared them. Those of one image are kept."""
        if self._at_hand is None or self._at_hand[0] != image.sha256:
            self._forget()
            size = size_of(image.data)
            data = (ctypes.c_uint8 * len(image.data)).from_buffer_copy(image.data)
            found = M.mtmd_helper_bitmap_init_from_buf_wrapper(
                self._pointer, data, len(image.data), False, M.mtmd_helper_init_opt_default()
            )
            if not found.bitmap:
                raise RuntimeFault(Fault.IMAGE_UNREADABLE)
            if size != (M.mtmd_bitmap_get_nx(found.bitmap), M.mtmd_bitmap_get_ny(found.bitmap)):
                M.mtmd_bitmap_free(found.bitmap)
                raise RuntimeFault(Fault.IMAGE_UNREADABLE)
            self._at_hand = (image.sha256, self._tokenize(found.bitmap))
        return self._at_hand[1]

    def _forget(self) -> None:
        if self._at_hand is not None:
            M.mtmd_input_chunks_free(self._at_hand[1])
            self._at_hand = None

    @contextmanager
    def _tokenized(self, bitmap: Any) -> Iterator[Any]:
        chunks = self._tokenize(bitmap)
        try:
            yield chunks
        finally:
            M.mtmd_input_chunks_free(chunks)

    def _tokenize(self, bitmap: Any) -> Any:
        """The parts of one image, to be freed by the caller. Frees the bitmap."""
        marker = M.mtmd_default_marker()
        text = M.mtmd_input_text(marker, len(marker), False, True)
        chunks = M.mtmd_input_chunks_init()
        bitmaps = (M.mtmd_bitmap_p_ctypes * 1)(bitmap)
        try:
            status = M.mtmd_tokenize(self._pointer, chunks, ctypes.byref(text), bitmaps, 1)
        finally:
            M.mtmd_bitmap_free(bitmap)
        if status != 0:
            M.mtmd_input_chunks_free(chunks)
            raise RuntimeFault(Fault.IMAGE_UNREADABLE, "it could not be prepared")
        return chunks
