"""The LoRA adapters of one loaded model: read, checked and put to use, before anything is computed with them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.gguf import read_header
from models.runtime import llama
from models.runtime.faults import Fault, RuntimeFault
from models.runtime.llama_adapters import is_activated, load_adapter, set_adapters
from models.runtime.values import Adapter

_ABOUT_THE_FILE = {
    Fault.FILE_MISSING: Fault.ADAPTER_MISSING,
    Fault.FILE_UNREADABLE: Fault.ADAPTER_MISSING,
    Fault.NOT_GGUF: Fault.NOT_AN_ADAPTER,
}

Stamp = tuple[str, int, int, float]
"""An adapter in use: its file, as it was, and its strength."""


class Adapters:
    """Used by the worker's main thread."""

    def __init__(self, model: llama.Model, context: llama.Context, architecture: str) -> None:
        self.in_use: tuple[Stamp, ...] = ()
        self._model = model
        self._context = context
        self._architecture = architecture
        self._loaded: dict[tuple[str, int, int], Any] = {}

    def stamps(self, wanted: Sequence[Adapter]) -> tuple[Stamp, ...]:
        """What `use` takes; those without strength do nothing. Raises `RuntimeFault` ADAPTER_MISSING."""
        stamps = []
        for adapter in wanted:
            try:
                status = os.stat(adapter.path)
            except (OSError, ValueError) as error:
                raise _fault(Fault.ADAPTER_MISSING, adapter.path, str(error)) from error
            if adapter.strength:
                stamps.append((adapter.path, status.st_size, status.st_mtime_ns, adapter.strength))
        return tuple(stamps)

    def read(self, stamps: Sequence[Stamp]) -> None:
        """Read and check their files, those that were not; nothing else changes.

        Raises `RuntimeFault` ADAPTER_MISSING, NOT_AN_ADAPTER, ADAPTER_FOR_ANOTHER_MODEL or ADAPTER_DAMAGED (fact
        `adapter`: the file's name).
        """
        for path, size, changed, _ in stamps:
            if (path, size, changed) not in self._loaded:
                self._loaded[path, size, changed] = self._load(path)

    def use(self, stamps: tuple[Stamp, ...]) -> None:
        """Compute with these, which were read, from now on. The KV cache is empty afterwards.

        Raises `RuntimeFault` ADAPTER_DAMAGED; then those before stay in use.
        """
        self._set(stamps)
        self._context.clear()
        try:
            if stamps and not self._computes_numbers():
                self._set(self.in_use)
                raise _fault(Fault.ADAPTER_DAMAGED, stamps[-1][0], "the model computes no numbers with it")
        finally:
            self._context.clear()
        self.in_use = stamps

    def _set(self, stamps: Sequence[Stamp]) -> None:
        set_adapters(
            self._context, [self._loaded[stamp[:3]] for stamp in stamps], [stamp[3] for stamp in stamps]
        )

    def _computes_numbers(self) -> bool:
        result = self._context.decode([0])
        if result is llama.Decoded.DONE:
            return self._context.logits_are_numbers()
        return (
            result is llama.Decoded.INTERRUPTED
        )  # then nothing is known, and nothing will be written either

    def _load(self, path: str) -> Any:
        try:
            header = read_header(path)
        except RuntimeFault as fault:
            raise _fault(
                _ABOUT_THE_FILE.get(fault.fault, Fault.ADAPTER_DAMAGED), path, fault.detail
            ) from fault
        if header.text("general.type") != "adapter" or header.text("adapter.type") != "lora":
            raise _fault(Fault.NOT_AN_ADAPTER, path)
        if header.architecture != self._architecture:
            raise _fault(Fault.ADAPTER_FOR_ANOTHER_MODEL, path, header.architecture[:60])
        if not header.tensors:
            raise _fault(Fault.ADAPTER_DAMAGED, path, "it holds no tensors")
        try:
            adapter = load_adapter(self._model, path)
        except llama.LoadRefused:  # its tensors have other names or shapes than the model's
            raise _fault(Fault.ADAPTER_FOR_ANOTHER_MODEL, path, "llama.cpp refused it") from None
        if is_activated(adapter):
            raise _fault(Fault.NOT_AN_ADAPTER, path, "an activated LoRA")
        return adapter


def _fault(fault: Fault, path: str, detail: str = "") -> RuntimeFault:
    return RuntimeFault(fault, detail, {"adapter": Path(path).name})
