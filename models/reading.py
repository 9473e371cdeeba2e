"""How many bytes of a model are read for each token that it writes: what its speed follows from."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.gguf import Header


def read_per_token(header: Header) -> int:
    """Bytes of weights. Of experts only those that take part; of the embedding nothing, unless it is the output too."""
    architecture = header.architecture
    experts = header.number(f"{architecture}.expert_count")
    used = header.number(f"{architecture}.expert_used_count")
    share = used / experts if 0 < used <= experts else 1.0
    tied = all(tensor.name != "output.weight" for tensor in header.tensors)
    read = 0
    for tensor in header.tensors:
        if tensor.name.startswith("token_embd") and not tied:
            continue
        read += int(tensor.size * share) if "_exps." in tensor.name else tensor.size
    return read
