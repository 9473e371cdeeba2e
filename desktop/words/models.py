"""What a model, its image, its adapter or its grammar did wrong, in sentences."""

from __future__ import annotations

from pathlib import PurePath

from desktop.i18n import tr
from desktop.words.remote import remote_fault
from desktop.words.sentence import Sentence, gigabytes
from models.runtime.faults import Fault
from providers.errors import ErrorKind
from providers.remote.faults import RemoteFault


def model_fault(fault: ErrorKind, detail: str, facts: dict[str, int | str], model: str) -> Sentence:
    """The sentence for a model that could not be loaded or stopped answering. `model`: its name, or its file.

    Its file is what can be moved or copied again, so that is named where the facts tell it.
    """
    if isinstance(fault, RemoteFault):
        return remote_fault(fault, detail, facts, model)
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
