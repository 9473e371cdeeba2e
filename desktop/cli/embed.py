"""`alcove models embed NAME TEXT…`: vectors of texts as JSON, for scripts. Nothing leaves this machine."""

from __future__ import annotations

import argparse
import json
import sys

from desktop.cli.quantize import find_source
from desktop.cli.terminal import failed
from desktop.i18n import tr
from desktop.library import Library
from desktop.local_models import make_embedding_model
from desktop.words.models import model_fault
from providers.errors import ProviderError


async def run(chosen: argparse.Namespace, library: Library) -> int:
    """Exit status 0 done, 1 failed. Without texts, each line of standard input is one."""
    source = await find_source(library, chosen.name)
    if isinstance(source, int):
        return source
    texts = chosen.texts or sys.stdin.read().splitlines()
    model = make_embedding_model(source)
    try:
        what = await model.load()
        found = await model.embed(texts)
    except ProviderError as error:
        return failed(model_fault(error.kind, error.detail, error.facts, source.name).text)
    finally:
        await model.close()
    for place in found.cut:
        text = tr(
            "Text {number} is longer than the {longest} tokens that count; its vector stands for its beginning.",
            number=place + 1,
            longest=what.longest,
        )
        print(text, file=sys.stderr)
    record = {"width": what.width, "pooling": what.pooling, "cut": found.cut, "vectors": found.vectors}
    print(json.dumps(record))
    return 0
