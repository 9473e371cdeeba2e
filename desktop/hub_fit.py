"""Whether a model that is still on a hub would run on this machine, and how well: before a download."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass, replace

from desktop.hub import SMALL_ENOUGH, HubFailed, answer, projector_for, whole_models
from models.estimate import Machine, Verdict, judge
from models.hub_values import HubModel, Listing, Page
from providers.gate.client import BrokerClient
from providers.gate.hub_messages import HubFit, HubFitted

COMFORTABLE = 12.0
"""Tokens a second that are taken for a better quantization: more than anybody reads, with room for a long chat."""


_UNQUANTIZED = frozenset({"F16", "FP16", "BF16", "F32", "FP32"})


@dataclass(frozen=True, slots=True)
class Fitting:
    """Where a model would run here, with the numbers. Bytes; tokens a second, None while nothing was measured.

    `context_tokens`: what it was reckoned for; `trained_context` is the most that makes sense, 0 unknown.
    `gpu_layers` of `layers` on the GPU, the output counting as one. `weights_bytes` and `cache_bytes` are parts of
    `needed_bytes`, which is `memory_bytes` and `gpu_bytes` together. `tokens_per_second_full`: with the context
    filled. `rough`: not read from this file's own list of tensors; the memory needed is still right to a few
    percent, what is reckoned layer by layer less so.
    """

    verdict: Verdict
    context_tokens: int
    trained_context: int
    needed_bytes: int
    memory_bytes: int
    memory_free: int
    gpu_bytes: int
    gpu_free: int
    gpu_layers: int
    layers: int
    weights_bytes: int
    cache_bytes: int
    tokens_per_second: float | None
    tokens_per_second_full: float | None
    rough: bool


async def fit(
    client: BrokerClient,
    page: Page,
    model: HubModel,
    machine: Machine,
    context_tokens: int = 0,
    cache_types: tuple[str, str] = ("F16", "F16"),
    projector: HubModel | None = None,
) -> Fitting:
    """Read a model's header (once: other contexts cost no request) and judge it against a machine.

    `context_tokens` 0: as many as Alcove takes by itself. `cache_types`: of keys and values, as ggml names them.
    `projector`: what is in memory beside it, of a vision model (`desktop.hub.projector_for`).
    Raises as `desktop.hub.search`; code "damaged", "not_gguf" or "truncated" for a file that is no model.
    """
    read = await _fitted(client, page, model, context_tokens, cache_types)
    return fitting_of(read, machine, 0 if projector is None else projector.size)


async def fit_all(
    client: BrokerClient,
    page: Page,
    listing: Listing,
    machine: Machine,
    context_tokens: int = 0,
    cache_types: tuple[str, str] = ("F16", "F16"),
) -> AsyncGenerator[tuple[HubModel, Fitting | HubFailed], None]:
    """Each model of a repository as soon as it is judged; `HubFailed` for one whose header can't be read.

    A projector in the repository counts as loaded with it. One header is read for all quantizations of the same
    model: their shapes are the same, and the sizes of the others are the hub's. Those are `rough`; `fit` reads their
    own. Raises `GateError`, `BrokerGone`.
    """
    for siblings in _siblings(whole_models(listing)):
        first = _first_of(siblings)
        try:
            read = await _fitted(client, page, first, context_tokens, cache_types)
        except HubFailed as fault:
            for model in siblings:
                yield model, fault
            continue
        for model in siblings:
            projector = projector_for(listing, model)
            same = read if model is first else _of_size(read, model.size)
            yield model, fitting_of(same, machine, 0 if projector is None else projector.size)


def best_choice(judged: Iterable[tuple[HubModel, Fitting | HubFailed]]) -> HubModel | None:
    """The quantization to take on this machine; None when none fits, or none could be judged.

    The usual one, or a larger one up to Q8_0 that runs wholly on the GPU or comfortably fast where it runs: beyond
    Q8_0 nothing is gained that could be noticed. Where the usual one does not fit, the largest that does.
    """
    fits = [
        (model, fitting)
        for model, fitting in judged
        if isinstance(fitting, Fitting) and fitting.verdict is not Verdict.WONT_FIT
    ]
    fits = [(model, fitting) for model, fitting in fits if model.quantization not in _UNQUANTIZED] or fits
    by_name = {model.quantization: model for model, _ in reversed(fits)}
    usual = next((by_name[name] for name in SMALL_ENOUGH if name in by_name), None)
    if usual is None:
        return max((model for model, _ in fits), key=lambda model: model.size, default=None)
    better = [model for model, fitting in fits if model.size > usual.size and _runs_well(fitting)]
    return max(better, key=lambda model: model.size, default=usual)


def _runs_well(fitting: Fitting) -> bool:
    speed = fitting.tokens_per_second
    return fitting.verdict is Verdict.GPU or (speed is not None and speed >= COMFORTABLE)


async def _fitted(
    client: BrokerClient, page: Page, model: HubModel, context_tokens: int, cache_types: tuple[str, str]
) -> HubFitted:
    paths = tuple(file.path for file in model.files)
    asked = HubFit(page.found.repo, page.sha, paths, context_tokens, *cache_types)
    return await answer(client, asked, HubFitted)


def fitting_of(read: HubFitted, machine: Machine, beside: int = 0) -> Fitting:
    """What the broker read of a model, judged against a machine. `beside`: bytes of memory for its projector."""
    needs = read.estimate
    judged = judge(needs, replace(machine, memory_free=max(0, machine.memory_free - beside)))
    return Fitting(
        verdict=judged.verdict,
        context_tokens=read.context_tokens,
        trained_context=read.trained_context,
        needed_bytes=judged.memory_bytes + judged.gpu_bytes + beside,
        memory_bytes=judged.memory_bytes + beside,
        memory_free=machine.memory_free,
        gpu_bytes=judged.gpu_bytes,
        gpu_free=machine.gpu_free,
        gpu_layers=judged.gpu_layers,
        layers=judged.layers,
        weights_bytes=needs.weights,
        cache_bytes=needs.cache,
        tokens_per_second=judged.tokens_per_second,
        tokens_per_second_full=judged.tokens_per_second_full,
        rough=needs.rough,
    )


def _of_size(read: HubFitted, file_bytes: int) -> HubFitted:
    """The same model quantized otherwise: what is beside the weights in its file stays, the weights are scaled."""
    needs = read.estimate
    beside = max(0, read.file_bytes - needs.weights)
    share = max(0, file_bytes - beside) / max(1, needs.weights)

    def scaled(size: int) -> int:
        return int(size * share)

    layers = tuple(
        replace(layer, weights=scaled(layer.weights), read=scaled(layer.read)) for layer in needs.layers
    )
    estimate = replace(
        needs,
        layers=layers,
        embedding=scaled(needs.embedding),
        output=scaled(needs.output),
        output_read=scaled(needs.output_read),
        staging=scaled(needs.staging),
        rough=True,
    )
    return replace(read, estimate=estimate, file_bytes=file_bytes)


def _siblings(models: Sequence[HubModel]) -> list[list[HubModel]]:
    """The quantizations of each model that a repository holds: the same name but for the quantization."""
    groups: dict[str, list[HubModel]] = {}
    for model in models:
        name = re.sub(r"-\d{5}-of-\d{5}$", "", model.name).casefold()
        rest = name.replace(model.quantization.casefold(), "") if model.quantization else name
        groups.setdefault(rest.strip("-._ "), []).append(model)
    return list(groups.values())


def _first_of(siblings: Sequence[HubModel]) -> HubModel:
    """The one whose header is read: the usual choice, or the one in the middle."""
    by_name = {model.quantization: model for model in siblings}
    usual = next((by_name[name] for name in SMALL_ENOUGH if name in by_name), None)
    return usual or siblings[len(siblings) // 2]
