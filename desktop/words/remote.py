"""What went wrong with an answer from a remote model, in sentences: what happened, what left, what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from desktop.i18n import tr
from desktop.words.keys import keychain_words
from desktop.words.sentence import Sentence
from providers.remote.faults import RemoteFault

Facts = Mapping[str, int | str]

_NONE: Mapping[str, str] = {}
_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£"}


def provider_name(provider: str, own: Mapping[str, str] = _NONE) -> str:
    """What people call a provider, by its id. `own`: the names of servers of one's own (`Chosen.own_names`)."""
    from providers.remote.catalogue import catalogue

    if provider in own:
        return own[provider]
    service = catalogue().get(provider)
    return service.name if service is not None else tr("a server of your own")


def money(amount: str, currency: str) -> str:
    """A decimal number as money, with as many digits as a small price needs: "$0.0042", "$12.30"."""
    try:
        value = Decimal(amount)
    except InvalidOperation:
        return tr("cost not known")
    shown = f"{value:,.2f}" if value >= 1 or value == 0 else f"{value:.2g}"
    if "e" in shown:
        shown = f"{value:.6f}"
    shown += "0" * (len(shown.partition(".")[2]) == 1)  # "$0.50", not "$0.5"
    sign = _SIGNS.get(currency)
    return f"{sign}{shown}" if sign else f"{shown} {currency}".strip()


def remote_fault(fault: RemoteFault, detail: str, facts: Facts, model: str) -> Sentence:
    """The sentence for a remote model that did not answer. `facts`: "provider" is what people call it.

    `detail` are the service's own words: they are shown as what it said, never as ours.
    """
    provider = str(facts.get("provider", "")) or tr("The provider")
    return Sentence(_text(fault, facts, provider, model), detail)


def _text(fault: RemoteFault, facts: Facts, provider: str, model: str) -> str:
    match fault:
        case RemoteFault.OFFLINE:
            return tr(
                "Nothing was sent: the network switch does not let remote models out. Turn it to “Remote models”, or "
                "ask a model on this device."
            )
        case RemoteFault.STAYS:
            return tr(
                "Nothing was sent: this conversation never leaves this device. Ask a model on this device."
            )
        case RemoteFault.NOT_CONFIRMED:
            return tr(
                "Nothing was sent: you have not agreed yet that this conversation may go to {provider}. "
                "Send it again "
                "to be asked.",
                provider=provider,
            )
        case RemoteFault.NO_KEY:
            return _no_key_text(str(facts.get("keychain", "")), provider)
        case RemoteFault.NO_BROKER:
            return tr(
                "The process that reaches remote models has ended. Your conversation is safe. Close Alcove "
                "and start it "
                "again to go on, or ask a model on this device."
            )
        case RemoteFault.GATE:
            return _gate_text(str(facts.get("gate", "")), str(facts.get("rule", "")), provider, model)
        case RemoteFault.UNSUPPORTED:
            return _unsupported_text(str(facts.get("what", "")), provider)
        case _:
            return _answer_text(fault, facts, provider, model)


def _answer_text(fault: RemoteFault, facts: Facts, provider: str, model: str) -> str:
    """What the service refused, or how its answer broke: the question had left by then."""
    match fault:
        case RemoteFault.KEY_REFUSED:
            return tr(
                "{provider} does not take your key: it is mistyped, expired or withdrawn. Make a new one "
                "in your account "
                "there, and put it in its place on the page “Remote models”.",
                provider=provider,
            )
        case RemoteFault.NO_CREDIT:
            return tr(
                "Your account at {provider} has no credit left, so it did not answer. Add some there, or "
                "go on with a "
                "model on this device.",
                provider=provider,
            )
        case RemoteFault.FORBIDDEN:
            return tr(
                "{provider} does not let your key use this model. Check what your account there may do, or choose "
                "another model.",
                provider=provider,
            )
        case RemoteFault.MODEL_UNKNOWN:
            return tr(
                "{provider} has no model called {model}. Choose another.", provider=provider, model=model
            )
        case RemoteFault.MODEL_RETIRED:
            return tr(
                "{provider} does not offer {model} any more. Choose a newer model.",
                provider=provider,
                model=model,
            )
        case RemoteFault.CONTEXT_TOO_LONG:
            return tr(
                "This conversation is longer than {model} can read. Begin a new one, or choose a model "
                "that reads more.",
                model=model,
            )
        case RemoteFault.CONTENT_REFUSED:
            return tr(
                "{provider} refused to answer because of what is in the conversation. A model on this device decides "
                "for itself.",
                provider=provider,
            )
        case RemoteFault.IMAGE_REFUSED:
            return tr(
                "{provider} did not take an image: it is too large, of another type, or {model} sees none. "
                "Remove it, "
                "or choose another model.",
                provider=provider,
                model=model,
            )
        case RemoteFault.REQUEST_REFUSED:
            return tr(
                "{provider} did not accept the question in this form. What it said is in the details.",
                provider=provider,
            )
        case RemoteFault.RATE_LIMITED:
            return _limited_text(facts, provider)
        case RemoteFault.OVERLOADED:
            return tr(
                "{provider} has too much to do now. Try again in a minute, or go on with a model on this device.",
                provider=provider,
            )
        case RemoteFault.SERVER_FAILED:
            return tr(
                "{provider} made a mistake of its own. What had arrived is here. Try again, or go on with a model on "
                "this device.",
                provider=provider,
            )
        case RemoteFault.REDIRECTED:
            return tr(
                "{provider} wanted to send the question on to another address. Alcove does not do that: nothing went "
                "there. Check the provider's address.",
                provider=provider,
            )
        case RemoteFault.CUT_OFF:
            return tr(
                "The connection to {provider} ended before the answer did. What had arrived is here. Ask "
                "it to go on, "
                "or try again; what this cost is not known.",
                provider=provider,
            )
        case RemoteFault.TOO_LARGE:
            return tr(
                "{provider} sent more than an answer can be, so it was stopped. What had arrived is here.",
                provider=provider,
            )
        case _:
            return tr(
                "What {provider} answered can't be read. What had arrived before is here. Check its address, or try "
                "again.",
                provider=provider,
            )


