"""What the ledger's own words mean: purposes, and the rules of the gate."""

from __future__ import annotations

from desktop.i18n import tr


def purpose_words(purpose: str) -> str:
    return {
        "chat": tr("a question to a model"),
        "title": tr("a title for a conversation"),
        "download": tr("a download"),
        "search": tr("a search for models"),
        "update": tr("a look for updates"),
        "tool": tr("a tool"),
        "models": tr("a provider's list of models"),
    }.get(purpose, purpose)


def rule_words(rule: str) -> str:
    """Why the gate let it out, or did not."""
    return {
        "hub": tr("to the model hub"),
        "mirror": tr("to your own model hub"),
        "provider": tr("to a provider that is switched on"),
        "position": tr("the network switch does not let it out"),
        "policy": tr("your organisation does not allow it"),
        "no-provider": tr("the provider is not switched on"),
        "model": tr("not a model that may be asked"),
        "label": tr("the conversation never leaves this device"),
        "budget": tr("the budget is spent, or the price is not known"),
        "malformed": tr("not a plain address"),
        "host": tr("not an address that may be reached"),
        "redirect": tr("sent on to somewhere else"),
        "telemetry": tr("a library wanted to report something"),
        "scheme": tr("not encrypted"),
        "port": tr("another port"),
        "credentials-in-url": tr("a name or password in the address"),
        "method": tr("more than taking something was asked for"),
        "body": tr("it would have sent more than it may"),
        "credentials": tr("a key would have gone to somebody else"),
        "proxy": tr("the proxy can't be used"),
        "ledger": tr("the ledger could not be written"),
        "ledger-key": tr("the keychain did not give the ledger's key"),
        "error": tr("the gate could not decide, so nothing left"),
    }.get(rule, rule)
