"""The whole program over a hub on loopback, with a real broker beside it; and short ways to do what a person does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.hub_server import HubServer
from support.whole_program import wait, whole_program

from desktop.app import Parts
from desktop.processes.switch import Position, Switch, write_switch
from desktop.processes.way_out import close_way_out, open_way_out
from desktop.views.models_page.downloads_part import DownloadsPart
from desktop.views.models_page.find_part import FindPart


@contextmanager
def window_with_hub(home: Path, hub: HubServer) -> Iterator[Parts]:
    """The switch is at “Downloads”, and the broker was started first, as the entry does it."""
    write_switch(str(home), Switch(Position.DOWNLOADS, hub.url, plain_http=True))
    assert open_way_out(str(home)) == ""
    try:
        with whole_program(home) as parts:
            yield parts
    finally:
        close_way_out()


def find_part(parts: Parts) -> FindPart:
    """“Find models”, in front."""
    parts.window.run("find_models")
    page = parts.window.area.models
    assert page is not None
    part = page.part("find")
    assert isinstance(part, FindPart)
    return part


def downloads_part(parts: Parts) -> DownloadsPart:
    """“Downloads”, in front."""
    parts.window.run("downloads")
    page = parts.window.area.models
    assert page is not None
    part = page.part("downloads")
    assert isinstance(part, DownloadsPart)
    return part


def open_hub_page(parts: Parts, repo: str) -> FindPart:
    """Open a model's page by its row, and wait until it is known what fits."""
    find, page = find_part(parts), parts.models_page.hub_page
    find.list.entered.emit(repo, True)
    wait(lambda: page.repo == repo and (page.problem or (page.page and not page.judging)))
    versions = find.pane.versions.list
    wait(lambda: page.problem or not page.versions or versions.current)
    return find
