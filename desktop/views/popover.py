"""A panel that floats over the window and goes away by itself: a search field over a list.

It is a child of the window, not a window of its own: no window manager has a say in where it appears, and the
keyboard can't get lost between two windows.
"""

from __future__ import annotations

from PySide6.QtCore import QAbstractListModel, QEvent, QModelIndex, QObject, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QApplication, QLineEdit, QListView, QVBoxLayout, QWidget

from desktop.views.commands import IS_ENTER
from desktop.views.theme import Theme
from desktop.views.widgets import describe, prepare

_SHADOW = 12
_RADIUS = 12
_MOVES = frozenset({Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown})


class Popover(QWidget):
    """Typing searches, arrow keys move, Enter chooses, Esc or a click elsewhere closes. `closed` when it went away."""

    closed = Signal()
    chosen = Signal(QModelIndex)

    def __init__(self, theme: Theme, window: QWidget, name: str, search_for: str) -> None:
        super().__init__(window)
        self._theme = theme
        self._gave_focus: QWidget | None = None
        self.setAccessibleName(name)
        self.field = QLineEdit()
        self.field.setPlaceholderText(search_for)
        self.field.setProperty("look", "search")
        describe(self.field, search_for, "")
        self.list = QListView()
        self.list.setMouseTracking(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        describe(self.list, name, "")
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(_SHADOW + 8, _SHADOW + 8, _SHADOW + 8, _SHADOW + 8)
        self.column.setSpacing(8)
        self.column.addWidget(self.field)
        self.column.addWidget(self.list, 1)
        self.field.installEventFilter(self)
        self.list.clicked.connect(self._choose)
        theme.dress(self)
        self.hide()

    def use(self, model: QAbstractListModel) -> None:
        self.list.setModel(model)
        model.modelReset.connect(self.select_first)
        model.rowsInserted.connect(self._select_if_nothing_is)

    def select_first(self) -> None:
        """Make the first row that can be chosen the one that Enter takes."""
        model = self.list.model()
        rows = (model.index(row, 0) for row in range(model.rowCount()))
        first = next((index for index in rows if index.flags() & Qt.ItemFlag.ItemIsSelectable), QModelIndex())
        self.list.setCurrentIndex(first)
        self.list.scrollToTop()

    def _select_if_nothing_is(self) -> None:
        if not self.list.currentIndex().isValid():
            self.select_first()

    # ---- coming and going

    def open_at(self, place: QRect) -> None:
        """Show the panel in this place of the window (without its shadow) and take the keyboard."""
        self._gave_focus = self.window().focusWidget()
        self.field.clear()
        self.place(place)
        self.show()
        self.raise_()
        self.field.setFocus(Qt.FocusReason.PopupFocusReason)
        app = QApplication.instance()
        assert app is not None
        app.installEventFilter(self)

    def place(self, place: QRect) -> None:
        """Take this place of the window (without the shadow)."""
        self.setGeometry(place.adjusted(-_SHADOW, -_SHADOW, _SHADOW, _SHADOW))

    def dismiss(self) -> None:
        """Go away and give the keyboard back to where it was."""
        if self.isHidden():
            return
        app = QApplication.instance()
        assert app is not None
        app.removeEventFilter(self)
        focused: QWidget | None = self.window().focusWidget()
        self.hide()
        if (focused is None or self.isAncestorOf(focused)) and self._gave_focus is not None:
            self._gave_focus.setFocus()
        self.closed.emit()

    def _choose(self, index: QModelIndex) -> None:
        if index.isValid() and index.flags() & Qt.ItemFlag.ItemIsSelectable:
            self.dismiss()
            self.chosen.emit(index)

    # ---- keys and clicks

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        if kind == QEvent.Type.KeyPress and watched is self.field and isinstance(event, QKeyEvent):
            return self._field_key(event)
        if (
            kind == QEvent.Type.MouseButtonPress
            and isinstance(event, QMouseEvent)
            and isinstance(watched, QWidget)
        ):
            panel = self.rect().adjusted(_SHADOW, _SHADOW, -_SHADOW, -_SHADOW)
            inside = panel.contains(self.mapFromGlobal(event.globalPosition().toPoint()))
            if not inside and watched.window() is self.window():
                self.dismiss()
                return True
        if kind == QEvent.Type.Resize and watched is self.window():
            self.dismiss()
        return False

    def _field_key(self, event: QKeyEvent) -> bool:
        if event.key() in _MOVES:
            QApplication.sendEvent(self.list, event)
            return True
        if event.key() in IS_ENTER:
            self._choose(self.list.currentIndex())
            return True
        return False

    def event(self, event: QEvent) -> bool:
        # Claimed here, or the window's own Esc (stop the answer) would have it.
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and event.key() == Qt.Key.Key_Escape
        ):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.dismiss()
        elif event.key() in IS_ENTER and self.list.hasFocus():
            self._choose(self.list.currentIndex())
        else:
            super().keyPressEvent(event)

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Tab stays inside while the panel is open."""
        stops = [part for part in self.findChildren(QWidget) if _takes_tab(part)]
        if not stops:
            return False
        here = self.window().focusWidget()
        place = stops.index(here) if here in stops else 0
        stops[(place + (1 if forward else -1)) % len(stops)].setFocus(Qt.FocusReason.TabFocusReason)
        return True

    # ---- drawing

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        prepare(painter)
        painter.setPen(Qt.PenStyle.NoPen)
        for step in range(_SHADOW):
            painter.setBrush(QColor(0, 0, 0, 5 if self._theme.palette.dark else 2))
            area = QRectF(self.rect()).adjusted(step, step + 2, -step, -step)
            painter.drawRoundedRect(area, _RADIUS + _SHADOW - step, _RADIUS + _SHADOW - step)
        panel = QRectF(self.rect()).adjusted(_SHADOW + 0.5, _SHADOW + 0.5, -_SHADOW - 0.5, -_SHADOW - 0.5)
        painter.setPen(QPen(self._theme.color("outline"), 1))
        painter.setBrush(self._theme.color("page"))
        painter.drawRoundedRect(panel, _RADIUS, _RADIUS)


def _takes_tab(part: QWidget) -> bool:
    return part.isVisible() and part.isEnabled() and bool(part.focusPolicy() & Qt.FocusPolicy.TabFocus)
