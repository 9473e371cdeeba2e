"""A keychain of its own: a private session bus with gnome-keyring on it, far from the one of whoever runs the tests."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import cast

if sys.platform == "linux":  # on other systems the tests that use this are skipped
    import secretstorage
    from jeepney import DBusAddress, message_bus, new_method_call
    from jeepney.io.blocking import DBusConnection, Proxy, open_dbus_connection
    from secretstorage.util import add_match_rules

NAME = "org.freedesktop.secrets"
_PATIENCE = 30.0

_BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={place}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
</busconfig>
"""


class SecretService:
    """A running bus. `environ`: what a program needs to find it, and folders of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = f"unix:path={folder}/bus"
        self.environ = {
            "DBUS_SESSION_BUS_ADDRESS": self.address,
            "HOME": str(folder),
            **{f"XDG_{name}_HOME": str(folder / name.lower()) for name in ("DATA", "CONFIG", "CACHE")},
        }

    def lock(self) -> None:
        """As when the screen is locked: nothing can be read until somebody types the password."""
        with self._connected() as connection:
            secretstorage.Collection(connection).lock()

    def keep(self, service: str, key: str) -> None:
        """Put a key in place from outside, as an administrator does with secret-tool."""
        attributes = {"service": service, "username": "key"}
        with self._connected() as connection:
            secretstorage.Collection(connection).create_item("Alcove", attributes, key.encode(), replace=True)

    def kept(self) -> dict[str, str]:
        """All keys for services there are, by their service. Not the ledger's own, which no service gets."""
        with self._connected() as connection:
            items = secretstorage.Collection(connection).get_all_items()
            kept = {item.get_attributes()["service"]: item.get_secret().decode() for item in items}
            return {service: key for service, key in kept.items() if service != "alcove.ledger"}

    def ledger_key(self) -> bytes:
        """The one key that the ledger's rows are made with."""
        with self._connected() as connection:
            items = secretstorage.Collection(connection).search_items({"service": "alcove.ledger"})
            (text,) = [item.get_secret().decode() for item in items]
        return bytes.fromhex(text)

    def take_the_name_and_say_nothing(self) -> DBusConnection:
        """A keychain that hangs, until the connection is closed."""
        connection = open_dbus_connection(self.address)
        Proxy(message_bus, connection).RequestName(NAME)
        return connection

    @contextmanager
    def _connected(self) -> Iterator[DBusConnection]:
        with closing(open_dbus_connection(self.address)) as connection:
            add_match_rules(connection)
            yield connection


@contextmanager
def secret_service(password: str | None = "test", *, keyring: bool = True) -> Iterator[SecretService]:
    """A bus with an open keychain. `password` None: no keychain was made. `keyring` False: nobody on the bus."""
    with tempfile.TemporaryDirectory(prefix="alcove-bus-", ignore_cleanup_errors=True) as name:
        service = SecretService(Path(name))
        config = service.folder / "bus.conf"
        config.write_text(_BUS.format(place=service.folder / "bus"))
        with _running(["dbus-daemon", f"--config-file={config}", "--nofork", "--print-address"], service):
            # It prints its address once it listens there.
            _wait_for(lambda: (service.folder / "dbus-daemon.log").read_bytes().count(b"unix:path"))
            if not keyring:
                yield service
                return
            command = ["gnome-keyring-daemon", "--foreground", "--components=secrets"]
            command += ["--unlock"] if password is not None else []
            with _running(command, service, password):
                _wait_for(lambda: _is_there(service.address))
                yield service


@contextmanager
def _running(command: list[str], service: SecretService, typed: str | None = None) -> Iterator[None]:
    environ = {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(service.folder), **service.environ}
    with (service.folder / f"{command[0]}.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environ, start_new_session=True
        )
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            process.stdin.write((typed or "").encode())  # without a line break, which would belong to it
            process.stdin.close()
        try:
            yield
        finally:
            process.terminate()
            process.wait()


def _is_there(address: str) -> bool:
    with closing(open_dbus_connection(address)) as connection:
        asked = new_method_call(
            DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus"),
            "NameHasOwner",
            "s",
            (NAME,),
        )
        return cast(bool, connection.send_and_get_reply(asked).body[0])


def _wait_for(condition: object) -> None:
    assert callable(condition)
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "the keychain did not start"
        time.sleep(0.01)
