"""Which weights llama.cpp lays out anew for a processor: then it computes with a copy and not with the file."""

from __future__ import annotations

import platform

from models.gguf import Header

_REPACKED = {"x86": {2, 10, 12, 20, 39}, "arm": {2, 8, 12, 13, 14, 20, 39, 41}}
"""Types (ids of `ggml_types`) that are laid out anew, some only by the newest processors of a kind.

Source: ggml-cpu/repack.cpp, ggml_repack_get_optimal_repack_type.
"""
_WORTH_READING = 0.1


def weights_are_copied(header: Header, machine: str | None = None) -> bool:
    """Whether a processor (as `platform.machine` calls it) computes with copies of these weights.

    To map the file would then only keep it in memory a second time: a Q4_K_M model took twice its size.
    """
    kinds = _kinds(machine)
    copied = sum(tensor.size for tensor in header.tensors if tensor.type in kinds)
    return copied > _WORTH_READING * header.weight_bytes


def staging_bytes(header: Header, machine: str | None = None) -> int:
    """Bytes of the largest tensor that is copied: while it is, it is in memory twice."""
    kinds = _kinds(machine)
    in_layers = (tensor for tensor in header.tensors if tensor.name.startswith("blk."))
    return max((tensor.size for tensor in in_layers if tensor.type in kinds), default=0)


def _kinds(machine: str | None) -> set[int]:
    name = (machine or platform.machine()).casefold()
    return _REPACKED["arm" if name.startswith(("arm", "aarch")) else "x86"]
