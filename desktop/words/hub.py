"""What a hub, the gate or a download refused, and where a model on a hub would run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from desktop.i18n import tr
from desktop.words.keys import keychain_words
from desktop.words.remote import ledger_key_words
from desktop.words.sentence import Sentence, gigabytes

if TYPE_CHECKING:
    from models.recommend import Recommendation


def hub_fault(code: str, facts: dict[str, int | str]) -> Sentence:
    """The sentence for something that a hub, the gate or the disk refused. `code`: a `HubKind`, a `Problem`, a rule."""
    return Sentence(_hub_text(code, facts), code)


def _hub_text(code: str, facts: dict[str, int | str]) -> str:
    match code:
        case "offline" | "unreachable" | "name" | "timed-out" | "cut-off":
            return tr("The model hub can't be reached. Nothing was lost; check the connection and try again.")
        case "tls" | "certificate":
            return tr("The model hub's certificate is not one that this computer trusts. Nothing was sent.")
        case "not_found":
            return tr("The model hub has no such model or file. Check its name.")
        case "gated_no_token" | "no_key":
            return _no_token_text(code, str(facts.get("keychain", "")))
        case "gated_not_accepted":
            return tr(
                "This model is not open to everybody, and the account of your token may not have it yet. Accept its "
                "conditions on its page at the model hub; where somebody has to agree first, wait for their answer."
            )
        case "token_wrong":
            return tr(
                "The model hub does not take your token: it is mistyped, expired or withdrawn. Make a new one at the "
                "hub, in the settings of your account, and put it in its place, here under “Access keys”."
            )
        case "forbidden":
            return tr(
                "The model hub does not let your account have this. Check on the model's page what it asks for."
            )
        case "rate_limited":
            return tr("The model hub asks to wait. What was fetched is kept; try again in a few minutes.")
        case "server" | "bad_answer" | "unreadable":
            return tr("The model hub answered with an error. What was fetched is kept; try again later.")
        case "bad_name":
            return tr("This is not the name of a model: it is written publisher/name.")
        case "no_space" if "need_bytes" not in facts:
            return tr(
                "There is not enough room on the disk. What was fetched is kept; free some space, then go on."
            )
        case "no_space":
            return tr(
                "There is not enough room on the disk: {need} are needed and {free} are free. Nothing was changed.",
                need=gigabytes(facts.get("need_bytes")),
                free=gigabytes(facts.get("free_bytes")),
            )
        case "hash_mismatch":
            return tr(
                "What was fetched is not what the model hub announced, so it was put aside and is not used. Try again."
            )
        case "no_hash":
            return tr(
                "The model hub gives no checksum for this file, so it can't be checked and is not fetched."
            )
        case "exists":
            return tr("This model is on the disk already. Nothing was changed.")
        case "busy":
            return tr(
                "Another Alcove has the list of downloads. Add the model in its window, or close it and try again. "
                "Nothing was changed."
            )
        case "unknown":
            return tr("This download is not in the list any more. Nothing was changed.")
        case "incomplete" | "part_missing":
            return tr("Parts of this model are missing on the model hub, so it is not fetched.")
        case "not_gguf" | "truncated" | "damaged":
            return tr("The model hub's file is damaged, or it is no model in the GGUF format.")
        case "header_too_long":
            return tr("This file says more of itself than can be read before it is fetched.")
        case "internal":
            return tr(
                "This download stopped because of a mistake in Alcove. What was fetched is kept; try again."
            )
        case "disk":
            return tr("The disk refused the file. What was fetched is kept; check the disk and try again.")
        case "gone":
            return tr(
                "The process that fetches models has ended unexpectedly. What was fetched is kept; try again."
            )
        case "ledger-key":
            return ledger_key_words()
        case "ledger":
            return tr("The ledger could not be written, so nothing was sent. Check the disk.")
    return tr("The gate did not let this request out ({rule}). Nothing was sent.", rule=code)


def _no_token_text(code: str, keychain: str) -> str:
    if keychain in ("keychain_locked", "keychain_silent", "keychain_refused"):
        return " ".join((tr("This needs your token for the model hub."), keychain_words(keychain)))
    if code == "no_key":
        return tr("There is no token for the model hub yet, so there is nothing to test. Nothing was sent.")
    return tr(
        "This model is not open to everybody. Accept its conditions on its page at the model hub, make an access token "
        "there, in the settings of your account, and put it in here under “Access keys”."
    )


def fit_words(verdict: str, gpu_layers: int, layers: int) -> str:
    """Where a model would run on this machine, as part of a sentence. `verdict`: a `models.estimate.Verdict`."""
    match verdict:
        case "gpu":
            return tr("fits on the graphics card")
        case "partly_gpu":
            return tr(
                "fits, {count} of {all} layers of it on the graphics card", count=gpu_layers, all=layers
            )
        case "cpu":
            return tr("fits into memory")
        case "slow":
            return tr("fits, but writes more slowly than people read")
    return tr("does not fit")


def recommendation_words(row: Recommendation) -> str:
    """Where a recommended model would run, in a sentence. A guess: its header is read before a download."""
    need = gigabytes(row.need_bytes)
    match row.verdict.value:
        case "gpu":
            return tr("It fits the graphics card: it needs about {need}.", need=need)
        case "partly_gpu":
            return tr("It needs about {need}; a part of it fits the graphics card.", need=need)
        case "cpu":
            return tr("It needs about {need} of memory, and there is enough.", need=need)
        case "slow":
            return tr("It needs about {need}. It would fit, and write slowly.", need=need)
    return tr(
        "It needs about {need}, {missing} more than is free now.",
        need=need,
        missing=gigabytes(row.missing_bytes),
    )


def openness_words(openness: str) -> str:
    """A value of `models.library.entry.Openness`, as a person reads it."""
    match openness:
        case "fully open":
            return tr("Fully open, with its training data")
        case "open weight":
            return tr("Open weight")
        case "semi-open":
            return tr("Semi-open, with conditions")
    return tr("Licence unknown")
