"""How Alcove talks with a model can be seen, recognised, replaced and given back, in the window and in a terminal."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot
from support.gguf_files import CHATML
from support.gguf_scripted import write_scripted
from support.window_parts import LOCKED, shown
from support.workers import spawn_worker

from desktop import commands
from desktop.local_models import make_model
from desktop.templates import Templates, Verdict
from desktop.viewmodels.notice import Notice
from desktop.views.template_dialog import TemplateDialog, template_dialog
from models.runtime.faults import Fault, RuntimeFault
from models.runtime.values import LoadOptions, Turn
from providers.base import ChatRequest
from providers.errors import ProviderError
from providers.events import TextDelta

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.qt_log_ignore("propagateSizeHints", extend=True),
]


def base_model(folder: Path) -> Path:
    return write_scripted(folder / "qwen-base.gguf", ["Hello", "<|im_end|>"], template=None)


def test_a_file_without_a_template_answers_with_the_one_that_was_chosen_for_it(tmp_path: Path) -> None:
    path = base_model(tmp_path)
    templates = Templates(tmp_path / "templates", spawn_worker)

    async def talk() -> str:
        model = make_model(path, LoadOptions(), templates=templates)
        try:
            events = [event async for event in model.stream(ChatRequest((Turn("user", "Hello?"),)))]
        finally:
            await model.close()
        return "".join(event.text for event in events if isinstance(event, TextDelta))

    async def all_of_it() -> None:
        before = await templates.look(path)
        assert before.verdict is Verdict.NONE and before.form is not None and before.form.title == "ChatML"
        bad = tmp_path / "bad.jinja"
        bad.write_text("the same words whatever is said", "utf-8")
        with pytest.raises(RuntimeFault) as caught:
            await templates.use_file(path, bad)
        assert caught.value.fault is Fault.TEMPLATE_BROKEN and templates.replacement(path) == ""
        assert (await templates.use_form(path, "chatml")).verdict is Verdict.REPLACED
        assert await talk() == "Hello"
        assert (await templates.reset(path)).verdict is Verdict.NONE

    asyncio.run(all_of_it())


def test_a_damaged_replacement_is_none(tmp_path: Path) -> None:
    templates = Templates(tmp_path / "templates", spawn_worker)
    asyncio.run(templates.use_form(base_model(tmp_path), "chatml"))
    (kept,) = (tmp_path / "templates").iterdir()
    kept.write_bytes(b"\xff{")
    assert templates.replacement(tmp_path / "qwen-base.gguf") == ""


def test_the_dialog_shows_the_template_and_replaces_it(qtbot: QtBot, tmp_path: Path) -> None:
    path = base_model(tmp_path)
    other = tmp_path / "other.jinja"
    other.write_text(CHATML, "utf-8")
    with shown(qtbot, tmp_path / "home") as parts:
        parts.models.templates = Templates(tmp_path / "templates", spawn_worker)
        dialog = template_dialog(parts.window.theme, parts.window, parts.models, str(path))
        assert isinstance(dialog, TemplateDialog)
        dialog.open()
        template = dialog.template
        qtbot.waitUntil(lambda: not template.busy, timeout=60_000)
        assert "no chat template" in dialog.words.text() and dialog.source.isHidden()
        assert dialog.form_button.text() == "Use ChatML" and not dialog.reset_button.isEnabled()
        dialog.form_button.click()
        qtbot.waitUntil(lambda: not template.busy, timeout=60_000)
        assert "Replaced by you" in dialog.words.text() and "<|im_start|>" in dialog.source.toPlainText()
        template.use_file(str(other))
        qtbot.waitUntil(lambda: not template.busy, timeout=60_000)
        assert dialog.source.toPlainText() == CHATML and dialog.source.isReadOnly()
        template.use_file(str(tmp_path / "missing.jinja"))
        qtbot.waitUntil(lambda: not template.busy, timeout=60_000)
        assert "no file missing.jinja" in dialog.problem.text() and dialog.source.toPlainText() == CHATML
        dialog.reset_button.click()
        qtbot.waitUntil(lambda: not template.busy, timeout=60_000)
        assert dialog.source.toPlainText() == "" and not dialog.problem.text()
        dialog.accept()


def test_the_command_opens_the_dialog_of_the_model_in_use(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path / "home") as parts:
        parts.models.templates = Templates(tmp_path / "templates", spawn_worker)
        parts.window.run("template")
        (dialog,) = parts.window.findChildren(TemplateDialog)
        qtbot.waitUntil(lambda: not dialog.template.busy, timeout=60_000)
        assert "known template of SmolLM 2" in dialog.words.text()
        assert dialog.isVisible()
        dialog.reject()


def test_on_the_command_line(
    alcove_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    other = tmp_path / "other.jinja"
    other.write_text(CHATML, "utf-8")

    def run(*arguments: str) -> tuple[int, str, str]:
        status = commands.run(["models", "template", "SmolLM2", *arguments], LOCKED)
        return status, *capsys.readouterr()

    status, text, words = run()
    assert status == 0 and text.startswith("{% for message") and "known template of SmolLM 2" in words
    status, text, _ = run("--use", str(other))
    assert status == 0 and "Replaced by you" in text
    status, text, _ = run("--reset")
    assert status == 0 and "known template" in text


def test_a_model_without_a_template_offers_to_choose_one(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path / "home") as parts:
        parts.models.templates = Templates(tmp_path / "templates", spawn_worker)
        notices: list[Notice] = []
        parts.models.notice.connect(notices.append)
        parts.models._refused(str(base_model(tmp_path)), ProviderError(Fault.NO_TEMPLATE))
        (notice,) = notices
        assert notice.action_text == "Choose a template…" and notice.action is not None
        notice.action()
        (dialog,) = parts.window.findChildren(TemplateDialog)
        qtbot.waitUntil(lambda: not dialog.template.busy, timeout=60_000)
        assert dialog.form_button.text() == "Use ChatML"
        dialog.reject()


def test_a_dialog_that_is_closed_while_it_reads_leaves_nothing_behind(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path / "home") as parts:
        parts.models.templates = Templates(tmp_path / "templates", spawn_worker)
        parts.window.run("template")
        (dialog,) = parts.window.findChildren(TemplateDialog)
        job = dialog.template._job
        assert job is not None and dialog.template.busy
        dialog.reject()
        qtbot.waitUntil(lambda: job.task is not None and job.task.done(), timeout=60_000)
        qtbot.waitUntil(lambda: not parts.window.findChildren(TemplateDialog), timeout=60_000)
