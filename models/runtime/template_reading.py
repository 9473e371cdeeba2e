"""Reading a chat template without loading its model: to be shown, and to be tried out before it replaces another."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from models.gguf import card, read_header
from models.runtime.faults import Fault, RuntimeFault
from models.runtime.protocol import ReadTemplate, Report, Stage, TemplateText
from models.runtime.template import ChatTemplate

LONGEST_TEMPLATE = 1 << 20
"""Bytes. The longest that are known have 20 thousand."""


def read_template(command: ReadTemplate, send: Callable[[Report], None]) -> TemplateText:
    """What `ReadTemplate` asks for.

    Raises `RuntimeFault` NO_TEMPLATE (facts: architecture, name), TEMPLATE_BROKEN, those of `read_header`.
    """
    header = read_header(command.path)
    replacement = command.text or (_read_file(command.file) if command.file else "")
    own = header.text("tokenizer.chat_template")
    text = replacement or own
    if not text.strip():
        name = card(header, command.path).name
        raise RuntimeFault(Fault.NO_TEMPLATE, facts={"architecture": header.architecture[:60], "name": name})
    seen = TemplateText(text, _sha256(text), _sha256(own) if own else "")
    if not command.try_out:
        return seen
    send(Stage("template"))
    try:
        template = ChatTemplate(text, "", "")
    except RuntimeFault as fault:
        if replacement:
            raise
        return replace(seen, problem=fault.detail or fault.fault.value)
    return replace(seen, efforts=template.efforts, takes_tools=template.tool_form.native)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _read_file(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            content = file.read(LONGEST_TEMPLATE + 1)
    except FileNotFoundError as error:
        raise RuntimeFault(Fault.FILE_MISSING, str(error)) from error
    except OSError as error:
        raise RuntimeFault(Fault.FILE_UNREADABLE, str(error)) from error
    if len(content) > LONGEST_TEMPLATE:
        raise RuntimeFault(Fault.TEMPLATE_BROKEN, f"it has more than {LONGEST_TEMPLATE:,} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RuntimeFault(Fault.TEMPLATE_BROKEN, f"it is no text: {error}") from error
    if not text.strip():
        raise RuntimeFault(Fault.TEMPLATE_BROKEN, "it is empty")
    return text
