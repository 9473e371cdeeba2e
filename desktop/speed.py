"""How fast a model is on this machine: each device in turn, in a locked worker, with a prompt of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from desktop.local_models import spawn_worker
from models.hardware import peak_memory
from models.runtime.engine import Engine
from models.runtime.faults import RuntimeFault
from models.runtime.protocol import Completed, Loaded
from models.runtime.values import LoadOptions, Sampling, Turn
from providers.errors import ProviderError

_GREEDY = Sampling(temperature=0.0)
_SENTENCE = (
    "The ship left the harbour in the morning, and nobody on board knew how long the journey would take. "
)
_QUESTION = "Count from 1 to 1000, one number after another: 1, 2, 3,"
_PROMPT_TOKENS = 512  # about
_ANSWER_TOKENS = 64
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Speed:
    """Medians of three rounds. Rates in tokens per second; memory is the most that the worker held, mapped file
    included. `reason`: why it is not wholly on a GPU.
    """

    device: str
    gpu_layers: int
    prompt_rate: float
    generation_rate: float
    first_token_ms: float
    load_ms: float
    memory_bytes: int
    prompt_tokens: int
    generated_tokens: int
    estimated_bytes: int
    layers: int
    reason: str
    context_tokens: int
    threads: int


async def measure(path: Path, options: LoadOptions) -> list[Speed]:
    """The device that is chosen by itself and, where that is a GPU, the processor too. Raises `ProviderError`."""
    first = await _on_one_device(path, options)
    if first.gpu_layers == 0:
        return [first]
    return [first, await _on_one_device(path, replace(options, gpu_layers=0))]


async def _on_one_device(path: Path, options: LoadOptions) -> Speed:
    engine = Engine(spawn_worker)
    try:
        loaded = [report async for report in engine.load(path, options) if isinstance(report, Loaded)][-1]
        rounds = [await _round(engine, number, loaded.placement.context_tokens) for number in range(_ROUNDS)]
        assert engine.pid is not None
        memory = peak_memory(engine.pid)
    except RuntimeFault as fault:
        raise ProviderError(fault.fault, fault.detail, {**fault.facts, "file": path.name}) from fault
    finally:
        await engine.close()
    return Speed(
        device=loaded.placement.device,
        gpu_layers=loaded.placement.gpu_layers,
        prompt_rate=_rate([(done.prompt_tokens - done.reused_tokens, done.prompt_ms) for done in rounds]),
        generation_rate=_rate([(done.generated_tokens, done.generate_ms) for done in rounds]),
        first_token_ms=median(done.first_token_ms for done in rounds),
        load_ms=loaded.milliseconds,
        memory_bytes=memory,
        prompt_tokens=rounds[-1].prompt_tokens,
        generated_tokens=rounds[-1].generated_tokens,
        estimated_bytes=loaded.placement.need_bytes,
        layers=loaded.placement.layers + 1,
        reason=loaded.placement.reason,
        context_tokens=loaded.placement.context_tokens,
        threads=loaded.placement.threads,
    )


async def _round(engine: Engine, number: int, context_tokens: int) -> Completed:
    """A prompt that is new from its first word, so that nothing of it is in the cache."""
    sentences = min(_PROMPT_TOKENS, context_tokens // 2) // 21  # tokens of one sentence
    prompt = f"Part {number}. {_SENTENCE * sentences}\n{_QUESTION}"
    async for report in engine.generate([Turn("user", prompt)], _GREEDY, _ANSWER_TOKENS):
        if isinstance(report, Completed):
            return report
    raise AssertionError("an answer ends with its report")


def _rate(measured: Sequence[tuple[int, float]]) -> float:
    return median(tokens / ms * 1000 if ms > 0 else 0.0 for tokens, ms in measured)
