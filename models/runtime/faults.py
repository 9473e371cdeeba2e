"""How an answer can end, and what can go wrong on the way to one."""

from __future__ import annotations

from enum import StrEnum


class StopReason(StrEnum):
    """Why an answer ended."""

    STOP = "stop"  # the model said it was done
    LENGTH = "length"  # max_tokens reached
    CONTEXT_FULL = "context_full"
    CANCELLED = "cancelled"
    CONTENT_FILTERED = "content_filtered"  # a remote service cut the answer short for what was in it
    TOOL_CALLS = "tool_calls"  # the model waits for what it asked for


class Fault(StrEnum):
    """What can be wrong with a model file, the machine or the worker. Environment faults, never bugs of ours."""

    FILE_MISSING = "file_missing"
    FILE_UNREADABLE = "file_unreadable"
    NOT_GGUF = "not_gguf"
    TRUNCATED = "truncated"
    DAMAGED = "damaged"
    PART_MISSING = "part_missing"
    UNSUPPORTED_ARCHITECTURE = "unsupported_architecture"
    NOT_A_CHAT_MODEL = "not_a_chat_model"
    NOT_AN_EMBEDDING_MODEL = "not_an_embedding_model"
    NO_TEMPLATE = "no_template"
    TEMPLATE_BROKEN = "template_broken"
    TEMPLATE_ENDLESS = "template_endless"
    NOT_ENOUGH_MEMORY = "not_enough_memory"
    OPTIONS_DO_NOT_FIT = "options_do_not_fit"
    PROMPT_TOO_LONG = "prompt_too_long"
    LOAD_STALLED = "load_stalled"
    LOAD_CANCELLED = "load_cancelled"
    WORKER_STOPPED = "worker_stopped"
    GENERATION_FAILED = "generation_failed"
    GRAMMAR_BROKEN = "grammar_broken"
    SCHEMA_BROKEN = "schema_broken"
    SCHEMA_UNSUPPORTED = "schema_unsupported"
    ADAPTER_MISSING = "adapter_missing"
    NOT_AN_ADAPTER = "not_an_adapter"
    ADAPTER_FOR_ANOTHER_MODEL = "adapter_for_another_model"
    ADAPTER_DAMAGED = "adapter_damaged"
    WORD_OF_SEVERAL_TOKENS = "word_of_several_tokens"
    DRAFT_UNUSABLE = "draft_unusable"
    DRAFT_OF_ANOTHER_VOCABULARY = "draft_of_another_vocabulary"
    CANNOT_SEE = "cannot_see"
    SIGHT_NOT_BUILT = "sight_not_built"
    PROJECTOR_MISSING = "projector_missing"
    PROJECTOR_DAMAGED = "projector_damaged"
    PROJECTOR_OF_ANOTHER = "projector_of_another"
    IMAGE_UNREADABLE = "image_unreadable"
    IMAGE_TOO_LARGE = "image_too_large"
    TOO_MANY_IMAGES = "too_many_images"
    IMAGE_FORMAT = "image_format"
    IMAGE_FILE_TOO_LARGE = "image_file_too_large"
    IMAGE_FILE_UNREADABLE = "image_file_unreadable"


class RuntimeFault(Exception):
    """A `Fault` with its facts (numbers, names, the library's own words) for the sentence and its details."""

    def __init__(self, fault: Fault, detail: str = "", facts: dict[str, int | str] | None = None) -> None:
        super().__init__(f"{fault.value}: {detail}" if detail else fault.value)
        self.fault = fault
        self.detail = detail
        self.facts = facts or {}
