"""llama.cpp, as this program uses it: the only file that knows the binding.

A thin typed layer over `llama_cpp.llama_cpp` (llama.h of llama-cpp-python 0.3.36). Nothing here decides
anything; it keeps C pointers, their lifetimes and their traps in one place. One model and one context per
process, used by one thread; `Interrupt.set` alone may be called from another.
"""

from __future__ import annotations

import ctypes
import importlib.util
import itertools
import os
import sys
from collections import deque
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any

from models.runtime.values import CacheType, LoadOptions, RopeScaling

# Otherwise an assertion in ggml starts a debugger, and a variable of the environment can name a library to
# load.
os.environ["GGML_NO_BACKTRACE"] = "1"
os.environ.pop("GGML_BACKEND_PATH", None)
# OpenMP's threads wait for each other by spinning. On a busy machine, where one of them has to wait for a core, that
# burns the time the others should have: with the default, a short prompt took three times as long at a load of 5.
# After about 10,000 rounds (0.1 to 0.5 ms) they sleep instead.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

if "llama_cpp" not in sys.modules:
    # The package's __init__ imports numpy and its high-level classes, which takes five times as long as the
    # one file wanted here. So the package is registered without being run.
    _spec = importlib.util.find_spec("llama_cpp")
    if _spec is None:
        raise ModuleNotFoundError("llama-cpp-python is not installed")
    sys.modules["llama_cpp"] = importlib.util.module_from_spec(_spec)

from llama_cpp import llama_cpp as C
from llama_cpp._ctypes_extensions import load_shared_library

library: Any = C
"""The binding itself, for the files beside this one (`llama_*`) and no other."""

BATCH_TOKENS = 512
"""Tokens evaluated at once, unless chosen. More were not faster on a CPU, and a GPU can be stopped only in between."""

_CACHE_TYPES = {
    CacheType.F16: C.GGML_TYPE_F16,
    CacheType.Q8_0: C.GGML_TYPE_Q8_0,
    CacheType.Q4_0: C.GGML_TYPE_Q4_0,
}
_FLASH_ATTENTION = {
    None: C.LLAMA_FLASH_ATTN_TYPE_AUTO,
    True: C.LLAMA_FLASH_ATTN_TYPE_ENABLED,
    False: C.LLAMA_FLASH_ATTN_TYPE_DISABLED,
}

_ROPE_SCALING = {
    None: C.LLAMA_ROPE_SCALING_TYPE_UNSPECIFIED,
    RopeScaling.NONE: C.LLAMA_ROPE_SCALING_TYPE_NONE,
    RopeScaling.LINEAR: C.LLAMA_ROPE_SCALING_TYPE_LINEAR,
    RopeScaling.YARN: C.LLAMA_ROPE_SCALING_TYPE_YARN,
}
_LOAD_MODES = {
    (True, False): C.LLAMA_LOAD_MODE_AUTO,  # mapped, unless a device can't use mapped memory
    (True, True): C.LLAMA_LOAD_MODE_MMAP_MLOCK,
    (False, False): C.LLAMA_LOAD_MODE_NONE,
    (False, True): C.LLAMA_LOAD_MODE_MLOCK,
}
"""By whether the file is mapped and whether memory is locked."""

_NO_GPUS = {
    "CUDA_VISIBLE_DEVICES": "-1",
    "HIP_VISIBLE_DEVICES": "-1",
    "GGML_VK_VISIBLE_DEVICES": "",
    "VK_DRIVER_FILES": "/none",  # Vulkan's loader takes its drivers from these alone, so it loads none
    "VK_ICD_FILENAMES": "/none",
}
_LOG_LINES = 60
_WARNING, _ERROR, _CONTINUED = 3, 4, 5  # enum ggml_log_level; 1 is debug, 2 information
_CONTROL, _USER_DEFINED = 1 << 3, 1 << 4  # enum llama_token_attr
_NO_TOKEN = -1
_ROPES_OF_SEVERAL_DIMENSIONS = (C.LLAMA_ROPE_TYPE_MROPE, C.LLAMA_ROPE_TYPE_IMROPE)


class Decoded(IntEnum):
    """What `llama_decode` returned."""

    DONE = 0
    NO_ROOM = 1
    INTERRUPTED = 2
    FAILED = 3  # any negative status


class VocabularyKind(IntEnum):
    """enum llama_vocab_type, as far as it matters here."""

    NONE = 0
    SENTENCEPIECE = 1


class LoadRefused(Exception):
    """llama.cpp would not make a model or a context; its own words are in the `Log`."""


