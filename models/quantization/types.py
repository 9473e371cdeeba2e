"""The types a model can be made in, with what is known of each: resources/quantization/types.json."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import resources

WHOLE = ("F32", "F16", "BF16")
"""Types that are no quantization: what a smaller version is best made from."""


class Loss(StrEnum):
    """How much worse a model of this type answers than the one it is made from."""

    NONE = "none"
    HARDLY = "hardly"
    SMALL = "small"
    MODERATE = "moderate"
    NOTICEABLE = "noticeable"
    STRONG = "strong"
    SEVERE = "severe"
    SPECIAL = "special"  # for models that were trained for it; any other becomes useless


@dataclass(frozen=True, slots=True)
class QuantType:
    """One type. `bits`: of a weight, on average. `perplexity`: by how much it grows; None where nobody published it."""

    name: str  # "Q4_K_M"
    file_type: int  # llama_ftype
    bits: float
    perplexity: float | None
    loss: Loss
    usual: bool  # one of the few that are offered first
    measured: bool  # refused without an importance matrix


@functools.cache
def quant_types() -> tuple[QuantType, ...]:
    """All types, the most exact first."""
    content = json.loads((Path(resources.__file__).parent / "quantization" / "types.json").read_text("utf-8"))
    return tuple(QuantType(**{**row, "loss": Loss(row["loss"])}) for row in content["types"])


def find_type(name: str) -> QuantType | None:
    """The type of this name, however it is written; None for none."""
    return next((kind for kind in quant_types() if kind.name == name.upper()), None)


def estimated_bytes(kind: QuantType, parameters: int) -> int:
    """About how large a model of so many weights becomes; the child computes it exactly."""
    return int(parameters * kind.bits / 8)
