"""Images on screen: thumbnails that open larger over the window. Drawn from plain pixels; nothing is decoded here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import QAbstractButton, QWidget

from desktop.i18n import tr
from desktop.viewmodels.images import ImagesViewModel
from desktop.views.widgets import describe

if TYPE_CHECKING:
    from PySide6.QtGui import QKeyEvent, QMouseEvent, QPaintEvent

    from desktop.picture_messages import Drawn

_RADIUS = 8
_AROUND = 32  # pixels between a large image and the edge of the window
_STEP = 64  # sizes are asked for in these steps, so that a window that is being resized doesn't ask for each


def image_of(drawn: Drawn) -> QImage:
    """The pixels as Qt paints them. They were decoded elsewhere."""
    image = QImage(drawn.data, drawn.width, drawn.height, drawn.width * 3, QImage.Format.Format_RGB888)
    return image.copy()  # which owns its bytes


class Thumbnail(QAbstractButton):
    """A square with the middle of an image in it. A click shows all of it, large."""

    def __init__(
        self,
        images: ImagesViewModel,
        attachment_id: int,
        name: str,
        ink: QColor,
        ground: QColor,
        ring: QColor,
    ) -> None:
        super().__init__()
        self._images = images
        self.attachment_id = attachment_id
        self._colours = (ink, ground, ring)
        self._image: QImage | None = None
        self._side = 0  # that its pixels were asked for
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        describe(self, name, tr("Show the image larger"), tip=True)
        images.arrived.connect(self._arrived)
        self.clicked.connect(self._enlarge)

    @property
    def is_drawn(self) -> bool:
        """Whether its pixels are here."""
        return self._image is not None

    def set_colours(self, ink: QColor, ground: QColor, ring: QColor) -> None:
        self._colours = (ink, ground, ring)
        self.update()

    def sizeHint(self) -> QSize:
        return self.minimumSize()

    def _arrived(self, attachment_id: int) -> None:
        if attachment_id == self.attachment_id:
            self.update()

    def _enlarge(self) -> None:
        LargeImage(self.window(), self._images, self.attachment_id, self.accessibleName()).open()

    def paintEvent(self, event: QPaintEvent) -> None:
        ink, ground, ring = self._colours
        side = 2 * round(self.width() * self.devicePixelRatioF())  # sharp, though its middle fills the square
        if self._side != side:
            self._image = None
        if self._image is None:
            self._side = side
            drawn = self._images.pixels(self.attachment_id, side, side)
            self._image = image_of(drawn) if drawn is not None else None
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        frame = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        path = QPainterPath()
        path.addRoundedRect(frame, _RADIUS, _RADIUS)
        painter.fillPath(path, ground)
        if self._image is not None:
            painter.setClipPath(path)
            size = self._image.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatioByExpanding)
            place = QRectF(0, 0, size.width(), size.height())
            place.moveCenter(frame.center())
            painter.drawImage(place, self._image)
            painter.setClipping(False)
        painter.setPen(QPen(ring, 2) if self.hasFocus() else QPen(ink, 1))
        painter.drawPath(path)


class LargeImage(QWidget):
    """One image over the whole window, until a click or a key."""

    def __init__(self, window: QWidget, images: ImagesViewModel, attachment_id: int, name: str) -> None:
        super().__init__(window)
        self._window = window
        self._images = images
        self._attachment_id = attachment_id
        self._focus_before = window.focusWidget()
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        describe(self, name, tr("A click or Esc closes it."))
        window.installEventFilter(self)
        images.arrived.connect(self.update)

    def open(self) -> None:
        self.setGeometry(self._window.rect())
        self.show()
        self.raise_()
        self.setFocus()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self.setGeometry(self._window.rect())
        return False

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride:  # Esc is for this, not for the window's own keys
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        self._leave()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._leave()

    def _leave(self) -> None:
        self.close()
        if self._focus_before is not None:
            self._focus_before.setFocus()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.fillRect(self.rect(), QColor(0, 0, 0, 200))
        room = self.size() - QSize(2 * _AROUND, 2 * _AROUND)
        ratio = self.devicePixelRatioF()
        width, height = (
            max(_STEP, int(side * ratio) // _STEP * _STEP) for side in (room.width(), room.height())
        )
        drawn = self._images.pixels(self._attachment_id, width, height)
        if drawn is None:
            return
        image = image_of(drawn)
        size = (image.size() / ratio).toSizeF()
        place = QRectF(0, 0, size.width(), size.height())
        place.moveCenter(QRectF(self.rect()).center())
        painter.drawImage(place, image)
