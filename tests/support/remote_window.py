"""The whole program over a service of remote models on loopback, with a real broker beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.chat_server import MODEL, PROVIDER, ChatServer, enable
from support.whole_program import whole_program

from desktop.app import Parts
from desktop.processes.switch import Position
from desktop.processes.way_out import close_way_out, open_way_out
from desktop.remote import remember
from desktop.viewmodels.models import REMOTE
from providers.remote.values import Auth, RemoteModelInfo

KEY = f"{REMOTE}{PROVIDER}/{MODEL}"


@contextmanager
def window_with_remote(
    home: Path, server: ChatServer, position: Position = Position.REMOTE, auth: Auth = Auth.NONE
) -> Iterator[Parts]:
    """The switch is at “Remote models”, one server is enabled, and its one model is known from an earlier look."""
    enable(home, server, auth=auth, position=position)
    remember(home, PROVIDER, (RemoteModelInfo(MODEL, "A Model", 4096),))
    with window_at(home) as parts:
        yield parts


@contextmanager
def window_at(home: Path) -> Iterator[Parts]:
    """As the files there are."""
    assert open_way_out(str(home)) == ""
    try:
        with whole_program(home, sampling_max_tokens=12) as parts:  # of what is answered here
            yield parts
    finally:
        close_way_out()
