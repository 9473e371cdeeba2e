"""How much a model thinks is offered where it makes a difference, and belongs to its conversation."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot
from support.window_parts import PLACEMENT, ask, shown

from models.runtime.values import Effort
from providers.base import ChatRequest
from providers.echo import Echo
from providers.events import Event, ModelReady

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)


class Listening(Echo):
    """Says the question back, and remembers how much it was asked to think."""

    def __init__(self) -> None:
        super().__init__()
        self.efforts: list[Effort] = []

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Event, None]:
        self.efforts.append(request.effort)
        async for event in super().stream(request):
            yield event


def test_thinking_is_offered_only_for_a_model_that_knows_the_difference(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        assert not parts.chat.effort.choices
        status = parts.window.page.status
        parts.models.take(ModelReady(PLACEMENT, (Effort.LOW, Effort.MEDIUM, Effort.HIGH)))
        assert status.effort.isVisible() and status.effort.text() == "Thinking: as usual"
        assert [value for value, _ in parts.chat.effort.choices] == ["", "low", "medium", "high"]
        parts.chat.effort.choose("high")
        assert status.effort.text() == "Thinking: a lot"
        parts.models.take(ModelReady(PLACEMENT))
        assert not status.effort.isVisible() and parts.chat.effort.chosen == ""


def test_a_choice_reaches_the_model_and_stays_with_its_conversation(qtbot: QtBot, tmp_path: Path) -> None:
    model = Listening()
    with shown(qtbot, tmp_path, echo=model) as parts:
        parts.models.take(ModelReady(PLACEMENT, (Effort.OFF, Effort.ON)))
        effort = parts.chat.effort
        effort.choose("off")  # before the conversation is there
        ask(qtbot, parts, "One")
        first = parts.conversations.current_id
        parts.models.take(ModelReady(PLACEMENT, (Effort.OFF, Effort.ON)))
        parts.conversations.new()
        assert effort.chosen == ""
        ask(qtbot, parts, "Two")
        parts.models.take(ModelReady(PLACEMENT, (Effort.OFF, Effort.ON)))
        assert first is not None
        parts.conversations.open(first)
        qtbot.waitUntil(lambda: effort.chosen == "off", timeout=20_000)
        effort.choose("")
        parts.conversations.new()
        parts.conversations.open(first)
        qtbot.waitUntil(lambda: parts.chat.can_send, timeout=20_000)
        assert effort.chosen == ""
        assert model.efforts == [Effort.OFF, Effort.AUTOMATIC]
