"""How the keychain stands, and why a text is no key."""

from __future__ import annotations

from desktop.i18n import tr


def keychain_words(state: str) -> str:
    """A `providers.keychain.KeychainState`, and what to do about it."""
    match state:
        case "keychain_ready":
            return tr("The keychain is open.")
        case "keychain_locked":
            return tr(
                "Your keychain is locked, and Alcove does not ask for its password. Unlock it in the program where "
                "you manage your passwords, or by logging in again, then try again."
            )
        case "keychain_absent":
            return tr("This system has no keychain that Alcove can reach.")
        case "keychain_none_made":
            return tr(
                "There is a keychain service, but no keychain in it yet. Make one in the program where you manage your "
                "passwords, then try again."
            )
        case "keychain_silent":
            return tr("The keychain did not answer. Nothing was changed; try again in a moment.")
    return tr("The keychain refused. Nothing was changed.")


def key_problem_words(problem: str) -> str:
    """A `providers.keys.KeyProblem`: why what was put in is no key. Nothing of it is repeated."""
    match problem:
        case "key_empty":
            return tr("There is no key in it. Nothing was stored.")
        case "key_space":
            return tr("A key has no spaces and no line breaks. Copy it again, without what stands around it.")
        case "key_letters":
            return tr(
                "There are letters in it that no key has. Copy it again, without what stands around it."
            )
    return tr("This is too long for a key. Nothing was stored.")
