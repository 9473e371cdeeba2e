"""Models that other programs have put on this disk are in the window's list, and answer from where they lie."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.gguf_files import write_model
from support.vision_files import write_projector
from support.whole_program import wait, whole_program

from desktop.viewmodels.chat import ChatState

pytestmark = [
    pytest.mark.usefixtures("qapp"),
    pytest.mark.timeout(300),
    pytest.mark.qt_log_ignore("propagateSizeHints", extend=True),
]


def test_another_programs_model_is_found_chosen_and_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    store = tmp_path / ".lmstudio" / "models" / "somebody" / "tiny-GGUF"
    store.mkdir(parents=True)
    model = write_model(store / "tiny-Q8_0.gguf")
    write_projector(store / "mmproj-tiny-f16.gguf", width=64)
    (store / "broken-Q8_0.gguf").write_bytes(model.read_bytes()[:-1000])
    with whole_program(tmp_path / "alcove", sampling_max_tokens=4) as parts:
        parts.models.look_around()
        wait(lambda: not parts.models.looking)
        items = {Path(item.path).name: item for item in parts.models.items}
        assert "From LM Studio." in items[model.name].remark
        assert not items[model.name].missing
        assert "sees images" in items[model.name].detail
        assert [item.path for item in parts.models.seeing] == [str(model)]
        assert items["broken-Q8_0.gguf"].missing
        assert "incomplete" in items["broken-Q8_0.gguf"].remark
        assert parts.chat.image_hint[1] == (
            (items[model.name].name, str(model)),
        )  # instead of one that can't see
        parts.chat.use_model(str(model))
        wait(lambda: parts.models.loading is None and "Tiny" in parts.models.chip_text)
        assert parts.models.sees and parts.chat.image_hint == ("", ())
        wait(lambda: parts.chat.can_send)
        assert parts.chat.send("Hello")
        wait(lambda: parts.chat.state is ChatState.IDLE)
        assert parts.chat.transcript.entries[-1].status == "complete"
