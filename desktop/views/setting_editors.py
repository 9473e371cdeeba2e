"""One editor for each kind of setting. All have two ends: `edited` carries a new value, `show_value` shows one."""

from __future__ import annotations

from typing import assert_never

from PySide6.QtCore import QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from desktop.i18n import tr
from desktop.settings import Kind, Setting
from desktop.views.theme import Theme
from desktop.views.widgets import describe, leading, prepare

_FIELD_PX = 140
_TYPING_PAUSE_MS = 600  # a text is taken when the typing pauses, not with every letter


class Editor(QWidget):
    """`edited` carries the value as the setting's declaration expects it."""

    edited = Signal(object)

    def show_value(self, value: object) -> None:
        """Show a value without reporting it as edited."""
        raise NotImplementedError

    def settle(self) -> None:
        """Report what was typed and is not reported yet."""


def editor_for(setting: Setting, theme: Theme) -> Editor:
    match setting.kind:
        case Kind.SWITCH:
            return SwitchEditor(setting, theme)
        case Kind.CHOICE:
            return ChoiceEditor(setting)
        case Kind.NUMBER:
            return NumberEditor(setting, theme)
        case Kind.INTEGER:
            return IntegerEditor(setting, theme)
        case Kind.OPTIONAL_INTEGER:
            return OptionalIntegerEditor(setting, theme)
        case Kind.TEXT:
            return TextEditor(setting)
        case Kind.LONG_TEXT:
            return LongTextEditor(setting, theme)
        case Kind.FILES:
            raise ValueError(f"{setting.key} is edited elsewhere")
        case _:
            assert_never(setting.kind)


