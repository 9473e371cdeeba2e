"""A local model behaves as every provider must."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest
from support.workers import GREEDY, spawn_worker, starter

from models.runtime.engine import Engine
from models.runtime.faults import Fault, StopReason
from models.runtime.values import LoadOptions, Sampling, Turn
from providers.base import ChatRequest, Provider
from providers.errors import ProviderError
from providers.events import Event, Finished, LoadProgress, ModelReady, PromptProgress, TextDelta, Usage
from providers.local import LocalModel

HELLO = ChatRequest((Turn("user", "Say hello."),), GREEDY, 8)


async def events(model: Provider, request: ChatRequest = HELLO) -> list[Event]:
    return [event async for event in model.stream(request)]


def test_the_first_answer_loads_the_model_and_the_second_does_not() -> None:
    async def talk() -> tuple[list[Event], list[Event]]:
        model = LocalModel(Engine(spawn_worker), starter())
        assert model.card is None and model.placement is None and model.name == starter().stem
        first, second = await events(model), await events(model)
        assert model.card is not None and model.name == f"{model.card.name} Q4_1"
        await model.close()
        assert model.placement is None
        return first, second

    first, second = asyncio.run(talk())
    kinds = [type(event) for event in first]
    order = [LoadProgress, ModelReady, PromptProgress, TextDelta, Usage, Finished]
    assert list(dict.fromkeys(kinds)) == order
    assert not any(isinstance(event, LoadProgress | ModelReady) for event in second)
    usage = next(event for event in second if isinstance(event, Usage))
    assert usage.generated_tokens <= 8 and usage.reused_tokens > 0 and usage.tokens_per_second > 0


def test_it_can_be_loaded_before_it_is_asked() -> None:
    async def load() -> list[LoadProgress | ModelReady]:
        model = LocalModel(Engine(spawn_worker), starter(), LoadOptions(context_tokens=512))
        told = [event async for event in model.load()]
        assert model.placement is not None and model.placement.context_tokens == 512
        assert [type(event) async for event in model.load()] == [ModelReady]
        await model.close()
        return told

    told = asyncio.run(load())
    assert isinstance(told[-1], ModelReady) and not told[-1].placement.on_gpu
    fractions = [event.fraction for event in told if isinstance(event, LoadProgress)]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0


def test_closing_the_stream_cancels_and_the_model_answers_again() -> None:
    async def talk() -> list[Event]:
        model = LocalModel(Engine(spawn_worker), starter())
        request = ChatRequest((Turn("user", "Count to a thousand."),), Sampling(), None)
        async with aclosing(model.stream(request)) as stream:
            async for event in stream:
                if isinstance(event, TextDelta):
                    break
        try:
            return await events(model)
        finally:
            await model.close()

    last = asyncio.run(talk())[-1]
    assert isinstance(last, Finished) and last.reason in (StopReason.STOP, StopReason.LENGTH)


def test_changed_options_take_effect_with_the_next_answer_and_changed_sampling_loads_nothing() -> None:
    async def talk() -> None:
        model = LocalModel(Engine(spawn_worker), starter(), LoadOptions(context_tokens=512))
        await events(model)
        warmer = ChatRequest(HELLO.turns, Sampling(temperature=1.0), 4)
        assert not any(isinstance(event, ModelReady) for event in await events(model, warmer))
        model.options = LoadOptions(context_tokens=768)
        ready = [event for event in await events(model) if isinstance(event, ModelReady)]
        assert [event.placement.context_tokens for event in ready] == [768]
        await model.close()

    asyncio.run(talk())


def test_a_fault_becomes_an_error_of_the_provider(tmp_path: Path) -> None:
    async def talk() -> ProviderError:
        model = LocalModel(Engine(spawn_worker), tmp_path / "nowhere.gguf")
        with pytest.raises(ProviderError) as caught:
            await events(model)
        with pytest.raises(ProviderError):
            [event async for event in model.load()]
        await model.close()
        return caught.value

    assert asyncio.run(talk()).kind is Fault.FILE_MISSING
