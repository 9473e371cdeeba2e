"""From what went wrong to what a person reads: what happened, what it means for their words, what to do next.

The only file where faults become sentences; the window and the command line both use it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from desktop.i18n import tr
from desktop.store.faults import StoreFault, StoreFaultKind
from models.quantization.messages import Problem
from models.runtime.faults import Fault

if TYPE_CHECKING:
    from desktop.store.records import OpeningNotice
    from desktop.templates import TemplateView
    from models.recommend import Recommendation


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
        case Fault.NOT_AN_EMBEDDING_MODEL:
            return tr("{name} is not made to turn texts into vectors. Choose an embedding model.", name=name)
        case Fault.NO_TEMPLATE:
            return tr(
                "{name} doesn't say how to talk with it (it has no chat template), so its answers would be nonsense. "
                "Choose a version made for chat, often called “Instruct”, or choose a template for it.",
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
        case Fault.GRAMMAR_BROKEN:
            return _grammar_text(facts)
        case (
            Fault.ADAPTER_MISSING
            | Fault.NOT_AN_ADAPTER
            | Fault.ADAPTER_FOR_ANOTHER_MODEL
            | Fault.ADAPTER_DAMAGED
        ):
            return _adapter_text(fault, str(facts.get("adapter", "")), name)
        case Fault.WORD_OF_SEVERAL_TOKENS:
            return tr(
                "The word “{word}” is several tokens to this model, so it can't be made more or less likely. "
                "The model was not asked.",
                word=facts.get("word", "?"),
            )
        case Fault.DRAFT_UNUSABLE:
            return tr(
                "The draft model {draft} can't be read or is damaged. Go on without it, or choose another.",
                draft=facts.get("draft", "?"),
            )
        case Fault.DRAFT_OF_ANOTHER_VOCABULARY:
            return tr(
                "The draft model {draft} has other words than {name}, so it can't guess for it. "
                "Choose a smaller model of the same family.",
                draft=facts.get("draft", "?"),
                name=name,
            )
        case Fault.SCHEMA_BROKEN:
            return tr("This is not a JSON schema that can be read. Correct it and try again.")
        case Fault.SCHEMA_UNSUPPORTED:
            return tr(
                "This JSON schema uses “{what}”, which Alcove can't hold an answer to. "
                "Take that out of the schema, or write it another way.",
                what=facts.get("what", "?"),
            )
        case _:
            return _image_text(fault, facts, name)


def _adapter_text(fault: Fault, adapter: str, name: str) -> str:
    if fault is Fault.ADAPTER_MISSING:
        return tr(
            "The adapter {adapter} can't be read any more. Was it moved, or its disk unplugged? "
            "Go on without it, or choose another.",
            adapter=adapter,
        )
    if fault is Fault.NOT_AN_ADAPTER:
        return tr(
            "The file {adapter} is not a LoRA adapter that Alcove can use. Go on without it.", adapter=adapter
        )
    if fault is Fault.ADAPTER_FOR_ANOTHER_MODEL:
        return tr(
            "The adapter {adapter} was made for another model than {name}. Go on without it, or choose its model.",
            adapter=adapter,
            name=name,
        )
    if adapter:
        return tr(
            "The adapter {adapter} is damaged. Copy or download it again, or go on without it.",
            adapter=adapter,
        )
    return tr("An adapter is damaged and made the model stop. Go on without it; your conversation is safe.")


def _grammar_text(facts: dict[str, int | str]) -> str:
    rule, line = facts.get("rule", "?"), facts.get("line", "?")
    match facts.get("what"):
        case "root":
            return tr(
                "The grammar has no rule called “root”, where an answer begins. The model was not asked."
            )
        case "undefined":
            return tr(
                "The grammar uses “{rule}” but has no rule of that name. The model was not asked.", rule=rule
            )
        case "recursion":
            return tr(
                "In the grammar the rule “{rule}” begins with itself, so it would never come to an end. "
                "The model was not asked.",
                rule=rule,
            )
        case "empty":
            return tr(
                "In the grammar the rule “{rule}” repeats something that may be empty. The model was not asked.",
                rule=rule,
            )
        case "large":
            return tr("The grammar is too large or nested too deeply. The model was not asked.")
    return tr("The grammar can't be read: look at its line {line}. The model was not asked.", line=line)


def _image_text(fault: Fault, facts: dict[str, int | str], name: str) -> str:
    projector = facts.get("projector", tr("the file that lets it see"))
    match fault:
        case Fault.CANNOT_SEE:
            return tr(
                "{name} can't see images. Choose a model that can, or ask without the image.", name=name
            )
        case Fault.SIGHT_NOT_BUILT:
            return tr(
                "This installation of Alcove was built without the part that reads images. Set it up again to add it. "
                "Everything else works as before."
            )
        case Fault.PROJECTOR_MISSING:
            return tr(
                "{name} sees with the help of a second file, {projector}, which can't be read any more. Copy or "
                "download it again; without images the model works as before.",
                name=name,
                projector=projector,
            )
        case Fault.PROJECTOR_DAMAGED:
            return tr(
                "{name} sees with the help of a second file, {projector}, which is damaged or of a kind that this "
                "version of Alcove doesn't know. Copy or download it again; without images the model works as before.",
                name=name,
                projector=projector,
            )
        case Fault.PROJECTOR_OF_ANOTHER:
            return tr(
                "{name} can't see with {projector}: it belongs to another model. Download the one that was "
                "published with {name}; without images the model works as before.",
                name=name,
                projector=projector,
            )
        case Fault.IMAGE_UNREADABLE:
            return tr("An image can't be read: it is damaged, or incomplete. Remove it, or add it again.")
        case Fault.IMAGE_TOO_LARGE:
            return tr(
                "An image is too large ({width} × {height} pixels). Make it smaller and add it again.",
                width=facts.get("width", "?"),
                height=facts.get("height", "?"),
            )
        case Fault.TOO_MANY_IMAGES:
            return tr(
                "A message can have {most} images at most. Send these first.", most=facts.get("most", "?")
            )
        case Fault.IMAGE_FORMAT:
            return tr(
                "This is no image that can be added. Pictures in the formats PNG, JPEG, WebP, GIF and BMP can be."
            )
        case Fault.IMAGE_FILE_TOO_LARGE:
            return tr("This image file is larger than 32 MB. Make it smaller and add it again.")
        case Fault.IMAGE_FILE_UNREADABLE:
            return tr(
                "The file {image} can't be read: it is not there, or this account has no permission.",
                image=facts.get("image", "?"),
            )
        case _:
            return tr("Something went wrong. Your conversation is safe. Try again.")


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


def quantization_fault(
    problem: Problem | Fault, detail: str, facts: dict[str, int | str], model: str
) -> Sentence:
    """The sentence for a smaller version that was not made. `model`: the file it should have been made from."""
    if isinstance(problem, Fault):
        return model_fault(problem, detail, facts, model)
    return Sentence(_quantization_text(problem, facts, PurePath(model).name), detail)


def _quantization_text(problem: Problem, facts: dict[str, int | str], name: str) -> str:
    kind = str(facts.get("type", ""))
    match problem:
        case Problem.UNKNOWN_TYPE:
            return tr(
                "There is no type called {type}. “alcove models quantize --list” shows all of them.",
                type=kind,
            )
        case Problem.NEEDS_MEASURING:
            return tr(
                "{type} is so small that it has to be measured first which weights matter (an importance matrix), and "
                "Alcove can't do that yet. Nothing was made; choose a larger type.",
                type=kind,
            )
        case Problem.QUANTIZED_ALREADY:
            return tr(
                "{name} is a smaller version already ({type}). Made smaller once more it answers worse than one that "
                "is made from the F16 or BF16 file. Nothing was made; do it all the same only without such a file.",
                name=name,
                type=kind,
            )
        case Problem.NOT_SMALLER:
            return tr(
                "As {type}, {name} would take {size}, and it takes {source_size} now. Nothing was made.",
                type=kind,
                name=name,
                size=gigabytes(facts.get("bytes")),
                source_size=gigabytes(facts.get("source_bytes")),
            )
        case Problem.NOT_A_MODEL:
            return tr(
                "{name} is not a model of its own: it is a part that belongs to one. Nothing was made.",
                name=name,
            )
        case Problem.EXISTS:
            return tr("{file} is there already. Nothing was changed.", file=facts.get("file", tr("The file")))
        case Problem.NO_SPACE:
            return tr(
                "There is not enough room on the disk: {need} are needed and {free} are free. Nothing was made.",
                need=gigabytes(facts.get("need_bytes")),
                free=gigabytes(facts.get("free_bytes")),
            )
        case Problem.DISK:
            return tr(
                "The disk refused the new file; {free} are free on it. What there was of it is gone, and {name} is "
                "unchanged.",
                free=gigabytes(facts.get("free_bytes")),
                name=name,
            )
        case Problem.STOPPED:
            return tr(
                "The process that made the smaller version has ended unexpectedly, perhaps for lack of memory. What "
                "there was of it is gone, and {name} is unchanged. Try again.",
                name=name,
            )
        case Problem.REFUSED:
            return tr("{name} can't be made smaller. Nothing was made, and it is unchanged.", name=name)


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


def template_words(view: TemplateView) -> Sentence:
    """What is to be said of the chat template of a model."""
    return Sentence(" ".join(filter(None, _template_sentences(view))), view.problem)


def _template_sentences(view: TemplateView) -> tuple[str, ...]:
    known = view.known
    published = ""
    if known is not None:
        source = f"{known.source}, {known.date}" if known.date else known.source
        published = tr(
            "This is the known template of {name} (source: {source}).", name=known.name, source=source
        )
    problem = tr("It doesn't work, so the model can't be used with it.") if view.problem else ""
    match view.verdict.value:
        case "replaced":
            form = (
                tr("It is the form {form}, in Alcove's own words.", form=view.form.title) if view.form else ""
            )
            return tr("Replaced by you: the file's own template is not used."), form, published, problem
        case "known":
            return published, problem
        case "unknown":
            return (
                tr(
                    "Not a known one: Alcove's table has no template with this text. Many files bring one of their own."
                ),
                problem,
            )
    if view.form is None:
        return (
            tr(
                "This file brings no chat template, so it doesn't say how to talk with it. You can choose one for it."
            ),
        )
    return (
        tr("This file brings no chat template, so it doesn't say how to talk with it."),
        tr(
            "Most models of its family are spoken to in the form {form}, which can be used instead. A model that was "
            "only made to continue texts may still answer oddly.",
            form=view.form.title,
        ),
    )


def replacement_fault(fault: Fault, detail: str, file: str) -> Sentence:
    """The sentence for a chat template that was to be used instead of a model's own, and can't be."""
    name = PurePath(file).name
    match fault:
        case Fault.TEMPLATE_BROKEN:
            text = tr(
                "The template in {name} doesn't work with a short conversation. Nothing was changed.",
                name=name,
            )
        case Fault.TEMPLATE_ENDLESS:
            text = tr("The template in {name} doesn't come to an end. Nothing was changed.", name=name)
        case Fault.FILE_MISSING:
            text = tr("There is no file {name}. Nothing was changed.", name=name)
        case Fault.FILE_UNREADABLE:
            text = tr("The file {name} can't be read. Nothing was changed.", name=name)
        case _:
            text = tr("The template could not be tried out. Nothing was changed.")
    return Sentence(text, detail)
