"""Linux: a second lock, independent of the seccomp filter, for what a filter of numbers cannot see.

The filter refuses ptrace, but the same can be done by writing to /proc/<pid>/mem. A process in a Landlock
domain (Documentation/userspace-api/landlock.rst) may do that only to processes in the same domain or one
inside it. A worker is also kept from changing any file: what it wrote into a start-up script would later run
without a lock; a quantizer writes ordinary files in one folder. A broker is kept to its own folders: it reads
the program and the system, not what the account keeps, so that what it was talked into sending would not be a
conversation or a key.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

from desktop.processes.roles import Network, Places, Policy

assert sys.platform == "linux"

# The same numbers on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG = 1
_PATH_BENEATH = 1
# The first version lets no process in a domain move a file between folders, whatever the rules.
_FIRST_USABLE_VERSION = 2

_WRITE_FILE = 1 << 1
_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
# REMOVE_DIR, REMOVE_FILE, and MAKE_ for char devices, folders, files, sockets, pipes, block devices and links
_REMOVE_AND_MAKE = sum(1 << bit for bit in range(4, 13))
_MOVE_BETWEEN_FOLDERS = 1 << 13
_TRUNCATE = 1 << 14
# WRITE_FILE, REMOVE_FILE, MAKE_REG: no folders, links, sockets or devices
_ORDINARY_FILES = _WRITE_FILE | 1 << 5 | 1 << 8 | _TRUNCATE
_TCP_BIND, _TCP_CONNECT = 0b01, 0b10
_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11  # of processes outside the domain

# What a process that may use the network reads: libraries, certificates, how names are resolved.
_SYSTEM = """
    /usr /lib /lib32 /lib64 /libx32 /bin /etc /nix/store /var/lib/ca-certificates /dev/null /dev/urandom
    /run/systemd/resolve /run/resolvconf /run/NetworkManager /run/nscd /mnt/wsl/resolv.conf /proc/self
"""
_PACKAGES = ("desktop", "models", "providers", "resources")

# Under /dev: what a GPU driver opens for writing, and the device that swallows everything.
_WRITABLE_DEVICES = ("null", "dri", "nvidia", "nvhost", "nvmap", "kfd", "dxg", "mali", "udmabuf", "dma_heap")


def confine(libc: ctypes.CDLL, policy: Policy, places: Places) -> bool:
    """Put this thread and all it starts into a domain of its own, for good. Needs no_new_privs.

    Returns False, with nothing changed, where the kernel has no Landlock or one that would get in the way.
    """
    version = _syscall(libc, _CREATE_RULESET, None, 0, _VERSION_FLAG)
    if version < _FIRST_USABLE_VERSION:
        return False
    change = _MOVE_BETWEEN_FOLDERS | _WRITE_FILE | _REMOVE_AND_MAKE | (_TRUNCATE if version >= 3 else 0)
    handled = change
    if policy.own_folders_only:
        handled |= _READ_FILE | _READ_FOLDER
    elif policy.may_change_files:
        handled = _MOVE_BETWEEN_FOLDERS
    fields = [handled]
    if version >= 4:
        fields.append(_TCP_BIND if policy.network is Network.OUTGOING else _TCP_BIND | _TCP_CONNECT)
    if version >= 6:
        # The desktop uses the X server's abstract socket, and ends its children with signals.
        fields.append(0 if policy.may_start_programs else _ABSTRACT_SOCKETS_AND_SIGNALS)
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    ruleset = _syscall(libc, _CREATE_RULESET, attributes, len(attributes), 0)
    if ruleset < 0:
        return False
    try:
        if policy.own_folders_only:
            _allow_own_folders(libc, ruleset, places, handled)
        elif policy.may_change_files:
            if not _allow(libc, ruleset, "/", handled):
                return False
        else:
            for device in _writable_devices():
                _allow(libc, ruleset, device, handled & (_WRITE_FILE | _TRUNCATE))
            if policy.one_folder:
                for folder in places.folders:
                    _allow(libc, ruleset, folder, handled & _ORDINARY_FILES)
        return _syscall(libc, _RESTRICT_SELF, ruleset, 0) == 0
    finally:
        os.close(ruleset)


def _allow_own_folders(libc: ctypes.CDLL, ruleset: int, places: Places, everything: int) -> None:
    """The system and the program to read, the places to write. A rule that can't be made allows nothing."""
    for path in _to_read():
        _allow(libc, ruleset, path, _READ_FILE if not os.path.isdir(path) else _READ_FILE | _READ_FOLDER)
    # Python lists the folders it searches; what lies in a checkout beside the packages stays unread.
    for path in sys.path:
        _allow(libc, ruleset, path, _READ_FOLDER if os.path.isdir(path) else _READ_FILE)
    for path in places.writable:
        _allow(libc, ruleset, path, everything)
    for path in places.readable:
        _allow(libc, ruleset, path, _READ_FILE | _READ_FOLDER)
    _allow(libc, ruleset, os.devnull, _READ_FILE | _WRITE_FILE)


def _to_read() -> list[str]:
    program = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    packages = [os.path.join(program, name) for name in _PACKAGES]
    python = [sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix]
    certificates = [os.environ[name] for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(name)]
    return [*_SYSTEM.split(), *packages, *python, *certificates]


def _writable_devices() -> list[str]:
    try:
        names = os.listdir("/dev")
    except OSError:
        return []
    return [f"/dev/{name}" for name in names if name.startswith(_WRITABLE_DEVICES)]


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, access: int) -> bool:
    """Allow `access` to a file, or to everything beneath a folder. Returns whether the rule stands."""
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        rule = struct.pack("=Qi", access, place)
        return _syscall(libc, _ADD_RULE, ruleset, _PATH_BENEATH, rule, 0) == 0
    finally:
        os.close(place)


def _syscall(libc: ctypes.CDLL, number: int, *arguments: int | bytes | None) -> int:
    whole = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    result: int = libc.syscall(ctypes.c_long(number), *whole)
    return result
