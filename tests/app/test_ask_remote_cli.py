"""`alcove ask --remote`: shown before it is sent, through a real broker, to a service on loopback."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from support.chat_server import (
    MODEL,
    PROVIDER,
    ChatServer,
    Reply,
    chat_server,
    chunk,
    completion,
    enable,
    refused,
)
from support.outside import ledger_rows, requests_in
from support.vision_files import png

from desktop.chat.leaving import LEAVES_TO, STAYS
from desktop.processes.switch import Position, Switch, write_switch
from desktop.store.records import Message, Option, Status
from desktop.store.store import Store
from providers.costs.budgets import Budgets, Limit, write_budgets
from providers.remote.chosen import Chosen, read_chosen, write_chosen
from providers.remote.values import Auth

WHERE = f"{PROVIDER}/{MODEL}"
QUESTION = "How tall is the tower?"
NOTHING: Mapping[str, Option] = {}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def server(home: Path) -> Iterator[ChatServer]:
    """A service that is switched on, asks for no key, and whose price nobody knows."""
    with chat_server() as found:
        enable(home, found, auth=Auth.NONE)
        yield found


def start(home: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "desktop", *arguments],
        env={"PATH": os.environ["PATH"], "HOME": str(home.parent), "ALCOVE_HOME": str(home)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_hear_interrupts if os.name == "posix" else None,
    )


def _hear_interrupts() -> None:
    """They are ignored where the tests run in the background, and a program leaves it at that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def ask(home: Path, *arguments: str, where: str = WHERE) -> tuple[int, str, str]:
    process = start(home, "ask", "--remote", where, QUESTION, *arguments)
    out, err = process.communicate(timeout=110)
    return process.returncode, out, err


def set_prices(home: Path) -> None:
    prices = {f"{PROVIDER}/*": {"input": "1", "output": "10", "date": "2026-01-02"}}
    (home / "remote" / "prices.json").write_text(json.dumps(prices))


@asynccontextmanager
async def opened(home: Path) -> AsyncIterator[Store]:
    store = Store(home / "conversations.db")
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def conversation(home: Path, options: Mapping[str, Option] = NOTHING) -> int:
    """One with a question and its answer, made here, for which this was chosen: its id."""

    async def make() -> int:
        async with opened(home) as store:
            kept, _, answer = await store.add_turn(None, None, "Is there a tower?", "a model here")
            answer.text, answer.status = "There is.", Status.COMPLETE
            await store.finish(answer)
            for name, value in options.items():
                await store.set_conversation_option(kept.id, name, value)
            return kept.id

    return asyncio.run(make())


def kept(home: Path, conversation_id: int = 1) -> tuple[list[Message], dict[str, Option]]:
    async def look() -> tuple[list[Message], dict[str, Option]]:
        async with opened(home) as store:
            return await store.path(conversation_id), await store.conversation_options(conversation_id)

    return asyncio.run(look())


def test_without_a_yes_all_that_would_be_sent_is_shown_and_nothing_is_sent(
    home: Path, server: ChatServer
) -> None:
    status, out, err = ask(home, "--system", "Be brief.", "--stop", "END", "--max-tokens", "50")
    assert status == 1 and err == "Nothing was sent. Say --yes-send as well to send this.\n"
    for part in (
        f"to {MODEL} at 127.0.0.1:{server.port} (The office):", f"You:\n{QUESTION}\n", "Instructions:\nBe brief.\n",
        "2 messages with 31 characters", "What it costs is not known.", "50 tokens at most", 'ends before: "END"',
    ):  # fmt: skip
        assert part in out
    set_prices(home)
    priced = ask(home)[1]
    assert "It costs about $0.0000" in priced and "and about $0.010 with an answer" in priced
    assert "(prices of 2026-01-02)" in priced
    assert server.asked == [] and ledger_rows(home) == []
    assert not (home / "conversations.db").exists()


def test_what_is_shown_is_what_is_sent(home: Path, server: ChatServer, tmp_path: Path) -> None:
    image, schema = tmp_path / "square.png", tmp_path / "shape.json"
    image.write_bytes(png())
    schema.write_text('{"type": "object", "properties": {"metres": {"type": "number"}}}')
    options = ("--image", str(image), "--json-schema", str(schema), "--max-tokens", "50", "--json")
    status, out, _ = ask(home, *options)
    shown = json.loads(out)
    assert status == 1 and shown["sent"] is False
    assert (shown["provider"], shown["model"], shown["host"]) == (PROVIDER, MODEL, f"127.0.0.1:{server.port}")
    assert shown["estimate"]["cost"] is None and shown["estimate"]["tokens"] > 1000
    assert ask(home, *options, "--yes-send")[0] == 0
    (sent,) = server.chats
    assert sent.json == shown["request"]["body"]
    assert f"http://127.0.0.1:{server.port}{sent.path}" == shown["request"]["url"]


