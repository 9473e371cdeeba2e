"""The ledger: an append-only file that says what left this machine, before it leaves.

One JSON object a line, chained by hashes (`providers.gate.chain`). A row counts once it is on the disk:
`append` returns after the sync, and only then may a byte go out. Two processes take turns by a lock on the file.
A row that a crash or a full disk cut off stays in the file, and the next row says so: nothing is dropped.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from providers.gate.chain import KEYED, LONGEST_LINE, TORN_MARK, Head, is_torn, open_line, seal
from providers.gate.rows import EndRow, RequestRow, TornRow, to_record

_BLOCK = 2 * LONGEST_LINE
# In no row but one with a key: in a text its quotes are escaped.
_KEYED_FIELD = f'"alg":"{KEYED}"'.encode("ascii")
_SCAN = 1 << 20


class LedgerError(Exception):
    """The row is not on the disk: what it was to announce must not happen. Holds the system's own words."""


class LedgerKeyMissing(LedgerError):
    """The rows so far are made with a key that the keychain does not give now."""


class Ledger:
    """One ledger file, open for appending. Any thread may append."""

    def __init__(
        self, path: Path, key: bytes | None = None, ask_for_key: Callable[[bool], bytes | None] | None = None
    ) -> None:
        """Opens nothing yet. `key`: makes the rows from now on unforgeable to whoever does not have it.

        `ask_for_key`: where to get one when a row is to be written, told whether it may be a new one. A ledger in which
        any row has a key takes none without it, whatever was put behind that row: what is to leave then stays.
        """
        self._ask_for_key = ask_for_key
        self._path = path
        self._key = key
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._head = Head()
        self._size = -1  # bytes of the file when `_head` was its head; -1: not looked at
        self._has_keyed = False  # whether any row in the first `_scanned` bytes has a key
        self._scanned = 0

    def append(self, row: RequestRow | EndRow, durable: bool = True) -> Head:
        """Write one row and, when `durable`, wait for the disk. Raises `LedgerError`; then it is not written.

        The end of a request may do without the wait: only a power failure could lose it, and the missing end
        would show.
        """
        with self._lock:
            try:
                with self._turn() as descriptor:
                    return self._write(descriptor, row, durable)
            except LedgerError:
                self._size = -1  # what is torn may not be told of yet
                raise
            except (OSError, ValueError, TypeError) as error:
                self._size = -1
                raise LedgerError(str(error)) from error

    def head(self) -> Head:
        """The newest whole row. Raises `LedgerError`."""
        with self._lock:
            try:
                with self._turn():
                    return self._head
            except LedgerError:
                self._size = -1
                raise
            except OSError as error:
                self._size = -1
                raise LedgerError(str(error)) from error

    def close(self) -> None:
        with self._lock:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor, self._size = None, -1

    def _write(self, descriptor: int, row: RequestRow | EndRow, durable: bool) -> Head:
        self._get_key(descriptor)
        line, head = seal(to_record(row), self._head, self._key)
        self._put(descriptor, line, durable)
        self._head = head
        return head

    def _get_key(self, descriptor: int) -> None:
        """Have the key before a row is made, a row about a torn one included. Raises `LedgerKeyMissing`."""
        if self._key is not None:
            return
        has_keyed = self._looks_keyed(descriptor)
        if self._ask_for_key is not None:
            self._key = self._ask_for_key(not has_keyed)
        if has_keyed and self._key is None:
            raise LedgerKeyMissing("the ledger has a key, and it was not given")

    def _looks_keyed(self, descriptor: int) -> bool:
        """Whether any row has a key. Not only the newest: anybody could have put one without a key behind it."""
        size = os.fstat(descriptor).st_size
        if size < self._scanned:
            self._scanned, self._has_keyed = 0, False
        while self._scanned < size and not self._has_keyed:
            start = max(0, self._scanned - len(_KEYED_FIELD))  # it may lie across two blocks
            data = _read_at(descriptor, start, min(_SCAN, size - start))
            self._has_keyed = _KEYED_FIELD in data
            self._scanned = start + len(data)
        return self._has_keyed or self._head.keyed

    def _put(self, descriptor: int, data: bytes, durable: bool) -> None:
        """All of it at the end of the file, or none of it."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            if durable:
                os.fsync(descriptor)
        except OSError:
            with suppress(
                OSError
            ):  # nobody was told of it; if this fails too, the next row tells of a torn one
                os.ftruncate(descriptor, self._size)
            raise
        self._size += len(data)

    @contextmanager
    def _turn(self) -> Iterator[int]:
        """The file, locked against other processes, with its head known and a torn end told of."""
        descriptor = self._open()
        _lock_file(descriptor)
        try:
            size = os.fstat(descriptor).st_size
            if size != self._size:
                torn = self._find_head(descriptor, size)
                if torn:
                    self._tell_of(descriptor, torn)
            yield descriptor
        finally:
            _unlock_file(descriptor)

    def _open(self) -> int:
        """The descriptor of what lies at the path now: the file may have been moved away since."""
        if self._descriptor is not None and _is_still(self._path, self._descriptor):
            return self._descriptor
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor, self._size = None, -1
            self._scanned, self._has_keyed = 0, False
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = (
            os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
        )
        is_new = not self._path.exists()
        self._descriptor = os.open(self._path, flags | getattr(os, "O_CLOEXEC", 0), 0o600)
        if is_new:
            _sync_folder(self._path.parent)
        return self._descriptor

    def _find_head(self, descriptor: int, size: int) -> bytes:
        """Find the newest whole row from the end. Returns what lies behind it: the rest of a torn one."""
        length = min(size, _BLOCK)
        while True:
            data = _read_at(descriptor, size - length, length)
            end = len(data)
            while (end := data.rfind(b"\n", 0, end)) >= 0:
                start = data.rfind(b"\n", 0, end) + 1
                if (start or length == size) and (found := open_line(data[start:end], self._key)) is not None:
                    self._head, self._size = found[1], size
                    return data[end + 1 :]
            if length == size:
                self._head, self._size = Head(), size
                return data
            length = min(size, 2 * length)

    def _tell_of(self, descriptor: int, strange: bytes) -> None:
        """Go on after what is no row. What a crash can have left gets a row of its own; anything else is damage,
        and stays to be found."""
        if not is_torn(strange):
            self._put(descriptor, b"" if strange.endswith(b"\n") else b"\n", durable=False)
            return
        self._get_key(descriptor)
        told = to_record(TornRow(len(strange), hashlib.sha256(strange).hexdigest()))
        line, head = seal(told, self._head, self._key)
        self._put(descriptor, TORN_MARK + line, durable=True)
        self._head = head


def _read_at(descriptor: int, offset: int, length: int) -> bytes:
    os.lseek(descriptor, offset, os.SEEK_SET)  # appending goes to the end wherever this is
    pieces = []
    while length:
        piece = os.read(descriptor, length)
        if not piece:
            break
        pieces.append(piece)
        length -= len(piece)
    return b"".join(pieces)


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        there = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(there, os.fstat(descriptor))


def _sync_folder(folder: Path) -> None:
    """Make a new file's name as durable as its content. Windows does so by itself."""
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 40  # Windows locks bytes against reading, too: one that no ledger reaches stands for the file

    def _lock_file(descriptor: int) -> None:
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)

    def _unlock_file(descriptor: int) -> None:
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock_file(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)

    def _unlock_file(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
