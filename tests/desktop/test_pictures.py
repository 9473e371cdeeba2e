"""Whatever a person adds becomes an image that models can be shown, decoded in a locked child, or a plain sentence."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from PySide6.QtCore import QBuffer, QByteArray, QIODevice
from PySide6.QtGui import QColor, QImage, QImageWriter
from support.vision_files import png, png_of

from desktop.picture_messages import MOST_FILE_BYTES, MOST_SIDE
from desktop.pictures import Pictures
from desktop.words.models import model_fault
from models.runtime.faults import Fault, RuntimeFault
from models.runtime.picture import media_type, size_of

T = TypeVar("T")


def use(work: Callable[[Pictures], Awaitable[T]]) -> T:
    async def run() -> T:
        pictures = Pictures()
        try:
            return await work(pictures)
        finally:
            await pictures.close()

    return asyncio.run(run())


def photo(kind: str, width: int, height: int) -> bytes:
    image = QImage(width, height, QImage.Format.Format_RGB32)
    image.fill(QColor(200, 30, 30))
    image.setText("Comment", "taken at home")
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    assert QImageWriter(buffer, QByteArray(kind.encode())).write(image)
    return bytes(buffer.data().data())


def test_every_usual_format_becomes_one_that_a_model_gets_without_what_was_written_beside_it() -> None:
    async def prepare(pictures: Pictures) -> None:
        for kind in ("PNG", "JPEG", "WEBP", "BMP"):
            made = await pictures.prepare(photo(kind, 300, 200), f"photo.{kind.lower()}")
            assert (made.width, made.height) == size_of(made.content) == (300, 200), kind
            assert made.media_type == media_type(made.content)
            assert b"taken at home" not in made.content

    use(prepare)


def test_a_large_photo_is_made_smaller_and_a_tiny_one_gets_a_margin() -> None:
    async def prepare(pictures: Pictures) -> None:
        large = await pictures.prepare(photo("JPEG", 6000, 4000))
        assert (large.width, large.height) == (MOST_SIDE, MOST_SIDE * 2 // 3)
        tiny = await pictures.prepare(png(3, 2))
        assert (tiny.width, tiny.height) == (32, 32)

    use(prepare)


def test_the_pixels_to_be_shown_are_plain_numbers() -> None:
    async def draw(pictures: Pictures) -> None:
        made = await pictures.prepare(png(80, 60))
        drawn = await pictures.draw(made.content, 20, 20)
        assert (drawn.width, drawn.height, len(drawn.data)) == (20, 15, 20 * 15 * 3)
        assert drawn.data[:3] == bytes((255, 0, 0)) and drawn.data[57:60] == bytes(3)

    use(draw)


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="file:///etc/passwd"/></svg>'


BAD = (
    (b"", Fault.IMAGE_FORMAT),
    (b"words", Fault.IMAGE_FORMAT),
    (SVG, Fault.IMAGE_FORMAT),
    (b"%PDF-1.7 ...", Fault.IMAGE_FORMAT),
    (png()[:60], Fault.IMAGE_UNREADABLE),
    (png_of(60_000, 60_000, b""), Fault.IMAGE_TOO_LARGE),
    (bytes(MOST_FILE_BYTES + 1), Fault.IMAGE_FILE_TOO_LARGE),
)


def test_what_is_no_usable_image_is_a_sentence_and_the_next_one_is_taken() -> None:
    async def refuse(pictures: Pictures) -> None:
        for data, fault in BAD:
            with pytest.raises(RuntimeFault) as refused:
                await pictures.prepare(data)
            assert refused.value.fault is fault, data[:20]
            assert model_fault(fault, "", refused.value.facts, "model").text.endswith(".")
        assert (await pictures.prepare(png())).width

    use(refuse)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other locks")
def test_the_process_that_decodes_images_has_no_network_and_starts_no_program() -> None:
    async def look(pictures: Pictures) -> str:
        await pictures.prepare(png())
        return Path(f"/proc/{pictures.pid}/status").read_text("utf-8")

    status = use(look)
    assert "NoNewPrivs:\t1" in status and "Seccomp:\t2" in status


def test_a_file_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    async def refuse(pictures: Pictures) -> RuntimeFault:
        with pytest.raises(RuntimeFault) as refused:
            await pictures.prepare_file(tmp_path / "gone.png")
        return refused.value

    refused = use(refuse)
    assert "gone.png" in model_fault(refused.fault, "", refused.facts, "model").text


def test_an_image_that_keeps_the_decoder_busy_ends_it_and_nothing_else() -> None:
    async def hurry() -> None:
        pictures = Pictures(patience=0.0)
        with pytest.raises(RuntimeFault) as refused:
            await pictures.prepare(png())
        assert refused.value.fault is Fault.IMAGE_UNREADABLE
        await pictures.close()

    asyncio.run(hurry())
