"""The yardstick: the same library in the shortest loop one can write, in a process of its own.

Takes one JSON command per line on stdin and answers with one line of seconds. It has the worker's settings (threads
and how they wait, priority, context) and nothing else: no template, no tokenizer, no protocol, no cancel.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import time
from typing import Any

from llama_cpp import llama_cpp as C

_BATCH = 512


class PlainLoop:
    def __init__(self, path: str, context_tokens: int, threads: int, prompt_threads: int) -> None:
        self._log = C.llama_log_callback(lambda level, text, _: None)
        C.llama_log_set(self._log, None)
        C.llama_backend_init()
        self._model = C.llama_model_load_from_file(path.encode(), C.llama_model_default_params())
        parameters = C.llama_context_default_params()
        parameters.n_ctx = context_tokens
        parameters.n_batch = parameters.n_ubatch = _BATCH
        parameters.n_outputs_max = 1
        parameters.n_threads, parameters.n_threads_batch = threads, prompt_threads
        parameters.flash_attn_type = C.LLAMA_FLASH_ATTN_TYPE_AUTO
        self._context = C.llama_init_from_model(self._model, parameters)
        self._memory = C.llama_get_memory(self._context)
        self._vocabulary = C.llama_model_get_vocab(self._model)
        self._sampler = C.llama_sampler_chain_init(C.llama_sampler_chain_default_params())
        C.llama_sampler_chain_add(self._sampler, C.llama_sampler_init_greedy())

    def read(self, tokens: list[int]) -> float:
        """Seconds until the first token after these is there."""
        started = time.perf_counter()
        for start in range(0, len(tokens), _BATCH):
            batch = tokens[start : start + _BATCH]
            array = (C.llama_token * len(batch))(*batch)
            C.llama_decode(self._context, C.llama_batch_get_one(array, len(batch)))
        self._next = C.llama_sampler_sample(self._sampler, self._context, -1)
        return time.perf_counter() - started

    def write(self, count: int) -> float:
        """Seconds for this many more tokens."""
        one = (C.llama_token * 1)(self._next)
        batch = C.llama_batch_get_one(one, 1)
        piece = ctypes.create_string_buffer(256)
        started = time.perf_counter()
        for _ in range(count):
            C.llama_token_to_piece(self._vocabulary, one[0], piece, 256, 0, False)
            C.llama_decode(self._context, batch)
            one[0] = C.llama_sampler_sample(self._sampler, self._context, -1)
        self._next = one[0]
        return time.perf_counter() - started

    def forget(self, start: int) -> None:
        C.llama_memory_seq_rm(self._memory, 0, start, -1)


def main() -> None:
    settings: dict[str, Any] = json.loads(sys.argv[1])
    if hasattr(os, "nice"):
        os.nice(settings.pop("niceness"))
    loop = PlainLoop(**settings)
    print("ready", flush=True)
    for line in sys.stdin:
        command: dict[str, Any] = json.loads(line)
        loop.forget(command.get("keep", 0))
        seconds = [loop.read(command["read"])]
        if command.get("write"):
            seconds.append(loop.write(command["write"]))
        print(json.dumps(seconds), flush=True)


if __name__ == "__main__":
    main()
