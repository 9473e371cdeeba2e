"""Which models to begin with on this machine, for what: a list chosen by hand, ordered by what fits and is quick.

The list is resources/recommendations/models.json, with sources and dates. Nothing is read of the models themselves:
what decides before a download is the header (models.estimate).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import resources
from models.estimate import GPU_RESERVE, SLOW, Machine, Verdict

_FILE = Path(resources.__file__).parent / "recommendations" / "models.json"

_PROCESS = 96 << 20
"""Bytes of the process around a model. With its header they are reckoned; here they are not known yet."""

USUAL_MEMORY_BANDWIDTH = 25e9
USUAL_GPU_BANDWIDTH = 250e9
"""Bytes a second, where nothing was measured: an ordinary laptop's memory, an ordinary graphics card."""

_CONTEXT_BYTES = 1_000_000_000
_CONTEXT_SHARE = 0.1
"""A conversation of 8,192 tokens and its buffers, roughly: so many bytes, and this share of the weights."""


class Purpose(StrEnum):
    """What a person wants a model for."""

    CHAT = "chat"
    CODE = "code"
    REASONING = "reasoning"
    VISION = "vision"
    EMBEDDINGS = "embeddings"
    TRANSLATION = "translation"
    SMALL = "small"


@dataclass(frozen=True, slots=True)
class Model:
    """A row of the list. Bytes; parameters in billions, `active` those that work on each word.

    `licence` as the hub names it, `openness` a value of `models.library.entry.Openness`, `projector` the bytes of
    the part that sees, 0 without. `source` is an address; `checked` an ISO date, "" for what was not verified.
    """

    name: str
    repo: str
    maker: str
    family: str
    parameters: float
    active: float
    quantization: str
    size: int
    projector: int
    licence: str
    openness: str
    purposes: dict[str, int]
    why: str
    source: str
    checked: str

    @property
    def download(self) -> int:
        """Bytes to fetch."""
        return self.size + self.projector

    @property
    def need(self) -> int:
        """Bytes of memory it takes with a conversation of ordinary length, roughly and from above."""
        return self.download + _CONTEXT_BYTES + int(self.size * _CONTEXT_SHARE)


@dataclass(frozen=True, slots=True)
class Licence:
    """What a licence means, in plain words. Its own words decide."""

    licence: str
    words: str
    source: str


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A model for this machine. `missing_bytes` of memory, 0 when it fits; speed in tokens a second, a guess."""

    model: Model
    verdict: Verdict
    need_bytes: int
    missing_bytes: int
    tokens_per_second: float


def recommend(machine: Machine, purpose: Purpose | str) -> tuple[Recommendation, ...]:
    """The models of the list for a purpose, best first: those that fit and are quick, then those that would be
    slow, then those that do not fit, the nearest first. Raises ValueError for an unknown purpose.
    """
    purpose = Purpose(purpose)
    found = [
        (_judge(model, machine), model.purposes[purpose]) for model in models() if purpose in model.purposes
    ]

    def place(row: tuple[Recommendation, int]) -> tuple[int, float, float]:
        judged, ability = row
        if judged.verdict is Verdict.WONT_FIT:
            return 2, judged.missing_bytes, -ability
        if judged.verdict is Verdict.SLOW:
            return 1, -judged.tokens_per_second, -ability
        return 0, -ability, judged.need_bytes

    return tuple(judged for judged, _ in sorted(found, key=place))


def machine_class(machine: Machine) -> str:
    """The band of the list that a machine's memory falls into: "tiny", "small", "medium", "large" or "huge"."""
    room = machine.memory_free + _gpu_room(machine)
    return next(str(band["machine"]) for band in reversed(_document()["machines"]) if room >= band["from"])


@functools.cache
def models() -> tuple[Model, ...]:
    """The whole list."""
    return tuple(Model(**row) for row in _document()["models"])


def licence(name: str) -> Licence | None:
    """What is known of a licence that a model of the list has; None for any other."""
    rows: Iterable[dict[str, str]] = _document()["licences"]
    return next((Licence(**row) for row in rows if row["licence"] == name), None)


def list_date() -> str:
    """The day the list was put together, ISO."""
    return str(_document()["date"])


@functools.cache
def _document() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(_FILE.read_text("utf-8"))
    return content


def _gpu_room(machine: Machine) -> int:
    return max(0, machine.gpu_free - GPU_RESERVE)


def _judge(model: Model, machine: Machine) -> Recommendation:
    on_gpu = min(model.need, _gpu_room(machine))
    missing = max(0, model.need - on_gpu + _PROCESS - machine.memory_free)
    share = on_gpu / model.need
    memory = machine.memory_bandwidth or USUAL_MEMORY_BANDWIDTH
    gpu = max(machine.gpu_bandwidth or USUAL_GPU_BANDWIDTH, memory)
    read = model.size * model.active / model.parameters
    speed = 1 / (read * (share / gpu + (1 - share) / memory))
    if missing:
        verdict = Verdict.WONT_FIT
    elif speed < SLOW:
        verdict = Verdict.SLOW
    elif share == 1:
        verdict = Verdict.GPU
    else:
        verdict = Verdict.PARTLY_GPU if on_gpu else Verdict.CPU
    return Recommendation(model, verdict, model.need, missing, speed)
