"""The memory that a model is said to need, against the most that its worker ever took.

The measure is the peak of the locked worker's resident memory (VmHWM): what it has for itself and what it maps of the
file. `python3 run.py bench` prints the range; `.venv/bin/python tests/benchmarks/memory.py` prints every model.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.row import Row
from support.large_models import Large, write_large
from support.workers import GREEDY, engine_with

from models.fit import needs_of
from models.gguf import read_header
from models.hardware import peak_memory
from models.runtime.protocol import Completed
from models.runtime.values import LoadOptions, Turn

CONTEXTS = (1_024, 4_096, 12_288)
MODELS = {
    "llama F16": Large(),
    "llama Q4_K": Large(kind="Q4_K", embedding_kind="Q6_K", width=2048, heads=32, kv_heads=8, between=5632, layers=18),
    "llama Q4_0": Large(kind="Q4_0", embedding_kind="Q8_0", width=1536, heads=24, kv_heads=8, between=6144, layers=24),
    "qwen2 Q8_0": Large(
        "qwen2", kind="Q8_0", embedding_kind="Q8_0", words=150_000, tied=True, width=896, heads=14, kv_heads=2,
        between=4864, layers=24,
    ),
    "qwen3 Q8_0": Large(
        "qwen3", kind="Q8_0", embedding_kind="Q8_0", words=150_000, tied=True, heads=16, kv_heads=8, head=128,
        between=3072, layers=28,
    ),
    "qwen3moe Q4_K": Large(
        "qwen3moe", kind="Q4_K", embedding_kind="Q6_K", words=150_000, experts=32, heads=16, kv_heads=4, head=128,
        between=768, layers=16,
    ),
    "gemma3 Q8_0": Large(
        "gemma3", kind="Q8_0", embedding_kind="Q8_0", words=260_000, tied=True, width=1152, heads=4, kv_heads=1,
        head=256, between=6912, layers=18, window=512,
    ),
    "gemma3 Q4_0": Large(
        "gemma3", kind="Q4_0", embedding_kind="Q8_0", words=260_000, tied=True, width=1536, heads=8, kv_heads=4,
        head=256, between=6144, layers=12, window=1024,
    ),
    "mixtral Q8_0": Large(experts=8, kind="Q8_0", between=1792, layers=10),
    "phi3 F16": Large("phi3", width=1536, kv_heads=16, head=96, layers=8),
    "phi3 Q4_K": Large("phi3", kind="Q4_K", embedding_kind="Q6_K", width=2048, kv_heads=16, head=128, between=5632),
    "mamba F16": Large("mamba", width=1536, layers=16, words=50_000, tied=True),
    "deepseek2 Q8_0": Large(
        "deepseek2", kind="Q8_0", embedding_kind="Q8_0", words=100_000, kv_heads=1, head=128, between=5632, layers=8,
        experts=16,
    ),
}  # fmt: skip
"""Thirteen models of eight architectures, 300 to 800 MB each."""

_PROMPT = "word " * 104  # a little more than one batch: then every buffer has been used


@dataclass(frozen=True)
class Compared:
    """One load. Bytes."""

    name: str
    context: int
    estimated: int
    measured: int

    @property
    def ratio(self) -> float:
        return self.estimated / self.measured


def run(quick: bool) -> list[Row]:
    contexts = CONTEXTS[1:2] if quick else CONTEXTS
    names = list(MODELS)[::4] if quick else list(MODELS)
    found = asyncio.run(compare(names, contexts))
    ratios = [one.ratio for one in found]
    worst = max(found, key=lambda one: one.ratio)
    return [
        Row(
            f"Memory estimate against the worker's measured peak, {len(names)} models, {len(contexts)} contexts",
            f"{min(ratios):.3f} to {max(ratios):.3f} times",
            "1.00 to 1.10 times",
            min(ratios) >= 1.0 and max(ratios) <= 1.1,
            f"peak resident memory (VmHWM) of the locked worker; the farthest off is {worst.name} with a context of "
            f"{worst.context:,}: {worst.estimated >> 20} MiB estimated, {worst.measured >> 20} taken",
        )
    ]


async def compare(names: list[str], contexts: tuple[int, ...], show: bool = False) -> list[Compared]:
    found = []
    for name in names:
        with tempfile.TemporaryDirectory(prefix="alcove-memory-") as folder:
            path = write_large(Path(folder) / "model.gguf", MODELS[name])
            for context in contexts:
                one = await measure(name, path, context)
                found.append(one)
                if show:
                    print(
                        f"{name:16} {context:7,} {one.estimated / 1e6:7.0f} MB {one.measured / 1e6:7.0f} MB "
                        f"{one.ratio:6.3f}",
                        flush=True,
                    )
    return found


async def measure(name: str, path: Path, context: int) -> Compared:
    """Load it in a locked worker, read a batch, write a token; then ask the system for the peak."""
    options = LoadOptions(context_tokens=context)
    estimated = needs_of(read_header(str(path)), options, context).total
    async with engine_with(path, options) as engine:
        async for report in engine.generate([Turn("user", _PROMPT)], GREEDY, 1):
            assert not isinstance(report, Completed) or report.prompt_tokens > 512
        assert engine.pid is not None
        return Compared(name, context, estimated, peak_memory(engine.pid))


if __name__ == "__main__":
    chosen = [name for name in MODELS if not sys.argv[1:] or any(part in name for part in sys.argv[1:])]
    print("model            context  estimated   measured  ratio")
    results = asyncio.run(compare(chosen, CONTEXTS, show=True))
    print(f"lowest {min(r.ratio for r in results):.3f}, highest {max(r.ratio for r in results):.3f}")
