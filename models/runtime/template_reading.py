"""Reading a chat template without loading its model: to be shown, and to be tried out before it replaces another."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from models.gguf import read_header
from models.runtime.faults import Fault, RuntimeFault
from models.runtime.protocol import ReadTemplate, Report, Stage, TemplateText
from models.runtime.template import ChatTemplate

LONGEST_TEMPLATE = 1 << 20
"""Bytes. The longest that are known have 20 thousand."""


def read_template(command: ReadTemplate, send: Callable[[Report], None]) -> TemplateText:
    """What `ReadTemplate` asks for. Raises `RuntimeFault` NO_TEMPLATE, TEMPLATE_BROKEN, those of `read_header`."""
    header = read_header(command.path)
    replacement = command.text or (_read_file(command.file) if command.file else "")
    text = replacement or header.text("tokenizer.chat_template")
    architecture = header.architecture[:60]
    if not text.strip():
        raise RuntimeFault(Fault.NO_TEMPLATE, facts={"architecture": architecture})
    sha256 = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    if not command.try_out:
        return TemplateText(text, sha256, architecture)
    send(Stage("template"))
    try:
        template = ChatTemplate(text, "", "")
    except RuntimeFault as fault:
        if replacement:
            raise
        return TemplateText(text, sha256, architecture, fault.detail or fault.fault.value)
    return TemplateText(text, sha256, architecture, "", template.efforts, template.tool_form.native)


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
