"""What is to be said of a chat template."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from desktop.i18n import tr
from desktop.words.sentence import Sentence
from models.runtime.faults import Fault

if TYPE_CHECKING:
    from desktop.templates import TemplateView


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
