"""What the network chip says: words made from the report of the operating system's lock, and from nothing else."""

from __future__ import annotations

from PySide6.QtCore import QObject

from desktop.i18n import tr
from desktop.processes.report import Gap, LockReport, Mechanism, Remaining


class NetworkViewModel(QObject):
    """Fixed for a run: a lock can't be opened again."""

    def __init__(self, report: LockReport, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.enforced = report.enforced
        self.text = tr("Offline: nothing can leave") if report.enforced else tr("Offline, but not locked")
        self.tooltip = _sentence(report)
        self.details: tuple[tuple[str, str], ...] = (
            (tr("Locked by"), _mechanism(report.mechanism)),
            *((tr("What stays possible"), _remaining(item)) for item in report.remaining),
            *(
                (attempt, tr("refused") if refused else tr("possible"))
                for attempt, refused in report.self_test
            ),
        )


def _sentence(report: LockReport) -> str:
    if report.enforced:
        return tr(
            "The operating system refuses Alcove every network connection. {count} ways out were tried at this start, "
            "and all were refused.",
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
        why + " " + tr("Alcove contains no code that uses the network, but nothing else enforces that here.")
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
