"""Loads a model with llama.cpp in a process of its own, and prints what its log says was allocated, as JSON.

`python load_sizes.py FILE CONTEXT WHOLE_WINDOWS K_TYPE`: bytes of the caches and of the largest set of results.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import llama_cpp.llama_cpp as C

_MIB = r"=\s+([0-9.]+) MiB"


def main() -> None:
    """The batch, the rows of logits and flash attention are as in `models.runtime.llama`."""
    path, context, whole_windows, k_type = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "True", sys.argv[4]
    lines: list[str] = []

    @C.llama_log_callback  # type: ignore[untyped-decorator, unused-ignore]
    def log(level: int, text: bytes, _: Any) -> None:
        lines.append(text.decode("utf-8", "replace"))

    C.llama_log_set(log, None)
    C.llama_backend_init()
    model_parameters = C.llama_model_default_params()
    model_parameters.n_gpu_layers = 0
    model = C.llama_model_load_from_file(path.encode(), model_parameters)
    parameters = C.llama_context_default_params()
    parameters.n_ctx = context
    parameters.n_batch = parameters.n_ubatch = min(512, context)
    parameters.n_outputs_max = 1
    parameters.swa_full = whole_windows
    parameters.type_k = {"F16": C.GGML_TYPE_F16, "Q8_0": C.GGML_TYPE_Q8_0}[k_type]
    parameters.flash_attn_type = C.LLAMA_FLASH_ATTN_TYPE_AUTO
    loaded = C.llama_init_from_model(model, parameters)
    text = "".join(lines)
    if not loaded:
        sys.exit(text[-2000:])
    print(
        json.dumps(
            {"cache": _sum(text, "(?:KV|RS) buffer size"), "compute": _sum(text, "compute buffer size")}
        )
    )


def _sum(text: str, what: str) -> float:
    return sum(float(size) for size in re.findall(rf"{what}\s*{_MIB}", text)) * (1 << 20)


if __name__ == "__main__":
    main()
