"""What a type of quantization means for somebody who knows none: its size and what it costs, in sentences."""

from __future__ import annotations

from desktop.i18n import tr
from models.quantization.types import Loss, QuantType

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
