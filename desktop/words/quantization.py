"""What a type of quantization means for somebody who knows none, and why a smaller version was not made."""

from __future__ import annotations

from pathlib import PurePath

from desktop.i18n import tr
from desktop.words.models import model_fault
from desktop.words.sentence import Sentence, gigabytes
from models.quantization.messages import Problem
from models.quantization.types import Loss, QuantType
from models.runtime.faults import Fault

_SMALL_MODEL = 3_000_000_000  # weights; below, the same type costs more


def loss_words(kind: QuantType, parameters: int = 0) -> str:
    """How much worse a model of this type answers. `parameters`: of the model, 0 unknown."""
    text = _loss_text(kind.loss)
    small = 0 < parameters < _SMALL_MODEL
    if small and kind.loss in (Loss.SMALL, Loss.MODERATE, Loss.NOTICEABLE, Loss.STRONG):
        return f"{text} {tr('A model as small as this one loses more.')}"
    return text


def _loss_text(loss: Loss) -> str:
    match loss:
        case Loss.NONE:
            return tr("As good as the original.")
        case Loss.HARDLY:
            return tr("No difference that anybody would notice.")
        case Loss.SMALL:
            return tr("A small loss, hardly noticeable in models of 3 billion weights and more.")
        case Loss.MODERATE:
            return tr("A loss that can be measured and sometimes noticed.")
        case Loss.NOTICEABLE:
            return tr("Noticeably worse answers.")
        case Loss.STRONG:
            return tr("Much worse answers; only where nothing larger fits.")
        case Loss.SEVERE:
            return tr("Often wrong or confused; a smaller model at a larger type is nearly always better.")
        case Loss.SPECIAL:
            return tr("Only for models that were trained for this type; others become useless.")


def type_words(kind: QuantType) -> str:
    """One line about a type, without a model: "about 4.9 bits a weight"."""
    return tr("about {bits} bits a weight", bits=f"{kind.bits:.1f}")


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
