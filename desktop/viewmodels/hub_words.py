"""What the hub says, and what a model there would mean for this machine, in plain sentences with numbers."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from desktop.hub import HubFailed, Offline
from desktop.i18n import tr
from desktop.viewmodels.model_words import one_line, openness_words
from desktop.words.hub import hub_fault
from desktop.words.sentence import Sentence, gigabytes
from models.estimate import Verdict
from models.hub_values import Found, Gate, HubModel, Listing, Page
from models.library.entry import Openness
from models.library.knowledge import family_of, openness_of
from models.recommend import licence
from providers.gate.faults import BrokerGone, GateError

if TYPE_CHECKING:
    from desktop.hub_fit import Fitting


def hub_sentence(error: Exception) -> Sentence:
    """Why something that was asked of the hub came to nothing. Raises the error itself if it is none of the hub's."""
    match error:
        case HubFailed():
            return hub_fault(error.code, error.facts)
        case GateError():
            return hub_fault(error.rule or error.fault.value, {})
        case BrokerGone():
            text = tr(
                "The process that reaches the model hub has ended. What was fetched is kept. "
                "Close Alcove and start it again to go on."
            )
            return Sentence(text, "gone")
        case Offline():
            return Sentence(offline_words(), "offline")
    raise error


def offline_words() -> str:
    return tr("Alcove is offline now, so it can't reach the model hub.")


# ---- what a model there is


def found_words(found: Found) -> str:
    """The second line of a row."""
    parts = (
        licence_words(found.licence),
        "" if found.gate is Gate.OPEN else tr("with conditions"),
        tr("{count} downloads", count=people_count(found.downloads)),
    )
    return " · ".join(part for part in parts if part)


def licence_words(name: str) -> str:
    return one_line(name) or tr("no licence named")


def licence_meaning(name: str) -> str:
    """The licence with what it allows, where that is known. Its own words decide."""
    known = licence(name)
    return licence_words(name) if known is None else f"{licence_words(name)}. {tr(known.words)}"


def _openness(found: Found) -> Openness:
    family = family_of("", (found.repo.rpartition("/")[2],))
    return openness_of(found.licence, family, "", (found.author,))


def people_count(number: int) -> str:
    """12,345,678 as "12 million"."""
    if number >= 10**6:
        return tr("{count} million", count=f"{number / 1e6:.1f}".removesuffix(".0"))
    return tr("{count} thousand", count=number // 1000) if number >= 10_000 else f"{number:,}"


def gate_words(gate: Gate) -> str:
    """What has to be done before the files can be fetched; "" for nothing."""
    match gate:
        case Gate.OPEN:
            return ""
        case Gate.AUTOMATIC:
            return tr(
                "Its publisher asks to accept conditions first, on the model's page on the hub, with an account there. "
                "Then Alcove needs that account's access token."
            )
        case Gate.MANUAL:
            return tr(
                "Its publisher decides who gets it: ask on the model's page on the hub, with an account there, and "
                "wait for an answer. Then Alcove needs that account's access token."
            )


def page_facts(page: Page, listing: Listing, hub: str) -> tuple[tuple[str, str], ...]:
    """What the page says about itself; what it does not say is left out. `hub`: the address of the hub."""
    found = page.found
    rows = (
        (tr("Publisher"), one_line(found.author)),
        (tr("For"), task_words(found.task)),
        (tr("Licence"), licence_meaning(found.licence)),
        (tr("How open"), openness_words(_openness(found))),
        (tr("Languages"), one_line(", ".join(page.languages[:20]))),
        (tr("Made from"), one_line(", ".join(page.base_models[:5]))),
        (tr("Popularity"), tr("{count} downloads", count=people_count(found.downloads))),
        (tr("Changed"), date_words(found.updated)),
        (tr("Address"), f"{hub}/{one_line(found.repo)}"),
        (tr("Files"), listing_words(listing)),
    )
    return tuple((label, value) for label, value in rows if value)


def task_words(task: str) -> str:
    known = {
        "text-generation": tr("Conversations"),
        "image-text-to-text": tr("Conversations about images"),
        "feature-extraction": tr("Finding similar texts (embeddings)"),
        "sentence-similarity": tr("Finding similar texts (embeddings)"),
        "text-ranking": tr("Sorting search results"),
        "translation": tr("Translation"),
    }
    return known.get(task, one_line(task))


def date_words(iso: str) -> str:
    try:
        return datetime.fromisoformat(iso).date().isoformat()
    except ValueError:
        return ""


def listing_words(listing: Listing) -> str:
    """How much of the repository was looked through, and what of it is not offered."""
    said = [tr("{count} looked through", count=f"{listing.seen_files:,}")]
    if not listing.whole:
        said.append(tr("there are more than that, which are not shown"))
    if listing.refused:
        said.append(tr("{count} not offered because of their names", count=len(listing.refused)))
    if parts := sum(not model.complete for model in listing.models):
        said.append(tr("{count} not offered because parts are missing", count=parts))
    return ", ".join(said)


# ---- quantizations


def quantization_words(name: str) -> str:
    """What "Q4_K_M" means for somebody who never heard of it; "" for a name that says nothing."""
    found = re.search(r"(?:IQ|T?Q|MXFP|NVFP|BF|FP|F)(\d+)", name)
    if found is None:
        return ""
    bits = int(found[1])
    if bits <= 2:
        return tr("{bits} bits: very small, and much is lost", bits=bits)
    if bits >= 16:
        return tr("{bits} bits: nothing is lost, and it is large", bits=bits)
    return {
        3: tr("3 bits: small, and noticeably less exact"),
        4: tr("4 bits: the usual choice"),
        5: tr("5 bits: a little more exact"),
        6: tr("6 bits: hardly anything is lost"),
        8: tr("8 bits: practically nothing is lost"),
    }.get(bits, tr("{bits} bits", bits=bits))


def version_name(model: HubModel) -> str:
    """What one file, or all parts of one, are called in the list."""
    return one_line(model.quantization) or one_line(model.name)


def verdict_words(fitting: Fitting) -> str:
    """Whether it runs here, with the numbers."""
    need, free, on_gpu, gpu_free = (
        gigabytes(size)
        for size in (fitting.needed_bytes, fitting.memory_free, fitting.gpu_bytes, fitting.gpu_free)
    )
    match fitting.verdict:
        case Verdict.GPU:
            said = tr(
                "Fits the graphics card: needs about {need}; {free} are free there.",
                need=on_gpu,
                free=gpu_free,
            )
        case Verdict.PARTLY_GPU:
            said = tr(
                "Fits, {layers} of {all} layers on the graphics card: needs about {need}.",
                layers=fitting.gpu_layers,
                all=fitting.layers,
                need=need,
            )
        case Verdict.CPU:
            said = tr("Fits: needs about {need}; {free} are free.", need=need, free=free)
        case Verdict.SLOW:
            said = tr("Would be slow: needs about {need}; {free} are free.", need=need, free=free)
        case Verdict.WONT_FIT:
            memory = gigabytes(fitting.memory_bytes)
            return tr("Won't fit: needs about {need}; {free} are free.", need=memory, free=free)
    return " ".join(part for part in (said, speed_words(fitting.tokens_per_second)) if part)


def speed_words(rate: float | None) -> str:
    if rate is None:
        return ""
    if rate < 1:
        return tr("Less than a token a second.")
    if rate > 100:
        return tr("More than 100 tokens a second.")
    return tr("About {rate} tokens a second.", rate=f"{rate:.0f}")