def _limited_text(facts: Facts, provider: str) -> str:
    seconds = facts.get("retry_after")
    if isinstance(seconds, int) and seconds > 0:
        return tr(
            "{provider} lets your account ask no more for now: it says to wait {seconds} s. Try again then, or go on "
            "with a model on this device.",
            provider=provider,
            seconds=seconds,
        )
    return tr(
        "{provider} lets your account ask no more for now. Try again later, or go on with a model on this device.",
        provider=provider,
    )


def _no_key_text(keychain: str, provider: str) -> str:
    text = tr(
        "Nothing was sent: there is no key for {provider}. Put one in on the page “Remote models”.",
        provider=provider,
    )
    return f"{text} {keychain_words(keychain)}" if keychain and keychain != "keychain_ready" else text


def _unsupported_text(what: str, provider: str) -> str:
    match what:
        case "grammar":
            return tr(
                "Nothing was sent: {provider} can't hold an answer to a grammar. Choose JSON, or a model "
                "on this device.",
                provider=provider,
            )
        case "schema":
            return tr(
                "Nothing was sent: {provider} can't hold an answer to this JSON schema. Choose plain JSON, "
                "or a model on "
                "this device.",
                provider=provider,
            )
        case "images":
            return tr(
                "Nothing was sent: this model takes no images. Ask without them, or choose another model.",
                provider=provider,
            )
    return tr(
        "Nothing was sent: {provider} can't be asked for an answer in this form. Change what is "
        "chosen under “Answers in "
        "this conversation”, or ask a model on this device.",
        provider=provider,
    )


def _gate_text(gate: str, rule: str, provider: str, model: str) -> str:
    """`gate`: a `GateFault`; `rule`: the gate's, where it refused."""
    if gate == "refused":
        return _refused_text(rule, provider, model)
    match gate:
        case "ledger" if rule == "ledger-key":
            return ledger_key_words()
        case "ledger":
            return tr(
                "Nothing was sent: the ledger could not be written, and nothing leaves without its row "
                "there. Free some "
                "space on the disk, or check the folder “ledger”, and try again."
            )
        case "name" | "unreachable":
            return tr(
                "{provider} can't be reached: check the connection. Your question is kept here; try again, or go on "
                "with a model on this device.",
                provider=provider,
            )
        case "proxy":
            return tr(
                "The proxy of this network did not let the request through to {provider}. Ask who looks after the "
                "network, or go on with a model on this device.",
                provider=provider,
            )
        case "certificate" | "tls":
            return tr(
                "Nothing was sent: what answered in the name of {provider} could not prove that it is. "
                "Somebody may be "
                "reading along, a program that inspects traffic may stand between, or this computer's "
                "clock is wrong.",
                provider=provider,
            )
        case "timed-out":
            return tr(
                "{provider} did not answer in time. Your question is kept here; try again, or go on with a model on "
                "this device.",
                provider=provider,
            )
        case "cut-off":
            return _answer_text(RemoteFault.CUT_OFF, {}, provider, model)
        case "too-large":
            return tr(
                "Nothing was sent: the conversation with its images is larger than a request may be. Begin "
                "a new one, or "
                "remove images."
            )
        case "busy":
            return tr("Too much is under way at once. Wait for an answer to end, and try again.")
    return _answer_text(RemoteFault.UNREADABLE, {}, provider, model)


def ledger_key_words() -> str:
    """What a locked keychain means for everything that would leave."""
    return tr(
        "The key of the ledger is in the keychain, and the keychain is locked or does not answer: no row could be "
        "written, so nothing was sent. Unlock it, and try again."
    )


def _refused_text(rule: str, provider: str, model: str) -> str:
    match rule:
        case "position":
            return _text(RemoteFault.OFFLINE, {}, provider, model)
        case "policy":
            return tr("Nothing was sent: your organisation does not allow it. Ask a model on this device.")
        case "no-provider":
            return tr(
                "Nothing was sent: {provider} is not switched on. Switch it on on the page “Remote models”, or ask a "
                "model on this device.",
                provider=provider,
            )
        case "model":
            return tr("Nothing was sent: {model} is not among the models that may be asked.", model=model)
        case "label":
            return _text(RemoteFault.STAYS, {}, provider, model)
        case "budget":
            return tr(
                "Nothing was sent: the budget for {provider} is spent, or there is no telling what this would cost. "
                "Change it on the page “Costs”, or go on with a model on this device.",
                provider=provider,
            )
        case "redirect":
            return _answer_text(RemoteFault.REDIRECTED, {}, provider, model)
    return tr(
        "Nothing was sent: the gate refused it ({rule}). The ledger has the row. Ask a model on this device.",
        rule=rule or "?",
    )