class Log:
    """The last lines llama.cpp logged. Warnings and errors also go to stderr, which outlives a crash."""

    def __init__(self) -> None:
        self.lines: deque[str] = deque(maxlen=_LOG_LINES)
        self.on_line: Callable[[str], None] | None = None
        self._open = ""
        self._level = 0
        self._callback = C.llama_log_callback(self._take)
        C.llama_log_set(self._callback, ctypes.c_void_p(0))

    @property
    def callback(self) -> Any:
        """What llama.cpp's parts call with each line. Lives as long as this log."""
        return self._callback

    def _take(self, level: int, text: bytes, _: object) -> None:
        if level != _CONTINUED:
            self._level = level
        if self._level in (_WARNING, _ERROR):
            os.write(2, text)
        *whole, self._open = (self._open + text.decode("utf-8", "replace")).split("\n")
        for line in whole:
            self.lines.append(line)
            if self.on_line is not None:
                self.on_line(line)


class Interrupt:
    """Stops a load or a decode from another thread.

    llama.cpp asks a C function between any two operations of its graph. That function is the C library's
    `strlen`, on a text that is empty until `set` puts a character there: no Python runs, no lock is needed.
    """

    def __init__(self) -> None:
        self._text = ctypes.create_string_buffer(2)
        library = ctypes.cdll.msvcrt if sys.platform == "win32" else ctypes.CDLL(None)
        self.callback = ctypes.cast(library.strlen, C.ggml_abort_callback)
        self.argument = ctypes.c_void_p(ctypes.addressof(self._text))

    def set(self) -> None:
        self._text[0] = b"\x01"

    def clear(self) -> None:
        self._text[0] = b"\x00"

    @property
    def is_set(self) -> bool:
        return bool(self._text.value)


def start(*, gpus: bool = True) -> Log:
    """Make llama.cpp ready. Devices' libraries are looked for beside it, never in the current folder.

    `gpus` False hides all of them from it, and their drivers.
    """
    if not gpus:
        os.environ.update(_NO_GPUS)
    log = Log()
    if ggml("ggml_backend_reg_count", ctypes.c_size_t)() == 0:  # built as separate libraries: GGML_BACKEND_DL
        load = ggml("ggml_backend_load_all_from_path", None, ctypes.c_char_p)
        load(os.fsencode(C._base_path))
    C.llama_backend_init()
    return log


def version() -> str:
    """The version of llama.cpp inside the binding."""
    return str(C.llama_version().decode("utf-8", "replace"))


