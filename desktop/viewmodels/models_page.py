"""What the models page binds to, put together."""

from __future__ import annotations

from dataclasses import dataclass

from desktop.bridge import Bridge
from desktop.library import Library
from desktop.paths import Paths
from desktop.processes.switch import Position
from desktop.viewmodels.downloads import DownloadsViewModel
from desktop.viewmodels.hub_link import HubLink
from desktop.viewmodels.hub_page import HubPageViewModel
from desktop.viewmodels.hub_search import HubSearchViewModel
from desktop.viewmodels.library import LibraryViewModel
from desktop.viewmodels.models import ModelsViewModel
from desktop.viewmodels.network import NetworkViewModel
from desktop.viewmodels.settings import SettingsViewModel


@dataclass(frozen=True, slots=True)
class ModelsPageViewModel:
    """What is on this computer, what a search finds, the open page of the hub, and what is on its way."""

    library: LibraryViewModel
    search: HubSearchViewModel
    hub_page: HubPageViewModel
    downloads: DownloadsViewModel


def make_models_page(
    bridge: Bridge,
    library: Library,
    models: ModelsViewModel,
    settings: SettingsViewModel,
    network: NetworkViewModel,
    link: HubLink,
    paths: Paths,
) -> ModelsPageViewModel:
    """Nothing is looked for and nobody is asked before the page is opened."""
    online = network.position is not Position.OFFLINE
    shelf = LibraryViewModel(bridge, library, models, settings)
    downloads = DownloadsViewModel(bridge, link, library, models, paths, online, shelf.is_whole)
    downloads.finished.connect(lambda _: shelf.look())
    return ModelsPageViewModel(
        shelf,
        HubSearchViewModel(bridge, link, paths, online),
        HubPageViewModel(bridge, link, paths, network.hub),
        downloads,
    )
