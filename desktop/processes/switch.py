"""The network switch: one tiny file below Alcove's home, read before the lock. In doubt it says offline.

`network.json` holds the position and what belongs to it:

    {"folders": ["/data/models"], "mirror": "https://hub.example", "plain_http": false, "position": "downloads"}

The position decides whether a broker is started at all, so it must be known before anything is locked or
imported. Whatever is missing, unreadable, too long, of another type or not known means offline.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from enum import StrEnum

FILE = "network.json"
_MOST_BYTES = 64 * 1024


class Position(StrEnum):
    """What may leave, from least to most. `providers.gate` has the same words for the gate."""

    OFFLINE = "offline"  # nothing: no process has a network
    DOWNLOADS = "downloads"  # the model hub only
    REMOTE = "remote"  # the model hub, and the providers that are enabled

    def capped(self, cap: Position | None) -> Position:
        """The more restrictive of the two; None caps nothing."""
        return self if cap is None else min(self, cap, key=list(Position).index)


@dataclass(frozen=True, slots=True)
class Switch:
    """What the file says. The default is what a missing or damaged one means."""

    position: Position = Position.OFFLINE
    mirror: str = ""  # the base URL of a copy of the hub, beside the hub itself
    plain_http: bool = False  # whether that mirror may be http://; the gate lets it be on this machine only
    folders: tuple[str, ...] = ()  # absolute; where downloads may be written besides Alcove's own folders


def read_switch(home: str, policy_cap: Position | None = None) -> Switch:
    """The switch of the Alcove at `home`, never above `policy_cap`. Never raises, never blocks."""
    content = _read(os.path.join(home, FILE))
    # A file without one of these words can't mean anything but offline: no parser is imported to find out.
    if b'"downloads"' not in content and b'"remote"' not in content:
        return Switch()
    import json

    try:
        record = json.loads(content.decode("utf-8"), object_pairs_hook=_without_doubles)
        switch = _from_record(record)
    except (ValueError, RecursionError):
        return Switch()
    position = switch.position.capped(policy_cap)
    return Switch() if position is Position.OFFLINE else _at(switch, position)


def read_stored(home: str) -> Switch:
    """All that the file says, also what means nothing while offline: for who turns the switch. Never raises."""
    import json

    try:
        record = json.loads(
            _read(os.path.join(home, FILE)).decode("utf-8"), object_pairs_hook=_without_doubles
        )
        return _from_record(record)
    except (ValueError, RecursionError):
        return Switch()


def write_switch(home: str, switch: Switch) -> None:
    """Replace the file in one step. Takes effect at the next start. Raises OSError; then the old one stands."""
    import json

    os.makedirs(home, exist_ok=True)
    path = os.path.join(home, FILE)
    record = {
        "folders": list(switch.folders),
        "mirror": switch.mirror,
        "plain_http": switch.plain_http,
        "position": switch.position.value,
    }
    fresh = path + ".new"
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(record, file, sort_keys=True)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)


def _read(path: str) -> bytes:
    """The file's bytes; none for anything that is not a small ordinary file."""
    try:
        # Without O_NONBLOCK a named pipe in its place would keep Alcove from starting.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError):
        return b""
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return b""
        content = os.read(descriptor, _MOST_BYTES + 1)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
    return content if len(content) <= _MOST_BYTES else b""


def _without_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    record = dict(pairs)
    if len(record) != len(pairs):
        raise ValueError("a name stands twice")
    return record


def _from_record(record: object) -> Switch:
    match record:
        case {"position": str(position), **rest}:
            pass
        case _:
            raise ValueError("no position")
    mirror, plain_http, folders = (
        rest.pop("mirror", ""),
        rest.pop("plain_http", False),
        rest.pop("folders", []),
    )
    if rest or type(mirror) is not str or type(plain_http) is not bool or not isinstance(folders, list):
        raise ValueError("not what this version writes")
    if not all(type(folder) is str and os.path.isabs(folder) and "\0" not in folder for folder in folders):
        raise ValueError("a folder that is no absolute path")
    return Switch(Position(position), mirror, plain_http, tuple(folders))


def _at(switch: Switch, position: Position) -> Switch:
    return Switch(position, switch.mirror, switch.plain_http, switch.folders)