def ggml(name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    """A function of ggml that the binding does not wrap. Windows wants the very library that holds it."""
    for library in ("llama", "ggml", "ggml-base"):
        function = getattr(load_shared_library(library, C._base_path), name, None)
        if function is not None:
            function.restype, function.argtypes = result, arguments
            found: Callable[..., Any] = function
            return found
    raise AttributeError(f"llama.cpp has no {name}")


class Vocabulary:
    """The tokens of a model. Belongs to its `Model` and must not outlive it."""

    def __init__(self, pointer: Any) -> None:
        self._pointer = pointer
        self._piece = ctypes.create_string_buffer(256)
        self.size: int = C.llama_vocab_n_tokens(pointer)
        self.kind: int = C.llama_vocab_type(pointer)
        self.bos: int = C.llama_vocab_bos(pointer)
        self.eos: int = C.llama_vocab_eos(pointer)
        self.wants_bos: bool = C.llama_vocab_get_add_bos(pointer)

    def tokenize(self, text: str, special: bool) -> list[int]:
        """Tokens of a text, without BOS. `special`: texts of control tokens become those tokens."""
        data = text.encode("utf-8", "replace")  # half a surrogate pair becomes a question mark
        room = len(data) + 8
        tokens = (C.llama_token * room)()
        count = C.llama_tokenize(self._pointer, data, len(data), tokens, room, False, special)
        if count < 0:  # more tokens than bytes; it says how many
            tokens = (C.llama_token * -count)()
            count = C.llama_tokenize(self._pointer, data, len(data), tokens, -count, False, special)
        return list(tokens[:count])

    def piece(self, token: int, special: bool) -> bytes:
        """The bytes a token stands for, maybe half a character; none for a control token unless `special`."""
        size = C.llama_token_to_piece(self._pointer, token, self._piece, len(self._piece), 0, special)
        if size < 0:
            self._piece = ctypes.create_string_buffer(-size)
            size = C.llama_token_to_piece(self._pointer, token, self._piece, -size, 0, special)
        return bytes(self._piece.raw[:size])

    def text(self, token: int) -> str:
        """The token as the vocabulary writes it; "" for no token."""
        if not 0 <= token < self.size:
            return ""
        return str(C.llama_vocab_get_text(self._pointer, token).decode("utf-8", "replace"))

    def ends_answer(self, token: int) -> bool:
        return bool(C.llama_vocab_is_eog(self._pointer, token))

    def is_control(self, token: int) -> bool:
        return bool(C.llama_vocab_get_attr(self._pointer, token) & _CONTROL)

    def control_and_added(self) -> tuple[list[str], list[str]]:
        """The texts of all control tokens, and of all tokens that were added by hand."""
        attributes = list(
            map(C.llama_vocab_get_attr, itertools.repeat(self._pointer, self.size), range(self.size))
        )
        control = [self.text(token) for token, found in enumerate(attributes) if found & _CONTROL]
        added = [self.text(token) for token, found in enumerate(attributes) if found & _USER_DEFINED]
        return control, added

    def suppressed(self) -> list[int]:
        """Tokens the model's makers say it must never write."""
        count = ctypes.c_int32()
        tokens = C.llama_vocab_get_suppress_tokens(self._pointer, ctypes.byref(count))
        return list(tokens[: count.value]) if tokens else []


class Model:
    """The weights."""

    def __init__(
        self, path: str, options: LoadOptions, gpu_layers: int, on_progress: Callable[[float], bool]
    ) -> None:
        """Load a file, all of its layers on the GPU if `gpu_layers` is -1. Raises `LoadRefused`.

        `on_progress` gets 0..1; when it returns False the load stops.
        """
        parameters = C.llama_model_default_params()
        parameters.n_gpu_layers = gpu_layers
        parameters.load_mode = _LOAD_MODES[options.map_file, options.lock_memory]
        callback = C.llama_progress_callback(lambda fraction, _: on_progress(fraction))
        parameters.progress_callback = callback
        self._pointer = C.llama_model_load_from_file(os.fsencode(path), parameters)
        if not self._pointer:
            raise LoadRefused
        self.vocabulary = Vocabulary(C.llama_model_get_vocab(self._pointer))
        self.layers: int = C.llama_model_n_layer(self._pointer)
        # Positions in several dimensions, so that llama.cpp can't tell which one follows an image.
        self._counts_positions = C.llama_model_rope_type(self._pointer) in _ROPES_OF_SEVERAL_DIMENSIONS

    @property
    def pointer(self) -> Any:
        """For what else of llama.cpp works on the model (`llama_mtmd`)."""
        return self._pointer

    @property
    def width(self) -> int:
        """How many numbers stand for a token, or for a row of an image."""
        return int(C.llama_model_n_embd_inp(self._pointer))

    @property
    def chat_template(self) -> str:
        """The default template of the file; "" when it has none."""
        text = C.llama_model_chat_template(self._pointer, None)
        return str(text.decode("utf-8", "replace")) if text else ""

    @property
    def writes_one_token_after_another(self) -> bool:
        """False for encoders, translators with an encoder, and models that write a whole text at once."""
        encodes = C.llama_model_has_encoder(self._pointer)
        return not encodes and not C.llama_model_is_diffusion(self._pointer)

    def new_context(
        self,
        tokens: int,
        options: LoadOptions,
        threads: int,
        prompt_threads: int,
        interrupt: Interrupt,
        rows: int = 1,
    ) -> Context:
        """A context for `tokens`, which is what `options` came to. Raises `LoadRefused`.

        `rows`: of how many tokens of one batch the logits can be asked for.

        The context must be closed before the model.
        """
        parameters = C.llama_context_default_params()
        parameters.n_ctx = tokens
        parameters.n_batch = parameters.n_ubatch = min(options.batch_tokens or BATCH_TOKENS, tokens)
        # One row of logits instead of 512: 77 MB less with a usual vocabulary.
        parameters.n_outputs_max = rows
        parameters.n_threads = threads
        parameters.n_threads_batch = prompt_threads
        parameters.flash_attn_type = _FLASH_ATTENTION[options.flash_attention]
        parameters.type_k = parameters.type_v = _CACHE_TYPES[options.cache_type]
        parameters.rope_scaling_type = _ROPE_SCALING[options.rope_scaling]
        parameters.rope_freq_base = float(options.rope_base or 0)  # 0 is what the file says, here and below
        parameters.rope_freq_scale = 1 / options.rope_stretch if options.rope_stretch > 1 else 0.0
        # The whole cache for layers with a sliding window too: a smaller one cannot be cut back to an earlier
        # place.
        parameters.swa_full = True
        parameters.abort_callback = interrupt.callback
        parameters.abort_callback_data = interrupt.argument
        pointer = C.llama_init_from_model(self._pointer, parameters)
        if not pointer:
            raise LoadRefused
        return Context(pointer, self.vocabulary, interrupt, self._counts_positions)

    def close(self) -> None:
        C.llama_model_free(self._pointer)


class Context:
    """The KV cache and what computes on it. Positions are counted from 0; there is one sequence."""

    def __init__(
        self, pointer: Any, vocabulary: Vocabulary, interrupt: Interrupt, counts_positions: bool = False
    ) -> None:
        """`counts_positions`: the position of each token is given to llama.cpp, not asked of it."""
        self._pointer = pointer
        self._vocabulary = vocabulary
        self.interrupt = interrupt  # holds the memory llama.cpp reads
        self._memory = C.llama_get_memory(pointer)
        self._one = (C.llama_token * 1)()
        self._one_batch = C.llama_batch_get_one(self._one, 1)
        self._next = 0 if counts_positions else None  # the position of the next token
        self._one_position = (C.llama_pos * 1)()
        if counts_positions:
            self._one_batch.pos = self._one_position
        self.tokens: int = C.llama_n_ctx(pointer)
        self.batch_tokens: int = C.llama_n_batch(pointer)

    def decode(self, tokens: Sequence[int]) -> Decoded:
        """Evaluate at most `batch_tokens` tokens, after those already in the cache.

        When it is not DONE, ask `end` which tokens are in the cache.
        """
        array = (C.llama_token * len(tokens))(
            *tokens
        )  # the batch points into it, so it must live until the end
        batch = C.llama_batch_get_one(array, len(tokens))
        if self._next is not None:
            positions = (C.llama_pos * len(tokens))(*range(self._next, self._next + len(tokens)))
            batch.pos = positions
        status = status_of(C.llama_decode(self._pointer, batch))
        if self._next is not None and status is Decoded.DONE:
            self._next += len(tokens)
        return status

    def decode_one(self, token: int) -> int:
        """As `decode`, for one token: the inner loop. Returns llama_decode's own status, 0 for done."""
        self._one[0] = token
        if self._next is not None:
            self._one_position[0] = self._next
        status: int = C.llama_decode(self._pointer, self._one_batch)
        if self._next is not None and status == 0:
            self._next += 1
        return status

    @property
    def pointer(self) -> Any:
        """For what else of llama.cpp works on the context (`llama_mtmd`)."""
        return self._pointer

    def continue_at(self, position: int) -> None:
        """What comes next has this position: after an image, or after a state that was restored."""
        if self._next is not None:
            self._next = position

    @property
    def end(self) -> int:
        """How many tokens are in the cache."""
        return int(C.llama_memory_seq_pos_max(self._memory, 0)) + 1

    def cut(self, start: int) -> bool:
        """Forget everything from position `start` on. False when this cache cannot do that; then `clear` it.

        Recurrent layers only hold their newest state, and a cache with a window may have lost what comes
        before.
        """
        if C.llama_memory_seq_pos_min(self._memory, 0) > 0:
            return False
        self.continue_at(start)
        return bool(C.llama_memory_seq_rm(self._memory, 0, start, -1))

    def clear(self) -> None:
        self.continue_at(0)
        C.llama_memory_clear(self._memory, False)

    @property
    def state_bytes(self) -> int:
        """What `read_state` would take."""
        return int(C.llama_state_seq_get_size(self._pointer, 0))

    def read_state(self) -> bytearray:
        """The cache as llama.cpp writes it down."""
        state = bytearray(self.state_bytes)
        array = (ctypes.c_uint8 * len(state)).from_buffer(state)
        written = C.llama_state_seq_get_data(self._pointer, array, len(state), 0)
        del array  # else the bytearray could not be cut
        del state[written:]
        return state

    def write_state(self, state: bytearray) -> bool:
        """Replace the cache with one that was read before. False when llama.cpp refuses it; then it is empty."""
        self.clear()
        array = (ctypes.c_uint8 * len(state)).from_buffer(state)
        if C.llama_state_seq_set_data(self._pointer, array, len(state), 0) == len(state):
            return True
        self.clear()
        return False

    def logits_are_numbers(self) -> bool:
        """Whether the newest row of logits holds numbers only: damaged weights give NaN."""
        row = C.llama_get_logits_ith(self._pointer, -1)
        total = sum(row[: self._vocabulary.size])
        return bool(total - total == 0)  # neither NaN nor infinite

    def close(self) -> None:
        C.llama_free(self._pointer)


def status_of(status: int) -> Decoded:
    return Decoded(status) if status in (0, 1, 2) else Decoded.FAILED
