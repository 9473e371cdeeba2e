"""From what went wrong to what a person reads: what happened, what it means for their words, what to do next.

The only file where faults become sentences; the window and the command line both use it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from desktop.i18n import tr
from desktop.store.faults import StoreFault, StoreFaultKind
from models.runtime.faults import Fault

if TYPE_CHECKING:
    from desktop.store.records import OpeningNotice


@dataclass(frozen=True, slots=True)
class Sentence:
    """`text` is for reading; `detail` is what a technician would want, without anybody's words or keys."""

    text: str
    detail: str = ""


def gigabytes(count: object) -> str:
    """A number of bytes as people say it: "5.1 GB", "98 MB"."""
    size = float(count) if isinstance(count, int | float) else 0.0
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def graphics_cards(devices: str) -> list[str]:
    """The devices of a placement as people know them: "A card (8.6 GB)"."""
    from models.runtime.placement import described

    return [f"{name} ({gigabytes(total)})" if total else name for name, total in described(devices)]


def model_fault(fault: Fault, detail: str, facts: dict[str, int | str], model: str) -> Sentence:
    """The sentence for a model that could not be loaded or stopped answering. `model`: its name, or its file.

    Its file is what can be moved or copied again, so that is named where the facts tell it.
    """
    name = str(facts.get("file", "")) or PurePath(model).name
    return Sentence(_model_text(fault, facts, name), detail)


def _model_text(fault: Fault, facts: dict[str, int | str], name: str) -> str:
    match fault:
        case Fault.FILE_MISSING:
            return tr(
                "The file {name} is not there any more. Was it moved, or its disk unplugged? Choose another model.",
                name=name,
            )
        case Fault.FILE_UNREADABLE:
            return tr(
                "The file {name} can't be read: this account has no permission. Choose another model.",
                name=name,
            )
        case Fault.NOT_GGUF:
            return tr(
                "{name} is not a model in the GGUF format. Nothing was changed. Choose a file that ends in .gguf.",
                name=name,
            )
        case Fault.TRUNCATED:
            return tr("{name} is incomplete: its end is missing. Copy or download it again.", name=name)
        case Fault.DAMAGED:
            return tr("{name} is damaged and can't be used. Copy or download it again.", name=name)
        case Fault.PART_MISSING:
            return tr(
                "{name} is incomplete: it comes in {parts} files, and not all of them are in its folder. "
                "Copy or download the others too.",
                name=name,
                parts=facts.get("parts", "?"),
            )
        case Fault.UNSUPPORTED_ARCHITECTURE:
            return tr(
                "{name} is of a kind ({architecture}) that this version of Alcove doesn't know yet. "
                "Choose another model.",
                name=name,
                architecture=facts.get("architecture", "?"),
            )
        case Fault.NOT_A_CHAT_MODEL:
            return tr("{name} is not made for conversations. Choose a chat model.", name=name)
        case Fault.NO_TEMPLATE:
            return tr(
                "{name} doesn't say how to talk with it (it has no chat template), so its answers would be nonsense. "
                "Choose a version made for chat, often called “Instruct”.",
                name=name,
            )
        case Fault.TEMPLATE_BROKEN:
            return tr(
                "The chat template inside {name} doesn't work. Choose another version of this model.",
                name=name,
            )
        case Fault.TEMPLATE_ENDLESS:
            return tr(
                "The chat template inside {name} doesn't come to an end, so it was stopped. Choose another model.",
                name=name,
            )
        case Fault.NOT_ENOUGH_MEMORY:
            return _memory_text(facts, name)
        case Fault.OPTIONS_DO_NOT_FIT:
            return tr(
                "{name} can't be loaded with these settings: a less precise context needs flash attention. Set one of "
                "them back, in the settings under “Speed and memory”.",
                name=name,
            )
        case Fault.PROMPT_TOO_LONG:
            return tr(
                "This message is too long for the model: it has {prompt_tokens} tokens and there is room for {room}. "
                "Shorten it, or give the model a larger context in the settings.",
                prompt_tokens=facts.get("prompt_tokens", "?"),
                room=facts.get("room", "?"),
            )
        case Fault.LOAD_STALLED:
            return tr(
                "{name} did not finish loading, so it was stopped. Try again, or choose another model.",
                name=name,
            )
        case Fault.LOAD_CANCELLED:
            return tr("Loading {name} was stopped.", name=name)
        case Fault.WORKER_STOPPED:
            return tr(
                "The model stopped unexpectedly. "
                "Your conversation is safe, and the model starts again with your next message."
            )
        case Fault.GENERATION_FAILED:
            return tr("The model could not go on with this answer. Your conversation is safe. Try again.")


