"""Alcove in the terminal: the same core as the window, without Qt."""

from __future__ import annotations

import argparse
import asyncio

from desktop.paths import Paths
from desktop.processes.report import LockReport
from desktop.settings import Settings


def run(chosen: argparse.Namespace, paths: Paths, report: LockReport) -> int:
    """Carry out one command. Exit status 0 done, 1 failed, 2 wrong usage."""
    # Each command imports what it needs: `conversations` does not wait for what `bench` is made of.
    settings = Settings(paths.settings)
    settings.load()
    match chosen.command:
        case "ask":
            from desktop.cli.ask import ask

            return asyncio.run(ask(chosen, paths, settings))
        case "models":
            from desktop.cli.models import models

            return asyncio.run(models(chosen, paths, settings))
        case "bench":
            from desktop.cli.bench import bench

            return asyncio.run(bench(chosen, settings))
        case "ledger":
            from desktop.cli.ledger import run as ledger

            return ledger(chosen, paths)
        case "costs":
            from desktop.cli.costs import costs

            return asyncio.run(costs(chosen, paths))
        case "network":
            from desktop.cli.network import network

            return network(chosen, paths)
        case "remote":
            from desktop.cli.remote import remote

            return asyncio.run(remote(chosen, paths))
        case "keys":
            from desktop.cli.keys import keys

            return asyncio.run(keys(chosen, paths))
        case "conversations":
            from desktop.cli.stored import conversations

            return asyncio.run(conversations(paths, chosen.json))
        case _:
            from desktop.cli.stored import doctor

            return asyncio.run(doctor(paths, report, chosen.json))
