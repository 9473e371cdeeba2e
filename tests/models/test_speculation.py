"""Guessing ahead changes how fast an answer comes and nothing else: not its words, its end, or what is remembered."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from pathlib import Path

import pytest
from support.gguf_files import write_model, write_recurrent_model
from support.workers import GREEDY, Answer, ask, engine_with, spawn_worker, starter

from models.runtime.engine import Engine
from models.runtime.faults import Fault, RuntimeFault, StopReason
from models.runtime.protocol import Piece
from models.runtime.speculation import PromptLookup
from models.runtime.values import LoadOptions, Sampling, Speculation, Turn

WILD = Sampling(temperature=1.2, repeat_penalty=1.1, seed=4)
FEW_LETTERS = "root ::= [ab]{500}"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "tiny.gguf", context=320)


@pytest.fixture(scope="module", params=["lookup", "draft", "poor draft"])
def guessing(
    request: pytest.FixtureRequest,
    runner: asyncio.Runner,
    tiny: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Engine]:
    """A tiny model whose words are guessed: from the text, by a model that is always right, by one that rarely is."""
    poor = write_model(tmp_path_factory.mktemp("poor") / "poor.gguf", context=320, seed=2)
    options = {
        "lookup": LoadOptions(speculation=Speculation.LOOKUP),
        "draft": LoadOptions(speculation=Speculation.DRAFT, draft=str(tiny)),
        "poor draft": LoadOptions(speculation=Speculation.DRAFT, draft=str(poor)),
    }[request.param]
    engine = Engine(spawn_worker)
    runner.run(load(engine, tiny, options))
    yield engine
    runner.run(engine.close())


@pytest.fixture(scope="module")
def plain(guessing: Engine, runner: asyncio.Runner, tiny: Path) -> Iterator[Engine]:
    """The same without guesses; new for each kind of them, because a model remembers what it was asked."""
    engine = Engine(spawn_worker)
    runner.run(load(engine, tiny, LoadOptions()))
    yield engine
    runner.run(engine.close())


async def load(engine: Engine, path: Path, options: LoadOptions) -> None:
    async for _ in engine.load(path, options):
        pass


def seen(answer: Answer) -> tuple[str, StopReason, int, int, int]:
    """What must not depend on guessing."""
    done = answer.completed
    return answer.text, done.reason, done.prompt_tokens, done.reused_tokens, done.generated_tokens


@pytest.mark.parametrize("sampling", [GREEDY, WILD])
@pytest.mark.parametrize("grammar", ["", FEW_LETTERS])
def test_the_answer_is_the_one_it_would_be_without(
    runner: asyncio.Runner, plain: Engine, guessing: Engine, sampling: Sampling, grammar: str
) -> None:
    for tokens in (1, 2, 40):
        turns = [Turn("user", f"Say {tokens} abab abab abab.")]
        expected = runner.run(ask(plain, turns, sampling, tokens, grammar))
        answer = runner.run(ask(guessing, turns, sampling, tokens, grammar))
        assert seen(answer) == seen(expected)
    if grammar:
        assert answer.completed.guessed_tokens > 0


def test_a_conversation_goes_on_as_without_and_reads_nothing_twice(
    runner: asyncio.Runner, plain: Engine, guessing: Engine
) -> None:
    async def talk(engine: Engine) -> list[tuple[str, StopReason, int, int, int]]:
        turns: list[Turn] = [Turn("system", "In other words.")]
        told = []
        for question in ("Hello, hello, hello.", "And again?", "Once more, once more."):
            turns.append(Turn("user", question))
            answer = await ask(engine, turns, WILD, 40, FEW_LETTERS)
            turns.append(Turn("assistant", answer.text))
            told.append(seen(answer))
        return told

    assert runner.run(talk(guessing)) == runner.run(talk(plain))


def test_it_ends_where_the_context_does(runner: asyncio.Runner, plain: Engine, guessing: Engine) -> None:
    full = runner.run(ask(guessing, "Go.", GREEDY, None, "root ::= [ab]{1000}")).completed
    expected = runner.run(ask(plain, "Go.", GREEDY, None, "root ::= [ab]{1000}")).completed
    # Over hundreds of letters the rounding of a batch may tip one; where the context ends it does not change.
    assert (full.reason, full.generated_tokens) == (StopReason.CONTEXT_FULL, expected.generated_tokens)


def test_it_can_be_stopped_and_its_cache_is_right_afterwards(
    runner: asyncio.Runner, plain: Engine, guessing: Engine
) -> None:
    async def stop() -> str:
        text = ""
        turns = [Turn("user", "Stop me.")]
        async with aclosing(guessing.generate(turns, GREEDY, None, "root ::= [ab]{1000}")) as reports:
            async for report in reports:
                if isinstance(report, Piece):
                    text += report.text
                if len(text) > 30:
                    return text
        raise AssertionError("it ended by itself")

    text = runner.run(stop())
    turns = [Turn("user", "Stop me."), Turn("assistant", text), Turn("user", "Go on.")]
    after = runner.run(ask(guessing, turns, GREEDY, 40, FEW_LETTERS))
    assert after.text == runner.run(ask(plain, turns, GREEDY, 40, FEW_LETTERS)).text


def test_a_real_model_that_repeats_its_prompt_is_guessed_right(
    runner: asyncio.Runner, engine: Engine
) -> None:
    question = (
        "Repeat word for word: one two three four five six seven eight nine ten, one two three four five six."
    )

    async def both() -> tuple[Answer, Answer]:
        expected = await ask(engine, question, GREEDY, 32)
        async with engine_with(starter(), LoadOptions(speculation=Speculation.LOOKUP)) as guessing:
            return expected, await ask(guessing, question, GREEDY, 32)

    expected, answer = runner.run(both())
    assert answer.text == expected.text
    assert answer.completed.accepted_tokens > 5


def test_a_model_that_cannot_go_back_is_not_guessed_for(runner: asyncio.Runner, tmp_path: Path) -> None:
    path = write_recurrent_model(tmp_path / "recurrent.gguf")

    async def both() -> list[Answer]:
        answers = []
        for options in (LoadOptions(), LoadOptions(speculation=Speculation.LOOKUP)):
            async with engine_with(path, options) as engine:
                answers.append(await ask(engine, "abab abab abab", GREEDY, 24, FEW_LETTERS))
        return answers

    expected, answer = runner.run(both())
    assert answer.text == expected.text and answer.completed.guessed_tokens == 0


@pytest.mark.parametrize("what", ["gone", "garbage", "other words"])
def test_a_draft_model_that_does_not_fit_is_refused(
    runner: asyncio.Runner, tiny: Path, tmp_path: Path, what: str
) -> None:
    draft = tmp_path / "draft.gguf"
    fault = Fault.DRAFT_UNUSABLE
    if what == "garbage":
        draft.write_bytes(tiny.read_bytes()[:-200])
    if what == "other words":
        write_model(draft, control=("<|a|>", "<|im_start|>", "<|im_end|>"))
        fault = Fault.DRAFT_OF_ANOTHER_VOCABULARY
    engine = Engine(spawn_worker)
    with pytest.raises(RuntimeFault) as caught:
        runner.run(load(engine, tiny, LoadOptions(speculation=Speculation.DRAFT, draft=str(draft))))
    assert caught.value.fault is fault and caught.value.facts["draft"] == "draft.gguf"
    runner.run(engine.close())


@pytest.mark.parametrize(
    ("tokens", "most", "guess"),
    [
        ([1, 2, 3, 4, 1, 2], 4, [3, 4, 1, 2]),
        ([1, 2, 3, 4, 1, 2], 1, [3]),
        ([9, 2, 7, 1, 2, 8, 9, 2], 2, [7, 1]),
        ([5, 1, 2, 8, 6, 1, 2, 9, 5, 1, 2], 2, [8, 6]),
        ([1, 2, 8, 1, 2, 9, 1, 2], 1, [9]),
        ([1, 2, 3], 4, []),
        ([1], 4, []),
    ],
)
def test_what_followed_the_same_words_before_is_guessed(
    tokens: list[int], most: int, guess: Sequence[int]
) -> None:
    lookup = PromptLookup()
    lookup.begin(tokens)
    assert lookup.guess(tokens, most) == guess
    once_more = PromptLookup()
    once_more.begin([])
    for end in range(1, len(tokens)):
        once_more.guess(tokens[:end], most)
    assert once_more.guess(tokens, most) == guess
