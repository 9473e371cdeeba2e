"""What the network chip says, from the switch and the report of the operating system's lock; and turning the switch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from desktop.i18n import tr
from desktop.processes.report import Gap, LockReport, Mechanism, Remaining
from desktop.processes.switch import Position, Switch

Turn = Callable[[Switch], None]
"""Store the switch for the next start. Raises OSError."""


class NetworkViewModel(QObject):
    """Fixed for a run: a lock can't be opened again. Another position begins with a new start."""

    restart_wanted = Signal()

    def __init__(
        self,
        report: LockReport,
        switch: Switch | None = None,
        turn: Turn | None = None,
        parent: QObject | None = None,
    ) -> None:
        """`switch`: as it was at this start; None for offline. `turn` None: it can't be turned here."""
        super().__init__(parent)
        self._switch = switch or Switch()
        self._turn = turn
        self.enforced = report.enforced
        self.position = self._switch.position
        self.text = _title(self.position, report.enforced)
        self.tooltip = " ".join(part for part in (_broker_words(self._switch), _sentence(report)) if part)
        self.details: tuple[tuple[str, str], ...] = (
            (tr("Locked by"), _mechanism(report.mechanism)),
            *((tr("What stays possible"), _remaining(item)) for item in report.remaining),
            *(
                (attempt, tr("refused") if refused else tr("possible"))
                for attempt, refused in report.self_test
            ),
        )

    @property
    def hub(self) -> str:
        """The address of the model hub that may be reached, or of the organisation's own."""
        return (self._switch.mirror or "https://huggingface.co").rstrip("/")

    @property
    def can_turn(self) -> bool:
        return self._turn is not None

    def turn(self, position: Position) -> str:
        """Start Alcove again in this position. Returns why that did not work, or an empty string."""
        if self._turn is None:
            return tr("The network switch can't be turned here.")
        try:
            self._turn(replace(self._switch, position=position))
        except OSError as error:
            return tr(
                "The network switch could not be stored: {why}. Nothing was changed.", why=error.strerror
            )
        self.restart_wanted.emit()
        return ""


def _title(position: Position, enforced: bool) -> str:
    if position is Position.DOWNLOADS:
        return tr("Downloads only") if enforced else tr("Downloads, but not locked")
    if position is Position.REMOTE:
        return tr("Remote models on") if enforced else tr("Remote models, not locked")
    return tr("Offline: nothing can leave") if enforced else tr("Offline, but not locked")


def _broker_words(switch: Switch) -> str:
    """What may leave in this position, and through whom."""
    if switch.position is Position.OFFLINE:
        return ""
    where = switch.mirror or tr("the model hub (huggingface.co)")
    if switch.position is Position.REMOTE:
        return tr(
            "One process of Alcove, the broker, may reach {where} and the providers that you switched on. It writes "
            "each request down in the ledger before it leaves.",
            where=where,
        )
    return tr(
        "One process of Alcove, the broker, may fetch from {where}. It writes each request down in the ledger before "
        "it leaves.",
        where=where,
    )


def _sentence(report: LockReport) -> str:
    if report.enforced:
        return tr(
            "The operating system refuses this window and the models every network connection. {count} ways out were "
            "tried at this start, and all were refused.",
            count=len(report.self_test),
        )
    match report.gap:
        case Gap.KERNEL:
            why = tr("This system did not let Alcove lock itself ({detail}).", detail=report.detail)
        case Gap.SELF_TEST:
            why = tr("The lock does not hold: {detail} was not refused.", detail=report.detail)
        case Gap.ARCHITECTURE:
            why = tr("This processor is not one that Alcove can lock itself on.")
        case _:
            why = tr("This operating system has no lock that Alcove can use.")
    return (
        why
        + " "
        + tr("Only Alcove's broker has code that uses the network, but nothing else enforces that here.")
    )


def _mechanism(mechanism: Mechanism) -> str:
    match mechanism:
        case Mechanism.SECCOMP:
            return tr("Linux (seccomp), for this window and every process it starts")
        case Mechanism.SEATBELT:
            return tr("macOS (sandbox), for this window and every process it starts")
        case Mechanism.NONE:
            return tr("nothing")


def _remaining(item: Remaining) -> str:
    match item:
        case Remaining.NETWORK:
            return tr("Any network connection.")
        case Remaining.LOCAL_SERVICES:
            return tr(
                "Talking with other programs on this computer, such as the display. They have a network of their own."
            )
        case Remaining.CHANGE_FILES:
            return tr("Changing files that your account may change.")
        case Remaining.OTHER_PROGRAMS:
            return tr("Looking into other programs of your account.")
