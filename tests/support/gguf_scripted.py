"""A small model that says what it was told to say: for what depends on the very words of an answer.

Each piece of its script is a token of its own. Attention and feed-forward are zero, so a token's embedding alone
decides the next one: the weights are a list of who follows whom. Everything else is as in any file.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from gguf import GGUFWriter, TokenType
from support.gguf_files import CHATML, CONTROL, _byte_characters, _write

_WIDTH, _FEED_FORWARD = 128, 32


def write_scripted(
    path: Path,
    script: Sequence[str],
    *,
    template: str | None = CHATML,
    begins_after: str = "\n",
    control: Sequence[str] = CONTROL,
    eos: str = "<|im_end|>",
    architecture: str = "llama",
    context: int = 2048,
) -> Path:
    """Answers with `script`, piece by piece; no piece may come twice. Prompts end in `begins_after`.

    Pieces that are `control` tokens are those; the last piece should be a token that ends an answer.
    """
    assert len(set(script)) == len(script) < _WIDTH
    spelled = _byte_characters()
    pieces = [piece for piece in script if piece not in control and len(piece.encode()) > 1]
    tokens = [*spelled, *control, *("".join(spelled[byte] for byte in piece.encode()) for piece in pieces)]
    kinds = [TokenType.NORMAL] * 256 + [TokenType.CONTROL] * len(control) + [TokenType.NORMAL] * len(pieces)
    texts = [*(chr(byte) for byte in range(256)), *control, *pieces]
    writer = GGUFWriter(path, architecture)
    numbers = {
        "block_count": 1, "context_length": context, "embedding_length": _WIDTH,
        "feed_forward_length": _FEED_FORWARD, "attention.head_count": 2, "attention.head_count_kv": 2,
    }  # fmt: skip
    for name, number in numbers.items():
        writer.add_uint32(f"{architecture}.{name}", number)
    writer.add_float32(f"{architecture}.attention.layer_norm_rms_epsilon", 1e-5)
    writer.add_name("Scripted test model")
    writer.add_file_type(0)
    if template is not None:
        writer.add_chat_template(template)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([int(kind) for kind in kinds])
    writer.add_token_merges(["h e", "l l"])
    writer.add_eos_token_id(texts.index(eos))
    writer.add_bos_token_id(256)
    writer.add_add_bos_token(False)
    embedding = np.zeros((len(tokens), _WIDTH), np.float32)
    output = np.zeros((len(tokens), _WIDTH), np.float32)
    chain = [texts.index(piece) for piece in (begins_after, *script)]
    for place, (token, following) in enumerate(itertools.pairwise(chain)):
        embedding[token, place] = output[following, place] = 1.0
    shapes = {
        "attn_q": (_WIDTH, _WIDTH), "attn_k": (_WIDTH, _WIDTH), "attn_v": (_WIDTH, _WIDTH),
        "attn_output": (_WIDTH, _WIDTH), "ffn_gate": (_FEED_FORWARD, _WIDTH), "ffn_up": (_FEED_FORWARD, _WIDTH),
        "ffn_down": (_WIDTH, _FEED_FORWARD),
    }  # fmt: skip
    writer.add_tensor("token_embd.weight", embedding)
    writer.add_tensor("output_norm.weight", np.ones(_WIDTH, np.float32))
    writer.add_tensor("output.weight", output)
    for norm in ("attn_norm", "ffn_norm"):
        writer.add_tensor(f"blk.0.{norm}.weight", np.ones(_WIDTH, np.float32))
    for name, shape in shapes.items():
        writer.add_tensor(f"blk.0.{name}.weight", np.zeros(shape, np.float32))
    _write(writer)
    return path
