"""The list of downloads as it lies on the disk: for the queue at its start, and for those who only look."""

from __future__ import annotations

from pathlib import Path

from models.download_files import place_of
from models.download_ticket import FileTicket, Ticket, read_tickets
from models.download_values import Standing, State


def standing_on_disk(folder: Path, models: Path) -> tuple[Standing, ...]:
    """The downloads in a folder, in their order. Changes nothing; a queue may be at work there meanwhile.

    What is being fetched is told as queued: only its queue knows better.
    """
    found = []
    for name, ticket in read_tickets(folder, look_only=True).items():
        done = sum(bytes_at_hand(folder, models, name, ticket))
        total = sum(file.size for file in ticket.files)
        found.append(Standing(name, ticket.wanted, state_of(ticket), done, total, ticket.code))
    return tuple(found)


def state_of(ticket: Ticket) -> State:
    """How a download stands that nobody is working on."""
    return State.FAILED if ticket.code else State.PAUSED if ticket.paused else State.QUEUED


def bytes_at_hand(folder: Path, models: Path, name: str, ticket: Ticket) -> list[int]:
    """Bytes of each file of a download. Takes back `verified` where the disk does not bear it out."""
    done = []
    for number, file in enumerate(ticket.files):
        try:
            size: int | None = part_of(folder, name, number).stat().st_size
        except FileNotFoundError:
            size = None
        # Moved into place already, by a run that ended before the others were.
        moved = file.verified and size is None and _is_placed(models, ticket.repo, file)
        file.verified = moved or (file.verified and size == file.size)
        done.append(file.size if file.verified else min(size or 0, file.size))
    return done


def part_of(folder: Path, name: str, number: int) -> Path:
    """Where the file of this number lies while it is fetched."""
    return folder / f"{name}.{number}.part"


def _is_placed(models: Path, repo: str, file: FileTicket) -> bool:
    place = place_of(models, repo, file.path)
    return place.is_file() and place.stat().st_size == file.size
