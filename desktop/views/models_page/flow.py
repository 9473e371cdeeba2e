"""Controls side by side that go on in the next line where the room ends: buttons and filters at any size of text."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtWidgets import QLayout, QLayoutItem, QSizePolicy, QWidget


class Flow(QLayout):
    """As Qt's own layouts, for any number of widgets; hidden ones take no room."""

    def __init__(self, spacing: int = 8) -> None:
        super().__init__()
        self._items: list[QLayoutItem] = []
        self.setSpacing(spacing)
        self.setContentsMargins(0, 0, 0, 0)

    def addItem(self, item: QLayoutItem) -> None:
        self._items.append(item)

    def count(self) -> int:
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def expandingDirections(self) -> Qt.Orientation:
        return Qt.Orientation(0)

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return self._place(QRect(0, 0, width, 0), move=False)

    def setGeometry(self, rect: QRect) -> None:
        super().setGeometry(rect)
        self._place(rect, move=True)

    def sizeHint(self) -> QSize:
        return self.minimumSize()

    def minimumSize(self) -> QSize:
        sizes = [item.minimumSize() for item in self._items if not item.isEmpty()]
        return QSize(
            max((size.width() for size in sizes), default=0),
            max((size.height() for size in sizes), default=0),
        )

    def _place(self, rect: QRect, *, move: bool) -> int:
        """Put every item into lines of this width, in the middle of their line. The height they take."""
        x, y = 0, 0
        line: list[tuple[QLayoutItem, QRect]] = []
        for item in self._items:
            if item.isEmpty():
                continue
            size = item.sizeHint().boundedTo(QSize(max(1, rect.width()), 1 << 20))
            if line and x + size.width() > rect.width():
                y += self._end_line(line, move=move) + self.spacing()
                x, line = 0, []
            left = rect.left() + x if self._ltr else rect.right() - x - size.width() + 1
            line.append((item, QRect(QPoint(left, rect.top() + y), size)))
            x += size.width() + self.spacing()
        return y + self._end_line(line, move=move)

    @staticmethod
    def _end_line(line: list[tuple[QLayoutItem, QRect]], *, move: bool) -> int:
        height = max((place.height() for _, place in line), default=0)
        if move:
            for item, place in line:
                item.setGeometry(place.translated(0, (height - place.height()) // 2))
        return height

    @property
    def _ltr(self) -> bool:
        parent = self.parentWidget()
        return parent is None or parent.layoutDirection() == Qt.LayoutDirection.LeftToRight


class FlowBox(QWidget):
    """A widget that is nothing but a flow of others."""

    def __init__(self, *parts: QWidget, spacing: int = 8) -> None:
        super().__init__()
        self._flow = Flow(spacing)
        self.setLayout(self._flow)
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        for part in parts:
            self._flow.addWidget(part)

    def show_only(self, parts: list[QWidget]) -> None:
        """Take other widgets away and have these instead, in this order."""
        while (item := self._flow.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        for part in parts:
            self._flow.addWidget(part)
            part.show()