def test_with_a_yes_the_answer_is_written_as_it_comes_and_nothing_is_kept(
    home: Path, server: ChatServer
) -> None:
    go_on = threading.Event()
    server.replies[0] = Reply((chunk("It is "),), until=go_on, length=10_000)
    process = start(home, "ask", "--remote", WHERE, QUESTION, "--yes-send")
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.read(6) == "It is "  # before its end has come
    go_on.set()
    out, err = process.communicate(timeout=110)
    assert process.returncode == 1 and out == "\n"
    assert "The connection to The office ended before the answer did." in err
    server.replies[0] = completion("It is ", "tall.")
    assert ask(home, "--yes-send") == (0, "It is tall.\n", "")
    assert [row["conversation"] for row in requests_in(home)] == ["", ""]
    assert not (home / "conversations.db").exists()


def test_json_tells_the_provider_the_usage_and_what_it_cost(home: Path, server: ChatServer) -> None:
    status, out, err = ask(home, "--yes-send", "--json")
    assert (status, err) == (0, "")
    told: dict[str, Any] = json.loads(out)
    assert (told["provider"], told["model"], told["answer"], told["stop"]) == (
        PROVIDER, MODEL, "Hello there", "stop",
    )  # fmt: skip
    assert (told["usage"]["prompt_tokens"], told["usage"]["generated_tokens"]) == (12, 3)
    assert (told["cost"], told["currency"], told["cost_basis"]) == (None, None, "unknown")
    set_prices(home)
    told = json.loads(ask(home, "--yes-send", "--json")[1])
    assert (told["cost"], told["currency"], told["cost_basis"]) == ("0.000042", "USD", "computed")
    assert told["priced_on"] == "2026-01-02"


@pytest.mark.parametrize("saved", [False, True])
def test_ctrl_c_closes_the_stream(home: Path, server: ChatServer, saved: bool) -> None:
    server.replies[0] = Reply((chunk("It is "),), hangs=True)
    process = start(home, "ask", "--remote", WHERE, QUESTION, "--yes-send", *(["--save"] if saved else []))
    assert process.stdout is not None
    assert process.stdout.read(6) == "It is "
    process.send_signal(signal.SIGINT)
    try:
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, err) == (130, "")
    assert server.went_away.wait(60)
    assert [row["outcome"] for row in ledger_rows(home) if row["kind"] == "end"] == ["cancelled"]
    if saved:
        messages, _ = kept(home)
        assert (messages[-1].text, messages[-1].status) == ("It is ", Status.STOPPED)


@pytest.mark.parametrize("position", [Position.OFFLINE, Position.DOWNLOADS])
def test_only_the_third_position_of_the_switch_lets_a_question_out(
    home: Path, server: ChatServer, position: Position
) -> None:
    write_switch(str(home), Switch(position))
    for options in ((), ("--yes-send",)):
        status, out, err = ask(home, *options)
        assert status == 1 and out == "" and "the network switch does not let remote models out" in err
        assert "“alcove network remote”" in err
    assert server.asked == []


def test_what_is_not_switched_on_or_not_allowed_is_not_asked(home: Path, server: ChatServer) -> None:
    status, out, err = ask(home, "--yes-send", where="openai/gpt-5")
    assert status == 1 and out == "" and "OpenAI is not switched on." in err
    assert "“alcove remote enable openai”" in err
    assert "There is no provider called nobody." in ask(home, "--yes-send", where="nobody/x")[2]
    for wrong in ("openai", "openai/", "/x"):
        status, _, err = ask(home, where=wrong)
        assert status == 2 and "PROVIDER/MODEL" in err
    now = read_chosen(str(home))
    write_chosen(str(home), Chosen(now.enabled, now.own, {PROVIDER: ("another",)}))
    assert f"{MODEL} is not among the models that may be asked" in ask(home, "--yes-send")[2]
    assert server.asked == [] and ledger_rows(home) == []


@pytest.mark.parametrize(
    "option",
    [
        "--adapter=style.gguf", "--model=x.gguf", "--temperature=0", "--seed=0", "--bias=a=1", "--guess-ahead=off",
    ],
)  # fmt: skip
def test_options_for_models_here_are_refused(home: Path, server: ChatServer, option: str) -> None:
    status, out, err = ask(home, option, "--yes-send")
    name = option.partition("=")[0]
    assert (status, out) == (2, "")
    assert err == f"{name} is for models on this device. Leave it out to ask a remote model.\n"
    assert server.asked == []