def _memory_text(facts: dict[str, int | str], name: str) -> str:
    if "need_bytes" in facts and "free_bytes" in facts:
        return tr(
            "{name} needs about {need} of memory; {free} are free. "
            "Close other programs, choose a smaller model or a smaller context.",
            name=name,
            need=gigabytes(facts["need_bytes"]),
            free=gigabytes(facts["free_bytes"]),
        )
    return tr(
        "There is not enough memory for {name}. Close other programs, choose a smaller model or a smaller context.",
        name=name,
    )


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
        case "gated_no_token" | "gated_not_accepted" | "token_wrong" | "forbidden":
            return tr(
                "This model is not open to everybody: its conditions have to be accepted on the model hub first."
            )
        case "rate_limited":
            return tr("The model hub asks to wait. What was fetched is kept; try again in a few minutes.")
        case "server" | "bad_answer" | "unreadable":
            return tr("The model hub answered with an error. What was fetched is kept; try again later.")
        case "bad_name":
            return tr("This is not the name of a model: it is written publisher/name.")
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
            return tr("Another Alcove is fetching models right now. Wait for it, then try again.")
        case "disk":
            return tr("The disk refused the file. What was fetched is kept; check the disk and try again.")
        case "gone":
            return tr(
                "The process that fetches models has ended unexpectedly. What was fetched is kept; try again."
            )
        case "ledger":
            return tr("The ledger could not be written, so nothing was sent. Check the disk.")
    return tr("The gate did not let this request out ({rule}). Nothing was sent.", rule=code)


def store_fault(fault: StoreFault) -> Sentence:
    """The sentence for a conversation that could not be read or written."""
    return Sentence(_store_text(fault.kind), fault.detail)


def _store_text(kind: StoreFaultKind) -> str:
    match kind:
        case StoreFaultKind.DISK_FULL:
            return tr(
                "The disk is full. What was stored is safe; free some space, and Alcove stores the rest by itself."
            )
        case StoreFaultKind.READ_ONLY:
            return tr("Conversations can be read but not stored: their folder is read-only.")
        case StoreFaultKind.CORRUPT:
            return tr(
                "The file with your conversations is damaged. It was kept as it is; nothing was overwritten."
            )
        case StoreFaultKind.NEWER:
            return tr(
                "Your conversations were last used with a newer Alcove. Nothing was changed. "
                "Install that version to open them."
            )
        case StoreFaultKind.BUSY:
            return tr("Another program is using your conversations right now. Try again in a moment.")
        case StoreFaultKind.IO:
            return tr(
                "The disk with your conversations does not answer. "
                "What was stored is safe; check the disk, then try again."
            )


def opening_words(notice: OpeningNotice) -> Sentence:
    """What a person must know about the opening of their conversations."""
    from desktop.store.records import OpeningKind

    if notice.kind is OpeningKind.READ_ONLY:
        return Sentence(_store_text(StoreFaultKind.READ_ONLY))
    if notice.conversations:
        text = tr(
            "The file with your conversations was damaged. {conversations} conversations with {messages} messages "
            "could be read and are here; the damaged file was kept as it is.",
            conversations=notice.conversations,
            messages=notice.messages,
        )
    else:
        text = tr(
            "The file with your conversations is damaged and could not be read, so a new one was begun. "
            "The damaged file was kept as it is."
        )
    return Sentence(text, str(notice.kept) if notice.kept else "")
