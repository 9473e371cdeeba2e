"""An embedding model on this machine: texts become vectors of length 1, whose product tells how alike they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from models.embedding.engine import EmbeddingEngine
from models.embedding.messages import Opened
from models.runtime.faults import RuntimeFault
from models.runtime.link import Spawn
from providers.errors import ProviderError

Vector = tuple[float, ...]

_AT_ONCE = 64
"""Texts in one message: so many vectors of the widest models stay far below the limit of a line."""


@dataclass(frozen=True, slots=True)
class Embeddings:
    """`vectors`: one for each text, in their order, of length 1. `tokens`: read altogether.

    `cut`: the places of texts that are longer than the model reads; their vectors stand for their beginnings.
    """

    vectors: tuple[Vector, ...]
    cut: tuple[int, ...]
    tokens: int


class EmbeddingModel:
    """One model file. Loaded with its first texts, or before when asked to."""

    def __init__(self, spawn: Spawn, path: Path, threads: int | None = None) -> None:
        self._engine = EmbeddingEngine(spawn, path, threads)
        self._path = path

    async def load(self) -> Opened:
        """Load it now, unless it is loaded: what it is. Raises `ProviderError`."""
        try:
            return await self._engine.load()
        except RuntimeFault as fault:
            raise self._error(fault) from fault

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """The vectors of these texts. The same texts give the same vectors. Raises `ProviderError`."""
        vectors: list[Vector] = []
        cut: list[int] = []
        tokens = 0
        try:
            for start in range(0, len(texts), _AT_ONCE):
                report = await self._engine.embed(texts[start : start + _AT_ONCE])
                vectors += report.vectors
                cut += (start + place for place in report.cut)
                tokens += report.tokens
        except RuntimeFault as fault:
            raise self._error(fault) from fault
        return Embeddings(tuple(vectors), tuple(cut), tokens)

    async def close(self) -> None:
        """Free its memory: the child ends. The next texts load it again."""
        await self._engine.close()

    def _error(self, fault: RuntimeFault) -> ProviderError:
        return ProviderError(fault.fault, fault.detail, {**fault.facts, "file": self._path.name})