def test_what_the_service_can_not_be_asked_for_is_refused_before_anything_is_kept(
    home: Path, server: ChatServer, tmp_path: Path
) -> None:
    grammar = tmp_path / "letters"
    grammar.write_text("root ::= [a-z]+")
    for options in ((), ("--yes-send", "--save")):
        status, out, err = ask(home, "--grammar", str(grammar), *options)
        assert status == 1 and out == "" and "can't hold an answer to a grammar" in err
    assert server.asked == [] and not (home / "conversations.db").exists()
    process = start(home, "ask", "Hi", "--yes-send")
    assert "--yes-send goes with --remote" in process.communicate(timeout=110)[1]
    assert process.returncode == 2


def test_a_conversation_that_never_leaves_is_refused_with_a_yes_or_without(
    home: Path, server: ChatServer
) -> None:
    number = conversation(home, {STAYS: True, LEAVES_TO: [PROVIDER]})
    for options in ((), ("--yes-send",)):
        status, out, err = ask(home, "--conversation", str(number), *options)
        assert status == 1 and out == "" and "this conversation never leaves this device" in err
    assert server.asked == [] and ledger_rows(home) == []
    assert len(kept(home, number)[0]) == 2


def test_a_conversation_goes_on_with_what_stands_before_and_the_agreement_is_kept(
    home: Path, server: ChatServer
) -> None:
    number = conversation(home, {LEAVES_TO: ["openai"]})
    status, out, _ = ask(home, "--conversation", str(number))
    assert status == 1 and "You:\nIs there a tower?\n\nAnswer:\nThere is.\n\nYou:\nHow tall" in out
    assert kept(home, number)[1] == {LEAVES_TO: ["openai"]} and len(kept(home, number)[0]) == 2
    shown = json.loads(ask(home, "--conversation", str(number), "--json")[1])
    assert ask(home, "--conversation", str(number), "--yes-send") == (0, "Hello there\n", "")
    (sent,) = server.chats
    assert sent.json == shown["request"]["body"]
    messages, options = kept(home, number)
    assert options == {LEAVES_TO: ["openai", PROVIDER]}
    assert [message.text for message in messages[2:]] == [QUESTION, "Hello there"]
    assert (messages[-1].provider, messages[-1].cost_basis) == (PROVIDER, "unknown")
    assert [row["conversation"] for row in requests_in(home)] == [str(number)]


def test_a_question_is_kept_when_that_is_wanted_and_only_when_it_is_sent(
    home: Path, server: ChatServer
) -> None:
    assert ask(home, "--save")[0] == 1 and not (home / "conversations.db").exists()
    assert ask(home, "--save", "--yes-send") == (0, "Hello there\n", "")
    messages, options = kept(home)
    assert options == {LEAVES_TO: [PROVIDER]} and len(messages) == 2


def test_a_conversation_that_is_not_there_is_a_sentence(home: Path, server: ChatServer) -> None:
    assert "There is no conversation 7." in ask(home, "--conversation", "7", "--yes-send")[2]
    assert not (home / "conversations.db").exists()
    number = conversation(home)

    async def trash() -> None:
        async with opened(home) as store:
            await store.trash(number)

    asyncio.run(trash())
    status, _, err = ask(home, "--conversation", str(number), "--yes-send")
    assert status == 1 and f"Conversation {number} is in the trash." in err
    assert "There is no conversation 77." in ask(home, "--conversation", "77", "--yes-send")[2]
    assert server.asked == []


def test_what_goes_wrong_is_said_in_the_words_of_the_window(home: Path, server: ChatServer) -> None:
    server.replies[0] = refused(401, "that key \x1b[31mis no good")
    status, out, err = ask(home, "--yes-send")
    assert status == 1 and out == "" and "The office does not take your key" in err
    assert "It said: “that key" in err and "\x1b" not in err
    write_budgets(str(home), Budgets({PROVIDER: Limit(month=Decimal(1))}))
    assert (
        "the budget for The office is spent" not in ask(home, "--yes-send")[2]
    )  # one's own server, no price
    set_prices(home)
    write_budgets(str(home), Budgets({"": Limit(month=Decimal(0))}))
    status, out, err = ask(home, "--yes-send", "--json")
    assert status == 1 and out == "" and "the budget for The office is spent" in err
    enable(home, server, auth=Auth.BEARER)
    (home / "remote" / "budgets.json").unlink()
    assert "there is no key for The office" in ask(home, "--yes-send")[2]


def test_a_conversation_goes_on_here_as_well(home: Path) -> None:
    number = conversation(home)
    process = start(home, "ask", "And then?", "--conversation", str(number), "--max-tokens", "3")
    out, err = process.communicate(timeout=110)
    assert (process.returncode, err) == (0, "")
    messages, options = kept(home, number)
    assert messages[2].text == "And then?" and out.strip() == messages[3].text.strip()
    assert (messages[3].provider, options) == ("", {})