class Switch(QAbstractButton):
    """On or off, drawn as a knob in a track; for screen readers a check box."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)

    def minimumSizeHint(self) -> QSize:
        return QSize(self._theme.scaled(40) + 6, self.sizeHint().height())

    def sizeHint(self) -> QSize:
        track = QSize(self._theme.scaled(40), self._theme.scaled(24))
        if not self.text():
            return track + QSize(6, 6)
        words = (
            self.fontMetrics().horizontalAdvance(self.text()) + 2
        )  # it rounds; a part of a pixel is room, too
        return QSize(track.width() + 14 + words, track.height() + 6)

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._theme
        painter = QPainter(self)
        prepare(painter)
        ltr = self.layoutDirection() == Qt.LayoutDirection.LeftToRight
        width, height = theme.scaled(40), theme.scaled(24)
        left = 3 if ltr else self.width() - width - 3
        track = QRectF(left, (self.height() - height) / 2, width, height)
        on = self.isChecked()
        strong = "accent" if self.isEnabled() else "outline"
        if self.hasFocus():
            painter.setPen(QPen(theme.color("accent"), 2))
            painter.drawRoundedRect(track.adjusted(-2, -2, 2, 2), height / 2 + 2, height / 2 + 2)
        painter.setPen(QPen(theme.color(strong if on else "outline"), 1))
        painter.setBrush(theme.color(strong if on else "page"))
        painter.drawRoundedRect(track.adjusted(0.5, 0.5, -0.5, -0.5), height / 2, height / 2)
        knob = height - 8
        at_end = on == ltr
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("on_accent" if on else "outline"))
        painter.drawEllipse(
            QRectF(track.right() - knob - 4 if at_end else track.left() + 4, track.top() + 4, knob, knob)
        )
        painter.setPen(theme.color("text" if self.isEnabled() else "text_soft"))
        words = self.rect().adjusted(width + 14 if ltr else 0, 0, 0 if ltr else -width - 14, 0)
        shown = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, words.width())
        painter.drawText(words, leading(self), shown)


class SwitchEditor(Editor):
    def __init__(self, setting: Setting, theme: Theme) -> None:
        super().__init__()
        self._switch = Switch(theme)
        _name(self._switch, setting)
        _one_row(self, self._switch)
        self._switch.clicked.connect(self.edited.emit)

    def show_value(self, value: object) -> None:
        self._switch.setChecked(value is True)


class ChoiceEditor(Editor):
    def __init__(self, setting: Setting) -> None:
        super().__init__()
        self._box = _CalmComboBox()
        for value, words in setting.choices:
            self._box.addItem(tr(words), value)
        _name(self._box, setting)
        _one_row(self, self._box)
        self._box.activated.connect(lambda _: self.edited.emit(self._box.currentData()))

    def show_value(self, value: object) -> None:
        self._box.setCurrentIndex(self._box.findData(value))


class NumberEditor(Editor):
    def __init__(self, setting: Setting, theme: Theme) -> None:
        super().__init__()
        self._box = _CalmDoubleSpinBox()
        self._box.setDecimals(2)
        self._box.setRange(setting.minimum or 0, setting.maximum if setting.maximum is not None else 1e9)
        self._box.setSingleStep(setting.step)
        _number_field(self._box, setting, theme)
        _one_row(self, self._box)
        self._box.valueChanged.connect(self.edited.emit)

    def show_value(self, value: object) -> None:
        if isinstance(value, int | float):
            self._box.blockSignals(True)
            self._box.setValue(value)
            self._box.blockSignals(False)

    def settle(self) -> None:
        self._box.interpretText()


class IntegerEditor(Editor):
    def __init__(self, setting: Setting, theme: Theme) -> None:
        super().__init__()
        self._box = _whole_numbers(setting, theme)
        _one_row(self, self._box)
        self._box.valueChanged.connect(self.edited.emit)

    def show_value(self, value: object) -> None:
        if isinstance(value, int):
            self._box.blockSignals(True)
            self._box.setValue(value)
            self._box.blockSignals(False)

    def settle(self) -> None:
        self._box.interpretText()


class OptionalIntegerEditor(Editor):
    """A switch for “automatic”, and a number that counts while it is off."""

    def __init__(self, setting: Setting, theme: Theme) -> None:
        super().__init__()
        self._automatic = Switch(theme)
        self._automatic.setText(tr(setting.automatic) if setting.automatic else tr("Automatic"))
        describe(
            self._automatic,
            f"{tr(setting.label)}: {self._automatic.text()}",
            tr("Switch off to enter a number yourself."),
        )
        self._box = _whole_numbers(setting, theme)
        self._box.setValue(int(setting.step) * 4)  # a usable start for whoever switches automatic off
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._automatic)
        column.addWidget(self._box)
        self._automatic.clicked.connect(self._switched)
        self._box.valueChanged.connect(self.edited.emit)

    def show_value(self, value: object) -> None:
        self._automatic.setChecked(value is None)
        self._box.setVisible(value is not None)
        if isinstance(value, int):
            self._box.blockSignals(True)
            self._box.setValue(value)
            self._box.blockSignals(False)

    def _switched(self, automatic: bool) -> None:
        self._box.setVisible(not automatic)
        self.edited.emit(None if automatic else self._box.value())

    def settle(self) -> None:
        if not self._automatic.isChecked():
            self._box.interpretText()


class TextEditor(Editor):
    def __init__(self, setting: Setting) -> None:
        super().__init__()
        self._field = QLineEdit()
        _name(self._field, setting)
        _one_row(self, self._field)
        self._field.editingFinished.connect(lambda: self.edited.emit(self._field.text()))

    def show_value(self, value: object) -> None:
        self._field.setText(str(value))


class LongTextEditor(Editor):
    def __init__(self, setting: Setting, theme: Theme) -> None:
        super().__init__()
        self._field = _SettlingTextEdit()
        self._field.setProperty("look", "field")
        self._field.setTabChangesFocus(True)
        self._field.setFixedHeight(theme.scaled(120))
        _name(self._field, setting)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._field)
        self._pause = QTimer(self, singleShot=True, interval=_TYPING_PAUSE_MS)
        self._pause.timeout.connect(lambda: self.edited.emit(self._field.toPlainText()))
        self._field.textChanged.connect(self._pause.start)
        self._field.left.connect(self.settle)

    def show_value(self, value: object) -> None:
        if self._field.toPlainText() != str(value):
            self._field.setPlainText(str(value))
        self._pause.stop()

    def settle(self) -> None:
        if self._pause.isActive():
            self._pause.stop()
            self.edited.emit(self._field.toPlainText())


class _SettlingTextEdit(QPlainTextEdit):
    left = Signal()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.left.emit()


# A wheel turned over a page of settings scrolls the page. It changes a number only once that has the focus.


class _CalmSpinBox(QSpinBox):
    def wheelEvent(self, event: QWheelEvent) -> None:
        super().wheelEvent(event) if self.hasFocus() else event.ignore()


class _CalmDoubleSpinBox(QDoubleSpinBox):
    def wheelEvent(self, event: QWheelEvent) -> None:
        super().wheelEvent(event) if self.hasFocus() else event.ignore()


class _CalmComboBox(QComboBox):
    def wheelEvent(self, event: QWheelEvent) -> None:
        super().wheelEvent(event) if self.hasFocus() else event.ignore()


def _number_field(box: QSpinBox | QDoubleSpinBox, setting: Setting, theme: Theme) -> None:
    box.setKeyboardTracking(False)
    box.setFixedWidth(theme.scaled(_FIELD_PX))
    # The style sheet's padding does not reach the field inside.
    box.lineEdit().setTextMargins(8, 0, 8, 0)
    _name(box, setting)


def _whole_numbers(setting: Setting, theme: Theme) -> QSpinBox:
    box = _CalmSpinBox()
    box.setRange(
        int(setting.minimum or 0), int(setting.maximum) if setting.maximum is not None else 2**31 - 1
    )
    box.setSingleStep(int(setting.step))
    box.setGroupSeparatorShown(True)
    _number_field(box, setting, theme)
    return box


def _name(control: QWidget, setting: Setting) -> None:
    describe(control, tr(setting.label), tr(setting.explanation))
    if isinstance(control, QSpinBox | QDoubleSpinBox | QComboBox):
        control.setFocusPolicy(Qt.FocusPolicy.StrongFocus)


def _one_row(editor: Editor, control: QWidget) -> QHBoxLayout:
    row = QHBoxLayout(editor)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(16)
    row.addWidget(control)
    return row
